//! Every cause as a row, at every moment that matters.

use jiff::{SignedDuration, Timestamp};

use super::{Cause, Load, Precondition, Review, Situation, Slot, Verdict, judge, judge_time, may_start};
use crate::domain::calendar::FreezeSpan;
use crate::domain::id::{ContentHash, Name};
use crate::domain::inventory::Locale;
use crate::domain::job::{BackupRule, Phase, Place};
use crate::domain::plan::{Part, Plan, PlannedStep, StepIndex, Task};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// So many minutes after the opening.
fn at(minutes: i64) -> Timestamp {
    let opening: Timestamp = "2026-03-27T13:00:00Z".parse().unwrap();
    opening + SignedDuration::from_mins(minutes)
}

/// Open for four hours, cut off 45 minutes before the end.
fn slot(last_cause: Option<&str>) -> Slot<'_> {
    Slot { start: at(0), latest_start: at(195), end: at(240), last_cause, looked_at: Some(at(194)) }
}

fn step(phase: Phase, part: Part) -> PlannedStep {
    PlannedStep {
        phase,
        name: "x".to_owned(),
        part,
        place: Place::Host,
        task: Task::Script("true".to_owned()),
        parameters: Default::default(),
        timeout_s: 60,
        chosen_by: None,
        secrets: Default::default(),
    }
}

fn plan(backup: BackupRule, steps: Vec<PlannedStep>) -> Plan {
    Plan {
        customer: name("nordwind"),
        customer_name: "Nordwind".to_owned(),
        locale: Locale::De,
        time_zone: "Europe/Berlin".to_owned(),
        job: name("quarterly"),
        description: String::new(),
        customer_revision: ContentHash::of(b""),
        job_revision: ContentHash::of(b""),
        backup,
        max_failures: 0,
        watch_after_s: 0,
        parallel_hosts: 1,
        window: None,
        approval: None,
        hosts: Vec::new(),
        delegates: Vec::new(),
        batches: Vec::new(),
        steps,
    }
}

fn proven() -> Plan {
    let steps = vec![
        step(Phase::Backup, Part::Run),
        step(Phase::Backup, Part::Verify(StepIndex(0))),
        step(Phase::Update, Part::Run),
    ];
    plan(BackupRule::Required, steps)
}

const IDLE: Load = Load { running: 0, limit: 20, running_of_customer: 0, limit_per_customer: 2 };

fn ready(plan: &Plan) -> Situation<'_> {
    Situation {
        plan: Ok(plan),
        freezes: &[],
        announcement: Precondition::Met,
        review: Review::NotNeeded,
        busy: None,
        load: IDLE,
    }
}

fn freeze(from: i64, until: i64) -> FreezeSpan {
    FreezeSpan { from: at(from), until: at(until), reason: "year-end closing".to_owned() }
}

#[test]
fn time_decides_first() {
    let plan = proven();
    let check = |minutes: i64, last_cause: Option<&str>, expected: Verdict| {
        assert_eq!(judge(&slot(last_cause), &ready(&plan), at(minutes)), expected, "at {minutes} min");
    };
    let missed = |why: &str| Verdict::Missed(why.to_owned());
    check(-1, None, Verdict::TooEarly);
    check(0, None, Verdict::Begin);
    check(195, Some("host mail01 is in run 7"), Verdict::Begin);
    check(196, Some("host mail01 is in run 7"), missed("host mail01 is in run 7"));
    check(196, None, missed("controller not running"));
    check(100_000, None, missed("controller not running"));
}

#[test]
fn each_cause_waits_while_there_is_time_and_is_what_was_missed_for_after() {
    let plan = proven();
    let unproven = self::plan(BackupRule::Required, vec![step(Phase::Update, Part::Run)]);
    let frozen = [freeze(239, 500)];
    let mail01 = name("mail01");
    let rows: Vec<(Situation<'_>, &str)> = vec![
        (Situation { plan: Err(Cause::NoJob { job: name("quarterly") }), ..ready(&plan) }, "no job quarterly"),
        (
            Situation { plan: Err(Cause::Unusable { why: "line 3".to_owned() }), ..ready(&plan) },
            "what was applied can't be used: line 3",
        ),
        (
            Situation { plan: Err(Cause::PlanRefused { why: "no host `x`".to_owned() }), ..ready(&plan) },
            "the plan was refused: no host `x`",
        ),
        (ready(&unproven), "the plan was refused: it has no verified backup"),
        (Situation { freezes: &frozen, ..ready(&plan) }, "frozen: year-end closing"),
        (Situation { announcement: Precondition::Missing, ..ready(&plan) }, "not announced"),
        (Situation { busy: Some((&mail01, 7)), ..ready(&plan) }, "host mail01 is in run 7"),
        (
            Situation { load: Load { running: 12, limit: 12, ..IDLE }, ..ready(&plan) },
            "12 runs are under way (limit 12)",
        ),
        (
            Situation {
                load: Load { running: 1, running_of_customer: 1, limit_per_customer: 1, ..IDLE },
                ..ready(&plan)
            },
            "1 run of the customer is under way (limit 1)",
        ),
    ];
    for (situation, text) in rows {
        for minutes in [0, 100, 195] {
            let Verdict::Wait(cause) = judge(&slot(None), &situation, at(minutes)) else {
                panic!("{text}: does not wait at {minutes} min")
            };
            assert_eq!(cause.to_string(), text);
        }
        let missed = judge(&slot(Some(text)), &situation, at(196));
        assert_eq!(missed, Verdict::Missed(text.to_owned()));
    }
}

#[test]
fn what_nobody_approved_is_missed_at_once_and_what_was_approved_begins() {
    let plan = proven();
    let check = |review: Review<'_>, expected: Verdict| {
        let situation = Situation { review, ..ready(&plan) };
        for minutes in [0, 100, 195] {
            assert_eq!(judge(&slot(None), &situation, at(minutes)), expected, "{review:?} at {minutes} min");
        }
        assert_eq!(judge(&slot(None), &situation, at(-1)), Verdict::TooEarly, "there is time to decide until it opens");
    };
    check(Review::NotNeeded, Verdict::Begin);
    check(Review::Approved, Verdict::Begin);
    check(Review::Missing, Verdict::Missed("not approved".to_owned()));
    check(Review::Rejected { by: "anna" }, Verdict::Missed("rejected by anna".to_owned()));
}

#[test]
fn of_all_causes_only_those_of_a_review_are_final() {
    let x = || name("x");
    let passing = [
        Cause::ControllerNotRunning,
        Cause::Unusable { why: String::new() },
        Cause::NoJob { job: x() },
        Cause::PlanRefused { why: String::new() },
        Cause::Frozen { reason: String::new() },
        Cause::NotAnnounced,
        Cause::HostBusy { host: x(), run: 1 },
        Cause::RunsUnderWay { running: 1, limit: 1 },
        Cause::RunsOfCustomer { running: 1, limit: 1 },
    ];
    assert!(passing.iter().all(|cause| !cause.is_final()));
    assert!(Cause::NotApproved.is_final() && Cause::Rejected { by: String::new() }.is_final());
}

#[test]
fn a_freeze_that_only_touches_the_window_does_not_stand_against_it() {
    let plan = proven();
    let check = |from, until, frozen: bool| {
        let freezes = [freeze(from, until)];
        let verdict = may_start(&slot(None), &Situation { freezes: &freezes, ..ready(&plan) });
        assert_eq!(verdict.is_err(), frozen, "from {from} until {until}");
    };
    check(-100, 0, false);
    check(-100, 1, true);
    check(50, 60, true);
    check(239, 300, true);
    check(240, 300, false);
}

#[test]
fn what_a_person_has_to_put_right_is_told_before_what_passes() {
    let plan = proven();
    let mail01 = name("mail01");
    let all = Situation {
        plan: Ok(&plan),
        freezes: &[freeze(0, 10)],
        announcement: Precondition::Missing,
        review: Review::Missing,
        busy: Some((&mail01, 7)),
        load: Load { running: 20, ..IDLE },
    };
    assert!(matches!(may_start(&slot(None), &all), Err(Cause::Frozen { .. })));
    let all = Situation { freezes: &[], ..all };
    assert_eq!(may_start(&slot(None), &all), Err(Cause::NotApproved));
    let all = Situation { review: Review::Approved, announcement: Precondition::Met, ..all };
    assert!(matches!(may_start(&slot(None), &all), Err(Cause::HostBusy { .. })));
}

#[test]
fn a_declared_exception_needs_no_backup() {
    let rule = BackupRule::None { reason: "stateless".to_owned() };
    let plan = plan(rule, vec![step(Phase::Update, Part::Run)]);
    assert_eq!(may_start(&slot(None), &ready(&plan)), Ok(()));
}

#[test]
fn a_cause_of_long_before_the_latest_start_is_not_why_it_was_missed() {
    let missed = |looked_at: Option<Timestamp>| {
        let slot = Slot { looked_at, ..slot(Some("no job x")) };
        judge_time(&slot, at(196))
    };
    let told = |cause: &str| Some(Verdict::Missed(cause.to_owned()));
    assert_eq!(missed(Some(at(193))), told("controller not running"));
    assert_eq!(missed(None), told("controller not running"));
    assert_eq!(missed(Some(at(194))), told("no job x"));
}
