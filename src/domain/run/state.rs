//! What the events of a run add up to, and for each host what has to come next.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event::{Event, Facts, Fault, Outcome, Recorded, RunResult, StepEnd, StepResult};
use super::next::{Next, Sight, finishes};
use super::watch::WatchRun;
use crate::domain::id::Epoch;
use crate::domain::job::{BackupRule, Phase};
use crate::domain::plan::{HostIndex, Part, Plan, StepIndex};

/// A run: its plan and all that has happened so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub(super) plan: Plan,
    pub(super) last_seq: i64,
    pub(super) last_at: Option<Timestamp>,
    /// When the present controller took it.
    pub(super) taken_at: Option<Timestamp>,
    pub(super) epoch: Epoch,
    pub(super) controllers: Vec<String>,
    pub(super) batch: Option<usize>,
    pub(super) cancelled_by: Option<String>,
    pub(super) window_closed_at: Option<Timestamp>,
    pub(super) stage: RunStage,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) hosts: Vec<HostRun>,
}

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStage {
    /// A controller drives it, or should.
    Open,
    /// Nothing more can be done without a person.
    Suspended,
    /// Closed by a person while suspended; unknown hosts end as unknown.
    Closing,
    /// The end.
    Finished(RunResult),
}

/// One host within a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRun {
    /// Where it stands.
    pub stage: HostStage,
    /// One for each step of the plan.
    pub steps: Vec<StepRun>,
    /// What was found when the host was prepared.
    pub facts: Facts,
    /// When it was taken into work.
    pub started_at: Option<Timestamp>,
    /// When it was done with.
    pub finished_at: Option<Timestamp>,
    /// The forward step that turnus lost sight of, if that ever happened: nothing more goes forward after it.
    pub lost_sight_of: Option<StepIndex>,
    /// What the watch has seen, by the names of the probes.
    pub watches: BTreeMap<String, WatchRun>,
    /// When the watch over its services ended.
    pub watch_ended_at: Option<Timestamp>,
    /// The watched probe that stayed red for too long after the update: nothing more goes forward after it.
    pub down: Option<String>,
}

impl HostRun {
    /// Whether none of its steps has been begun.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.steps.iter().all(|step| *step == StepRun::Pending)
    }
}

/// Where a host stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostStage {
    /// Not taken into work yet.
    Waiting,
    /// Being connected and fenced.
    Preparing,
    /// Could not be prepared; about to be finished.
    Unreached(Fault),
    /// Its steps are under way.
    InWork,
    /// Done with.
    Finished(Outcome),
}

/// One step on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepRun {
    /// Not begun.
    Pending,
    /// The command went out, or is about to.
    Started {
        /// When it first was recorded as started.
        started_at: Timestamp,
        /// Whether it is over its time limit and being waited for.
        overdue: bool,
    },
    /// It has ended.
    Finished {
        /// When it was recorded as started.
        started_at: Timestamp,
        /// When its end was recorded.
        finished_at: Timestamp,
        /// How it ended.
        result: StepResult,
    },
    /// It can't be told.
    Unknown {
        /// When it was recorded as started.
        started_at: Timestamp,
        /// Why it can't be told.
        fault: Fault,
    },
}

impl StepRun {
    /// Whether it has ended well.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self, Self::Finished { result, .. } if result.end == StepEnd::Succeeded)
    }

    /// Whether it has ended, but not well.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self, Self::Finished { .. }) && !self.succeeded()
    }

    /// How it ended, once it has.
    #[must_use]
    pub fn result(&self) -> Option<&StepResult> {
        match self {
            Self::Finished { result, .. } => Some(result),
            _ => None,
        }
    }

    /// When it was recorded as started.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending => None,
            Self::Started { started_at, .. } | Self::Finished { started_at, .. } | Self::Unknown { started_at, .. } => {
                Some(*started_at)
            }
        }
    }
}

/// An event that can't happen in this state: a bug, a damaged record, or another controller's doing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} (`{event}`) can't happen here: {why}")]
pub struct IllegalTransition {
    /// Position that the event has or would get in the record.
    pub seq: i64,
    /// The event, for people who debug.
    pub event: String,
    /// What it contradicts.
    pub why: &'static str,
}

impl Run {
    /// A run to which nothing has happened yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let fresh = HostRun {
            stage: HostStage::Waiting,
            steps: vec![StepRun::Pending; plan.steps.len()],
            facts: Facts::new(),
            started_at: None,
            finished_at: None,
            lost_sight_of: None,
            watches: BTreeMap::new(),
            watch_ended_at: None,
            down: None,
        };
        Self {
            hosts: vec![fresh; plan.hosts.len()],
            plan,
            last_seq: 0,
            last_at: None,
            taken_at: None,
            epoch: Epoch(0),
            controllers: Vec::new(),
            batch: None,
            cancelled_by: None,
            window_closed_at: None,
            stage: RunStage::Open,
            started_at: None,
            finished_at: None,
        }
    }

    /// The state after `record`, which must begin at the beginning.
    ///
    /// # Errors
    /// [`IllegalTransition`] if the record contradicts itself or the plan.
    pub fn replay<'a>(plan: Plan, record: impl IntoIterator<Item = &'a Recorded>) -> Result<Self, IllegalTransition> {
        let mut run = Self::new(plan);
        for recorded in record {
            run.apply(recorded)?;
        }
        Ok(run)
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether it goes on.
    #[must_use]
    pub fn stage(&self) -> RunStage {
        self.stage
    }

    /// The hosts, in the plan's order.
    #[must_use]
    pub fn hosts(&self) -> &[HostRun] {
        &self.hosts
    }

    /// Position of the last event; 0 before the first.
    #[must_use]
    pub fn last_seq(&self) -> i64 {
        self.last_seq
    }

    /// The fencing token under which the run is driven; 0 before the first lease.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Every controller that has driven the run, in order; more than one means take-overs.
    #[must_use]
    pub fn controllers(&self) -> &[String] {
        &self.controllers
    }

    /// Who asked to stop.
    #[must_use]
    pub fn cancelled_by(&self) -> Option<&str> {
        self.cancelled_by.as_deref()
    }

    /// When it was recorded that the window had closed while hosts were in work.
    #[must_use]
    pub fn window_closed_at(&self) -> Option<Timestamp> {
        self.window_closed_at
    }

    /// When the first controller took it.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    /// When it ended.
    #[must_use]
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.finished_at
    }

    /// What the step gets as `$FACT_…`: facts of the steps before, in order, and above them those of the step that it belongs to.
    #[must_use]
    pub fn facts_for(&self, host: HostIndex, step: StepIndex) -> Facts {
        let Some(host) = self.hosts.get(host.0) else { return Facts::new() };
        let own = self.plan.steps.get(step.0).and_then(|planned| planned.part.of());
        let earlier = host.steps.iter().filter_map(StepRun::result);
        let belonging = own.and_then(|of| host.steps.get(of.0)).and_then(StepRun::result);
        let mut facts = Facts::new();
        for result in earlier.chain(belonging) {
            facts.extend(result.facts.clone());
        }
        facts
    }

    /// Folds one event of the record into the state.
    ///
    /// # Errors
    /// [`IllegalTransition`]; the state is then unchanged.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), IllegalTransition> {
        let refuse = |why| IllegalTransition { seq: recorded.seq, event: format!("{:?}", recorded.event), why };
        if recorded.seq != self.last_seq + 1 {
            return Err(refuse("the record has a gap"));
        }
        if matches!(self.stage, RunStage::Finished(_)) {
            return Err(refuse("the run is finished"));
        }
        self.fold(&recorded.event, recorded.at).map_err(refuse)?;
        self.last_seq = recorded.seq;
        self.last_at = Some(recorded.at);
        Ok(())
    }

    fn fold(&mut self, event: &Event, at: Timestamp) -> Result<(), &'static str> {
        match event {
            Event::LeaseTaken { epoch, controller } => self.fold_lease(*epoch, controller, at),
            Event::BatchStarted { batch } => self.fold_batch(*batch),
            Event::CancelRequested { by } => self.fold_cancel(by),
            Event::WindowClosed => self.fold_window_closed(at),
            Event::RunSuspended => self.fold_suspended(at),
            Event::RunClosed { .. } => self.fold_closed(),
            Event::RunFinished { result } => self.fold_finished(*result, at),
            Event::HostStarted { host }
            | Event::HostReady { host, .. }
            | Event::HostUnreachable { host, .. }
            | Event::HostFinished { host, .. } => self.fold_host(*host, event, at),
            Event::StepStarted { host, step }
            | Event::StepOverdue { host, step }
            | Event::StepFinished { host, step, .. }
            | Event::StepUnknown { host, step, .. } => self.fold_step(*host, *step, event, at),
            Event::WatchChanged { host, .. } | Event::DowntimeExceeded { host, .. } | Event::WatchEnded { host } => {
                self.fold_watch(*host, event, at)
            }
        }
    }

    fn fold_lease(&mut self, epoch: Epoch, controller: &str, at: Timestamp) -> Result<(), &'static str> {
        if epoch <= self.epoch {
            return Err("the epoch does not grow");
        }
        self.interrupt_watches(self.last_at.unwrap_or(at));
        self.taken_at = Some(at);
        self.epoch = epoch;
        self.controllers.push(controller.to_owned());
        self.started_at.get_or_insert(at);
        self.stage = RunStage::Open;
        // Whoever takes over looks again at what could not be told.
        for step in self.hosts.iter_mut().flat_map(|host| &mut host.steps) {
            if let StepRun::Unknown { started_at, .. } = *step {
                *step = StepRun::Started { started_at, overdue: false };
            }
        }
        Ok(())
    }

    fn fold_batch(&mut self, batch: usize) -> Result<(), &'static str> {
        if batch != self.batch.map_or(0, |current| current + 1) || batch >= self.plan.batches.len() {
            return Err("it is not the next batch");
        }
        self.batch = Some(batch);
        Ok(())
    }

    fn fold_cancel(&mut self, by: &str) -> Result<(), &'static str> {
        if self.cancelled_by.is_some() {
            return Err("the run is already cancelled");
        }
        self.cancelled_by = Some(by.to_owned());
        Ok(())
    }

    fn fold_window_closed(&mut self, at: Timestamp) -> Result<(), &'static str> {
        if self.plan.window.is_none() {
            return Err("the run has no window");
        }
        if self.window_closed_at.is_some() {
            return Err("the window is already closed");
        }
        self.window_closed_at = Some(at);
        Ok(())
    }

    fn fold_suspended(&mut self, at: Timestamp) -> Result<(), &'static str> {
        if self.stage != RunStage::Open {
            return Err("the run is not open");
        }
        self.interrupt_watches(at);
        self.stage = RunStage::Suspended;
        Ok(())
    }

    fn fold_closed(&mut self) -> Result<(), &'static str> {
        if self.stage != RunStage::Suspended {
            return Err("only a suspended run can be closed");
        }
        self.stage = RunStage::Closing;
        Ok(())
    }

    fn fold_finished(&mut self, result: RunResult, at: Timestamp) -> Result<(), &'static str> {
        if self.hosts.iter().any(|host| !matches!(host.stage, HostStage::Finished(_))) {
            return Err("some host is not finished");
        }
        self.stage = RunStage::Finished(result);
        self.finished_at = Some(at);
        Ok(())
    }

    fn fold_host(&mut self, index: HostIndex, event: &Event, at: Timestamp) -> Result<(), &'static str> {
        let next = self.next_of(index);
        let host = self.hosts.get_mut(index.0).ok_or("the plan has no such host")?;
        match (event, &host.stage) {
            (Event::HostStarted { .. }, HostStage::Waiting) => {
                host.stage = HostStage::Preparing;
                host.started_at = Some(at);
            }
            (Event::HostReady { facts, .. }, HostStage::Preparing) => {
                host.stage = HostStage::InWork;
                host.facts.clone_from(facts);
            }
            (Event::HostUnreachable { fault, .. }, HostStage::Preparing) => {
                host.stage = HostStage::Unreached(fault.clone());
            }
            (Event::HostFinished { outcome, .. }, _) if finishes(host, &next, outcome) => {
                host.stage = HostStage::Finished(outcome.clone());
                host.finished_at = Some(at);
            }
            _ => return Err("the host is at another stage"),
        }
        Ok(())
    }

    fn fold_step(
        &mut self,
        index: HostIndex,
        step: StepIndex,
        event: &Event,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        let next = self.next_of(index);
        if matches!(event, Event::StepStarted { .. }) {
            if next != Some(Next::Start(step)) {
                return Err("it is not this step's turn");
            }
            self.check_backup(index, step)?;
        }
        let forward = self.plan.steps.get(step.0).is_some_and(|planned| planned.is_forward());
        let host = self.hosts.get_mut(index.0).ok_or("the plan has no such host")?;
        let slot = host.steps.get_mut(step.0).ok_or("the plan has no such step")?;
        *slot = match (event, &*slot) {
            (Event::StepStarted { .. }, StepRun::Pending) => StepRun::Started { started_at: at, overdue: false },
            (Event::StepOverdue { .. }, StepRun::Started { started_at, .. }) => {
                StepRun::Started { started_at: *started_at, overdue: true }
            }
            (Event::StepFinished { result, .. }, StepRun::Started { started_at, .. }) => {
                StepRun::Finished { started_at: *started_at, finished_at: at, result: result.clone() }
            }
            (Event::StepUnknown { fault, .. }, StepRun::Started { started_at, .. }) => {
                if forward {
                    host.lost_sight_of = Some(step);
                }
                StepRun::Unknown { started_at: *started_at, fault: fault.clone() }
            }
            _ => return Err("the step is not under way"),
        };
        Ok(())
    }

    /// G3 at run time: the order of steps already sees to it; this refuses should that order ever be wrong.
    fn check_backup(&self, host: HostIndex, step: StepIndex) -> Result<(), &'static str> {
        let updates = self.plan.steps.get(step.0).is_some_and(|planned| planned.phase == Phase::Update);
        if !updates || self.plan.backup != BackupRule::Required {
            return Ok(());
        }
        let backups: Vec<_> = self.plan.steps().filter(|(_, planned)| planned.phase == Phase::Backup).collect();
        let verified = backups.iter().any(|(_, planned)| matches!(planned.part, Part::Verify(_)))
            && backups.iter().all(|(index, _)| self.step(host, *index).is_some_and(StepRun::succeeded));
        if verified { Ok(()) } else { Err("no update without a verified backup") }
    }

    fn step(&self, host: HostIndex, step: StepIndex) -> Option<&StepRun> {
        self.hosts.get(host.0)?.steps.get(step.0)
    }

    /// What has to come next for a host in work.
    pub(super) fn next_of(&self, index: HostIndex) -> Option<Next> {
        let host = self.hosts.get(index.0)?;
        if host.stage != HostStage::InWork {
            return None;
        }
        Some(Sight::new(self, index, host).next())
    }

    /// How the run came out; meaningful when every host is finished.
    pub(super) fn result(&self) -> RunResult {
        let outcomes = || {
            self.hosts.iter().filter_map(|host| match &host.stage {
                HostStage::Finished(outcome) => Some(outcome),
                _ => None,
            })
        };
        if outcomes().any(|outcome| outcome.is_failure() || outcome.is_left_to_do()) {
            RunResult::Failed
        } else if outcomes().any(|outcome| !outcome.is_good()) {
            RunResult::Cancelled
        } else {
            RunResult::Succeeded
        }
    }
}
