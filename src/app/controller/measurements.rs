//! What a run measures on its hosts before anything is touched there, and how it is kept beside the run.
//!
//! Invariant: whatever goes wrong with it is no trouble of the run's; it holds up a host for no longer than half a minute.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::app::capacity::{Occasion, keep};
use crate::domain::capacity::{Measurement, WatchedPath};
use crate::domain::id::Name;
use crate::domain::plan::PlannedHost;
use crate::edge::remote::Remote;
use crate::edge::remote::capacity::measure;
use crate::edge::store::run::StoredRun;
use crate::edge::store::{Store, database_now};

/// So long at most a run waits for its host to be measured.
const MEASURE_LIMIT: Duration = Duration::from_secs(30);
/// A database that takes longer does not learn of it.
const KEEP_LIMIT: Duration = Duration::from_secs(5);

/// What was found on a host.
#[derive(Debug)]
pub struct Measured {
    host: Name,
    watched: Vec<WatchedPath>,
    measurement: Measurement,
}

/// Measures a host on which something is watched.
pub(super) async fn measure_host(remote: &Remote, host: &PlannedHost) -> Option<Measured> {
    if host.capacity.is_empty() {
        return None;
    }
    let measured = timeout(MEASURE_LIMIT, measure(remote, &host.capacity)).await;
    let why = match measured {
        Ok(Ok(measurement)) => {
            return Some(Measured { host: host.name.clone(), watched: host.capacity.clone(), measurement });
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", MEASURE_LIMIT.as_secs()),
    };
    tracing::warn!(host = %host.name, why, "disks not measured");
    None
}

/// Keeps what comes in, until the run is `over`; what has come by then is kept still.
pub(super) async fn keep_all(
    store: &Store,
    run: &StoredRun,
    mut measured: UnboundedReceiver<Measured>,
    over: &CancellationToken,
) {
    let mut deadline = None;
    loop {
        let one = tokio::select! {
            biased;
            one = measured.recv() => one,
            () = over.cancelled() => None,
        };
        let Some(one) = one else { return };
        // When the run is over, all that is left has the time of one.
        let limit = Instant::now() + KEEP_LIMIT;
        let limit = if over.is_cancelled() { *deadline.get_or_insert(limit) } else { limit };
        let outcome = timeout_at(limit, keep_one(store, run, &one)).await;
        let why = match outcome {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "the database does not answer".to_owned(),
        };
        tracing::warn!(run_number = run.number.0, host = %one.host, why, "what was measured is not kept");
    }
}

async fn keep_one(store: &Store, run: &StoredRun, one: &Measured) -> anyhow::Result<()> {
    let mut transaction = store.begin().await?;
    let at = database_now(&mut transaction).await?;
    let occasion = Occasion { customer: &run.plan.customer, at, run: Some(run.id), day: None };
    keep(&mut transaction, &occasion, (&one.host, &one.watched), Ok(&one.measurement)).await?;
    Ok(transaction.commit().await?)
}
