//! Foreign calendars as other readers see them (`tests/data/ics`), and our own feed.
//!
//! The expected files were compared with what Python's `recurring-ical-events` finds. It differs in two places, on purpose: what
//! is told by its end keeps its elapsed length in the night of a change of clocks (RFC 5545), and a zone that nothing
//! explains is refused.

use std::path::Path;

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::{any, proptest};
use serde_json::{Value, json};

use super::{Error, ForeignCalendar, Impact, Maintenance, OwnEvent, Status, write};
use crate::domain::calendar::FreezeSpan;
use crate::domain::document::MAX_CALENDAR_BYTES;

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

/// The year 2026 in UTC.
fn year() -> std::ops::Range<Timestamp> {
    let first = |year| date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp();
    first(2026)..first(2027)
}

fn calendar(body: &str) -> ForeignCalendar {
    ForeignCalendar::parse(&wrap(body)).unwrap()
}

fn wrap(body: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{}\nEND:VCALENDAR\n", body.trim())
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\nUID:1\nSUMMARY:x\n{lines}\nEND:VEVENT\n")
}

/// The starts of a calendar's events in 2026.
fn starts(body: &str) -> Vec<String> {
    let calendar = calendar(body);
    assert_eq!(calendar.refused(), [], "{body}");
    calendar.events(year(), &berlin()).unwrap().iter().map(|event| event.start.to_string()).collect()
}

/// Why the only event is refused.
fn refusal(lines: &str) -> String {
    let calendar = calendar(&event(lines));
    let [Error { line: 3, what }] = calendar.refused() else { panic!("{:?}", calendar.refused()) };
    what.strip_prefix("the event can't be read: ").unwrap().to_owned()
}

#[test]
fn calendars_of_other_programs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ics");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "ics") {
            continue;
        }
        let calendar = ForeignCalendar::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let events = calendar.events(year(), &TimeZone::UTC).unwrap();
        let events: Vec<Value> = events
            .iter()
            .map(|event| {
                let (start, end) = (event.start.to_string(), event.end.to_string());
                json!({ "summary": event.summary, "start": start, "end": end, "all_day": event.all_day })
            })
            .collect();
        let refused: Vec<String> =
            calendar.refused().iter().map(|error| format!("{}: {}", error.line, error.what)).collect();
        let expected: Value =
            serde_json::from_str(&std::fs::read_to_string(path.with_extension("json")).unwrap()).unwrap();
        assert_eq!(json!({ "events": events, "refused": refused }), expected, "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 7);
}

#[test]
fn blanks_behind_a_line_are_no_part_of_it() {
    let zone = "BEGIN:VTIMEZONE\nTZID:Own\nBEGIN:STANDARD\nDTSTART:19701025T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
                RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:19700329T020000\n\
                TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:DAYLIGHT\nEND:VTIMEZONE\n";
    let called_off = event("DTSTART;TZID=Own:20260703T100000\nSTATUS:CANCELLED");
    let text = wrap(&format!("{zone}{}{called_off}{}", event("DTSTART;TZID=Own:20260702T100000"), event("nothing")));
    let told = |text: &str| {
        let calendar = ForeignCalendar::parse(text).unwrap();
        let events = calendar.events(year(), &TimeZone::UTC).unwrap();
        let starts: Vec<_> = events.iter().map(|event| event.start.to_string()).collect();
        (starts, calendar.refused().iter().map(|error| error.line).collect::<Vec<_>>())
    };
    let plain = told(&text);
    assert_eq!(plain, (vec!["2026-07-02T10:00:00+02:00".to_owned()], vec![29]));
    for end in [" \n", "\t\n", " \t \r\n", "\r", "\r\r\n", " \r"] {
        assert_eq!(told(&text.replace('\n', end)), plain, "{end:?}");
    }
    assert_eq!(told(&text.replace("BEGIN:VEVENT", "BEGIN:VEV\n ENT")).0, plain.0);
    assert_eq!(told(&text.replace("STATUS:", "STATUS: ")).0, plain.0);
    // A blank before a fold belongs to the text.
    let folded = calendar(&event("DTSTART:20260101\nDESCRIPTION:a\n b").replace("SUMMARY:x", "SUMMARY:x \n  y"));
    assert_eq!(folded.events(year(), &berlin()).unwrap()[0].summary, "x  y");
}

#[test]
fn no_event_vanishes() {
    let fine = event("DTSTART:20260101");
    let all = |text: &str| ForeignCalendar::parse(text)?.events(year(), &berlin()).map(|events| events.len());
    for begin in ["BEGIN: VEVENT", "BEGIN:VEVENT\u{a0}"] {
        let error = all(&wrap(&(fine.replace("BEGIN:VEVENT", begin) + &fine))).unwrap_err();
        assert_eq!(error.what, "2 events begin in the file, but 1 can be told apart", "{begin}");
    }
    let outside = wrap(&fine).replace("END:VEVENT", "END:VEVENT\nEND:X") + &fine;
    assert_eq!(all(&outside), Ok(2));
    assert_eq!(starts(&fine.replace("BEGIN:VEVENT", "begin ;X-A=1:vevent")).len(), 1);
    let part = |kind: &str| {
        format!("BEGIN:{kind}\nDTSTART:19700101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0100\nEND:{kind}\n")
    };
    let zone = format!("BEGIN:VTIMEZONE\nTZID:Own\n{}{}END:VTIMEZONE\n", part("STANDARD"), part("DAYLIGHTS"));
    let unclear = calendar(&format!("{zone}{}", event("DTSTART;TZID=Own:20260702T100000")));
    assert!(unclear.refused()[0].what.contains("time zone `Own`"), "{:?}", unclear.refused());
}

#[test]
fn exclusions_in_every_notation() {
    let series = "DTSTART;TZID=Europe/Berlin:20260301T100000\nRRULE:FREQ=DAILY;COUNT=3\n";
    let without = |exdate: &str| starts(&event(&format!("{series}{exdate}"))).len();
    assert_eq!(without("EXDATE;TZID=Europe/Berlin:20260302T100000"), 2);
    assert_eq!(without("EXDATE:20260302T090000Z"), 2);
    assert_eq!(without("EXDATE;TZID=America/New_York:20260302T040000"), 2);
    assert_eq!(without("EXDATE;VALUE=DATE:20260302"), 2);
    assert_eq!(without("EXDATE:20260302T100000"), 2);
    assert_eq!(without("EXDATE;TZID=Europe/Berlin:20260301T100000,20260303T100000"), 1);
    assert_eq!(without("EXDATE;TZID=Europe/Berlin:20260302T110000"), 3);
    let days = "DTSTART;VALUE=DATE:20260301\nRRULE:FREQ=DAILY;COUNT=3\n";
    let without = |exdate: &str| starts(&event(&format!("{days}{exdate}")));
    assert_eq!(without("EXDATE;VALUE=DATE:20260302"), ["2026-03-01", "2026-03-03"]);
    assert_eq!(without("EXDATE:20260302T000000"), ["2026-03-01", "2026-03-03"]);
    assert_eq!(without("EXDATE:20260301T230000Z"), ["2026-03-01", "2026-03-03"], "midnight in Berlin, told in UTC");
}

#[test]
fn dates_that_are_replaced() {
    let series = event("DTSTART:20260305T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=3");
    let with = |lines: &str| starts(&format!("{series}{}", event(lines)));
    let moved = with("RECURRENCE-ID:20260312T100000Z\nDTSTART:20260314T080000Z\nDURATION:PT1H");
    assert_eq!(moved, ["2026-03-05T10:00:00Z", "2026-03-14T08:00:00Z", "2026-03-19T10:00:00Z"]);
    let named_by_day = with("RECURRENCE-ID;VALUE=DATE:20260312\nDTSTART:20260314T080000Z");
    assert_eq!(named_by_day.len(), 3);
    let cancelled = with("RECURRENCE-ID:20260312T100000Z\nDTSTART:20260312T100000Z\nSTATUS:CANCELLED");
    assert_eq!(cancelled, ["2026-03-05T10:00:00Z", "2026-03-19T10:00:00Z"]);
    // A date of another year that was moved into this one, and the other way round.
    let old = event("DTSTART:20251230T100000Z\nRRULE:FREQ=WEEKLY;COUNT=2\n");
    let moved_in = event("RECURRENCE-ID:20251230T100000Z\nDTSTART:20260101T080000Z");
    let moved_out = event("RECURRENCE-ID:20260106T100000Z\nDTSTART:20270101T080000Z");
    assert_eq!(starts(&format!("{old}{moved_in}{moved_out}")), ["2026-01-01T08:00:00Z"]);
    // The later version counts, wherever it stands.
    let later = event("RECURRENCE-ID:20260312T100000Z\nSEQUENCE:2\nDTSTART:20260315T080000Z");
    let earlier = event("RECURRENCE-ID:20260312T100000Z\nSEQUENCE:1\nDTSTART:20260314T080000Z");
    for body in [format!("{series}{later}{earlier}"), format!("{series}{earlier}{later}")] {
        assert_eq!(starts(&body), ["2026-03-05T10:00:00Z", "2026-03-15T08:00:00Z", "2026-03-19T10:00:00Z"]);
    }
    assert_eq!(starts(&event("DTSTART:20260305T100000Z\nRRULE:FREQ=WEEKLY\nSTATUS:CANCELLED")), [""; 0]);
}

#[test]
fn clocks_change_in_foreign_calendars_too() {
    let nightly = "DTSTART;TZID=Europe/Berlin:20260328T023000\nDURATION:P1D\nRRULE:FREQ=DAILY;COUNT=2";
    let calendar = calendar(&event(nightly));
    let told: Vec<_> = calendar
        .events(year(), &berlin())
        .unwrap()
        .iter()
        .map(|event| format!("{} {}", event.start, event.end))
        .collect();
    // A day on the calendar; in the gap a later time on the wall.
    assert_eq!(
        told,
        ["2026-03-28T02:30:00+01:00 2026-03-29T03:30:00+02:00", "2026-03-29T03:30:00+02:00 2026-03-30T02:30:00+02:00",]
    );
    let until = "DTSTART;TZID=Europe/Berlin:20260328T000000\nRRULE:FREQ=DAILY;UNTIL=20260328T230000Z";
    assert_eq!(starts(&event(until)).len(), 2, "an instant in UTC is midnight in Berlin");
    let until = "DTSTART;TZID=Europe/Berlin:20260328T000000\nRRULE:FREQ=DAILY;UNTIL=20260328T225959Z";
    assert_eq!(starts(&event(until)).len(), 1);
}

#[test]
fn what_can_not_be_kept_to_is_refused() {
    assert!(refusal("DTSTART:20260101T000000Z\nRRULE:FREQ=HOURLY").starts_with("`FREQ` is `HOURLY`"));
    assert!(refusal("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;BYHOUR=9,17").contains("`BYHOUR`"));
    assert!(refusal("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;UNTIL=2026").contains("`UNTIL` is `2026`"));
    assert!(refusal("DTSTART:20260101T090000Z\nRRULE:nonsense").contains("the part `nonsense`"));
    assert!(refusal("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY").contains("more than one"));
    assert!(refusal("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY").contains("EXRULE"));
    assert!(refusal("DTSTART:20260101T090000Z\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260101T090000Z").contains("RANGE"));
    assert!(refusal("DTSTART:20260101T090000Z\nDTEND;VALUE=DATE:20260102").contains("different kinds"));
    assert!(refusal("DTSTART:20260101T090000Z\nDURATION:-PT1H").contains("negative"));
    assert!(refusal("DTSTART:20260101T090000Z\nDURATION:P99999W").contains("ten years"));
    assert!(refusal("DTSTART;TZID=Mars/Olympus:20260101T090000").contains("`Mars/Olympus`"));
    assert!(refusal("DTSTART;TZID=\"(UTC+01:00) Somewhere, Else\":20260101T090000").contains("time zone"));
    assert!(refusal("DTSTART:20260101T250000").contains("`DTSTART`"));
    assert!(refusal("SUMMARY:when?").contains("no `DTSTART`"));
    // What only repeats the start's time of day changes nothing.
    let same = event("DTSTART:20260101T093000Z\nRRULE:FREQ=DAILY;COUNT=2;BYHOUR=9;BYMINUTE=30;BYSECOND=0");
    assert_eq!(starts(&same).len(), 2);
}

#[test]
fn rules_are_never_bent() {
    let with = |rule: &str| format!("DTSTART:20260302T090000Z\nRRULE:FREQ=WEEKLY;{rule}");
    for wrong in [
        "COUNT=4294967298",
        "COUNT=0",
        "INTERVAL=65537",
        "INTERVAL=0",
        "INTERVAL=-2",
        "FOO=BAR",
        "X-FOO",
        "BYEASTER=0",
        "RSCALE=GREGORIAN",
        "COUNT=2;COUNT=3",
        "BYDAY=TU;BYDAY=WE",
        "UNTIL=20260310T",
        "UNTIL=20260310T10",
        "BYHOUR=9,9",
        "BYHOUR=265",
        ";COUNT=2",
    ] {
        assert_ne!(refusal(&with(wrong)), "", "{wrong}");
    }
    // As it may be written: folded within the value, in small letters, with parameters, with a separator at the end.
    let written = |rule: &str| starts(&event(&format!("DTSTART:20260302T090000Z\n{rule}"))).len();
    assert_eq!(written("RRULE:FREQ=WEEKLY;CO\r\n UNT=2;"), 2);
    assert_eq!(written("rrule;VALUE=RECUR;X-A=\":\":freq=weekly;count=2 "), 2);
    assert_eq!(written("RRU\n LE:FREQ=WEEKLY;COUNT=2"), 2);
    assert!(refusal("DTSTART:20260302T090000Z\nRRULE:").contains("can't be read"));
    let until = "DTSTART;TZID=Europe/Berlin:20260328T023000\nRRULE:FREQ=DAILY;UNTIL=20260329T013000Z";
    assert_eq!(starts(&event(until)).len(), 2, "the second lies in the gap, and at that instant");
}

#[test]
fn a_zone_is_never_guessed() {
    let summer = |zone: &str| {
        let lines = format!("DTSTART;TZID={zone}:20260702T100000");
        let calendar = calendar(&event(&lines));
        let events = calendar.events(year(), &berlin()).unwrap();
        events.first().map(|event| event.start.to_string()[19..].to_owned())
    };
    let offset = |offset: &str| Some(offset.to_owned());
    assert_eq!(summer("(GMT+01.00) Amsterdam / Berlin / Bern / Rome / Stockholm / Vienna"), offset("+02:00"));
    assert_eq!(summer("(GMT+01.00) Somewhere / Else"), None);
    assert_eq!(summer("\"(GMT+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna\""), offset("+02:00"));
    assert_eq!(summer("\"tzone://Microsoft/Utc\""), offset("Z"));
    assert_eq!(summer("\"tzone://Microsoft/Custom\""), None);
    assert_eq!(summer("Europe/Berlin (CET)"), offset("+02:00"));
    assert_eq!(summer("Berlin (Europe/Berlin)"), None);
    assert_eq!(summer("Etc/GMT+1"), offset("-01:00"));
    assert_eq!(summer("GMT+0100"), offset("+01:00"));
    assert_eq!(summer("\"UTC-05:30\""), offset("-05:30"));
    for unclear in ["GMT+1", "UTC+1", "GMT+0175", "GMT+9900", "GMT+", "GMT+01", "CEST", "Ümläut", "GMTü"] {
        assert_eq!(summer(unclear), None, "{unclear}");
    }
}

#[test]
fn a_definition_says_more_than_where_it_is_from() {
    let zone = |offset: &str| {
        format!(
            "BEGIN:VTIMEZONE\nTZID:Own\nX-LIC-LOCATION:Asia/Tokyo\nBEGIN:STANDARD\nDTSTART:19700101T000000\n\
             TZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}\nEND:STANDARD\nEND:VTIMEZONE\n"
        )
    };
    let told = |offset: &str| starts(&(zone(offset) + &event("DTSTART;TZID=Own:20260301T100000")));
    assert_eq!(told("+0100"), ["2026-03-01T10:00:00+01:00"]);
    assert_eq!(told("soon"), ["2026-03-01T10:00:00+09:00"]);
}

#[test]
fn offsets_have_seconds() {
    let zone = |offset: &str| {
        format!(
            "BEGIN:VTIMEZONE\nTZID:Own\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:{offset}\n\
             TZOFFSETTO;X-A=1:{offset}\nEND:STANDARD\nEND:VTIMEZONE\n"
        )
    };
    let lines = event("DTSTART;TZID=Own:20260301T100000");
    let told = |offset: &str| starts(&format!("{}{lines}", zone(offset)));
    // RFC 3339 knows no such offsets: the instant is told in UTC.
    assert_eq!(told("+005328"), ["2026-03-01T09:06:32Z"]);
    assert_eq!(told("-005328"), ["2026-03-01T10:53:28Z"]);
    assert_eq!(told("+013000"), ["2026-03-01T10:00:00+01:30"]);
    assert_eq!(told("-01"), ["2026-03-01T10:00:00-01:00"]);
    for wrong in ["0100", "+0160", "+010060", "+01:00", "+1", ""] {
        assert_eq!(calendar(&format!("{}{lines}", zone(wrong))).refused().len(), 1, "{wrong}");
    }
    let old = calendar(&event("DTSTART;TZID=Europe/Berlin:18900701T100000"));
    let always = Timestamp::MIN..Timestamp::MAX;
    assert_eq!(old.events(always, &berlin()).unwrap()[0].start.to_string(), "1890-07-01T09:06:32Z");
}

/// A definition whose rule is `rule`, and an event in its zone.
fn in_own_zone(name: usize, rule: &str) -> String {
    let part = |kind: &str| {
        format!(
            "BEGIN:{kind}\nDTSTART:19700101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:{rule}\nEND:{kind}\n"
        )
    };
    let zone = format!("BEGIN:VTIMEZONE\nTZID:Z{name}\n{}{}END:VTIMEZONE\n", part("STANDARD"), part("DAYLIGHT"));
    zone + &event(&format!("DTSTART;TZID=Z{name}:20260301T000000"))
}

#[test]
fn definitions_of_zones_cost_little() {
    let refused = |rule: &str, number: usize| {
        let body: String = (0..number).map(|name| in_own_zone(name, rule)).collect();
        calendar(&body).refused().len()
    };
    assert_eq!(refused("FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", 100), 0);
    let begun = std::time::Instant::now();
    assert_eq!(refused("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2", 100), 100, "a rule without dates says nothing");
    assert_eq!(refused("FREQ=DAILY", 550), 50, "there are more definitions than anybody needs");
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn the_start_is_a_date_whatever_the_rule_gives() {
    let with = |rule: &str| starts(&event(&format!("DTSTART;VALUE=DATE:20260303\nRRULE:{rule}")));
    assert_eq!(with("FREQ=DAILY;UNTIL=20260302"), ["2026-03-03"]);
    assert_eq!(with("FREQ=WEEKLY;BYDAY=MO;UNTIL=20260306"), ["2026-03-03"]);
    assert_eq!(with("FREQ=YEARLY;INTERVAL=50"), ["2026-03-03"]);
    assert_eq!(with("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), ["2026-03-03"]);
    let old = "DTSTART;VALUE=DATE:19260303\nRRULE:FREQ=YEARLY;INTERVAL=50";
    assert_eq!(starts(&event(old)), ["2026-03-03"], "a date in range of a rule that gives few");
    let ended = event("DTSTART:20260303T100000Z\nRRULE:FREQ=DAILY;UNTIL=20260302T100000Z").repeat(200);
    assert_eq!(starts(&ended).len(), 200, "as calendars leave series that are split");
}

#[test]
fn dates_are_named_as_instants() {
    let in_gap = "DTSTART;TZID=Europe/Berlin:20260328T023000\nRRULE:FREQ=DAILY;COUNT=3\n";
    let without_gap = ["2026-03-28T02:30:00+01:00", "2026-03-30T02:30:00+02:00"];
    assert_eq!(starts(&event(&format!("{in_gap}EXDATE:20260329T013000Z"))), without_gap);
    assert_eq!(starts(&event(&format!("{in_gap}EXDATE;TZID=Europe/Berlin:20260329T023000"))), without_gap);
    let replaced = event("RECURRENCE-ID:20260329T013000Z\nDTSTART:20260329T013000Z\nSTATUS:CANCELLED");
    assert_eq!(starts(&(event(in_gap) + &replaced)), without_gap);
    let in_fold = "DTSTART;TZID=Europe/Berlin:20261024T023000\nRRULE:FREQ=DAILY;COUNT=2\n";
    let without = |exdate: &str| starts(&event(&format!("{in_fold}{exdate}"))).len();
    assert_eq!(without("EXDATE:20261025T013000Z"), 2, "the second 02:30 is no date");
    assert_eq!(without("EXDATE:20261025T003000Z"), 1);
    // The same digits in two zones are two dates.
    let series = event("DTSTART:20260301T100000Z\nRRULE:FREQ=DAILY;COUNT=2");
    let first = event("RECURRENCE-ID:20260301T100000Z\nDTSTART:20260303T100000Z\nSEQUENCE:2");
    let other = event("RECURRENCE-ID;TZID=America/New_York:20260301T100000\nDTSTART:20260304T100000Z\nSEQUENCE:1");
    assert_eq!(starts(&format!("{series}{first}{other}")).len(), 3);
}

#[test]
fn a_start_in_the_gap_may_end_right_after_it() {
    let length = |end: &str| {
        let lines = format!("DTSTART;TZID=Europe/Berlin:20260329T023000\nDTEND;TZID=Europe/Berlin:{end}");
        let calendar = calendar(&event(&lines));
        let events = calendar.events(year(), &berlin()).unwrap();
        events.first().map(|event| format!("{} {}", event.start, event.end))
    };
    let expected = "2026-03-29T03:30:00+02:00 2026-03-29T04:00:00+02:00";
    assert_eq!(length("20260329T030000").as_deref(), Some(expected));
    assert_eq!(length("20260329T040000").as_deref(), Some(expected));
    assert_eq!(length("20260329T020000"), None);
}

#[test]
fn a_series_with_an_unreadable_change_is_refused() {
    let series = event("DTSTART:20260305T100000Z\nRRULE:FREQ=WEEKLY;COUNT=3");
    let change = event("RECURRENCE-ID:20260312T100000Z\nDTSTART:20260313T100000Z");
    let broken = event("RECURRENCE-ID:20260319T100000Z\nDTSTART:soon");
    let other = event("DTSTART:20260401T100000Z").replace("UID:1", "UID:2");
    let calendar = calendar(&format!("{series}{change}{broken}{other}"));
    let refused: Vec<usize> = calendar.refused().iter().map(|error| error.line).collect();
    assert_eq!(refused, [3, 9, 15]);
    assert_eq!(calendar.refused()[0].what, "the event is changed by the one in line 15, which can't be read");
    assert_eq!(calendar.events(year(), &berlin()).unwrap().len(), 1);
}

#[test]
fn a_freeze_calendar_must_be_whole() {
    let days = event("DTSTART;VALUE=DATE:20260329\nDTEND;VALUE=DATE:20260330");
    let instant = |text: &str| text.parse::<Timestamp>().unwrap();
    let spans = calendar(&days).freeze_spans(year(), &berlin()).unwrap();
    let (from, until) = (instant("2026-03-28T23:00:00Z"), instant("2026-03-29T22:00:00Z"));
    assert_eq!(spans, [FreezeSpan { from, until, reason: "x".to_owned() }], "a day of 23 hours in Berlin");
    let floating = calendar(&event("DTSTART:20260701T080000\nDTEND:20260701T120000"));
    assert_eq!(floating.freeze_spans(year(), &berlin()).unwrap()[0].from, instant("2026-07-01T06:00:00Z"));
    let with_a_gap = calendar(&format!("{days}{}", event("DTSTART:20260101T000000Z\nRRULE:FREQ=HOURLY")));
    assert_eq!(with_a_gap.freeze_spans(year(), &berlin()).unwrap_err().line, 9);
    let cut_off = wrap(&days).replace("END:VCALENDAR\n", "");
    assert!(ForeignCalendar::parse(&cut_off).unwrap().freeze_spans(year(), &berlin()).is_err());
    let moment = calendar(&event("DTSTART:20260701T080000Z"));
    assert_eq!(moment.freeze_spans(year(), &berlin()).unwrap(), []);
}

#[test]
fn only_what_touches_the_range_is_there() {
    let body = event("DTSTART:20251231T220000Z\nDTEND:20260101T000000Z\nRRULE:FREQ=YEARLY");
    assert_eq!(starts(&body), ["2026-12-31T22:00:00Z"], "the first is over when the year begins");
    let body = event("DTSTART:20251231T220000Z\nDTEND:20260101T000001Z");
    assert_eq!(starts(&body).len(), 1);
    assert_eq!(starts(&event("DTSTART:20260101T000000Z")).len(), 1);
    assert_eq!(starts(&event("DTSTART:20270101T000000Z")), [""; 0]);
}

#[test]
fn the_work_is_bounded() {
    let parse = |text: &str| ForeignCalendar::parse(text).map(|_| ()).unwrap_err().what;
    assert!(parse(&" ".repeat(MAX_CALENDAR_BYTES + 1)).contains("more than 16777216 bytes"));
    assert!(parse(&wrap(&event("DTSTART:20260101").repeat(50_001))).contains("more than 50000 events"));
    assert!(parse(&wrap(&"A:\n".repeat(1_000_001))).contains("more than 1000000 lines"));
    let never = event("DTSTART:20260101\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30").repeat(21);
    assert!(parse(&wrap(&never)).contains("more than 20 events"));
    let refused = event("DTSTART:20260101\nRRULE:FREQ=HOURLY").repeat(101);
    assert!(parse(&wrap(&refused)).contains("more than 100 events"));
    assert!(parse("hello").contains("no calendar"));
    assert!(parse("").contains("no calendar"));
    let endless = event("DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY").repeat(140);
    assert!(calendar(&endless).events(year(), &berlin()).unwrap_err().what.contains("more than 50000 dates"));
    let long = event("DTSTART:00010101T000000Z\nRRULE:FREQ=DAILY");
    assert_eq!(starts(&long).len(), 365);
}

#[test]
fn many_events_with_one_uid_cost_no_more_than_others() {
    let changes: String = (0..20_000)
        .map(|number| {
            let day = date(2026, 1, 1).saturating_add((number % 300).days()).strftime("%Y%m%d");
            event(&format!("RECURRENCE-ID:{day}T{:02}{:02}00Z\nDTSTART:20300101", number % 24, number % 60))
        })
        .collect();
    let body = changes + &event("DTSTART:20260101T100000Z").repeat(20_000);
    let begun = std::time::Instant::now();
    assert_eq!(starts(&body).len(), 20_000);
    // Each event against each change took minutes.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    let counted = event("DTSTART:19900101T100000Z\nRRULE:FREQ=DAILY;COUNT=10000").repeat(501);
    let error = calendar(&counted).events(year(), &berlin()).unwrap_err();
    assert_eq!(error.what, "more than 5000000 dates would have to be looked at up to here");
    assert_eq!(starts(&event("DTSTART:20250101T100000Z\nRRULE:FREQ=DAILY;COUNT=366").repeat(5_000)).len(), 5_000);
}

fn own(uid: &str, status: Status) -> OwnEvent {
    let start = date(2026, 3, 27).at(14, 0, 0, 0).to_zoned(berlin()).unwrap().timestamp();
    OwnEvent {
        uid: uid.to_owned(),
        sequence: 3,
        stamp: start.saturating_sub(10.hours()).unwrap(),
        summary: "Wartung: Server, Netz; und \"Drucker\" – Größeres, damit die Zeile länger wird als 75 Oktette"
            .to_owned(),
        description: "Zeile eins\nZeile zwei\r\nBEGIN:VEVENT\u{7}".to_owned(),
        start,
        end: start.saturating_add(4.hours()).unwrap(),
        status,
        maintenance: Maintenance {
            provider: "systemhaus.example".to_owned(),
            account: "nordwind".parse().unwrap(),
            impact: Impact::Outage,
            objects: vec!["mail01".parse().unwrap(), "web01".parse().unwrap()],
        },
    }
}

#[test]
fn our_feed_reads_as_it_was_written() {
    let events =
        [own("a@turnus", Status::Confirmed), own("b@turnus", Status::Tentative), own("c@turnus", Status::Cancelled)];
    let text = write(&events, "Nordwind, GmbH\r\nX-EVIL:1");
    let settings = {
        let mut settings = insta::Settings::new();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings
    };
    settings.bind(|| insta::assert_snapshot!("feed", text.replace('\r', "")));
    assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains(['\r', '\n', '\u{7}'])), "{text}");
    assert_eq!(text.matches("\r\nBEGIN:VEVENT\r\n").count(), 3);
    let read = ForeignCalendar::parse(&text).unwrap();
    assert_eq!(read.refused(), []);
    let found = read.events(year(), &TimeZone::UTC).unwrap();
    assert_eq!(found.len(), 2, "the cancelled one is gone");
    assert_eq!(found[0].summary, events[0].summary);
    assert_eq!(found[0].start.instant(&TimeZone::UTC), events[0].start);
    assert_eq!(found[0].end.instant(&TimeZone::UTC), events[0].end);
    assert_eq!(write(&events, "x"), write(&events, "x"));
}

proptest! {
    #[test]
    fn no_text_breaks_out_of_the_feed(summary in any::<String>(), description in any::<String>(), uid in any::<String>()) {
        let event = OwnEvent { uid, summary, description, ..own("x", Status::Confirmed) };
        let text = write(&[event], "name");
        assert_eq!(text.lines().filter(|line| line.starts_with("BEGIN:") || line.starts_with("END:")).count(), 4);
        let read = ForeignCalendar::parse(&text).unwrap();
        assert_eq!(read.events(year(), &TimeZone::UTC).unwrap().len(), 1);
    }

    #[test]
    fn whatever_a_file_says_it_is_read_or_refused(text in "(BEGIN|END|DTSTART|DTEND|RRULE|RDATE|EXDATE|DURATION|TZID|;TZID=|:|;|,|=|VEVENT|VCALENDAR|VTIMEZONE|STANDARD|FREQ=YEARLY|20260101|T000000Z|TZOFFSETTO:\\+0100|\r\n|\n|.){0,60}") {
        for text in [text.clone(), wrap(&text), wrap(&event(&text)), wrap(&event(&format!("DTSTART:20260101T000000\n{text}")))] {
            if let Ok(calendar) = ForeignCalendar::parse(&text) {
                let _ = calendar.events(year(), &berlin());
            }
        }
    }
}
