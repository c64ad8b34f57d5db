//! Who did what to the calendar, and why. Append-only: the table refuses every change.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::error::Error;
use super::run::{read_name, write_json};
use crate::domain::id::{Name, OccurrenceId};

/// Something to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// A person, or a controller.
    pub actor: &'a str,
    /// What was done: a verb and its object, as `move occurrence`.
    pub action: &'a str,
    /// To whose calendar.
    pub customer: Option<&'a Name>,
    /// To which occurrence.
    pub occurrence: Option<OccurrenceId>,
    /// Why, in the actor's words.
    pub reason: Option<&'a str>,
    /// What else is worth knowing later: a JSON object.
    pub detail: &'a Value,
}

/// Keeps `entry`. Returns its number.
///
/// # Errors
/// If the database can't be used.
pub async fn note(connection: &mut PgConnection, entry: &Entry<'_>) -> Result<i64, Error> {
    let detail = write_json("audit.detail", entry.detail)?;
    let number = sqlx::query_scalar!(
        "insert into audit (actor, action, customer, occurrence, reason, detail) values ($1, $2, $3, $4, $5, $6::text::json) returning number",
        entry.actor,
        entry.action,
        entry.customer.map(Name::as_str),
        entry.occurrence.map(|occurrence| occurrence.0),
        entry.reason,
        detail,
    );
    Ok(number.fetch_one(connection).await?)
}

/// Keeps many entries in one statement, in their order.
///
/// # Errors
/// If the database can't be used.
pub async fn note_all(connection: &mut PgConnection, entries: &[Entry<'_>]) -> Result<(), Error> {
    sqlx::query!(
        "insert into audit (actor, action, customer, occurrence, reason, detail)
         select actor, action, customer, occurrence, reason, detail::json
         from unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[])
              as new (actor, action, customer, occurrence, reason, detail)",
        &entries.iter().map(|entry| entry.actor).collect::<Vec<_>>() as &[&str],
        &entries.iter().map(|entry| entry.action).collect::<Vec<_>>() as &[&str],
        &entries.iter().map(|entry| entry.customer.map(Name::as_str)).collect::<Vec<_>>() as &[Option<&str>],
        &entries.iter().map(|entry| entry.occurrence.map(|id| id.0)).collect::<Vec<_>>()
            as &[Option<sqlx::types::Uuid>],
        &entries.iter().map(|entry| entry.reason).collect::<Vec<_>>() as &[Option<&str>],
        &entries.iter().map(|entry| entry.detail.to_string()).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Grows.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// A person, or a controller.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To whose calendar.
    pub customer: Option<Name>,
    /// To which occurrence.
    pub occurrence: Option<OccurrenceId>,
    /// Why.
    pub reason: Option<String>,
    /// What else is worth knowing.
    pub detail: Value,
}

/// Which entries to list.
#[derive(Debug, Clone, Copy)]
pub struct AuditFilter<'a> {
    /// Of one customer only.
    pub customer: Option<&'a Name>,
    /// Of one occurrence only.
    pub occurrence: Option<OccurrenceId>,
    /// At most so many.
    pub limit: u32,
}

/// Entries, the latest first.
///
/// # Errors
/// If the database can't be used.
pub async fn list_audit(connection: &mut PgConnection, filter: AuditFilter<'_>) -> Result<Vec<AuditEntry>, Error> {
    let rows = sqlx::query!(
        r#"select number, at as "at: jiff_sqlx::Timestamp", actor, action, customer, occurrence, reason, detail as "detail: Json<Value>"
           from audit
           where ($1::text is null or customer = $1) and ($2::uuid is null or occurrence = $2)
           order by number desc
           limit $3"#,
        filter.customer.map(Name::as_str),
        filter.occurrence.map(|occurrence| occurrence.0),
        i64::from(filter.limit),
    )
    .fetch_all(connection)
    .await?;
    let entries = rows.into_iter().map(|row| {
        let customer = row.customer.map(|name| read_name("audit.customer", &name)).transpose()?;
        Ok(AuditEntry {
            number: row.number,
            at: row.at.to_jiff(),
            actor: row.actor,
            action: row.action,
            customer,
            occurrence: row.occurrence.map(OccurrenceId),
            reason: row.reason,
            detail: row.detail.0,
        })
    });
    entries.collect()
}
