//! `turnus calendar`, its commands for single dates, and `turnus outbox`, through the real binary and a real Postgres.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use serde_json::Value;
use sqlx::PgConnection;

use crate::kit::database::execute;
use crate::kit::office::{Office, day, window};

async fn texts(connection: &mut PgConnection, sql: &str) -> Vec<String> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.unwrap()
}

/// An office with the customer nordwind, whose window `weekly` opens every week from the third day after today on.
async fn office() -> Office {
    let office = Office::open().await;
    office.customer("nordwind", &window("weekly", "FREQ=WEEKLY", day(3)));
    office.succeed(&["apply", "--yes"]);
    office
}

/// Announces the date of this rule date, with a reminder that is due and not yet sent.
async fn announce(office: &Office, at: DateTime) {
    let mut connection = office.connect().await;
    let of_date = format!("from occurrence where recurrence_id = '{at}'");
    execute(
        &mut connection,
        format!(
            "update occurrence set state = 'announced', announced_at = now(), next_notice_at = null where recurrence_id = '{at}';
             insert into notification (kind, customer, occurrence, recipient, recipient_name, locale, dedupe_key)
             select 'reminder', customer, id, 'it@nordwind.example', 'IT', 'en', 'reminder-' || id {of_date}"
        ),
    )
    .await;
}

fn named(at: DateTime) -> String {
    format!("weekly@{}", at.date())
}

fn column<'v>(answer: &'v Value, key: &str) -> Vec<&'v str> {
    answer["occurrences"].as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn dates_are_shown_as_applied_or_not_with_their_reasons() {
    let office = Office::open().await;
    office.customer("nordwind", &window("weekly", "FREQ=WEEKLY", day(3)));
    let answer = office.json(&["calendar", "nordwind", "--count", "3"]);
    assert_eq!(column(&answer, "state"), ["not_applied"; 3]);
    assert_eq!(column(&answer, "why"), ["by rule"; 3]);
    let starts: Vec<String> = [3, 10, 17].map(|days| format!("{}+00:00", day(days))).into();
    assert_eq!(column(&answer, "start"), starts);
    office.succeed(&["apply", "--yes"]);
    announce(&office, day(10)).await;
    let answer = office.json(&["calendar", "nordwind", "--count", "3"]);
    assert_eq!(column(&answer, "state"), ["planned", "announced", "planned"]);
    // The files move on; what is stored stays, and says so.
    let frozen = day(17).date();
    let freeze = format!("[[freeze]]\nfrom = {frozen}\nto = {frozen}\nreason = \"stocktaking\"\n");
    office.customer("nordwind", &(window("weekly", "FREQ=WEEKLY", day(3)) + &freeze));
    let shown = office.succeed(&["calendar", "nordwind", "--to", &day(18).date().to_string()]);
    assert!(shown.contains("the files leave it out (frozen: stocktaking): not applied"), "{shown}");
    office.succeed(&["apply", "--yes"]);
    let shown = office.succeed(&["calendar", "nordwind", "--count", "4"]);
    assert!(shown.contains("skipped") && shown.contains("frozen: stocktaking; by rule"), "{shown}");
    office.close().await;
}

#[tokio::test]
async fn local_times_offsets_holidays_and_changes_of_the_clocks_are_told() {
    let office = Office::open().await;
    office.write(
        "inventories/nordwind.toml",
        "[customer]\nname = \"Nordwind\"\ntime_zone = \"Europe/Berlin\"\nholidays = \"DE-BY\"\n\n\
         [[window]]\nname = \"yearly\"\nrule = \"FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25\"\nstarts = 2027-12-25T22:00:00\n\
         duration = \"4h\"\nholiday = \"previous-workday\"\njob = \"look\"\nhosts = [\"h1\"]\n\n\
         [[window]]\nname = \"night\"\nstarts = 2027-03-28T02:30:00\nduration = \"1h\"\njob = \"look\"\nhosts = [\"h1\"]\n\n\
         [[host]]\nname = \"h1\"\naddress = \"192.0.2.1\"\n",
    );
    let range = ["calendar", "nordwind", "--from", "2027-03-01", "--to", "2027-12-31"];
    let answer = office.json(&range);
    assert_eq!(column(&answer, "start"), ["2027-03-28T03:30:00+02:00", "2027-12-24T22:00:00+01:00"]);
    assert_eq!(column(&answer, "utc"), ["2027-03-28T01:30:00Z", "2027-12-24T21:00:00Z"]);
    let shown = office.succeed(&range);
    assert!(shown.contains("the clocks go forward") && shown.contains("moved because 2027-12-25 is"), "{shown}");
    assert!(shown.contains("Fri 2027-12-24 22:00 – Sat 2027-12-25 02:00 +01:00"), "{shown}");
    office.close().await;
}

#[tokio::test]
async fn that_holidays_are_not_known_is_told_at_both_ends() {
    let office = Office::open().await;
    let text = format!(
        "[customer]\nname = \"Nordwind\"\ntime_zone = \"America/New_York\"\nholidays = \"DE-BY\"\n\n{}\n\
         [[host]]\nname = \"h1\"\naddress = \"192.0.2.1\"\n",
        window("weekly", "FREQ=WEEKLY", day(3)),
    );
    office.write("inventories/nordwind.toml", &text);
    let told = |from: &str, to: &str| {
        let output = office.turnus(&["calendar", "nordwind", "--from", from, "--to", to]);
        String::from_utf8_lossy(&output.stderr).contains("the holidays of DE-BY are known from 2020 to 2045: ")
    };
    // New Year in UTC is five hours before that of the customer.
    assert!(!told("2045-12-01", "2045-12-31"));
    assert!(told("2045-12-01", "2046-01-01"));
    assert!(told("2059-01-01", "2060-01-01"));
    assert!(told("2019-12-31", "2026-01-01"));
    office.close().await;
}

#[tokio::test]
async fn collisions_of_hosts_and_of_too_many_windows_are_told() {
    let office = Office::open().await;
    let (one, two) = (window("weekly", "FREQ=WEEKLY", day(3)), window("fortnightly", "FREQ=WEEKLY;INTERVAL=2", day(3)));
    office.customer("nordwind", &(one.clone() + &two));
    office.customer("acme", &one);
    office.settle("[limits]\nparallel_runs = 2\n");
    let answer = office.json(&["calendar", "nordwind", "--count", "3"]);
    let kinds: Vec<_> =
        answer["collisions"].as_array().unwrap().iter().map(|found| found["collision"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"same_host") && kinds.contains(&"too_many_parallel"), "{answer}");
    let shown = office.succeed(&["calendar", "acme", "--count", "3"]);
    assert!(shown.contains("3 windows are open at once") && !shown.contains("host h1"), "{shown}");
    office.close().await;
}

#[tokio::test]
async fn without_a_database_the_dates_of_the_files_are_shown() {
    let office = Office::open().await;
    office.customer("nordwind", &window("weekly", "FREQ=WEEKLY", day(3)));
    office.write("url", "postgres://nobody@127.0.0.1:1/nothing");
    let output = office.turnus(&["calendar", "--count", "2", "--format", "json"]);
    assert!(output.status.success());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(column(&answer, "state"), ["unknown"; 2]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("without what is stored of them"));
    office.close().await;
}

#[tokio::test]
async fn a_span_to_the_end_of_time_is_shown_as_far_as_it_is_of_use() {
    let office = Office::open().await;
    office.customer("nordwind", &window("daily", "FREQ=DAILY", day(3)));
    office.write("url", "postgres://nobody@127.0.0.1:1/nothing");
    let shown = |to: &str| {
        let output = office.turnus(&["calendar", "nordwind", "--to", to, "--format", "json"]);
        assert!(output.status.success());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        (column(&answer, "date").len(), String::from_utf8_lossy(&output.stderr).contains("there are too many dates"))
    };
    assert_eq!(shown("9999-12-31"), (10_000, true));
    assert_eq!(shown(&day(5 * 365).date().to_string()), (5 * 365 - 2, false));
    office.close().await;
}

#[tokio::test]
async fn a_feed_for_calendars_keeps_the_identity_of_a_date_that_moves() {
    let office = office().await;
    let read = |office: &Office| office.succeed(&["calendar", "nordwind", "--count", "1", "--format", "ics"]);
    let before = read(&office);
    assert!(before.contains("STATUS:TENTATIVE") && before.contains("SEQUENCE:0"), "{before}");
    let to = day(4).to_string();
    office.succeed(&["calendar", "move", "nordwind", &named(day(3)), "--to", &to, "--reason", "fair"]);
    let after = read(&office);
    assert!(after.contains("SEQUENCE:1"), "{after}");
    let uid = |feed: &str| feed.lines().find(|line| line.starts_with("UID:")).map(str::to_owned);
    assert_eq!(uid(&before), uid(&after));
    office.succeed(&["calendar", "cancel", "nordwind", &named(day(4)), "--reason", "fair"]);
    let called_off = read(&office);
    assert!(called_off.contains("SEQUENCE:2") && called_off.contains("STATUS:CANCELLED"), "{called_off}");
    assert_eq!(uid(&before), uid(&called_off));
    office.close().await;
}

#[tokio::test]
async fn no_two_dates_of_a_feed_have_one_identity() {
    let office = Office::open().await;
    office.customer("acme", &window("web-shop", "FREQ=WEEKLY", day(3)));
    office.customer("shop-acme", &window("web", "FREQ=WEEKLY", day(3)));
    let uids = || {
        let feed = office.succeed(&["calendar", "--count", "4", "--format", "ics"]);
        let uids: Vec<String> =
            feed.lines().filter_map(|line| line.strip_prefix("UID:")).map(|uid| uid.trim().to_owned()).collect();
        assert_eq!(uids.iter().collect::<BTreeSet<_>>().len(), 4, "{feed}");
        uids
    };
    office.settle("[provider]\nemail = \"it@systemhaus.example\"\n");
    assert!(uids().iter().all(|uid| uid.ends_with("@systemhaus.example")));
    office.succeed(&["apply", "--yes"]);
    // Those of two installations with the same names differ, too.
    let stored = office.json(&["calendar", "--count", "4"]);
    let ids: Vec<String> = column(&stored, "id").iter().map(|id| format!("{id}@turnus")).collect();
    assert_eq!(uids(), ids);
    office.succeed(&["apply", "--yes"]);
    assert_eq!(uids(), ids);
    office.close().await;
}

#[tokio::test]
async fn a_planned_date_moves_silently() {
    let office = office().await;
    let to = day(5).to_string();
    let shown = office.succeed(&["calendar", "move", "nordwind", &named(day(3)), "--to", &to, "--reason", "fair"]);
    assert!(shown.contains("nordwind weekly"), "{shown}");
    let mut connection = office.connect().await;
    let rows = "select state || ' ' || local_start || ' ' || coalesce(chosen_by <> '', false)
                from occurrence where recurrence_id < now() + interval '4 days' order by sequence";
    let at = |days: i64| day(days).to_string().replace('T', " ");
    assert_eq!(
        texts(&mut connection, rows).await,
        [format!("moved {} false", at(3)), format!("planned {} true", at(5))]
    );
    assert_eq!(texts(&mut connection, "select kind from notification").await, Vec::<String>::new());
    let audit = texts(&mut connection, "select action || ': ' || reason from audit where occurrence is not null").await;
    assert_eq!(audit, ["move occurrence: fair"]);
    // By its new day or by the rule's, and by both it stays the same date.
    let why = office.succeed(&["calendar", "nordwind", "--count", "1"]);
    assert!(why.contains("moved from") && why.contains("fair"), "{why}");
    office.succeed(&["calendar", "confirm", "nordwind", &named(day(3)), "--by", "Anna"]);
    let told = office.fail(2, &["calendar", "confirm", "nordwind", &named(day(5)), "--by", "Anna"]);
    assert!(told.contains("confirmed already, by Anna"), "{told}");
    office.close().await;
}

#[tokio::test]
async fn a_customer_who_knows_a_date_is_told_that_it_moves_and_is_not_reminded_of_the_old_one() {
    let office = office().await;
    announce(&office, day(10)).await;
    let to = day(12).date().to_string();
    office.succeed(&["calendar", "move", "nordwind", &named(day(10)), "--to", &to, "--reason", "fair"]);
    let mut connection = office.connect().await;
    let messages = texts(&mut connection, "select kind || ' ' || state from notification order by number").await;
    assert_eq!(messages, ["reminder cancelled", "moved due"]);
    let successor = texts(
        &mut connection,
        "select state || ' ' || local_start || ' ' || (next_notice_at = start_at - interval '2 days') from occurrence where sequence = 1",
    )
    .await;
    // A day alone keeps the time of day.
    assert_eq!(successor, [format!("announced {} true", day(12).to_string().replace('T', " "))]);
    let listed = office.json(&["outbox", "--customer", "nordwind"]);
    assert_eq!((&listed[0]["kind"], &listed[0]["window"]), (&"moved".into(), &"weekly".into()));
    let number = listed[0]["number"].to_string();
    let shown = office.succeed(&["outbox", "show", &number]);
    assert!(shown.contains("IT <it@nordwind.example>") && shown.contains(&day(10).to_string()), "{shown}");
    office.fail(2, &["outbox", "show", "4711"]);
    assert_eq!(office.succeed(&["outbox", "list", "--customer", "nobody"]).trim(), "no messages");
    office.close().await;
}

#[tokio::test]
async fn a_move_into_the_past_a_freeze_or_another_date_is_refused() {
    let office = office().await;
    let frozen = day(6).date();
    let freeze = format!("[[freeze]]\nfrom = {frozen}\nto = {frozen}\nreason = \"stocktaking\"\n");
    office.customer("nordwind", &(window("weekly", "FREQ=WEEKLY", day(3)) + &freeze));
    office.succeed(&["apply", "--yes"]);
    let check = |to: DateTime, why: &str| {
        let date = named(day(3));
        let told = office.fail(2, &["calendar", "move", "nordwind", &date, "--to", &to.to_string(), "--reason", "x"]);
        assert!(told.contains(why), "{told}");
    };
    check(day(-1), "has passed");
    check(day(6), "lies in a freeze: stocktaking");
    check(day(10), "has a date there already");
    check(day(10).with().hour(20).build().unwrap(), "has a date there already");
    check(day(3), "already");
    let told =
        office.fail(2, &["calendar", "move", "nordwind", &named(day(4)), "--to", &day(5).to_string(), "--reason", "x"]);
    assert!(told.contains("nordwind has no date"), "{told}");
    office.fail(2, &["calendar", "move", "nordwind", &named(day(3)), "--to", &day(5).to_string(), "--reason", " "]);
    office.fail(2, &["calendar", "move", "nordwind", &named(day(3)), "--to", &day(5).to_string()]);
    let mut connection = office.connect().await;
    assert_eq!(
        texts(&mut connection, "select state from occurrence where state = 'moved'").await,
        Vec::<String>::new()
    );
    office.close().await;
}

#[tokio::test]
async fn a_name_that_may_mean_two_dates_is_refused() {
    let office = office().await;
    let to = day(10).with().hour(20).build().unwrap();
    // The second date makes room, and the first takes its day.
    office.succeed(&["calendar", "move", "nordwind", &named(day(10)), "--to", &day(12).to_string(), "--reason", "x"]);
    office.succeed(&["calendar", "move", "nordwind", &named(day(3)), "--to", &to.to_string(), "--reason", "x"]);
    let told = office.fail(2, &["calendar", "cancel", "nordwind", &named(day(10)), "--reason", "x"]);
    assert!(told.contains("may mean") && told.contains("(rule:"), "{told}");
    office.succeed(&["calendar", "cancel", "nordwind", &format!("weekly@{to}"), "--reason", "x"]);
    office.close().await;
}

#[tokio::test]
async fn a_date_that_is_called_off_is_told_kept_and_does_not_come_again() {
    let office = office().await;
    announce(&office, day(3)).await;
    office.succeed(&["calendar", "cancel", "nordwind", &named(day(3)), "--reason", "move of the office"]);
    office.succeed(&["calendar", "cancel", "nordwind", &named(day(10)), "--reason", "the same"]);
    let mut connection = office.connect().await;
    let messages = texts(&mut connection, "select kind || ' ' || state from notification order by number").await;
    assert_eq!(messages, ["reminder cancelled", "cancelled due"], "of the second nobody had been told");
    assert_eq!(office.succeed(&["apply", "--yes"]).trim(), "nothing to change");
    let told = office.fail(2, &["calendar", "confirm", "nordwind", &named(day(3)), "--by", "Anna"]);
    assert!(told.contains("it is cancelled (cancelled by ") && told.contains("move of the office"), "{told}");
    office.close().await;
}

#[tokio::test]
async fn the_history_of_a_date_follows_its_moves() {
    let office = office().await;
    office.succeed(&["calendar", "move", "nordwind", &named(day(3)), "--to", &day(4).to_string(), "--reason", "first"]);
    office.succeed(&[
        "calendar",
        "move",
        "nordwind",
        &named(day(4)),
        "--to",
        &day(5).to_string(),
        "--reason",
        "second",
    ]);
    office.succeed(&["calendar", "confirm", "nordwind", &named(day(5)), "--by", "Anna", "--reason", "by phone"]);
    let found = office.json(&["calendar", "history", "nordwind", &named(day(3))]);
    let reasons: Vec<_> =
        found["entries"].as_array().unwrap().iter().map(|entry| entry["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["first", "second", "by phone"]);
    let mut states = column(&found, "state");
    states.sort_unstable();
    assert_eq!(states, ["confirmed", "moved", "moved"]);
    let shown = office.succeed(&["calendar", "history", "nordwind"]);
    assert!(shown.contains("apply files") && shown.contains("second") && shown.contains("by Anna"), "{shown}");
    office.fail(2, &["calendar", "history", "nordwind", &named(day(4)).replace("weekly", "monthly")]);
    office.close().await;
}

#[tokio::test]
async fn a_customer_that_is_called_like_a_command_is_named_behind_two_dashes() {
    let office = Office::open().await;
    office.customer("move", &window("weekly", "FREQ=WEEKLY", day(3)));
    office.fail(2, &["calendar", "move"]);
    let shown = office.succeed(&["calendar", "--count", "1", "--", "move"]);
    assert!(shown.contains("not applied"), "{shown}");
    office.close().await;
}

/// A window that opened half an hour ago.
fn open_window() -> (DateTime, String) {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let starts = (now - jiff::SignedDuration::from_mins(30)).round(jiff::Unit::Second).unwrap();
    (starts, window("now", "FREQ=DAILY", starts))
}

#[tokio::test]
async fn a_window_that_is_open_now_comes_first() {
    let office = Office::open().await;
    let (starts, open) = open_window();
    office.customer("nordwind", &open);
    office.succeed(&["apply", "--yes"]);
    let mut connection = office.connect().await;
    execute(
        &mut connection,
        format!(
            "insert into occurrence (id, customer, window_name, recurrence_id, job, time_zone, local_start, start_at, latest_start_at,
                                     end_at, reasons, state, opened_at)
             values (gen_random_uuid(), 'nordwind', 'now', '{starts}', 'look', 'UTC', '{starts}', '{starts}Z', '{starts}Z',
                     '{starts}Z'::timestamptz + interval '2 hours', '[]', 'open', now())"
        ),
    )
    .await;
    assert_eq!(column(&office.json(&["calendar", "--count", "2"]), "state"), ["open", "planned"]);
    execute(
        &mut connection,
        "update occurrence set state = 'done', finished_at = now() where state = 'open'".to_owned(),
    )
    .await;
    assert_eq!(column(&office.json(&["calendar", "--count", "2"]), "state"), ["planned", "planned"]);
    office.close().await;
}

#[tokio::test]
async fn a_mistake_in_a_file_stands_in_the_way_of_no_emergency() {
    let office = Office::open().await;
    office.customer("nordwind", "");
    office.fail(1, &[RUN.as_slice(), &["--reason", "urgent"]].concat());
    office.write("jobs/other.toml", "descripton = \"a typo\"\n");
    office.fail(2, &["calendar"]);
    for command in [&["runs"][..], &["show", "1"], &["log", "1"], &["report", "1"], &["outbox"]] {
        office.succeed(command);
    }
    let told = office.fail(2, &["cancel", "1"]);
    assert!(told.contains("run 1 has ended already"), "{told}");
    // Nor does doctor look at another database.
    let told = office.fail(3, &["doctor"]);
    assert!(told.contains("3 mistakes") && told.contains("writable, clocks agree"), "{told}");
    assert!(!told.contains("private cluster"), "{told}");
    office.close().await;
}

#[tokio::test]
async fn the_record_needs_the_settings_alone() {
    let office = Office::open().await;
    for directory in ["inventories", "jobs"] {
        std::fs::remove_dir_all(office.path(directory)).expect("removed");
    }
    office.succeed(&["runs"]);
    let told = office.fail(3, &["doctor"]);
    assert!(told.contains("no directory") && told.contains("writable, clocks agree"), "{told}");
    office.write("turnus.toml", "databse = 1\n");
    assert!(office.fail(2, &["runs"]).contains("turnus.toml can't be used"));
    let told = office.fail(3, &["doctor"]);
    assert!(told.contains("turnus.toml can't be used") && !told.contains("private cluster"), "{told}");
    // Without any file it is rather the wrong directory than a wish for another database.
    office.remove("turnus.toml");
    office.fail(2, &["runs"]);
    office.close().await;
}

const RUN: [&str; 6] = ["run", "nordwind", "look", "--host", "h1", "--yes"];

#[tokio::test]
async fn a_run_by_hand_outside_of_its_windows_needs_a_reason_and_is_kept() {
    let office = Office::open().await;
    let check = |lines: &str, why: &str| {
        office.customer("nordwind", lines);
        let told = office.fail(2, &RUN);
        assert!(told.contains(why) && told.contains("hint: --reason"), "{told}");
    };
    check("", "no window of nordwind for look is open");
    check(&window("weekly", "FREQ=WEEKLY", day(3)), "a run outside of its windows needs a reason");
    // A window of another job is none for this one.
    let (_, open) = open_window();
    office.write(
        "jobs/other.toml",
        "description = \"x\"\n[[step]]\nphase = \"preflight\"\nname = \"a\"\nrun = \"true\"\n",
    );
    check(&open.replace("job = \"look\"", "job = \"other\""), "a run outside of its windows");
    // Nothing starts in the last part of a window.
    check(&open.replace("duration = \"2h\"", "duration = \"2h\"\ncutoff = \"1h 45m\""), "a run outside of its windows");
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let freeze = format!("[[freeze]]\nfrom = {today}\nto = {today}\nreason = \"stocktaking\"\n");
    check(&(open + &freeze), "a run in a freeze needs a reason");
    let mut connection = office.connect().await;
    assert_eq!(texts(&mut connection, "select number::text from run").await, Vec::<String>::new());
    // The host can't be reached: that is the run's affair.
    office.fail(1, &[RUN.as_slice(), &["--reason", "urgent"]].concat());
    let kept = "select action || ' ' || reason || ' ' || (detail->>'stands') from audit";
    assert_eq!(texts(&mut connection, kept).await, ["run by hand urgent in_freeze"]);
    office.close().await;
}

#[tokio::test]
async fn inside_of_an_open_window_a_run_by_hand_needs_none_unless_the_date_was_called_off() {
    let office = Office::open().await;
    let (starts, open) = open_window();
    office.customer("nordwind", &open);
    let told = office.fail(2, &RUN);
    assert!(told.contains("no window of nordwind for look is open"), "nobody agreed to what is in a file only: {told}");
    let mut connection = office.connect().await;
    execute(
        &mut connection,
        format!(
            "insert into occurrence (id, customer, window_name, recurrence_id, job, time_zone, local_start, start_at, latest_start_at,
                                     end_at, reasons)
             values (gen_random_uuid(), 'nordwind', 'now', '{starts}', 'look', 'UTC', '{starts}', '{starts}Z',
                     '{starts}Z'::timestamptz + interval '2 hours', '{starts}Z'::timestamptz + interval '2 hours', '[]')"
        ),
    )
    .await;
    office.fail(1, &RUN);
    let kept = "select (detail->>'window') || ' ' || (detail->>'stands') from audit order by number desc limit 1";
    assert_eq!(texts(&mut connection, kept).await, ["now inside"]);
    execute(
        &mut connection,
        format!(
            "update occurrence set state = 'cancelled', cause = 'cancelled by anna: fair', finished_at = now()
             where recurrence_id = '{starts}'"
        ),
    )
    .await;
    let told = office.fail(2, &RUN);
    assert!(told.contains("no window of nordwind for look is open"), "{told}");
    office.close().await;
}

#[tokio::test]
async fn a_yes_by_phone_is_kept_as_one_on_the_page_is() {
    let office = office().await;
    let confirm = |by: &'static str| {
        let date = named(day(3));
        office.succeed(&["calendar", "confirm", "nordwind", &date, "--by", by, "--reason", "rings \u{1b}[31mback"])
    };
    let said = confirm("Ms \u{202e}Miller");
    assert!(said.ends_with("is confirmed by Ms Miller\n"), "{said:?}");
    let mut connection = office.connect().await;
    let answers =
        "select concat_ws('|', decision, said_by, entered_by <> '', via, remark, sequence) from answer order by number";
    assert_eq!(texts(&mut connection, answers).await, ["confirmed|Ms Miller|t|phone|rings back|0"]);
    let audit = "select concat_ws('|', action, actor <> 'Ms Miller', reason, detail ->> 'by', detail ->> 'via')
                 from audit where occurrence is not null";
    assert_eq!(texts(&mut connection, audit).await, ["confirm occurrence|t|rings back|Ms Miller|phone"]);
    let shown = office.succeed(&["calendar", "history", "nordwind", &named(day(3))]);
    assert!(shown.contains("rings back; by Ms Miller; via phone") && !shown.contains("null"), "{shown}");
    office.fail(2, &["calendar", "confirm", "nordwind", &named(day(3)), "--by", "Anna"]);
    assert_eq!(texts(&mut connection, answers).await.len(), 1);
    office.close().await;
}

#[tokio::test]
async fn who_asked_for_another_date_can_still_say_yes_by_phone() {
    let office = office().await;
    let mut connection = office.connect().await;
    let asked = "insert into answer (occurrence, sequence, decision, wish, said_by, said_at, via)
                 select id, sequence, 'move_asked', local_start + interval '1 day', 'Anna', now(), 'phone'
                 from occurrence order by start_at limit 1";
    execute(&mut connection, asked.to_owned()).await;
    let said = office.succeed(&["calendar", "confirm", "nordwind", &named(day(3)), "--by", "Anna"]);
    assert!(said.contains("is confirmed by Anna"), "{said}");
    assert_eq!(texts(&mut connection, "select decision from answer").await, ["move_asked"], "what was said was said");
    let state = "select state || ' ' || confirmed_by from occurrence order by start_at limit 1";
    assert_eq!(texts(&mut connection, state).await, ["confirmed Anna"]);
    let audit = "select action || ' ' || (detail ->> 'by') from audit where occurrence is not null";
    assert_eq!(texts(&mut connection, audit).await, ["confirm occurrence Anna"]);
    office.close().await;
}
