//! Runs as rows: found, listed, asked to stop.
//!
//! Knows the header of a run; its life is in the events, from which the state here is folded by whoever records them.

pub mod create;

use std::fmt;

use jiff::Timestamp;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::{Json, Uuid};

use super::error::Error;
use crate::domain::id::{ContentHash, Epoch, Name, OccurrenceId, RunId};
use crate::domain::plan::Plan;
use crate::domain::report::meanwhile::Meanwhile;
use crate::domain::run::event::RunState;

/// What people type to name a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunNumber(pub i64);

impl fmt::Display for RunNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who drives a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which controller.
    pub owner: String,
    /// When it ends unless it is renewed.
    pub until: Timestamp,
    /// Whether it had not ended when the database was asked.
    pub alive: bool,
}

/// A wish to stop a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelRequest {
    /// Since when.
    pub at: Timestamp,
    /// Whose.
    pub by: String,
}

/// A run with its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRun {
    /// Its identity.
    pub id: RunId,
    /// What people call it.
    pub number: RunNumber,
    /// What it does.
    pub plan: Plan,
    /// The plan's hash.
    pub plan_hash: ContentHash,
    /// Why by hand, or outside of a window.
    pub reason: Option<String>,
    /// Who.
    pub started_by: String,
    /// For which occurrence; `None`: by hand.
    pub occurrence: Option<OccurrenceId>,
    /// Cached.
    pub state: RunState,
    /// When.
    pub created_at: Timestamp,
    /// `None` as long as it is open.
    pub finished_at: Option<Timestamp>,
    /// Number of take-overs.
    pub epoch: Epoch,
    /// `None` if nobody drives it, by intent.
    pub lease: Option<Lease>,
    /// Whether somebody wants it to stop.
    pub cancel_request: Option<CancelRequest>,
    /// Whether it has ended, and nothing was to be done on any host of its occurrence: nobody is told by a message of its own.
    pub quiet: bool,
    /// What its report tells beside it; nothing as long as it is open.
    pub meanwhile: Meanwhile,
}

/// The run that people call `number`.
///
/// # Errors
/// If the database can't be used.
pub async fn find_run(connection: &mut PgConnection, number: RunNumber) -> Result<Option<StoredRun>, Error> {
    let row = sqlx::query!(
        r#"select id, plan as "plan: Json<Plan>", plan_hash, reason, started_by, occurrence, state,
                  created_at as "created_at: jiff_sqlx::Timestamp", finished_at as "finished_at: jiff_sqlx::Timestamp",
                  epoch, lease_owner, lease_until as "lease_until: jiff_sqlx::Timestamp",
                  lease_until >= clock_timestamp() as lease_alive,
                  cancel_requested_at as "cancel_requested_at: jiff_sqlx::Timestamp", cancel_requested_by,
                  quiet, meanwhile as "meanwhile: Json<Meanwhile>"
           from run where number = $1"#,
        number.0,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(StoredRun {
        id: RunId(row.id),
        number,
        plan: row.plan.0,
        plan_hash: read_hash("run.plan_hash", &row.plan_hash)?,
        reason: row.reason,
        started_by: row.started_by,
        occurrence: row.occurrence.map(OccurrenceId),
        state: read_state(&row.state)?,
        created_at: row.created_at.to_jiff(),
        finished_at: row.finished_at.map(jiff_sqlx::Timestamp::to_jiff),
        epoch: Epoch(row.epoch),
        lease: build_lease(row.lease_owner, row.lease_until, row.lease_alive),
        cancel_request: row
            .cancel_requested_at
            .zip(row.cancel_requested_by)
            .map(|(at, by)| CancelRequest { at: at.to_jiff(), by }),
        quiet: row.quiet,
        meanwhile: row.meanwhile.0,
    }))
}

/// The number of a run.
///
/// # Errors
/// If the database can't be used.
pub async fn find_number(connection: &mut PgConnection, id: RunId) -> Result<Option<RunNumber>, Error> {
    let number = sqlx::query_scalar!("select number from run where id = $1", id.0);
    Ok(number.fetch_optional(connection).await?.map(RunNumber))
}

/// One line of a list of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its identity.
    pub id: RunId,
    /// What people call it.
    pub number: RunNumber,
    /// Whose hosts.
    pub customer: Name,
    /// Which recipe.
    pub job: Name,
    /// Cached.
    pub state: RunState,
    /// Who started it.
    pub started_by: String,
    /// When.
    pub created_at: Timestamp,
    /// `None` as long as it is open.
    pub finished_at: Option<Timestamp>,
    /// `None` if nobody drives it, by intent.
    pub lease: Option<Lease>,
}

/// Which states a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// All runs.
    All,
    /// Those that have not ended.
    Open,
}

/// Which runs to list.
#[derive(Debug, Clone, Copy)]
pub struct Filter<'a> {
    /// Of one customer only.
    pub customer: Option<&'a Name>,
    /// In which states.
    pub show: Show,
    /// At most so many.
    pub limit: u32,
}

/// Runs, the latest first.
///
/// # Errors
/// If the database can't be used.
pub async fn list_runs(connection: &mut PgConnection, filter: Filter<'_>) -> Result<Vec<RunRow>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, number, customer, job, state, started_by, created_at as "created_at: jiff_sqlx::Timestamp",
                  finished_at as "finished_at: jiff_sqlx::Timestamp", lease_owner,
                  lease_until as "lease_until: jiff_sqlx::Timestamp", lease_until >= clock_timestamp() as lease_alive
           from run
           where ($1::text is null or customer = $1) and (not $2 or state in ('running', 'suspended'))
           order by number desc
           limit $3"#,
        filter.customer.map(Name::as_str),
        filter.show == Show::Open,
        i64::from(filter.limit),
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(RunRow::try_from).collect()
}

/// Runs that somebody should take over: nobody drives them, and they do not wait for a person. The oldest first.
///
/// # Errors
/// If the database can't be used.
pub async fn list_lapsed_runs(connection: &mut PgConnection) -> Result<Vec<RunRow>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, number, customer, job, state, started_by, created_at as "created_at: jiff_sqlx::Timestamp",
                  finished_at as "finished_at: jiff_sqlx::Timestamp", lease_owner,
                  lease_until as "lease_until: jiff_sqlx::Timestamp", lease_until >= clock_timestamp() as lease_alive
           from run
           where state = 'running' and (lease_until is null or lease_until < clock_timestamp())
           order by number"#,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(RunRow::try_from).collect()
}

/// What came of a wish to stop a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelAnswer {
    /// It is noted; the controller sees it at its next renewal.
    Requested,
    /// Somebody had wished so before.
    AlreadyRequested,
    /// There is nothing to stop.
    HasEnded(RunState),
    /// There is no such run.
    NoSuchRun,
}

/// Notes that `by` wants the run to stop, and wakes who listens on `turnus_run`.
///
/// # Errors
/// If the database can't be used.
pub async fn request_cancel(connection: &mut PgConnection, number: RunNumber, by: &str) -> Result<CancelAnswer, Error> {
    let noted = sqlx::query_scalar!(
        "update run set cancel_requested_at = clock_timestamp(), cancel_requested_by = $2
         where number = $1 and state in ('running', 'suspended') and cancel_requested_at is null
         returning id",
        number.0,
        by,
    )
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(id) = noted {
        notify(connection, id).await?;
        return Ok(CancelAnswer::Requested);
    }
    let state =
        sqlx::query_scalar!("select state from run where number = $1", number.0).fetch_optional(connection).await?;
    Ok(match state.as_deref().map(read_state).transpose()? {
        None => CancelAnswer::NoSuchRun,
        Some(state) if state.is_open() => CancelAnswer::AlreadyRequested,
        Some(state) => CancelAnswer::HasEnded(state),
    })
}

/// A hint only: who misses it learns the same at the next renewal of the lease.
pub(super) async fn notify(connection: &mut PgConnection, run: Uuid) -> Result<(), Error> {
    sqlx::query!("select pg_notify('turnus_run', $1)", run.to_string()).execute(connection).await?;
    Ok(())
}

/// A row of `run` as lists read it.
struct Row {
    id: Uuid,
    number: i64,
    customer: String,
    job: String,
    state: String,
    started_by: String,
    created_at: jiff_sqlx::Timestamp,
    finished_at: Option<jiff_sqlx::Timestamp>,
    lease_owner: Option<String>,
    lease_until: Option<jiff_sqlx::Timestamp>,
    lease_alive: Option<bool>,
}

impl TryFrom<Row> for RunRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: RunId(row.id),
            number: RunNumber(row.number),
            customer: read_name("run.customer", &row.customer)?,
            job: read_name("run.job", &row.job)?,
            state: read_state(&row.state)?,
            started_by: row.started_by,
            created_at: row.created_at.to_jiff(),
            finished_at: row.finished_at.map(jiff_sqlx::Timestamp::to_jiff),
            lease: build_lease(row.lease_owner, row.lease_until, row.lease_alive),
        })
    }
}

fn build_lease(owner: Option<String>, until: Option<jiff_sqlx::Timestamp>, alive: Option<bool>) -> Option<Lease> {
    Some(Lease { owner: owner?, until: until?.to_jiff(), alive: alive? })
}

pub(super) fn read_name(what: &'static str, text: &str) -> Result<Name, Error> {
    text.parse().map_err(|source: crate::domain::id::NotAName| Error::unreadable(what, source))
}

fn read_state(text: &str) -> Result<RunState, Error> {
    read_word("run.state", text)
}

pub(super) fn read_hash(what: &'static str, text: &str) -> Result<ContentHash, Error> {
    read_word(what, text)
}

/// The text of a `json` column, to be passed as `$n::text::json`: bound as JSON it would pass through `jsonb`, which forgets the order
/// of keys and refuses U+0000.
pub(super) fn write_json<T: Serialize>(what: &'static str, value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|source| Error::unreadable(what, source))
}

pub(super) fn read_word<'a, T: Deserialize<'a>>(what: &'static str, text: &'a str) -> Result<T, Error> {
    T::deserialize(text.into_deserializer()).map_err(|source: serde::de::value::Error| Error::unreadable(what, source))
}
