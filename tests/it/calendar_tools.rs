//! The parts of the calendar as tools: `turnus calendar expand`, `import`, `holidays` and `explain` as a user meets them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What the command left behind.
struct Outcome {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `turnus calendar …` in a directory without any files, in a bounded time.
fn calendar(arguments: &[&str]) -> Outcome {
    let empty = tempfile::tempdir().expect("a temporary directory");
    calendar_in(empty.path(), arguments)
}

fn calendar_in(directory: &Path, arguments: &[&str]) -> Outcome {
    let mut command = cargo_bin_cmd!("turnus");
    command.arg("calendar").args(arguments).current_dir(directory).timeout(Duration::from_secs(60));
    let output = command.env_remove("TZ").output().expect("turnus can be run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is text");
    Outcome { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The answer of a command that ends well and says nothing else.
fn answer(arguments: &[&str]) -> Value {
    let outcome = calendar(&[arguments, &["--format", "json"]].concat());
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

const START: [&str; 4] = ["--start", "2026-03-27T14:00:00", "--time-zone", "Europe/Berlin"];

/// The starts that `expand` gives.
fn expanded(rule: &str, more: &[&str]) -> Vec<String> {
    let answer = answer(&[&["expand", "--rule", rule], &START[..], more].concat());
    let starts = answer["occurrences"].as_array().expect("an array").iter();
    starts.map(|occurrence| occurrence["start"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn a_rule_is_expanded() {
    let rule = ["expand", "--rule", "FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR", "--count", "3"];
    let expected = json!({ "occurrences": [
        { "start": "2026-03-27T14:00:00+01:00", "utc": "2026-03-27T13:00:00Z" },
        { "start": "2026-06-26T14:00:00+02:00", "utc": "2026-06-26T12:00:00Z" },
        { "start": "2026-09-25T14:00:00+02:00", "utc": "2026-09-25T12:00:00Z" },
    ] });
    assert_eq!(answer(&[&rule[..], &START].concat()), expected);
}

#[test]
fn exceptions_further_dates_and_bounds() {
    let weekly = "FREQ=WEEKLY;COUNT=4";
    let day = |start: &String| start[..10].to_owned();
    let days = |more: &[&str]| expanded(weekly, more).iter().map(day).collect::<Vec<_>>();
    assert_eq!(days(&[]), ["2026-03-27", "2026-04-03", "2026-04-10", "2026-04-17"]);
    assert_eq!(days(&["--exdate", "2026-04-03"]), ["2026-03-27", "2026-04-10", "2026-04-17"]);
    let exact = ["--exdate", "2026-04-03T14:00:00", "--exdate", "2026-04-10T15:00:00"];
    assert_eq!(days(&exact), ["2026-03-27", "2026-04-10", "2026-04-17"]);
    assert_eq!(days(&["--from", "2026-04-03", "--to", "2026-04-10"]), ["2026-04-03", "2026-04-10"]);
    assert_eq!(days(&["--from", "2026-04-03T14:00:01", "--to", "2026-04-17T13:59:59"]), ["2026-04-10"]);
    assert_eq!(days(&["--from", "2030-01-01"]), [""; 0]);
    let rdates = expanded(weekly, &["--rdate", "2026-04-05", "--rdate", "2026-03-01T08:30:00", "--to", "2026-04-05"]);
    let expected = ["2026-03-01T08:30:00+01:00", "2026-03-27T14:00:00+01:00", "2026-04-03T14:00:00+02:00"];
    assert_eq!(rdates, [&expected[..], &["2026-04-05T14:00:00+02:00"]].concat());
}

#[test]
fn clocks_change() {
    let arguments =
        ["expand", "--rule", "FREQ=DAILY;COUNT=3", "--start", "2026-03-28T02:30", "--time-zone", "Europe/Berlin"];
    let outcome = calendar(&[&arguments[..], &["--rdate", "2026-10-25"]].concat());
    assert_eq!(outcome.status, Some(0));
    let expected = "
 start                      utc                   clocks
 2026-03-28T02:30:00+01:00  2026-03-28T01:30:00Z
 2026-03-29T03:30:00+02:00  2026-03-29T01:30:00Z  skipped an hour: a later time on the wall
 2026-03-30T02:30:00+02:00  2026-03-30T00:30:00Z
 2026-10-25T02:30:00+02:00  2026-10-25T00:30:00Z  this hour is there twice: the first
";
    let shown: Vec<&str> = outcome.stdout.lines().map(str::trim_end).collect();
    assert_eq!(shown, expected.trim_start_matches('\n').lines().collect::<Vec<_>>());
}

#[test]
fn a_rule_without_end_says_that_it_is_cut_short() {
    let daily = [&["expand", "--rule", "FREQ=DAILY", "--format", "json"], &START[..]].concat();
    let outcome = calendar(&daily);
    assert_eq!(outcome.status, Some(0));
    assert_eq!(outcome.stdout.matches("\"start\"").count(), 20);
    assert_eq!(outcome.stderr, "these are the first 20; `--count` and `--to` say otherwise\n");
    let until = calendar(&[&daily[..], &["--to", "9999-12-31"]].concat());
    assert_eq!((until.status, until.stdout.matches("\"start\"").count()), (Some(0), 10_000));
    assert_eq!(until.stderr, "these are the first 10000; `--count` and `--to` say otherwise\n");
    assert_eq!(expanded("FREQ=DAILY", &["--count", "30"]).len(), 30);
    assert_eq!(expanded("FREQ=DAILY;COUNT=25", &[]).len(), 25);
}

#[test]
fn a_wrong_rule_is_shown_with_the_place() {
    let expand = |rule: &str| calendar(&[&["expand", "--rule", rule, "--format", "json"], &START[..]].concat());
    let outcome = expand("FREQ=MONTHLY;BYDAY=-1XX");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    let (first, rest) = outcome.stderr.split_once('\n').expect("lines");
    assert!(first.starts_with("--rule:1:20: `BYDAY`"), "{first}");
    assert!(rest.starts_with("  1 | FREQ=MONTHLY;BYDAY=-1XX\n    |                    ^\n"), "{rest}");
    for rule in ["", "FREQ=HOURLY", "FREQ=DAILY;COUNT=10001", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;ÄÖ=1"]
    {
        let outcome = expand(rule);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{rule}");
        assert!(outcome.stderr.starts_with("--rule:1:"), "{}", outcome.stderr);
    }
}

#[test]
fn wrong_arguments_are_told() {
    let refused = |arguments: &[&str]| {
        let outcome = calendar(arguments);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        outcome.stderr
    };
    let expand = ["expand", "--rule", "FREQ=DAILY"];
    let with_offset = ["--start", "2026-03-27T14:00:00+01:00", "--time-zone", "UTC"];
    assert!(refused(&[&expand[..], &with_offset].concat()).contains("a local time has no offset"));
    let no_date = ["--start", "2026-02-30", "--time-zone", "UTC"];
    assert!(refused(&[&expand[..], &no_date].concat()).contains("write a day as 2026-03-27"));
    let no_zone = ["--start", "2026-02-28", "--time-zone", "Europe/Berlon"];
    assert!(refused(&[&expand[..], &no_zone].concat()).contains("did you mean `Europe/Berlin`?"));
    let backwards = ["import", "x.ics", "--from", "2026-02-02", "--to", "2026-02-01"];
    assert!(refused(&backwards).contains("`--to` lies before `--from`"));
    let absent = ["import", "x.ics", "--from", "2026-02-02", "--to", "2026-02-03"];
    assert!(refused(&absent).starts_with("turnus: x.ics: could not read the file"));
}

#[test]
fn an_end_in_utc_is_an_instant_of_the_zone() {
    let expand = |until: &str, start: &str, zone: &str| {
        let rule = format!("FREQ=DAILY;UNTIL={until}");
        calendar(&["expand", "--rule", &rule, "--start", start, "--time-zone", zone, "--format", "json"])
    };
    let berlin = expand("20260327T130000Z", "2026-03-27T14:00:00", "Europe/Berlin");
    let only = r#"{"occurrences":[{"start":"2026-03-27T14:00:00+01:00","utc":"2026-03-27T13:00:00Z"}]}"#;
    assert_eq!((berlin.status, berlin.stdout.trim_end(), berlin.stderr.as_str()), (Some(0), only, ""));
    let new_york = expand("20260328T200000Z", "2026-03-28T19:00:00", "America/New_York");
    assert_eq!((new_york.status, new_york.stdout.as_str()), (Some(2), ""));
    assert!(new_york.stderr.starts_with("--rule:1:12: the rule ends before its first date"), "{}", new_york.stderr);
}

#[test]
fn what_a_time_says_is_never_passed_over() {
    let refused = |more: &[&str], expected: &str| {
        let outcome = calendar(&[&["expand", "--rule", "FREQ=DAILY;COUNT=2"], more].concat());
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{more:?}");
        assert!(outcome.stderr.contains(expected), "{more:?}: {}", outcome.stderr);
    };
    let start = |start: &str, expected: &str| refused(&["--start", start, "--time-zone", "Europe/Berlin"], expected);
    start("2026-03-27T14:00:00[America/New_York]", "a local time has no zone in brackets: leave it out");
    start("2026-03-27T14:00:00[u-ca=hebrew]", "a local time has no zone in brackets: leave it out");
    start("2026-03-27T14:00:00+01:00[Europe/Berlin]", "a local time has no offset: leave it out");
    start("2026-03-27T14:00:00Z", "a local time has no offset: leave it out");
    for fraction in ["2026-03-27T14:00:00.5", "2026-03-27T14:00:00,5", "2026-03-27T14:00:00.0"] {
        start(fraction, "a time has whole seconds: leave the fraction out");
    }
    start("2026-03-27T14:00:60", "write a day as 2026-03-27");
    refused(&[&START[..], &["--from", "2026-03-28", "--to", "2026-03-27"]].concat(), "`--to` lies before `--from`");
    for zone in ["Etc/Unknown", "etc/unknown", "Factory", "posixrules", "localtime"] {
        refused(&["--start", "2026-03-27", "--time-zone", zone], &format!("there is no time zone `{zone}`"));
    }
    let one_day = expanded("FREQ=DAILY", &["--from", "2026-03-28", "--to", "2026-03-28"]);
    assert_eq!(one_day, ["2026-03-28T14:00:00+01:00"]);
}

#[test]
fn a_date_without_an_instant_is_none() {
    let expand = |start: &str, zone: &str, more: &[&str]| {
        let rule = ["expand", "--rule", "FREQ=DAILY", "--format", "json", "--start", start, "--time-zone", zone];
        let outcome = calendar(&[&rule[..], more].concat());
        (outcome.status, outcome.stdout.trim_end().to_owned())
    };
    let none = (Some(0), r#"{"occurrences":[]}"#.to_owned());
    assert_eq!(expand("9999-12-31T23:00:00", "America/New_York", &[]), none);
    assert_eq!(expand("2026-01-01T23:00:00", "America/New_York", &["--from", "9999-12-31"]), none);
    let (status, last) = expand("2026-01-01T23:00:00", "America/New_York", &["--from", "9999-12-28"]);
    assert_eq!((status, last.matches("start").count()), (Some(0), 2), "{last}");
    assert!(last.ends_with(r#""utc":"9999-12-30T04:00:00Z"}]}"#), "{last}");
}

#[test]
fn an_offset_with_seconds_is_written_in_utc() {
    let rule = ["expand", "--rule", "FREQ=DAILY;COUNT=1", "--time-zone", "Europe/Berlin"];
    let old = answer(&[&rule[..], &["--start", "1890-01-01T14:00:00"]].concat());
    assert_eq!(old["occurrences"][0], json!({ "start": "1890-01-01T13:06:32Z", "utc": "1890-01-01T13:06:32Z" }));
}

#[test]
fn a_rule_without_dates_is_shown_at_the_part_that_leaves_none() {
    let place = |rule: &str| {
        let outcome = calendar(&[&["expand", "--rule", rule], &START[..]].concat());
        assert_eq!(outcome.status, Some(2), "{rule}");
        outcome.stderr.split(": ").next().unwrap_or_default().to_owned()
    };
    assert_eq!(place("FREQ=MONTHLY;BYDAY=6MO"), "--rule:1:14");
    assert_eq!(place("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "--rule:1:23");
    assert_eq!(place("FREQ=YEARLY;BYMONTHDAY=30;BYMONTH=2;UNTIL=20300101"), "--rule:1:27");
    assert_eq!(place("FREQ=MONTHLY;UNTIL=20260101"), "--rule:1:14");
}

#[test]
fn a_foreign_calendar_is_read() {
    let file = format!("{ROOT}/tests/data/ics/apple.ics");
    let july = ["--from", "2026-07-01", "--to", "2026-07-31"];
    let expected = json!({ "events": [
        { "summary": "Kopiersystem; Wartung", "start": "2026-07-04T08:00:00+02:00", "end": "2026-07-04T10:30:00+02:00", "all_day": false },
        { "summary": "Mittagspause", "start": "2026-07-07T12:00:00", "end": "2026-07-07T13:00:00", "all_day": false },
        { "summary": "Mittagspause", "start": "2026-07-09T12:00:00", "end": "2026-07-09T13:00:00", "all_day": false },
    ] });
    assert_eq!(answer(&[&["import", &file], &july[..]].concat()), expected);
    let in_zone = answer(&[&["import", &file, "--time-zone", "Europe/Moscow"], &july[..]].concat());
    assert_eq!(in_zone["events"][1]["start"], json!("2026-07-07T12:00:00+03:00"));
    let october = answer(&["import", &file, "--from", "2026-10-11", "--to", "2026-10-11"]);
    let week = json!({ "summary": "Kehrwoche", "start": "2026-10-05", "end": "2026-10-12", "all_day": true });
    assert_eq!(october, json!({ "events": [week] }), "its last day is inside");
    assert_eq!(answer(&["import", &file, "--from", "2026-10-12", "--to", "2026-10-12"]), json!({ "events": [] }));
}

#[test]
fn days_are_those_of_each_event_unless_a_zone_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let event = |start: &str| format!("BEGIN:VEVENT\nSUMMARY:x\nDTSTART{start}\nDURATION:PT30M\nEND:VEVENT\n");
    let early = event(";TZID=Europe/Berlin:20260701T003000");
    let late = event(";TZID=America/New_York:20260701T233000");
    let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{early}{late}END:VCALENDAR\n");
    let file = directory.path().join("x.ics").display().to_string();
    fs::write(&file, text).expect("a file");
    let number = |more: &[&str]| {
        let import = ["import", &file, "--from", "2026-07-01", "--to", "2026-07-01"];
        answer(&[&import[..], more].concat())["events"].as_array().map(Vec::len)
    };
    assert_eq!(number(&[]), Some(2));
    assert_eq!(number(&["--time-zone", "Europe/Berlin"]), Some(1));
    assert_eq!(number(&["--time-zone", "UTC"]), Some(0));
}

#[test]
fn events_that_can_not_be_read_are_told_beside_the_others() {
    let file = format!("{ROOT}/tests/data/ics/windows-names-only.ics");
    let arguments = ["import", &file, "--from", "2026-07-01", "--to", "2026-07-31", "--format", "json"];
    let outcome = calendar(&arguments);
    assert_eq!(outcome.status, Some(2));
    let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(answer["events"].as_array().map(Vec::len), Some(2));
    let told =
        format!("{file}:18: the event can't be read: nothing says what the time zone `Customized Time Zone` is\n");
    assert!(outcome.stderr.starts_with(&told), "{}", outcome.stderr);
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("latin1.ics"), b"BEGIN:VCALENDAR\nX-A:\xe4\nEND:VCALENDAR\n").expect("a file");
    let outcome =
        calendar_in(directory.path(), &["import", "latin1.ics", "--from", "2026-01-01", "--to", "2026-01-02"]);
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("not UTF-8"), "{}", outcome.stderr);
}

#[test]
fn holidays_of_a_region() {
    let answer = answer(&["holidays", "--region", "DE-BY", "--year", "2027"]);
    let holidays = answer["holidays"].as_array().expect("an array");
    assert_eq!(holidays.len(), 12);
    assert_eq!(holidays[2], json!({ "date": "2027-03-26", "name": "Karfreitag" }));
    let outcome = calendar(&["holidays", "--region", "DE-BY", "--year", "2080"]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    assert_eq!(outcome.stderr, "turnus: the holidays of DE-BY are known from 2020 to 2045, not for 2080\n");
    let outcome = calendar(&["holidays", "--region", "Bayern", "--year", "2027"]);
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.ends_with("hint: did you mean `DE-BY`?\n"), "{}", outcome.stderr);
    let outcome = calendar(&["holidays", "--region", "RU", "--year", "2030"]);
    assert_eq!(outcome.status, Some(0));
    assert!(outcome.stderr.starts_with("RU moves working days by a decree"), "{}", outcome.stderr);
}

#[test]
fn a_window_is_explained_in_the_customers_language() {
    let explain = |arguments: &[&str]| calendar_in(Path::new(ROOT), &[&["explain"], arguments].concat());
    let outcome = explain(&["nordwind", "quarterly"]);
    let german = "alle 3 Monate am letzten Freitag, ab 27.03.2026, um 14:00 Uhr (Europe/Berlin), für 4 Stunden; \
                  an einem Feiertag (DE-BY) am Arbeitstag davor\n";
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), german));
    let english = explain(&["nordwind", "quarterly", "--locale", "en"]).stdout;
    assert!(
        english
            .starts_with("every 3 months on the last Friday, from 2026-03-27, at 14:00 (Europe/Berlin), for 4 hours; ")
    );
    let outcome = explain(&["nordwind", "quartely"]);
    assert_eq!(outcome.status, Some(2));
    assert_eq!(outcome.stderr, "turnus: nordwind has no window `quartely`\n\nhint: did you mean `quarterly`?\n");
}
