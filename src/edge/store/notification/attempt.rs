//! What comes of an attempt to send a message, written by whoever made it.
//!
//! Invariant: an attempt writes only as long as it is the message's last: by identity, sender and count. What a late one writes changes
//! nothing, and it is told so.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

use super::super::error::Error;
use super::{StoredNotification, hint};
use crate::domain::id::NotificationId;
use crate::domain::notification::{Delivery, DeliveryEvent, Kind};

/// One attempt to send a message.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Which message.
    pub id: NotificationId,
    /// Who sends.
    pub by: &'a str,
    /// Which of its attempts.
    pub count: u32,
}

impl<'a> Attempt<'a> {
    /// The attempt that `by` makes, who has just taken the message.
    #[must_use]
    pub fn of(message: &StoredNotification, by: &'a str) -> Self {
        Self { id: message.id, by, count: message.sending.attempts }
    }

    fn count(&self) -> i32 {
        i32::try_from(self.count).unwrap_or(i32::MAX)
    }
}

/// Keeps the message for so long from now on. `false`: another has taken it; it is theirs.
///
/// # Errors
/// If the database can't be used.
pub async fn renew(connection: &mut PgConnection, attempt: &Attempt<'_>, lease: Duration) -> Result<bool, Error> {
    let renewed = sqlx::query!(
        "update notification set leased_until = clock_timestamp() + make_interval(secs => $4)
         where id = $1 and leased_by = $2 and attempts = $3 and state = 'leased'",
        attempt.id.0,
        attempt.by,
        attempt.count(),
        lease.as_secs_f64(),
    );
    Ok(renewed.execute(connection).await?.rows_affected() == 1)
}

/// The mail server has taken it.
///
/// # Errors
/// If the database can't be used.
pub async fn mark_sent(connection: &mut PgConnection, attempt: &Attempt<'_>) -> Result<bool, Error> {
    end(connection, attempt, DeliveryEvent::Send, None).await
}

/// It would come too late, or its cause is gone: it is not sent, for this reason.
///
/// # Errors
/// If the database can't be used.
pub async fn mark_overtaken(connection: &mut PgConnection, attempt: &Attempt<'_>, why: &str) -> Result<bool, Error> {
    end(connection, attempt, DeliveryEvent::Cancel, Some(why)).await
}

/// Whose fault it is that a message waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The mail server does not take this message for now: it is not tried for ever.
    Message,
    /// Something else is in the way.
    Outage,
}

/// It could not be sent, and is due again at `not_before`.
///
/// # Errors
/// If the database can't be used.
pub async fn mark_put_off(
    connection: &mut PgConnection,
    attempt: &Attempt<'_>,
    (error, blame): (&str, Blame),
    not_before: Timestamp,
) -> Result<bool, Error> {
    let state = Delivery::Leased.next(DeliveryEvent::PutOff)?;
    let put_off = sqlx::query!(
        "update notification
         set state = $4, leased_by = null, leased_until = null, last_error = $5, not_before = $6,
             refusals = refusals + case when $7 then 1 else 0 end
         where id = $1 and leased_by = $2 and attempts = $3 and state = 'leased'",
        attempt.id.0,
        attempt.by,
        attempt.count(),
        state.as_str(),
        error,
        not_before.to_sqlx() as _,
        blame == Blame::Message,
    );
    Ok(put_off.execute(connection).await?.rows_affected() == 1)
}

/// It was not tried after all, and is due as it was.
///
/// # Errors
/// If the database can't be used.
pub async fn give_back(connection: &mut PgConnection, attempt: &Attempt<'_>) -> Result<bool, Error> {
    let state = Delivery::Leased.next(DeliveryEvent::PutOff)?;
    let given = sqlx::query!(
        "update notification set state = $4, leased_by = null, leased_until = null
         where id = $1 and leased_by = $2 and attempts = $3 and state = 'leased'",
        attempt.id.0,
        attempt.by,
        attempt.count(),
        state.as_str(),
    );
    Ok(given.execute(connection).await?.rows_affected() == 1)
}

/// It can't be delivered: in the same transaction the provider's team is told, unless it is such a message itself, or the team's own
/// address.
///
/// # Errors
/// If the database can't be used.
pub async fn mark_undeliverable(
    connection: &mut PgConnection,
    attempt: &Attempt<'_>,
    error: &str,
) -> Result<bool, Error> {
    if !end(connection, attempt, DeliveryEvent::GiveUp, Some(error)).await? {
        return Ok(false);
    }
    // The count in the key: given up again after a person had it tried again, it is told again.
    let told = sqlx::query!(
        "insert into notification (kind, customer, occurrence, sequence, run, recipient, recipient_name, locale, calendar, detail,
                                   dedupe_key)
         select $2::text, failed.customer, failed.occurrence, failed.sequence, failed.run, contact.email, contact.name,
                contact.locale, contact.calendar,
                json_build_object('number', failed.number, 'kind', failed.kind, 'recipient', failed.recipient,
                                  'error', failed.last_error),
                concat_ws(':', $2, failed.id, failed.attempts, lower(contact.email))
         from notification as failed join contact on contact.customer is null and 'team' = any(contact.receives)
         where failed.id = $1 and failed.kind <> $2 and lower(contact.email) <> lower(failed.recipient)
         on conflict (dedupe_key) do nothing",
        attempt.id.0,
        Kind::Undeliverable.as_str(),
    );
    let told = told.execute(&mut *connection).await?.rows_affected();
    hint(connection, told).await?;
    Ok(true)
}

async fn end(
    connection: &mut PgConnection,
    attempt: &Attempt<'_>,
    event: DeliveryEvent,
    error: Option<&str>,
) -> Result<bool, Error> {
    let state = Delivery::Leased.next(event)?;
    let ended = sqlx::query!(
        "update notification
         set state = $4, leased_by = null, leased_until = null, last_error = $5, ended_at = clock_timestamp()
         where id = $1 and leased_by = $2 and attempts = $3 and state = 'leased'",
        attempt.id.0,
        attempt.by,
        attempt.count(),
        state.as_str(),
        error,
    );
    Ok(ended.execute(connection).await?.rows_affected() == 1)
}
