//! What is due now: to be opened, to be told, to be reviewed. An occurrence that is claimed stays locked until the caller's
//! transaction ends, and is passed over by everybody else.
//!
//! Invariant: with nothing due each question is one look into an index, whatever else the tables hold.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

use super::super::error::Error;
use super::{Row, StoredOccurrence};
use crate::domain::id::OccurrenceId;

/// Occurrences that have begun by `now` and have no run, the earliest first: to be opened, or missed. Nothing is locked: each is taken
/// by [`claim_occurrence`] in a transaction of its own, so that one which can't be read, or waits, is no trouble of the others.
///
/// # Errors
/// If the database can't be used.
pub async fn list_due(connection: &mut PgConnection, now: Timestamp, limit: u32) -> Result<Vec<OccurrenceId>, Error> {
    let ids = sqlx::query_scalar!(
        "select id from occurrence
         where state in ('planned', 'announced', 'confirmed') and start_at <= $1
         order by start_at
         limit $2",
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

/// Occurrences ahead whose customers are to be told something by `now`, the earliest first.
///
/// # Errors
/// If the database can't be used.
pub async fn claim_notices(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<StoredOccurrence>, Error> {
    let rows = select_occurrences!(
        "where next_notice_at <= $1 and state in ('planned', 'announced', 'confirmed')
         order by next_notice_at
         limit $2
         for update of occurrence skip locked",
        now.to_sqlx() as _,
        i64::from(limit),
    );
    Ok(readable(rows.fetch_all(connection).await?))
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

/// Occurrences ahead whose pending updates are to be collected by `now`, the earliest first.
///
/// # Errors
/// If the database can't be used.
pub async fn claim_reviews(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<StoredOccurrence>, Error> {
    let rows = select_occurrences!(
        "where review_at <= $1 and state in ('planned', 'announced', 'confirmed')
         order by review_at
         limit $2
         for update of occurrence skip locked",
        now.to_sqlx() as _,
        i64::from(limit),
    );
    Ok(readable(rows.fetch_all(connection).await?))
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
fn readable(rows: Vec<Row>) -> Vec<StoredOccurrence> {
    let read = |row: Row| {
        let (id, customer) = (row.id, row.customer.clone());
        StoredOccurrence::try_from(row)
            .inspect_err(|error| tracing::error!(occurrence = %id, customer, error = error as &dyn std::error::Error, "occurrence left out"))
            .ok()
    };
    rows.into_iter().filter_map(read).collect()
}
