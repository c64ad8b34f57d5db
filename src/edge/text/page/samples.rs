//! Pages that between them need every text.

use jiff::civil;

use super::{Complaint, DatePage, Filled, Form, Letterhead, Page, ReportPage, Said, Trouble};
use crate::domain::answer::{Decision, MAX_REMARK, WishRefused};
use crate::domain::occurrence::OccurrenceState;
use crate::domain::report::samples::Story;

fn at(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

pub(in crate::edge::text) fn head() -> Letterhead {
    Letterhead {
        provider: Some("Systemhaus".to_owned()),
        email: Some("wartung@systemhaus.example".to_owned()),
        recipient: Some("IT-Leitung".to_owned()),
    }
}

pub(in crate::edge::text) fn said(decision: Decision) -> Said {
    Said {
        decision,
        by: (decision != Decision::Deemed).then(|| "IT-Leitung <it@nordwind.example>".to_owned()),
        at: at("2027-03-15T09:00:00Z"),
        wish: (decision == Decision::MoveAsked).then(|| civil::date(2027, 4, 2).at(16, 0, 0, 0)),
        remark: decision.needs_remark().then(|| "The scanner is slow.\nSince Monday.".to_owned()),
    }
}

pub(in crate::edge::text) fn date_page(form: Form) -> DatePage {
    DatePage {
        customer: "Nordwind Logistik GmbH".to_owned(),
        description: "Quarterly update of a Debian server".to_owned(),
        hosts: vec!["mail01".parse().unwrap(), "web01".parse().unwrap()],
        opens: at("2027-03-26T13:00:00Z"),
        closes: at("2027-03-26T17:00:00Z"),
        movable: Some((civil::date(2027, 3, 12), civil::date(2027, 4, 9))),
        state: OccurrenceState::Announced,
        said: None,
        form,
    }
}

/// As a page.
pub(in crate::edge::text) fn date(page: DatePage) -> Page {
    Page::Date(Box::new(page))
}

pub(in crate::edge::text) fn report_page(form: Form) -> ReportPage {
    ReportPage { report: Story::new().report(), address: "token/report".to_owned(), said: None, form }
}

fn complaints() -> [Complaint; 9] {
    [
        Complaint::WrongCode { left: 3 },
        Complaint::NoDecision,
        Complaint::NoRemark,
        Complaint::LongRemark { most: MAX_REMARK },
        Complaint::NoWish,
        Complaint::Wish(WishRefused::NotOffered),
        Complaint::Wish(WishRefused::Same),
        Complaint::Wish(WishRefused::OutOfSpan { earliest: civil::date(2027, 3, 12), latest: civil::date(2027, 4, 9) }),
        Complaint::Wish(WishRefused::TooSoon { earliest: at("2027-03-12T13:00:00Z") }),
    ]
}

pub(in crate::edge::text) fn pages() -> Vec<Page> {
    let ends = [
        OccurrenceState::Confirmed,
        OccurrenceState::Open,
        OccurrenceState::Done,
        OccurrenceState::Missed,
        OccurrenceState::Skipped,
        OccurrenceState::Cancelled,
        OccurrenceState::Moved,
    ];
    let dates = [Decision::Confirmed, Decision::MoveAsked];
    let reports = [Decision::Accepted, Decision::AcceptedWithRemarks, Decision::Refused, Decision::Deemed];
    let complaining = |complaint| Form::Open(Filled { complaint: Some(complaint), ..Filled::default() });
    let trouble = [Trouble::NotFound, Trouble::Busy, Trouble::Unavailable, Trouble::Refused];
    let mut pages: Vec<Page> = complaints().map(|complaint| date(date_page(complaining(complaint)))).into();
    pages.push(date(date_page(Form::Locked)));
    pages.push(Page::Report(Box::new(report_page(Form::Open(Filled::default())))));
    pages.extend(ends.map(|state| date(DatePage { state, ..date_page(Form::Closed) })));
    pages.extend(dates.map(|decision| {
        let state = OccurrenceState::Confirmed;
        date(DatePage { state, said: Some(said(decision)), ..date_page(Form::Closed) })
    }));
    pages.extend(reports.map(|decision| {
        Page::Report(Box::new(ReportPage { said: Some(said(decision)), ..report_page(Form::Closed) }))
    }));
    pages.extend(trouble.map(Page::Trouble));
    pages
}
