//! The looks at packages that a run makes, on the model fleet: lines fail, hosts must not be touched, lists have changed.

use std::collections::BTreeMap;

use turnus::app::controller::driver::End;
use turnus::domain::id::ContentHash;
use turnus::domain::packages::choose::Look;
use turnus::domain::packages::{Change, ChangeKind, Package, PackagesRecord};
use turnus::domain::plan::{Plan, StepIndex};
use turnus::domain::review::{Approval, Selection};
use turnus::domain::run::event::{Outcome, RunResult, SkipCause, StepEnd};
use turnus::domain::run::state::Run;
use turnus::edge::remote::scripted::{Fleet as Model, LineFault};

use super::model::{drive, outcome, plan_of, starts};

const ALL: &str = r#"
description  = "Packages"
backup       = "none"
backup_reason = "test"
batch        = ["100%"]
max_failures = 1000

[[step]]
phase    = "update"
name     = "install"
packages = "all"
rollback = "packages"
"#;
/// look, keep, install | install (rollback) | install (account); looks are no capsules.
const LOOK: usize = 0;
const KEEP: usize = 1;
const INSTALL: usize = 2;

const INSTALLED: &str = "shop\tamd64\t1.0\tinstalled";

/// The host has this version of the shop pending, and offers that one when it is asked.
fn set_shop(model: &Model, host: &str, pending: &str, offered: &str) {
    let line = |version: &str| format!("Inst shop [1.0] ({version} Shop:1/stable [amd64])");
    let common = [("manager", "apt"), ("architecture", "amd64"), ("installed", INSTALLED)];
    model.set_sections(host, "survey", &[&common[..], &[("pending", &line(pending))]].concat());
    let transaction = line(offered);
    let answer = [("transaction.0", transaction.as_str()), ("checksum.0", "1 2")];
    model.set_sections(host, "simulate", &[&common[..], &answer].concat());
}

fn look(run: &Run, host: usize) -> Option<Look> {
    let record = run.hosts()[host].steps[LOOK].result()?.packages.clone()?;
    match *record {
        PackagesRecord::Looked(look) => Some(look),
        PackagesRecord::Accounted(_) => None,
    }
}

fn looks_of(model: &Model, host: &str, verb: &str) -> usize {
    model.looks().iter().filter(|(machine, of)| machine == host && of == verb).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_of_a_line_changes_what_a_look_chooses() {
    let faults =
        [LineFault::Refused, LineFault::LostBeforeLaunch, LineFault::LostAfterLaunch, LineFault::LostAfter(60)];
    let cases: Vec<_> = ["survey", "simulate"].iter().flat_map(|verb| faults.map(|fault| (*verb, fault))).collect();
    let plan = plan_of(ALL, cases.len());
    let model = Model::default();
    for (host, (verb, fault)) in cases.iter().enumerate() {
        let name = plan.hosts[host].name.as_str();
        set_shop(&model, name, "1.1", "1.1");
        model.add_fault_of_look(name, verb, *fault);
    }
    let (end, run) = drive(&model, &plan).await;
    assert_eq!(end, End::Finished(RunResult::Succeeded));
    for (host, started) in starts(&model, &plan).iter().enumerate() {
        assert_eq!(*started, [KEEP, INSTALL], "{:?}", cases[host]);
        assert_eq!(outcome(&run, host), Outcome::Updated, "{:?}", cases[host]);
        let look = look(&run, host).unwrap();
        assert_eq!((look.chosen.len(), look.transaction.as_str()), (1, "1 2"), "{:?}", cases[host]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_whose_line_is_lost_three_times_is_made_again_after_a_pause() {
    let plan = plan_of(ALL, 1);
    let model = Model::default();
    (0..3).for_each(|_| model.add_fault_of_look("h0", "survey", LineFault::LostAfter(30)));
    let (_, run) = drive(&model, &plan).await;
    assert_eq!(outcome(&run, 0), Outcome::NothingToDo, "the look after the pause is a good one");
    assert_eq!(looks_of(&model, "h0", "survey"), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_with_nothing_pending_or_with_an_obstacle_are_not_touched() {
    let plan = plan_of(ALL, 4);
    let model = Model::default();
    // h0 is as every machine of the model: nothing is pending.
    let obstacles = [
        ("h1", "half-configured dpkg --configure -a\nshop is half done", "dpkg --configure -a"),
        ("h2", "locked 3\nunattended-upgrade (process 7) is at work", "unattended-upgrade (process 7)"),
        ("h3", "refresh-failed\nE: no such host", "E: no such host"),
    ];
    for (host, obstacle, _) in obstacles {
        model.set_sections(host, "survey", &[("manager", "apt"), ("obstacle", obstacle)]);
    }
    let (end, run) = drive(&model, &plan).await;
    assert_eq!(end, End::Finished(RunResult::Failed));
    assert_eq!(starts(&model, &plan), vec![Vec::<usize>::new(); 4]);
    assert_eq!(outcome(&run, 0), Outcome::NothingToDo);
    for (index, (host, _, told)) in obstacles.iter().enumerate() {
        assert_eq!(outcome(&run, index + 1), Outcome::Failed { step: StepIndex(LOOK), cancelled: false }, "{host}");
        let end = run.hosts()[index + 1].steps[LOOK].result().unwrap().end.clone();
        assert!(matches!(&end, StepEnd::NotMet { why } if why.contains(told)), "{host}: {end:?}");
    }
}

/// The shop's update from 1.0 to 1.1 was approved on every host.
fn approved(job: &str) -> Plan {
    let plan = plan_of(job, 1);
    let change = Change {
        package: Package { name: "shop".to_owned(), architecture: "amd64".to_owned() },
        kind: ChangeKind::Upgrade,
        from: Some("1.0".to_owned()),
        to: Some("1.1".to_owned()),
        repository: Some("Shop/stable".to_owned()),
        security: false,
        size_bytes: None,
    };
    let changes: BTreeMap<_, _> = plan.hosts.iter().map(|host| (host.name.clone(), vec![change.clone()])).collect();
    let approval = Approval {
        list: ContentHash::of(b"list"),
        by: "Jana".to_owned(),
        at: jiff::Timestamp::UNIX_EPOCH,
        note: None,
        selection: Selection::default(),
        changes,
    };
    Plan { approval: Some(approval), ..plan }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approved_version_that_was_outrun_is_installed_while_it_is_offered_unless_the_job_says_hold() {
    let install = ALL.replace("\"all\"\n", "\"approved\"\n");
    let hold = install.replace("\"approved\"", "\"approved\"\ndrift = \"hold\"");
    for (job, offered, installs) in [(&install, "1.1", true), (&install, "1.2", false), (&hold, "1.1", false)] {
        let plan = approved(job);
        let model = Model::default();
        set_shop(&model, "h0", "1.2", offered);
        let (_, run) = drive(&model, &plan).await;
        let look = look(&run, 0).unwrap();
        let chosen: Vec<_> = look.chosen.iter().map(ToString::to_string).collect();
        if installs {
            assert_eq!(chosen, ["shop 1.0 → 1.1"]);
            assert_eq!(outcome(&run, 0), Outcome::Updated);
        } else {
            assert_eq!(chosen, [""; 0], "{job}");
            assert_eq!(outcome(&run, 0), Outcome::Skipped { cause: SkipCause::HeldBack });
            assert_eq!(starts(&model, &plan), [vec![0_usize; 0]]);
        }
    }
}
