//! How long each watched service of a host was out of order, as it was seen from outside.

use jiff::Timestamp;
use serde::Serialize;

use super::{clean, elapsed_ms};
use crate::domain::plan::{HostIndex, PlannedWindow};
use crate::domain::run::state::{HostRun, Run};
use crate::domain::run::watch::{WatchChange, WatchRun};

/// The watch over one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WatchReport {
    /// The probe's name in the inventory.
    pub name: String,
    /// The first look.
    pub from: Timestamp,
    /// The end of the watch; absent while it goes on.
    pub to: Option<Timestamp>,
    /// Each time that the service was out of order, in order.
    pub interruptions: Vec<Outage>,
    /// How long it was out of order in all, as far as the interruptions have ended; 0 if it never was.
    pub down_ms: u64,
    /// When nobody may have looked, because one controller took over from another.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

impl WatchReport {
    /// Whether the service was down when it was last looked at, though it had been up before.
    pub(super) fn is_down_at_the_end(&self) -> bool {
        self.interruptions.last().is_some_and(|outage| outage.to.is_none() && outage.from > self.from)
    }
}

/// From the first look that failed to the first that did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// Beginning of the first look that failed.
    pub from: Timestamp,
    /// End of the first look that did not; absent if the service was not seen to be back.
    pub to: Option<Timestamp>,
    /// From the one to the other.
    pub duration_ms: Option<u64>,
    /// Whether all of it lay in the agreed window; absent for a run without a window.
    pub in_window: Option<bool>,
    /// What was asked, expected and found.
    pub what: String,
}

/// A time in which nobody may have looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// When something was last recorded before.
    pub from: Timestamp,
    /// The first look of the next controller.
    pub to: Timestamp,
}

/// What was seen of each watched probe that was asked at least once, in the order of the inventory.
pub(super) fn write(run: &Run, index: HostIndex) -> Vec<WatchReport> {
    let plan = run.plan();
    let (Some(planned), Some(host)) = (plan.hosts.get(index.0), run.hosts().get(index.0)) else { return Vec::new() };
    let watches = planned.probes.iter().filter_map(|probe| Some((&probe.name, host.watches.get(&probe.name)?)));
    watches.filter_map(|(name, watch)| write_one(name, watch, (run, host))).collect()
}

fn write_one(name: &str, watch: &WatchRun, (run, host): (&Run, &HostRun)) -> Option<WatchReport> {
    let from = watch.changes.iter().map(|change| change.since).min()?;
    // Nobody looked after a break that no change follows. A run that was cancelled ends its watches with itself.
    let broken_at = watch.breaks.iter().find(|(seen, _)| *seen == watch.changes.len()).map(|(_, at)| *at);
    let to = broken_at.or(host.watch_ended_at).or_else(|| run.finished_at());
    let interruptions = outages(&watch.changes, to, run.plan().window.as_ref());
    let down_ms = interruptions.iter().filter_map(|outage| outage.duration_ms).sum();
    Some(WatchReport { name: clean(name), from, to, interruptions, down_ms, gaps: gaps(watch) })
}

fn outages(changes: &[WatchChange], ended_at: Option<Timestamp>, window: Option<&PlannedWindow>) -> Vec<Outage> {
    let mut outages: Vec<Outage> = Vec::new();
    for change in changes {
        let open = outages.last_mut().filter(|outage| outage.to.is_none());
        match (open, change.met) {
            (None, false) => outages.push(Outage {
                from: change.since,
                to: None,
                duration_ms: None,
                in_window: None,
                what: clean(&change.what),
            }),
            (Some(outage), true) => outage.to = Some(change.since.max(outage.from)),
            // Seen again by the next controller, or in order still.
            (Some(_), false) | (None, true) => {}
        }
    }
    for outage in &mut outages {
        outage.duration_ms = elapsed_ms(Some(outage.from), outage.to);
        outage.in_window = window.map(|window| {
            let until = outage.to.or(ended_at).unwrap_or(outage.from);
            window.opens <= outage.from && until <= window.closes
        });
    }
    outages
}

fn gaps(watch: &WatchRun) -> Vec<Gap> {
    let gap =
        |(seen, from): &(usize, Timestamp)| Some(Gap { from: *from, to: watch.changes.get(*seen)?.since.max(*from) });
    watch.breaks.iter().filter_map(gap).collect()
}

#[cfg(test)]
mod tests;
