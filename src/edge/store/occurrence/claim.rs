//! What is due now: to be opened, to be told, to be reviewed. An occurrence that is claimed stays locked until the caller's
//! transaction ends, and is passed over by everybody else.
//!
//! Invariant: with nothing due each question is one look into an index, whatever else the tables hold.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::super::error::Error;
use super::{Row, StoredOccurrence};
use crate::domain::id::OccurrenceId;

/// Occurrences that have begun by `now` and have no run: to be opened, or missed. If there are more than `limit`, those whose time is
/// over and those that nobody has looked at come first, then whoever was looked at longest ago. By their start. Nothing is locked: each is taken
/// by [`claim_occurrence`] in a transaction of its own, so that one which can't be read, or waits, is no trouble of the others.
///
/// # Errors
/// If the database can't be used.
pub async fn list_due(connection: &mut PgConnection, now: Timestamp, limit: u32) -> Result<Vec<OccurrenceId>, Error> {
    let ids = sqlx::query_scalar!(
        r#"select id from (
               select id, start_at from occurrence
               where state in ('planned', 'announced', 'confirmed') and start_at <= $1
               order by latest_start_at < $1 desc, looked_at nulls first, start_at, id
               limit $2
           ) as due
           order by start_at, id"#,
        now.to_sqlx() as _,
        i64::from(limit),
    );
    Ok(ids.fetch_all(connection).await?.into_iter().map(OccurrenceId).collect())
}

/// One occurrence that is ahead. `None`: it is not, or somebody else is at it.
///
/// # Errors
/// If the database can't be used.
pub async fn claim_occurrence(
    connection: &mut PgConnection,
    id: OccurrenceId,
) -> Result<Option<StoredOccurrence>, Error> {
    let row = select_occurrences!(
        "where id = $1 and state in ('planned', 'announced', 'confirmed')
         for update of occurrence skip locked",
        id.0,
    );
    row.fetch_optional(connection).await?.map(StoredOccurrence::try_from).transpose()
}

/// Occurrences whose customers are to be told something by `now`, the earliest first: announced up to their latest start, reminded
/// of before they begin. What can't be read is put off, and does not keep the others waiting: the caller commits, whatever it gets.
///
/// # Errors
/// If the database can't be used.
pub async fn claim_notices(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<StoredOccurrence>, Error> {
    loop {
        let rows = select_occurrences!(
            "where next_notice_at <= $1
               and (state = 'planned' and latest_start_at >= $1 or state in ('announced', 'confirmed') and start_at > $1)
             order by next_notice_at
             limit $2
             for update of occurrence skip locked",
            now.to_sqlx() as _,
            i64::from(limit),
        );
        let (sound, odd) = sort_out(rows.fetch_all(&mut *connection).await?);
        put_off_notices(connection, &odd, now).await?;
        if !sound.is_empty() || odd.is_empty() {
            return Ok(sound);
        }
    }
}

/// Takes back notices and reviews that would come too late to be of use, and says of how many occurrences.
///
/// # Errors
/// If the database can't be used.
pub async fn drop_late_notices(connection: &mut PgConnection, now: Timestamp) -> Result<u64, Error> {
    let notices = sqlx::query!(
        "update occurrence set next_notice_at = null
         where id in (select id from occurrence
                      where next_notice_at <= $1
                        and (state = 'planned' and latest_start_at < $1
                          or state in ('announced', 'confirmed') and start_at <= $1)
                      for update skip locked)",
        now.to_sqlx() as _,
    );
    let notices = notices.execute(&mut *connection).await?.rows_affected();
    let reviews = sqlx::query!(
        "update occurrence set review_at = null
         where id in (select id from occurrence
                      where review_at <= $1 and start_at <= $1 and state in ('planned', 'announced', 'confirmed')
                      for update skip locked)",
        now.to_sqlx() as _,
    );
    Ok(notices + reviews.execute(connection).await?.rows_affected())
}

/// Puts off a notice that can't be given now, unless somebody else has changed what there is to tell: by an hour, or by a minute if
/// it opens within the hour.
///
/// # Errors
/// If the database can't be used.
pub async fn put_off_notice(
    connection: &mut PgConnection,
    occurrence: &StoredOccurrence,
    now: Timestamp,
) -> Result<bool, Error> {
    let put_off = sqlx::query!(
        "update occurrence
         set next_notice_at = $4::timestamptz + case when start_at > $4::timestamptz + interval '1 hour' then interval '1 hour' else interval '1 minute' end
         where id = $1 and state = $2 and next_notice_at = $3",
        occurrence.id.0,
        occurrence.state.as_str(),
        occurrence.next_notice.map(ToSqlx::to_sqlx) as _,
        now.to_sqlx() as _,
    );
    Ok(put_off.execute(connection).await?.rows_affected() == 1)
}

async fn put_off_notices(connection: &mut PgConnection, odd: &[Uuid], now: Timestamp) -> Result<(), Error> {
    if odd.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update occurrence
         set next_notice_at = $2::timestamptz + case when start_at > $2::timestamptz + interval '1 hour' then interval '1 hour' else interval '1 minute' end
         where id = any($1)",
        odd,
        now.to_sqlx() as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Sets when the customer is told next; `None`: there is nothing more to tell beforehand.
///
/// # Errors
/// If the database can't be used.
pub async fn set_next_notice(
    connection: &mut PgConnection,
    id: OccurrenceId,
    next: Option<Timestamp>,
) -> Result<(), Error> {
    sqlx::query!("update occurrence set next_notice_at = $2 where id = $1", id.0, next.map(ToSqlx::to_sqlx) as _)
        .execute(connection)
        .await?;
    Ok(())
}

/// Occurrences yet to begin whose pending updates are to be collected by `now`, the earliest first. What can't be read is put off by
/// an hour: the caller commits, whatever it gets.
///
/// # Errors
/// If the database can't be used.
pub async fn claim_reviews(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<StoredOccurrence>, Error> {
    loop {
        let rows = select_occurrences!(
            "where review_at <= $1 and start_at > $1 and state in ('planned', 'announced', 'confirmed')
             order by review_at
             limit $2
             for update of occurrence skip locked",
            now.to_sqlx() as _,
            i64::from(limit),
        );
        let (sound, odd) = sort_out(rows.fetch_all(&mut *connection).await?);
        if odd.is_empty() {
            return Ok(sound);
        }
        let put_off = sqlx::query!(
            "update occurrence set review_at = $2::timestamptz + interval '1 hour' where id = any($1)",
            &odd,
            now.to_sqlx() as _,
        );
        put_off.execute(&mut *connection).await?;
        if !sound.is_empty() {
            return Ok(sound);
        }
    }
}

/// Ends a review that was put off until `leased` while it was under way, and sets when the team is reminded of it. `false`: somebody
/// else has it by now, or the date is not ahead any more; nothing was written.
///
/// # Errors
/// If the database can't be used.
pub async fn finish_review(
    connection: &mut PgConnection,
    id: OccurrenceId,
    leased: Timestamp,
    remind_at: Option<Timestamp>,
) -> Result<bool, Error> {
    let finished = sqlx::query!(
        "update occurrence set review_at = null, review_reminder_at = $3
         where id = $1 and review_at = $2 and state in ('planned', 'announced', 'confirmed')",
        id.0,
        leased.to_sqlx() as _,
        remind_at.map(ToSqlx::to_sqlx) as _,
    );
    Ok(finished.execute(connection).await?.rows_affected() == 1)
}

/// Gives back a review that was put off until `leased`, so that others need not wait for that: it is due again at `due`.
///
/// # Errors
/// If the database can't be used.
pub async fn give_back_review(
    connection: &mut PgConnection,
    id: OccurrenceId,
    leased: Timestamp,
    due: Timestamp,
) -> Result<bool, Error> {
    let given = sqlx::query!(
        "update occurrence set review_at = $3 where id = $1 and review_at = $2",
        id.0,
        leased.to_sqlx() as _,
        due.to_sqlx() as _,
    );
    Ok(given.execute(connection).await?.rows_affected() == 1)
}

/// Occurrences yet to begin of whose review the team is to be reminded by `now`, and takes that off them: the caller tells it in the
/// same transaction.
///
/// # Errors
/// If the database can't be used.
pub async fn take_review_reminders(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<OccurrenceId>, Error> {
    let ids = sqlx::query_scalar!(
        "update occurrence set review_reminder_at = null
         where id in (select id from occurrence
                      where review_reminder_at <= $1 and start_at > $1 and state in ('planned', 'announced', 'confirmed')
                      order by review_reminder_at
                      limit $2
                      for update skip locked)
         returning id",
        now.to_sqlx() as _,
        i64::from(limit),
    );
    Ok(ids.fetch_all(connection).await?.into_iter().map(OccurrenceId).collect())
}

/// Sets when pending updates are collected; `None`: they are.
///
/// # Errors
/// If the database can't be used.
pub async fn set_review(connection: &mut PgConnection, id: OccurrenceId, at: Option<Timestamp>) -> Result<(), Error> {
    sqlx::query!("update occurrence set review_at = $2 where id = $1", id.0, at.map(ToSqlx::to_sqlx) as _)
        .execute(connection)
        .await?;
    Ok(())
}

/// A row that makes no sense is one customer's trouble: the others' go on.
fn sort_out(rows: Vec<Row>) -> (Vec<StoredOccurrence>, Vec<Uuid>) {
    let (mut sound, mut odd) = (Vec::new(), Vec::new());
    for row in rows {
        let (id, customer) = (row.id, row.customer.clone());
        match StoredOccurrence::try_from(row) {
            Ok(occurrence) => sound.push(occurrence),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(occurrence = %id, customer, error, "occurrence left out");
                odd.push(id);
            }
        }
    }
    (sound, odd)
}
