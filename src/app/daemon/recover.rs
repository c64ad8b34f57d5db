//! Takes over runs that nobody drives: their controller is gone, or they were created for whoever takes them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Daemon;
use super::crew::{Duty, Standing, spawn};
use super::tick::Worked;
use crate::domain::plan::PlannedWindow;
use crate::edge::store::event::read_events;
use crate::edge::store::run::{RunRow, find_run, list_lapsed_runs};

/// Whoever finds a run so long after it was last driven, and after its window has closed, does not go on with it but ends it.
const OUTAGE: SignedDuration = SignedDuration::from_hours(1);

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
    let run = find_run(&mut transaction, row.number).await?;
    let is_over = |window: &PlannedWindow| window.closes + OUTAGE < now;
    if !run.as_ref().and_then(|run| run.plan.window.as_ref()).is_some_and(is_over) {
        return Ok(Standing::InTime);
    }
    // A lease that was given back does not say until when it was held.
    let last_driven = match &row.lease {
        Some(lease) => Some(lease.until),
        None => read_events(&mut transaction, row.id).await?.last().map(|recorded| recorded.at),
    };
    let is_late = last_driven.is_none_or(|driven| driven + OUTAGE < now);
    Ok(if is_late { Standing::TooLate } else { Standing::InTime })
}
