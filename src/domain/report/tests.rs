//! What a report says of runs that went well, went wrong, or are not over.

use super::host::{Effect, HostReport, OutcomeKind, PhaseState};
use super::meanwhile::{Meanwhile, QuietDate, Undelivered};
use super::open_point::OpenPoint;
use super::samples::{Answer, Story, account, accounted, at, facts, fault, look, looked, name, restart};
use super::step::{Cause, StepReference, StepState};
use super::{BackupPromise, Counts, Report};
use crate::domain::id::Epoch;
use crate::domain::job::{BackupRule, Phase};
use crate::domain::notification::Kind;
use crate::domain::run::event::RunState;
use crate::domain::run::event::{Event, StepEnd};

fn host<'a>(report: &'a Report, wanted: &str) -> &'a HostReport {
    report.hosts.iter().find(|host| host.name == name(wanted)).unwrap()
}

fn labels(steps: impl IntoIterator<Item = StepReference>) -> Vec<String> {
    steps.into_iter().map(|step| format!("{}/{}", step.name, step.part)).collect()
}

fn kinds(report: &Report) -> Vec<OutcomeKind> {
    report.hosts.iter().map(|host| host.outcome.kind).collect()
}

/// The open points as `kind host step state`.
fn open_points(report: &Report) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let point = |point: &OpenPoint| {
        let json = serde_json::to_value(point).unwrap();
        let words = [&json["kind"], &json["host"], &json["step"]["name"], &json["state"], &json["cause"]["kind"]];
        words.into_iter().map(text).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    report.open_points.iter().map(point).collect()
}

fn failure() -> Answer {
    Answer::Ends(StepEnd::Failed { exit_status: 3 }, "it broke")
}

#[test]
fn a_run_that_went_well() {
    let report = Story::new().report();
    assert_eq!(report.state, RunState::Succeeded);
    assert_eq!(report.worst_outcome, Some(OutcomeKind::NothingToDo));
    assert_eq!(report.counts, Counts { hosts: 3, updated: 2, nothing_to_do: 1, ..Counts::default() });
    assert_eq!(open_points(&report), [""; 0]);
    assert_eq!(report.started_at, Some(at(0)));
    assert_eq!(report.finished_at, report.recorded_until);
    assert!(report.duration_ms.is_some());
    assert_eq!(report.controllers, ["office:4711"]);
    assert_eq!(report.hosts.iter().map(|host| host.batch).collect::<Vec<_>>(), [1, 2, 2]);
}

#[test]
fn what_happened_on_one_host() {
    let report = Story::new().report();
    let mail = host(&report, "mail01");
    assert_eq!(mail.outcome.kind, OutcomeKind::Updated);
    assert_eq!((mail.started_at, mail.finished_at), (Some(at(0)), Some(at(399))));
    let phases: Vec<_> = mail.phases.iter().map(|phase| (phase.phase, phase.from, phase.duration_ms)).collect();
    let expected = [
        (Phase::Preflight, at(2), Some(1000)),
        (Phase::Quiesce, at(3), Some(6000)),
        (Phase::Backup, at(9), Some(284_000)),
        (Phase::Update, at(293), Some(96_000)),
        (Phase::Smoke, at(389), Some(4000)),
        (Phase::Release, at(393), Some(6000)),
    ];
    assert_eq!(phases, expected);
    assert!(mail.phases.iter().all(|phase| phase.state == PhaseState::Succeeded));
    let interruption = mail.interruption.as_ref().unwrap();
    assert_eq!((interruption.from, interruption.to), (at(3), Some(at(399))));
    assert_eq!(labels(mail.released.iter().map(|released| released.step.clone())), ["stop service/run"]);
    assert_eq!(mail.point_of_no_return, None, "every update step has a rollback");
}

#[test]
fn a_restart_is_told_with_how_long_it_took() {
    let restarting = || Story::new().job(restart);
    let report = restarting().report();
    let [one] = &host(&report, "mail01").restarts[..] else { panic!("one restart") };
    assert_eq!((labels([one.step.clone()]), one.state), (vec!["restart/run".to_owned()], StepState::Succeeded));
    assert_eq!(one.to.unwrap().duration_since(one.from).as_secs(), 1);
    assert_eq!(one.duration_ms, Some(1000));
    let away = restarting().with("mail01", "restart", Answer::Ends(StepEnd::TimedOut, "")).report();
    let [one] = &host(&away, "mail01").restarts[..] else { panic!("one restart") };
    assert_eq!((one.state, one.to, one.duration_ms), (StepState::Failed, None, None));
    let not_begun = restarting().with("mail01", "archive data", failure()).report();
    assert_eq!(host(&not_begun, "mail01").restarts, []);
    let json = serde_json::to_value(Story::new().report()).unwrap();
    assert!(json["hosts"][0].get("restarts").is_none(), "reports of before are what they were");
}

#[test]
fn changes_are_the_facts_of_update_steps() {
    let report = Story::new().report();
    let [application, configuration] = &host(&report, "mail01").changes[..] else { panic!("two update steps") };
    assert_eq!((application.effect, &application.step.name[..]), (Effect::Changed, "application"));
    assert_eq!(application.facts, facts(&[("from", "3.1.3"), ("to", "3.1.4")]));
    assert_eq!(configuration.effect, Effect::Changed);
    let unchanged = host(&report, "db01");
    assert_eq!(unchanged.outcome.kind, OutcomeKind::NothingToDo);
    assert!(unchanged.changes.iter().all(|change| change.effect == Effect::Unchanged));
}

#[test]
fn a_verified_backup_is_proven() {
    let report = Story::new().report();
    let [proof] = &host(&report, "mail01").backups[..] else { panic!("one backup") };
    assert_eq!(labels([proof.step.clone()]), ["archive data/run"]);
    assert_eq!((&proof.path[..], proof.bytes), ("/var/backups/mail01.tar", Some(12_582_912)));
    assert!(proof.checksum.starts_with("sha256:9f86d0"));
    assert_eq!((proof.verified_at, proof.rechecked_at), (at(292), Some(at(293))));
}

#[test]
fn a_backup_that_is_not_verified_is_no_proof() {
    let report = Story::new().with("mail01", "archive data (verify)", failure()).report();
    let mail = host(&report, "mail01");
    assert_eq!(mail.backups, []);
    assert_eq!(mail.changes, []);
    assert_eq!(mail.outcome.cause, Some(Cause::ExitStatus { exit_status: 3 }));
    assert_eq!(labels(mail.outcome.step.clone()), ["archive data/verify"]);
    assert_eq!(open_points(&report)[0], "maintenance_outstanding mail01 archive data");
    let application = mail.steps.iter().find(|step| step.step.name == "application").unwrap();
    assert_eq!(application.state, StepState::NotRun);
}

#[test]
fn a_backup_is_proven_even_when_it_is_gone_before_the_update() {
    let report = Story::new().with("mail01", "archive data (recheck)", failure()).report();
    let [proof] = &host(&report, "mail01").backups[..] else { panic!("one backup") };
    assert_eq!((proof.verified_at, proof.rechecked_at), (at(292), None));
}

#[test]
fn a_failed_smoke_test_is_rolled_back() {
    let not_met = StepEnd::NotMet { why: "expected status 200, found 502".to_owned() };
    let report = Story::new().with("mail01", "service answers", Answer::Ends(not_met, "")).report();
    let mail = host(&report, "mail01");
    assert_eq!(mail.outcome.kind, OutcomeKind::FailedAndRolledBack);
    assert_eq!(mail.outcome.cause, Some(Cause::NotMet));
    assert!(mail.changes.iter().all(|change| change.effect == Effect::TakenBack));
    let taken_back = mail.rolled_back.iter().map(|undone| undone.step.clone());
    assert_eq!(labels(taken_back), ["configuration/run", "application/run"]);
    assert!(mail.rolled_back.iter().all(|undone| undone.state == StepState::Succeeded && undone.finished_at.is_some()));
    let smoke = mail.phases.iter().find(|phase| phase.phase == Phase::Smoke).unwrap();
    assert_eq!(smoke.state, PhaseState::Failed);
    assert_eq!(mail.annex.notes[0].what, "expected status 200, found 502", "the words stand in the annex alone");
    assert_eq!(kinds(&report)[1..], [OutcomeKind::Skipped; 2], "the failure limit holds the others back");
    assert_eq!(host(&report, "web01").outcome.cause, Some(Cause::FailureLimit));
    assert_eq!(report.state, RunState::Failed);
    assert_eq!(
        open_points(&report),
        [
            "maintenance_outstanding mail01 service answers",
            "host_skipped web01 failure_limit",
            "host_skipped db01 failure_limit"
        ]
    );
}

#[test]
fn a_failed_rollback_is_an_open_point_and_no_rolled_back_host() {
    let story = Story::new().with("mail01", "service answers", failure());
    let report = story.with("mail01", "application (rollback)", failure()).report();
    let mail = host(&report, "mail01");
    assert_eq!(mail.outcome.kind, OutcomeKind::Failed);
    let effects: Vec<_> = mail.changes.iter().map(|change| change.effect).collect();
    assert_eq!(effects, [Effect::Changed, Effect::TakenBack]);
    assert_eq!(open_points(&report)[0], "not_rolled_back mail01 application failed");
}

#[test]
fn a_failed_rollback_is_told_even_when_another_is_unknown() {
    let story = Story::new().with("mail01", "service answers", failure());
    let story = story.with("mail01", "configuration (rollback)", failure());
    let report = story.with("mail01", "application (rollback)", fault("the line is lost")).report();
    assert_eq!(
        open_points(&report)[..2],
        ["host_unknown mail01 application", "not_rolled_back mail01 configuration failed"]
    );
}

#[test]
fn past_the_point_of_no_return_nothing_is_rolled_back() {
    let story = Story::new().with("mail01", "service answers", failure());
    let report = story.job(|job| job.steps[4].rollback = None).report();
    let mail = host(&report, "mail01");
    assert_eq!(mail.outcome.kind, OutcomeKind::Failed);
    let point = mail.point_of_no_return.as_ref().unwrap();
    assert_eq!((&point.step.name[..], point.crossed_at), ("configuration", Some(at(388))));
    assert_eq!(open_points(&report)[0], "cannot_be_rolled_back mail01 configuration");
    let web = host(&report, "web01");
    assert_eq!(web.point_of_no_return.as_ref().unwrap().crossed_at, None);
}

#[test]
fn a_failing_release_is_a_failure_and_an_open_point() {
    let report = Story::new().with("web01", "stop service (undo)", failure()).report();
    let web = host(&report, "web01");
    assert_eq!(web.outcome.kind, OutcomeKind::Failed);
    assert_eq!(labels(web.outcome.step.clone()), ["stop service/undo"]);
    assert!(web.changes.iter().all(|change| change.effect == Effect::Changed), "the update itself is in effect");
    assert_eq!(web.interruption.as_ref().unwrap().to, None);
    assert_eq!(open_points(&report), ["not_released web01 stop service failed"]);
}

#[test]
fn an_unreachable_host_counts_and_nothing_was_done_to_it() {
    let report = Story::new().with("mail01", "prepare", fault("cannot connect to `mail01.example`")).report();
    let mail = host(&report, "mail01");
    assert_eq!((mail.outcome.kind, mail.outcome.cause), (OutcomeKind::Unreachable, Some(Cause::Unreachable)));
    assert_eq!(mail.phases, []);
    assert!(mail.steps.iter().all(|step| step.state == StepState::NotRun));
    assert_eq!(mail.annex.notes[0].what, "cannot connect to `mail01.example`");
    assert_eq!(mail.annex.notes[0].step, None);
    assert_eq!(open_points(&report)[0], "host_unreachable mail01");
    assert_eq!(report.worst_outcome, Some(OutcomeKind::Unreachable));
}

#[test]
fn an_unknown_step_suspends_the_run_and_tells_how_to_go_on() {
    let report = Story::new().with("web01", "application", fault("the line is lost")).report();
    assert_eq!(report.state, RunState::Suspended);
    assert_eq!((report.finished_at, report.duration_ms), (None, None));
    assert!(report.recorded_until > Some(at(700)));
    let web = host(&report, "web01");
    assert_eq!((web.outcome.kind, web.outcome.cause), (OutcomeKind::Unknown, Some(Cause::NotKnown)));
    assert_eq!(web.changes[0].effect, Effect::Unclear);
    assert_eq!(web.annex.notes[0].what, "the line is lost");
    let update = web.phases.iter().find(|phase| phase.phase == Phase::Update).unwrap();
    assert_eq!((update.state, update.to), (PhaseState::Unknown, None));
    let OpenPoint::HostUnknown { commands, .. } = &report.open_points[0] else { panic!("the most urgent point") };
    assert_eq!(commands, &["turnus resume 7", "turnus cancel 7"]);
    assert_eq!(report.open_points.len(), 1, "what was stopped is started again");
}

#[test]
fn a_closed_run_leaves_the_host_unknown_and_offers_no_commands() {
    let story = Story::new().with("web01", "application", fault("the line is lost"));
    let report = story.meanwhile(9000, Event::RunClosed { by: "bert".to_owned() }).report();
    assert_eq!(report.state, RunState::Failed);
    assert_eq!(host(&report, "web01").outcome.kind, OutcomeKind::Unknown);
    assert!(matches!(&report.open_points[0], OpenPoint::HostUnknown { commands, .. } if commands.is_empty()));
}

#[test]
fn a_take_over_is_named_and_a_step_found_again_leaves_the_rest_undone() {
    let story = Story::new().with("web01", "application", fault("the line is lost"));
    let lease = Event::LeaseTaken { epoch: Epoch(2), controller: "laptop:99".to_owned() };
    let report = story.meanwhile(9000, lease).report();
    assert_eq!(report.controllers, ["office:4711", "laptop:99"]);
    let web = host(&report, "web01");
    assert_eq!((web.outcome.kind, web.outcome.cause), (OutcomeKind::Failed, Some(Cause::LostSight)));
    assert_eq!(labels(web.outcome.step.clone()), ["application/run"]);
    assert_eq!(
        open_points(&report),
        ["not_rolled_back web01 application not_run", "lost_sight web01 application"],
        "turnus takes nothing back after it lost sight"
    );
    let update = web.phases.iter().find(|phase| phase.phase == Phase::Update).unwrap();
    assert_eq!(update.state, PhaseState::Incomplete);
}

#[test]
fn a_cancelled_run_tells_what_was_cut_short_and_what_was_left_out() {
    let cancel = Event::CancelRequested { by: "anna (Ctrl-C)".to_owned() };
    let report = Story::new().meanwhile(100, cancel).report();
    assert_eq!(report.state, RunState::Cancelled);
    assert_eq!(report.cancelled_by.as_deref(), Some("anna (Ctrl-C)"));
    assert_eq!(kinds(&report), [OutcomeKind::Cancelled, OutcomeKind::Skipped, OutcomeKind::Skipped]);
    let mail = host(&report, "mail01");
    assert_eq!(labels(mail.outcome.step.clone()), ["archive data/verify"]);
    assert_eq!(mail.released.len(), 1, "what was stopped is started again");
    assert_eq!(
        open_points(&report),
        ["cut_short mail01 archive data", "host_skipped web01 cancelled", "host_skipped db01 cancelled"]
    );
}

#[test]
fn a_failing_release_does_not_hide_that_the_host_was_cut_short() {
    let cancel = Event::CancelRequested { by: "anna".to_owned() };
    let report = Story::new().with("mail01", "stop service (undo)", failure()).meanwhile(100, cancel).report();
    assert_eq!(host(&report, "mail01").outcome.kind, OutcomeKind::Failed);
    let points = open_points(&report);
    assert_eq!(points[..2], ["not_released mail01 stop service failed", "cut_short mail01 archive data"]);
}

#[test]
fn a_job_without_backup_says_so() {
    let without = |reason: &str| BackupRule::None { reason: reason.to_owned() };
    let story = Story::new().job(|job| {
        job.backup = without("snapshots of the hypervisor");
        job.steps.retain(|step| step.phase != Phase::Backup);
    });
    let report = story.report();
    assert_eq!(report.backup, BackupPromise::None { reason: "snapshots of the hypervisor".to_owned() });
    assert_eq!(host(&report, "mail01").backups, []);
    assert_eq!(open_points(&report), ["no_backup"]);
    assert_eq!(report.state, RunState::Succeeded);
}

#[test]
fn a_run_that_is_not_over_gives_an_honest_report() {
    let report =
        Story::new().with("web01", "application", Answer::Overdue).with("db01", "archive data", Answer::Silence);
    let report = report.report();
    assert_eq!(report.state, RunState::Running);
    assert_eq!(kinds(&report), [OutcomeKind::Updated, OutcomeKind::InWork, OutcomeKind::InWork]);
    assert_eq!(open_points(&report), ["step_overdue web01 application"]);
    let database = host(&report, "db01");
    assert_eq!(labels(database.outcome.step.clone()), ["archive data/run"]);
    assert_eq!((database.finished_at, database.duration_ms), (None, None));
    assert_eq!(database.steps.last().unwrap().state, StepState::Pending);
    let backup = database.phases.last().unwrap();
    assert_eq!((backup.state, backup.to), (PhaseState::Running, None));
}

#[test]
fn nothing_in_a_report_is_more_than_one_harmless_line() {
    let hostile = "\u{1b}[2Jx\r\ny\u{202e}";
    let mut story = Story::new().with("mail01", "application", Answer::Well(facts(&[(hostile, hostile)])));
    story =
        story.with("mail01", "service answers", Answer::Ends(StepEnd::NotMet { why: hostile.to_owned() }, "\u{9b}31m"));
    story = story.job(|job| {
        job.description = "long ".repeat(1_000_000);
        job.backup = BackupRule::Required;
    });
    story.customer.display_name = hostile.to_owned();
    story.reason = Some(hostile.to_owned());
    let report = story.report();
    assert_eq!(report.customer_name, "x  y");
    let json = serde_json::to_string(&report).unwrap();
    assert!(
        !json.contains("\\u001b") && !json.contains('\u{202e}') && !json.contains('\u{9b}') && !json.contains("\\r")
    );
    assert!(report.description.chars().count() <= 500);
}

#[test]
fn the_contract_of_the_json() {
    let json = serde_json::to_value(Story::new().report()).unwrap();
    assert_eq!(json["format_version"], 1);
    assert_eq!(json["started_at"], "2026-03-27T13:00:00Z");
    assert_eq!(json["state"], "succeeded");
    assert_eq!(json["backup"]["rule"], "required");
    let mail = &json["hosts"][0];
    assert_eq!(mail["outcome"]["kind"], "updated");
    assert_eq!(mail["phases"][2]["duration_ms"], 284_000);
    let verify = &mail["steps"][3];
    assert_eq!((&verify["name"], &verify["part"]), (&"archive data".into(), &"verify".into()));
    assert_eq!((&verify["index"], &verify["exit_status"], &verify["place"]), (&3.into(), &0.into(), &"host".into()));
    assert_eq!(verify["facts"]["bytes"], "12582912");
}

#[test]
fn a_window_that_was_too_short_shows_in_what_was_left_out_and_in_the_overrun() {
    let report = Story::new().in_window(300, 500).report();
    assert_eq!(kinds(&report), [OutcomeKind::Updated, OutcomeKind::Skipped, OutcomeKind::Skipped]);
    assert_eq!(host(&report, "web01").outcome.cause, Some(Cause::WindowEnding));
    assert_eq!(report.state, RunState::Failed);
    assert_eq!(open_points(&report), ["host_skipped web01 window_ending", "host_skipped db01 window_ending"]);
    assert_eq!(report.window.as_ref().unwrap().overrun_ms, None);

    let report = Story::new().in_window(1000, 500).meanwhile(500, Event::WindowClosed).report();
    assert_eq!(report.state, RunState::Succeeded, "what was begun is finished");
    let window = report.window.as_ref().unwrap();
    let ended = report.hosts.iter().filter_map(|host| host.finished_at).max().unwrap();
    assert_eq!(window.overrun_ms, u64::try_from(ended.duration_since(at(500)).as_millis()).ok());
    assert!(window.overrun_ms > Some(0));
    assert_eq!(Story::new().report().window, None, "a run by hand has no window");
}

fn names(changes: &[crate::domain::packages::Change]) -> Vec<&str> {
    changes.iter().map(|change| change.package.name.as_str()).collect()
}

#[test]
fn packages_are_told_as_they_were_found_at_the_end() {
    let report = Story::of_packages().report();
    let [packages] = &host(&report, "mail01").packages[..] else { panic!("one step installs packages") };
    assert_eq!((&packages.step.name[..], packages.is_open), ("packages", false));
    assert_eq!(names(&packages.installed), ["libold1", "libssl3", "libxnew2", "nginx"]);
    let missing: Vec<_> = packages
        .not_installed
        .iter()
        .map(|missing| (&missing.change.package.name[..], missing.now.as_deref()))
        .collect();
    assert_eq!(missing, [("postfix", Some("3.7.6-0"))]);
    assert_eq!(names(&packages.newly_available), ["tzdata"]);
    assert_eq!(
        (packages.conffiles.as_slice(), packages.conffile_policy.as_deref()),
        (&["/etc/nginx/nginx.conf".to_owned()][..], Some("keep"))
    );
    assert_eq!(packages.conffile_count, 1);
    assert_eq!(packages.reboot_needed, Some(true));
    let counts = report.packages.unwrap();
    assert_eq!((counts.installed, counts.security), (4, 1));
    assert_eq!(counts.not_installed, 1 + 4, "postfix, and on web01 all but what is not pending any more");
    let approval = report.approval.as_ref().unwrap();
    assert_eq!((&approval.by[..], approval.note.as_deref()), ("Jana Weber", Some("nach Rücksprache")));
    let change = &host(&report, "mail01").changes[0];
    assert_eq!(change.facts, facts(&[("changed", "true")]), "configuration files are told with the packages");
}

#[test]
fn what_is_left_of_packages_are_open_points() {
    let report = Story::of_packages().report();
    let mut points = open_points(&report);
    points.retain(|point| !point.contains("no_backup"));
    let expected =
        ["review_again web01", "packages_outstanding mail01", "reboot_needed mail01", "stale_services mail01"];
    assert_eq!(points, expected);
    let web = host(&report, "web01");
    assert_eq!((web.outcome.kind, web.outcome.cause), (OutcomeKind::Skipped, Some(Cause::HeldBack)));
    assert_eq!(web.packages[0].left.len(), 5, "the difference is shown");
    assert_eq!(web.annex.notes.len(), 1);
    assert_eq!(host(&report, "db01").outcome.kind, OutcomeKind::NothingToDo);
}

#[test]
fn a_version_that_is_not_to_be_had_again_makes_a_point_of_no_return() {
    let report = Story::of_packages().report();
    let point = host(&report, "mail01").point_of_no_return.as_ref().expect("postfix has no way back");
    assert_eq!(&point.step.name[..], "packages");
    assert!(point.crossed_at.is_some());
    assert_eq!(host(&report, "db01").point_of_no_return, None);
}

#[test]
fn without_an_account_it_is_not_known_what_is_installed() {
    let failed = Story::new()
        .job(super::samples::install_packages)
        .with("mail01", "packages (look)", looked(StepEnd::Succeeded, look()))
        .with("mail01", "packages (account)", Answer::Ends(StepEnd::NotMet { why: "locked".to_owned() }, ""))
        .report();
    let mail = host(&failed, "mail01");
    assert!(mail.packages[0].is_open && mail.packages[0].installed.is_empty());
    assert!(open_points(&failed).contains(&"packages_not_known mail01".to_owned()), "{:?}", open_points(&failed));
    let counts = failed.packages.unwrap();
    assert_eq!((counts.installed, counts.not_installed), (0, 0), "nothing is guessed");
}

#[test]
fn what_was_taken_back_is_not_told_as_installed() {
    let taken_back = crate::domain::packages::account::Account {
        installed: Vec::new(),
        not_installed: look()
            .chosen
            .iter()
            .map(|change| crate::domain::packages::account::NotInstalled {
                change: change.clone(),
                now: change.from.clone(),
            })
            .collect(),
        ..account()
    };
    let report = Story::new()
        .job(super::samples::install_packages)
        .with("mail01", "packages (look)", looked(StepEnd::Succeeded, look()))
        .with("mail01", "service answers", failure())
        .with("mail01", "packages (account)", accounted(taken_back))
        .report();
    let mail = host(&report, "mail01");
    assert_eq!(mail.outcome.kind, OutcomeKind::FailedAndRolledBack);
    assert_eq!((mail.packages[0].installed.len(), mail.packages[0].not_installed.len()), (0, look().chosen.len()));
    assert_eq!(labels(mail.rolled_back.iter().map(|back| back.step.clone())), ["packages/run"]);
    assert_eq!(
        labels(mail.released.iter().map(|back| back.step.clone())),
        ["stop service/run"],
        "a look takes nothing back"
    );
}

#[test]
fn what_came_since_the_report_before_is_told_in_this_one() {
    let quiet = QuietDate { run_number: 6, window: name("monthly"), opens_at: at(-86_400) };
    let lost =
        Undelivered { number: 41, message: Kind::Announcement, recipient: "it@nordwind.example\u{7}".to_owned() };
    let mut story = Story::new();
    story.since_report = Meanwhile { undelivered: vec![lost], quiet: vec![quiet.clone()] };
    let report = story.report();
    assert_eq!(report.quiet_dates, [quiet]);
    let last = report.open_points.last().unwrap();
    let expected =
        OpenPoint::MessageUndelivered { recipient: "it@nordwind.example".to_owned(), message: Kind::Announcement };
    assert_eq!(*last, expected, "as one harmless line");
}
