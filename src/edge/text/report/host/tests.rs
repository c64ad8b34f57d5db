//! What a customer reads of one host.

use crate::domain::inventory::Locale;
use crate::domain::report::Report;
use crate::domain::report::samples::{Answer, Story, restart};
use crate::domain::run::event::StepEnd;
use crate::edge::text::Format;
use crate::edge::text::tests::TEXTS;

/// The report as a text and as a page, without line breaks and tags between label and value.
fn written(report: &Report) -> [String; 2] {
    let texts = &*TEXTS;
    [Format::Text, Format::Html].map(|format| {
        let written = texts.render_report(report, Locale::En, format).unwrap().replace("</dt><dd>", " ");
        written.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

/// `hosts` of the report have this row, in both.
#[track_caller]
fn check(report: &Report, hosts: usize, row: &str) {
    for written in written(report) {
        assert_eq!(written.matches(&format!("Server restart {row}")).count(), hosts, "{row}: {written}");
    }
}

#[test]
fn every_host_that_was_worked_on_says_whether_it_was_restarted() {
    check(&Story::new().report(), 3, "none");
    check(&Story::new().job(restart).report(), 1, "2026-03-27 14:06 +01:00; reachable again after 1.0 s");
    let away = |answer| Story::new().job(restart).with("mail01", "restart", answer).report();
    check(&away(Answer::Silence), 1, "begun 2026-03-27 14:06 +01:00");
    let not_back = away(Answer::Ends(StepEnd::TimedOut, ""));
    check(&not_back, 1, "begun 2026-03-27 14:06 +01:00; not confirmed that the server is back");
}

#[test]
fn a_restart_that_is_needed_is_told_once() {
    let needed = |mut report: Report| {
        report.hosts[0].packages[0].reboot_needed = Some(true);
        report
    };
    let report = needed(Story::of_packages().report());
    check(&report, 1, "none; needed for the updates to take effect");
    for written in written(&report) {
        assert_eq!(written.matches("needed for the updates to take effect").count(), 1, "{written}");
    }
    let report = needed(Story::of_packages().job(restart).report());
    check(&report, 1, "2026-03-27 14:04 +01:00; reachable again after 1.0 s; another one is needed for the updates");
}
