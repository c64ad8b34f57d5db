//! Every mail in every language; what people and hosts say is harmless in all of them.

use crate::domain::inventory::Locale;
use crate::domain::mail::samples::Scene;
use crate::domain::mail::{Cause, Dated, Decision, Ended, Mail, Matter};
use crate::domain::notification::Kind;
use crate::edge::text::tests::TEXTS;
use crate::edge::text::{RenderedMail, code};

const ALL_LOCALES: [Locale; 4] = [Locale::De, Locale::En, Locale::Hu, Locale::Ru];

fn render(mail: &Mail) -> RenderedMail {
    TEXTS.render_mail(mail).unwrap()
}

fn sample(kind: Kind, locale: Locale) -> Mail {
    Scene::example(locale).mail(kind)
}

#[test]
fn every_mail_can_be_written_in_every_language() {
    for locale in ALL_LOCALES {
        for mail in Scene::example(locale).mails() {
            let RenderedMail { subject, text, html } = render(&mail);
            assert!(!subject.is_empty() && !subject.contains(['\n', '{']), "{subject}");
            for line in text.lines() {
                let fits = line.chars().count() <= 72 || line.starts_with("https://");
                assert!(fits && !line.ends_with(' '), "{} in {locale:?}: {line:?}", mail.kind());
            }
            assert!(!text.contains("\n\n\n") && !text.contains('{') && !text.contains('&'), "{text}");
            assert!(html.contains(&format!("<html lang=\"{}\">", code(locale))) && !html.contains('{'), "{html}");
            assert!(html.contains("</html>") && html.lines().all(|line| line.len() < 998), "{html}");
        }
    }
}

#[test]
fn the_kind_is_that_of_the_matter() {
    for kind in Kind::ALL {
        assert_eq!(sample(kind, Locale::En).kind(), kind);
    }
}

#[test]
fn every_opened_element_is_closed() {
    for mail in Scene::example(Locale::De).mails() {
        let html = render(&mail).html;
        for element in ["table", "tr", "td", "th", "p", "span", "ul", "li", "h1", "h2", "a", "strong"] {
            let opened = html.matches(&format!("<{element} ")).count() + html.matches(&format!("<{element}>")).count();
            assert_eq!(opened, html.matches(&format!("</{element}>")).count(), "`{element}` in {}", mail.kind());
        }
    }
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    for mail in Scene::example(Locale::En).mails() {
        let html = render(&mail).html;
        for foreign in ["<script", "<link", "<style", "<iframe", "@import", "url(", "http://", "background=", "onclick"]
        {
            assert!(!html.contains(foreign), "{} has `{foreign}`", mail.kind());
        }
        let sources: Vec<_> = html.split("src=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(sources.iter().all(|source| *source == "cid:logo@turnus"), "{sources:?}");
        let targets: Vec<_> = html.split("https://").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(targets.len() <= 1 && targets.iter().all(|url| url.starts_with("wartung.systemhaus.example/")));
    }
}

#[test]
fn link_and_code_stand_in_text_and_page() {
    for kind in
        [Kind::Announcement, Kind::Reminder, Kind::Moved, Kind::Finished, Kind::Failed, Kind::AcceptanceReminder]
    {
        let RenderedMail { text, html, .. } = render(&sample(kind, Locale::De));
        let (line, _) = text.split_once("\nhttps://").map(|(_, rest)| rest.split_once('\n').unwrap()).unwrap();
        assert!(html.contains(&format!("href=\"https://{line}\"")), "{kind}: the link is one line of its own");
        assert!(text.contains("Ihr Code: 4821 7730\n") && html.contains("<strong>4821 7730</strong>"), "{kind}");
    }
}

#[test]
fn times_are_those_of_the_recipient() {
    let mail = Mail { time_zone: "Asia/Kolkata".to_owned(), ..sample(Kind::Announcement, Locale::En) };
    let RenderedMail { subject, text, html } = render(&mail);
    assert_eq!(subject, "Maintenance on 2026-03-27: Quartalswartung der Anwendungsserver");
    for written in [text, html] {
        assert!(written.contains("Friday, 2026-03-27 18:30 to 22:30 +05:30"), "{written}");
    }
}

#[test]
fn every_time_has_its_offset() {
    let on = |matter| Mail { time_zone: "Asia/Kolkata".to_owned(), ..sample(matter, Locale::En) };
    let text = render(&on(Kind::Moved)).text;
    assert!(text.contains("Friday, 2026-03-20 18:30 +05:30"), "{text}");
    let asked = Scene::example(Locale::En).mails().into_iter().find(
        |mail| matches!(&mail.matter, Matter::Answer { decision: Decision::MoveWanted { to }, .. } if to.is_some()),
    );
    let text = render(&asked.unwrap()).text;
    assert!(text.contains("Thursday, 2026-04-02 14:00 +02:00"), "{text}");
}

fn text_of_matter(matter: Matter) -> String {
    let text = render(&Mail { matter, ..sample(Kind::Started, Locale::En) }).text;
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn ended(kind: Kind) -> Ended {
    match sample(kind, Locale::En).matter {
        Matter::Finished(ended) | Matter::Failed(ended) => *ended,
        other => panic!("{other:?} has no report"),
    }
}

#[test]
fn a_failed_run_tells_what_became_of_the_services() {
    let told = |report| text_of_matter(Matter::Failed(Box::new(Ended { report, ..ended(Kind::Failed) })));
    let running = told(ended(Kind::Failed).report);
    assert!(running.contains("All services that were stopped for the maintenance are running again."), "{running}");
    assert!(running.contains("Our team has been informed."), "{running}");
    let mut report = ended(Kind::Failed).report;
    report.hosts[0].interruption.as_mut().unwrap().to = None;
    assert!(told(report).contains("It is not yet clear whether all services"));
    let mut report = ended(Kind::Failed).report;
    report.hosts.iter_mut().for_each(|host| host.interruption = None);
    assert!(told(report).contains("No services were stopped for the maintenance."));
}

#[test]
fn where_nothing_was_pending_the_mail_is_short() {
    let scene = Scene::example(Locale::En);
    let quiet = scene.mails().into_iter().find_map(|mail| match mail.matter {
        Matter::Finished(ended) if ended.report.counts.updated == 0 => Some(ended),
        _ => None,
    });
    let text = text_of_matter(Matter::Finished(quiet.unwrap()));
    assert!(text.contains("Since the last report there was one date on which nothing had to be updated: 2026-03-27"));
    assert!(!text.contains("Server by server") && !text.contains("Our team"), "{text}");
}

#[test]
fn customers_do_not_read_what_is_for_the_team() {
    let Matter::Missed { date, next, .. } = sample(Kind::Missed, Locale::En).matter else { panic!("missed") };
    let missed = |detail| Matter::Missed { date: date.clone(), cause: Cause::Technical, detail, next: next.clone() };
    let customer = text_of_matter(missed(None));
    assert!(customer.contains("A technical reason on our side") && !customer.contains("internal"), "{customer}");
    let team = text_of_matter(missed(Some("no job debian".to_owned())));
    assert!(team.contains("Cause, internal no job debian"), "{team}");
    let mut told = ended(Kind::Failed);
    told.report.open_points = vec![crate::domain::report::open_point::OpenPoint::HostUnknown {
        host: told.report.hosts[0].name.clone(),
        step: None,
        commands: vec!["turnus resume 7".to_owned()],
    }];
    let report = Box::new(told.report.clone());
    assert!(!text_of_matter(Matter::Failed(Box::new(told))).contains("turnus resume"));
    assert!(text_of_matter(Matter::RunFailed { report }).contains("turnus resume 7"));
}

#[test]
fn many_hosts_are_counted() {
    let mut mail = sample(Kind::Announcement, Locale::En);
    let Matter::Announcement(invitation) = &mut mail.matter else { panic!("an announcement") };
    let host = |index: usize| format!("host{index:03}").parse().unwrap();
    invitation.date.hosts = (0..23).map(host).collect();
    let text = text_of_matter(mail.matter);
    assert!(text.contains("host019 and 3 more") && !text.contains("host020"), "{text}");
}

#[test]
fn what_others_say_is_harmless() {
    let hostile =
        "<script>alert(1)</script>\r\nBcc: all@nordwind.example\n{{name}} {host} & \"q\" \u{1b}[31m\u{202e}\u{2028}";
    let long = format!("{hostile}{}", "long ".repeat(2_000_000));
    let mut scene = Scene::example(Locale::De);
    scene.customer_name = hostile.to_owned();
    scene.recipient_name = long.clone();
    scene.date.description = long;
    scene.provider.name = hostile.to_owned();
    scene.provider.signature = Some(hostile.to_owned());
    let mut mails: Vec<_> = Kind::ALL.into_iter().map(|kind| scene.mail(kind)).collect();
    let date: Dated = scene.date.clone();
    let told = |matter| Mail { matter, ..scene.mail(Kind::Started) };
    mails.push(told(Matter::Cancelled { date: date.clone(), cause: Cause::Person { reason: hostile.to_owned() } }));
    mails.push(told(Matter::Cancelled { date: date.clone(), cause: Cause::Holiday { name: hostile.to_owned() } }));
    mails.push(told(Matter::Answer {
        about: crate::domain::mail::About::Date(date),
        decision: Decision::Refused,
        by: hostile.to_owned(),
        remark: Some(hostile.to_owned()),
    }));
    mails.push(told(Matter::Undeliverable {
        number: 1,
        kind: Kind::Moved,
        recipient: hostile.to_owned(),
        error: hostile.to_owned(),
        about: None,
    }));
    for mail in mails {
        let RenderedMail { subject, text, html } = render(&mail);
        let dangerous = |character: char| matches!(character, '\u{202e}' | '\u{2028}') || character.is_control();
        assert!(!subject.contains(dangerous) && subject.chars().count() <= 200, "{subject:?}");
        for written in [&text, &html] {
            assert!(!written.contains(|character| character != '\n' && dangerous(character)), "{}", mail.kind());
            assert!(written.len() < 60_000, "{}: a long text is cut", mail.kind());
        }
        assert!(!html.contains("<script") && !html.contains("\"q\""), "{}: markup gets through", mail.kind());
    }
}

#[test]
fn the_mails_as_people_see_them() {
    let mut settings = insta::Settings::new();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for locale in ALL_LOCALES {
            for kind in Kind::ALL {
                let RenderedMail { subject, text, .. } = render(&sample(kind, locale));
                insta::assert_snapshot!(format!("{kind}_{}", code(locale)), format!("{subject}\n\n{text}"));
            }
        }
        for kind in [Kind::Announcement, Kind::Failed] {
            insta::assert_snapshot!(format!("{kind}_de_html"), render(&sample(kind, Locale::De)).html);
        }
    });
}
