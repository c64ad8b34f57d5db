//! What a customer reads of packages, and what stands in the annex.

use super::super::super::Format;
use super::LINES_SHOWN;
use crate::domain::inventory::Locale;
use crate::domain::report::Report;
use crate::domain::report::samples::{Story, crowded};
use crate::edge::text::tests::TEXTS;

/// By language: what the annex begins with, and what is said of a package manager's remark.
const LANGUAGES: [(Locale, &str, &str); 4] = [
    (Locale::De, "Technischer Anhang", "die Paketverwaltung hat auf etwas hingewiesen, siehe technischer Anhang"),
    (Locale::En, "Technical annex", "the package manager pointed something out, see the technical annex"),
    (Locale::Hu, "Műszaki melléklet", "a csomagkezelő figyelmeztetett valamire, lásd a műszaki mellékletben"),
    (Locale::Ru, "Техническое приложение", "менеджер пакетов выдал замечание, см. техническое приложение"),
];

/// The report as a text and as a page: each what customers read and the annex, without line breaks.
fn parts(report: &Report, locale: Locale, annex: &str) -> [(String, String); 2] {
    let texts = &*TEXTS;
    [Format::Text, Format::Html].map(|format| {
        let written = texts.render_report(report, locale, format).unwrap();
        let written = written.split_whitespace().collect::<Vec<_>>().join(" ");
        let (read, rest) = written.rsplit_once(annex).unwrap();
        (read.to_owned(), rest.to_owned())
    })
}

fn english(report: &Report) -> [(String, String); 2] {
    parts(report, Locale::En, "Technical annex")
}

#[test]
fn what_a_package_manager_says_stands_in_the_annex_and_a_customer_reads_a_sentence() {
    let report = Story::of_packages().report();
    let said = "apt is older than 2.6.2";
    assert_eq!(report.hosts[0].packages[0].warnings, [said]);
    for (locale, annex, sentence) in LANGUAGES {
        for (read, rest) in parts(&report, locale, annex) {
            assert!(!read.contains(said) && rest.matches(said).count() == 1, "{locale:?} {read}");
            assert_eq!(read.matches(sentence).count(), 1, "only mail01's has said something: {locale:?} {read}");
        }
    }
}

#[test]
fn what_was_chosen_of_the_list_is_told_with_who_when_and_why() {
    for (read, _) in english(&Story::of_packages().report()) {
        let decision = "Jana Weber, 2026-03-26 14:00 +01:00 (list a330395cc0a5): nach Rücksprache";
        assert!(read.contains(decision) && read.contains("all that was pending"), "{read}");
    }
    let mut story = Story::of_packages();
    let selection = &mut story.approval.as_mut().unwrap().selection;
    selection.only = vec!["nginx".to_owned(), "openssl".to_owned()];
    selection.except = vec!["linux-image".to_owned()];
    for (read, _) in english(&story.report()) {
        assert!(read.contains("only nginx, openssl; without linux-image"), "{read}");
        assert!(!read.contains("all that was pending") && !read.contains("only what is for security"), "{read}");
    }
    for (read, _) in english(&crowded().report()) {
        assert!(read.contains("only what is for security; only lib000, lib001"), "{read}");
        assert!(read.contains("lib019 and 10 more; without lib007; only on mail01, web01"), "{read}");
    }
}

#[test]
fn a_long_list_is_cut_for_a_customer_and_whole_in_the_annex() {
    let report = crowded().report();
    let [packages] = &report.hosts[0].packages[..] else { panic!("one step installs packages") };
    assert_eq!((packages.installed.len(), packages.left.len(), packages.held.len()), (120, 121, 2));
    for (read, rest) in english(&report) {
        let count =
            |text: &str, start: &str| (0..120).filter(|n| text.contains(&format!("{start}{n:03}:amd64"))).count();
        assert_eq!((count(&read, "lib"), count(&rest, "lib")), (LINES_SHOWN, 120), "{read}");
        // One place is for what was approved and refused, which comes first.
        assert_eq!((count(&read, "app"), count(&rest, "app")), (LINES_SHOWN - 1, 120), "{read}");
        assert!(read.contains("wanted:amd64") && rest.contains("wanted:amd64"));
        assert!(read.contains("lib000:amd64") && !read.contains("lib001:amd64"), "security comes first: {read}");
        assert!(read.contains("and 95 more; the technical annex lists all of them"), "changed: {read}");
        assert!(read.contains("and 98 more; the technical annex lists all of them"), "not changed: {read}");
        let services = "worker19.service and 20 more, see the technical annex";
        assert_eq!(read.matches(services).count(), 2, "at the host and among the open points: {read}");
        assert!(!read.contains("worker20.service") && rest.contains("worker39.service"), "{read}");
    }
}

#[test]
fn a_short_list_is_told_once() {
    for (read, rest) in english(&Story::of_packages().report()) {
        assert!(read.contains("libssl3:amd64") && !rest.contains("libssl3:amd64"), "{rest}");
        assert!(!read.contains(" more;") && !read.contains(" more,"), "{read}");
    }
}

#[test]
fn conffiles_that_the_host_does_not_name_are_counted() {
    let report = crowded().report();
    let packages = &report.hosts[0].packages[0];
    assert_eq!((packages.conffiles.len(), packages.conffile_count), (50, 70));
    for (read, rest) in english(&report) {
        assert!(read.contains("/etc/many/20.conf and 50 more, see the technical annex"), "{read}");
        assert!(!read.contains("/etc/many/21.conf") && rest.contains("/etc/many/50.conf"), "{read}");
        assert!(rest.contains("and 20 more on the server"), "{rest}");
    }
}

#[test]
fn a_host_that_was_held_back_is_counted_and_named_in_the_summary() {
    let report = Story::of_packages().report();
    assert_eq!((report.counts.skipped, report.counts.held_back), (1, 1));
    for (read, _) in english(&report) {
        let tally = "1 server updated, 1 server with nothing to change, 1 server held back (web01).";
        assert!(read.contains(tally) && !read.contains("left out,"), "{read}");
    }
    let ending = Story::new().in_window(300, 500).report();
    assert_eq!((ending.counts.skipped, ending.counts.held_back), (2, 0));
    for (read, _) in english(&ending) {
        assert!(read.contains("2 servers left out.") && !read.contains("held back"), "{read}");
    }
}
