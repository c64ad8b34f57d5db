//! Reports that this daemon is alive and how its ticks fare; forgets daemons that have been gone for long, links that have expired,
//! and what was measured long ago.

use jiff::{SignedDuration, Timestamp};

use super::Daemon;
use super::tick::Worked;
use crate::edge::store::capacity::forget_looks;
use crate::edge::store::controller::{forget_controllers, report_controller};
use crate::edge::store::link::forget_links;

/// A daemon that was killed stays visible in `turnus doctor` for so long.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// A report that is written anew shows the disks as they were then, for so long.
const MEASURED: SignedDuration = SignedDuration::from_hours(24 * 400);

/// One report.
///
/// # Errors
/// If the database can't be used.
pub async fn tick(daemon: &Daemon, now: Timestamp) -> anyhow::Result<Worked> {
    let mut transaction = daemon.store.begin().await?;
    report_controller(&mut transaction, daemon.name(), env!("CARGO_PKG_VERSION"), &daemon.pulse.health()).await?;
    forget_controllers(&mut transaction, now - REMEMBERED).await?;
    transaction.commit().await?;
    // By itself: whatever becomes of it, this daemon is alive.
    let mut transaction = daemon.store.begin().await?;
    forget_links(&mut transaction, now).await?;
    forget_looks(&mut transaction, now - MEASURED).await?;
    transaction.commit().await?;
    Ok(Worked::Something)
}
