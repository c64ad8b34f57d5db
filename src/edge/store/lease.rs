//! The right to drive a run: taken, renewed, given back.
//!
//! Only the clock of the database counts; that of a controller may be wrong. Invariant: the epoch grows by one with each taking,
//! so at most one controller holds the current one.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::PgConnection;

use super::error::Error;
use crate::domain::id::{Epoch, RunId};

/// How long a lease lasts without renewal.
pub const LEASE: Duration = Duration::from_secs(30);

/// Takes the lease of an open run that nobody drives. `None` if somebody does, or if there is no such open run.
///
/// # Errors
/// If the database can't be used.
pub async fn take_lease(connection: &mut PgConnection, run: RunId, controller: &str) -> Result<Option<Epoch>, Error> {
    // clock_timestamp(), not now(): this may have waited for the row while another took the lease.
    let epoch = sqlx::query_scalar!(
        "update run
         set epoch = epoch + 1, lease_owner = $2, lease_until = clock_timestamp() + make_interval(secs => $3)
         where id = $1 and state in ('running', 'suspended') and (lease_until is null or lease_until < clock_timestamp())
         returning epoch",
        run.0,
        controller,
        LEASE.as_secs_f64(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(epoch.map(Epoch))
}

/// What a controller learns when it renews its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Until when it may drive the run, by the clock of the database.
    pub until: Timestamp,
    /// What that clock said then.
    pub now: Timestamp,
    /// Who wants the run to stop, if anybody does.
    pub cancel_requested_by: Option<String>,
}

/// Renews the lease. One that has lapsed comes back if nobody took it.
///
/// # Errors
/// [`Error::Fenced`] if somebody took it, or if it was given back.
pub async fn renew_lease(connection: &mut PgConnection, run: RunId, epoch: Epoch) -> Result<Renewal, Error> {
    let renewed = sqlx::query!(
        r#"update run set lease_until = clock_timestamp() + make_interval(secs => $3)
           where id = $1 and epoch = $2 and lease_until is not null
           returning lease_until as "until!: jiff_sqlx::Timestamp", clock_timestamp() as "now!: jiff_sqlx::Timestamp", cancel_requested_by"#,
        run.0,
        epoch.0,
        LEASE.as_secs_f64(),
    )
    .fetch_optional(connection)
    .await?;
    let renewed = renewed.ok_or(Error::Fenced)?;
    let (until, now) = (renewed.until.to_jiff(), renewed.now.to_jiff());
    Ok(Renewal { until, now, cancel_requested_by: renewed.cancel_requested_by })
}

/// Gives the lease back, so that another may take it at once. Giving back what one no longer has changes nothing.
///
/// # Errors
/// If the database can't be used.
pub async fn release_lease(connection: &mut PgConnection, run: RunId, epoch: Epoch) -> Result<(), Error> {
    sqlx::query!("update run set lease_owner = null, lease_until = null where id = $1 and epoch = $2", run.0, epoch.0,)
        .execute(connection)
        .await?;
    Ok(())
}
