//! Dates of rules: the examples of the RFC, those of dateutil, and the rrule crate as an oracle for rules that nobody thought of.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, date, datetime};
use jiff::tz::TimeZone;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use proptest::test_runner::Config;
use proptest::{prop_assert, prop_assert_eq, prop_assume};

use super::{Excluded, Given, Recurrence, period_of};
use crate::domain::calendar::day;
use crate::domain::calendar::rule::Rule;

const RFC_5545: &str = include_str!("../../../../tests/data/recurrence/rfc5545.txt");
const DATEUTIL: &str = include_str!("../../../../tests/data/recurrence/dateutil.txt");

fn rule(text: &str) -> Rule {
    Rule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn recurrence(text: &str, starts: DateTime) -> Recurrence {
    Recurrence { rule: Some(rule(text)), ..Recurrence::once(starts) }
}

fn dates(recurrence: &Recurrence, count: usize) -> Vec<DateTime> {
    recurrence.instances(DateTime::MIN).take(count).map(|(date, _)| date).collect()
}

fn days(text: &str, starts: Date, count: usize) -> Vec<Date> {
    let recurrence = recurrence(text, starts.at(9, 0, 0, 0));
    dates(&recurrence, count).into_iter().map(DateTime::date).collect()
}

/// Every block of a file: its title, `starts` and the rule, the dates; `…` where the rule goes on.
fn check_file(text: &str) -> usize {
    let new_york = TimeZone::get("America/New_York").expect("a zone");
    let mut checked = 0;
    for block in text.split("\n\n").skip(1) {
        let mut lines = block.trim().lines();
        let title = lines.next().unwrap_or_default();
        let mut head = lines.next().expect("a rule").split(' ');
        let starts: Date = head.next().and_then(|day| day.parse().ok()).expect("a date");
        let recurrence = recurrence(head.next().expect("a rule"), starts.at(9, 0, 0, 0));
        let goes_on = head.next() == Some("…");
        let expected: Vec<Date> =
            lines.flat_map(str::split_whitespace).map(|day| day.parse().expect("a date")).collect();
        let more = expected.len() + usize::from(!goes_on);
        let instances = recurrence.instances_in(DateTime::MIN, &new_york).take(more);
        let found: Vec<Date> = instances.map(|(date, _)| date.date()).collect();
        assert_eq!(found, expected, "{title}");
        assert_eq!(recurrence.check(), Ok(()), "{title}");
        checked += 1;
    }
    checked
}

#[test]
fn the_examples_of_the_rfc() {
    assert_eq!(check_file(RFC_5545), 37);
}

#[test]
fn rules_as_dateutil_reads_them() {
    assert_eq!(check_file(DATEUTIL), 28);
}

#[test]
fn starts_is_a_date_only_if_the_rule_gives_it() {
    assert_eq!(days("FREQ=MONTHLY;BYDAY=2TU", date(2026, 1, 1), 1), [date(2026, 1, 13)]);
    assert_eq!(dates(&Recurrence::once(datetime(2026, 1, 1, 9, 0, 0, 0)), 9), [datetime(2026, 1, 1, 9, 0, 0, 0)]);
}

#[test]
fn days_with_and_without_numbers_add_up() {
    let found = days("FREQ=MONTHLY;BYDAY=MO,-1FR", date(2026, 6, 1), 6);
    assert_eq!(found.last(), Some(&date(2026, 6, 29)), "{found:?}");
    assert!(found.contains(&date(2026, 6, 26)), "{found:?}");
}

#[test]
fn the_last_week_may_end_in_january() {
    for text in ["FREQ=YEARLY;BYWEEKNO=52;BYDAY=FR,SA", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=FR,SA"] {
        let found = days(text, date(1993, 12, 1), 4);
        let expected = [date(1993, 12, 31), date(1994, 1, 1), date(1994, 12, 30), date(1994, 12, 31)];
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn until_is_inside_whatever_its_form() {
    let last = |until: &str, zone: &str| {
        let recurrence = recurrence(&format!("FREQ=DAILY;UNTIL={until}"), datetime(2026, 3, 1, 14, 0, 0, 0));
        let zone = TimeZone::get(zone).expect("a zone");
        recurrence.instances_in(DateTime::MIN, &zone).last().map(|(date, _)| date.date())
    };
    assert_eq!(last("20260401", "Europe/Berlin"), Some(date(2026, 4, 1)));
    assert_eq!(last("20260401T140000", "Europe/Berlin"), Some(date(2026, 4, 1)));
    assert_eq!(last("20260401T135959", "Europe/Berlin"), Some(date(2026, 3, 31)));
    // In April 14:00 in Berlin is 12:00 in UTC.
    assert_eq!(last("20260401T120000Z", "Europe/Berlin"), Some(date(2026, 4, 1)));
    assert_eq!(last("20260401T115959Z", "Europe/Berlin"), Some(date(2026, 3, 31)));
    assert_eq!(last("20260401T000000Z", "Pacific/Auckland"), Some(date(2026, 3, 31)));
    assert_eq!(last("20260401T010000Z", "Pacific/Auckland"), Some(date(2026, 4, 1)));
    assert_eq!(last("20260302T000000Z", "Pacific/Honolulu"), Some(date(2026, 3, 1)));
    assert_eq!(last("20260301T135959", "UTC"), None);
    // Without a zone it is a local time.
    let floating = recurrence("FREQ=DAILY;UNTIL=20260302T120000Z", datetime(2026, 3, 1, 14, 0, 0, 0));
    assert_eq!(dates(&floating, 9), [datetime(2026, 3, 1, 14, 0, 0, 0)]);
}

#[test]
fn single_dates_and_exceptions() {
    let at = |day, hour| datetime(2026, 6, day, hour, 0, 0, 0);
    let mut recurrence = recurrence("FREQ=WEEKLY;COUNT=4", at(1, 9));
    recurrence.rdates = vec![at(20, 8), at(3, 12), at(15, 9), at(3, 12)];
    recurrence.exdates = vec![Excluded::Day(date(2026, 6, 8)), Excluded::At(at(22, 10)), Excluded::At(at(20, 8))];
    let found: Vec<_> = recurrence.instances(DateTime::MIN).collect();
    // A date left out counts all the same; a time that does not fit leaves nothing out; a double is one date, by the rule.
    let expected =
        [(at(1, 9), Given::ByRule), (at(3, 12), Given::ByDate), (at(15, 9), Given::ByRule), (at(22, 9), Given::ByRule)];
    assert_eq!(found, expected);
    let later: Vec<_> = recurrence.instances(at(3, 13)).collect();
    assert_eq!(later, expected[2..]);
    assert_eq!(recurrence.instances(at(22, 9)).collect::<Vec<_>>(), expected[3..]);
    assert_eq!(recurrence.instances(at(22, 10)).count(), 0);
}

#[test]
fn a_single_window_may_have_more_dates() {
    let at = |day| datetime(2026, 6, day, 9, 0, 0, 0);
    let once = Recurrence { rdates: vec![at(2)], exdates: vec![Excluded::At(at(9))], ..Recurrence::once(at(9)) };
    assert_eq!(once.instances(DateTime::MIN).collect::<Vec<_>>(), [(at(2), Given::ByDate)]);
    assert_eq!(once.check(), Ok(()));
}

#[test]
fn rules_without_dates_are_refused() {
    let refuse = |text: &str, expected: &str, offset: usize| {
        let error = recurrence(text, datetime(2026, 1, 1, 9, 0, 0, 0)).check().expect_err(text);
        assert_eq!((error.to_string().as_str(), error.offset), (expected, offset), "{text}");
    };
    let never = "the rule gives no date within 30 years after `starts`";
    for (text, offset) in [
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", 22),
        ("FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2", 25),
        ("FREQ=MONTHLY;BYDAY=6MO", 13),
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=-30", 23),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", 22),
        ("FREQ=DAILY;BYDAY=MO;BYSETPOS=2", 20),
        ("FREQ=YEARLY;BYWEEKNO=20;BYMONTH=1", 24),
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTH=2;BYMONTHDAY=1", 25),
        ("FREQ=WEEKLY;BYMONTH=2;INTERVAL=60000", 22),
        // Two parts that each leave none: neither of them alone is to blame.
        ("FREQ=MONTHLY;BYDAY=6MO;BYMONTH=2;BYMONTHDAY=30", 0),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;UNTIL=20300101", 22),
    ] {
        refuse(text, never, offset);
    }
    refuse("FREQ=YEARLY;INTERVAL=31", "the rule gives no date within 30 years after 2026-01-01", 12);
    refuse("FREQ=DAILY;INTERVAL=20000;COUNT=3", "the rule gives no date within 30 years after 2026-01-01", 11);
    let ends = "the rule ends before its first date";
    refuse("FREQ=MONTHLY;UNTIL=20251231", ends, 13);
    refuse("UNTIL=20260105;FREQ=MONTHLY;BYMONTHDAY=6", ends, 0);
}

#[test]
fn the_worst_rules_take_no_time() {
    let list =
        |range: std::ops::RangeInclusive<i16>| range.map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let weeks = format!("FREQ=YEARLY;BYWEEKNO={};BYMONTH=2;BYMONTHDAY=30", list(1..=53));
    let year_days = format!("FREQ=YEARLY;BYYEARDAY={};BYMONTH=2;BYMONTHDAY=30", list(1..=366));
    let positions = format!("FREQ=MONTHLY;BYDAY=MO;BYSETPOS={}", list(6..=366));
    let again = format!("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYWEEKNO=1{}", ",1".repeat(900));
    for text in [&weeks, &year_days, &positions, &again] {
        // With a clock of its own the test would fail on a busy machine; walking through all years a hundred times, it is
        // noticed here.
        for _ in 0..100 {
            assert!(recurrence(text, datetime(1, 1, 1, 9, 0, 0, 0)).check().is_err(), "{text}");
        }
        assert_eq!(recurrence(text, datetime(1, 1, 1, 9, 0, 0, 0)).instances(DateTime::MIN).count(), 0, "{text}");
    }
}

#[test]
fn sparse_rules_that_give_dates_are_fine() {
    let fine = |text: &str, starts: Date| {
        assert_eq!(recurrence(text, starts.at(9, 0, 0, 0)).check(), Ok(()), "{text}");
    };
    fine("FREQ=YEARLY", date(2024, 2, 29));
    fine("FREQ=YEARLY;INTERVAL=4", date(2092, 2, 29));
    fine("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU", date(2026, 1, 1));
    fine("FREQ=YEARLY;INTERVAL=30", date(2026, 1, 1));
    fine("FREQ=DAILY;COUNT=1", date(9999, 12, 31));
    fine("FREQ=WEEKLY", date(9990, 1, 1));
}

#[test]
fn both_ends_of_the_calendar_hold() {
    assert_eq!(days("FREQ=YEARLY", date(9998, 12, 31), 9), [date(9998, 12, 31), date(9999, 12, 31)]);
    assert_eq!(days("FREQ=DAILY;INTERVAL=65535", date(9999, 1, 1), 9), [date(9999, 1, 1)]);
    assert_eq!(days("FREQ=WEEKLY;INTERVAL=65535;BYDAY=MO,SU", date(9999, 12, 27), 9).len(), 1);
    assert_eq!(days("FREQ=MONTHLY;BYMONTHDAY=-1", date(1, 1, 1), 2), [date(1, 1, 31), date(1, 2, 28)]);
    assert_eq!(days("FREQ=YEARLY;BYWEEKNO=1,53", date(1, 1, 1), 1), [date(1, 1, 1)]);
    let late = recurrence("FREQ=DAILY", datetime(1, 1, 1, 23, 59, 59, 0));
    assert_eq!(late.instances(DateTime::MAX).count(), 0);
    assert_eq!(late.instances(datetime(9999, 12, 31, 23, 59, 59, 0)).count(), 1);
}

#[test]
fn what_lies_centuries_back_is_skipped() {
    // Walking there day by day would take seconds; the test would be noticed.
    for text in ["FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=TU", "FREQ=MONTHLY;BYDAY=2TU", "FREQ=YEARLY;BYYEARDAY=5"] {
        let recurrence = recurrence(text, datetime(1, 1, 1, 9, 0, 0, 0));
        for year in 1..2000 {
            assert!(recurrence.instances(datetime(year * 4, 1, 1, 0, 0, 0, 0)).next().is_some(), "{text}");
        }
    }
}

#[test]
fn numbers_of_days_are_those_of_jiff() {
    let mut number = day::FIRST;
    let mut date = date(1, 1, 1);
    loop {
        assert_eq!((day::number_of(date), day::date_of(number)), (number, date));
        assert_eq!(day::weekday(number), day::weekday_number(date.weekday()));
        let (year, month) = (i32::from(date.year()), i32::from(date.month()));
        assert_eq!(day::month_length(year, month), i32::from(date.days_in_month()));
        assert_eq!(day::year_length(year), i32::from(date.days_in_year()));
        number += 1;
        match date.tomorrow() {
            Ok(next) => date = next,
            Err(_) => break,
        }
    }
    assert_eq!(number, day::LAST + 1);
}

#[test]
fn periods_are_counted_from_starts() {
    let check = |text: &str, starts: Date, day: Date, expected: [Date; 2]| {
        let (first, end) = period_of(&rule(text), starts, day::number_of(day));
        assert_eq!([day::date_of(first), day::date_of(end)], expected, "{text}");
    };
    let starts = date(2026, 3, 27);
    check("FREQ=DAILY;INTERVAL=10", starts, date(2026, 4, 7), [date(2026, 4, 6), date(2026, 4, 16)]);
    check("FREQ=WEEKLY", starts, date(2026, 4, 5), [date(2026, 3, 30), date(2026, 4, 6)]);
    check("FREQ=WEEKLY;WKST=SU", starts, date(2026, 4, 5), [date(2026, 4, 5), date(2026, 4, 12)]);
    check("FREQ=WEEKLY;INTERVAL=2", starts, date(2026, 4, 5), [date(2026, 3, 23), date(2026, 4, 6)]);
    check("FREQ=MONTHLY;INTERVAL=3", starts, date(2027, 2, 1), [date(2026, 12, 1), date(2027, 3, 1)]);
    check("FREQ=YEARLY;INTERVAL=2", starts, date(2027, 2, 1), [date(2026, 1, 1), date(2028, 1, 1)]);
}

fn list<T: std::fmt::Display + std::fmt::Debug>(
    part: &'static str,
    entries: impl Strategy<Value = T>,
) -> impl Strategy<Value = String> {
    prop::collection::vec(entries, 1..4).prop_map(move |entries| {
        let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
        format!(";{part}={}", entries.join(","))
    })
}

fn maybe(part: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(String::new()), 1 => part]
}

fn place(most: i16) -> impl Strategy<Value = i16> {
    (1..=most, any::<bool>()).prop_map(|(number, from_end)| if from_end { -number } else { number })
}

fn weekday() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
}

/// The oracle does not know the fifth from the end.
fn numbered(most: i16) -> impl Strategy<Value = String> {
    (place(most).prop_filter("-5", |number| *number != -5), weekday())
        .prop_map(|(number, day)| format!("{number}{day}"))
}

/// The parts that may stand beside each frequency.
fn parts() -> impl Strategy<Value = String> {
    let day = || maybe(list("BYDAY", weekday()));
    let month = || maybe(list("BYMONTH", 1..=12_i16));
    let month_day = || maybe(list("BYMONTHDAY", place(31)));
    let daily = (month(), month_day(), day()).prop_map(|(a, b, c)| format!("FREQ=DAILY{a}{b}{c}"));
    let weekly = (month(), day()).prop_map(|(a, b)| format!("FREQ=WEEKLY{a}{b}"));
    let numbered_or_not = |most| prop_oneof![day().boxed(), list("BYDAY", numbered(most)).boxed()];
    let monthly = (month(), month_day(), numbered_or_not(5)).prop_map(|(a, b, c)| format!("FREQ=MONTHLY{a}{b}{c}"));
    let year_day = maybe(list("BYYEARDAY", place(366)));
    let yearly = (month(), month_day(), year_day, numbered_or_not(20))
        .prop_map(|(a, b, c, d)| format!("FREQ=YEARLY{a}{b}{c}{d}"));
    // The oracle, as dateutil, misses days of January that belong to the last week of the year before.
    let weeks = list("BYWEEKNO", prop_oneof![1..=51_i16, -20..=-2_i16]);
    let by_weeks = (month(), weeks, day()).prop_map(|(a, b, c)| format!("FREQ=YEARLY{a}{b}{c}"));
    prop_oneof![daily, weekly, monthly, yearly, by_weeks]
}

fn rules() -> impl Strategy<Value = String> {
    let interval = maybe((1..=40_u16).prop_map(|interval| format!(";INTERVAL={interval}")));
    let end = prop_oneof![
        Just(String::new()),
        (1..=30_u16).prop_map(|count| format!(";COUNT={count}")),
        (2001..=2040_i16, 1..=12_i8).prop_map(|(year, month)| format!(";UNTIL={year}{month:02}17T120000Z")),
    ];
    let week_start = maybe(weekday().prop_map(|day| format!(";WKST={day}")));
    let positions = maybe(list("BYSETPOS", place(4)));
    (parts(), interval, end, week_start, positions).prop_map(|(parts, interval, end, week_start, positions)| {
        let chooses = parts.contains(";BY");
        format!("{parts}{interval}{end}{week_start}{}", if chooses { positions } else { String::new() })
    })
}

fn starts() -> impl Strategy<Value = DateTime> {
    (0..20_000_i32, 0..24_i8).prop_map(|(day, hour)| day::date_of(day + 7305).at(hour, 30, 0, 0))
}

/// What the rrule crate gives, in its floating mode.
fn oracle(text: &str, starts: DateTime, count: u16) -> Vec<DateTime> {
    let set = format!("DTSTART:{}Z\nRRULE:{text}", starts.strftime("%Y%m%dT%H%M%S"));
    let set: rrule::RRuleSet = set.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    let utc = |at: i64| jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_second(at).expect("in range"));
    set.all(count).dates.iter().map(|date| utc(date.timestamp())).collect()
}

proptest! {
    #![proptest_config(Config { cases: 400, max_global_rejects: 10_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_rule_gives_what_the_oracle_gives(text in rules(), starts in starts()) {
        let recurrence = recurrence(&text, starts);
        prop_assume!(recurrence.check().is_ok());
        let expected = oracle(&text, starts, 25);
        let mut found = dates(&recurrence, 25);
        if found.len() > expected.len() {
            // The oracle gives up on what is far.
            found.retain(|date| date.year() < 2090);
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn wherever_one_looks_from_the_dates_are_the_same(text in rules(), starts in starts(), days in -40..20_000_i64, hours in 0..24_i64) {
        let recurrence = recurrence(&text, starts);
        let from = starts.saturating_add(days.days()).saturating_add(hours.hours());
        let late = starts.saturating_add(90.years());
        let all: Vec<DateTime> =
            recurrence.instances(starts).map(|(date, _)| date).take_while(|date| *date < late).collect();
        prop_assert!(all.is_sorted_by(|one, other| one < other));
        let later: Vec<DateTime> = recurrence.instances(from).map(|(date, _)| date).take_while(|date| *date < late).collect();
        let expected: Vec<DateTime> = all.into_iter().filter(|date| *date >= from).collect();
        prop_assert_eq!(later, expected);
    }
}
