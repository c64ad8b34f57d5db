//! One step in the life of an occurrence, if it still stands where the caller believes it to stand.
//!
//! Invariant: an occurrence changes its state by [`OccurrenceState::next`] only, and the times that a state asks for are set with it.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

use super::super::error::Error;
use crate::domain::id::{OccurrenceId, RunId};
use crate::domain::occurrence::{OccurrenceEvent, OccurrenceState};

/// A step to be taken.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Of which occurrence.
    pub id: OccurrenceId,
    /// Where the caller saw it.
    pub from: OccurrenceState,
    /// What happens.
    pub event: OccurrenceEvent,
    /// Why: needed where it is missed, skipped, cancelled or moved. Where it is announced or confirmed, absent leaves what it waits for.
    pub cause: Option<&'a str>,
    /// Who said yes: needed where it is confirmed.
    pub by: Option<&'a str>,
    /// When.
    pub now: Timestamp,
}

/// Takes the step. `false`: it stands elsewhere by now, and nothing was written. The sequence grows when a date is called off or left
/// out and when it comes back: calendars that have the date take the change in, and messages about it are not those that were sent before. An end takes the notice and the review that were
/// due with it; after an announcement the next notice is the caller's to set.
///
/// # Errors
/// [`Error::IllegalStep`] if there is no such step.
pub async fn change_occurrence(connection: &mut PgConnection, change: &Change<'_>) -> Result<bool, Error> {
    let next = change.from.next(change.event)?;
    let changed = sqlx::query!(
        "update occurrence
         set state = $3,
             cause = case when $3::text in ('announced', 'confirmed') then coalesce($4, cause) else $4 end,
             sequence = sequence + case when state in ('skipped', 'cancelled') or $3 in ('skipped', 'cancelled') then 1 else 0 end,
             announced_at = case $3 when 'announced' then $6::timestamptz when 'planned' then null else announced_at end,
             confirmed_at = case $3 when 'confirmed' then $6 when 'planned' then null else confirmed_at end,
             confirmed_by = case $3 when 'confirmed' then $5 when 'planned' then null else confirmed_by end,
             opened_at = case $3 when 'open' then $6 when 'done' then opened_at end,
             finished_at = case when $3 in ('done', 'missed', 'skipped', 'cancelled', 'moved') then $6 end,
             next_notice_at = case when $3 in ('planned', 'announced', 'confirmed') then next_notice_at end,
             review_at = case when $3 in ('planned', 'announced', 'confirmed') then review_at end,
             review_reminder_at = case when $3 in ('planned', 'announced', 'confirmed') then review_reminder_at end
         where id = $1 and state = $2",
        change.id.0,
        change.from.as_str(),
        next.as_str(),
        change.cause,
        change.by,
        change.now.to_sqlx() as _,
    )
    .execute(connection)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Opens an occurrence whose run was created in the same transaction. `false`: it is not ahead any more, or the run is not its run.
///
/// # Errors
/// If the database can't be used.
pub async fn open_occurrence(
    connection: &mut PgConnection,
    id: OccurrenceId,
    run: RunId,
    now: Timestamp,
) -> Result<bool, Error> {
    let opened = sqlx::query!(
        "update occurrence
         set state = 'open', cause = null, opened_at = $3, next_notice_at = null, review_at = null,
             review_reminder_at = null
         where id = $1 and state in ('planned', 'announced', 'confirmed')
           and exists (select 1 from run where run.id = $2 and run.occurrence = $1)",
        id.0,
        run.0,
        now.to_sqlx() as _,
    )
    .execute(connection)
    .await?;
    Ok(opened.rows_affected() == 1)
}

/// Notes what a due occurrence waits for, `None` as before, and that it was looked at. `false`: it does not wait any more.
///
/// # Errors
/// If the database can't be used.
pub async fn set_waiting(
    connection: &mut PgConnection,
    id: OccurrenceId,
    cause: Option<&str>,
    now: Timestamp,
) -> Result<bool, Error> {
    // The same again within seconds writes nothing: who waits is looked at with each tick.
    let noted = sqlx::query!(
        "update occurrence set cause = coalesce($2, cause), looked_at = greatest(looked_at, $3)
         where id = $1 and state in ('planned', 'announced', 'confirmed')
           and (coalesce($2, cause) is distinct from cause or looked_at is null or looked_at < $3::timestamptz - interval '10 s')",
        id.0,
        cause,
        now.to_sqlx() as _,
    )
    .execute(&mut *connection)
    .await?;
    if noted.rows_affected() == 1 {
        return Ok(true);
    }
    let waits = sqlx::query_scalar!(
        r#"select state in ('planned', 'announced', 'confirmed') as "waits!" from occurrence where id = $1"#,
        id.0,
    );
    Ok(waits.fetch_optional(connection).await?.unwrap_or(false))
}

/// Records that an occurrence which can't be read, and so can't be opened, was missed, once its latest start has passed: every
/// occurrence ends. The customer's name as it stands there; `None`: its time is not over, or it has ended.
///
/// # Errors
/// If the database can't be used.
pub async fn miss_unreadable(
    connection: &mut PgConnection,
    id: OccurrenceId,
    cause: &str,
    now: Timestamp,
) -> Result<Option<String>, Error> {
    let missed = sqlx::query_scalar!(
        "update occurrence
         set state = 'missed', cause = $2, finished_at = $3, next_notice_at = null, review_at = null,
             review_reminder_at = null
         where id = $1 and state in ('planned', 'announced', 'confirmed') and latest_start_at < $3
         returning customer",
        id.0,
        cause,
        now.to_sqlx() as _,
    );
    Ok(missed.fetch_optional(connection).await?)
}

/// Closes the occurrence of a run that has ended; a run by hand has none.
pub(in crate::edge::store) async fn close_of_run(connection: &mut PgConnection, run: RunId) -> Result<(), Error> {
    sqlx::query!(
        "update occurrence set state = 'done', finished_at = run.finished_at
         from run where run.id = $1 and occurrence.id = run.occurrence and occurrence.state = 'open'",
        run.0,
    )
    .execute(connection)
    .await?;
    Ok(())
}
