//! One host of a report: what became of it, phase by phase, change by change.

use jiff::Timestamp;
use serde::Serialize;

use super::packages::{self, PackagesReport};
use super::probes::{self, ProbeReport};
use super::step::{Cause, HostRecord, StepReference, StepReport, StepState, cause_of, finished_at};
use super::{clean, clean_facts, elapsed_ms};
use crate::domain::id::Name;
use crate::domain::job::{Phase, Place};
use crate::domain::packages::PackagesRecord;
use crate::domain::plan::{HostIndex, Part, PlannedStep, StepIndex, Task};
use crate::domain::run::event::{Facts, Fault, Outcome, SkipCause, StepEnd};
use crate::domain::run::state::{HostStage, Run, StepRun};

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostReport {
    /// Its name in the inventory.
    pub name: Name,
    /// Number of its batch, from 1.
    pub batch: usize,
    /// What became of it.
    pub outcome: HostOutcome,
    /// When it was taken into work.
    pub started_at: Option<Timestamp>,
    /// When it was done with; absent if it was never taken into work.
    pub finished_at: Option<Timestamp>,
    /// From start to end.
    pub duration_ms: Option<u64>,
    /// How long what `quiesce` stopped stood still, if anything was stopped.
    pub interruption: Option<Interruption>,
    /// Its restarts by steps of the job, in the order in which they began.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<Restart>,
    /// The phases that began, in the order in which they ran.
    pub phases: Vec<PhaseReport>,
    /// What the update steps that began did.
    pub changes: Vec<Change>,
    /// What was done to its packages, by step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<PackagesReport>,
    /// What its probes found, before anything was done and after.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeReport>,
    /// Proof of each backup that was verified.
    pub backups: Vec<BackupProof>,
    /// The first update step that can't be taken back, if the plan has one.
    pub point_of_no_return: Option<PointOfNoReturn>,
    /// Update steps whose rollback was begun.
    pub rolled_back: Vec<TakenBack>,
    /// Steps whose undo was begun.
    pub released: Vec<TakenBack>,
    /// Every step of the plan.
    pub steps: Vec<StepReport>,
    /// For technicians.
    pub annex: Annex,
}

/// A restart of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restart {
    /// The step that restarts it.
    pub step: StepReference,
    /// How it went.
    pub state: StepState,
    /// When it was asked for.
    pub from: Timestamp,
    /// When the host was back; absent unless it was.
    pub to: Option<Timestamp>,
    /// How long the host was away at most: from the one to the other.
    pub duration_ms: Option<u64>,
}

/// From the first stopped thing to the last one started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Interruption {
    /// Start of the first quiesce step that has an undo.
    pub from: Timestamp,
    /// End of the last of these undos; absent unless all of them ended well.
    pub to: Option<Timestamp>,
    /// From the one to the other.
    pub duration_ms: Option<u64>,
}

/// One phase on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhaseReport {
    /// Which phase.
    pub phase: Phase,
    /// Start of its first step.
    pub from: Timestamp,
    /// End of its last step; absent while a step of it is under way or unknown.
    pub to: Option<Timestamp>,
    /// From the one to the other.
    pub duration_ms: Option<u64>,
    /// How it went.
    pub state: PhaseState,
}

/// How a phase went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseState {
    /// Every step ended well.
    Succeeded,
    /// Not at its end yet.
    Running,
    /// It was cut short: some steps were not begun, none failed.
    Incomplete,
    /// Some step failed.
    Failed,
    /// Some step can't be told.
    Unknown,
}

/// What an update step did to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which step.
    pub step: StepReference,
    /// Whether the change is in effect.
    pub effect: Effect,
    /// What the step said of it: `version`, `from`, `to`, `changed`, and whatever else.
    pub facts: Facts,
}

/// Whether a change is in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It is.
    Changed,
    /// The step found nothing to change.
    Unchanged,
    /// It was, and has been taken back.
    TakenBack,
    /// The step did not end well, or has not ended.
    Unclear,
}

/// Proof that there is a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupProof {
    /// The backup step.
    pub step: StepReference,
    /// On which machine the backup was looked at.
    pub place: Place,
    /// Path of the file, or a place in a backup repository.
    pub path: String,
    /// Size.
    pub bytes: Option<u64>,
    /// `algorithm:digits`.
    pub checksum: String,
    /// When the verification ended.
    pub verified_at: Timestamp,
    /// When it was looked at again, right before the update.
    pub rechecked_at: Option<Timestamp>,
}

/// The step after which a host can't be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PointOfNoReturn {
    /// Which step.
    pub step: StepReference,
    /// When it began; absent if it did not.
    pub crossed_at: Option<Timestamp>,
}

/// A step that was taken back, or should have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenBack {
    /// The step that was taken back.
    pub step: StepReference,
    /// How the taking back went.
    pub state: StepState,
    /// When the taking back ended.
    pub finished_at: Option<Timestamp>,
}

/// What a technician wants to know and a customer need not read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Annex {
    /// What was found on the host (`os`, `kernel`, …).
    pub facts: Facts,
    /// What went wrong, in the words of whoever noticed.
    pub notes: Vec<Note>,
}

/// What went wrong, in the words of whoever noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// At which step; absent if it was about the host.
    pub step: Option<StepReference>,
    /// What failed, with values.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Guarantee G7: what became of a host, or where it stands. From best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// Every step ended well and something was changed.
    Updated,
    /// Every step ended well and there was nothing to change.
    NothingToDo,
    /// Not taken into work yet.
    Waiting,
    /// Its steps are under way.
    InWork,
    /// Not touched.
    Skipped,
    /// Cut short because the run was cancelled; no step failed.
    Cancelled,
    /// Could not be reached before anything was done.
    Unreachable,
    /// A step failed; every update step that had begun was taken back.
    FailedAndRolledBack,
    /// A step failed.
    Failed,
    /// It can't be told.
    Unknown,
}

/// What became of a host, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostOutcome {
    /// Which outcome.
    pub kind: OutcomeKind,
    /// The step that decided it.
    pub step: Option<StepReference>,
    /// What went wrong, or why nothing was done.
    pub cause: Option<Cause>,
}

impl HostOutcome {
    /// Whether the host was left alone because what was pending there was not what was approved any more.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        self.kind == OutcomeKind::Skipped && self.cause == Some(Cause::HeldBack)
    }
}

/// Writes what is recorded of one host.
pub(super) fn write(run: &Run, index: HostIndex) -> Option<HostReport> {
    let plan = run.plan();
    let planned = plan.hosts.get(index.0)?;
    let host = run.hosts().get(index.0)?;
    let record = HostRecord::new(plan, host, run.cancelled_by().is_some());
    Some(HostReport {
        name: planned.name.clone(),
        batch: plan.batches.iter().position(|batch| batch.contains(&index)).map_or(0, |batch| batch + 1),
        outcome: outcome(&record),
        started_at: host.started_at,
        finished_at: host.finished_at,
        duration_ms: elapsed_ms(host.started_at, host.finished_at),
        interruption: interruption(&record),
        restarts: restarts(&record),
        phases: phases(&record),
        changes: changes(&record),
        packages: packages::write(&record),
        probes: probes::write(&record),
        backups: backups(&record),
        point_of_no_return: point_of_no_return(&record),
        rolled_back: taken_back(&record, Phase::Rollback),
        released: taken_back(&record, Phase::Release),
        steps: record.write_steps(),
        annex: Annex { facts: clean_facts(&host.facts), notes: notes(&record) },
    })
}

fn outcome(record: &HostRecord<'_>) -> HostOutcome {
    let unknown = record.begun().find(|(_, _, step)| matches!(step, StepRun::Unknown { .. }));
    let running = record.begun().find(|(_, _, step)| matches!(step, StepRun::Started { .. }));
    let (kind, step, cause) = match &record.host.stage {
        HostStage::Waiting => (OutcomeKind::Waiting, None, None),
        HostStage::Unreached(_) => (OutcomeKind::Unreachable, None, Some(Cause::Unreachable)),
        HostStage::Finished(outcome) => finished(record, outcome),
        HostStage::Preparing | HostStage::InWork => match unknown {
            Some((step, _, _)) => (OutcomeKind::Unknown, Some(step), Some(Cause::NotKnown)),
            None => (OutcomeKind::InWork, running.map(|(step, _, _)| step), None),
        },
    };
    HostOutcome { kind, step: step.and_then(|step| record.reference(step)), cause }
}

fn finished(record: &HostRecord<'_>, outcome: &Outcome) -> (OutcomeKind, Option<StepIndex>, Option<Cause>) {
    let cause = |step: StepIndex| record.step(step).and_then(cause_of);
    match *outcome {
        Outcome::Updated => (OutcomeKind::Updated, None, None),
        Outcome::NothingToDo => (OutcomeKind::NothingToDo, None, None),
        Outcome::Skipped { cause: SkipCause::FailureLimit } => (OutcomeKind::Skipped, None, Some(Cause::FailureLimit)),
        Outcome::Skipped { cause: SkipCause::Cancelled } => (OutcomeKind::Skipped, None, Some(Cause::Cancelled)),
        Outcome::Skipped { cause: SkipCause::WindowEnding } => (OutcomeKind::Skipped, None, Some(Cause::WindowEnding)),
        Outcome::Skipped { cause: SkipCause::HeldBack } => (OutcomeKind::Skipped, None, Some(Cause::HeldBack)),
        Outcome::Skipped { cause: SkipCause::RedBefore } => (OutcomeKind::Skipped, None, Some(Cause::RedBefore)),
        Outcome::Unreachable { .. } => (OutcomeKind::Unreachable, None, Some(Cause::Unreachable)),
        Outcome::FailedAndRolledBack { step } => (OutcomeKind::FailedAndRolledBack, Some(step), cause(step)),
        Outcome::Failed { step, cancelled: true } => (OutcomeKind::Cancelled, Some(step), Some(Cause::Cancelled)),
        // A step that ended well and still stopped the host is one that turnus lost sight of.
        Outcome::Failed { step, cancelled: false } => {
            (OutcomeKind::Failed, Some(step), cause(step).or(Some(Cause::LostSight)))
        }
        Outcome::Unknown { step } => (OutcomeKind::Unknown, Some(step), Some(Cause::NotKnown)),
    }
}

fn interruption(record: &HostRecord<'_>) -> Option<Interruption> {
    let undo_of = |of| record.steps().find(|(_, planned, _)| planned.part == Part::Undo(of)).map(|(_, _, undo)| undo);
    let stopped: Vec<_> = record
        .begun()
        .filter(|(_, planned, _)| planned.phase == Phase::Quiesce)
        .filter_map(|(index, _, step)| Some((step.started_at()?, undo_of(index)?)))
        .collect();
    let from = stopped.iter().map(|(started_at, _)| *started_at).min()?;
    let all_started_again = stopped.iter().all(|(_, undo)| undo.succeeded());
    let last = stopped.iter().filter_map(|(_, undo)| finished_at(undo)).max();
    let to = if all_started_again { last } else { None };
    Some(Interruption { from, to, duration_ms: elapsed_ms(Some(from), to) })
}

fn restarts(record: &HostRecord<'_>) -> Vec<Restart> {
    let restart = |(index, planned, step): (StepIndex, &PlannedStep, &StepRun)| {
        let from = step.started_at().filter(|_| matches!(planned.task, Task::Reboot { .. }))?;
        let to = finished_at(step).filter(|_| step.succeeded());
        let (state, duration_ms) = (record.state(planned, step), elapsed_ms(Some(from), to));
        Some(Restart { step: record.reference(index)?, state, from, to, duration_ms })
    };
    record.begun().filter_map(restart).collect()
}

fn phases(record: &HostRecord<'_>) -> Vec<PhaseReport> {
    let begun: std::collections::BTreeSet<_> = record.begun().map(|(_, planned, _)| planned.phase).collect();
    begun.into_iter().filter_map(|phase| phase_report(record, phase)).collect()
}

fn phase_report(record: &HostRecord<'_>, phase: Phase) -> Option<PhaseReport> {
    let begun: Vec<_> =
        record.begun().filter(|(_, planned, _)| planned.phase == phase).map(|(_, _, step)| step).collect();
    let from = begun.iter().filter_map(|step| step.started_at()).min()?;
    let ends: Option<Vec<_>> = begun.iter().map(|step| finished_at(step)).collect();
    let to = ends.and_then(|ends| ends.into_iter().max());
    let state = phase_state(record, phase, &begun);
    Some(PhaseReport { phase, from, to, duration_ms: elapsed_ms(Some(from), to), state })
}

fn phase_state(record: &HostRecord<'_>, phase: Phase, begun: &[&StepRun]) -> PhaseState {
    let states = |wanted: StepState| {
        record.steps().any(|(_, planned, step)| planned.phase == phase && record.state(planned, step) == wanted)
    };
    let declared = !matches!(phase, Phase::Rollback | Phase::Release);
    if states(StepState::Unknown) {
        PhaseState::Unknown
    } else if begun.iter().any(|step| matches!(step, StepRun::Started { .. })) {
        PhaseState::Running
    } else if states(StepState::Failed) {
        PhaseState::Failed
    } else if declared && states(StepState::Pending) {
        PhaseState::Running
    } else if declared && states(StepState::NotRun) {
        PhaseState::Incomplete
    } else {
        PhaseState::Succeeded
    }
}

fn changes(record: &HostRecord<'_>) -> Vec<Change> {
    let change = |(index, planned, step): (StepIndex, &PlannedStep, &StepRun)| {
        let mut facts = step.result().map(|result| clean_facts(&result.facts)).unwrap_or_default();
        if planned.chosen_by.is_some() {
            // Told with the packages.
            facts.retain(|key, _| !key.starts_with("conffile"));
        }
        Some(Change { step: record.reference(index)?, effect: effect(record, index, step), facts })
    };
    record.begun().filter(|(_, planned, _)| planned.phase == Phase::Update).filter_map(change).collect()
}

/// An update step that does not say `changed=false` counts as a change.
fn effect(record: &HostRecord<'_>, index: StepIndex, step: &StepRun) -> Effect {
    let taken_back = record.steps().any(|(_, planned, undo)| planned.part == Part::Rollback(index) && undo.succeeded());
    let says_unchanged = |step: &StepRun| {
        step.result().is_some_and(|result| result.facts.get("changed").is_some_and(|changed| changed == "false"))
    };
    match step {
        _ if taken_back => Effect::TakenBack,
        step if !step.succeeded() => Effect::Unclear,
        step if says_unchanged(step) => Effect::Unchanged,
        _ => Effect::Changed,
    }
}

fn backups(record: &HostRecord<'_>) -> Vec<BackupProof> {
    record.steps().filter_map(|(index, planned, step)| backup(record, index, planned, step)).collect()
}

fn backup(record: &HostRecord<'_>, index: StepIndex, planned: &PlannedStep, step: &StepRun) -> Option<BackupProof> {
    let Part::Verify(of) = planned.part else { return None };
    let facts = &step.result().filter(|_| step.succeeded())?.facts;
    let fact = |key: &str| facts.get(key).map(|value| clean(value)).unwrap_or_default();
    let recheck = record.steps().find(|(_, planned, _)| planned.part == Part::Recheck(index));
    Some(BackupProof {
        step: record.reference(of)?,
        place: planned.place.clone(),
        path: fact("path"),
        bytes: facts.get("bytes").and_then(|bytes| bytes.parse().ok()),
        checksum: fact("checksum"),
        verified_at: finished_at(step)?,
        rechecked_at: recheck.filter(|(_, _, step)| step.succeeded()).and_then(|(_, _, step)| finished_at(step)),
    })
}

fn point_of_no_return(record: &HostRecord<'_>) -> Option<PointOfNoReturn> {
    // A rollback of packages is one as long as the versions of before are to be had.
    let one_way = |(index, planned, _): (StepIndex, &PlannedStep, &StepRun)| {
        let result = record.step(planned.chosen_by?)?.result()?;
        let Some(PackagesRecord::Looked(look)) = result.packages.as_deref() else { return None };
        (planned.phase == Phase::Update && !look.without_way_back.is_empty()).then_some(index)
    };
    let index = record.steps().find_map(one_way).into_iter().chain(record.plan.point_of_no_return()).min()?;
    let crossed_at = record.step(index).and_then(StepRun::started_at);
    Some(PointOfNoReturn { step: record.reference(index)?, crossed_at })
}

fn taken_back(record: &HostRecord<'_>, phase: Phase) -> Vec<TakenBack> {
    let one = |(_, planned, step): (StepIndex, &PlannedStep, &StepRun)| {
        let is_back = matches!(planned.part, Part::Rollback(_) | Part::Undo(_));
        let step_taken_back = record.reference(planned.part.of().filter(|_| is_back)?)?;
        Some(TakenBack { step: step_taken_back, state: record.state(planned, step), finished_at: finished_at(step) })
    };
    record.begun().filter(|(_, planned, _)| planned.phase == phase).filter_map(one).collect()
}

fn notes(record: &HostRecord<'_>) -> Vec<Note> {
    let of_host = match &record.host.stage {
        HostStage::Unreached(fault) | HostStage::Finished(Outcome::Unreachable { fault }) => Some(note(None, fault)),
        _ => None,
    };
    let of_step = |(index, _, step): (StepIndex, _, &StepRun)| {
        let reference = record.reference(index);
        match step {
            StepRun::Unknown { fault, .. } => Some(note(reference, fault)),
            _ => match &step.result()?.end {
                StepEnd::NotMet { why }
                | StepEnd::NotStarted { why }
                | StepEnd::Held { why }
                | StepEnd::RedBefore { why } => Some(Note { step: reference, what: clean(why), hint: None }),
                _ => None,
            },
        }
    };
    of_host.into_iter().chain(record.begun().filter_map(of_step)).collect()
}

fn note(step: Option<StepReference>, fault: &Fault) -> Note {
    Note { step, what: clean(&fault.what), hint: fault.hint.as_deref().map(clean) }
}
