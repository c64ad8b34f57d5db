//! What reports of periods are made from, and who is told of them.
//!
//! Knows rows; what they come to, [`crate::domain::period::summary`] knows. Invariant: of each period each recipient is told once,
//! however many daemons look.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use sqlx::PgConnection;

use super::error::Error;
use super::run::{RunNumber, read_name, read_word, write_json};
use crate::domain::id::Name;
use crate::domain::inventory::{Customer, PeriodLength};
use crate::domain::period::Period;

/// Runs of a customer that began at `from` or later, each with when it began, the earliest first.
///
/// # Errors
/// If the database can't be used.
pub async fn list_runs_since(
    connection: &mut PgConnection,
    customer: &Name,
    from: Timestamp,
) -> Result<Vec<(RunNumber, Timestamp)>, Error> {
    let rows = sqlx::query!(
        r#"select number, created_at as "created_at: jiff_sqlx::Timestamp" from run
           where customer = $1 and created_at >= $2
           order by created_at, number"#,
        customer.as_str(),
        from.to_sqlx() as _,
    );
    let rows = rows.fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (RunNumber(row.number), row.created_at.to_jiff())).collect())
}

/// When a customer was first applied; none if it never was.
///
/// # Errors
/// If the database can't be used.
pub async fn find_first_applied(connection: &mut PgConnection, customer: &Name) -> Result<Option<Timestamp>, Error> {
    // A run by hand keeps the customer's file as well, which is as good a beginning.
    let first = sqlx::query_scalar!(
        r#"select min(created_at) as "first: jiff_sqlx::Timestamp" from revision where kind = 'inventory' and name = $1"#,
        customer.as_str(),
    );
    Ok(first.fetch_one(connection).await?.map(jiff_sqlx::Timestamp::to_jiff))
}

/// A customer that is told of its periods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which.
    pub customer: Name,
    /// Of which periods.
    pub length: PeriodLength,
    /// IANA name of the zone in which they end.
    pub time_zone: String,
    /// When the customer was first applied.
    pub since: Timestamp,
    /// The period that was told of last, as it is written.
    pub told: Option<String>,
}

/// Keeps of customers, as they are applied, whether they want to be told. What was told stays known.
///
/// # Errors
/// If the database can't be used.
pub async fn keep_wishes(connection: &mut PgConnection, customers: &[&Customer]) -> Result<(), Error> {
    let with = |wanted: bool| customers.iter().filter(move |customer| customer.period_report.is_some() == wanted);
    let without: Vec<&str> = with(false).map(|customer| customer.name.as_str()).collect();
    forget_wishes(connection, &without).await?;
    let names: Vec<&str> = with(true).map(|customer| customer.name.as_str()).collect();
    let lengths: Vec<&str> =
        with(true).filter_map(|customer| customer.period_report).map(PeriodLength::as_str).collect();
    let zones: Vec<&str> = with(true).map(|customer| customer.time_zone.as_str()).collect();
    sqlx::query!(
        "insert into period_report (customer, length, time_zone, since)
         select customer, length, time_zone,
                coalesce((select min(created_at) from revision where kind = 'inventory' and name = customer), now())
         from unnest($1::text[], $2::text[], $3::text[]) as new (customer, length, time_zone)
         on conflict (customer) do update set length = excluded.length, time_zone = excluded.time_zone",
        &names as &[&str],
        &lengths as &[&str],
        &zones as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Customers that are not told any more.
///
/// # Errors
/// If the database can't be used.
pub async fn forget_wishes(connection: &mut PgConnection, customers: &[&str]) -> Result<(), Error> {
    sqlx::query!("delete from period_report where customer = any($1)", customers as &[&str])
        .execute(connection)
        .await?;
    Ok(())
}

/// All customers that are told of their periods, by name.
///
/// # Errors
/// If the database can't be used.
pub async fn list_wishes(connection: &mut PgConnection) -> Result<Vec<Told>, Error> {
    let rows = sqlx::query!(
        r#"select customer, length, time_zone, since as "since: jiff_sqlx::Timestamp", told from period_report order by customer"#,
    );
    let rows = rows.fetch_all(connection).await?;
    let read = rows.into_iter().map(|row| {
        Ok(Told {
            customer: read_name("period_report.customer", &row.customer)?,
            length: read_word("period_report.length", &row.length)?,
            time_zone: row.time_zone,
            since: row.since.to_jiff(),
            told: row.told,
        })
    });
    read.collect()
}

/// Makes one message for each contact of the customer that gets reports. Returns how many; `None`: somebody else was faster, or the
/// customer is not told any more.
///
/// # Errors
/// If the database can't be used.
pub async fn tell_period(connection: &mut PgConnection, wish: &Told, period: Period) -> Result<Option<u64>, Error> {
    let written = period.to_string();
    let claimed = sqlx::query!(
        "update period_report set told = $2 where customer = $1 and told is not distinct from $3",
        wish.customer.as_str(),
        written,
        wish.told.as_deref(),
    );
    if claimed.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let detail = write_json("notification.detail", &json!({ "period": written }))?;
    let told = sqlx::query!(
        "insert into notification (kind, customer, recipient, recipient_name, locale, detail, dedupe_key)
         select 'period_report', contact.customer, contact.email, contact.name, contact.locale, $3::text::json,
                concat_ws(':', 'period_report', contact.customer, $2::text, lower(contact.email))
         from contact
         where contact.customer = $1 and 'report' = any(contact.receives)
         on conflict (dedupe_key) do nothing",
        wish.customer.as_str(),
        written,
        detail,
    );
    Ok(Some(told.execute(connection).await?.rows_affected()))
}
