//! Invitations line by line, and as our own reader has them. What other readers find in them is in `tests/it/calendar_entries.rs`.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::{any, proptest};

use super::{Answer, Invitation, Method, Party, write_invitation};
use crate::domain::id::OccurrenceId;
use crate::edge::ics::{ForeignCalendar, Impact, Maintenance, OwnEvent, Status, uid, write};

const ORIGIN: &str = "0198f2a0-0000-7000-8000-000000000001";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn party(name: &str, email: &str) -> Party {
    Party { name: name.to_owned(), email: email.to_owned() }
}

/// Four hours in Berlin, announced.
fn invitation(start: &str, method: Method) -> Invitation {
    let start = at(start);
    Invitation {
        event: OwnEvent {
            uid: uid(OccurrenceId(ORIGIN.parse().unwrap())),
            sequence: 0,
            stamp: at("2026-03-01T08:00:00Z"),
            summary: "Wartung: Server".to_owned(),
            description: "Vierteljährlich; mail01, web01\nDienste stehen".to_owned(),
            start,
            end: start.saturating_add(4.hours()).unwrap(),
            status: Status::Confirmed,
            maintenance: Maintenance {
                provider: "systemhaus.example".to_owned(),
                account: "nordwind".parse().unwrap(),
                impact: Impact::Outage,
                objects: vec!["mail01".parse().unwrap(), "web01".parse().unwrap()],
            },
        },
        method,
        time_zone: "Europe/Berlin".to_owned(),
        organizer: party("Systemhaus Süd", "wartung@systemhaus.example"),
        alarm_before_s: Some(86_400),
    }
}

fn request() -> Method {
    Method::Request { attendee: party("IT-Leitung", "it@nordwind.example"), answer: Answer::NotAsked }
}

fn unfolded(text: &str) -> String {
    text.replace("\r\n ", "")
}

/// The lines whose property has this name, unfolded.
fn lines(text: &str, name: &str) -> Vec<String> {
    let is_named = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([':', ';']));
    unfolded(text).split("\r\n").filter(is_named).map(str::to_owned).collect()
}

/// Start and end as our own reader has them.
fn read_back(text: &str) -> (Timestamp, Timestamp) {
    let read = ForeignCalendar::parse(text).unwrap();
    assert_eq!(read.refused(), [], "{text}");
    let found = read.events(at("2000-01-01T00:00:00Z")..at("2100-01-01T00:00:00Z"), &TimeZone::UTC).unwrap();
    let [event] = found.as_slice() else { panic!("{found:?}") };
    (event.start.instant(&TimeZone::UTC), event.end.instant(&TimeZone::UTC))
}

#[test]
fn a_request_line_by_line() {
    let text = write_invitation(&invitation("2026-03-27T13:00:00Z", request()));
    let expected = "BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//turnus//turnus 0.1.0//EN
CALSCALE:GREGORIAN
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:20241027T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20250330T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20251026T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20260329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20261025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20270328T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:0198f2a0-0000-7000-8000-000000000001@turnus
SEQUENCE:0
DTSTAMP:20260301T080000Z
DTSTART;TZID=Europe/Berlin:20260327T140000
DTEND;TZID=Europe/Berlin:20260327T180000
SUMMARY:Wartung: Server
DESCRIPTION:Vierteljährlich\\; mail01\\, web01\\nDienste stehen
STATUS:CONFIRMED
X-MAINTNOTE-PROVIDER:systemhaus.example
X-MAINTNOTE-ACCOUNT:nordwind
X-MAINTNOTE-MAINTENANCE-ID:0198f2a0-0000-7000-8000-000000000001
X-MAINTNOTE-IMPACT:OUTAGE
X-MAINTNOTE-STATUS:CONFIRMED
X-MAINTNOTE-OBJECT-ID:mail01
X-MAINTNOTE-OBJECT-ID:web01
ORGANIZER;CN=Systemhaus Süd:mailto:wartung@systemhaus.example
ATTENDEE;CN=IT-Leitung;PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT;RSVP=FALSE:mailto:it@nordwind.example
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-P1D
DESCRIPTION:Wartung: Server
END:VALARM
END:VEVENT
END:VCALENDAR
";
    assert_eq!(unfolded(&text).replace("\r\n", "\n"), expected);
    assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
}

#[test]
fn a_date_that_moves_keeps_its_uid_and_grows_in_sequence() {
    let first = write_invitation(&invitation("2026-03-27T13:00:00Z", request()));
    let mut moved = invitation("2026-03-30T12:00:00Z", request());
    moved.event.sequence = 1;
    let moved = write_invitation(&moved);
    assert_eq!(lines(&first, "UID"), lines(&moved, "UID"));
    assert_eq!(
        (lines(&first, "SEQUENCE"), lines(&moved, "SEQUENCE")),
        (vec!["SEQUENCE:0".to_owned()], vec!["SEQUENCE:1".to_owned()])
    );
    assert_eq!(lines(&moved, "DTSTART")[6], "DTSTART;TZID=Europe/Berlin:20260330T140000");
}

#[test]
fn what_is_called_off_is_cancelled_and_rings_no_alarm() {
    let attendee = Some(party("IT-Leitung", "it@nordwind.example"));
    let mut asked = invitation("2026-03-27T13:00:00Z", Method::Cancel { attendee });
    asked.event.sequence = 2;
    let text = write_invitation(&asked);
    assert_eq!(lines(&text, "METHOD"), ["METHOD:CANCEL"]);
    assert_eq!(lines(&text, "STATUS"), ["STATUS:CANCELLED"]);
    assert_eq!(lines(&text, "X-MAINTNOTE-STATUS"), ["X-MAINTNOTE-STATUS:CANCELLED"]);
    assert_eq!(lines(&text, "ATTENDEE"), ["ATTENDEE;CN=IT-Leitung:mailto:it@nordwind.example"]);
    assert!(!text.contains("VALARM"), "{text}");
    let published = write_invitation(&invitation("2026-03-27T13:00:00Z", Method::Cancel { attendee: None }));
    assert!(!published.contains("ATTENDEE"), "{published}");
}

#[test]
fn what_is_only_told_has_no_attendee() {
    let text = write_invitation(&invitation("2026-03-27T13:00:00Z", Method::Publish));
    assert_eq!(lines(&text, "METHOD"), ["METHOD:PUBLISH"]);
    assert!(!text.contains("ATTENDEE") && text.contains("ORGANIZER") && text.contains("BEGIN:VALARM"), "{text}");
    let mut silent = invitation("2026-03-27T13:00:00Z", Method::Publish);
    silent.alarm_before_s = None;
    assert!(!write_invitation(&silent).contains("VALARM"));
    silent.alarm_before_s = Some(5400);
    assert_eq!(lines(&write_invitation(&silent), "TRIGGER"), ["TRIGGER:-PT5400S"]);
}

#[test]
fn a_line_of_ten_megabytes_becomes_short_ones() {
    let long = "<b>ü, \u{202e}\u{1b}[31mы;\r\n\0".repeat((10 << 20) / 22);
    let mut hostile = invitation("2026-03-27T13:00:00Z", Method::Publish);
    hostile.event.summary.clone_from(&long);
    hostile.event.description.clone_from(&long);
    hostile.event.maintenance.provider.clone_from(&long);
    hostile.organizer.name.clone_from(&long);
    hostile.method = Method::Request { attendee: party(&long, "it@nordwind.example"), answer: Answer::NotAsked };
    let feed = write(std::slice::from_ref(&hostile.event), &long);
    for text in [write_invitation(&hostile), feed] {
        assert!(text.len() < 64 << 10, "{} bytes", text.len());
        assert!(text.split("\r\n").all(|line| line.len() <= 75), "a line of more than 75 octets");
        let dangerous = |character: char| character.is_control() || character == '\u{202e}';
        assert!(!text.replace("\r\n", "").contains(dangerous), "{text}");
        assert_eq!(read_back(&text), (hostile.event.start, hostile.event.end));
    }
}

#[test]
fn only_who_is_asked_is_asked() {
    let attendee = party("IT-Leitung", "it@nordwind.example");
    let text =
        write_invitation(&invitation("2026-03-27T13:00:00Z", Method::Request { attendee, answer: Answer::Asked }));
    assert!(lines(&text, "ATTENDEE")[0].contains("PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE"), "{text}");
}

#[test]
fn our_own_reader_finds_the_instants_that_were_written() {
    for zone in
        ["Europe/Berlin", "America/Santiago", "Asia/Kathmandu", "Africa/Casablanca", "UTC", "Etc/GMT+5", "no/zone"]
    {
        // Ordinary times, and every half hour of the nights in which Berlin's clocks change.
        let nights = (0..16).map(|half| at("2026-10-24T22:00:00Z").saturating_add((half * 30).minutes()).unwrap());
        let spring = (0..16).map(|half| at("2026-03-28T22:00:00Z").saturating_add((half * 30).minutes()).unwrap());
        for start in nights.chain(spring).chain([at("2027-02-10T03:15:00Z"), at("2026-07-01T10:00:00Z")]) {
            let mut written = invitation(&start.to_string(), Method::Publish);
            written.time_zone = zone.to_owned();
            let text = write_invitation(&written);
            assert_eq!(read_back(&text), (written.event.start, written.event.end), "{zone} {start}\n{text}");
        }
    }
}

#[test]
fn what_lies_in_a_double_hour_is_told_in_utc() {
    // Readers differ in which of the two they take a local time for.
    for start in ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
        let text = write_invitation(&invitation(start, Method::Publish));
        let expected = format!("DTSTART:{}", start.replace(['-', ':'], ""));
        assert!(text.contains(&expected), "{text}");
    }
    for start in ["2026-10-24T23:59:00Z", "2026-10-25T02:00:00Z"] {
        let text = write_invitation(&invitation(start, Method::Publish));
        assert!(text.contains("DTSTART;TZID=Europe/Berlin:"), "{text}");
    }
}

#[test]
fn an_address_stays_one_value() {
    let attendee = party("Müller; \"IT\", Nord: Süd\r\nX-EVIL:1", "a%b,c;d@nördwind.example");
    let text =
        write_invitation(&invitation("2026-03-27T13:00:00Z", Method::Request { attendee, answer: Answer::NotAsked }));
    let [line] = &lines(&text, "ATTENDEE")[..] else { panic!("{text}") };
    assert!(line.starts_with("ATTENDEE;CN=\"Müller; 'IT', Nord: Süd  X-EVIL:1\";"), "{line}");
    assert!(line.ends_with(":mailto:a%25b%2Cc%3Bd@n%C3%B6rdwind.example"), "{line}");
    assert!(lines(&text, "X-EVIL").is_empty());
}

proptest! {
    #[test]
    fn no_text_breaks_out_of_an_invitation(
        summary in any::<String>(), description in any::<String>(), name in any::<String>(), email in any::<String>(), zone in any::<String>(),
    ) {
        let attendee = Party { name, email };
        let mut hostile = invitation("2026-03-27T13:00:00Z", request());
        hostile.event.summary = summary;
        hostile.event.description = description;
        hostile.event.maintenance.provider = attendee.name.clone();
        hostile.organizer = attendee.clone();
        hostile.method = Method::Request { attendee, answer: Answer::NotAsked };
        hostile.time_zone = zone;
        let text = write_invitation(&hostile);
        let known = ["VCALENDAR", "VEVENT", "VALARM"].map(|part| [format!("BEGIN:{part}"), format!("END:{part}")]).concat();
        let edges: Vec<&str> = text.split("\r\n").filter(|line| line.starts_with("BEGIN:") || line.starts_with("END:")).collect();
        assert_eq!(edges.len(), known.len(), "{text}");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text}");
        assert_eq!(read_back(&text), (hostile.event.start, hostile.event.end));
    }
}
