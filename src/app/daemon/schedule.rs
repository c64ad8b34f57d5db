//! When which tick runs: cron entries in UTC, and a look at whether they still do.
//!
//! The scheduler goes by the wall clock. Should that be put back by a day, its next tick is a day ahead: whoever has been silent for
//! too long by the monotonic clock is scheduled anew. What a tick decides, it decides by the database's clock.

use std::sync::Arc;
use std::time::Duration;

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::Daemon;
use super::tick::{Tick, run};

/// Each tick with its cron entry: seconds, minutes, hours, day, month, weekday.
const ENTRIES: [(Tick, &str); Tick::ALL.len()] = [
    (Tick::Open, "*/2 * * * * *"),
    (Tick::Recover, "1/3 * * * * *"),
    (Tick::Housekeeping, "*/10 * * * * *"),
    (Tick::Post, "4/5 * * * * *"),
    (Tick::Announce, "3/10 * * * * *"),
    (Tick::Collect, "7/10 * * * * *"),
    (Tick::Materialise, "30 * * * * *"),
    (Tick::Acceptance, "40 * * * * *"),
    (Tick::Capacity, "50 * * * * *"),
];
/// The entry that is watched, and how long it may be silent.
const WATCHED: Tick = Tick::Open;
const SILENCE: Duration = Duration::from_secs(10);

/// The entries, running until this is stopped.
pub(super) struct Schedule {
    scheduler: JobScheduler,
}

impl Schedule {
    /// Starts all entries.
    pub(super) async fn start(daemon: &Arc<Daemon>) -> Result<Self, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        for (tick, entry) in ENTRIES {
            // The scheduler keeps its entries for good, even when it has been shut down: they must not keep the daemon's database.
            let daemon = Arc::downgrade(daemon);
            let job = Job::new_async(entry, move |_, _| {
                let daemon = daemon.clone();
                Box::pin(async move {
                    if let Some(daemon) = daemon.upgrade() {
                        run(&daemon, tick).await;
                    }
                })
            })?;
            scheduler.add(job).await?;
        }
        scheduler.start().await?;
        Ok(Self { scheduler })
    }

    /// No tick begins any more; one that runs goes on.
    pub(super) async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!(%error, "scheduler not stopped");
        }
    }

    /// Starts all entries anew if they have fallen silent.
    pub(super) async fn watch(self, daemon: &Arc<Daemon>) -> Result<Self, JobSchedulerError> {
        if daemon.pulse.silence(WATCHED).is_none_or(|silence| silence < SILENCE) {
            return Ok(self);
        }
        tracing::warn!("no tick for {} s: scheduling anew; was the clock put back?", SILENCE.as_secs());
        self.stop().await;
        daemon.pulse.hear_of(WATCHED);
        Self::start(daemon).await
    }
}
