//! The one way in which a controller writes: fence, events, output, state, in the caller's transaction.
//!
//! Does not know which event leads to which state: the caller folds. Invariants: nothing is written for another epoch than the
//! run's; nothing is written to a run that has ended; the same batch written twice is as if written once.

use sqlx::PgConnection;

use super::error::Error;
use super::event::insert_events;
use super::log::{LogChunk, insert_chunks, to_index};
use super::notification::ending::{tell_finished, tell_suspended};
use super::occurrence::change::close_of_run;
use crate::domain::id::{Epoch, RunId};
use crate::domain::plan::HostIndex;
use crate::domain::run::event::RunState;
use crate::domain::run::event::{Event, Outcome, Recorded};

/// What has happened since the last write, for all hosts of a run together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// In order; `seq` goes on where the record ends.
    pub events: Vec<Recorded>,
    /// Output of steps.
    pub log: Vec<LogChunk>,
    /// The run's state, if it has changed.
    pub state: Option<RunState>,
    /// Hosts that are taken into work.
    pub started: Vec<HostIndex>,
    /// Hosts that are done with, and how.
    pub hosts: Vec<(HostIndex, Outcome)>,
}

impl Batch {
    /// What `events` and `log` mean for the cached columns.
    #[must_use]
    pub fn of(events: Vec<Recorded>, log: Vec<LogChunk>) -> Self {
        let state = events.iter().rev().find_map(|recorded| match &recorded.event {
            Event::RunFinished { result } => Some(RunState::from(*result)),
            Event::RunSuspended => Some(RunState::Suspended),
            Event::LeaseTaken { .. } => Some(RunState::Running),
            _ => None,
        });
        let started = |recorded: &Recorded| match &recorded.event {
            Event::HostStarted { host } => Some(*host),
            _ => None,
        };
        let finished = |recorded: &Recorded| match &recorded.event {
            Event::HostFinished { host, outcome } => Some((*host, outcome.clone())),
            _ => None,
        };
        let started = events.iter().filter_map(started).collect();
        let hosts = events.iter().filter_map(finished).collect();
        Self { events, log, state, started, hosts }
    }

    /// Adds what came later.
    pub fn append(&mut self, later: Self) {
        self.events.extend(later.events);
        self.log.extend(later.log);
        self.state = later.state.or(self.state);
        self.started.extend(later.started);
        self.hosts.extend(later.hosts);
    }
}

/// Writes `batch` for the controller that holds `epoch`. To be rolled back on every error, and to be repeated as it is if the answer
/// to the COMMIT was lost.
///
/// # Errors
/// [`Error::Fenced`] if another controller has taken over, if the lease was given back, or if the run has ended;
/// [`Error::Conflict`] if the record holds another event at the same place.
pub async fn record(connection: &mut PgConnection, run: RunId, epoch: Epoch, batch: &Batch) -> Result<(), Error> {
    fence(connection, run, epoch, batch.state).await?;
    insert_events(connection, run, &batch.events).await?;
    insert_chunks(connection, run, &batch.log).await?;
    start_hosts(connection, run, &batch.started).await?;
    finish_hosts(connection, run, &batch.hosts).await?;
    match batch.state {
        Some(state) if !state.is_open() => end(connection, run).await,
        Some(RunState::Suspended) => tell_suspended(connection, run, epoch).await.map(drop),
        _ => Ok(()),
    }
}

/// What follows from the end of a run, in the transaction of its end.
async fn end(connection: &mut PgConnection, run: RunId) -> Result<(), Error> {
    check_no_open_host(connection, run).await?;
    close_of_run(connection, run).await?;
    tell_finished(connection, run).await?;
    Ok(())
}

/// Locks the run's row until the end of the transaction: a take-over waits for it, and then finds all of the batch or nothing.
async fn fence(connection: &mut PgConnection, run: RunId, epoch: Epoch, state: Option<RunState>) -> Result<(), Error> {
    // `state = $3`: the last batch of a run, repeated.
    let hit = sqlx::query!(
        "update run
         set state = coalesce($3, state),
             finished_at = case when $3 in ('succeeded', 'failed', 'cancelled') then coalesce(finished_at, clock_timestamp()) end
         where id = $1 and epoch = $2 and lease_until is not null and (state in ('running', 'suspended') or state = $3)",
        run.0,
        epoch.0,
        state.map(RunState::as_str),
    )
    .execute(connection)
    .await?;
    if hit.rows_affected() == 1 { Ok(()) } else { Err(Error::Fenced) }
}

/// By the clock of the database, as the end: their difference is what estimates are made from. A host is started once, whoever
/// carries the run on.
async fn start_hosts(connection: &mut PgConnection, run: RunId, hosts: &[HostIndex]) -> Result<(), Error> {
    if hosts.is_empty() {
        return Ok(());
    }
    let indexes = hosts.iter().map(|host| to_index(host.0)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query!(
        "update host_run set started_at = clock_timestamp()
         where run_id = $1 and host_index = any($2) and started_at is null and state = 'open'",
        run.0,
        &indexes,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn finish_hosts(connection: &mut PgConnection, run: RunId, hosts: &[(HostIndex, Outcome)]) -> Result<(), Error> {
    if hosts.is_empty() {
        return Ok(());
    }
    let indexes = hosts.iter().map(|(host, _)| to_index(host.0)).collect::<Result<Vec<_>, _>>()?;
    let outcomes: Vec<&str> = hosts.iter().map(|(_, outcome)| name_outcome(outcome)).collect();
    sqlx::query!(
        "update host_run
         set state = 'finished', outcome = done.outcome, finished_at = coalesce(finished_at, clock_timestamp())
         from unnest($2::int[], $3::text[]) as done (host_index, outcome)
         where host_run.run_id = $1 and host_run.host_index = done.host_index",
        run.0,
        &indexes,
        &outcomes as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A host left open in a run that has ended could never be taken again.
async fn check_no_open_host(connection: &mut PgConnection, run: RunId) -> Result<(), Error> {
    let open =
        sqlx::query_scalar!(r#"select count(*) as "open!" from host_run where run_id = $1 and state = 'open'"#, run.0,)
            .fetch_one(connection)
            .await?;
    if open == 0 { Ok(()) } else { Err(Error::HostsLeftOpen { open }) }
}

fn name_outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Updated => "updated",
        Outcome::NothingToDo => "nothing_to_do",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Unreachable { .. } => "unreachable",
        Outcome::FailedAndRolledBack { .. } => "failed_and_rolled_back",
        Outcome::Failed { .. } => "failed",
        Outcome::Unknown { .. } => "unknown",
    }
}
