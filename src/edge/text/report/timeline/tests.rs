//! Positions and marks of the time axis.

use jiff::{SignedDuration, Timestamp};

use super::super::super::LOCALES;
use super::super::super::catalogue::Catalogue;
use super::super::super::reader::Reader;
use super::{Axis, NARROWEST, WIDTH, view};
use crate::domain::inventory::Locale;
use crate::domain::report::samples::{Answer, Story};

fn german<T>(zone: &str, look: impl FnOnce(&Reader<'_>) -> T) -> T {
    let (_, text) = LOCALES[0];
    let catalogue = Catalogue::parse(Locale::De, text).unwrap();
    look(&Reader::new(&catalogue, zone))
}

fn axis(from: &str, seconds: i64) -> Axis {
    let from: Timestamp = from.parse().unwrap();
    Axis::new(from, from + SignedDuration::from_secs(seconds))
}

#[test]
fn positions_are_within_the_picture() {
    let axis = axis("2026-03-27T13:00:00Z", 100);
    let at = |seconds| axis.position(axis.from + SignedDuration::from_secs(seconds));
    assert_eq!([at(-5), at(0), at(25), at(100), at(500)], [0, 0, 2500, WIDTH, WIDTH]);
    let moment = super::Axis::new(axis.from, axis.from);
    assert_eq!(moment.position(axis.from), 0, "a run of no length divides by nothing");
}

#[test]
fn marks_are_few_and_at_round_times_of_the_readers_clock() {
    let check = |zone: &str, from: &str, seconds: i64, expected: &[&str]| {
        let marks = german(zone, |reader| axis(from, seconds).marks(reader).unwrap());
        let labels: Vec<_> = marks.iter().map(|mark| mark.label.as_str()).collect();
        assert_eq!(labels, expected, "{seconds} s in {zone}");
    };
    let berlin = "Europe/Berlin";
    check(berlin, "2026-03-27T13:00:10Z", 600, &["14:02", "14:04", "14:06", "14:08"]);
    check(berlin, "2026-03-27T13:01:00Z", 7200, &["14:30", "15:00", "15:30"]);
    check(berlin, "2026-03-27T13:00:00Z", 8, &["14:00:00", "14:00:02", "14:00:04", "14:00:06"]);
    check("Asia/Kolkata", "2026-03-27T13:00:00Z", 14_400, &["19:00", "20:00", "21:00", "22:00"]);
    check(berlin, "2026-03-27T13:00:00Z", 0, &["14:00:00"]);
    let days = german(berlin, |reader| axis("2026-03-27T13:00:00Z", 40 * 86_400).marks(reader).unwrap().len());
    assert!((2..=7).contains(&days), "{days} marks");
}

#[test]
fn short_phases_are_seen_and_open_ones_end_with_the_picture() {
    let report = Story::new().with("db01", "archive data", Answer::Silence).report();
    let picture = german("Europe/Berlin", |reader| view(&report, reader).unwrap().unwrap());
    let bars = || picture.lines.iter().flat_map(|line| &line.bars);
    assert!(bars().all(|bar| bar.x >= 0 && bar.width >= NARROWEST && bar.x + bar.width <= WIDTH));
    let open = bars().find(|bar| bar.state == "running").unwrap();
    assert_eq!((open.x + open.width, &open.phase[..]), (WIDTH, "backup"));
    assert_eq!(picture.lines.len(), 3);
    assert_eq!(picture.lines[0].description.matches(", ").count(), 5, "all six phases are described");
}

#[test]
fn without_a_phase_there_is_no_picture() {
    let report = Story::new().with("mail01", "prepare", Answer::Silence).report();
    assert!(german("Europe/Berlin", |reader| view(&report, reader).unwrap()).is_none());
}
