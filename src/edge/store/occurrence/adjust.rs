//! What may change about a date that stays where it is: its job, its latest start, its reminders and its review, and which date of
//! the rule it is.
//!
//! Invariant: begin and end stay, so that whoever was told of the date was told right.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::super::error::Error;
use super::insert::NewOccurrence;
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::occurrence::OccurrenceState;

/// An occurrence as it is to be, and as it was when that was decided.
#[derive(Debug, Clone)]
pub struct Adjusted {
    /// As it is to be.
    pub row: NewOccurrence,
    /// Where it stood.
    pub seen_state: OccurrenceState,
    /// When the customer was to be told next.
    pub seen_notice: Option<Timestamp>,
}

/// Changes these occurrences, found by `id`, as far as they stand as they were seen, are ahead, and begin and end as `changed` says:
/// one that was announced meanwhile would be announced again. Returns how many.
///
/// # Errors
/// [`Error::Conflict`] with `one_occurrence_per_date` if the date of the rule is taken.
pub async fn adjust(connection: &mut PgConnection, changed: &[Adjusted]) -> Result<u64, Error> {
    let rows = || changed.iter().map(|adjusted| &adjusted.row);
    let reasons = |row: &NewOccurrence| {
        serde_json::to_string(&row.reasons).map_err(|source| Error::unreadable("occurrence.reasons", source))
    };
    let adjusted = sqlx::query!(
        "update occurrence
         set recurrence_id = new.recurrence_id, job = new.job, time_zone = new.time_zone, local_start = new.local_start, latest_start_at = new.latest_start_at,
             reasons = new.reasons::json, next_notice_at = new.next_notice_at, review_at = new.review_at
         from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamp[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
                     $8::text[], $9::timestamptz[], $10::timestamptz[], $11::timestamp[], $12::text[], $13::timestamptz[])
              as new (id, job, time_zone, local_start, start_at, latest_start_at, end_at, reasons, next_notice_at, review_at,
                      recurrence_id, seen_state, seen_notice_at)
         where occurrence.id = new.id and occurrence.state in ('planned', 'announced', 'confirmed')
           and occurrence.start_at = new.start_at and occurrence.end_at = new.end_at
           and occurrence.state = new.seen_state and occurrence.next_notice_at is not distinct from new.seen_notice_at",
        &rows().map(|row| row.id.0).collect::<Vec<Uuid>>(),
        &rows().map(|row| row.job.as_str()).collect::<Vec<_>>() as &[&str],
        &rows().map(|row| row.time_zone.as_str()).collect::<Vec<_>>() as &[&str],
        &rows().map(|row| row.local_start.to_sqlx()).collect::<Vec<_>>() as &[jiff_sqlx::DateTime],
        &rows().map(|row| row.start.to_sqlx()).collect::<Vec<_>>() as &[jiff_sqlx::Timestamp],
        &rows().map(|row| row.latest_start.to_sqlx()).collect::<Vec<_>>() as &[jiff_sqlx::Timestamp],
        &rows().map(|row| row.end.to_sqlx()).collect::<Vec<_>>() as &[jiff_sqlx::Timestamp],
        &rows().map(reasons).collect::<Result<Vec<String>, _>>()?,
        &rows().map(|row| row.next_notice.map(ToSqlx::to_sqlx)).collect::<Vec<_>>()
            as &[Option<jiff_sqlx::Timestamp>],
        &rows().map(|row| row.review.map(ToSqlx::to_sqlx)).collect::<Vec<_>>()
            as &[Option<jiff_sqlx::Timestamp>],
        &rows().map(|row| row.recurrence_id.to_sqlx()).collect::<Vec<_>>() as &[jiff_sqlx::DateTime],
        &changed.iter().map(|row| row.seen_state.as_str()).collect::<Vec<_>>() as &[&str],
        &changed.iter().map(|row| row.seen_notice.map(ToSqlx::to_sqlx)).collect::<Vec<_>>()
            as &[Option<jiff_sqlx::Timestamp>],
    )
    .execute(connection)
    .await?;
    Ok(adjusted.rows_affected())
}

/// Planned and skipped occurrences of `customers`, or of all, that a message or a collection refers to: they can be called off, but not removed.
///
/// # Errors
/// If the database can't be used.
pub async fn list_mentioned(
    connection: &mut PgConnection,
    customers: Option<&[Name]>,
) -> Result<BTreeSet<OccurrenceId>, Error> {
    let names: Option<Vec<&str>> = customers.map(|names| names.iter().map(Name::as_str).collect());
    let ids = sqlx::query_scalar!(
        "select id from occurrence
         where state in ('planned', 'skipped') and ($1::text[] is null or customer = any($1))
           and (exists (select 1 from notification where notification.occurrence = occurrence.id)
             or exists (select 1 from collection where collection.occurrence = occurrence.id))",
        names.as_deref() as Option<&[&str]>,
    );
    Ok(ids.fetch_all(connection).await?.into_iter().map(OccurrenceId).collect())
}
