//! How many runs are under way, for the limits of the provider.
//!
//! Invariant: between [`lock_openings`] and the end of its transaction no other controller counts.

use sqlx::PgConnection;

use super::error::Error;
use crate::domain::id::Name;

/// Names the lock among all advisory locks of the database: `turnus` in ASCII.
const OPENINGS: i64 = 0x7475_726e_7573;

/// Runs in the state `running`, of all controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// Of all customers.
    pub all: u32,
    /// Of the one that was asked for.
    pub of_customer: u32,
}

/// Waits until no other transaction is between its count and its run, and keeps others out until this transaction ends.
///
/// # Errors
/// If the database can't be used.
pub async fn lock_openings(connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!("select pg_advisory_xact_lock($1)", OPENINGS).execute(connection).await?;
    Ok(())
}

/// How many runs are under way.
///
/// # Errors
/// If the database can't be used.
pub async fn count_running(connection: &mut PgConnection, customer: &Name) -> Result<Running, Error> {
    let row = sqlx::query!(
        r#"select count(*) as "all!", count(*) filter (where customer = $1) as "of_customer!" from run where state = 'running'"#,
        customer.as_str(),
    )
    .fetch_one(connection)
    .await?;
    let count = |runs: i64| u32::try_from(runs).unwrap_or(u32::MAX);
    Ok(Running { all: count(row.all), of_customer: count(row.of_customer) })
}
