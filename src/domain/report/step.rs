//! One step of a report, and the record of a host seen step by step.

use jiff::Timestamp;
use serde::Serialize;

use super::{clean, clean_facts, elapsed_ms};
use crate::domain::job::{Phase, Place};
use crate::domain::plan::{Plan, PlannedStep, StepIndex, Task};
use crate::domain::run::event::{Facts, StepEnd, StepResult};
use crate::domain::run::state::{HostRun, HostStage, StepRun};

/// Which step of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReference {
    /// Position in the plan, from 0.
    pub index: StepIndex,
    /// Its phase.
    pub phase: Phase,
    /// The name of the job's step.
    pub name: String,
    /// `run`, or the part of the job's step that it is: `look`, `keep`, `verify`, `recheck`, `rollback`, `undo`, `account`.
    pub part: &'static str,
}

/// One step on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// Which step.
    #[serde(flatten)]
    pub step: StepReference,
    /// Where it ran.
    pub place: Place,
    /// How it went.
    pub state: StepState,
    /// Why it failed, or can't be told.
    pub cause: Option<Cause>,
    /// Of the command, if it has ended with one.
    pub exit_status: Option<i32>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// From the one to the other.
    pub duration_ms: Option<u64>,
    /// Bytes of output in all.
    pub output_bytes: u64,
    /// Bytes of output that the stored log leaves out.
    pub omitted_bytes: u64,
    /// The last line of output.
    pub last_line: String,
    /// What it wrote to `$TURNUS_OUTPUT`.
    pub facts: Facts,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Its turn may still come.
    Pending,
    /// Its turn did not come.
    NotRun,
    /// It is under way.
    Running,
    /// It is over its time limit and is waited for, because a package manager must not be ended.
    Overdue,
    /// It ended well.
    Succeeded,
    /// It ended, but not well.
    Failed,
    /// It can't be told.
    Unknown,
}

/// Why a host or a step did not come out well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// The command ended with an exit status other than 0.
    ExitStatus {
        /// 1 to 255.
        exit_status: i32,
    },
    /// The time limit passed.
    TimedOut,
    /// The host was restarted meanwhile.
    Interrupted,
    /// The process is gone and left no exit status.
    Lost,
    /// A built-in check found something other than what was asked for.
    NotMet,
    /// The step could not be begun.
    NotStarted,
    /// The step ended well, but turnus had lost sight of the host meanwhile; the steps after it were not run.
    LostSight,
    /// It can't be told whether or how the step ended.
    NotKnown,
    /// The host, or a place that its steps need, could not be reached.
    Unreachable,
    /// Too many hosts had failed before.
    FailureLimit,
    /// The run was cancelled.
    Cancelled,
    /// There was not enough time left in the window.
    WindowEnding,
    /// What would be installed is not what was approved.
    HeldBack,
    /// Something was out of order before anything was done.
    RedBefore,
}

/// What is recorded of one host, with the plan at hand.
pub(super) struct HostRecord<'a> {
    pub(super) plan: &'a Plan,
    pub(super) host: &'a HostRun,
    /// Whether the way forward may still go on; if not, a forward step that has not begun will not be run.
    pub(super) goes_forward: bool,
}

impl<'a> HostRecord<'a> {
    pub(super) fn new(plan: &'a Plan, host: &'a HostRun, cancelled: bool) -> Self {
        let failed = plan.steps().zip(&host.steps).any(|((_, planned), step)| planned.is_forward() && step.failed());
        let finished = matches!(host.stage, HostStage::Finished(_) | HostStage::Unreached(_));
        let goes_forward = !cancelled && !failed && !finished && host.lost_sight_of.is_none();
        Self { plan, host, goes_forward }
    }

    /// Every step of the plan with what is recorded of it.
    pub(super) fn steps(&self) -> impl Iterator<Item = (StepIndex, &'a PlannedStep, &'a StepRun)> + use<'a> {
        self.plan.steps().zip(&self.host.steps).map(|((index, planned), step)| (index, planned, step))
    }

    /// The steps that have begun.
    pub(super) fn begun(&self) -> impl Iterator<Item = (StepIndex, &'a PlannedStep, &'a StepRun)> + use<'a> {
        self.steps().filter(|(_, _, step)| **step != StepRun::Pending)
    }

    pub(super) fn step(&self, index: StepIndex) -> Option<&'a StepRun> {
        self.host.steps.get(index.0)
    }

    pub(super) fn reference(&self, index: StepIndex) -> Option<StepReference> {
        let planned = self.plan.steps.get(index.0)?;
        Some(StepReference { index, phase: planned.phase, name: clean(&planned.name), part: planned.part.as_str() })
    }

    pub(super) fn state(&self, planned: &PlannedStep, step: &StepRun) -> StepState {
        let finished = matches!(self.host.stage, HostStage::Finished(_));
        match step {
            StepRun::Pending if finished || (planned.is_forward() && !self.goes_forward) => StepState::NotRun,
            StepRun::Pending => StepState::Pending,
            StepRun::Started { overdue: false, .. } => StepState::Running,
            StepRun::Started { overdue: true, .. } => StepState::Overdue,
            StepRun::Finished { .. } if step.succeeded() => StepState::Succeeded,
            StepRun::Finished { .. } => StepState::Failed,
            StepRun::Unknown { .. } => StepState::Unknown,
        }
    }

    /// All steps as the report tells them.
    pub(super) fn write_steps(&self) -> Vec<StepReport> {
        self.steps().filter_map(|(index, planned, step)| self.write_step(index, planned, step)).collect()
    }

    fn write_step(&self, index: StepIndex, planned: &PlannedStep, step: &StepRun) -> Option<StepReport> {
        let result = step.result();
        Some(StepReport {
            step: self.reference(index)?,
            place: planned.place.clone(),
            state: self.state(planned, step),
            cause: cause_of(step),
            exit_status: result.and_then(|result| exit_status(&planned.task, result)),
            started_at: step.started_at(),
            finished_at: finished_at(step),
            duration_ms: elapsed_ms(step.started_at(), finished_at(step)),
            output_bytes: result.map_or(0, |result| result.output_bytes),
            omitted_bytes: result.map_or(0, |result| result.omitted_bytes),
            last_line: result.map(|result| clean(&result.last_line)).unwrap_or_default(),
            facts: result.map(|result| clean_facts(&result.facts)).unwrap_or_default(),
        })
    }
}

/// When the step ended, if it has.
pub(super) fn finished_at(step: &StepRun) -> Option<Timestamp> {
    match step {
        StepRun::Finished { finished_at, .. } => Some(*finished_at),
        _ => None,
    }
}

/// Why the step did not end well, if it did not.
pub(super) fn cause_of(step: &StepRun) -> Option<Cause> {
    match step {
        StepRun::Unknown { .. } => Some(Cause::NotKnown),
        StepRun::Finished { result, .. } => match result.end {
            StepEnd::Succeeded => None,
            StepEnd::Failed { exit_status } => Some(Cause::ExitStatus { exit_status }),
            StepEnd::TimedOut => Some(Cause::TimedOut),
            StepEnd::Interrupted => Some(Cause::Interrupted),
            StepEnd::Lost => Some(Cause::Lost),
            StepEnd::NotMet { .. } => Some(Cause::NotMet),
            StepEnd::Held { .. } => Some(Cause::HeldBack),
            StepEnd::RedBefore { .. } => Some(Cause::RedBefore),
            StepEnd::NotStarted { .. } => Some(Cause::NotStarted),
        },
        StepRun::Pending | StepRun::Started { .. } => None,
    }
}

/// Only commands have one; a built-in action that ended well has none.
fn exit_status(task: &Task, result: &StepResult) -> Option<i32> {
    match (task, &result.end) {
        (Task::Script(_), StepEnd::Succeeded) => Some(0),
        (_, StepEnd::Failed { exit_status }) => Some(*exit_status),
        _ => None,
    }
}
