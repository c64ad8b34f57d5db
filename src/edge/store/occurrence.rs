//! Occurrences as rows: found and listed.
//!
//! Knows how an occurrence lies in columns; what may follow what is [`crate::domain::occurrence`]'s. Does not know rules or windows.
//! Invariant: every decision is taken at a `now` that the caller passes, which is the database's ([`super::database_now`]).

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::error::Error;
use super::run::{RunNumber, read_name, read_word};
use crate::domain::calendar::Reason;
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::occurrence::OccurrenceState;

/// All columns of an occurrence, `from occurrence`, and what follows.
macro_rules! select_occurrences {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::edge::store::occurrence::Row,
            r#"select id, customer, window_name, recurrence_id as "recurrence_id: jiff_sqlx::DateTime", sequence, moved_from, chosen_by,
                      job, time_zone, local_start as "local_start: jiff_sqlx::DateTime",
                      start_at as "start_at: jiff_sqlx::Timestamp", latest_start_at as "latest_start_at: jiff_sqlx::Timestamp",
                      end_at as "end_at: jiff_sqlx::Timestamp", reasons::text as "reasons!", state, cause,
                      looked_at as "looked_at: jiff_sqlx::Timestamp",
                      next_notice_at as "next_notice_at: jiff_sqlx::Timestamp", review_at as "review_at: jiff_sqlx::Timestamp",
                      announced_at as "announced_at: jiff_sqlx::Timestamp",
                      confirmed_at as "confirmed_at: jiff_sqlx::Timestamp", confirmed_by,
                      opened_at as "opened_at: jiff_sqlx::Timestamp", finished_at as "finished_at: jiff_sqlx::Timestamp",
                      (select run.number from run where run.occurrence = occurrence.id) as "run"
               from occurrence "# + $rest
            $(, $argument)*
        )
    };
}

pub mod adjust;
pub mod change;
pub mod claim;
pub mod insert;

/// One dated instance of a window, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOccurrence {
    /// Its identity.
    pub id: OccurrenceId,
    /// Whose.
    pub customer: Name,
    /// Of which window.
    pub window: Name,
    /// The local time that the rule gives, before shift and moves: names the date for good.
    pub recurrence_id: DateTime,
    /// Grows with each move.
    pub sequence: u32,
    /// The occurrence whose place it takes.
    pub moved_from: Option<OccurrenceId>,
    /// Who chose the date, if a person did: then the rule does not correct it.
    pub chosen_by: Option<String>,
    /// The recipe.
    pub job: Name,
    /// IANA name of the zone that `local_start` is in.
    pub time_zone: String,
    /// The opening on the wall.
    pub local_start: DateTime,
    /// The opening.
    pub start: Timestamp,
    /// Nothing starts later.
    pub latest_start: Timestamp,
    /// The close.
    pub end: Timestamp,
    /// Why this date.
    pub reasons: Vec<Reason>,
    /// Where it stands.
    pub state: OccurrenceState,
    /// Why missed, skipped, cancelled or moved; while ahead and due: what it waits for.
    pub cause: Option<String>,
    /// When a daemon last looked at it since it became due, to within a few seconds.
    pub looked_at: Option<Timestamp>,
    /// When the customer is told next.
    pub next_notice: Option<Timestamp>,
    /// When pending updates are collected.
    pub review: Option<Timestamp>,
    /// When the customer was told first.
    pub announced_at: Option<Timestamp>,
    /// When the customer said yes.
    pub confirmed_at: Option<Timestamp>,
    /// Who said so.
    pub confirmed_by: Option<String>,
    /// When its run began.
    pub opened_at: Option<Timestamp>,
    /// When it reached its end, whichever.
    pub finished_at: Option<Timestamp>,
    /// Its run.
    pub run: Option<RunNumber>,
}

/// Whether a list shows what has another date now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// Without what was moved away.
    Without,
    /// With it.
    With,
}

/// Which occurrences to list.
#[derive(Debug, Clone, Copy)]
pub struct OccurrenceFilter<'a> {
    /// Of one customer only.
    pub customer: Option<&'a Name>,
    /// Of windows of this name only.
    pub window: Option<&'a Name>,
    /// Those that start then or later.
    pub from: Option<Timestamp>,
    /// Those that start before.
    pub until: Option<Timestamp>,
    /// What was moved away.
    pub history: History,
    /// At most so many.
    pub limit: Option<u32>,
}

/// Occurrences by their start; those of one instant by customer and window.
///
/// # Errors
/// If the database can't be used.
pub async fn list_occurrences(
    connection: &mut PgConnection,
    filter: OccurrenceFilter<'_>,
) -> Result<Vec<StoredOccurrence>, Error> {
    let rows = select_occurrences!(
        "where ($1::text is null or customer = $1) and ($2::text is null or window_name = $2)
           and ($3::timestamptz is null or start_at >= $3) and ($4::timestamptz is null or start_at < $4)
           and ($5 or state <> 'moved')
         order by start_at, customer, window_name, sequence
         limit $6",
        filter.customer.map(Name::as_str),
        filter.window.map(Name::as_str),
        filter.from.map(ToSqlx::to_sqlx) as _,
        filter.until.map(ToSqlx::to_sqlx) as _,
        filter.history == History::With,
        filter.limit.map(i64::from),
    );
    rows.fetch_all(connection).await?.into_iter().map(StoredOccurrence::try_from).collect()
}

/// What is needed to show a span: the occurrences that start in it, and those whose rule date lies near it, further than any
/// shift, wherever they start. Without what was moved away; by customer, window and start.
///
/// # Errors
/// If the database can't be used.
pub async fn list_around(
    connection: &mut PgConnection,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<StoredOccurrence>, Error> {
    let rows = select_occurrences!(
        "where state <> 'moved'
           and ((start_at >= $1 and start_at < $2)
             or recurrence_id between ($1::timestamptz at time zone 'UTC') - interval '70 days'
                                  and ($2::timestamptz at time zone 'UTC') + interval '70 days')
         order by customer, window_name, start_at",
        from.to_sqlx() as _,
        until.to_sqlx() as _,
    );
    rows.fetch_all(connection).await?.into_iter().map(StoredOccurrence::try_from).collect()
}

/// The next date of a customer that opens behind `after` and does this job, unless it is called off.
///
/// # Errors
/// If the database can't be used.
pub async fn find_next(
    connection: &mut PgConnection,
    customer: &Name,
    job: &Name,
    after: Timestamp,
) -> Result<Option<StoredOccurrence>, Error> {
    let row = select_occurrences!(
        "where customer = $1 and job = $2 and start_at > $3 and state in ('planned', 'announced', 'confirmed')
         order by start_at, window_name
         limit 1",
        customer.as_str(),
        job.as_str(),
        after.to_sqlx() as _,
    );
    row.fetch_optional(connection).await?.map(StoredOccurrence::try_from).transpose()
}

/// The dates of a customer that open within `range`, moved ones too, and those that took the places of moved ones, wherever they lie.
///
/// # Errors
/// If the database can't be used.
pub async fn list_chains(
    connection: &mut PgConnection,
    customer: &Name,
    range: &Range<Timestamp>,
) -> Result<Vec<StoredOccurrence>, Error> {
    let rows = select_occurrences!(
        "where id in (
             with recursive chain as (
               select id from occurrence where customer = $1 and start_at >= $2 and start_at < $3
               union
               select later.id from chain join occurrence later on later.moved_from = chain.id
             )
             select id from chain)
         order by start_at, window_name, sequence",
        customer.as_str(),
        range.start.to_sqlx() as _,
        range.end.to_sqlx() as _,
    );
    rows.fetch_all(connection).await?.into_iter().map(StoredOccurrence::try_from).collect()
}

/// What those of `ids` that took the place of others were at first: the date that a person may have in a calendar.
///
/// # Errors
/// If the database can't be used.
pub async fn list_origins(
    connection: &mut PgConnection,
    ids: &[OccurrenceId],
) -> Result<BTreeMap<OccurrenceId, OccurrenceId>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let found = sqlx::query!(
        r#"with recursive chain as (
             select id, moved_from as earlier from occurrence where id = any($1) and moved_from is not null
             union all
             select chain.id, occurrence.moved_from from chain join occurrence on occurrence.id = chain.earlier
             where occurrence.moved_from is not null
           )
           select chain.id as "id!", chain.earlier as "origin!"
           from chain join occurrence on occurrence.id = chain.earlier
           where occurrence.moved_from is null"#,
        &ids,
    );
    let rows = found.fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (OccurrenceId(row.id), OccurrenceId(row.origin))).collect())
}

/// The occurrence of this identity.
///
/// # Errors
/// If the database can't be used.
pub async fn find_occurrence(
    connection: &mut PgConnection,
    id: OccurrenceId,
) -> Result<Option<StoredOccurrence>, Error> {
    let row = select_occurrences!("where id = $1", id.0);
    row.fetch_optional(connection).await?.map(StoredOccurrence::try_from).transpose()
}

/// The dates that are taken: what a newly computed calendar is compared with. Of `customers`, or of all.
///
/// All that start behind `now`, whatever their state but moved: a date that was called off is not to appear again. And those whose
/// rule date is less than 100 days past, which is further than shifts and holidays move a date, although they have begun: a date that
/// was brought forward is not to appear again either.
///
/// Of all customers' rows those that can't be read are left out, and logged.
///
/// # Errors
/// If the database can't be used.
pub async fn list_ahead(
    connection: &mut PgConnection,
    customers: Option<&[Name]>,
    now: Timestamp,
) -> Result<Vec<StoredOccurrence>, Error> {
    let names: Option<Vec<&str>> = customers.map(|names| names.iter().map(Name::as_str).collect());
    let rows = select_occurrences!(
        "where state <> 'moved' and ($1::text[] is null or customer = any($1))
           and (start_at > $2::timestamptz or recurrence_id > ($2 at time zone 'UTC') - interval '100 days')
         order by customer, window_name, start_at",
        names.as_deref() as Option<&[&str]>,
        now.to_sqlx() as _,
    );
    let read = rows.fetch_all(connection).await?.into_iter().map(StoredOccurrence::try_from);
    match customers {
        Some(_) => read.collect(),
        // What one customer's row says is no reason to change nothing for all.
        None => Ok(read
            .filter_map(|row| row.inspect_err(|error| tracing::warn!(%error, "occurrence left out")).ok())
            .collect()),
    }
}

/// A row of `occurrence`.
struct Row {
    id: Uuid,
    customer: String,
    window_name: String,
    recurrence_id: jiff_sqlx::DateTime,
    sequence: i32,
    moved_from: Option<Uuid>,
    chosen_by: Option<String>,
    job: String,
    time_zone: String,
    local_start: jiff_sqlx::DateTime,
    start_at: jiff_sqlx::Timestamp,
    latest_start_at: jiff_sqlx::Timestamp,
    end_at: jiff_sqlx::Timestamp,
    reasons: String,
    state: String,
    cause: Option<String>,
    looked_at: Option<jiff_sqlx::Timestamp>,
    next_notice_at: Option<jiff_sqlx::Timestamp>,
    review_at: Option<jiff_sqlx::Timestamp>,
    announced_at: Option<jiff_sqlx::Timestamp>,
    confirmed_at: Option<jiff_sqlx::Timestamp>,
    confirmed_by: Option<String>,
    opened_at: Option<jiff_sqlx::Timestamp>,
    finished_at: Option<jiff_sqlx::Timestamp>,
    run: Option<i64>,
}

impl TryFrom<Row> for StoredOccurrence {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let to_jiff = jiff_sqlx::Timestamp::to_jiff;
        Ok(Self {
            id: OccurrenceId(row.id),
            customer: read_name("occurrence.customer", &row.customer)?,
            window: read_name("occurrence.window_name", &row.window_name)?,
            recurrence_id: row.recurrence_id.to_jiff(),
            sequence: row.sequence.unsigned_abs(),
            moved_from: row.moved_from.map(OccurrenceId),
            chosen_by: row.chosen_by,
            job: read_name("occurrence.job", &row.job)?,
            time_zone: row.time_zone,
            local_start: row.local_start.to_jiff(),
            start: row.start_at.to_jiff(),
            latest_start: row.latest_start_at.to_jiff(),
            end: row.end_at.to_jiff(),
            reasons: serde_json::from_str(&row.reasons)
                .map_err(|source| Error::unreadable("occurrence.reasons", source))?,
            state: read_word("occurrence.state", &row.state)?,
            cause: row.cause,
            looked_at: row.looked_at.map(to_jiff),
            next_notice: row.next_notice_at.map(to_jiff),
            review: row.review_at.map(to_jiff),
            announced_at: row.announced_at.map(to_jiff),
            confirmed_at: row.confirmed_at.map(to_jiff),
            confirmed_by: row.confirmed_by,
            opened_at: row.opened_at.map(to_jiff),
            finished_at: row.finished_at.map(to_jiff),
            run: row.run.map(RunNumber),
        })
    }
}
