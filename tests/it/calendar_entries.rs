//! Calendar entries and feeds as other programs read them: Python's icalendar and recurring_ical_events (`tests/read_calendar.py`).

use std::io::Write;
use std::process::{Command, Stdio};

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use turnus::domain::id::OccurrenceId;
use turnus::edge::ics::invitation::{Answer, Invitation, Method, Party, write_invitation};
use turnus::edge::ics::{Impact, Maintenance, OwnEvent, Status, uid};

use crate::kit::office::{Office, day, window};

const ORIGIN: &str = "0198f2a0-0000-7000-8000-000000000001";

/// What the foreign reader finds: `known` with its own zone data, `described` with that of the file.
fn read(text: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/read_calendar.py");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut reader =
        command.spawn().expect("python3 with icalendar and recurring_ical_events: `bin/prepare` installs them");
    reader.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = reader.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn invitation(start: &str, zone: &str, method: Method) -> Invitation {
    let start = at(start);
    Invitation {
        event: OwnEvent {
            uid: uid(OccurrenceId(ORIGIN.parse().unwrap())),
            sequence: 3,
            stamp: at("2026-03-01T08:00:00Z"),
            summary: "Wartung: Server, Netz; und \"Drucker\" – Größeres, damit die Zeile länger wird als 75 Oktette"
                .to_owned(),
            description: "Zeile eins, mit Komma\nZeile zwei: \\ und ;".to_owned(),
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
        time_zone: zone.to_owned(),
        organizer: Party { name: "Systemhaus; Süd".to_owned(), email: "wartung@systemhaus.example".to_owned() },
        alarm_before_s: Some(86_400),
    }
}

#[test]
fn foreign_readers_find_the_instants_with_their_zone_data_and_with_ours() {
    // Each on both sides of a change of the clocks, over one, and into a double hour: Berlin (28/29 March, 24/25 October), Santiago (5 April, 6 September),
    // Kathmandu (none, three quarters of an hour), Casablanca (about the fast month, which no rule gives).
    let dates = [
        ("Europe/Berlin", "2026-03-27T13:00:00Z"),
        ("Europe/Berlin", "2026-03-28T23:00:00Z"),
        ("Europe/Berlin", "2026-03-30T12:00:00Z"),
        ("Europe/Berlin", "2026-10-24T23:30:00Z"),
        ("Europe/Berlin", "2026-12-18T13:00:00Z"),
        ("America/Santiago", "2026-04-04T22:00:00Z"),
        ("America/Santiago", "2026-04-06T22:00:00Z"),
        ("America/Santiago", "2026-09-05T23:00:00Z"),
        ("America/Santiago", "2026-09-07T23:00:00Z"),
        ("Asia/Kathmandu", "2026-05-01T12:00:00Z"),
        ("Africa/Casablanca", "2026-02-10T22:00:00Z"),
        ("Africa/Casablanca", "2026-02-20T22:00:00Z"),
        ("Africa/Casablanca", "2026-03-25T22:00:00Z"),
        ("UTC", "2026-03-25T22:00:00Z"),
    ];
    for (zone, start) in dates {
        let written = invitation(start, zone, Method::Publish);
        let text = write_invitation(&written);
        let found = read(&text);
        for (reader, prefix) in [("known", ""), ("described", "Described/")] {
            let found = &found[reader];
            let event = &found["events"][0];
            assert_eq!(event["errors"], json!([]), "{text}");
            let end = written.event.end.to_string();
            assert_eq!((&event["start"], &event["end"]), (&json!(start), &json!(end)), "{reader} {zone}\n{text}");
            assert_eq!(found["found"], json!([start]), "{reader} {zone}\n{text}");
            let zones = if zone == "UTC" { json!([]) } else { json!([format!("{prefix}{zone}")]) };
            assert_eq!(found["zones"], zones);
        }
    }
}

#[test]
fn foreign_readers_find_everything_else_as_it_was_meant() {
    let attendee = Party { name: "Müller, \"IT\"".to_owned(), email: "it@nordwind.example".to_owned() };
    let text = write_invitation(&invitation(
        "2026-03-27T13:00:00Z",
        "Europe/Berlin",
        Method::Request { attendee: attendee.clone(), answer: Answer::NotAsked },
    ));
    let found = &read(&text)["known"];
    assert_eq!(found["method"], "REQUEST");
    let event = &found["events"][0];
    let properties = &event["properties"];
    let expected = json!({
        "UID": [format!("{ORIGIN}@turnus")],
        "SEQUENCE": ["3"],
        "SUMMARY": ["Wartung: Server, Netz; und \"Drucker\" – Größeres, damit die Zeile länger wird als 75 Oktette"],
        "DESCRIPTION": ["Zeile eins, mit Komma\nZeile zwei: \\ und ;"],
        "STATUS": ["CONFIRMED"],
        "X-MAINTNOTE-PROVIDER": ["systemhaus.example"],
        "X-MAINTNOTE-ACCOUNT": ["nordwind"],
        "X-MAINTNOTE-MAINTENANCE-ID": [ORIGIN],
        "X-MAINTNOTE-IMPACT": ["OUTAGE"],
        "X-MAINTNOTE-STATUS": ["CONFIRMED"],
        "X-MAINTNOTE-OBJECT-ID": ["mail01", "web01"],
        "ORGANIZER": ["mailto:wartung@systemhaus.example"],
        "ATTENDEE": ["mailto:it@nordwind.example"],
    });
    assert_eq!(properties, &expected, "{text}");
    assert_eq!(event["organizer"]["CN"], "Systemhaus; Süd");
    let asked = json!([{"CN": "Müller, 'IT'", "PARTSTAT": "ACCEPTED", "ROLE": "REQ-PARTICIPANT", "RSVP": "FALSE"}]);
    assert_eq!(event["attendees"], asked);
    assert_eq!(event["alarms"], json!([["DISPLAY", -86_400.0]]));
    assert_eq!(event["stamp"], "2026-03-01T08:00:00Z");
    let cancelled = invitation("2026-03-27T13:00:00Z", "Europe/Berlin", Method::Cancel { attendee: Some(attendee) });
    let found = &read(&write_invitation(&cancelled))["known"];
    assert_eq!((&found["method"], &found["events"][0]["alarms"]), (&json!("CANCEL"), &json!([])));
    assert_eq!(found["events"][0]["properties"]["STATUS"], json!(["CANCELLED"]));
    assert_eq!(found["events"][0]["properties"]["UID"], json!([format!("{ORIGIN}@turnus")]));
}

#[tokio::test]
async fn a_feed_holds_the_dates_of_the_year_ahead_of_one_customer_or_of_all() {
    let office = Office::open().await;
    for name in ["nordwind", "alpenblick"] {
        office.customer(name, &window("weekly", "FREQ=WEEKLY", day(3)));
    }
    office.succeed(&["apply", "--yes"]);
    let feed = |arguments: &[&str]| read(&office.succeed(arguments))["known"].clone();
    let of = |feed: &Value| -> Vec<String> {
        let events = feed["events"].as_array().unwrap();
        events.iter().map(|event| event["properties"]["X-MAINTNOTE-ACCOUNT"][0].as_str().unwrap().to_owned()).collect()
    };
    assert!(office.succeed(&["calendar", "nordwind", "--format", "ics"]).ends_with("END:VCALENDAR\r\n"));
    let one = feed(&["calendar", "nordwind", "--format", "ics"]);
    assert_eq!(one["method"], "PUBLISH");
    let accounts = of(&one);
    // The dates of 400 days, which are those that `turnus apply` stores.
    assert!(accounts.len() >= 57 && accounts.iter().all(|account| account == "nordwind"), "{accounts:?}");
    let event = &one["events"][0]["properties"];
    assert_eq!(event["X-MAINTNOTE-OBJECT-ID"], json!(["h1"]));
    assert_eq!(event["X-MAINTNOTE-STATUS"], json!(["TENTATIVE"]));
    let uid = event["UID"][0].as_str().unwrap();
    assert_eq!(uid.strip_suffix("@turnus"), event["X-MAINTNOTE-MAINTENANCE-ID"][0].as_str());
    let all = of(&feed(&["calendar", "--format", "ics"]));
    for name in ["nordwind", "alpenblick"] {
        assert_eq!(all.iter().filter(|account| *account == name).count(), accounts.len(), "{all:?}");
    }
    let few = feed(&["calendar", "nordwind", "--format", "ics", "--count", "2"]);
    assert_eq!(of(&few).len(), 2);
    office.close().await;
}
