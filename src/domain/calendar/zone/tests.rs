//! What clocks do in gaps and double hours, in zones that do it in unusual ways.

use jiff::civil::{DateTime, datetime};
use jiff::tz::TimeZone;

use super::place;
use crate::domain::calendar::DstNote;

#[track_caller]
fn check(zone: &str, local: &str, utc: &str, resulting: &str, note: Option<DstNote>) {
    let placed = place(local.parse().expect("a local time"), &TimeZone::get(zone).expect("a zone"));
    let resulting: DateTime = resulting.parse().expect("a local time");
    assert_eq!((placed.at.to_string().as_str(), placed.local, placed.note), (utc, resulting, note), "{local} {zone}");
}

#[test]
fn local_times_on_the_time_line() {
    let (gap, double) = (Some(DstNote::Gap), Some(DstNote::DoubleHour));
    check("Europe/Berlin", "2026-03-27T14:00", "2026-03-27T13:00:00Z", "2026-03-27T14:00", None);
    check("Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59", None);
    check("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00:00Z", "2026-03-29T03:00", gap);
    check("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30:00Z", "2026-03-29T03:30", gap);
    check("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z", "2026-03-29T03:00", None);
    check("Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00:00Z", "2026-10-25T02:00", double);
    check("Europe/Berlin", "2026-10-25T02:59:59", "2026-10-25T00:59:59Z", "2026-10-25T02:59:59", double);
    check("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z", "2026-10-25T03:00", None);
    // The clocks change at midnight.
    check("America/Santiago", "2026-09-06T00:00", "2026-09-06T04:00:00Z", "2026-09-06T01:00", gap);
    check("America/Santiago", "2026-09-06T00:30", "2026-09-06T04:30:00Z", "2026-09-06T01:30", gap);
    check("America/Santiago", "2026-04-04T23:30", "2026-04-05T02:30:00Z", "2026-04-04T23:30", double);
    // By half an hour.
    check("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45:00Z", "2026-10-04T02:45", gap);
    check("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45:00Z", "2026-04-05T01:45", double);
    // A whole day was left out.
    check("Pacific/Apia", "2011-12-30T10:00", "2011-12-30T20:00:00Z", "2011-12-31T10:00", gap);
    // Far beyond the tables.
    check("Europe/Berlin", "9000-07-01T12:00", "9000-07-01T10:00:00Z", "9000-07-01T12:00", None);
}

#[test]
fn beyond_the_time_line_is_its_end() {
    for zone in ["Pacific/Honolulu", "Pacific/Kiritimati", "UTC"] {
        let zone = TimeZone::get(zone).expect("a zone");
        assert!(
            place(datetime(9999, 12, 31, 23, 59, 59, 0), &zone).at > place(datetime(9999, 12, 1, 0, 0, 0, 0), &zone).at
        );
        assert!(place(datetime(1, 1, 1, 0, 0, 0, 0), &zone).at < place(datetime(2, 1, 1, 0, 0, 0, 0), &zone).at);
        assert!(place(DateTime::MIN, &zone).at <= place(datetime(1, 1, 1, 0, 0, 0, 0), &zone).at);
    }
}
