//! What the watch over a host's services adds up to, and what follows from it.
//!
//! A watched probe counts against an update only if it had been green in the same run: what was out of order before is not blamed on it.

use jiff::{SignedDuration, Timestamp};

use super::event::{Event, Outcome};
use super::state::{HostRun, HostStage, Run, StepRun};
use crate::domain::id::Epoch;
use crate::domain::job::Phase;
use crate::domain::plan::{HostIndex, Part, PlannedStep};
use crate::domain::probe::HostProbe;

/// What the watch over one probe has seen, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchRun {
    /// The first look of each controller, and every change.
    pub changes: Vec<WatchChange>,
    /// When nobody looked any more, because the run was suspended or its controller was gone: how many changes there were by then, and
    /// when something was last recorded.
    pub breaks: Vec<(usize, Timestamp)>,
}

/// An answer that differed from the one before, or the first that a controller got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchChange {
    /// Whether it was right.
    pub met: bool,
    /// Since when.
    pub since: Timestamp,
    /// What was asked, expected and found.
    pub what: String,
    /// Under which lease it was seen. Between two of them nobody may have looked.
    pub epoch: Epoch,
}

/// So long after a take-over something has to be known of a service that was down before, in seconds: longer than looks take.
const BLIND_AFTER_S: u64 = 300;

impl WatchRun {
    /// What was seen last, if that was red; none if it was never green before.
    fn red(&self) -> Option<&WatchChange> {
        let was_green = self.changes.iter().any(|change| change.met);
        self.changes.last().filter(|last| was_green && !last.met)
    }
}

impl Run {
    /// Whether the host's probes are being watched, or would be if somebody drove the run.
    #[must_use]
    pub fn is_watching(&self, host: HostIndex) -> bool {
        let has_begun =
            self.hosts.get(host.0).is_some_and(|run| run.started_at.is_some() && run.watch_ended_at.is_none());
        has_begun && self.watched(host).next().is_some()
    }

    /// The hosts whose watch has lasted as long as it should.
    pub fn watches_over(&self, now: Timestamp) -> impl Iterator<Item = HostIndex> + '_ {
        (0..self.hosts.len()).map(HostIndex).filter(move |host| self.watch_is_over(*host, now))
    }

    /// The first watched probe that has been red for longer than it may after the update, if there is one. Who cancels takes what is
    /// done as it is.
    #[must_use]
    pub fn exceeded_downtime(&self, now: Timestamp) -> Option<(HostIndex, String)> {
        let hosts = (0..self.hosts.len()).map(HostIndex).filter(|_| self.cancelled_by.is_none());
        hosts.filter(|host| self.hosts.get(host.0).is_some_and(|run| run.down.is_none())).find_map(|host| {
            let exceeded = self.awaited(host).find(|(_, until)| until.is_some_and(|until| until < now))?;
            Some((host, exceeded.0.name.clone()))
        })
    }

    /// Whether the host is not done with as long as some service of it is down.
    pub(super) fn awaits_service(&self, host: HostIndex) -> bool {
        self.cancelled_by.is_none() && self.awaited(host).next().is_some()
    }

    /// Whether some host's service stayed down for too long: then no other host is begun.
    pub(super) fn has_service_down(&self) -> bool {
        self.hosts.iter().any(|host| host.down.is_some())
    }

    /// Nothing was done to a host that was left out: what comes after the end is not of its making.
    pub(super) fn watch_is_over(&self, host: HostIndex, now: Timestamp) -> bool {
        let Some(run) = self.hosts.get(host.0).filter(|_| self.is_watching(host)) else { return false };
        let (from, after_s) = match &run.stage {
            HostStage::Finished(Outcome::Skipped { .. } | Outcome::Unreachable { .. }) => (run.finished_at, 0),
            HostStage::Finished(_) => (run.finished_at, self.plan.watch_after_s),
            // A controller that can't see what another saw last does not hold up the host for ever.
            HostStage::InWork if self.awaited(host).any(|(_, until)| until.is_none()) => (self.taken_at, BLIND_AFTER_S),
            _ => return false,
        };
        from.and_then(|at| add_seconds(at, after_s)).is_some_and(|end| end <= now)
    }

    /// The services of a host that should be back but are not, each with the instant until which it may be so. That has none
    /// before this controller has looked: what another saw may be long over.
    fn awaited(&self, host: HostIndex) -> impl Iterator<Item = (&HostProbe, Option<Timestamp>)> {
        let run = self.hosts.get(host.0).filter(|_| self.is_watching(host));
        let settled = run.and_then(|run| Some((run, self.settled_at(run)?)));
        settled.into_iter().flat_map(move |(run, settled_at)| {
            self.watched(host).filter_map(move |probe| {
                let max_downtime_s = probe.watch?.max_downtime_s?;
                let red = run.watches.get(&probe.name)?.red()?;
                let is_fresh = red.epoch == self.epoch;
                Some((probe, is_fresh.then(|| add_seconds(red.since.max(settled_at), max_downtime_s)).flatten()))
            })
        })
    }

    fn watched(&self, host: HostIndex) -> impl Iterator<Item = &HostProbe> {
        let probes = self.plan.hosts.get(host.0).map(|planned| planned.probes.as_slice()).unwrap_or_default();
        probes.iter().filter(|probe| probe.watch.is_some())
    }

    /// Since when every service should be back: the end of a good update, or of release where that starts again what quiesce
    /// stopped. None as long as it is not there, or if the host goes another way.
    fn settled_at(&self, host: &HostRun) -> Option<Timestamp> {
        match host.stage {
            HostStage::InWork => {}
            // Nothing is taken back any more, but no other host need have the same.
            HostStage::Finished(Outcome::Updated) => return host.finished_at,
            _ => return None,
        }
        let steps = || self.plan.steps().filter_map(|(index, planned)| Some((planned, host.steps.get(index.0)?)));
        let is_good = |step: &StepRun| matches!(step, StepRun::Pending | StepRun::Started { .. }) || step.succeeded();
        if !steps().filter(|(planned, _)| planned.is_forward()).all(|(_, step)| is_good(step)) {
            return None;
        }
        let updated_at =
            end_of_all(steps().filter(|(planned, _)| planned.phase == Phase::Update).map(|(_, step)| step))?;
        let is_quiesce = |planned: &PlannedStep| match planned.part {
            Part::Undo(of) => self.plan.steps.get(of.0).is_some_and(|of| of.phase == Phase::Quiesce),
            _ => false,
        };
        let mut restarts = steps().filter(|(planned, _)| is_quiesce(planned)).map(|(_, step)| step).peekable();
        if restarts.peek().is_some() {
            return end_of_all(restarts).map(|released_at| released_at.max(updated_at));
        }
        let has_left_the_way = steps().any(|(planned, step)| !planned.is_forward() && *step != StepRun::Pending);
        (!has_left_the_way).then_some(updated_at)
    }

    /// Nobody looks from `last_at` on, until somebody does again.
    pub(super) fn interrupt_watches(&mut self, last_at: Timestamp) {
        for host in self.hosts.iter_mut().filter(|host| host.watch_ended_at.is_none()) {
            for watch in host.watches.values_mut() {
                let seen = watch.changes.len();
                if watch.breaks.last().is_none_or(|(before, _)| *before < seen) {
                    watch.breaks.push((seen, last_at));
                }
            }
        }
    }

    pub(super) fn knows_watch(&self, event: &Event) -> bool {
        let (Event::WatchChanged { host, .. } | Event::DowntimeExceeded { host, .. } | Event::WatchEnded { host }) =
            event
        else {
            return false;
        };
        let Some(run) = self.hosts.get(host.0).filter(|_| self.is_watching(*host)) else { return true };
        match event {
            Event::WatchChanged { probe, met, .. } => {
                let last = run.watches.get(probe).and_then(|watch| watch.changes.last());
                last.is_some_and(|last| last.met == *met && last.epoch == self.epoch)
            }
            Event::DowntimeExceeded { probe, .. } => {
                run.down.is_some() || !self.awaited(*host).any(|(awaited, _)| awaited.name == *probe)
            }
            _ => false,
        }
    }

    pub(super) fn fold_watch(&mut self, index: HostIndex, event: &Event, at: Timestamp) -> Result<(), &'static str> {
        if !self.is_watching(index) {
            return Err("the host is not watched");
        }
        let is_watched = |name: &String| self.watched(index).any(|probe| probe.name == *name);
        match event {
            Event::WatchChanged { probe, .. } | Event::DowntimeExceeded { probe, .. } if !is_watched(probe) => {
                return Err("the host has no such watch");
            }
            _ => {}
        }
        let epoch = self.epoch;
        let host = self.hosts.get_mut(index.0).ok_or("the plan has no such host")?;
        match event {
            Event::WatchChanged { probe, met, since, what, .. } => {
                let change = WatchChange { met: *met, since: *since, what: what.clone(), epoch };
                host.watches.entry(probe.clone()).or_default().changes.push(change);
            }
            Event::DowntimeExceeded { probe, .. } => host.down = Some(probe.clone()),
            _ => host.watch_ended_at = Some(at),
        }
        Ok(())
    }
}

/// When the last of `steps` ended; none if there is none, or if not all of them ended well.
fn end_of_all<'a>(mut steps: impl Iterator<Item = &'a StepRun>) -> Option<Timestamp> {
    steps.try_fold(None, |last: Option<Timestamp>, step| match step {
        StepRun::Finished { finished_at, .. } if step.succeeded() => Some(last.max(Some(*finished_at))),
        _ => None,
    })?
}

fn add_seconds(at: Timestamp, seconds: u64) -> Option<Timestamp> {
    at.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok()
}
