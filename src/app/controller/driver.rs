//! The loop that drives one run: event → machine → database → effects → next events.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::clock::Clock;
use super::drive::Seat;
use super::fleet::Fleet;
use super::journal::Journal;
use super::step::{Assignment, Input, carry_out, stop_for_unrecorded};
use super::watch;
use crate::domain::id::{Epoch, RunId};
use crate::domain::plan::{HostIndex, PlannedWindow, StepIndex};
use crate::domain::run::event::{Event, Fault, Recorded, RunResult};
use crate::domain::run::machine::{Decision, Effect, Machine};
use crate::domain::run::state::{HostRun, HostStage, IllegalTransition, Run, RunStage, StepRun};
use crate::edge::remote::Error as RemoteError;
use crate::edge::store::Store;
use crate::edge::store::error::{Error as StoreError, Kind};
use crate::edge::store::log::LogChunk;
use crate::edge::store::record::Batch;

/// The lease lasts 30 s. Renewing it also brings requests to cancel, which have to hold within 5 s.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// So many inputs at most go into one transaction.
const INPUTS_PER_BATCH: usize = 512;
/// A controller whose database hangs stops reading from hosts after so many inputs; their steps go on.
const INPUTS_QUEUED: usize = 1024;

/// How driving came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The run is finished.
    Finished(RunResult),
    /// Some host can't be told; a person has to resume or close the run.
    Suspended,
}

/// Why driving stopped before the end. The run is open; capsules go on.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// Somebody else drives it now.
    #[error("another controller has taken over this run; this one starts nothing more")]
    Fenced,
    /// The record can't be written. What was stopped on hosts has been started again where they could be reached.
    #[error("the run's record can't be written")]
    Store(#[source] StoreError),
    /// Somebody asked to leave at once.
    #[error("the run was left as it stands")]
    Left,
    /// A bug.
    #[error("the run's record contradicts itself")]
    Illegal(#[from] IllegalTransition),
}

/// What a driver needs to know about its run.
pub struct Assumed {
    /// Which run.
    pub run: RunId,
    /// The lease's fencing token.
    pub epoch: Epoch,
    /// Who drives (`machine:pid`).
    pub controller: String,
    /// The record so far.
    pub record: Vec<Recorded>,
    /// For each step under way, how many bytes of its output are stored.
    pub stored_output: BTreeMap<(HostIndex, StepIndex), u64>,
    /// The database's clock as of now.
    pub clock: Clock,
}

/// Drives one run.
pub struct Driver<'a> {
    assumed: Assumed,
    machine: Machine,
    fleet: Arc<Fleet>,
    journal: Journal<'a>,
    seat: Seat<'a>,
    sender: mpsc::Sender<Input>,
    inputs: mpsc::Receiver<Input>,
    tasks: JoinSet<()>,
    /// The watches over hosts; whoever is taken out ends.
    watches: BTreeMap<HostIndex, JoinSet<()>>,
    /// Set when the database could not be written: what happened since, in order.
    unstored: Option<(Batch, StoreError)>,
    stopping: bool,
}

impl<'a> Driver<'a> {
    /// A driver of the run that `assumed` describes, for whoever has the `seat`.
    ///
    /// # Errors
    /// [`Stopped::Illegal`] if the record so far contradicts itself.
    pub fn new(assumed: Assumed, store: &'a Store, fleet: Fleet, seat: Seat<'a>) -> Result<Self, Stopped> {
        let machine = Machine::new(Run::replay(fleet.plan().clone(), &assumed.record)?);
        note_recorded(machine.run(), &fleet);
        let journal = Journal::new(store, assumed.run, assumed.epoch, assumed.record.clone());
        let (sender, inputs) = mpsc::channel(INPUTS_QUEUED);
        Ok(Self {
            assumed,
            machine,
            fleet: Arc::new(fleet),
            journal,
            seat,
            sender,
            inputs,
            tasks: JoinSet::new(),
            watches: BTreeMap::new(),
            unstored: None,
            stopping: false,
        })
    }

    /// Drives the run to its end, or until it has to be left.
    ///
    /// # Errors
    /// [`Stopped`]; the run is then open, and can be resumed.
    pub async fn drive(mut self) -> Result<End, Stopped> {
        let leave = self.seat.leave;
        let driven = tokio::select! {
            driven = self.drive_to_the_end() => driven,
            () = leave.cancelled() => Err(Stopped::Left),
        };
        self.watches.clear();
        // What is still under way goes on without a follower. Lines are ended together: a dead one takes seconds.
        self.tasks.shutdown().await;
        self.fleet.close().await;
        self.seat.progress.close();
        driven?;
        match self.machine.run().stage() {
            RunStage::Finished(result) => Ok(End::Finished(result)),
            _ => Ok(End::Suspended),
        }
    }

    async fn drive_to_the_end(&mut self) -> Result<(), Stopped> {
        self.take_over().await?;
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !(self.stopping && self.tasks.is_empty()) {
            let mut inputs = Vec::new();
            tokio::select! {
                _ = self.inputs.recv_many(&mut inputs, INPUTS_PER_BATCH) => {}
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
                Some(by) = self.seat.cancel.recv() => inputs.push(Input::Event(Event::CancelRequested { by })),
                _ = heartbeat.tick() => inputs.extend(self.heartbeat().await?),
                () = self.seat.nudge.notified() => inputs.extend(self.heartbeat().await?),
            }
            if !inputs.is_empty() {
                self.take_in(inputs).await?;
            }
        }
        match self.unstored.take() {
            None => Ok(()),
            Some((batch, _)) => self.journal.write(&batch, |_| {}).await.map_err(Stopped::Store),
        }
    }

    /// Begins, or goes on where another left. A wish to stop that was there before comes with it, so that nothing is begun.
    async fn take_over(&mut self) -> Result<(), Stopped> {
        let cancelled_by = self.seat.cancel.try_recv().ok();
        let lease = (self.assumed.epoch, self.assumed.controller.as_str());
        let decision = self.machine.take_over(lease, cancelled_by, self.assumed.clock.now())?;
        match self.keep(Batch::of(decision.record, Vec::new())).await {
            Ok(()) => self.carry_out_all(decision.effects),
            Err((batch, error)) => self.go_on_unstored(Vec::new(), batch, error)?,
        }
        Ok(())
    }

    /// Prolongs the lease; brings a request to cancel that was left in the database, and the close of the window. A database that
    /// does not answer is dealt with at the next write.
    async fn heartbeat(&mut self) -> Result<Vec<Input>, Stopped> {
        if self.unstored.is_some() {
            self.store_what_is_unstored().await?;
            return Ok(Vec::new());
        }
        let asked = Instant::now();
        let mut events = Vec::new();
        match self.journal.renew().await {
            Ok(renewal) => {
                self.assumed.clock.follow(renewal.now, asked);
                let is_new = self.machine.run().cancelled_by().is_none();
                let by = renewal.cancel_requested_by.filter(|_| is_new);
                events.extend(by.map(|by| Event::CancelRequested { by }));
            }
            Err(error) if error.kind() == Kind::Fenced && !self.stopping => return Err(Stopped::Fenced),
            Err(error) => tracing::debug!(%error, "lease not renewed"),
        }
        events.extend(self.window_has_closed().then_some(Event::WindowClosed));
        events.extend(self.what_the_clock_says_of_watches());
        Ok(events.into_iter().map(Input::Event).collect())
    }

    /// Whether the window has just closed while hosts are in work.
    fn window_has_closed(&self) -> bool {
        let run = self.machine.run();
        let is_over = |window: &PlannedWindow| window.closes <= self.assumed.clock.now();
        let in_work = |host: &HostRun| matches!(host.stage, HostStage::Preparing | HostStage::InWork);
        run.plan().window.as_ref().is_some_and(is_over)
            && run.window_closed_at().is_none()
            && run.stage() == RunStage::Open
            && run.hosts().iter().any(in_work)
    }

    /// As long as something waits to be taken in, nobody is judged: it may be that a service is back.
    fn what_the_clock_says_of_watches(&self) -> Vec<Event> {
        let (run, now) = (self.machine.run(), self.assumed.clock.now());
        let exceeded = run
            .exceeded_downtime(now)
            .filter(|_| self.inputs.is_empty())
            .map(|(host, probe)| Event::DowntimeExceeded { host, probe });
        let over = run.watches_over(now).map(|host| Event::WatchEnded { host });
        exceeded.into_iter().chain(over).collect()
    }

    /// Folds inputs into the machine, stores what follows, and then carries it out.
    async fn take_in(&mut self, inputs: Vec<Input>) -> Result<(), Stopped> {
        let mut log = Vec::new();
        let mut events = Vec::new();
        for input in inputs {
            match input {
                Input::Event(event) => events.push(event),
                Input::Output { host, step, at_offset, bytes } => {
                    self.seat.progress.output(self.machine.run(), host, step, &bytes);
                    push_chunk(&mut log, LogChunk { host, step, at_offset, content: bytes });
                }
                Input::Seen { host, probe, met, since, what } => {
                    let since = self.assumed.clock.at(since);
                    events.push(Event::WatchChanged { host, probe, met, since, what });
                }
                Input::Fenced => return Err(Stopped::Fenced),
            }
        }
        let decision = self.decide(events.clone())?;
        let batch = Batch::of(decision.record, log);
        if batch.events.is_empty() && batch.log.is_empty() {
            // Known already, or too late: a record that has ended takes no more writes.
            return Ok(());
        }
        match self.keep(batch).await {
            Ok(()) => self.carry_out_all(decision.effects),
            Err((batch, error)) => self.go_on_unstored(events, batch, error)?,
        }
        Ok(())
    }

    fn decide(&mut self, events: Vec<Event>) -> Result<Decision, IllegalTransition> {
        let now = self.assumed.clock.now();
        let mut all = Decision::default();
        for event in events {
            let decision = self.machine.handle(event, now)?;
            all.record.extend(decision.record);
            all.effects.extend(decision.effects);
        }
        Ok(all)
    }

    /// Stores the batch, or adds it to what is unstored.
    async fn keep(&mut self, batch: Batch) -> Result<(), (Batch, StoreError)> {
        if let Some((unstored, _)) = &mut self.unstored {
            self.seat.progress.events(self.machine.run(), &batch.events);
            unstored.append(batch);
            return Ok(());
        }
        let progress = &mut *self.seat.progress;
        let waiting = |error: &StoreError| progress.notice(&format!("{error}; waiting for it, nothing new is started"));
        match self.journal.write(&batch, waiting).await {
            Ok(()) => {
                self.seat.progress.events(self.machine.run(), &batch.events);
                Ok(())
            }
            Err(error) => Err((batch, error)),
        }
    }

    /// The database can't be written: nothing more goes forward, but what was stopped is started again. The machine goes
    /// back to what is stored, takes in a cancel, and from there on only the way back is carried out. Capsules remember on the
    /// hosts what was started; `turnus resume` finds it there.
    fn go_on_unstored(&mut self, events: Vec<Event>, batch: Batch, error: StoreError) -> Result<(), Stopped> {
        if error.kind() == Kind::Fenced {
            return Err(Stopped::Fenced);
        }
        self.seat.progress.notice(&format!("{error}; releasing the hosts, nothing else is started"));
        self.machine = Machine::new(Run::replay(self.fleet.plan().clone(), &self.journal.stored)?);
        if self.machine.run().epoch() != self.assumed.epoch {
            // Not even the take-over is stored: this controller has done nothing yet.
            return Err(Stopped::Store(error));
        }
        let cancel = Event::CancelRequested { by: "turnus: the database can't be written".to_owned() };
        let decision = self.decide([cancel].into_iter().chain(events).collect())?;
        self.unstored = Some((Batch::of(decision.record, batch.log), error));
        self.carry_out_all(decision.effects);
        Ok(())
    }

    async fn store_what_is_unstored(&mut self) -> Result<(), Stopped> {
        let Some((batch, error)) = self.unstored.take() else { return Ok(()) };
        match self.journal.try_write(&batch).await {
            Ok(()) => self.seat.progress.notice("the database can be written again"),
            Err(failed) if failed.kind() == Kind::Fenced => return Err(Stopped::Fenced),
            Err(_) => self.unstored = Some((batch, error)),
        }
        Ok(())
    }

    fn carry_out_all(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Prepare { host } => self.spawn_prepare(host),
                Effect::Run { host, step, resumed } if self.may_carry_out(step) => self.spawn_step(host, step, resumed),
                // Capsules stay where the record does not say what came of them.
                Effect::Leave { host } if self.unstored.is_none() => self.spawn_leave(host),
                Effect::Run { .. } | Effect::Leave { .. } => {}
                Effect::Watch { host } => {
                    let watch = watch::watch(&self.fleet, host, &self.sender);
                    self.watches.insert(host, watch);
                }
                Effect::EndWatch { host } => drop(self.watches.remove(&host)),
                Effect::Stop => self.stopping = true,
            }
        }
    }

    fn may_carry_out(&self, step: StepIndex) -> bool {
        let is_back = self.fleet.plan().steps.get(step.0).is_some_and(|step| !step.is_forward());
        self.unstored.is_none() || is_back
    }

    fn spawn_prepare(&mut self, host: HostIndex) {
        let (fleet, inputs) = (self.fleet.clone(), self.sender.clone());
        self.tasks.spawn(async move {
            let prepared = AssertUnwindSafe(fleet.prepare(host)).catch_unwind().await;
            let input = match prepared {
                Ok(Ok(prepared)) => {
                    if let Some(key) = prepared.unrecorded {
                        let _ = inputs.send(stop_for_unrecorded(&key)).await;
                    }
                    Input::Event(Event::HostReady { host, facts: prepared.facts })
                }
                Ok(Err((_, RemoteError::Fenced { .. }))) => Input::Fenced,
                Ok(Err((location, error))) => {
                    Input::Event(Event::HostUnreachable { host, fault: location.fault(error.into_fault()) })
                }
                Err(_) => Input::Event(Event::HostUnreachable { host, fault: internal_fault() }),
            };
            let _ = inputs.send(input).await;
        });
    }

    fn spawn_step(&mut self, host: HostIndex, step: StepIndex, resumed: bool) {
        let started_at = match self.machine.run().hosts().get(host.0).and_then(|host| host.steps.get(step.0)) {
            Some(StepRun::Started { started_at, .. }) => *started_at,
            // Decided within one batch to be both started and ended: can't be, and then there is nothing to do.
            _ => return,
        };
        let assignment = Assignment {
            run: self.assumed.run,
            host,
            step,
            begun_ago: self.assumed.clock.since(started_at),
            facts: self.machine.run().facts_for(host, step),
            choice: self.machine.run().choice_for(host, step).cloned(),
            probes_before: self.machine.run().probes_before(host, step).to_vec(),
            resumed,
            overtaken: self.machine.run().is_overtaken(host, step, self.assumed.clock.now()),
            stored_bytes: self.assumed.stored_output.get(&(host, step)).copied().unwrap_or(0),
            overdue: self.seat.overdue,
        };
        self.fleet.note_started(host, step);
        let (fleet, inputs) = (self.fleet.clone(), self.sender.clone());
        self.tasks.spawn(async move {
            let carried_out = AssertUnwindSafe(carry_out(assignment, &fleet, inputs.clone())).catch_unwind().await;
            if carried_out.is_err() {
                let _ = inputs.send(Input::Event(Event::StepUnknown { host, step, fault: internal_fault() })).await;
            }
        });
    }

    fn spawn_leave(&mut self, host: HostIndex) {
        let fleet = self.fleet.clone();
        self.tasks.spawn(async move { fleet.leave(host).await });
    }
}

fn note_recorded(run: &Run, fleet: &Fleet) {
    for (host, host_run) in run.hosts().iter().enumerate() {
        for (step, _) in host_run.steps.iter().enumerate().filter(|(_, step)| **step != StepRun::Pending) {
            fleet.note_started(HostIndex(host), StepIndex(step));
        }
    }
}

fn internal_fault() -> Fault {
    let hint = Some("this is a bug in turnus; its log has the details".to_owned());
    Fault { what: "internal error".to_owned(), hint }
}

/// Joins output that belongs together, so that a chatty step does not cost a row for each line.
fn push_chunk(log: &mut Vec<LogChunk>, chunk: LogChunk) {
    let last = log.iter_mut().rev().find(|last| (last.host, last.step) == (chunk.host, chunk.step));
    match last {
        Some(last) if last.at_offset + last.content.len() as u64 == chunk.at_offset => {
            last.content.extend_from_slice(&chunk.content);
        }
        _ => log.push(chunk),
    }
}
