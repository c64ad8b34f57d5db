//! The pages on which customers answer, in the reader's words.
//!
//! Knows what is asked and what was answered; does not know HTTP, tokens or who may answer. What people wrote comes in as it is, and is
//! escaped by the templates.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde::Serialize;

use super::Error;
use super::reader::Reader;
use super::report::words::names_in_line;
use super::report::{headline, tally};
use crate::domain::answer::{Decision, WishRefused};
use crate::domain::id::Name;
use crate::domain::occurrence::OccurrenceState;
use crate::domain::report::Report;

#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;

/// Who shows the page, and to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letterhead {
    /// The provider's name.
    pub provider: Option<String>,
    /// Where questions are answered.
    pub email: Option<String>,
    /// Name of the recipient of the link; `None`: nobody that is known.
    pub recipient: Option<String>,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// A date, to be confirmed or moved.
    Date(Box<DatePage>),
    /// A report, to be accepted or refused.
    Report(Box<ReportPage>),
    /// Nothing but that something does not work.
    Trouble(Trouble),
}

/// A date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatePage {
    /// The customer's name as it stands in letters.
    pub customer: String,
    /// What is done, in one line.
    pub description: String,
    /// On which hosts; empty: it can't be told any more.
    pub hosts: Vec<Name>,
    /// The opening.
    pub opens: Timestamp,
    /// The close.
    pub closes: Timestamp,
    /// The days that may be asked for instead; none: no other may.
    pub movable: Option<(Date, Date)>,
    /// Where it stands.
    pub state: OccurrenceState,
    /// What was said.
    pub said: Option<Said>,
    /// What can be said.
    pub form: Form,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPage {
    /// What it says.
    pub report: Report,
    /// Address of the whole report, relative to the page.
    pub address: String,
    /// What was said.
    pub said: Option<Said>,
    /// What can be said.
    pub form: Form,
}

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What.
    pub decision: Decision,
    /// By whom; `None`: by nobody.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The date that is asked for.
    pub wish: Option<DateTime>,
    /// What was said with it.
    pub remark: Option<String>,
}

/// Whether somebody can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Yes.
    Open(Filled),
    /// There were too many wrong codes.
    Locked,
    /// There is nothing to answer (any more).
    Closed,
}

/// What somebody has filled in before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filled {
    /// Which answer.
    pub decision: Option<Decision>,
    /// The day asked for, as browsers write it.
    pub day: String,
    /// The time asked for, as browsers write it.
    pub time: String,
    /// The remark.
    pub remark: String,
    /// What is wrong with it.
    pub complaint: Option<Complaint>,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// The code is not that of the letter.
    WrongCode {
        /// So many more may be tried.
        left: u8,
    },
    /// Nothing was chosen.
    NoDecision,
    /// A remark is needed.
    NoRemark,
    /// The remark is too long.
    LongRemark {
        /// So many characters are allowed.
        most: usize,
    },
    /// There is no day or no time.
    NoWish,
    /// The date can't be asked for.
    Wish(WishRefused),
}

/// Why there is nothing else to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No such link, or not any more.
    NotFound,
    /// Too many requests.
    Busy,
    /// The database is away, or something went wrong.
    Unavailable,
    /// The request is none that these pages make.
    Refused,
}

impl Trouble {
    fn key(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
        }
    }
}

/// What the templates of all pages are filled with.
#[derive(Debug, Serialize)]
pub(super) struct PageView {
    language: &'static str,
    title: String,
    /// Over the heading, unless that says it.
    kind: Option<String>,
    heading: String,
    /// Below the heading.
    subject: Option<String>,
    provider: Option<String>,
    rows: Vec<Row>,
    report_address: Option<String>,
    text: Option<String>,
    said: Option<SaidView>,
    form: Option<FormView>,
    locked: bool,
    contact: Option<String>,
    footer: Option<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    label: String,
    value: String,
}

#[derive(Debug, Serialize)]
struct SaidView {
    text: String,
    by: String,
    remark: Option<String>,
    /// `good`, `bad` or `calm`.
    tone: &'static str,
}

#[derive(Debug, Serialize)]
struct FormView {
    question: String,
    complaint: Option<String>,
    choices: Vec<Choice>,
    wish: Option<WishView>,
    remark: String,
}

#[derive(Debug, Serialize)]
struct Choice {
    value: &'static str,
    label: String,
    checked: bool,
}

#[derive(Debug, Serialize)]
struct WishView {
    span: String,
    earliest: String,
    latest: String,
    day: String,
    time: String,
}

/// Puts a page into the reader's words.
pub(super) fn view(page: &Page, head: &Letterhead, reader: &Reader<'_>) -> Result<PageView, Error> {
    match page {
        Page::Date(page) => date_view(page, head, reader),
        Page::Report(page) => report_view(page, head, reader),
        Page::Trouble(trouble) => trouble_view(*trouble, head, reader),
    }
}

fn date_view(page: &DatePage, head: &Letterhead, reader: &Reader<'_>) -> Result<PageView, Error> {
    let day = reader.day(page.opens)?;
    let span = reader.span(page.opens, Some(page.closes))?;
    let mut rows =
        vec![row("page.label.when", span, reader)?, row("page.label.what", page.description.clone(), reader)?];
    if !page.hosts.is_empty() {
        let names: Vec<&str> = page.hosts.iter().map(Name::as_str).collect();
        let names = names_in_line("report.packages.and_more", &names, names.len(), reader)?;
        rows.push(row("report.label.hosts", names, reader)?);
    }
    let question = "page.question.date";
    let choices = [Decision::Confirmed, Decision::MoveAsked];
    let offered = if page.movable.is_some() { &choices[..] } else { &choices[..1] };
    let wish = |filled: &Filled| page.movable.map(|movable| wish_view(movable, filled, reader)).transpose();
    let form = form_view(&page.form, question, offered, wish, reader)?;
    let said = page.said.as_ref().map(|said| said_view(said, reader)).transpose()?;
    Ok(PageView {
        title: reader.text("page.title.date", &[("day", &day)])?,
        kind: Some(reader.plain("page.kind.date")?),
        heading: day,
        subject: Some(page.customer.clone()),
        rows,
        text: state_text(page, reader)?,
        said,
        form,
        ..frame(&page.form, head, reader)?
    })
}

/// Where the date stands, unless the answer or the question says it.
fn state_text(page: &DatePage, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let confirmed = page.said.as_ref().is_some_and(|said| said.decision == Decision::Confirmed);
    match page.state {
        OccurrenceState::Planned | OccurrenceState::Announced => Ok(None),
        OccurrenceState::Confirmed if confirmed => Ok(None),
        state => reader.plain(&format!("page.state.{state}")).map(Some),
    }
}

fn report_view(page: &ReportPage, head: &Letterhead, reader: &Reader<'_>) -> Result<PageView, Error> {
    let report = &page.report;
    let number = report.run_number.to_string();
    let result = format!("{} {}", headline(report, reader)?, tally(report, reader)?);
    let mut rows = vec![row("page.label.what", report.description.clone(), reader)?];
    if let Some(started_at) = report.started_at {
        rows.push(row("page.label.when", reader.span(started_at, report.finished_at)?, reader)?);
    }
    rows.push(row("page.label.result", result, reader)?);
    let choices = [Decision::Accepted, Decision::AcceptedWithRemarks, Decision::Refused];
    Ok(PageView {
        title: reader.text("page.title.report", &[("number", &number)])?,
        heading: reader.text("page.title.report", &[("number", &number)])?,
        subject: Some(report.customer_name.clone()),
        rows,
        report_address: Some(page.address.clone()),
        said: page.said.as_ref().map(|said| said_view(said, reader)).transpose()?,
        form: form_view(&page.form, "page.question.report", &choices, |_| Ok(None), reader)?,
        ..frame(&page.form, head, reader)?
    })
}

fn trouble_view(trouble: Trouble, head: &Letterhead, reader: &Reader<'_>) -> Result<PageView, Error> {
    let key = trouble.key();
    let heading = reader.plain(&format!("page.trouble.{key}.heading"))?;
    Ok(PageView {
        title: heading.clone(),
        kind: Some(reader.plain("page.kind.trouble")?),
        heading,
        text: Some(reader.plain(&format!("page.trouble.{key}.text"))?),
        ..frame(&Form::Closed, head, reader)?
    })
}

/// What stands around every page.
fn frame(form: &Form, head: &Letterhead, reader: &Reader<'_>) -> Result<PageView, Error> {
    let contact = |email: &String| reader.text("page.contact", &[("email", email)]);
    let footer = |name: &String| reader.text("page.footer", &[("name", name)]);
    Ok(PageView {
        language: reader.language(),
        title: String::new(),
        kind: None,
        heading: String::new(),
        subject: None,
        provider: head.provider.clone(),
        rows: Vec::new(),
        report_address: None,
        text: None,
        said: None,
        form: None,
        locked: *form == Form::Locked,
        contact: head.email.as_ref().map(contact).transpose()?,
        footer: head.recipient.as_ref().map(footer).transpose()?,
    })
}

fn row(label: &str, value: String, reader: &Reader<'_>) -> Result<Row, Error> {
    Ok(Row { label: reader.plain(label)?, value })
}

fn said_view(said: &Said, reader: &Reader<'_>) -> Result<SaidView, Error> {
    let text = match said.wish {
        Some(wish) => {
            let (day, time) = (reader.civil_day(wish.date())?, reader.civil_clock(wish)?);
            reader.text("page.said.move_asked", &[("day", &day), ("time", &time)])?
        }
        None => reader.plain(&format!("page.said.{}", said.decision.as_str()))?,
    };
    let moment = reader.moment(said.at)?;
    let by = match &said.by {
        Some(name) => reader.text("page.said_by", &[("name", name), ("moment", &moment)])?,
        None => moment,
    };
    let tone = match said.decision {
        Decision::Confirmed | Decision::Accepted | Decision::AcceptedWithRemarks | Decision::Deemed => "good",
        Decision::MoveAsked => "calm",
        Decision::Refused => "bad",
    };
    Ok(SaidView { text, by, remark: said.remark.clone(), tone })
}

fn form_view(
    form: &Form,
    question: &str,
    choices: &[Decision],
    wish: impl FnOnce(&Filled) -> Result<Option<WishView>, Error>,
    reader: &Reader<'_>,
) -> Result<Option<FormView>, Error> {
    let Form::Open(filled) = form else { return Ok(None) };
    let choice = |decision: &Decision| {
        let value = decision.as_str();
        let label = reader.plain(&format!("page.choice.{value}"))?;
        Ok::<_, Error>(Choice { value, label, checked: filled.decision == Some(*decision) })
    };
    Ok(Some(FormView {
        question: reader.plain(question)?,
        complaint: filled.complaint.map(|complaint| complain(complaint, reader)).transpose()?,
        choices: choices.iter().map(choice).collect::<Result<_, _>>()?,
        wish: wish(filled)?,
        remark: filled.remark.clone(),
    }))
}

fn wish_view((earliest, latest): (Date, Date), filled: &Filled, reader: &Reader<'_>) -> Result<WishView, Error> {
    Ok(WishView {
        span: span(earliest, latest, "page.wish_span", reader)?,
        // As browsers want it, in whatever language.
        earliest: earliest.to_string(),
        latest: latest.to_string(),
        day: filled.day.clone(),
        time: filled.time.clone(),
    })
}

fn span(earliest: Date, latest: Date, key: &str, reader: &Reader<'_>) -> Result<String, Error> {
    let (from, to) = (reader.civil_day(earliest)?, reader.civil_day(latest)?);
    reader.text(key, &[("from", &from), ("to", &to)])
}

fn complain(complaint: Complaint, reader: &Reader<'_>) -> Result<String, Error> {
    match complaint {
        Complaint::WrongCode { left } => reader.count("page.complaint.wrong_code", usize::from(left), &[]),
        Complaint::NoDecision => reader.plain("page.complaint.no_decision"),
        Complaint::NoRemark => reader.plain("page.complaint.no_remark"),
        Complaint::LongRemark { most } => reader.count("page.complaint.long_remark", most, &[]),
        Complaint::NoWish => reader.plain("page.complaint.no_wish"),
        Complaint::Wish(WishRefused::NotOffered) => reader.plain("page.complaint.not_offered"),
        Complaint::Wish(WishRefused::Same) => reader.plain("page.complaint.same"),
        Complaint::Wish(WishRefused::OutOfSpan { earliest, latest }) => {
            span(earliest, latest, "page.complaint.out_of_span", reader)
        }
        Complaint::Wish(WishRefused::TooSoon { earliest }) => {
            reader.text("page.complaint.too_soon", &[("moment", &reader.moment(earliest)?)])
        }
    }
}

/// An answer to a report in one line, for the report itself.
pub(super) fn acceptance_line(said: &Said, reader: &Reader<'_>) -> Result<String, Error> {
    let what = reader.plain(&format!("page.acceptance.{}", said.decision.as_str()))?;
    let moment = reader.moment(said.at)?;
    let line = match &said.by {
        Some(name) => reader.text("page.acceptance_by", &[("what", &what), ("name", name), ("moment", &moment)])?,
        None => reader.text("page.acceptance_at", &[("what", &what), ("moment", &moment)])?,
    };
    match &said.remark {
        Some(remark) => reader.text("page.acceptance_remark", &[("line", &line), ("remark", remark)]),
        None => Ok(line),
    }
}
