//! A port that takes connections.

use tokio::io::AsyncReadExt;

use super::dial::dial;
use super::{Scene, chain, excerpt};
use crate::domain::probe::TcpCheck;
use crate::domain::probe::template::fill_in;

/// A greeting is looked for in so much of what the server sends first.
const GREETING_LIMIT: usize = 4096;

/// Connects, and reads the greeting if there is to be one.
pub(super) async fn ask(check: &TcpCheck, scene: &Scene<'_>) -> Result<String, String> {
    let address = fill_in(&check.address, scene.target)?;
    let failed = |error: &std::io::Error| format!("tcp {address}: {}", chain(error));
    let mut stream = dial(&address, scene).await.map_err(|why| format!("tcp {address}: {why}"))?;
    let Some(wanted) = &check.greeting else { return Ok(format!("tcp {address}: connected")) };
    let mut greeting = Vec::new();
    while greeting.len() < GREETING_LIMIT {
        if String::from_utf8_lossy(&greeting).contains(wanted.as_str()) {
            return Ok(format!("tcp {address}: greeted with `{}`", excerpt(&greeting)));
        }
        if stream.read_buf(&mut greeting).await.map_err(|error| failed(&error))? == 0 {
            break;
        }
    }
    Err(format!("tcp {address}: expected the greeting `{wanted}`, found `{}`", excerpt(&greeting)))
}
