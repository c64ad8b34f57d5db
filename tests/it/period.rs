//! `turnus report CUSTOMER --period`, the messages that go out when a period is over, and PDF files by a real browser.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use turnus::app::daemon::Daemon;
use turnus::app::daemon::tick::{Tick, run_at};
use turnus::domain::settings::Settings;
use turnus::edge::pdf;

use crate::kit::database::execute;
use crate::kit::debian::tell_untested;
use crate::kit::office::{Office, day, window};
use crate::store::{create, take, write};
use crate::web::site::good_end;

/// A customer in Berlin with `lines` in its own table, of whose contacts two get reports.
fn nordwind(office: &Office, lines: &str) {
    let inventory = format!(
        "[customer]\nname = \"Nordwind GmbH\"\nlocale = \"de\"\ntime_zone = \"Europe/Berlin\"\n{lines}\n\
         [[contact]]\nname = \"IT\"\nemail = \"it@nordwind.example\"\nreceives = [\"announcement\", \"report\"]\n\n\
         [[contact]]\nname = \"Leitung\"\nemail = \"leitung@nordwind.example\"\nreceives = [\"report\"]\n\n\
         [[contact]]\nname = \"Empfang\"\nemail = \"empfang@nordwind.example\"\nreceives = [\"announcement\"]\n\n\
         [[host]]\nname = \"h1\"\naddress = \"127.0.0.1\"\nport = 1\n\n{}",
        window("weekly", "FREQ=WEEKLY", day(3))
    );
    office.write("inventories/nordwind.toml", &inventory);
    office.succeed(&["apply", "--yes"]);
}

/// Dates of the last quarter of 2025, as if the customer had been there since 2025-08-15.
async fn record_a_quarter(office: &Office) {
    let row = |number: u32, moved_from: &str, start: &str, state: &str, cause: &str| {
        let id = |number: u32| format!("00000000-0000-0000-0000-{number:012}");
        let moved_from = moved_from.parse().map_or("null".to_owned(), |number| format!("'{}'", id(number)));
        let cause = if cause.is_empty() { "null".to_owned() } else { format!("'{cause}'") };
        format!(
            "insert into occurrence (id, customer, window_name, recurrence_id, moved_from, job, time_zone, local_start, start_at,
                                     latest_start_at, end_at, reasons, state, cause, finished_at)
             values ('{}', 'nordwind', 'weekly', '2020-01-01'::timestamp + interval '{number} days', {moved_from}, 'look', 'Europe/Berlin',
                     '{start}', '{start}', '{start}', '{start}'::timestamptz + interval '2 hours', '[]', '{state}', {cause}, '{start}');",
            id(number)
        )
    };
    let rows = [
        row(1, "", "2025-10-03T14:00:00Z", "missed", "controller not running"),
        row(2, "", "2025-10-10T14:00:00Z", "cancelled", "cancelled by anna: Messe"),
        row(3, "", "2025-12-30T14:00:00Z", "moved", "moved by anna: Inventur"),
        row(4, "3", "2026-01-05T14:00:00Z", "skipped", "frozen: Inventur"),
        row(5, "", "2025-09-30T21:59:00Z", "missed", "not announced"),
        "insert into revision (hash, kind, name, content, created_at)
         values (repeat('a', 64), 'inventory', 'nordwind', '', '2025-08-15T12:00:00Z');"
            .to_owned(),
    ];
    execute(&mut office.connect().await, rows.concat()).await;
}

#[tokio::test]
async fn a_period_is_told_from_the_record() {
    let office = Office::open().await;
    nordwind(&office, "");
    record_a_quarter(&office).await;
    let report = office.json(&["report", "nordwind", "--period", "2025-Q4"]);
    let dates: Vec<Value> =
        report["dates"].as_array().unwrap().iter().map(|line| json!([line["fate"], line["cause"]])).collect();
    assert_eq!(dates, [json!(["missed", null]), json!(["cancelled", "Messe"]), json!(["moved", "Inventur"])]);
    assert_eq!(report["dates"][2]["moved_to"], "2026-01-05T14:00:00Z");
    let figures = &report["figures"];
    assert_eq!(
        (&figures["windows"], &figures["missed"], &figures["moved"], &figures["runs"]),
        (&json!(3), &json!(1), &json!(1), &json!(0))
    );
    assert_eq!(
        (&report["from"], &report["to"], &report["is_over"]),
        (&json!("2025-10-01"), &json!("2025-12-31"), &json!(true))
    );
    // The customer is there since August: of earlier quarters nothing is known.
    let before: Vec<&Value> = report["before"].as_array().unwrap().iter().map(|figures| &figures["period"]).collect();
    assert_eq!(before, ["2025-Q3"]);
    assert_eq!(report["before"][0]["missed"], 1);
    let german = office.succeed(&["report", "nordwind", "--period", "2025-Q4"]);
    assert!(german.contains("4. Quartal 2025") && german.contains("0 von 3 Wartungsterminen"), "{german}");
    let english = office.succeed(&["report", "nordwind", "--period", "2025-12", "--locale", "en"]);
    assert!(english.contains("2025-12") && english.contains("Inventur"), "{english}");
    office.close().await;
}

#[tokio::test]
async fn a_period_of_which_there_is_nothing_to_tell_says_so() {
    let office = Office::open().await;
    nordwind(&office, "");
    let told = office.succeed(&["report", "nordwind", "--period", "2019", "--locale", "en"]);
    assert!(told.contains("No maintenance was agreed for this period, and none was carried out."), "{told}");
    assert!(told.contains("not collected yet"), "{told}");
    let html = office.path("report.html").display().to_string();
    office.succeed(&["report", "nordwind", "--period", "2019-Q2", "--format", "html", "--output", &html]);
    assert!(fs::read_to_string(&html).unwrap().contains("2. Quartal 2019"));
    office.close().await;
}

#[tokio::test]
async fn what_is_no_period_or_no_customer_is_refused_with_a_hint() {
    let office = Office::open().await;
    nordwind(&office, "");
    for wrong in ["2026-Q5", "2026-13", "Q4", "last year", ""] {
        let told = office.fail(2, &["report", "nordwind", "--period", wrong]);
        assert!(
            told.contains(&format!("`{wrong}` is no period")) && told.contains("hint: a period is a month (`2026-11`)"),
            "{told}"
        );
    }
    let told = office.fail(2, &["report", "nordwind", "--period", "2999"]);
    assert!(told.contains("2999 has not begun"), "{told}");
    let told = office.fail(2, &["report", "nordwint", "--period", "2025"]);
    assert!(told.contains("did you mean `nordwind`?"), "{told}");
    let told = office.fail(2, &["report", "nordwind"]);
    assert!(told.contains("`nordwind` is no number of a run") && told.contains("add --period"), "{told}");
    let told = office.fail(2, &["report", "nordwind", "--period", "2025", "--format", "pdf"]);
    assert!(told.contains("hint: --output FILE"), "{told}");
    office.close().await;
}

/// What was made of period reports: who, about what, how often.
async fn told(office: &Office) -> Vec<String> {
    let sql = "select recipient || ' ' || locale || ' ' || (detail::jsonb ->> 'period') || ' ' || state
               from notification where kind = 'period_report' order by number";
    sqlx::query_scalar(sql).fetch_all(&mut office.connect().await).await.unwrap()
}

async fn materialise(office: &Office, daemons: usize, now: &str) {
    let now: Timestamp = now.parse().unwrap();
    let mut made = Vec::new();
    for _ in 0..daemons {
        made.push(Daemon::new(office.store().await, &Settings::default(), &[], &office.path("state")).unwrap());
    }
    // At the same time, as daemons do.
    let ticks = made.iter().map(|daemon: &Arc<Daemon>| run_at(daemon, Tick::Materialise, now));
    for ended in futures_util::future::join_all(ticks).await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn whoever_gets_reports_is_told_once_when_a_period_is_over() {
    let office = Office::open().await;
    nordwind(&office, "period_report = \"quarter\"\n");
    execute(&mut office.connect().await, "update period_report set since = '2030-02-01T00:00:00Z'".to_owned()).await;
    let [it, head] = ["it", "leitung"].map(|who| move |period: &str| format!("{who}@nordwind.example de {period} due"));
    // Over in UTC, but not in Berlin; and over there, with three daemons.
    materialise(&office, 1, "2030-03-31T21:59:59Z").await;
    assert_eq!(told(&office).await, [""; 0]);
    materialise(&office, 3, "2030-03-31T22:00:00Z").await;
    let mut first = told(&office).await;
    first.sort();
    assert_eq!(first, [it("2030-Q1"), head("2030-Q1")]);
    materialise(&office, 1, "2030-04-20T00:00:00Z").await;
    assert_eq!(told(&office).await.len(), 2, "told once");
    // Applied anew, with another wish in between: what was told is not told again.
    nordwind(&office, "");
    materialise(&office, 1, "2030-04-21T00:00:00Z").await;
    nordwind(&office, "period_report = \"quarter\"\n");
    execute(&mut office.connect().await, "update period_report set since = '2030-02-01T00:00:00Z'".to_owned()).await;
    materialise(&office, 1, "2030-04-22T00:00:00Z").await;
    assert_eq!(told(&office).await.len(), 2);
    materialise(&office, 1, "2030-07-01T06:00:00Z").await;
    let mut all = told(&office).await;
    all.sort();
    assert_eq!(all, [it("2030-Q1"), it("2030-Q2"), head("2030-Q1"), head("2030-Q2")]);
    office.close().await;
}

#[tokio::test]
async fn nobody_is_told_of_the_time_before_or_without_wishing_so() {
    let office = Office::open().await;
    nordwind(&office, "");
    materialise(&office, 1, "2030-04-01T06:00:00Z").await;
    assert_eq!(told(&office).await, [""; 0], "not wished");
    nordwind(&office, "period_report = \"month\"\n");
    let now: Timestamp = sqlx::query_scalar::<_, jiff_sqlx::Timestamp>("select now()")
        .fetch_one(&mut office.connect().await)
        .await
        .unwrap()
        .to_jiff();
    materialise(&office, 1, &now.to_string()).await;
    assert_eq!(told(&office).await, [""; 0], "the month before ended before the customer was first applied");
    office.close().await;
}

/// Whether there is a browser; says so if not.
fn has_browser() -> bool {
    let is_there =
        |program: &&str| Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if pdf::PROGRAMS.iter().any(is_there) {
        return true;
    }
    tell_untested("PDF files by Chromium", "no Chromium is installed (Debian package chromium)");
    false
}

#[track_caller]
fn check_pdf(printed: &[u8]) {
    let has = |wanted: &[u8]| printed.windows(wanted.len()).any(|part| part == wanted);
    assert!(printed.starts_with(b"%PDF-") && has(b"%%EOF"), "{} bytes", printed.len());
    assert!(printed.len() > 10_000 && has(b"/Type /Page") && has(b"/Font"), "{} bytes", printed.len());
}

#[tokio::test]
async fn a_real_browser_prints_the_report_of_a_period() {
    if !has_browser() {
        return;
    }
    let office = Office::open().await;
    nordwind(&office, "");
    record_a_quarter(&office).await;
    let file = office.path("report.pdf").display().to_string();
    office.succeed(&["report", "nordwind", "--period", "2025-Q4", "--format", "pdf", "--out", &file]);
    check_pdf(&fs::read(&file).unwrap());
    office.close().await;
}

#[tokio::test]
async fn a_real_browser_prints_the_report_of_a_run_and_it_goes_with_the_letter() {
    if !has_browser() {
        return;
    }
    let office = Office::open().await;
    office.settle(&format!(
        "[provider]\nname = \"Systemhaus\"\nemail = \"wartung@systemhaus.example\"\n\
         [mail]\nmailer = \"file\"\ndirectory = \"{}\"\n[report]\npdf = \"chromium\"\n",
        office.path("letters").display()
    ));
    nordwind(&office, "");
    let store = office.store().await;
    let (run, number) = create(&store, &["web01"]).await;
    let epoch = take(&store, run, "one:1").await.unwrap();
    write(&store, run, epoch, &good_end()).await.unwrap();
    store.close().await.unwrap();
    let (file, number) = (office.path("report.pdf").display().to_string(), number.to_string());
    office.succeed(&["report", &number, "--format", "pdf", "--output", &file]);
    check_pdf(&fs::read(&file).unwrap());

    office.succeed(&["outbox", "send"]);
    let files = fs::read_dir(office.path("letters")).unwrap().map(|entry| entry.unwrap().path());
    let letters = files.filter(|file| file.extension().is_some_and(|extension| extension == "eml"));
    let letters: Vec<String> = letters.map(|letter| fs::read_to_string(letter).unwrap()).collect();
    assert_eq!(letters.len(), 2, "to those who get reports");
    for letter in letters {
        let name = format!("filename=\"turnus-nordwind-{number}.pdf\"");
        assert!(letter.contains("Content-Type: application/pdf") && letter.contains(&name), "{letter}");
        let part = letter.split("Content-Type: application/pdf").nth(1).unwrap();
        let encoded: String =
            part.split("\r\n\r\n").nth(1).unwrap().split("\r\n--").next().unwrap().split_whitespace().collect();
        check_pdf(&BASE64_STANDARD.decode(encoded).unwrap());
    }
    office.close().await;
}
