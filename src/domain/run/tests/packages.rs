//! Runs that install packages: held back or with nothing to do, a host is left as it is; whatever happens after that, the account is
//! the last thing that is taken.

use super::{Driver, Way, World, name, plan, step};
use crate::domain::job::{Phase, Which};
use crate::domain::packages::choose::{DriftPolicy, Look};
use crate::domain::packages::{Change, ChangeKind, Package, PackageManager, PackagesRecord};
use crate::domain::plan::{HostIndex, Part, Plan, PlannedStep, StepIndex, Task};
use crate::domain::run::event::{Event, Outcome, RunResult, SkipCause, StepEnd, StepResult};
use crate::domain::run::machine::{Effect, Machine};
use crate::domain::run::state::{Run, RunStage};

const LOOK: usize = 0;
const STOP: usize = 1;
const KEEP: usize = 4;
const INSTALL: usize = 6;
const ASK: usize = 7;
const RESTORE: usize = 8;
const START: usize = 9;
const ACCOUNT: usize = 10;

pub(super) fn choice(names: &[&str]) -> Look {
    let change = |name: &&str| Change {
        package: Package { name: (*name).to_owned(), architecture: "amd64".to_owned() },
        kind: ChangeKind::Upgrade,
        from: Some("1".to_owned()),
        to: Some("2".to_owned()),
        repository: Some("main".to_owned()),
        security: false,
        size_bytes: None,
    };
    Look {
        manager: PackageManager::Apt,
        chosen: names.iter().map(change).collect(),
        left: Vec::new(),
        held: Vec::new(),
        transaction: String::new(),
        without_way_back: Vec::new(),
        warnings: Vec::new(),
    }
}

/// A job whose only update are packages.
fn packages_plan(hosts: usize) -> Plan {
    let look = StepIndex(LOOK);
    let of_choice = |step: PlannedStep| PlannedStep { chosen_by: Some(look), ..step };
    let wanted = Task::Look { which: Which::Approved, drift: DriftPolicy::default(), lock_wait_s: 60 };
    let steps = vec![
        PlannedStep { task: wanted, ..step(Phase::Preflight, "packages", Part::Look) },
        step(Phase::Quiesce, "stop", Part::Run),
        step(Phase::Backup, "save", Part::Run),
        step(Phase::Backup, "save", Part::Verify(StepIndex(2))),
        of_choice(step(Phase::Backup, "packages", Part::Keep)),
        step(Phase::Backup, "save", Part::Recheck(StepIndex(3))),
        of_choice(step(Phase::Update, "packages", Part::Run)),
        step(Phase::Smoke, "ask", Part::Run),
        of_choice(step(Phase::Rollback, "packages", Part::Rollback(StepIndex(INSTALL)))),
        step(Phase::Release, "stop", Part::Undo(StepIndex(STOP))),
        PlannedStep {
            task: Task::Account { look },
            ..step(Phase::Release, "packages", Part::Account(StepIndex(INSTALL)))
        },
    ];
    Plan { steps, ..plan(hosts) }
}

/// Drives without the invariants of the other plan.
fn drive(hosts: usize, ways: &[(usize, usize, Way)]) -> Driver {
    let mut driver = Driver::begin(packages_plan(hosts), World::with(ways));
    let effects = driver.take_lease();
    driver.carry_on(effects);
    driver
}

#[test]
fn what_was_chosen_is_installed_and_accounted_for() {
    let driver = drive(1, &[]);
    assert_eq!(driver.steps_of(0), [LOOK, STOP, 2, 3, KEEP, 5, INSTALL, ASK, START, ACCOUNT]);
    assert_eq!(driver.outcome(0), Some(&Outcome::Updated));
}

#[test]
fn a_host_that_is_held_back_is_not_touched_and_the_others_go_on() {
    let mut driver = Driver::begin(packages_plan(3), World::with(&[(0, LOOK, Way::HoldsBack)]));
    let effects = driver.take_lease();
    driver.carry_on(effects);
    assert_eq!(driver.steps_of(0), [LOOK], "nothing was stopped");
    assert_eq!(driver.outcome(0), Some(&Outcome::Skipped { cause: SkipCause::HeldBack }));
    assert_eq!(driver.outcome(1), Some(&Outcome::Updated), "it does not count as a failure");
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Failed), "but nobody had asked for it");
}

#[test]
fn a_host_that_is_held_back_is_left_in_order() {
    let mut machine = Machine::new(Run::new(packages_plan(1)));
    let host = HostIndex(0);
    machine.take_lease(crate::domain::id::Epoch(1), "test:1", super::now()).unwrap();
    machine.handle(Event::HostReady { host, facts: Default::default() }, super::now()).unwrap();
    let result = StepResult::of(StepEnd::Held { why: "another list".to_owned() });
    let held = Event::StepFinished { host, step: StepIndex(LOOK), result };
    let decision = machine.handle(held, super::now()).unwrap();
    assert_eq!(decision.effects, [Effect::Leave { host }, Effect::Stop], "its connection is ended");
}

#[test]
fn with_nothing_to_install_nothing_is_stopped() {
    let driver = drive(2, &[(0, LOOK, Way::ChoosesNothing)]);
    assert_eq!(driver.steps_of(0), [LOOK]);
    assert_eq!(driver.outcome(0), Some(&Outcome::NothingToDo));
    assert_eq!(driver.outcome(1), Some(&Outcome::Updated));
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Succeeded));
}

#[test]
fn a_job_that_changes_more_than_packages_goes_on_without_any() {
    let mut plan = packages_plan(1);
    plan.steps.insert(ASK, step(Phase::Update, "migrate", Part::Run));
    let mut driver = Driver::begin(plan, World::with(&[(0, LOOK, Way::ChoosesNothing)]));
    let effects = driver.take_lease();
    driver.carry_on(effects);
    assert!(driver.steps_of(0).contains(&ASK));
}

#[test]
fn whatever_fails_the_account_comes_last_once_something_was_installed() {
    for failing in LOOK..=ACCOUNT {
        let driver = drive(1, &[(0, failing, Way::Fails)]);
        let steps = driver.steps_of(0);
        let installs = steps.contains(&INSTALL);
        assert_eq!(steps.contains(&ACCOUNT), installs, "step {failing}: {steps:?}");
        assert!(!installs || steps.last() == Some(&ACCOUNT), "step {failing}: {steps:?}");
        assert_eq!(steps.contains(&RESTORE), matches!(failing, INSTALL | ASK), "step {failing}: {steps:?}");
        assert_eq!(steps.contains(&START), steps.contains(&STOP), "step {failing}: {steps:?}");
        assert!(!steps.contains(&failing) || !driver.outcome(0).unwrap().is_good(), "step {failing}");
    }
}

#[test]
fn an_account_that_can_not_be_taken_is_taken_by_whoever_resumes() {
    let driver = drive(1, &[(0, ACCOUNT, Way::LostThenWell)]);
    assert_eq!(driver.result(), RunStage::Suspended, "what is installed is not known");
    let mut driver = driver;
    let effects = driver.take_lease();
    driver.carry_on(effects);
    assert_eq!(driver.outcome(0), Some(&Outcome::Updated));
}

#[test]
fn steps_of_packages_know_what_was_chosen_on_their_host() {
    let mut machine = Machine::new(Run::new(packages_plan(1)));
    let (host, now) = (HostIndex(0), super::now());
    machine.take_lease(crate::domain::id::Epoch(1), "test:1", now).unwrap();
    machine.handle(Event::HostReady { host, facts: Default::default() }, now).unwrap();
    assert_eq!(machine.run().choice_for(host, StepIndex(INSTALL)), None, "before the look");
    let look = choice(&["nginx"]);
    let packages = Some(Box::new(PackagesRecord::Looked(look.clone())));
    let result = StepResult { packages, ..StepResult::of(StepEnd::Succeeded) };
    machine.handle(Event::StepFinished { host, step: StepIndex(LOOK), result }, now).unwrap();
    for step in [KEEP, INSTALL, RESTORE, ACCOUNT] {
        assert_eq!(machine.run().choice_for(host, StepIndex(step)), Some(&look), "step {step}");
    }
    for step in [LOOK, STOP, ASK, START] {
        assert_eq!(machine.run().choice_for(host, StepIndex(step)), None, "step {step}");
    }
    assert_eq!(machine.run().plan().find_host(&name("h0")), Some(host));
}
