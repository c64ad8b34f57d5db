//! Reports of periods in every language and form, as samples that between them need every text.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::super::Format;
use crate::domain::id::OccurrenceId;
use crate::domain::inventory::Locale;
use crate::domain::occurrence::OccurrenceState as S;
use crate::domain::period::summary::{DateRow, PeriodRecord, PeriodReport, RunRow, write};
use crate::domain::report::samples::{Answer, Story};
use crate::domain::review::{Collection, Finding};
use crate::domain::run::event::StepEnd;
use crate::edge::text::tests::TEXTS;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn record(period: &str) -> PeriodRecord {
    PeriodRecord {
        customer: "nordwind".parse().unwrap(),
        customer_name: "Nordwind Logistik GmbH".to_owned(),
        locale: Locale::De,
        time_zone: "Europe/Berlin".to_owned(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        period: period.parse().unwrap(),
        now: at("2026-12-28T09:00:00Z"),
        since: Some(at("2026-02-01T00:00:00Z")),
        dates: Vec::new(),
        runs: Vec::new(),
        pending: None,
    }
}

fn date(number: u128, start: &str, state: S) -> DateRow {
    let start = at(start);
    let has_run = matches!(state, S::Open | S::Done);
    DateRow {
        id: OccurrenceId(uuid::Uuid::from_u128(number)),
        moved_from: None,
        window: "quarterly".parse().unwrap(),
        start,
        end: start.saturating_add(4.hours()).unwrap(),
        state,
        cause: (state == S::Skipped).then(|| "frozen: Jahresabschluss".to_owned()),
        opened_at: has_run.then_some(start),
        finished_at: (state == S::Done).then(|| start.saturating_add(95.minutes()).unwrap()),
        run: has_run.then(|| i64::try_from(number).unwrap()),
    }
}

fn run(number: i64, began_at: &str, story: Story) -> RunRow {
    RunRow { number, is_scheduled: number < 20, ..RunRow::of(&story.report(), at(began_at)) }
}

/// A quarter in which everything happens.
pub(in crate::edge::text) fn busy() -> PeriodReport {
    let fails = || Story::new().with("web01", "archive data", Answer::Ends(StepEnd::TimedOut, ""));
    let moved = DateRow {
        moved_from: Some(OccurrenceId(uuid::Uuid::from_u128(3))),
        ..date(4, "2026-11-06T13:00:00Z", S::Done)
    };
    write(&PeriodRecord {
        dates: vec![
            date(1, "2026-10-02T12:00:00Z", S::Done),
            date(2, "2026-10-09T12:00:00Z", S::Done),
            date(3, "2026-10-30T13:00:00Z", S::Moved),
            moved,
            date(5, "2026-11-13T13:00:00Z", S::Missed),
            date(6, "2026-11-20T13:00:00Z", S::Cancelled),
            date(7, "2026-12-18T13:00:00Z", S::Skipped),
            date(8, "2026-12-28T08:00:00Z", S::Open),
            date(9, "2026-12-30T13:00:00Z", S::Announced),
        ],
        runs: vec![
            run(11, "2026-03-27T13:00:00Z", Story::of_packages()),
            run(1, "2026-10-02T12:00:00Z", Story::of_packages()),
            run(2, "2026-10-09T12:00:00Z", fails()),
            run(21, "2026-10-10T12:00:00Z", Story::new()),
            run(22, "2026-12-01T12:00:00Z", fails()),
        ],
        pending: Some((at("2026-11-27T06:30:00Z"), collection())),
        ..record("2026-Q4")
    })
}

fn collection() -> Collection {
    let unreachable = Finding::Unreachable { what: "no answer".to_owned(), hint: None };
    Collection { hosts: [("web01".parse().unwrap(), unreachable)].into() }
}

/// Reports that between them need every text of the period.
pub(in crate::edge::text) fn samples() -> Vec<PeriodReport> {
    let kept = vec![date(1, "2026-10-02T12:00:00Z", S::Done)];
    let ahead = vec![date(1, "2026-12-29T12:00:00Z", S::Planned)];
    let runs = vec![run(1, "2026-10-02T12:00:00Z", Story::new())];
    vec![
        busy(),
        write(&record("2026-11")),
        write(&PeriodRecord { dates: kept, runs, ..record("2026-Q4") }),
        write(&PeriodRecord { dates: ahead, ..record("2026") }),
    ]
}

fn render(report: &PeriodReport, locale: Locale, format: Format) -> String {
    TEXTS.render_period(report, locale, format).unwrap()
}

#[test]
fn a_busy_quarter_in_german_and_english() {
    let mut settings = insta::Settings::new();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        insta::assert_snapshot!("period_de_text", render(&busy(), Locale::De, Format::Text));
        insta::assert_snapshot!("period_en_text", render(&busy(), Locale::En, Format::Text));
        insta::assert_snapshot!("period_de_html", render(&busy(), Locale::De, Format::Html));
    });
}

#[test]
fn every_report_renders_in_every_language() {
    for report in samples() {
        for locale in [Locale::De, Locale::En, Locale::Hu, Locale::Ru] {
            let html = render(&report, locale, Format::Html);
            assert!(html.contains("Nordwind Logistik GmbH") && html.ends_with("</html>\n"), "{html}");
            assert!(!html.contains("http://") && !html.contains("https://"), "nothing is fetched");
            let text = render(&report, locale, Format::Text);
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        }
    }
}

#[test]
fn the_picture_shows_the_numbers_that_stand_beside_it() {
    let report = busy();
    let html = render(&report, Locale::En, Format::Html);
    assert_eq!(html.matches("<rect ").count(), 2 * 4, "two parts of a bar for each period");
    let most = report.before.iter().chain([&report.figures]).map(|figures| figures.updates).max().unwrap();
    assert!(most > 0 && html.contains(&format!(">{most}</text>")) && html.contains(&format!(">{most}</td>")), "{html}");
    let empty = render(&samples()[1], Locale::En, Format::Html);
    assert!(!empty.contains("<svg") && empty.contains("No maintenance was agreed"), "{empty}");
}

#[test]
fn what_files_say_is_harmless() {
    let hostile = "<script>alert(1)</script>\r\n{{name}} \u{1b}[31m\u{202e}";
    let mut row = date(1, "2026-10-02T12:00:00Z", S::Cancelled);
    row.cause = Some(format!("cancelled by anna: {hostile}"));
    let report = write(&PeriodRecord { customer_name: hostile.to_owned(), dates: vec![row], ..record("2026-Q4") });
    let html = render(&report, Locale::De, Format::Html);
    assert!(!html.contains("<script") && html.matches("&lt;script&gt;").count() >= 3, "{html}");
    for written in [html, render(&report, Locale::De, Format::Text)] {
        let dangerous = |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
        assert!(!written.contains(dangerous), "a control character gets through");
    }
}
