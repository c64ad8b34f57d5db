//! Every report in every language and form; what hosts say is harmless in all of them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::catalogue::Catalogue;
use super::page;
use super::{Format, HTML_TEMPLATES, LOCALES, RenderedMail, TEXT_TEMPLATES, Texts, mail};
use super::{agreement, period};
use crate::domain::answer::{Decision, Via};
use crate::domain::id::Epoch;
use crate::domain::inventory::Locale;
use crate::domain::job::{BackupRule, Phase, Place};
use crate::domain::mail::samples::Scene;
use crate::domain::notification::Kind;
use crate::domain::packages::choose::Look;
use crate::domain::report::acceptance::AcceptanceReport;
use crate::domain::report::capacity;
use crate::domain::report::meanwhile::QuietDate;
use crate::domain::report::open_point::OpenPoint;
use crate::domain::report::samples::probes::{down, interrupted, probed, watched};
use crate::domain::report::samples::{
    Answer, Story, account, accounted, approval, at, change, crowded, facts, fault, install_packages, installed_facts,
    look, looked, name, restart, step,
};
use crate::domain::report::{NextDate, Report};
use crate::domain::run::event::{Event, StepEnd};

/// Read once for all tests of a process.
pub(super) static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::new().unwrap());

const ALL_LOCALES: [Locale; 4] = [Locale::De, Locale::En, Locale::Hu, Locale::Ru];

fn failure() -> Answer {
    Answer::Ends(StepEnd::Failed { exit_status: 3 }, "it broke")
}

fn not_met() -> Answer {
    Answer::Ends(StepEnd::NotMet { why: "expected status 200, found 502".to_owned() }, "")
}

fn cancel() -> Event {
    Event::CancelRequested { by: "anna".to_owned() }
}

fn smoke_failure() -> Report {
    Story::new().with("mail01", "service answers", not_met()).report()
}

fn suspended() -> Report {
    Story::new().with("web01", "application", fault("the line is lost")).report()
}

/// Reports that between them need every text.
fn reports() -> Vec<Report> {
    let lease = || Event::LeaseTaken { epoch: Epoch(2), controller: "laptop:99".to_owned() };
    let smoke_fails = || Story::new().with("mail01", "service answers", failure());
    let web_fails = |label: &str, answer: Answer| Story::new().with("web01", label, answer).report();
    let many = (0..20).map(|index| (format!("key{index}"), "value".to_owned())).collect();
    let mut reports = vec![
        Story::new().report(),
        smoke_failure(),
        suspended(),
        Story::new().with("web01", "application", fault("lost")).meanwhile(9000, lease()).report(),
        Story::new().with("web01", "stop service (undo)", fault("lost")).report(),
        smoke_fails().with("mail01", "application (rollback)", failure()).report(),
        smoke_fails().with("mail01", "application (rollback)", fault("lost")).report(),
        smoke_fails().job(|job| job.steps[4].rollback = None).report(),
        Story::new().with("mail01", "disk space", failure()).job(|job| job.steps[4].rollback = None).report(),
        Story::new().meanwhile(100, cancel()).report(),
        Story::new().with("mail01", "prepare", fault("cannot connect")).report(),
        Story::new().with("mail01", "archive data", Answer::Silence).report(),
        Story::new().with("mail01", "prepare", Answer::Silence).report(),
        Story::new().with("mail01", "application", Answer::Overdue).report(),
        Story::new().with("mail01", "application", Answer::Well(many)).report(),
        Story::new()
            .with("mail01", "archive data (verify)", Answer::Well(facts(&[("path", "repository::today")])))
            .report(),
        web_fails("archive data (recheck)", Answer::Ends(StepEnd::TimedOut, "")),
        web_fails("archive data", Answer::Ends(StepEnd::Interrupted, "")),
        web_fails("application", Answer::Ends(StepEnd::Lost, "")),
        web_fails("disk space", Answer::Ends(StepEnd::NotStarted { why: "no shell".to_owned() }, "")),
        web_fails("stop service (undo)", failure()),
        without_backup(),
        nothing_to_do(),
        Story::new().job(restart).report(),
        Story::new().job(restart).with("mail01", "restart", Answer::Silence).report(),
        Story::new().job(restart).with("mail01", "restart", Answer::Ends(StepEnd::TimedOut, "")).report(),
        restarted_and_to_be_restarted(),
        watched().report(),
        interrupted().report(),
        down(|_| {}).report(),
        down(|job| job.steps[1].undo = None).report(),
        Story::new().in_window(300, 500).report(),
        Story::new().in_window(1000, 500).meanwhile(500, Event::WindowClosed).report(),
    ];
    reports.extend(packages());
    reports.push(Report { started_at: None, recorded_until: None, hosts: Vec::new(), ..reports[11].clone() });
    let mut omitting = reports[0].clone();
    omitting.reason = Some("a warning".to_owned());
    omitting.duration_ms = Some(4_000_000);
    omitting.next =
        Some(NextDate { window: name("quarterly"), opens_at: at(90 * 86_400), closes_at: at(90 * 86_400 + 14_400) });
    omitting.quiet_dates = vec![QuietDate { run_number: 6, window: name("monthly"), opens_at: at(-30 * 86_400) }];
    let lost = OpenPoint::MessageUndelivered { recipient: "it@nordwind.example".to_owned(), message: Kind::Finished };
    omitting.open_points.push(lost);
    omitting.finished_at = Some(at(30 * 86_400));
    omitting.hosts[0].steps[0].output_bytes = 3 << 40;
    omitting.hosts[0].steps[0].omitted_bytes = 2 << 30;
    reports.push(omitting);
    reports.push(Report { capacity: capacity::samples::hosts(), ..reports[0].clone() });
    let decisions = [Decision::Accepted, Decision::AcceptedWithRemarks, Decision::Refused, Decision::Deemed];
    reports.extend(decisions.map(|decision| Report { acceptance: Some(answered(decision)), ..reports[0].clone() }));
    reports
}

fn restarted_and_to_be_restarted() -> Report {
    let mut report = Story::of_packages().job(restart).report();
    report.hosts[0].packages[0].reboot_needed = Some(true);
    report
}

fn answered(decision: Decision) -> AcceptanceReport {
    AcceptanceReport {
        decision,
        by: (decision != Decision::Deemed).then(|| "IT-Leitung <it@nordwind.example>".to_owned()),
        at: at(90_000),
        remark: decision.needs_remark().then(|| "The scanner is slow.\nSince Monday.".to_owned()),
        via: Via::Page,
        entered_by: None,
        report: None,
    }
}

/// Packages as they come and don't come.
fn packages() -> [Report; 6] {
    let of_packages = || Story::new().job(install_packages);
    let few = || Look { chosen: vec![change("nginx", "1", "2", false)], ..look() };
    let mut replaced = of_packages().with("mail01", "packages (look)", looked(StepEnd::Succeeded, look())).with(
        "mail01",
        "packages",
        Answer::Well(installed_facts("replace")),
    );
    replaced.approval = Some(approval(None));
    let mut after = account();
    after.not_installed[0].now = None;
    after.newly_available = (0..30).map(|index| change(&format!("lib{index}"), "1", "2", false)).collect();
    let plain =
        crate::domain::packages::account::Account { installed: few().chosen, not_installed: Vec::new(), ..account() };
    let mut one = of_packages().with("mail01", "packages (look)", looked(StepEnd::Succeeded, few())).with(
        "mail01",
        "packages (account)",
        accounted(plain),
    );
    one.customer.hosts.truncate(1);
    [
        Story::of_packages().report(),
        replaced.with("mail01", "packages (account)", accounted(after)).report(),
        of_packages()
            .with("mail01", "packages (look)", looked(StepEnd::Succeeded, look()))
            .with("mail01", "packages (account)", Answer::Ends(StepEnd::NotMet { why: "locked".to_owned() }, ""))
            .report(),
        one.report(),
        crowded().report(),
        probed().report(),
    ]
}

fn without_backup() -> Report {
    let story = Story::new().job(|job| {
        job.backup = BackupRule::None { reason: "snapshots of the hypervisor".to_owned() };
        job.steps.retain(|step| step.phase != Phase::Backup);
    });
    story.report()
}

fn nothing_to_do() -> Report {
    Story::new().job(|job| job.steps.retain(|step| step.phase != Phase::Update)).report()
}

fn render(report: &Report, locale: Locale, format: Format) -> String {
    TEXTS.render_report(report, locale, format).unwrap()
}

#[test]
fn every_report_can_be_written_in_every_language_and_form() {
    let texts = &*TEXTS;
    for report in reports() {
        for locale in ALL_LOCALES {
            let text = texts.render_report(&report, locale, Format::Text).unwrap();
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            assert!(text.lines().all(|line| !line.ends_with(' ')), "{text}");
            assert!(!text.contains("\n\n\n") && !text.contains('{') && !text.contains('&'), "{text}");
            let html = texts.render_report(&report, locale, Format::Html).unwrap();
            assert!(html.contains(&format!("<html lang=\"{}\">", super::code(locale))));
            let body = html.split_once("</style>").unwrap().1;
            assert!(!body.contains('{'), "{body}");
        }
    }
}

/// Renders with texts that say only their keys: a text that never appears is not used, or no report here needs it.
#[test]
fn every_text_is_used() {
    let german = Catalogue::parse(LOCALES[0].0, LOCALES[0].1).unwrap();
    let echoes = LOCALES.map(|(locale, text)| Catalogue::parse(locale, text).unwrap().echo());
    let texts = {
        let echoes = std::sync::Arc::new(echoes);
        let mail = mail::Templates::new(&echoes).unwrap();
        Texts::from_catalogues(echoes, mail).unwrap()
    };
    let mut seen = String::new();
    for report in reports() {
        seen += &texts.render_report(&report, Locale::De, Format::Html).unwrap();
        let text = texts.render_report(&report, Locale::De, Format::Text).unwrap();
        // Undo the wrapping: keys have no spaces.
        seen.extend(text.chars().filter(|character| !character.is_whitespace()));
    }
    for page in page::samples::pages() {
        seen += &texts.render_page(&page, &page::samples::head(), Locale::De, "Europe/Berlin").unwrap();
    }
    for report in period::tests::samples() {
        seen += &texts.render_period(&report, Locale::De, Format::Html).unwrap();
        let text = texts.render_period(&report, Locale::De, Format::Text).unwrap();
        seen.extend(text.chars().filter(|character| !character.is_whitespace()));
    }
    for sample in agreement::tests::samples() {
        seen += &texts.explain(&sample.agreement(), Locale::De).unwrap();
    }
    for mail in Scene::example(Locale::De).mails() {
        let RenderedMail { subject, text, html } = texts.render_mail(&mail).unwrap();
        seen += &(subject + &html);
        seen.extend(text.chars().filter(|character| !character.is_whitespace()));
    }
    let seen: BTreeSet<&str> = seen.split('⟦').filter_map(|part| part.split_once('⟧')).map(|(key, _)| key).collect();
    let unused: Vec<_> = german.messages().keys().filter(|key| !seen.contains(key.as_str())).collect();
    assert_eq!(unused, [""; 0]);
}

#[test]
fn labels_fit_their_column() {
    for (locale, text) in LOCALES {
        let catalogue = Catalogue::parse(locale, text).unwrap();
        let labels = catalogue.messages().keys().filter(|key| {
            let elsewhere = *key == "report.label.timeline";
            (key.starts_with("report.label.") || key.starts_with("report.phase.")) && !elsewhere
        });
        let length = |key: &str| catalogue.text(key, &[]).unwrap().chars().count();
        let too_long: Vec<_> = labels.filter(|key| length(key) > 23).collect();
        assert_eq!(too_long, [""; 0], "{locale:?}");
        let states = catalogue.messages().keys().filter(|key| key.starts_with("report.step_state."));
        let too_long: Vec<_> = states.filter(|key| length(key) > 18).collect();
        assert_eq!(too_long, [""; 0], "{locale:?}");
        let phases = catalogue.messages().keys().filter(|key| key.starts_with("report.phase."));
        let too_long: Vec<_> = phases.filter(|key| length(key) > 17).collect();
        assert_eq!(too_long, [""; 0], "{locale:?}");
    }
}

#[test]
fn templates_have_no_sentence_and_no_way_around_escaping() {
    let reports = HTML_TEMPLATES.into_iter().chain(TEXT_TEMPLATES);
    for (name, text) in reports.chain(mail::HTML_TEMPLATES).chain(mail::TEXT_TEMPLATES) {
        assert!(!text.contains("{{{") && !text.contains("{{&"), "{name} writes something without escaping");
        let outside: String = text.split("{{").map(|part| part.rsplit("}}").next().unwrap()).collect();
        let tags_cut: String = outside.split('<').map(|part| part.rsplit('>').next().unwrap()).collect();
        let words = tags_cut.split_whitespace().filter(|word| word.chars().all(char::is_alphabetic)).count();
        assert!(name.ends_with("/style") || words == 0, "{name} says something itself: {tags_cut}");
    }
}

#[test]
fn the_page_is_self_contained() {
    let html = render(&smoke_failure(), Locale::De, Format::Html);
    for foreign in ["<script", "<link", "<img", "<iframe", "@import", "url(", "src=", "http://", "https://", "onclick"]
    {
        assert!(!html.contains(foreign), "the page has `{foreign}`");
    }
    let targets: BTreeSet<_> = html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for target in targets {
        let id = target.strip_prefix('#').unwrap();
        assert!(html.contains(&format!("id=\"{id}\"")), "`{target}` leads nowhere");
    }
}

#[test]
fn what_hosts_and_inventories_say_is_harmless() {
    let hostile = "<script>alert(1)</script>\r\n{{name}} {host} & \"q\" 'a' \u{1b}[31m\u{202e}";
    let mut story = Story::new()
        .with("mail01", "application", Answer::Well(facts(&[(hostile, hostile), ("from", hostile), ("to", hostile)])))
        .with("mail01", "service answers", Answer::Ends(StepEnd::NotMet { why: hostile.to_owned() }, "\u{9b}31m<b>"))
        .with("mail01", "archive data (verify)", Answer::Well(facts(&[("path", hostile), ("checksum", hostile)])))
        .job(|job| {
            job.description = hostile.to_owned();
            job.steps[0].name = "long".repeat(3_000_000);
            job.steps.push(step(Phase::Smoke, hostile));
        });
    story.customer.display_name = hostile.to_owned();
    story.reason = Some(hostile.to_owned());
    let report = story.report();
    let html = render(&report, Locale::De, Format::Html);
    assert!(!html.contains("<script") && !html.contains("<b>&") && !html.contains("\"q\""), "markup gets through");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;  {{name}} {host} &amp; &quot;q&quot; &#x27;a&#x27;"));
    let text = render(&report, Locale::De, Format::Text);
    for written in [&html, &text] {
        let dangerous = |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
        assert!(!written.contains(dangerous), "a control character gets through");
        assert!(written.len() < 100_000, "a long name is cut");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn a_step_elsewhere_names_its_machine() {
    let mut story = Story::new().job(|job| job.steps[2].place = Place::Delegate(name("db01")));
    story.customer.hosts.truncate(3);
    let report = story.report();
    let text = render(&report, Locale::En, Format::Text);
    assert!(text.contains("“archive data”, db01: /var/backups/mail01.tar"), "{text}");
    let html = render(&report, Locale::En, Format::Html);
    assert!(html.contains("<td>controller</td>"), "the probe runs on the controller");
}

#[test]
fn times_are_those_of_the_customer() {
    let mut report = smoke_failure();
    report.time_zone = "Asia/Kolkata".to_owned();
    assert!(render(&report, Locale::En, Format::Text).contains("2026-03-27 18:30 +05:30"));
}

#[test]
fn two_hundred_hosts_are_still_readable() {
    let mut report = Story::new().report();
    report.hosts = report.hosts.iter().cycle().take(200).cloned().collect();
    let html = render(&report, Locale::De, Format::Html);
    assert_eq!(html.matches("<article").count(), 200);
    assert!(html.contains("href=\"#host-200\""));
}

/// The page without its style, which is looked at and not read.
fn page(report: &Report, locale: Locale) -> String {
    let html = render(report, locale, Format::Html);
    let (head, rest) = html.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    format!("{head}<style>…</style>{body}")
}

/// The plan holds turnus's own scripts, so that its hash changes with them; nobody reads it here.
fn without_plan_hash(report: &Report, text: &str) -> String {
    let hash = serde_json::to_value(report).unwrap()["plan_hash"].as_str().unwrap().to_owned();
    assert!(text.contains(&hash));
    text.replace(&hash, "<hash of the plan>")
}

#[test]
fn the_reports_as_people_see_them() {
    let settings = {
        let mut settings = insta::Settings::new();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings
    };
    settings.bind(|| {
        let stories = [
            ("succeeded", Story::new().report()),
            ("rolled_back", smoke_failure()),
            ("suspended", suspended()),
            ("packages", Story::of_packages().report()),
        ];
        for (story, report) in stories {
            for locale in [Locale::De, Locale::En] {
                let language = super::code(locale);
                let text = without_plan_hash(&report, &render(&report, locale, Format::Text));
                insta::assert_snapshot!(format!("{story}_{language}_text"), text);
            }
        }
        for locale in [Locale::De, Locale::En] {
            let html = without_plan_hash(&smoke_failure(), &page(&smoke_failure(), locale));
            insta::assert_snapshot!(format!("rolled_back_{}_html", super::code(locale)), html);
        }
    });
}
