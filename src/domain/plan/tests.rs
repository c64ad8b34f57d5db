//! Plans as data: which hosts, which batches, which steps in which order.

use std::collections::BTreeMap;

use super::{Choice, Part, Plan, Refusal, StepIndex, Task, build};
use crate::domain::id::{ContentHash, Name};
use crate::domain::inventory::{Connection, Customer, Host, Locale};
use crate::domain::job::{
    Action, BackupRule, BatchSize, Conffiles, Job, PackagesAction, Phase, Place, Rollback, Step, Which,
};
use crate::domain::packages::choose::DriftPolicy;
use crate::domain::probe::{Check, HostProbe, OnRedBefore, Patience, Probe, TcpCheck};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn host(text: &str, groups: &[&str]) -> Host {
    let connection = Connection::to(format!("{text}.example"));
    let groups = groups.iter().map(|group| name(group)).collect();
    Host { name: name(text), connection, groups, vars: BTreeMap::new(), probes: Vec::new(), capacity: Vec::new() }
}

fn customer(hosts: Vec<Host>) -> Customer {
    Customer {
        name: name("nordwind"),
        display_name: "Nordwind".to_owned(),
        locale: Locale::De,
        time_zone: "Europe/Berlin".to_owned(),
        holidays: None,
        period_report: None,
        contacts: Vec::new(),
        windows: Vec::new(),
        freezes: Vec::new(),
        calendars: Vec::new(),
        hosts,
        revision: ContentHash::of(b"inventory"),
    }
}

fn step(phase: Phase, text: &str) -> Step {
    Step {
        phase,
        name: text.to_owned(),
        place: Place::Host,
        action: Action::Script(format!("do {text}")),
        undo: None,
        rollback: None,
        verify: (phase == Phase::Backup).then(|| format!("verify {text}")),
        timeout_s: 60,
        estimate_s: None,
        secrets: BTreeMap::new(),
    }
}

fn job(steps: Vec<Step>) -> Job {
    Job {
        name: name("quarterly"),
        description: "Quarterly".to_owned(),
        batch: vec![BatchSize::Count(1), BatchSize::Percent(100)],
        max_failures: 0,
        watch_after_s: 0,
        backup: BackupRule::Required,
        steps,
        revision: ContentHash::of(b"job"),
    }
}

fn choice(hosts: &[&str]) -> Choice {
    Choice { hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), parallel_hosts: 4 }
}

fn labels(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{}: {}", step.phase, step.label())).collect()
}

#[test]
fn batches_round_up_and_the_last_size_repeats() {
    let check = |total: usize, sizes: &[BatchSize], expected: &[usize]| {
        let hosts = (0..total).map(|index| host(&format!("h{index}"), &["all"])).collect();
        let mut job = job(vec![step(Phase::Preflight, "look")]);
        job.batch = sizes.to_vec();
        let plan = build(&customer(hosts), &job, &choice(&["@all"])).unwrap();
        let lengths: Vec<_> = plan.batches.iter().map(Vec::len).collect();
        assert_eq!(lengths, expected, "{total} hosts in {sizes:?}");
        let flat: Vec<_> = plan.batches.iter().flatten().map(|index| index.0).collect();
        assert_eq!(flat, (0..total).collect::<Vec<_>>(), "every host once, in order");
    };
    use BatchSize::{Count, Percent};
    check(10, &[Count(1), Percent(50), Percent(100)], &[1, 5, 4]);
    check(3, &[Count(1), Percent(50), Percent(100)], &[1, 2]);
    check(5, &[Percent(30)], &[2, 2, 1]);
    check(7, &[Count(2)], &[2, 2, 2, 1]);
    check(1, &[Percent(1)], &[1]);
    check(2, &[Count(u32::MAX)], &[2]);
}

#[test]
fn steps_are_laid_out_by_phase_with_proof_before_update_and_the_way_back_in_reverse() {
    let stop = Step { undo: Some("start".to_owned()), ..step(Phase::Quiesce, "stop") };
    let pause = Step { undo: Some("resume".to_owned()), ..step(Phase::Quiesce, "pause") };
    let install = Step { rollback: Some(Rollback::Script("downgrade".to_owned())), ..step(Phase::Update, "install") };
    let convert =
        Step { rollback: Some(Rollback::Script("convert back".to_owned())), ..step(Phase::Update, "convert") };
    let steps = vec![
        step(Phase::Smoke, "ask"),
        install,
        convert,
        step(Phase::Backup, "archive"),
        step(Phase::Backup, "dump"),
        stop,
        pause,
        step(Phase::Preflight, "look"),
    ];
    let plan = build(&customer(vec![host("web", &[])]), &job(steps), &choice(&["web"])).unwrap();
    let expected = [
        "preflight: look",
        "quiesce: stop",
        "quiesce: pause",
        "backup: archive",
        "backup: archive (verify)",
        "backup: dump",
        "backup: dump (verify)",
        "backup: archive (recheck)",
        "backup: dump (recheck)",
        "update: install",
        "update: convert",
        "smoke: ask",
        "rollback: convert (rollback)",
        "rollback: install (rollback)",
        "release: pause (undo)",
        "release: stop (undo)",
    ];
    assert_eq!(labels(&plan), expected);
    assert_eq!(plan.steps[4].part, Part::Verify(StepIndex(3)));
    assert_eq!(plan.steps[7].part, Part::Recheck(StepIndex(4)), "the recheck looks at what the verification proved");
    assert_eq!(plan.steps[12].part, Part::Rollback(StepIndex(10)));
    assert_eq!(plan.steps[12].task, Task::Script("convert back".to_owned()));
    assert_eq!(plan.point_of_no_return(), None);
}

#[test]
fn packages_are_looked_at_first_kept_with_the_backup_and_accounted_for_last() {
    let packages = Action::Packages(PackagesAction {
        which: Which::Approved,
        conffiles: Conffiles::Keep,
        drift: DriftPolicy::Hold,
        lock_wait_s: 60,
    });
    let install = Step { action: packages, rollback: Some(Rollback::Packages), ..step(Phase::Update, "packages") };
    let stop = Step { undo: Some("start".to_owned()), ..step(Phase::Quiesce, "stop") };
    let steps = |install: &Step| vec![install.clone(), stop.clone(), step(Phase::Backup, "archive")];
    let plan = build(&customer(vec![host("web", &[])]), &job(steps(&install)), &choice(&["web"])).unwrap();
    let expected = [
        "preflight: packages (look)",
        "quiesce: stop",
        "backup: archive",
        "backup: archive (verify)",
        "backup: packages (keep)",
        "backup: archive (recheck)",
        "update: packages",
        "rollback: packages (rollback)",
        "release: stop (undo)",
        "release: packages (account)",
    ];
    assert_eq!(labels(&plan), expected);
    let look = Some(StepIndex(0));
    let chosen_by: Vec<_> = plan.steps.iter().map(|step| step.chosen_by).collect();
    assert_eq!(chosen_by, [None, None, None, None, look, None, look, look, None, None]);
    assert_eq!(plan.steps[9].task, Task::Account { look: StepIndex(0) });
    assert_eq!(plan.point_of_no_return(), None);

    let install = Step { rollback: None, ..install };
    let plan = build(&customer(vec![host("web", &[])]), &job(steps(&install)), &choice(&["web"])).unwrap();
    assert!(!labels(&plan).iter().any(|label| label.contains("keep") || label.contains("rollback")));
    assert_eq!(plan.point_of_no_return(), Some(StepIndex(5)));
}

#[test]
fn the_probes_of_hosts_are_asked_before_anything_is_touched_and_after() {
    let services = Step { action: Action::HostProbes, place: Place::Controller, ..step(Phase::Smoke, "services") };
    let stop = Step { undo: Some("start".to_owned()), ..step(Phase::Quiesce, "stop") };
    let steps = vec![step(Phase::Preflight, "look"), stop, step(Phase::Update, "install"), services];
    let mut web = host("web", &[]);
    web.probes = vec![HostProbe {
        name: "mail".to_owned(),
        probe: Probe {
            check: Check::Tcp(TcpCheck { address: "$ADDRESS:25".to_owned(), greeting: None }),
            patience: Patience::default(),
        },
        from: None,
        on_red_before: OnRedBefore::Hold,
        watch: None,
    }];
    let without_backup = Job { backup: BackupRule::None { reason: "none".to_owned() }, ..job(steps) };
    let plan = build(&customer(vec![web.clone()]), &without_backup, &choice(&["web"])).unwrap();
    let expected = [
        "preflight: look",
        "preflight: services (before)",
        "quiesce: stop",
        "update: install",
        "smoke: services",
        "release: stop (undo)",
    ];
    assert_eq!(labels(&plan), expected);
    assert_eq!(plan.steps[1].task, Task::HostProbes { before: None });
    assert_eq!(plan.steps[4].task, Task::HostProbes { before: Some(StepIndex(1)) });
    assert_eq!(plan.hosts[0].probes, web.probes);
}

#[test]
fn the_point_of_no_return_is_the_first_update_step_without_rollback() {
    let install = Step { rollback: Some(Rollback::Script("downgrade".to_owned())), ..step(Phase::Update, "install") };
    let steps =
        vec![step(Phase::Backup, "archive"), install, step(Phase::Update, "migrate"), step(Phase::Update, "more")];
    let plan = build(&customer(vec![host("web", &[])]), &job(steps), &choice(&["web"])).unwrap();
    let point = plan.point_of_no_return().unwrap();
    assert_eq!(plan.steps[point.0].name, "migrate");
}

#[test]
fn hosts_come_from_names_and_groups_in_the_order_of_the_inventory() {
    let hosts = vec![host("a", &["web"]), host("b", &["mail"]), host("c", &["web"])];
    let check = |wanted: &[&str], expected: &[&str]| {
        let plan =
            build(&customer(hosts.clone()), &job(vec![step(Phase::Preflight, "look")]), &choice(wanted)).unwrap();
        let names: Vec<_> = plan.hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, expected, "{wanted:?}");
    };
    check(&["c", "a"], &["a", "c"]);
    check(&["@web"], &["a", "c"]);
    check(&["@web", "b", "a"], &["a", "b", "c"]);
}

#[test]
fn what_does_not_exist_is_refused() {
    let customer = customer(vec![host("a", &[])]);
    let look = job(vec![step(Phase::Preflight, "look")]);
    let refusal = |job: &Job, wanted: &[&str]| build(&customer, job, &choice(wanted)).unwrap_err();
    assert!(matches!(refusal(&look, &["a", "nope"]), Refusal::NoSuchHost { wanted, .. } if wanted == "nope"));
    assert!(matches!(refusal(&look, &["@nope"]), Refusal::NoSuchHost { .. }));
    assert!(matches!(refusal(&look, &[]), Refusal::NoHostsNamed { .. }));
    let snapshot = Step { place: Place::Delegate(name("hv1")), ..step(Phase::Preflight, "snapshot") };
    assert!(matches!(refusal(&job(vec![snapshot]), &["a"]), Refusal::NoSuchDelegate { .. }));
}

#[test]
fn the_hash_tells_plans_apart_and_survives_storage() {
    let customer = customer(vec![host("a", &[]), host("b", &[])]);
    let look = job(vec![step(Phase::Preflight, "look")]);
    let plan = build(&customer, &look, &choice(&["a"])).unwrap();
    let other = build(&customer, &look, &choice(&["b"])).unwrap();
    assert_ne!(plan.hash(), other.hash());
    let stored = serde_json::to_value(&plan).unwrap();
    let loaded: Plan = serde_json::from_value(stored).unwrap();
    assert_eq!(loaded, plan);
    assert_eq!(loaded.hash(), plan.hash());
}
