//! Dates that appear, change before anybody was told of them, and vanish: in bulk, as a change of the files brings them.
//!
//! Invariants: a date of a window is there once, by the unique index; a commitment is left alone by everything here.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::super::error::Error;
use super::super::run::write_json;
use crate::domain::calendar::Reason;
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::occurrence::OccurrenceState;

/// So many rows go into one statement: its memory and its time are bounded, whatever the horizon.
const ROWS_AT_ONCE: usize = 5_000;

/// An occurrence to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOccurrence {
    /// Its identity.
    pub id: OccurrenceId,
    /// Whose.
    pub customer: Name,
    /// Of which window.
    pub window: Name,
    /// The local time that the rule gives, before shift and moves.
    pub recurrence_id: DateTime,
    /// One more than that of the occurrence whose place it takes; else 0.
    pub sequence: u32,
    /// The occurrence whose place it takes, which must be moved before.
    pub moved_from: Option<OccurrenceId>,
    /// Who chose the date, if a person did.
    pub chosen_by: Option<String>,
    /// The recipe.
    pub job: Name,
    /// IANA name of the zone that `local_start` is in.
    pub time_zone: String,
    /// The opening on the wall.
    pub local_start: DateTime,
    /// The opening.
    pub start: Timestamp,
    /// Nothing starts later: close − cutoff.
    pub latest_start: Timestamp,
    /// The close.
    pub end: Timestamp,
    /// Why this date.
    pub reasons: Vec<Reason>,
    /// Why it is left out, if it is.
    pub skip: Option<String>,
    /// When the customer is told first.
    pub next_notice: Option<Timestamp>,
    /// When pending updates are collected.
    pub review: Option<Timestamp>,
}

/// Stores `new` as planned, or as skipped. A date that is there already is left alone. Returns how many were stored.
///
/// # Errors
/// [`Error::Conflict`] with `occurrence_moved_from_key` if the place of an occurrence is taken by another already, with
/// `occurrence_pkey` if an identity is used twice.
pub async fn insert_occurrences(connection: &mut PgConnection, new: &[NewOccurrence]) -> Result<u64, Error> {
    let mut inserted = 0;
    for rows in new.chunks(ROWS_AT_ONCE) {
        inserted += insert_rows(connection, rows).await?;
    }
    Ok(inserted)
}

async fn insert_rows(connection: &mut PgConnection, new: &[NewOccurrence]) -> Result<u64, Error> {
    let columns = Columns::try_from(new)?;
    let origins = Origins::try_from(new)?;
    let inserted = sqlx::query!(
        "insert into occurrence (id, customer, window_name, recurrence_id, sequence, moved_from, chosen_by, job, time_zone,
                                 local_start, start_at, latest_start_at, end_at, reasons, state, cause, finished_at,
                                 next_notice_at, review_at)
         select id, customer, window_name, recurrence_id, sequence, moved_from, chosen_by, job, time_zone,
                local_start, start_at, latest_start_at, end_at, reasons::json,
                case when cause is null then 'planned' else 'skipped' end, cause, case when cause is not null then now() end,
                case when cause is null then next_notice_at end, case when cause is null then review_at end
         from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamp[], $5::int[], $6::uuid[], $7::text[], $8::text[], $9::text[],
                     $10::timestamp[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::text[],
                     $16::timestamptz[], $17::timestamptz[])
              as new (id, customer, window_name, recurrence_id, sequence, moved_from, chosen_by, job, time_zone,
                      local_start, start_at, latest_start_at, end_at, reasons, cause, next_notice_at, review_at)
         on conflict (customer, window_name, recurrence_id) where state <> 'moved' do nothing",
        &columns.id,
        &origins.customer as &[&str],
        &origins.window as &[&str],
        &origins.recurrence_id as &[jiff_sqlx::DateTime],
        &origins.sequence,
        &origins.moved_from as &[Option<Uuid>],
        &origins.chosen_by as &[Option<&str>],
        &columns.job as &[&str],
        &columns.time_zone as &[&str],
        &columns.local_start as &[jiff_sqlx::DateTime],
        &columns.start as &[jiff_sqlx::Timestamp],
        &columns.latest_start as &[jiff_sqlx::Timestamp],
        &columns.end as &[jiff_sqlx::Timestamp],
        &columns.reasons,
        &columns.skip as &[Option<&str>],
        &columns.next_notice as &[Option<jiff_sqlx::Timestamp>],
        &columns.review as &[Option<jiff_sqlx::Timestamp>],
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected())
}

/// Gives planned occurrences new dates, found by `id`: nobody was told, so nothing moves. With `skip` they become skipped. Returns
/// how many there were.
///
/// # Errors
/// If the database can't be used.
pub async fn redate_planned(connection: &mut PgConnection, changed: &[NewOccurrence]) -> Result<u64, Error> {
    redate(connection, OccurrenceState::Planned, changed).await
}

/// Takes occurrences back that are skipped or cancelled (`from`), found by `id`, with these dates: planned again, and to be announced
/// anew. With `skip` they stay skipped. Returns how many there were.
///
/// # Errors
/// If the database can't be used.
pub async fn reinstate(
    connection: &mut PgConnection,
    from: OccurrenceState,
    changed: &[NewOccurrence],
) -> Result<u64, Error> {
    redate(connection, from, changed).await
}

async fn redate(connection: &mut PgConnection, from: OccurrenceState, changed: &[NewOccurrence]) -> Result<u64, Error> {
    let mut redated = 0;
    for rows in changed.chunks(ROWS_AT_ONCE) {
        redated += redate_rows(connection, from, rows).await?;
    }
    Ok(redated)
}

/// The sequence grows when a date comes back, or lies elsewhere: messages about it are not those that were sent before.
async fn redate_rows(
    connection: &mut PgConnection,
    from: OccurrenceState,
    changed: &[NewOccurrence],
) -> Result<u64, Error> {
    let columns = Columns::try_from(changed)?;
    let updated = sqlx::query!(
        "update occurrence
         set job = new.job, time_zone = new.time_zone, local_start = new.local_start, start_at = new.start_at,
             latest_start_at = new.latest_start_at, end_at = new.end_at, reasons = new.reasons::json,
             state = case when new.cause is null then 'planned' else 'skipped' end, cause = new.cause,
             sequence = occurrence.sequence + case when new.cause is null and (occurrence.state in ('skipped', 'cancelled')
                                   or (occurrence.start_at, occurrence.end_at) is distinct from (new.start_at, new.end_at))
                             then 1 else 0 end,
             announced_at = case when new.cause is not null then announced_at end,
             confirmed_at = case when new.cause is not null then confirmed_at end,
             confirmed_by = case when new.cause is not null then confirmed_by end,
             finished_at = case when new.cause is not null then coalesce(finished_at, now()) end,
             next_notice_at = case when new.cause is null then new.next_notice_at end,
             review_at = case when new.cause is null then new.review_at end,
             review_reminder_at = case when new.cause is null and (occurrence.start_at, occurrence.end_at) = (new.start_at, new.end_at)
                                  then review_reminder_at end
         from unnest($2::uuid[], $3::text[], $4::text[], $5::timestamp[], $6::timestamptz[], $7::timestamptz[], $8::timestamptz[],
                     $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[])
              as new (id, job, time_zone, local_start, start_at, latest_start_at, end_at, reasons, cause, next_notice_at, review_at)
         where occurrence.id = new.id and occurrence.state = $1",
        from.as_str(),
        &columns.id,
        &columns.job as &[&str],
        &columns.time_zone as &[&str],
        &columns.local_start as &[jiff_sqlx::DateTime],
        &columns.start as &[jiff_sqlx::Timestamp],
        &columns.latest_start as &[jiff_sqlx::Timestamp],
        &columns.end as &[jiff_sqlx::Timestamp],
        &columns.reasons,
        &columns.skip as &[Option<&str>],
        &columns.next_notice as &[Option<jiff_sqlx::Timestamp>],
        &columns.review as &[Option<jiff_sqlx::Timestamp>],
    )
    .execute(connection)
    .await?;
    Ok(updated.rows_affected())
}

/// Removes dates that nobody was told of and that the files do not give any more: planned and skipped ones. One whose predecessor was
/// moved into it, or that anybody was ever told of, or whose pending updates were collected, is kept. Returns how many are gone.
///
/// # Errors
/// If the database can't be used.
pub async fn delete_planned(connection: &mut PgConnection, ids: &[OccurrenceId]) -> Result<u64, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let deleted = sqlx::query!(
        "delete from occurrence
         where id = any($1) and state in ('planned', 'skipped') and announced_at is null and confirmed_at is null
           and moved_from is null and not exists (select 1 from notification where notification.occurrence = occurrence.id)
           and not exists (select 1 from collection where collection.occurrence = occurrence.id)",
        &ids,
    )
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}

/// What a change of the files may change, turned by 90 degrees.
struct Columns<'a> {
    id: Vec<Uuid>,
    job: Vec<&'a str>,
    time_zone: Vec<&'a str>,
    local_start: Vec<jiff_sqlx::DateTime>,
    start: Vec<jiff_sqlx::Timestamp>,
    latest_start: Vec<jiff_sqlx::Timestamp>,
    end: Vec<jiff_sqlx::Timestamp>,
    reasons: Vec<String>,
    skip: Vec<Option<&'a str>>,
    next_notice: Vec<Option<jiff_sqlx::Timestamp>>,
    review: Vec<Option<jiff_sqlx::Timestamp>>,
}

impl<'a> TryFrom<&'a [NewOccurrence]> for Columns<'a> {
    type Error = Error;

    fn try_from(new: &'a [NewOccurrence]) -> Result<Self, Error> {
        let reasons = |row: &NewOccurrence| write_json("occurrence.reasons", &row.reasons);
        Ok(Self {
            id: new.iter().map(|row| row.id.0).collect(),
            job: new.iter().map(|row| row.job.as_str()).collect(),
            time_zone: new.iter().map(|row| row.time_zone.as_str()).collect(),
            local_start: new.iter().map(|row| row.local_start.to_sqlx()).collect(),
            start: new.iter().map(|row| row.start.to_sqlx()).collect(),
            latest_start: new.iter().map(|row| row.latest_start.to_sqlx()).collect(),
            end: new.iter().map(|row| row.end.to_sqlx()).collect(),
            reasons: new.iter().map(reasons).collect::<Result<_, _>>()?,
            skip: new.iter().map(|row| row.skip.as_deref()).collect(),
            next_notice: new.iter().map(|row| row.next_notice.map(ToSqlx::to_sqlx)).collect(),
            review: new.iter().map(|row| row.review.map(ToSqlx::to_sqlx)).collect(),
        })
    }
}

/// What an occurrence is born with and keeps, turned by 90 degrees.
struct Origins<'a> {
    customer: Vec<&'a str>,
    window: Vec<&'a str>,
    recurrence_id: Vec<jiff_sqlx::DateTime>,
    sequence: Vec<i32>,
    moved_from: Vec<Option<Uuid>>,
    chosen_by: Vec<Option<&'a str>>,
}

impl<'a> TryFrom<&'a [NewOccurrence]> for Origins<'a> {
    type Error = Error;

    fn try_from(new: &'a [NewOccurrence]) -> Result<Self, Error> {
        let sequence = |row: &NewOccurrence| {
            i32::try_from(row.sequence).map_err(|source| Error::unreadable("occurrence.sequence", source))
        };
        Ok(Self {
            customer: new.iter().map(|row| row.customer.as_str()).collect(),
            window: new.iter().map(|row| row.window.as_str()).collect(),
            recurrence_id: new.iter().map(|row| row.recurrence_id.to_sqlx()).collect(),
            sequence: new.iter().map(sequence).collect::<Result<_, _>>()?,
            moved_from: new.iter().map(|row| row.moved_from.map(|id| id.0)).collect(),
            chosen_by: new.iter().map(|row| row.chosen_by.as_deref()).collect(),
        })
    }
}
