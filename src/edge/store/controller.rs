//! The daemons that share this database, and how their ticks fare: a report for people, nothing is decided by it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::error::Error;
use super::run::write_json;

/// How a tick fares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickHealth {
    /// When it last did what it should.
    #[serde(default)]
    pub last_ok_at: Option<Timestamp>,
    /// Its last failure.
    #[serde(default)]
    pub last_error: Option<String>,
    /// When that was.
    #[serde(default)]
    pub last_error_at: Option<Timestamp>,
    /// Failures since it last did what it should.
    #[serde(default)]
    pub failures_in_row: u32,
}

/// By the tick's name.
pub type Ticks = BTreeMap<String, TickHealth>;

/// A daemon as it last reported.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredController {
    /// `machine:pid`.
    pub name: String,
    /// Of turnus.
    pub version: String,
    /// Its first report.
    pub started_at: Timestamp,
    /// Its last report.
    pub seen_at: Timestamp,
    /// How long ago that was when the database was asked, in seconds.
    pub silent_s: f64,
    /// How its ticks fare.
    pub ticks: Ticks,
}

/// Reports that `name` is alive.
///
/// # Errors
/// If the database can't be used.
pub async fn report_controller(
    connection: &mut PgConnection,
    name: &str,
    version: &str,
    ticks: &Ticks,
) -> Result<(), Error> {
    let ticks = write_json("controller.ticks", ticks)?;
    sqlx::query!(
        "insert into controller (name, version, ticks) values ($1, $2, $3::text::json)
         on conflict (name) do update set version = excluded.version, ticks = excluded.ticks, seen_at = clock_timestamp()",
        name,
        version,
        ticks,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// All daemons that reported, by name.
///
/// # Errors
/// If the database can't be used.
pub async fn list_controllers(connection: &mut PgConnection) -> Result<Vec<StoredController>, Error> {
    let rows = sqlx::query!(
        r#"select name, version, started_at as "started_at: jiff_sqlx::Timestamp", seen_at as "seen_at: jiff_sqlx::Timestamp",
                  extract(epoch from clock_timestamp() - seen_at)::float8 as "silent_s!", ticks as "ticks: Json<Ticks>"
           from controller order by name"#,
    )
    .fetch_all(connection)
    .await?;
    let controllers = rows.into_iter().map(|row| StoredController {
        name: row.name,
        version: row.version,
        started_at: row.started_at.to_jiff(),
        seen_at: row.seen_at.to_jiff(),
        silent_s: row.silent_s,
        ticks: row.ticks.0,
    });
    Ok(controllers.collect())
}

/// Forgets a daemon that has stopped.
///
/// # Errors
/// If the database can't be used.
pub async fn forget_controller(connection: &mut PgConnection, name: &str) -> Result<(), Error> {
    sqlx::query!("delete from controller where name = $1", name).execute(connection).await?;
    Ok(())
}

/// Forgets daemons that were last heard of before `older_than`. Returns how many.
///
/// # Errors
/// If the database can't be used.
pub async fn forget_controllers(connection: &mut PgConnection, older_than: Timestamp) -> Result<u64, Error> {
    let forgotten = sqlx::query!("delete from controller where seen_at < $1", older_than.to_sqlx() as _)
        .execute(connection)
        .await?;
    Ok(forgotten.rows_affected())
}
