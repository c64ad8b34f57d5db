//! Whether the database can do what it is needed for.

use jiff::Timestamp;
use sqlx::PgConnection;

use super::error::Error;

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `15.18`, and whatever the packager adds.
    pub server_version: String,
    /// Its clock, by which leases go.
    pub now: Timestamp,
    /// Whether it refuses to be written.
    pub read_only: bool,
}

/// Asks the database how it is.
///
/// # Errors
/// If it can't be used.
pub async fn read_health(connection: &mut PgConnection) -> Result<Health, Error> {
    let row = sqlx::query!(
        r#"select current_setting('server_version') as "server_version!", clock_timestamp() as "now!: jiff_sqlx::Timestamp",
                  current_setting('transaction_read_only') = 'on' as "read_only!""#,
    )
    .fetch_one(connection)
    .await?;
    Ok(Health { server_version: row.server_version, now: row.now.to_jiff(), read_only: row.read_only })
}
