//! What has to come next for a host in work, and how it came out: forward, then the way back after a failure, then release.

use jiff::Timestamp;

use super::event::{Outcome, SkipCause, StepEnd};
use super::state::{HostRun, HostStage, Run, StepRun};
use crate::domain::job::Phase;
use crate::domain::packages::PackagesRecord;
use crate::domain::plan::{HostIndex, Part, PlannedStep, StepIndex};

/// What has to come next for a host in work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// A step is under way.
    Wait,
    /// This step has to be started.
    Start(StepIndex),
    /// Nothing is left to do.
    Finish(Outcome),
    /// Nothing can be done: some step can't be told.
    Hold,
}

/// One host's steps seen with the plan.
pub(super) struct Sight<'a> {
    run: &'a Run,
    index: HostIndex,
    host: &'a HostRun,
}

/// Why the way forward ended.
enum Stop {
    /// All forward steps are done.
    Done,
    /// This step has not been begun, and will not be: the run is cancelled.
    Cancelled(StepIndex),
    /// This step failed.
    Failed(StepIndex),
    /// A step found that the host must not be touched.
    Held(SkipCause),
    /// This step was lost sight of.
    Lost(StepIndex),
}

impl<'a> Sight<'a> {
    pub(super) fn new(run: &'a Run, index: HostIndex, host: &'a HostRun) -> Self {
        Self { run, index, host }
    }

    /// What has to come next. The whole policy of a host is here.
    pub(super) fn next(&self) -> Next {
        if self.host.steps.iter().any(|step| matches!(step, StepRun::Started { .. })) {
            return Next::Wait;
        }
        let stop = match self.forward() {
            Ok(step) => return Next::Start(step),
            Err(Stop::Done) if self.run.awaits_service(self.index) => return Next::Wait,
            Err(stop) => stop,
        };
        let rollback = match stop {
            Stop::Failed(step) if self.rolls_back_after(step) => self.first_due(Phase::Rollback),
            _ => None,
        };
        if let Some(step) = rollback.or_else(|| self.first_due(Phase::Release)) {
            return Next::Start(step);
        }
        if self.host.steps.iter().any(|step| matches!(step, StepRun::Unknown { .. })) {
            return Next::Hold;
        }
        Next::Finish(self.outcome(&stop))
    }

    /// The next step forward, or why there is none.
    fn forward(&self) -> Result<StepIndex, Stop> {
        for (index, planned) in self.run.plan.steps() {
            let Some(step) = self.host.steps.get(index.0) else { break };
            if !planned.is_forward() {
                break;
            }
            if let Some(lost) = self.host.lost_sight_of
                && (matches!(step, StepRun::Pending) || matches!(step, StepRun::Unknown { .. }))
            {
                return Err(Stop::Lost(lost));
            }
            match step {
                // What was decided before a cancel is done.
                StepRun::Pending if self.host.down.is_some() => break,
                StepRun::Pending if self.run.cancelled_by.is_some() => return Err(Stop::Cancelled(index)),
                StepRun::Pending if planned.phase > Phase::Preflight && self.has_nothing_to_update() => break,
                StepRun::Pending => return Ok(index),
                step if step.succeeded() => {}
                step => {
                    let cause = step.result().and_then(|result| holds(&result.end));
                    return Err(cause.map_or(Stop::Failed(index), Stop::Held));
                }
            }
        }
        match self.begun_updates().last() {
            Some(update) if self.host.down.is_some() => Err(Stop::Failed(update)),
            _ => Err(Stop::Done),
        }
    }

    /// Whether all that the job would change are packages, and none was chosen: then nothing need be stopped for it.
    fn has_nothing_to_update(&self) -> bool {
        let chose_nothing = |look: StepIndex| {
            let result = self.host.steps.get(look.0).and_then(StepRun::result);
            let record = result.and_then(|result| result.packages.as_deref());
            matches!(record, Some(PackagesRecord::Looked(look)) if look.chosen.is_empty())
        };
        let mut updates = self.run.plan.steps.iter().filter(|planned| planned.phase == Phase::Update).peekable();
        updates.peek().is_some() && updates.all(|planned| planned.chosen_by.is_some_and(chose_nothing))
    }

    /// Only failures in update and smoke are taken back; never after turnus lost sight of a step, which may still be at work; and
    /// never once release has started again what was stopped.
    fn rolls_back_after(&self, step: StepIndex) -> bool {
        let phase = self.run.plan.steps.get(step.0).map(|planned| planned.phase);
        let is_released = self.run.plan.steps().any(|(index, planned)| {
            planned.phase == Phase::Release
                && self.host.steps.get(index.0).is_some_and(|step| *step != StepRun::Pending)
        });
        matches!(phase, Some(Phase::Update | Phase::Smoke)) && self.host.lost_sight_of.is_none() && !is_released
    }

    /// The first step of a derived phase that has not been begun, though what it takes back has.
    fn first_due(&self, phase: Phase) -> Option<StepIndex> {
        let is = |index: StepIndex, wanted: fn(&StepRun) -> bool| self.host.steps.get(index.0).is_some_and(wanted);
        self.run.plan.steps().find_map(|(index, planned)| {
            let begun = is(planned.part.of()?, |step| !matches!(step, StepRun::Pending));
            let due = planned.phase == phase && begun && is(index, |step| matches!(step, StepRun::Pending));
            due.then_some(index)
        })
    }

    fn outcome(&self, stop: &Stop) -> Outcome {
        match *stop {
            Stop::Held(cause) => match self.failed_release() {
                Some(step) => Outcome::Failed { step, cancelled: false },
                None => Outcome::Skipped { cause },
            },
            Stop::Failed(step) if self.is_rolled_back() => Outcome::FailedAndRolledBack { step },
            Stop::Failed(step) | Stop::Lost(step) => Outcome::Failed { step, cancelled: false },
            Stop::Cancelled(_) if self.host.is_untouched() => Outcome::Skipped { cause: SkipCause::Cancelled },
            Stop::Cancelled(step) => match self.failed_release() {
                Some(release) => Outcome::Failed { step: release, cancelled: false },
                None => Outcome::Failed { step, cancelled: true },
            },
            Stop::Done => match self.failed_release() {
                Some(step) => Outcome::Failed { step, cancelled: false },
                None if self.changed_something() => Outcome::Updated,
                None => Outcome::NothingToDo,
            },
        }
    }

    fn failed_release(&self) -> Option<StepIndex> {
        self.run.plan.steps().find_map(|(index, planned)| {
            let failed = planned.phase == Phase::Release && self.host.steps.get(index.0).is_some_and(StepRun::failed);
            failed.then_some(index)
        })
    }

    /// Every update step that had begun was taken back with success, and there was one.
    fn is_rolled_back(&self) -> bool {
        let step = |index: StepIndex| self.host.steps.get(index.0);
        let taken_back = |of: StepIndex| {
            self.run.plan.steps().any(|(index, planned)| {
                planned.part == Part::Rollback(of) && step(index).is_some_and(StepRun::succeeded)
            })
        };
        let mut begun = self.begun_updates().peekable();
        begun.peek().is_some() && begun.all(taken_back)
    }

    fn begun_updates(&self) -> impl Iterator<Item = StepIndex> {
        self.run.plan.steps().filter_map(|(index, planned)| {
            let begun = self.host.steps.get(index.0).is_some_and(|step| *step != StepRun::Pending);
            (planned.phase == Phase::Update && begun).then_some(index)
        })
    }

    /// An update step that does not say `changed=false` counts as a change.
    fn changed_something(&self) -> bool {
        self.begun_updates().any(|index| {
            let result = self.host.steps.get(index.0).and_then(StepRun::result);
            result.and_then(|result| result.facts.get("changed")).is_none_or(|changed| changed != "false")
        })
    }
}

impl Run {
    /// Whether a step that is under way came too late, should its command never have reached the host: turnus lost sight of it,
    /// or has begun with a later phase; or nothing goes forward any more, as the run is cancelled or its window has closed. It may
    /// then be looked at, but not begun.
    #[must_use]
    pub fn is_overtaken(&self, host: HostIndex, step: StepIndex, now: Timestamp) -> bool {
        let (Some(host), Some(own)) = (self.hosts.get(host.0), self.plan.steps.get(step.0)) else { return false };
        let begun = |(index, planned): (usize, &PlannedStep)| {
            planned.phase > own.phase && host.steps.get(index).is_some_and(|step| *step != StepRun::Pending)
        };
        let is_over = self.plan.window.as_ref().is_some_and(|window| window.closes <= now);
        let is_stopped = host.lost_sight_of.is_some() || self.cancelled_by.is_some() || is_over;
        (own.is_forward() && is_stopped) || self.plan.steps.iter().enumerate().any(begun)
    }
}

/// Why the host is left alone when a step ends so, if it is.
fn holds(end: &StepEnd) -> Option<SkipCause> {
    match end {
        StepEnd::Held { .. } => Some(SkipCause::HeldBack),
        StepEnd::RedBefore { .. } => Some(SkipCause::RedBefore),
        _ => None,
    }
}

/// Whether a host for which `next` is due may be finished with this outcome.
pub(super) fn finishes(host: &HostRun, next: &Option<Next>, outcome: &Outcome) -> bool {
    match (&host.stage, next, outcome) {
        (HostStage::Waiting, _, Outcome::Skipped { .. }) => true,
        (HostStage::Unreached(_), _, Outcome::Unreachable { .. }) => true,
        (HostStage::InWork, Some(Next::Finish(due)), _) => due == outcome,
        (HostStage::InWork, Some(Next::Hold), Outcome::Unknown { .. }) => true,
        (HostStage::InWork, Some(Next::Start(_)), Outcome::Skipped { cause: SkipCause::WindowEnding }) => {
            host.is_untouched()
        }
        _ => false,
    }
}
