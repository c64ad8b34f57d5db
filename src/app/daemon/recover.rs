//! Takes over runs that nobody drives: their controller is gone, or they were created for whoever takes them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Daemon;
use super::crew::{Duty, Late, Standing, spawn};
use super::tick::Worked;
use crate::app::controller::drive::find_left_at;
use crate::edge::store::event::read_events;
use crate::edge::store::run::{RunRow, find_run, list_lapsed_runs};

/// Whoever finds a run whose window has closed, so long after it was last driven, does not go on with it but ends it: steps forward
/// would come outside of the window, and nobody is awake for them.
const AFTER_CLOSE: SignedDuration = SignedDuration::from_mins(5);
/// The same for a run by hand: whoever began it, or asked for it to be begun, counted on now and not on the next morning.
const BY_HAND: SignedDuration = SignedDuration::from_mins(10);

/// One look at all runs that nobody drives.
///
/// # Errors
/// If the database can't be used.
pub async fn tick(daemon: &Arc<Daemon>, now: Timestamp) -> anyhow::Result<Worked> {
    let lapsed = {
        let mut transaction = daemon.store.begin().await?;
        list_lapsed_runs(&mut transaction).await?
    };
    let mut worked = Worked::Nothing;
    for row in lapsed {
        if daemon.crew.is_leaving() {
            break;
        }
        if daemon.crew.passes_over(row.id) {
            continue;
        }
        let standing = match judge(daemon, &row, now).await {
            Ok(standing) => standing,
            // It is told when driving it fails as well; the others are not kept waiting.
            Err(error) => {
                tracing::error!(run_number = row.number.0, error = format!("{error:#}"), "run can't be read");
                Standing::InTime
            }
        };
        if let Some(epoch) = daemon.controller.take_lease(&daemon.store, row.id).await? {
            spawn(daemon, Duty { run: row.id, number: row.number, epoch, standing });
            worked = Worked::Something;
        }
    }
    Ok(worked)
}

async fn judge(daemon: &Daemon, row: &RunRow, now: Timestamp) -> anyhow::Result<Standing> {
    let mut transaction = daemon.store.begin().await?;
    let Some(run) = find_run(&mut transaction, row.number).await? else { return Ok(Standing::InTime) };
    let (patience, late) = match &run.plan.window {
        Some(window) if now < window.closes => return Ok(Standing::InTime),
        Some(_) => (AFTER_CLOSE, Late::WindowClosed),
        None if run.epoch.0 == 0 => (BY_HAND, Late::NeverBegun),
        None => (BY_HAND, Late::Left),
    };
    let last_driven = match &row.lease {
        Some(lease) => lease.until,
        // A lease that was given back does not say until when it was held.
        None => {
            let last_event = read_events(&mut transaction, row.id).await?.last().map(|recorded| recorded.at);
            let left = find_left_at(&mut transaction, row).await?;
            last_event.max(left).map_or(row.created_at, |at| at.max(row.created_at))
        }
    };
    Ok(if last_driven + patience < now { Standing::TooLate(late) } else { Standing::InTime })
}
