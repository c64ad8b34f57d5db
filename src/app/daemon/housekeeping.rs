//! Reports that this daemon is alive and how its ticks fare, and forgets daemons that have been gone for long.

use jiff::{SignedDuration, Timestamp};

use super::Daemon;
use super::tick::Worked;
use crate::edge::store::controller::{forget_controllers, report_controller};

/// A daemon that was killed stays visible in `turnus doctor` for so long.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// One report.
///
/// # Errors
/// If the database can't be used.
pub async fn tick(daemon: &Daemon, now: Timestamp) -> anyhow::Result<Worked> {
    let mut transaction = daemon.store.begin().await?;
    report_controller(&mut transaction, daemon.name(), env!("CARGO_PKG_VERSION"), &daemon.pulse.health()).await?;
    forget_controllers(&mut transaction, now - REMEMBERED).await?;
    transaction.commit().await?;
    Ok(Worked::Something)
}
