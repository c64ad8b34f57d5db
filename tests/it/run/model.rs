//! The driver with a real database on the model fleet: every line fault and every way to end, at every step, each on a host of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use turnus::app::controller::clock::Clock;
use turnus::app::controller::drive::Seat;
use turnus::app::controller::driver::{Assumed, Driver, End};
use turnus::app::controller::fleet::{Fleet, Location};
use turnus::app::progress::Progress;
use turnus::domain::id::{ContentHash, RunId};
use turnus::domain::plan::{Choice, Plan, StepIndex, build};
use turnus::domain::run::event::{Outcome, RunResult, SkipCause};
use turnus::domain::run::state::{HostStage, Run};
use turnus::edge::remote::Remote;
use turnus::edge::remote::capsule::StepKey;
use turnus::edge::remote::scripted::{Behaviour, Course, Fleet as Model, LineFault};
use turnus::edge::store::revision::{Revision, RevisionKind, store_revision};
use turnus::edge::store::run::create::{NewRun, create_run};
use turnus::edge::store::{Store, event, lease};

use crate::kit::database::Database;

const INVENTORY: &str = "inventory";
const JOB: &str = r#"
description  = "All phases"
batch        = ["100%"]
max_failures = 1000

[[step]]
phase = "preflight"
name  = "look"
run   = "true"

[[step]]
phase = "quiesce"
name  = "stop"
run   = "true"
undo  = "true"

[[step]]
phase  = "backup"
name   = "save"
run    = "true"
verify = "true"

[[step]]
phase    = "update"
name     = "install"
run      = "true"
rollback = "true"

[[step]]
phase = "smoke"
name  = "ask"
run   = "true"
"#;
/// look, stop, save, save (verify), save (recheck), install, ask | install (rollback) | stop (undo)
const FORWARD: usize = 7;
const INSTALL: usize = 5;
const STOP: usize = 1;
const ROLLBACK: usize = 7;
const UNDO: usize = 8;

fn plan(hosts: usize) -> Plan {
    plan_of(JOB, hosts)
}

pub(super) fn plan_of(job: &str, hosts: usize) -> Plan {
    let mut inventory = "[customer]\nname = \"Model\"\nlocale = \"en\"\ntime_zone = \"UTC\"\n".to_owned();
    for host in 0..hosts {
        inventory += &format!("[[host]]\nname = \"h{host}\"\naddress = \"h{host}\"\ngroups = [\"all\"]\n");
    }
    let customer = turnus::domain::inventory::parse::parse(&inventory, "inventories/model.toml").unwrap();
    let job = turnus::domain::job::parse::parse(job, "jobs/all.toml").unwrap();
    let choice = Choice { hosts: vec!["@all".to_owned()], parallel_hosts: hosts };
    let revision = |text: &str| ContentHash::of(text.as_bytes());
    let plan = build(&customer, &job, &choice).unwrap();
    Plan { customer_revision: revision(INVENTORY), job_revision: revision(JOB), ..plan }
}

async fn store_run(store: &Store, plan: &Plan) -> RunId {
    let id = RunId(uuid::Uuid::now_v7());
    let mut transaction = store.begin().await.unwrap();
    for (kind, content, hash) in
        [(RevisionKind::Inventory, INVENTORY, &plan.customer_revision), (RevisionKind::Job, JOB, &plan.job_revision)]
    {
        store_revision(&mut transaction, &Revision { hash, kind, name: "model", content }).await.unwrap();
    }
    let hash = plan.hash();
    let new = NewRun {
        id,
        plan,
        plan_hash: &hash,
        reason: None,
        started_by: "test",
        idempotency_key: None,
        occurrence: None,
        lease: None,
    };
    create_run(&mut transaction, &new).await.unwrap();
    transaction.commit().await.unwrap();
    id
}

/// Drives a run on the model to its end, and returns the state that its record folds into.
pub(super) async fn drive(model: &Model, plan: &Plan) -> (End, Run) {
    let database = Database::open().await;
    let store = database.store().await;
    let id = store_run(&store, plan).await;
    let mut transaction = store.begin().await.unwrap();
    let epoch = lease::take_lease(&mut transaction, id, "test:1").await.unwrap().unwrap();
    transaction.commit().await.unwrap();
    let connect = |location: &Location| match location {
        Location::Host(name) => Arc::new(Remote::Scripted(model.host(name.as_str()))),
        Location::Controller => Arc::new(Remote::Scripted(model.host("controller"))),
    };
    let fleet = Fleet::new(id, epoch, Arc::new(plan.clone()), connect);
    let assumed = Assumed {
        run: id,
        epoch,
        controller: "test:1".to_owned(),
        record: Vec::new(),
        stored_output: BTreeMap::new(),
        clock: Clock::set(jiff::Timestamp::now(), tokio::time::Instant::now()),
    };
    let (_keep, mut cancel) = mpsc::channel(1);
    let seat = Seat {
        progress: &mut Progress::quiet(),
        cancel: &mut cancel,
        leave: &CancellationToken::new(),
        nudge: &Notify::new(),
        overdue: Duration::from_secs(5),
    };
    let end = Driver::new(assumed, &store, fleet, seat).unwrap().drive().await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    let record = event::read_events(&mut transaction, id).await.unwrap();
    drop(transaction);
    store.close().await.unwrap();
    database.close().await;
    (end, Run::replay(plan.clone(), &record).unwrap())
}

fn key(plan: &Plan, host: usize, step: usize) -> StepKey {
    StepKey::new(&plan.hosts[host].name, step)
}

/// The steps that were started for each host, in order; none twice.
pub(super) fn starts(model: &Model, plan: &Plan) -> Vec<Vec<usize>> {
    let mut of_host = vec![Vec::new(); plan.hosts.len()];
    for (_, key) in model.starts() {
        let (host, step) = key.rsplit_once('.').unwrap();
        let host = plan.hosts.iter().position(|planned| planned.name.as_str() == host).unwrap();
        let step: usize = step.parse().unwrap();
        assert!(!of_host[host].contains(&step), "step {step} of host {host} was started twice");
        of_host[host].push(step);
    }
    of_host
}

pub(super) fn outcome(run: &Run, host: usize) -> Outcome {
    match &run.hosts()[host].stage {
        HostStage::Finished(outcome) => outcome.clone(),
        stage => panic!("host {host} is {stage:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_of_a_line_changes_what_happens() {
    let faults =
        [LineFault::Refused, LineFault::LostBeforeLaunch, LineFault::LostAfterLaunch, LineFault::LostAfter(60)];
    let steps: Vec<usize> = (0..FORWARD).chain([UNDO]).collect();
    let cases: Vec<_> = steps.iter().flat_map(|step| faults.map(|fault| (*step, fault))).collect();
    let plan = plan(cases.len());
    let model = Model::default();
    for (host, (step, fault)) in cases.iter().enumerate() {
        model.add_fault(plan.hosts[host].name.as_str(), Some(&key(&plan, host, *step)), *fault);
    }
    let (end, run) = drive(&model, &plan).await;
    assert_eq!(end, End::Finished(RunResult::Succeeded));
    for (host, started) in starts(&model, &plan).iter().enumerate() {
        assert_eq!(outcome(&run, host), Outcome::Updated, "{:?}", cases[host]);
        assert_eq!(*started, steps, "{:?}", cases[host]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_end_at_every_step_is_told_and_nothing_stays_stopped() {
    let fails = Behaviour { status: 7, ..Behaviour::default() };
    let ways = [Course::Ends, Course::TimesOut, Course::Vanishes, Course::Reboots];
    let cases: Vec<_> = (0..FORWARD).flat_map(|step| ways.map(|course| (step, course))).collect();
    let plan = plan(cases.len());
    let model = Model::default();
    for (host, (step, course)) in cases.iter().enumerate() {
        let behaviour = Behaviour { course: *course, ..fails.clone() };
        model.set_behaviour(plan.hosts[host].name.as_str(), &key(&plan, host, *step), behaviour);
    }
    let (end, run) = drive(&model, &plan).await;
    assert_eq!(end, End::Finished(RunResult::Failed));
    for (host, started) in starts(&model, &plan).iter().enumerate() {
        let (failing, _) = cases[host];
        let mut expected: Vec<usize> = (0..=failing).collect();
        expected.extend((failing >= INSTALL).then_some(ROLLBACK));
        expected.extend((failing >= STOP).then_some(UNDO));
        assert_eq!(*started, expected, "{:?}", cases[host]);
        let step = StepIndex(failing);
        let wanted = match failing {
            ..INSTALL => Outcome::Failed { step, cancelled: false },
            _ => Outcome::FailedAndRolledBack { step },
        };
        assert_eq!(outcome(&run, host), wanted, "{:?}", cases[host]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_is_waited_for_beyond_its_time_ends_well() {
    let plan = plan(1);
    let model = Model::default();
    let slow = Behaviour { course: Course::EndsOverdue, ..Behaviour::default() };
    model.set_behaviour("h0", &key(&plan, 0, INSTALL), slow);
    let (_, run) = drive(&model, &plan).await;
    assert_eq!(outcome(&run, 0), Outcome::Updated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_beyond_the_failure_limit_are_never_connected() {
    let mut plan = plan(3);
    plan.max_failures = 0;
    plan.batches = vec![plan.batches[0][..1].to_vec(), plan.batches[0][1..].to_vec()];
    let model = Model::default();
    let fails = Behaviour { status: 1, ..Behaviour::default() };
    model.set_behaviour("h0", &key(&plan, 0, 0), fails);
    let (_, run) = drive(&model, &plan).await;
    assert_eq!(outcome(&run, 2), Outcome::Skipped { cause: SkipCause::FailureLimit });
    assert_eq!(starts(&model, &plan), [vec![0], vec![], vec![]]);
}
