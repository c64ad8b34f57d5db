//! Loops over a job with all phases: fail at every step, die after every event, deliver every event twice; and single stories.
//!
//! The [`World`] below stands for hosts with capsules: a step that was started stays started, whoever asks again.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::event::{Event, Facts, Fault, Outcome, Recorded, RunResult, SkipCause, StepEnd, StepResult};
use super::machine::{Decision, Effect, Machine};
use super::state::{HostStage, Run, RunStage, StepRun};
use crate::domain::id::{ContentHash, Epoch, Name};
use crate::domain::inventory::{Connection, Locale};
use crate::domain::job::{BackupRule, Phase, Place};
use crate::domain::packages::PackagesRecord;
use crate::domain::plan::{HostIndex, Part, Plan, PlannedHost, PlannedStep, StepIndex, Task};

mod packages;
mod watch;
mod window;

/// Positions in the plan of [`plan`].
const LOOK: usize = 0;
const STOP: usize = 1;
const SAVE: usize = 2;
const VERIFY: usize = 3;
const RECHECK: usize = 4;
const INSTALL: usize = 5;
const CONVERT: usize = 6;
const ASK: usize = 7;
const CONVERT_BACK: usize = 8;
const INSTALL_BACK: usize = 9;
const START: usize = 10;
const FORWARD: std::ops::RangeInclusive<usize> = LOOK..=ASK;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn planned_host(text: &str) -> PlannedHost {
    let connection = Connection::to(text.to_owned());
    PlannedHost {
        name: name(text),
        connection,
        vars: BTreeMap::new(),
        estimate_s: None,
        probes: Vec::new(),
        capacity: Vec::new(),
    }
}

fn step(phase: Phase, text: &str, part: Part) -> PlannedStep {
    PlannedStep {
        phase,
        name: text.to_owned(),
        part,
        place: Place::Host,
        task: Task::Script(text.to_owned()),
        parameters: BTreeMap::new(),
        timeout_s: 60,
        chosen_by: None,
        secrets: BTreeMap::new(),
    }
}

/// A job with all phases on `hosts` hosts: the first alone, then the rest together.
fn plan(hosts: usize) -> Plan {
    let all: Vec<_> = (0..hosts).map(HostIndex).collect();
    let (canary, rest) = all.split_at(1);
    Plan {
        customer: name("nordwind"),
        customer_name: "Nordwind".to_owned(),
        locale: Locale::De,
        time_zone: "Europe/Berlin".to_owned(),
        job: name("quarterly"),
        description: String::new(),
        customer_revision: ContentHash::of(b""),
        job_revision: ContentHash::of(b""),
        backup: BackupRule::Required,
        max_failures: 0,
        watch_after_s: 0,
        parallel_hosts: 2,
        window: None,
        approval: None,
        hosts: (0..hosts).map(|index| planned_host(&format!("h{index}"))).collect(),
        delegates: Vec::new(),
        batches: [canary, rest].into_iter().filter(|batch| !batch.is_empty()).map(<[_]>::to_vec).collect(),
        steps: vec![
            step(Phase::Preflight, "look", Part::Run),
            step(Phase::Quiesce, "stop", Part::Run),
            step(Phase::Backup, "save", Part::Run),
            step(Phase::Backup, "save", Part::Verify(StepIndex(SAVE))),
            step(Phase::Backup, "save", Part::Recheck(StepIndex(VERIFY))),
            step(Phase::Update, "install", Part::Run),
            step(Phase::Update, "convert", Part::Run),
            step(Phase::Smoke, "ask", Part::Run),
            step(Phase::Rollback, "convert", Part::Rollback(StepIndex(CONVERT))),
            step(Phase::Rollback, "install", Part::Rollback(StepIndex(INSTALL))),
            step(Phase::Release, "stop", Part::Undo(StepIndex(STOP))),
        ],
    }
}

fn now() -> Timestamp {
    "2026-03-27T13:00:00Z".parse().unwrap()
}

fn ended(end: StepEnd) -> StepResult {
    StepResult::of(end)
}

fn fault() -> Fault {
    Fault { what: "line lost".to_owned(), hint: None }
}

/// How a step behaves in the model world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Fails,
    TimesOut,
    /// Turnus loses sight of it; looked at again, it has ended well.
    LostThenWell,
    /// As above, but it has failed.
    LostThenFailed,
    SaysNothingChanged,
    /// A look at packages that chooses none.
    ChoosesNothing,
    /// A look at packages that finds others than were approved.
    HoldsBack,
}

/// Hosts with capsules.
#[derive(Debug, Clone, Default)]
struct World {
    ways: BTreeMap<(usize, usize), Way>,
    unreachable: Vec<usize>,
    starts: BTreeMap<(usize, usize), u32>,
    order: Vec<(usize, usize)>,
}

impl World {
    fn with(ways: &[(usize, usize, Way)]) -> Self {
        Self { ways: ways.iter().map(|(host, step, way)| ((*host, *step), *way)).collect(), ..Self::default() }
    }

    fn carry_out(&mut self, effect: &Effect) -> Option<Event> {
        match *effect {
            Effect::Prepare { host } if self.unreachable.contains(&host.0) => {
                Some(Event::HostUnreachable { host, fault: fault() })
            }
            Effect::Prepare { host } => Some(Event::HostReady { host, facts: Facts::new() }),
            Effect::Run { host, step, resumed } => Some(self.run_step(host, step, resumed)),
            Effect::Leave { .. } | Effect::Watch { .. } | Effect::EndWatch { .. } | Effect::Stop => None,
        }
    }

    /// The capsule: only the first start starts; whoever comes later attaches.
    fn run_step(&mut self, host: HostIndex, step: StepIndex, resumed: bool) -> Event {
        let key = (host.0, step.0);
        let known = self.starts.contains_key(&key);
        assert!(resumed || !known, "asked to start step {key:?} again");
        if !known {
            self.starts.insert(key, 1);
            self.order.push(key);
        }
        let finished = |end| Event::StepFinished { host, step, result: ended(end) };
        match self.ways.get(&key) {
            Some(Way::Fails) => finished(StepEnd::Failed { exit_status: 1 }),
            Some(Way::TimesOut) => finished(StepEnd::TimedOut),
            Some(Way::LostThenWell | Way::LostThenFailed) if !known => {
                Event::StepUnknown { host, step, fault: fault() }
            }
            Some(Way::LostThenFailed) => finished(StepEnd::Failed { exit_status: 1 }),
            Some(Way::SaysNothingChanged) => {
                let facts = Facts::from([("changed".to_owned(), "false".to_owned())]);
                Event::StepFinished { host, step, result: StepResult { facts, ..ended(StepEnd::Succeeded) } }
            }
            Some(Way::HoldsBack) => finished(StepEnd::Held { why: "nginx 1 → 2: now it would be 3".to_owned() }),
            Some(Way::ChoosesNothing) => {
                let packages = Some(Box::new(PackagesRecord::Looked(packages::choice(&[]))));
                Event::StepFinished { host, step, result: StepResult { packages, ..ended(StepEnd::Succeeded) } }
            }
            Some(Way::LostThenWell) | None => finished(StepEnd::Succeeded),
        }
    }
}

/// A driver without I/O.
struct Driver {
    machine: Machine,
    record: Vec<Recorded>,
    world: World,
    twice: bool,
    /// Moves on with each event that is delivered.
    clock: Timestamp,
    event_takes: SignedDuration,
    /// How long nobody drives after a death.
    gap: SignedDuration,
}

impl Driver {
    fn begin(plan: Plan, world: World) -> Self {
        Self {
            machine: Machine::new(Run::new(plan)),
            record: Vec::new(),
            world,
            twice: false,
            clock: now(),
            event_takes: SignedDuration::ZERO,
            gap: SignedDuration::ZERO,
        }
    }

    fn take_lease(&mut self) -> Vec<Effect> {
        let epoch = Epoch(self.machine.run().epoch().0 + 1);
        let decision = self.machine.take_lease(epoch, "test:1", self.clock).unwrap();
        self.store(decision)
    }

    fn store(&mut self, decision: Decision) -> Vec<Effect> {
        self.record.extend(decision.record);
        decision.effects
    }

    fn deliver(&mut self, event: Event) -> Vec<Effect> {
        self.clock += self.event_takes;
        let decision = self.machine.handle(event.clone(), self.clock).unwrap();
        let effects = self.store(decision);
        if self.twice {
            let before = self.machine.clone();
            assert_eq!(self.machine.handle(event, self.clock).unwrap(), Decision::default());
            assert_eq!(self.machine, before, "an event delivered twice changes nothing");
        }
        effects
    }

    /// Carries out effects, and what follows from them, until there is nothing more.
    fn carry_on(&mut self, effects: Vec<Effect>) {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            if let Some(event) = self.world.carry_out(&effect) {
                queue.extend(self.deliver(event));
            }
        }
    }

    fn run(mut self) -> Self {
        let effects = self.take_lease();
        self.carry_on(effects);
        self.check_invariants();
        self
    }

    /// A person lets a controller look again.
    fn resume(self) -> Self {
        assert_eq!(self.machine.run().stage(), RunStage::Suspended);
        self.run()
    }

    /// Dies after `events` events; `reached` says whether the commands that were on their way then reached their hosts.
    fn die_and_replay(plan: &Plan, world: World, events: usize, reached: bool) -> Option<Self> {
        Self::begin(plan.clone(), world).die_after(events, reached)
    }

    fn die_after(self, events: usize, reached: bool) -> Option<Self> {
        let mut driver = self;
        let plan = driver.machine.run().plan().clone();
        let mut queue = VecDeque::from(driver.take_lease());
        while driver.record.len() < events {
            let effect = queue.pop_front()?;
            if let Some(event) = driver.world.carry_out(&effect) {
                queue.extend(driver.deliver(event));
            }
        }
        for effect in queue.iter().filter(|_| reached) {
            driver.world.carry_out(effect);
        }
        driver.record.truncate(events);
        let run = Run::replay(plan, &driver.record).unwrap();
        driver.machine = Machine::new(run);
        // What lies behind the cut was never stored, so it was never acted upon either.
        let stored = |host: usize, step: usize| driver.machine.run().hosts()[host].steps[step] != StepRun::Pending;
        let (kept, lost): (Vec<_>, Vec<_>) = driver.world.order.iter().partition(|(host, step)| stored(*host, *step));
        for key in lost {
            driver.world.starts.remove(&key);
        }
        driver.world.order = kept;
        driver.clock += driver.gap;
        Some(driver.run())
    }

    fn check_invariants(&self) {
        assert!(self.world.starts.values().all(|count| *count == 1));
        let replayed = Run::replay(self.machine.run().plan().clone(), &self.record).unwrap();
        assert_eq!(replayed, *self.machine.run(), "the record tells the same as the machine");
        for (index, host) in self.machine.run().hosts().iter().enumerate() {
            self.check_host(index, &host.steps);
        }
        assert_ne!(self.machine.run().stage(), RunStage::Open, "the run came to an end");
    }

    fn check_host(&self, host: usize, steps: &[StepRun]) {
        let started = |step: usize| self.world.starts.contains_key(&(host, step));
        assert_eq!(started(STOP), started(START), "what was stopped is started again, and nothing else is");
        if started(INSTALL) {
            let proof = [SAVE, VERIFY, RECHECK];
            assert!(proof.iter().all(|step| steps[*step].succeeded()), "an update without a verified backup");
            let position = |step| self.world.order.iter().position(|key| *key == (host, step));
            assert!(proof.iter().all(|step| position(*step) < position(INSTALL)), "an update before its backup");
        }
        assert!(!started(CONVERT_BACK) || started(CONVERT), "nothing is taken back that was not begun");
        assert!(!started(INSTALL_BACK) || started(INSTALL), "nothing is taken back that was not begun");
    }

    fn outcome(&self, host: usize) -> Option<&Outcome> {
        match &self.machine.run().hosts()[host].stage {
            HostStage::Finished(outcome) => Some(outcome),
            _ => None,
        }
    }

    fn outcomes(&self) -> Vec<Option<&Outcome>> {
        (0..self.machine.run().hosts().len()).map(|host| self.outcome(host)).collect()
    }

    fn result(&self) -> RunStage {
        self.machine.run().stage()
    }

    fn steps_of(&self, host: usize) -> Vec<usize> {
        self.world.order.iter().filter(|key| key.0 == host).map(|key| key.1).collect()
    }
}

#[test]
fn all_goes_well() {
    let driver = Driver::begin(plan(3), World::default()).run();
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Succeeded));
    assert_eq!(driver.outcomes(), [Some(&Outcome::Updated); 3]);
    assert_eq!(driver.steps_of(0), [LOOK, STOP, SAVE, VERIFY, RECHECK, INSTALL, CONVERT, ASK, START]);
}

#[test]
fn fail_at_every_step() {
    for step in FORWARD {
        for way in [Way::Fails, Way::TimesOut] {
            let driver = Driver::begin(plan(1), World::with(&[(0, step, way)])).run();
            assert_eq!(driver.result(), RunStage::Finished(RunResult::Failed), "step {step}");
            let mut expected: Vec<usize> = (LOOK..=step).collect();
            if step >= CONVERT {
                expected.push(CONVERT_BACK);
            }
            if step >= INSTALL {
                expected.push(INSTALL_BACK);
            }
            if step >= STOP {
                expected.push(START);
            }
            assert_eq!(driver.steps_of(0), expected, "step {step}");
            let failing = StepIndex(step);
            let outcome = match step {
                ..INSTALL => Outcome::Failed { step: failing, cancelled: false },
                _ => Outcome::FailedAndRolledBack { step: failing },
            };
            assert_eq!(driver.outcome(0), Some(&outcome), "step {step}");
        }
    }
}

#[test]
fn fail_at_every_step_and_at_every_step_of_the_way_back() {
    for step in FORWARD {
        for back in [CONVERT_BACK, INSTALL_BACK, START] {
            let world = World::with(&[(0, step, Way::Fails), (0, back, Way::Fails)]);
            let driver = Driver::begin(plan(1), world).run();
            let tried_back = driver.steps_of(0).contains(&back);
            let rolled_back = step >= INSTALL && !(tried_back && back != START);
            let failing = StepIndex(step);
            let outcome = match rolled_back {
                true => Outcome::FailedAndRolledBack { step: failing },
                false => Outcome::Failed { step: failing, cancelled: false },
            };
            assert_eq!(driver.outcome(0), Some(&outcome), "step {step}, back {back}");
        }
    }
}

#[test]
fn a_failed_release_is_a_failure_though_all_else_went_well() {
    let driver = Driver::begin(plan(1), World::with(&[(0, START, Way::Fails)])).run();
    assert_eq!(driver.outcome(0), Some(&Outcome::Failed { step: StepIndex(START), cancelled: false }));
}

#[test]
fn die_after_every_event_and_replay() {
    let mut worlds = vec![World::default()];
    worlds.extend(FORWARD.map(|step| World::with(&[(1, step, Way::Fails)])));
    worlds.extend(FORWARD.map(|step| World::with(&[(0, step, Way::Fails)])));
    worlds.push(World { unreachable: vec![1], ..World::default() });
    for world in worlds {
        let undisturbed = Driver::begin(plan(3), world.clone()).run();
        let moments = (0..undisturbed.record.len()).flat_map(|events| [(events, false), (events, true)]);
        for (events, reached) in moments {
            let Some(disturbed) = Driver::die_and_replay(&plan(3), world.clone(), events, reached) else { continue };
            let moment = format!("died after {events} events, reached {reached}, in {world:?}");
            assert_eq!(disturbed.outcomes(), undisturbed.outcomes(), "{moment}");
            assert_eq!(disturbed.result(), undisturbed.result(), "{moment}");
            for host in 0..3 {
                assert_eq!(disturbed.steps_of(host), undisturbed.steps_of(host), "{moment}");
            }
        }
    }
}

#[test]
fn deliver_every_event_twice() {
    for step in FORWARD {
        let mut driver = Driver::begin(plan(3), World::with(&[(1, step, Way::Fails)]));
        driver.twice = true;
        let driver = driver.run();
        assert_eq!(driver.result(), RunStage::Finished(RunResult::Failed));
    }
}

#[test]
fn cancel_after_every_event_finishes_running_steps_releases_and_starts_nothing_more() {
    let length = Driver::begin(plan(2), World::default()).run().record.len();
    for events in 1..length {
        let mut driver = Driver::begin(plan(2), World::default());
        let mut queue = VecDeque::from(driver.take_lease());
        while driver.record.len() < events {
            let Some(event) = queue.pop_front().and_then(|effect| driver.world.carry_out(&effect)) else { continue };
            queue.extend(driver.deliver(event));
        }
        let under_way: Vec<_> = queue.iter().cloned().collect();
        queue.extend(driver.deliver(Event::CancelRequested { by: "test".to_owned() }));
        let before = driver.world.starts.len();
        let allowed = under_way.iter().filter(|effect| matches!(effect, Effect::Run { .. })).count();
        driver.carry_on(queue.into());
        driver.check_invariants();
        let forward_after = driver.world.order.iter().skip(before).filter(|key| FORWARD.contains(&key.1)).count();
        assert!(forward_after <= allowed, "started forward steps after the cancel");
        let back = [CONVERT_BACK, INSTALL_BACK];
        assert!(
            driver.world.order.iter().all(|key| !back.contains(&key.1)),
            "a cancel is no failure: nothing is rolled back"
        );
        let RunStage::Finished(result) = driver.result() else { panic!("not finished") };
        assert_ne!(result, RunResult::Failed);
    }
}

#[test]
fn a_cancelled_host_that_was_not_touched_is_skipped_and_one_that_was_touched_is_not() {
    let mut driver = Driver::begin(plan(3), World::default());
    let mut effects = driver.take_lease();
    while !driver.world.starts.contains_key(&(0, STOP)) {
        let event = driver.world.carry_out(&effects.remove(0)).unwrap();
        effects.extend(driver.deliver(event));
    }
    effects.extend(driver.deliver(Event::CancelRequested { by: "technician".to_owned() }));
    driver.carry_on(effects);
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Cancelled));
    assert_eq!(
        driver.outcome(0),
        Some(&Outcome::Failed { step: StepIndex(VERIFY), cancelled: true }),
        "the step that was under way ended first"
    );
    assert_eq!(driver.outcome(1), Some(&Outcome::Skipped { cause: SkipCause::Cancelled }));
}

#[test]
fn a_lost_step_holds_its_host_releases_what_was_stopped_and_never_rolls_back() {
    for step in FORWARD {
        let driver = Driver::begin(plan(1), World::with(&[(0, step, Way::LostThenWell)])).run();
        assert_eq!(driver.result(), RunStage::Suspended, "step {step}");
        assert_eq!(driver.outcome(0), None);
        assert!(!driver.steps_of(0).contains(&INSTALL_BACK));

        let driver = driver.resume();
        assert!(!driver.steps_of(0).contains(&INSTALL_BACK));
        let outcome = match step {
            // Nothing was left to do after it: all is known now, and all is well.
            ASK => Outcome::Updated,
            _ => Outcome::Failed { step: StepIndex(step), cancelled: false },
        };
        assert_eq!(driver.outcome(0), Some(&outcome), "step {step}");
    }
}

#[test]
fn a_lost_step_that_turns_out_failed_is_a_failure_without_rollback() {
    let driver = Driver::begin(plan(1), World::with(&[(0, INSTALL, Way::LostThenFailed)])).run().resume();
    assert_eq!(driver.outcome(0), Some(&Outcome::Failed { step: StepIndex(INSTALL), cancelled: false }));
    assert!(!driver.steps_of(0).contains(&INSTALL_BACK));
}

#[test]
fn a_lost_release_is_looked_at_again() {
    let driver = Driver::begin(plan(1), World::with(&[(0, START, Way::LostThenWell)])).run();
    assert_eq!(driver.result(), RunStage::Suspended);
    assert_eq!(driver.resume().outcome(0), Some(&Outcome::Updated));
}

#[test]
fn a_held_host_counts_as_failed_and_a_person_can_close_the_run() {
    let mut driver = Driver::begin(plan(3), World::with(&[(0, SAVE, Way::LostThenWell)])).run();
    assert_eq!(driver.result(), RunStage::Suspended);
    assert_eq!(driver.outcome(1), Some(&Outcome::Skipped { cause: SkipCause::FailureLimit }));
    let effects = driver.deliver(Event::RunClosed { by: "technician".to_owned() });
    driver.carry_on(effects);
    driver.check_invariants();
    assert_eq!(driver.outcome(0), Some(&Outcome::Unknown { step: StepIndex(SAVE) }));
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Failed));
}

#[test]
fn the_batch_that_exceeds_the_limit_is_the_last_and_unreachable_counts() {
    let check = |max_failures, world: World, expected: &[bool]| {
        let driver = Driver::begin(Plan { max_failures, ..plan(3) }, world).run();
        let skipped = Outcome::Skipped { cause: SkipCause::FailureLimit };
        let touched: Vec<_> = (0..3).map(|host| driver.outcome(host) != Some(&skipped)).collect();
        assert_eq!(touched, expected);
        assert_eq!(driver.result(), RunStage::Finished(RunResult::Failed));
    };
    check(0, World::with(&[(0, LOOK, Way::Fails)]), &[true, false, false]);
    check(1, World::with(&[(0, LOOK, Way::Fails)]), &[true, true, true]);
    check(0, World { unreachable: vec![0], ..World::default() }, &[true, false, false]);
    check(0, World { unreachable: vec![1], ..World::default() }, &[true, true, true]);
}

#[test]
fn nothing_to_do_needs_every_update_step_to_say_so() {
    let quiet = Way::SaysNothingChanged;
    let both = Driver::begin(plan(1), World::with(&[(0, INSTALL, quiet), (0, CONVERT, quiet)])).run();
    assert_eq!(both.outcome(0), Some(&Outcome::NothingToDo));
    let one = Driver::begin(plan(1), World::with(&[(0, INSTALL, quiet)])).run();
    assert_eq!(one.outcome(0), Some(&Outcome::Updated));
}

#[test]
fn an_update_step_without_rollback_is_not_rolled_back() {
    let mut plan = plan(1);
    plan.steps[CONVERT_BACK].part = Part::Rollback(StepIndex(INSTALL));
    plan.steps.remove(INSTALL_BACK);
    let driver = Driver::begin(plan.clone(), World::with(&[(0, ASK, Way::Fails)]));
    let mut driver = driver;
    let effects = driver.take_lease();
    driver.carry_on(effects);
    assert_eq!(plan.point_of_no_return(), Some(StepIndex(CONVERT)));
    assert_eq!(driver.outcome(0), Some(&Outcome::Failed { step: StepIndex(ASK), cancelled: false }));
    assert!(driver.steps_of(0).contains(&CONVERT_BACK), "what can be taken back is taken back");
}

#[test]
fn hosts_in_work_stay_within_the_limit() {
    let mut driver = Driver::begin(plan(6), World::default());
    let mut queue = VecDeque::from(driver.take_lease());
    while let Some(effect) = queue.pop_front() {
        let Some(event) = driver.world.carry_out(&effect) else { continue };
        queue.extend(driver.deliver(event));
        let in_work = |stage: &HostStage| matches!(stage, HostStage::Preparing | HostStage::InWork);
        assert!(driver.machine.run().hosts().iter().filter(|host| in_work(&host.stage)).count() <= 2);
    }
    driver.check_invariants();
}

#[test]
fn an_update_is_refused_should_the_order_of_steps_ever_be_wrong() {
    let mut plan = plan(1);
    plan.steps.swap(SAVE, INSTALL);
    let mut machine = Machine::new(Run::new(plan));
    let mut world = World::default();
    let mut effects = machine.take_lease(Epoch(1), "test:1", now()).unwrap().effects;
    let refused = loop {
        let event = world.carry_out(&effects.remove(0)).unwrap();
        match machine.handle(event, now()) {
            Ok(decision) => effects.extend(decision.effects),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.why, "no update without a verified backup");
    assert!(!world.starts.contains_key(&(0, SAVE)), "the update stands at the place of the backup and was not started");
}

#[test]
fn a_damaged_record_is_refused() {
    let driver = Driver::begin(plan(1), World::default()).run();
    let mut gap = driver.record.clone();
    gap.remove(3);
    assert!(Run::replay(plan(1), &gap).is_err());
    let mut twice = driver.record.clone();
    let again = Recorded { seq: twice.len() as i64 + 1, ..twice[4].clone() };
    twice.push(again);
    assert!(Run::replay(plan(1), &twice).is_err(), "nothing happens after the end");
    let mut machine = Machine::new(Run::new(plan(1)));
    machine.take_lease(Epoch(2), "test:1", now()).unwrap();
    assert!(machine.take_lease(Epoch(1), "test:2", now()).is_err(), "an older epoch never takes over");
}

#[test]
fn facts_of_earlier_steps_reach_later_ones_and_those_of_the_own_step_win() {
    let mut plan = plan(1);
    plan.steps[RECHECK].part = Part::Recheck(StepIndex(VERIFY));
    let mut run = Run::new(plan);
    let finished = |text: &str| StepRun::Finished {
        started_at: now(),
        finished_at: now(),
        result: StepResult { facts: Facts::from([("path".to_owned(), text.to_owned())]), ..ended(StepEnd::Succeeded) },
    };
    run.hosts[0].steps[SAVE] = finished("/backup");
    run.hosts[0].steps[INSTALL] = finished("/package");
    let path = |step: usize| run.facts_for(HostIndex(0), StepIndex(step)).get("path").cloned();
    assert_eq!(path(VERIFY).as_deref(), Some("/backup"));
    assert_eq!(path(ASK).as_deref(), Some("/package"));
    assert_eq!(path(INSTALL_BACK).as_deref(), Some("/package"));
}
