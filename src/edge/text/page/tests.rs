//! Every page in every language; what people wrote is harmless in it.

use super::samples::{date, date_page, head, pages, report_page, said};
use super::{DatePage, Filled, Form, Page, ReportPage};
use crate::domain::answer::Decision;
use crate::domain::inventory::Locale;
use crate::edge::text::code;
use crate::edge::text::tests::TEXTS;

fn render(page: &Page, locale: Locale) -> String {
    TEXTS.render_page(page, &head(), locale, "Europe/Berlin").unwrap()
}

/// What people read of it.
fn body(page: &Page, locale: Locale) -> String {
    let html = render(page, locale);
    html.split_once("</head>").unwrap().1.to_owned()
}

#[test]
fn every_page_can_be_written_in_every_language() {
    for page in pages() {
        for locale in [Locale::De, Locale::En, Locale::Hu, Locale::Ru] {
            let html = render(&page, locale);
            assert!(html.contains(&format!("<html lang=\"{}\">", code(locale))));
            for foreign in ["<script", "<link", "<img", "@import", "url(", "src=", "http://", "https://", "onclick"] {
                assert!(!html.contains(foreign), "a page has `{foreign}`");
            }
            assert!(!html.split_once("</style>").unwrap().1.contains('{'), "{html}");
        }
    }
}

#[test]
fn a_date_is_asked_for_in_the_zone_of_the_customer() {
    let page = body(&date(date_page(Form::Open(Filled::default()))), Locale::En);
    assert!(page.contains("2027-03-26 14:00 to 18:00 +01:00"), "{page}");
    assert!(page.contains("<dt>Servers</dt><dd>mail01, web01</dd>"), "{page}");
    assert!(page.contains("min=\"2027-03-12\" max=\"2027-04-09\""), "{page}");
    assert!(page.contains("Possible from 2027-03-12 to 2027-04-09, in local time."), "{page}");
    assert!(page.contains("value=\"confirmed\"") && page.contains("value=\"move_asked\""), "{page}");
    let fixed = DatePage { movable: None, ..date_page(Form::Open(Filled::default())) };
    let page = body(&date(fixed), Locale::En);
    assert!(page.contains("value=\"confirmed\"") && !page.contains("move_asked"), "{page}");
    assert!(!page.contains("type=\"date\""), "{page}");
}

#[test]
fn what_was_filled_in_comes_again_but_for_the_code() {
    let filled = Filled {
        decision: Some(Decision::MoveAsked),
        day: "2027-04-02".to_owned(),
        time: "16:00".to_owned(),
        remark: "after four".to_owned(),
        complaint: None,
    };
    let page = body(&date(date_page(Form::Open(filled))), Locale::En);
    assert!(page.contains("value=\"move_asked\" checked"), "{page}");
    assert!(page.contains("value=\"2027-04-02\"") && page.contains("value=\"16:00\""), "{page}");
    assert!(page.contains(">after four</textarea>"), "{page}");
    let code = page.split("name=\"code\"").nth(1).unwrap().split('>').next().unwrap();
    assert!(!code.contains("value="), "{code}");
}

#[test]
fn what_was_said_is_shown_and_nothing_more_is_asked() {
    let asked = DatePage { said: Some(said(Decision::MoveAsked)), ..date_page(Form::Closed) };
    let page = body(&date(asked), Locale::En);
    assert!(page.contains("Another date was asked for: 2027-04-02, 16:00."), "{page}");
    assert!(page.contains("IT-Leitung &lt;it@nordwind.example&gt;, 2027-03-15 10:00 +01:00"), "{page}");
    let report = ReportPage { said: Some(said(Decision::Refused)), ..report_page(Form::Closed) };
    let page = body(&Page::Report(Box::new(report)), Locale::En);
    assert!(page.contains("This report is not accepted.") && page.contains("The scanner is slow.\nSince"), "{page}");
    assert!(!page.contains("<form") && page.contains("href=\"token/report\""), "{page}");
    let locked = body(&date(date_page(Form::Locked)), Locale::En);
    assert!(!locked.contains("<form") && locked.contains("takes no more answers"), "{locked}");
}

#[test]
fn what_people_wrote_is_harmless() {
    let hostile = "</textarea><script>alert(1)</script>\" onfocus=\"x\" {{t \"page.send\"}} {name}";
    let filled = Filled {
        decision: None,
        day: hostile.to_owned(),
        time: hostile.to_owned(),
        remark: hostile.to_owned(),
        complaint: None,
    };
    let mut asked = date_page(Form::Open(filled));
    (asked.customer, asked.description) = (hostile.to_owned(), hostile.to_owned());
    let mut answer = said(Decision::Confirmed);
    (answer.by, answer.remark) = (Some(hostile.to_owned()), Some(hostile.to_owned()));
    asked.said = Some(answer);
    let head = super::Letterhead { recipient: Some(hostile.to_owned()), provider: Some(hostile.to_owned()), ..head() };
    let html = TEXTS.render_page(&date(asked), &head, Locale::De, "Europe/Berlin").unwrap();
    assert!(!html.contains("<script") && !html.contains("onfocus=\"x\""), "{html}");
    assert_eq!(html.matches("</textarea>").count(), 1, "{html}");
    assert_eq!(html.matches("&lt;script&gt;alert(1)").count(), 9, "{html}");
}
