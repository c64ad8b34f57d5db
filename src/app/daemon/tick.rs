//! The steps that a daemon takes again and again, each kept from harming the others.
//!
//! Invariants: a tick does not overlap with itself; it ends after its time limit; it may panic. How each fares is remembered.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Daemon, acceptance, announce, capacity, collect, housekeeping, materialise, open, period, post, recover};
use crate::app::controller::clock::Clock;
use crate::edge::store::controller::{TickHealth, Ticks};
use crate::edge::store::database_now;
use crate::edge::store::error::{Error as StoreError, Kind};

/// A tick that takes longer is given up; what it did not commit is as if it had not begun.
const LIMIT: Duration = Duration::from_secs(30);

/// Which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tick {
    /// Stores dates as far ahead as the horizon reaches; tells customers of periods that are over.
    Materialise,
    /// Tells customers of what is coming.
    Announce,
    /// Collects pending updates, and asks for decisions on them.
    Collect,
    /// Measures the disks of hosts, each once a day.
    Capacity,
    /// Reminds of reports that wait for an answer, and ends the waiting.
    Acceptance,
    /// Opens what is due, or records why it does not open.
    Open,
    /// Takes over runs that nobody drives.
    Recover,
    /// Sends messages that are due.
    Post,
    /// Reports that this daemon is alive.
    Housekeeping,
}

impl Tick {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Materialise,
        Self::Announce,
        Self::Collect,
        Self::Capacity,
        Self::Acceptance,
        Self::Open,
        Self::Recover,
        Self::Post,
        Self::Housekeeping,
    ];

    /// The word in logs and in `turnus doctor`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Materialise => "materialise",
            Self::Announce => "announce",
            Self::Collect => "collect",
            Self::Capacity => "capacity",
            Self::Acceptance => "acceptance",
            Self::Open => "open",
            Self::Recover => "recover",
            Self::Post => "post",
            Self::Housekeeping => "housekeeping",
        }
    }
}

/// Whether there was something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worked {
    /// There was.
    Something,
    /// There was not.
    Nothing,
}

/// How the ticks of this process fare.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    gates: [tokio::sync::Mutex<()>; Tick::ALL.len()],
    ticks: Mutex<BTreeMap<Tick, Beat>>,
}

#[derive(Debug, Default, Clone)]
struct Beat {
    health: TickHealth,
    /// When its turn last came, on the monotonic clock.
    heard_of: Option<Instant>,
    /// When it last came to an end, whichever.
    ended: Option<Instant>,
}

impl Pulse {
    fn ticks(&self) -> MutexGuard<'_, BTreeMap<Tick, Beat>> {
        self.ticks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the table of controllers.
    pub(super) fn health(&self) -> Ticks {
        self.ticks().iter().map(|(tick, beat)| (tick.as_str().to_owned(), beat.health.clone())).collect()
    }

    /// How long ago this tick's turn last came, whether or not it was still at work from before.
    pub(super) fn silence(&self, tick: Tick) -> Option<Duration> {
        self.ticks().get(&tick).and_then(|beat| beat.heard_of).map(|heard_of| heard_of.elapsed())
    }

    /// Whether every tick came to an end, in success or not, within `limit`; `from`: when the first turns were to come.
    pub(super) fn is_beating(&self, from: Instant, limit: Duration) -> bool {
        let ticks = self.ticks();
        let last_end = |tick: &Tick| ticks.get(tick).and_then(|beat| beat.ended).unwrap_or(from);
        Tick::ALL.iter().all(|tick| last_end(tick).elapsed() < limit)
    }

    /// Waits until no tick is at work; none begins as long as what is returned is held.
    pub(super) async fn halt(&self) -> Vec<tokio::sync::MutexGuard<'_, ()>> {
        futures_util::future::join_all(self.gates.iter().map(tokio::sync::Mutex::lock)).await
    }

    fn end(&self, tick: Tick) {
        self.ticks().entry(tick).or_default().ended = Some(Instant::now());
    }

    /// Its turn has come.
    pub(super) fn hear_of(&self, tick: Tick) {
        self.ticks().entry(tick).or_default().heard_of = Some(Instant::now());
    }

    fn succeed(&self, tick: Tick, now: Timestamp) {
        let mut ticks = self.ticks();
        let beat = ticks.entry(tick).or_default();
        if beat.health.failures_in_row > 0 {
            tracing::info!(tick = tick.as_str(), failures = beat.health.failures_in_row, "tick works again");
        }
        beat.health.last_ok_at = Some(now);
        beat.health.failures_in_row = 0;
    }

    /// The same failure again and again is one line in the log.
    fn fail(&self, tick: Tick, error: &anyhow::Error, now: Option<Timestamp>) {
        let text = format!("{error:#}");
        let mut ticks = self.ticks();
        let health = &mut ticks.entry(tick).or_default().health;
        if health.failures_in_row == 0 || health.last_error.as_ref() != Some(&text) {
            tracing::error!(tick = tick.as_str(), error = text, "tick failed");
        }
        health.failures_in_row += 1;
        health.last_error = Some(text);
        // Who could not ask the database for the time does not know it.
        health.last_error_at = now;
    }
}

/// Runs a tick by the database's clock, unless it is running already; its failure is logged and remembered.
pub(super) async fn run(daemon: &Arc<Daemon>, tick: Tick) {
    daemon.pulse.hear_of(tick);
    let position = Tick::ALL.iter().position(|known| *known == tick).unwrap_or_default();
    let Some(Ok(_gate)) = daemon.pulse.gates.get(position).map(tokio::sync::Mutex::try_lock) else { return };
    let mut asked = None;
    let began = std::time::Instant::now();
    let outcome = contain(run_by_database_clock(daemon, tick, &mut asked)).await;
    match (outcome, asked) {
        (Ok(_), Some(now)) => daemon.pulse.succeed(tick, now),
        (Ok(_), None) => {}
        (Err(error), now) => {
            daemon.pulse.fail(tick, &error, now);
            mend(daemon, &error, began).await;
        }
    }
    daemon.pulse.end(tick);
}

/// Whatever happens, it is over in time and leaves no panic.
async fn contain<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match tokio::time::timeout(LIMIT, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(anyhow!("it panicked: {}", words_of(panic.as_ref()))),
        Err(_) => Err(anyhow!("it took longer than {} s", LIMIT.as_secs())),
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

async fn run_by_database_clock(
    daemon: &Arc<Daemon>,
    tick: Tick,
    asked: &mut Option<Timestamp>,
) -> anyhow::Result<Worked> {
    // Before the question: the time on the way counts as passed, so that nothing opens past its latest start.
    let asking = Instant::now();
    let now = {
        let mut transaction = daemon.store.begin().await?;
        database_now(&mut transaction).await?
    };
    *asked = Some(now);
    run_by(daemon, tick, Clock::set(now, asking)).await
}

/// Runs a tick as if it were `now`.
///
/// # Errors
/// Whatever kept it from doing what it should; what it had committed by then holds.
pub async fn run_at(daemon: &Arc<Daemon>, tick: Tick, now: Timestamp) -> anyhow::Result<Worked> {
    run_by(daemon, tick, Clock::set(now, Instant::now())).await
}

async fn run_by(daemon: &Arc<Daemon>, tick: Tick, clock: Clock) -> anyhow::Result<Worked> {
    let now = clock.now();
    match tick {
        Tick::Materialise => {
            let dated = materialise::tick(daemon, now).await;
            // Neither waits for the other's mistakes.
            let told = period::tick(daemon, now).await;
            Ok(if dated? == Worked::Something { Worked::Something } else { told? })
        }
        Tick::Announce => announce::tick(daemon, now).await,
        Tick::Collect => collect::tick(daemon, now).await,
        Tick::Capacity => capacity::tick(daemon, now).await,
        Tick::Acceptance => acceptance::tick(daemon, now).await,
        Tick::Open => open::tick(daemon, &clock).await,
        Tick::Recover => recover::tick(daemon, now).await,
        Tick::Post => post::tick(daemon, &clock).await,
        Tick::Housekeeping => housekeeping::tick(daemon, now).await,
    }
}

/// A pool may hold connections to a server that is gone.
async fn mend(daemon: &Daemon, error: &anyhow::Error, began: std::time::Instant) {
    let kind = error.chain().find_map(|cause| cause.downcast_ref::<StoreError>()).map(StoreError::kind);
    if matches!(kind, Some(Kind::Unreachable | Kind::NotWritable)) {
        // Its failure shows in the next tick.
        let _ = tokio::time::timeout(LIMIT, daemon.store.reconnect_since(began)).await;
    }
}

#[cfg(test)]
mod tests;
