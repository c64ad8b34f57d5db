//! Measures how full the file systems of a machine are: one round trip, read-only.
//!
//! Knows how the script is sent; what its answer means, [`crate::domain::capacity::measure`] knows.

use std::time::Duration;

use tokio::time::timeout;

use super::Remote;
use super::error::Error;
use super::packages::ask;
use crate::domain::capacity::measure::{parse, script};
use crate::domain::capacity::{Measurement, WatchedPath};

/// How long a look may take: a file system that hangs costs ten seconds, and not all of them do.
const LIMIT: Duration = Duration::from_secs(120);

/// Measures the watched paths, and all file systems on disks.
///
/// # Errors
/// When the machine can't be reached, or has no answer in time.
pub async fn measure(remote: &Remote, watched: &[WatchedPath]) -> Result<Measurement, Error> {
    let paths: Vec<String> = watched.iter().map(|watched| watched.path.clone()).collect();
    let late = |_| Error::LineLost { host: remote.name().to_owned(), detail: "no answer in time".to_owned() };
    // All tries together: what hangs once hangs again.
    let asked = timeout(LIMIT, ask(remote, "measure", script(), &paths, "", LIMIT)).await;
    Ok(parse(&asked.map_err(late)??))
}
