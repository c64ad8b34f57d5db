//! Which paths the team was told of. Invariant: a path is told of once until it was better again: its row decides.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use sqlx::PgConnection;

use super::super::error::Error;
use super::super::notification::hint;
use super::super::run::write_json;
use crate::domain::id::Name;
use crate::domain::notification::Kind;

/// A path of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Whose host.
    pub customer: &'a Name,
    /// Which.
    pub host: &'a Name,
    /// The path.
    pub path: &'a str,
}

/// Tells the team that a path gets full, unless it knows. `None`: it knows, or there is nobody to tell yet; otherwise how many messages
/// there are.
///
/// # Errors
/// If the database can't be used.
pub async fn raise_alarm(
    connection: &mut PgConnection,
    place: Place<'_>,
    now: Timestamp,
    detail: &Value,
) -> Result<Option<u64>, Error> {
    let raised = sqlx::query!(
        "insert into capacity_alarm (customer, host, path, raised_at)
         select $1, $2, $3, $4 where exists (select from contact where customer is null and 'team' = any(receives))
         on conflict do nothing",
        place.customer.as_str(),
        place.host.as_str(),
        place.path,
        now.to_sqlx() as _,
    );
    if raised.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let detail = write_json("notification.detail", detail)?;
    let told = sqlx::query!(
        "insert into notification (kind, customer, recipient, recipient_name, locale, calendar, detail, dedupe_key)
         select $1::text, $2::text, contact.email, contact.name, contact.locale, contact.calendar, $6::text::json,
                concat_ws(':', $1, $2, $3::text, extract(epoch from $5::timestamptz), $4::text, lower(contact.email))
         from contact
         where contact.customer is null and 'team' = any(contact.receives)
         on conflict (dedupe_key) do nothing",
        Kind::CapacityShort.as_str(),
        place.customer.as_str(),
        place.host.as_str(),
        place.path,
        now.to_sqlx() as _,
        detail,
    );
    let told = told.execute(&mut *connection).await?.rows_affected();
    Ok(Some(hint(connection, told).await?))
}

/// It is better: when it gets worse again, the team is told again.
///
/// # Errors
/// If the database can't be used.
pub async fn clear_alarm(connection: &mut PgConnection, place: Place<'_>) -> Result<bool, Error> {
    let cleared = sqlx::query!(
        "delete from capacity_alarm where customer = $1 and host = $2 and path = $3",
        place.customer.as_str(),
        place.host.as_str(),
        place.path,
    );
    Ok(cleared.execute(connection).await?.rows_affected() > 0)
}

/// Forgets the alarms of paths of a host that are not among the watched ones any more.
///
/// # Errors
/// If the database can't be used.
pub async fn forget_alarms(
    connection: &mut PgConnection,
    customer: &Name,
    host: &Name,
    watched: &[&str],
) -> Result<(), Error> {
    sqlx::query!(
        "delete from capacity_alarm where customer = $1 and host = $2 and path <> all($3)",
        customer.as_str(),
        host.as_str(),
        watched as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}
