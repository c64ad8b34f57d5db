//! What rows come to: each fate of a date, each end of a run, and what is compared with what.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{DateRow, Fate, PeriodRecord, PeriodReport, RunRow, write};
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::inventory::Locale;
use crate::domain::occurrence::OccurrenceState as S;
use crate::domain::packages::{Change, ChangeKind, Obstacle, Package, PackageManager, Survey};
use crate::domain::report::host::{HostOutcome, OutcomeKind as K};
use crate::domain::report::samples::Story;
use crate::domain::review::{Collection, Finding};
use crate::domain::run::event::RunState;

fn at(text: &str) -> Timestamp {
    format!("{text}T14:00:00Z").parse().unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn id(number: u128) -> OccurrenceId {
    OccurrenceId(uuid::Uuid::from_u128(number))
}

fn date(number: u128, day: &str, state: S) -> DateRow {
    let start = at(day);
    let has_run = matches!(state, S::Open | S::Done);
    DateRow {
        id: id(number),
        moved_from: None,
        window: name("quarterly"),
        start,
        end: start.saturating_add(4.hours()).unwrap(),
        state,
        cause: (!state.is_ahead() && !has_run).then(|| format!("frozen: because of {state}\u{7}")),
        opened_at: has_run.then_some(start),
        finished_at: (state == S::Done).then(|| start.saturating_add(90.minutes()).unwrap()),
        run: has_run.then(|| i64::try_from(number).unwrap()),
    }
}

fn run(number: i64, day: &str, hosts: &[(&str, K)]) -> RunRow {
    let outcome = |kind| HostOutcome { kind, step: None, cause: None };
    let good = hosts.iter().all(|(_, kind)| matches!(kind, K::Updated | K::NothingToDo));
    RunRow {
        number,
        began_at: at(day),
        is_scheduled: true,
        state: if good { RunState::Succeeded } else { RunState::Failed },
        updates: 10,
        security: 4,
        backups: 2,
        hosts: hosts.iter().map(|(host, kind)| (name(host), outcome(*kind))).collect(),
    }
}

fn record(dates: Vec<DateRow>, runs: Vec<RunRow>) -> PeriodRecord {
    PeriodRecord {
        customer: name("nordwind"),
        customer_name: "Nordwind\u{202e} GmbH".to_owned(),
        locale: Locale::De,
        time_zone: "Europe/Berlin".to_owned(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        period: "2026-Q4".parse().unwrap(),
        now: at("2027-01-05"),
        since: Some(at("2020-01-01")),
        dates,
        runs,
        pending: None,
    }
}

fn fates(report: &PeriodReport) -> Vec<Fate> {
    report.dates.iter().map(|line| line.fate).collect()
}

#[test]
fn each_state_of_a_date_has_its_fate_and_its_figure() {
    let states = [S::Done, S::Missed, S::Skipped, S::Cancelled, S::Planned, S::Announced, S::Confirmed, S::Open];
    let dates = (1..).zip(states).map(|(number, state)| date(number, &format!("2026-10-0{number}"), state)).collect();
    let report = write(&record(dates, vec![run(1, "2026-10-01", &[("web01", K::Updated)])]));
    let ahead = [Fate::Ahead, Fate::Ahead, Fate::Ahead, Fate::UnderWay];
    assert_eq!(fates(&report), [&[Fate::Kept, Fate::Missed, Fate::Skipped, Fate::Cancelled], &ahead[..]].concat());
    let figures = report.figures;
    let counted = [
        figures.kept,
        figures.missed,
        figures.skipped,
        figures.cancelled,
        figures.ahead,
        figures.moved,
        figures.windows,
    ];
    assert_eq!(counted, [1, 1, 1, 1, 4, 0, 8]);
    assert_eq!(figures.due(), 3, "what a holiday left out was not to take place");
    assert_eq!(report.dates[1].cause.as_deref(), Some("because of missed"), "without control characters");
    assert_eq!(report.dates[4].cause, None);
    assert_eq!((report.dates[0].run, report.dates[0].duration_ms), (Some(1), Some(90 * 60_000)));
    assert_eq!((report.dates[7].run, report.dates[7].duration_ms), (Some(8), None));
    assert_eq!(report.customer_name, "Nordwind GmbH");
    assert!(report.is_over);
}

#[test]
fn a_date_that_took_place_but_not_well_is_kept_and_says_so() {
    let good = [K::Updated, K::NothingToDo];
    for kind in
        [good[0], good[1], K::Skipped, K::Cancelled, K::Unreachable, K::FailedAndRolledBack, K::Failed, K::Unknown]
    {
        let dates = vec![date(1, "2026-10-01", S::Done)];
        let report = write(&record(dates, vec![run(1, "2026-10-01", &[("web01", kind)])]));
        let expected = if good.contains(&kind) { Fate::Kept } else { Fate::KeptNotWell };
        assert_eq!((fates(&report), report.figures.kept), (vec![expected], 1), "{kind:?}");
    }
    let lost = write(&record(vec![date(1, "2026-10-01", S::Done)], Vec::new()));
    assert_eq!(fates(&lost), [Fate::KeptNotWell], "a run that nobody can find did not end well");
}

#[test]
fn a_date_that_moves_is_told_once_where_it_was_first() {
    let moved = |from: u128, row: DateRow| DateRow { moved_from: Some(id(from)), ..row };
    let dates = vec![
        // Twice within the period.
        date(1, "2026-10-02", S::Moved),
        moved(1, date(2, "2026-10-09", S::Moved)),
        moved(2, date(3, "2026-10-16", S::Done)),
        // Out of it.
        date(4, "2026-12-30", S::Moved),
        moved(4, date(5, "2027-01-04", S::Planned)),
        // Into it: told of in the quarter before.
        date(6, "2026-09-25", S::Moved),
        moved(6, date(7, "2026-10-20", S::Done)),
    ];
    let report = write(&record(dates, Vec::new()));
    let told: Vec<_> = report.dates.iter().map(|line| (line.opens_at, line.fate, line.moved_to, line.run)).collect();
    let expected = [
        (at("2026-10-02"), Fate::Moved, Some(at("2026-10-16")), Some(3)),
        (at("2026-12-30"), Fate::Moved, Some(at("2027-01-04")), None),
    ];
    assert_eq!(told, expected);
    assert_eq!((report.figures.windows, report.figures.moved, report.figures.kept), (2, 2, 0));
    assert_eq!(report.before[2].moved, 1);
    assert_eq!(report.median_ms, None, "none of them took place when it was to");
}

#[test]
fn of_causes_only_what_people_said_is_told() {
    let check = |cause: &str, expected: Option<&str>| {
        let row = DateRow { cause: Some(cause.to_owned()), ..date(1, "2026-10-02", S::Missed) };
        assert_eq!(write(&record(vec![row], Vec::new())).dates[0].cause.as_deref(), expected, "{cause}");
    };
    check("frozen: stocktaking", Some("stocktaking"));
    check("cancelled by anna: fair: second day", Some("fair: second day"));
    check("moved by anna: fair", Some("fair"));
    for own in ["controller not running", "the plan was refused: no host", "rejected by anna", "host web01 is in run 7"]
    {
        check(own, None);
    }
}

#[test]
fn a_period_begins_at_midnight_of_the_customer() {
    let instant = |text: &str| text.parse::<Timestamp>().unwrap();
    let runs = ["2026-09-30T21:59:59Z", "2026-09-30T22:00:00Z", "2026-12-31T22:59:59Z", "2026-12-31T23:00:00Z"];
    let rows =
        (1..).zip(runs).map(|(number, text)| RunRow { began_at: instant(text), ..run(number, "2026-10-01", &[]) });
    assert_eq!(write(&record(Vec::new(), rows.collect())).figures.runs, 2);
}

#[test]
fn what_runs_did_is_added_up_and_compared_with_earlier_periods() {
    let well = &[("web01", K::Updated)];
    let runs = vec![
        run(1, "2026-01-10", well),
        run(2, "2026-08-01", &[("web01", K::Failed), ("db01", K::Unknown)]),
        run(3, "2026-10-01", well),
        RunRow { is_scheduled: false, ..run(4, "2026-11-01", well) },
        run(5, "2027-01-02", well),
    ];
    let report = write(&record(Vec::new(), runs.clone()));
    let figures = report.figures;
    assert_eq!((figures.runs, figures.by_hand, figures.updates, figures.security), (2, 1, 20, 8));
    assert_eq!((figures.backups, figures.failures, figures.security_percent()), (4, 0, Some(40)));
    let before = report.before.iter().map(|earlier| (earlier.period.to_string(), earlier.updates, earlier.failures));
    let expected = [("2026-Q1", 10, 0), ("2026-Q2", 0, 0), ("2026-Q3", 10, 2)];
    assert!(before.eq(expected.map(|(period, updates, failures)| (period.to_owned(), updates, failures))));
    assert_eq!(report.before[1].security_percent(), None);
    // Nothing is compared with the time in which the customer was not looked after.
    let since = |day: &str| -> Vec<String> {
        let report = write(&PeriodRecord { since: Some(at(day)), ..record(Vec::new(), runs.clone()) });
        report.before.iter().map(|earlier| earlier.period.to_string()).collect()
    };
    assert_eq!(since("2026-06-30"), ["2026-Q2", "2026-Q3"]);
    assert_eq!(since("2026-10-01"), [""; 0]);
}

#[test]
fn failures_say_whether_a_later_run_left_the_host_well() {
    let runs = vec![
        run(1, "2026-10-01", &[("web01", K::FailedAndRolledBack), ("db01", K::Unreachable)]),
        run(2, "2026-10-02", &[("web01", K::Failed)]),
        run(3, "2026-10-03", &[("web01", K::Skipped)]),
        run(4, "2027-01-02", &[("web01", K::NothingToDo)]),
    ];
    let report = write(&record(Vec::new(), runs));
    let failures = report.failures.iter();
    let told: Vec<_> = failures.map(|it| (it.host.as_str(), it.run, it.outcome.kind, it.well_since_run)).collect();
    let expected = [
        ("web01", 1, K::FailedAndRolledBack, Some(4)),
        ("db01", 1, K::Unreachable, None),
        ("web01", 2, K::Failed, Some(4)),
    ];
    assert_eq!(told, expected);
    assert_eq!(report.figures.failures, 3);
}

#[test]
fn lengths_are_told_by_their_median_and_the_longest() {
    let taking = |number: u128, minutes: i64| {
        let row = date(number, "2026-10-01", S::Done);
        DateRow { finished_at: Some(row.start.saturating_add(minutes.minutes()).unwrap()), ..row }
    };
    let check = |minutes: &[i64], median: u64, longest: u64| {
        let dates = (1..).zip(minutes).map(|(number, minutes)| taking(number, *minutes)).collect();
        let report = write(&record(dates, Vec::new()));
        let expected = (Some(median * 60_000), Some(longest * 60_000));
        assert_eq!((report.median_ms, report.longest_ms), expected, "{minutes:?}");
    };
    check(&[30], 30, 30);
    check(&[50, 10], 10, 50);
    check(&[50, 10, 20], 20, 50);
    check(&[4, 3, 2, 1], 2, 4);
}

fn found() -> Collection {
    let change = |security| Change {
        package: Package { name: "openssl".to_owned(), architecture: "amd64".to_owned() },
        kind: ChangeKind::Upgrade,
        from: Some("1".to_owned()),
        to: Some("2".to_owned()),
        repository: None,
        size_bytes: None,
        security,
    };
    let survey = Survey {
        manager: PackageManager::Apt,
        pending: vec![change(true), change(false)],
        held: Vec::new(),
        installed: Default::default(),
        reboot_needed: None,
        stale_services: Vec::new(),
        without_way_back: Vec::new(),
        warnings: Vec::new(),
    };
    let unreachable = Finding::Unreachable { what: "no answer".to_owned(), hint: None };
    let obstructed = Finding::Obstructed(Obstacle::NoManager);
    let hosts = [("web01", Finding::Surveyed(survey)), ("db01", unreachable), ("mail01", obstructed)];
    Collection { hosts: hosts.into_iter().map(|(host, finding)| (name(host), finding)).collect() }
}

#[test]
fn pending_updates_are_those_of_the_last_look() {
    let pending = Some((at("2026-12-01"), found()));
    let report = write(&PeriodRecord { pending: pending.clone(), ..record(Vec::new(), Vec::new()) });
    let told = report.pending.unwrap();
    assert_eq!((told.updates, told.security, told.hosts, told.unknown_hosts, told.before_run), (2, 1, 1, 2, None));
    let runs = vec![run(1, "2026-11-01", &[]), run(2, "2026-12-02", &[]), run(3, "2027-01-02", &[])];
    let report = write(&PeriodRecord { pending, ..record(Vec::new(), runs) });
    assert_eq!(report.pending.unwrap().before_run, Some(3));
}

#[test]
fn a_period_without_anything_is_empty_and_says_so() {
    let report = write(&PeriodRecord { since: None, ..record(Vec::new(), Vec::new()) });
    assert!(report.is_empty());
    assert_eq!((report.before.len(), report.median_ms, report.pending), (0, None, None));
    let planned = vec![date(1, "2026-12-30", S::Planned)];
    let report = write(&PeriodRecord { now: at("2026-12-31"), ..record(planned, Vec::new()) });
    assert!(!report.is_over && !report.is_empty());
}

#[test]
fn what_counts_of_a_run_is_what_its_report_says() {
    let report = Story::of_packages().report();
    let row = RunRow::of(&report, at("2026-10-01"));
    let counts = report.packages.unwrap();
    assert_eq!((row.updates, row.security), (counts.installed, counts.security));
    assert!(row.updates > 0 && row.security > 0);
    assert_eq!(row.backups, report.hosts.iter().map(|host| host.backups.len()).sum::<usize>());
    assert_eq!(row.hosts.len(), report.hosts.len());
    assert!(!row.is_scheduled);
    assert!(RunRow::of(&Story::new().in_window(300, 500).report(), at("2026-10-01")).is_scheduled);
}
