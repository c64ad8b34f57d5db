//! Taking messages that are due, so that of several who send each message is one's alone.
//!
//! Invariants: who takes a message counts as an attempt before anything goes out, so that a crash between the mail server's yes and our
//! commit is found as a lapsed lease, and the message goes out again under the same Message-ID; a row that can't be read holds up no other.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::super::error::Error;
use super::StoredNotification;
use crate::domain::notification::{Delivery, DeliveryEvent};

/// Who takes messages, and how.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// `machine:pid`
    pub by: &'a str,
    /// For so long nobody else may take them, by the database's clock.
    pub lease: Duration,
    /// The domain of Message-IDs.
    pub domain: &'a str,
    /// What was put off to later than this is left.
    pub now: Timestamp,
    /// At most so many.
    pub limit: u32,
}

/// What there was to take.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Taken {
    /// These are the caller's now, by number.
    pub messages: Vec<StoredNotification>,
    /// So many more can't be read, and were put off by an hour.
    pub left_out: u32,
}

/// Takes messages that are due, and those that another had taken whose lease has lapsed; these first. What can't be read is put off by
/// an hour: the caller commits, whatever it gets.
///
/// # Errors
/// If the database can't be used.
pub async fn claim_due(connection: &mut PgConnection, claim: &Claim<'_>) -> Result<Taken, Error> {
    let ids = take(connection, claim).await?;
    if ids.is_empty() {
        return Ok(Taken::default());
    }
    let rows = select_notifications!("where notification.id = any($1) order by notification.number", &ids);
    let mut taken = Taken::default();
    for row in rows.fetch_all(&mut *connection).await? {
        let (id, number) = (row.id, row.number);
        match StoredNotification::try_from(row) {
            Ok(message) => taken.messages.push(message),
            Err(error) => {
                let why = with_causes(&error);
                tracing::error!(number, error = why, "message left out");
                put_off_unreadable(connection, id, &why, claim.now).await?;
                taken.left_out += 1;
            }
        }
    }
    Ok(taken)
}

/// Whether there is anything to take, as [`claim_due`] would.
///
/// # Errors
/// If the database can't be used.
pub async fn is_due(connection: &mut PgConnection, now: Timestamp) -> Result<bool, Error> {
    let due = sqlx::query_scalar!(
        r#"select exists (select 1 from notification where state = 'due' and not_before <= $1)
               or exists (select 1 from notification where state = 'leased' and leased_until < clock_timestamp()) as "due!""#,
        now.to_sqlx() as _,
    );
    Ok(due.fetch_one(connection).await?)
}

async fn take(connection: &mut PgConnection, claim: &Claim<'_>) -> Result<Vec<Uuid>, Error> {
    let leased = Delivery::Due.next(DeliveryEvent::Take)?;
    let ids = sqlx::query_scalar!(
        "with lapsed as (
             select id from notification
             where state = 'leased' and leased_until < clock_timestamp()
             order by leased_until
             limit $5
             for update skip locked
         ), due as (
             select id from notification
             where state = 'due' and not_before <= $4
             order by not_before, number
             limit $5 - (select count(*) from lapsed)
             for update skip locked
         )
         update notification
         set state = $6, leased_by = $1, leased_until = clock_timestamp() + make_interval(secs => $2), attempts = attempts + 1,
             message_id = coalesce(message_id, id::text || '@' || $3::text)
         where id in (select id from lapsed union all select id from due)
         returning id",
        claim.by,
        claim.lease.as_secs_f64(),
        claim.domain,
        claim.now.to_sqlx() as _,
        i64::from(claim.limit),
        leased.as_str(),
    );
    Ok(ids.fetch_all(connection).await?)
}

async fn put_off_unreadable(connection: &mut PgConnection, id: Uuid, why: &str, now: Timestamp) -> Result<(), Error> {
    sqlx::query!(
        "update notification
         set state = 'due', leased_by = null, leased_until = null, last_error = $2, not_before = $3::timestamptz + interval '1 hour'
         where id = $1",
        id,
        why,
        now.to_sqlx() as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn with_causes(error: &Error) -> String {
    let first: &dyn std::error::Error = error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
