//! What follows from an event: more events, and effects to carry out once they are stored.
//!
//! The driver's loop: event → [`Machine::handle`] → store all of [`Decision::record`] in one transaction → carry out
//! [`Decision::effects`] → their results are the next events. `StepStarted` is in `record`, the effect that starts the step
//! in `effects`: "started" is always stored before the command goes out. A restart replays the record and takes the lease.

use jiff::Timestamp;

use super::event::{Event, Outcome, Recorded, SkipCause};
use super::next::Next;
use super::state::{HostRun, HostStage, IllegalTransition, Run, RunStage, StepRun};
use crate::domain::id::Epoch;
use crate::domain::plan::{HostIndex, StepIndex};

/// Something to be done to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Connect the host and every place that its steps need, and fence them. Answer: `HostReady` or `HostUnreachable`.
    Prepare {
        /// Which host.
        host: HostIndex,
    },
    /// Run the step, or attach to it if it is already under way. Answer: `StepFinished` or `StepUnknown`, before it perhaps `StepOverdue`.
    Run {
        /// Which host.
        host: HostIndex,
        /// Which step.
        step: StepIndex,
        /// Whether it was recorded as started before this controller had the lease.
        resumed: bool,
    },
    /// The host is done with: remove its capsules, end its connection. No answer.
    Leave {
        /// Which host.
        host: HostIndex,
    },
    /// The run has ended or is suspended: there is nothing more to drive.
    Stop,
}

/// What follows from an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Events to store, in order, in one transaction; the given one is the first.
    pub record: Vec<Recorded>,
    /// What to do after that.
    pub effects: Vec<Effect>,
}

/// A run that is being driven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    run: Run,
}

impl Machine {
    /// Drives `run` on from where it stands. The first event to handle is `LeaseTaken`.
    #[must_use]
    pub fn new(run: Run) -> Self {
        Self { run }
    }

    /// The state as of the last decision.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The event by which a controller begins or takes over.
    ///
    /// # Errors
    /// As [`Machine::handle`].
    pub fn take_lease(
        &mut self,
        epoch: Epoch,
        controller: &str,
        now: Timestamp,
    ) -> Result<Decision, IllegalTransition> {
        self.take_over((epoch, controller), None, now)
    }

    /// The same for a run that `cancelled_by` wished to stop before anybody took it: nothing new is begun in between.
    ///
    /// # Errors
    /// As [`Machine::handle`].
    pub fn take_over(
        &mut self,
        (epoch, controller): (Epoch, &str),
        cancelled_by: Option<String>,
        now: Timestamp,
    ) -> Result<Decision, IllegalTransition> {
        let taken = Event::LeaseTaken { epoch, controller: controller.to_owned() };
        let cancel = cancelled_by.map(|by| Event::CancelRequested { by });
        self.handle_together([taken].into_iter().chain(cancel), now)
    }

    /// Takes in what has happened, and decides what follows. An event that is already in the record (delivered twice)
    /// changes nothing and is followed by nothing.
    ///
    /// # Errors
    /// [`IllegalTransition`] if it can't happen in this state; the state is then unchanged.
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Result<Decision, IllegalTransition> {
        self.handle_together([event], now)
    }

    /// Takes in all `events`, and only then looks at what follows.
    fn handle_together(
        &mut self,
        events: impl IntoIterator<Item = Event>,
        now: Timestamp,
    ) -> Result<Decision, IllegalTransition> {
        let mut decision = Decision::default();
        let (mut took_over, mut host) = (false, None);
        for event in events {
            if self.is_known(&event) {
                continue;
            }
            took_over |= matches!(event, Event::LeaseTaken { .. });
            host = event.host();
            self.record(event, now, &mut decision)?;
        }
        if decision.record.is_empty() {
            return Ok(decision);
        }
        if took_over {
            decision.effects = self.effects_under_way();
        }
        while let Some(event) = self.next_event(host, now) {
            decision.effects.extend(effect_of(&event));
            self.record(event, now, &mut decision)?;
        }
        Ok(decision)
    }

    fn record(&mut self, event: Event, now: Timestamp, decision: &mut Decision) -> Result<(), IllegalTransition> {
        let recorded = Recorded { seq: self.run.last_seq + 1, at: now, event };
        self.run.apply(&recorded)?;
        decision.record.push(recorded);
        Ok(())
    }

    /// Whether the record already says what `event` says.
    fn is_known(&self, event: &Event) -> bool {
        let host = |index: &HostIndex| self.run.hosts.get(index.0);
        let step = |index: &HostIndex, step: &StepIndex| host(index).and_then(|host| host.steps.get(step.0));
        match event {
            Event::LeaseTaken { epoch, controller } => {
                *epoch == self.run.epoch && self.run.controllers.last() == Some(controller)
            }
            Event::BatchStarted { batch } => self.run.batch.is_some_and(|current| *batch <= current),
            // Too late is no mistake: whoever cancels can't know that the end came first.
            Event::CancelRequested { .. } => self.run.cancelled_by.is_some() || self.run.stage != RunStage::Open,
            Event::WindowClosed => self.run.window_closed_at.is_some() || self.run.stage != RunStage::Open,
            Event::HostStarted { host: index } => host(index).is_some_and(|host| host.stage != HostStage::Waiting),
            Event::HostReady { host: index, .. } | Event::HostUnreachable { host: index, .. } => {
                host(index).is_some_and(|host| !matches!(host.stage, HostStage::Waiting | HostStage::Preparing))
            }
            Event::HostFinished { host: index, .. } => {
                host(index).is_some_and(|host| matches!(host.stage, HostStage::Finished(_)))
            }
            Event::StepStarted { host, step: index } => step(host, index).is_some_and(|step| *step != StepRun::Pending),
            Event::StepOverdue { host, step: index } => step(host, index)
                .is_some_and(|step| !matches!(step, StepRun::Pending | StepRun::Started { overdue: false, .. })),
            Event::StepFinished { host, step: index, .. } | Event::StepUnknown { host, step: index, .. } => {
                step(host, index).is_some_and(|step| matches!(step, StepRun::Finished { .. } | StepRun::Unknown { .. }))
            }
            Event::RunSuspended => self.run.stage == RunStage::Suspended,
            Event::RunClosed { .. } => self.run.stage == RunStage::Closing,
            Event::RunFinished { .. } => matches!(self.run.stage, RunStage::Finished(_)),
        }
    }

    /// What a controller that takes over has to pick up: nothing here starts anything that was not recorded as started.
    fn effects_under_way(&self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (position, host) in self.run.hosts.iter().enumerate() {
            let index = HostIndex(position);
            if host.stage == HostStage::Preparing {
                effects.push(Effect::Prepare { host: index });
            }
            for (step, _) in host.steps.iter().enumerate().filter(|(_, step)| matches!(step, StepRun::Started { .. })) {
                effects.push(Effect::Run { host: index, step: StepIndex(step), resumed: true });
            }
        }
        effects
    }

    /// The next event that follows from the state, and from the time if the run has a window. `about` is the host of the event just taken in: hosts do not
    /// depend on each other but through batches, so that the cost of an event does not grow with the fleet.
    fn next_event(&self, about: Option<HostIndex>, now: Timestamp) -> Option<Event> {
        match self.run.stage {
            RunStage::Suspended | RunStage::Finished(_) => return None,
            RunStage::Closing => return self.next_of_closing(),
            RunStage::Open => {}
        }
        match about {
            Some(host) if self.run.next_of(host) == Some(Next::Wait) => None,
            Some(host) => self.next_of_host(host, now).or_else(|| self.next_of_batches(now)),
            None => self.next_of_hosts(now).or_else(|| self.next_of_batches(now)),
        }
    }

    fn next_of_hosts(&self, now: Timestamp) -> Option<Event> {
        let begun = self.run.batch.and_then(|batch| self.run.plan.batches.get(..=batch)).unwrap_or_default();
        begun.iter().flatten().find_map(|host| self.next_of_host(*host, now))
    }

    fn next_of_host(&self, host: HostIndex, now: Timestamp) -> Option<Event> {
        if let HostStage::Unreached(fault) = self.stage(host)? {
            return Some(Event::HostFinished { host, outcome: Outcome::Unreachable { fault: fault.clone() } });
        }
        match self.run.next_of(host)? {
            // Connecting took too long, or another controller had to take over meanwhile.
            Next::Start(_) if self.is_untouched(host) && !self.run.plan.has_time_for(host, now) => {
                Some(skip(host, SkipCause::WindowEnding))
            }
            Next::Start(step) => Some(Event::StepStarted { host, step }),
            Next::Finish(outcome) => Some(Event::HostFinished { host, outcome }),
            Next::Wait | Next::Hold => None,
        }
    }

    fn next_of_batches(&self, now: Timestamp) -> Option<Event> {
        if self.run.cancelled_by.is_some() {
            if let Some(host) = self.first_waiting() {
                return Some(skip(host, SkipCause::Cancelled));
            }
            return self.next_of_end();
        }
        let batch = match self.run.batch {
            None => return Some(Event::BatchStarted { batch: 0 }),
            Some(index) => self.run.plan.batches.get(index)?,
        };
        let in_work = batch.iter().filter(|host| self.is_in_work(**host)).count();
        let waiting = batch.iter().find(|host| self.stage(**host) == Some(&HostStage::Waiting));
        match waiting {
            Some(host) if !self.run.plan.has_time_for(*host, now) => Some(skip(*host, SkipCause::WindowEnding)),
            Some(host) if in_work < self.run.plan.parallel_hosts => Some(Event::HostStarted { host: *host }),
            Some(_) => None,
            None if in_work > 0 => None,
            None => self.next_after_batch(),
        }
    }

    fn next_after_batch(&self) -> Option<Event> {
        let next = self.run.batch.map_or(0, |batch| batch + 1);
        if next >= self.run.plan.batches.len() {
            return self.next_of_end();
        }
        if self.failures() <= self.run.plan.max_failures as usize {
            return Some(Event::BatchStarted { batch: next });
        }
        match self.first_waiting() {
            Some(host) => Some(skip(host, SkipCause::FailureLimit)),
            None => self.next_of_end(),
        }
    }

    /// The end, once no host is waiting or in work: finished, or suspended if some host is held.
    fn next_of_end(&self) -> Option<Event> {
        if (0..self.run.hosts.len()).any(|host| self.is_in_work(HostIndex(host))) {
            return None;
        }
        let finished = self.run.hosts.iter().all(|host| matches!(host.stage, HostStage::Finished(_)));
        Some(if finished { Event::RunFinished { result: self.run.result() } } else { Event::RunSuspended })
    }

    /// After a person closed the run: what is unknown stays unknown, what was not begun is left out.
    fn next_of_closing(&self) -> Option<Event> {
        let unknown = self.run.hosts.iter().enumerate().find_map(|(host, run)| {
            let step = run.steps.iter().position(|step| matches!(step, StepRun::Unknown { .. }))?;
            let outcome = Outcome::Unknown { step: StepIndex(step) };
            (run.stage == HostStage::InWork).then_some(Event::HostFinished { host: HostIndex(host), outcome })
        });
        unknown
            .or_else(|| self.first_waiting().map(|host| skip(host, SkipCause::Cancelled)))
            .or_else(|| self.next_of_end())
    }

    fn is_untouched(&self, host: HostIndex) -> bool {
        self.run.hosts.get(host.0).is_some_and(HostRun::is_untouched)
    }

    fn stage(&self, host: HostIndex) -> Option<&HostStage> {
        self.run.hosts.get(host.0).map(|host| &host.stage)
    }

    /// Whether something is still to come from this host without a person. A held host is not in work.
    fn is_in_work(&self, host: HostIndex) -> bool {
        match self.stage(host) {
            Some(HostStage::Preparing | HostStage::Unreached(_)) => true,
            Some(HostStage::InWork) => self.run.next_of(host) != Some(Next::Hold),
            _ => false,
        }
    }

    fn first_waiting(&self) -> Option<HostIndex> {
        let waiting = |host: &HostRun| host.stage == HostStage::Waiting;
        self.run.hosts.iter().position(waiting).map(HostIndex)
    }

    /// Hosts that count for `max_failures`; a held host counts: nobody can say that it is well.
    fn failures(&self) -> usize {
        let failed = |(index, host): (usize, &HostRun)| match &host.stage {
            HostStage::Finished(outcome) => outcome.is_failure(),
            HostStage::InWork => self.run.next_of(HostIndex(index)) == Some(Next::Hold),
            _ => false,
        };
        self.run.hosts.iter().enumerate().filter(|host| failed(*host)).count()
    }
}

fn skip(host: HostIndex, cause: SkipCause) -> Event {
    Event::HostFinished { host, outcome: Outcome::Skipped { cause } }
}

fn effect_of(event: &Event) -> Option<Effect> {
    match *event {
        Event::HostStarted { host } => Some(Effect::Prepare { host }),
        Event::StepStarted { host, step } => Some(Effect::Run { host, step, resumed: false }),
        // Held back after a look, it is connected like any other that was in work.
        Event::HostFinished {
            host,
            outcome: Outcome::Skipped { cause: SkipCause::HeldBack | SkipCause::RedBefore },
        } => Some(Effect::Leave { host }),
        Event::HostFinished { outcome: Outcome::Skipped { .. } | Outcome::Unreachable { .. }, .. } => None,
        Event::HostFinished { host, .. } => Some(Effect::Leave { host }),
        Event::RunFinished { .. } | Event::RunSuspended => Some(Effect::Stop),
        _ => None,
    }
}
