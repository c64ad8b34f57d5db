//! Periods as people write them, where they begin and end, and when they are told of.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use proptest::prelude::{any, proptest};

use super::{Period, due};
use crate::domain::inventory::PeriodLength;

const LENGTHS: [PeriodLength; 3] = [PeriodLength::Month, PeriodLength::Quarter, PeriodLength::Year];

fn period(text: &str) -> Period {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn periods_are_read_and_written() {
    let check = |text: &str, first: Date, last: Date, before: &str| {
        let read = period(text);
        assert_eq!((read.to_string().as_str(), read.first_day(), read.last_day()), (text, first, last));
        assert_eq!(read.before(), period(before), "before {text}");
        assert_eq!(read.before().day_after(), first);
        assert_eq!(serde_json::to_value(read).unwrap(), text);
    };
    check("2026-11", date(2026, 11, 1), date(2026, 11, 30), "2026-10");
    check("2026-12", date(2026, 12, 1), date(2026, 12, 31), "2026-11");
    check("2026-01", date(2026, 1, 1), date(2026, 1, 31), "2025-12");
    check("2028-02", date(2028, 2, 1), date(2028, 2, 29), "2028-01");
    check("2026-Q1", date(2026, 1, 1), date(2026, 3, 31), "2025-Q4");
    check("2026-Q2", date(2026, 4, 1), date(2026, 6, 30), "2026-Q1");
    check("2026-Q4", date(2026, 10, 1), date(2026, 12, 31), "2026-Q3");
    check("2026", date(2026, 1, 1), date(2026, 12, 31), "2025");
    assert_eq!(period("2026-q4"), period("2026-Q4"));
}

#[test]
fn what_is_no_period_is_refused() {
    let wrong = [
        "",
        "26",
        "20261",
        "2026-",
        "2026-Q",
        "2026-Q0",
        "2026-Q5",
        "2026-Q11",
        "2026-0",
        "2026-1",
        "2026-00",
        "2026-13",
        "2026-111",
        "1999",
        "3000",
        "+026",
        "2026-+1",
        "2026-Q-",
        "2026-11-01",
        "Q4-2026",
        " 2026",
        "2026 ",
        "２０２６",
        "2026-Q４",
    ];
    for text in wrong {
        let error = text.parse::<Period>().unwrap_err();
        assert_eq!(error.to_string(), format!("`{text}` is no period"));
    }
}

#[test]
fn every_day_is_in_one_period_of_each_length() {
    for length in LENGTHS {
        let mut day = date(2023, 12, 25);
        while day < date(2026, 1, 10) {
            let period = Period::containing(length, day);
            assert_eq!(period.length(), length);
            assert!(period.first_day() <= day && day <= period.last_day(), "{day} in {period}");
            let next = Period::containing(length, day.tomorrow().unwrap());
            let is_last = day == period.last_day();
            assert_eq!(next != period, is_last, "{day}");
            assert!(!is_last || next.before() == period);
            day = day.tomorrow().unwrap();
        }
    }
}

#[test]
fn a_period_begins_and_ends_at_the_customers_midnight() {
    let range = period("2026-Q4").range(&zone("Europe/Berlin"));
    assert_eq!((range.start, range.end), (at("2026-09-30T22:00:00Z"), at("2026-12-31T23:00:00Z")));
    // Santiago has no midnight on 6 September 2026: the day begins at one.
    let range = period("2026-09").range(&zone("America/Santiago"));
    assert_eq!((range.start, range.end), (at("2026-09-01T04:00:00Z"), at("2026-10-01T03:00:00Z")));
}

#[test]
fn the_last_period_that_is_over_is_due_once_the_customers_midnight_has_come() {
    let since = at("2026-01-15T12:00:00Z");
    let check = |length, now: &str, place: &str, expected: Option<&str>| {
        let found = due(length, at(now), &zone(place), since).map(|period| period.to_string());
        assert_eq!(found.as_deref(), expected, "{now} {place}");
    };
    check(PeriodLength::Month, "2026-10-31T22:59:59Z", "Europe/Berlin", Some("2026-09"));
    check(PeriodLength::Month, "2026-10-31T23:00:00Z", "Europe/Berlin", Some("2026-10"));
    check(PeriodLength::Month, "2026-10-31T23:00:00Z", "America/New_York", Some("2026-09"));
    check(PeriodLength::Month, "2026-10-31T18:15:00Z", "Asia/Kathmandu", Some("2026-10"));
    check(PeriodLength::Quarter, "2026-10-01T00:00:00Z", "UTC", Some("2026-Q3"));
    check(PeriodLength::Quarter, "2026-11-02T00:00:00Z", "UTC", Some("2026-Q3"));
    check(PeriodLength::Quarter, "2026-11-02T00:00:01Z", "UTC", None);
    check(PeriodLength::Year, "2027-01-01T00:00:00Z", "UTC", Some("2026"));
    check(PeriodLength::Year, "2027-03-01T00:00:00Z", "UTC", None);
}

#[test]
fn nothing_is_due_of_the_time_before_a_customer_was_there() {
    let due_since = |since: &str| due(PeriodLength::Month, at("2026-11-05T00:00:00Z"), &TimeZone::UTC, at(since));
    assert_eq!(due_since("2026-10-31T23:59:59Z"), Some(period("2026-10")), "a part of it counts");
    assert_eq!(due_since("2026-11-01T00:00:00Z"), None);
    assert_eq!(due_since("2026-11-04T00:00:00Z"), None);
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_or_refused(text in any::<String>()) {
        if let Ok(period) = text.parse::<Period>() {
            assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
        }
    }

    #[test]
    fn what_is_due_is_over_and_the_next_is_not(seconds in 1_600_000_000_i64..4_000_000_000) {
        let now = Timestamp::from_second(seconds).unwrap();
        for length in LENGTHS {
            for place in ["Europe/Berlin", "America/Santiago", "Pacific/Kiritimati"] {
                let zone = zone(place);
                if let Some(period) = due(length, now, &zone, Timestamp::UNIX_EPOCH) {
                    let next = Period::containing(length, period.day_after());
                    assert!(period.range(&zone).end <= now && now < next.range(&zone).end);
                }
            }
        }
    }
}
