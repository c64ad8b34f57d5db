//! Mails about a run that has ended: what came of it, host by host, and what happens next.

use serde::Serialize;

use super::frame::{LinkView, Row, labelled};
use super::notice::attached;
use super::timeline::{self, TimelineView};
use super::words::{self, clean, days};
use crate::domain::mail::{Ended, Mail};
use crate::domain::report::Report;
use crate::domain::report::host::{HostReport, OutcomeKind};
use crate::domain::report::open_point::OpenPoint;
use crate::domain::report::step::StepState;
use crate::domain::run::event::RunState;
use crate::edge::text::Error;
use crate::edge::text::reader::Reader;
use crate::edge::text::report::open_point::{self, OpenPointView};
use crate::edge::text::report::words::{outcome_sentence, word};
use crate::edge::text::report::{headline, packages_row, tally};

/// Most hosts that are listed one by one; the report has all of them.
const LISTED_HOSTS: usize = 50;

/// What the templates of such a mail can place, beside the frame.
#[derive(Debug, Serialize)]
pub(super) struct OutcomeView {
    lead: String,
    tally: String,
    /// What the run left of the services that it stopped.
    services: Option<String>,
    rows: Vec<Row>,
    /// Empty if there was nothing to do on any of them.
    hosts: Vec<HostLine>,
    more_hosts: Option<String>,
    timeline: Option<TimelineView>,
    open_points: Vec<OpenPointView>,
    notes: Vec<String>,
    link: Option<LinkView>,
    command: Option<String>,
}

/// One host.
#[derive(Debug, Serialize)]
struct HostLine {
    name: String,
    outcome: String,
    sentence: String,
    /// `good`, `bad` or `calm`, and the colour for it.
    tone: &'static str,
    color: &'static str,
}

/// A subject and what the mail says.
type Said = Result<(String, OutcomeView), Error>;

/// For the customer.
pub(super) fn of_customer(mail: &Mail, ended: &Ended, reader: &Reader<'_>) -> Said {
    let report = &ended.report;
    let kind = mail.kind();
    let description = clean(&report.description);
    let day = report.finished_at.or(report.started_at).map(|at| reader.day(at)).transpose()?.unwrap_or_default();
    let values = [("customer", &*words::customer(mail, reader)?), ("description", &*description), ("day", &*day)];
    let subject = reader.text(&format!("mail.{kind}.subject"), &values)?;
    let mut view = view(report, reader)?;
    view.rows = rows(report, [("what", Some(description))], reader)?;
    let is_good = report.state == RunState::Succeeded;
    view.services = if is_good { None } else { Some(services(report, reader)?) };
    if !is_good {
        view.notes.push(reader.plain("mail.failed.next_steps")?);
    }
    view.notes.extend(nothing_pending(ended, reader)?);
    if let Some(next) = &ended.next {
        view.notes.push(reader.text("mail.next_date", &[("when", &words::when(next, reader)?)])?);
    }
    view.notes.extend(attached(ended.attachment.as_deref(), reader)?);
    view.link = LinkView::of(ended.link.as_ref(), "report", reader)?;
    Ok((subject, view))
}

/// For the team.
pub(super) fn of_team(mail: &Mail, report: &Report, reader: &Reader<'_>) -> Said {
    let customer = words::customer(mail, reader)?;
    let number = report.run_number.to_string();
    let state = reader.plain(&format!("report.state.{}", word(&report.state)))?;
    let values = [("customer", &*customer), ("number", &*number), ("state", &*state)];
    let subject = reader.text("mail.run_failed.subject", &values)?;
    let mut view = view(report, reader)?;
    let more = [
        ("customer", Some(customer)),
        ("run", Some(number.clone())),
        ("what", Some(clean(&report.description))),
        ("started_by", Some(clean(&report.started_by))),
    ];
    view.rows = rows(report, more, reader)?;
    view.services = Some(services(report, reader)?);
    view.command = Some(format!("turnus report {number}"));
    Ok((subject, view))
}

fn view(report: &Report, reader: &Reader<'_>) -> Result<OutcomeView, Error> {
    let is_quiet = report.state == RunState::Succeeded && report.counts.nothing_to_do == report.counts.hosts;
    let listed = report.hosts.iter().take(if is_quiet { 0 } else { LISTED_HOSTS });
    let hosts: Result<Vec<_>, Error> = listed.map(|host| line(host, reader)).collect();
    let more = report.hosts.len().saturating_sub(LISTED_HOSTS);
    Ok(OutcomeView {
        lead: headline(report, reader)?,
        tally: tally(report, reader)?,
        services: None,
        rows: Vec::new(),
        hosts: hosts?,
        more_hosts: (more > 0 && !is_quiet).then(|| reader.count("mail.more_hosts", more, &[])).transpose()?,
        timeline: if is_quiet { None } else { timeline::view(report, LISTED_HOSTS, reader)? },
        open_points: open_point::views(&report.open_points, reader)?,
        notes: Vec::new(),
        link: None,
        command: None,
    })
}

fn rows(
    report: &Report,
    first: impl IntoIterator<Item = (&'static str, Option<String>)>,
    reader: &Reader<'_>,
) -> Result<Vec<Row>, Error> {
    let span = report.started_at.map(|from| reader.span(from, report.finished_at)).transpose()?;
    let rest = [
        ("when", span),
        ("duration", report.duration_ms.map(|duration| reader.duration(duration)).transpose()?),
        ("packages", packages_row(report, reader)?),
    ];
    labelled(reader, first.into_iter().chain(rest))
}

fn line(host: &HostReport, reader: &Reader<'_>) -> Result<HostLine, Error> {
    let tone = match host.outcome.kind {
        OutcomeKind::Updated | OutcomeKind::NothingToDo => "good",
        OutcomeKind::Waiting | OutcomeKind::InWork => "calm",
        _ => "bad",
    };
    Ok(HostLine {
        name: host.name.to_string(),
        outcome: reader.plain(&format!("report.outcome.{}", word(&host.outcome.kind)))?,
        sentence: outcome_sentence(reader, &host.outcome)?,
        tone,
        color: match tone {
            "good" => "#2e8b57",
            "bad" => "#d0453a",
            _ => "#808080",
        },
    })
}

/// Whether what was stopped runs again, as far as the record tells.
fn services(report: &Report, reader: &Reader<'_>) -> Result<String, Error> {
    let is_down = |point: &OpenPoint| matches!(point, OpenPoint::NotReleased { state: StepState::Failed, .. });
    let is_unclear = |point: &OpenPoint| {
        matches!(point, OpenPoint::NotReleased { .. } | OpenPoint::HostUnknown { .. } | OpenPoint::StepOverdue { .. })
    };
    let interruptions = || report.hosts.iter().filter_map(|host| host.interruption.as_ref());
    reader.plain(if report.open_points.iter().any(is_down) {
        "mail.services.down"
    } else if report.open_points.iter().any(is_unclear) || interruptions().any(|stop| stop.to.is_none()) {
        "mail.services.unknown"
    } else if interruptions().next().is_some() {
        "mail.services.running"
    } else {
        "mail.services.untouched"
    })
}

fn nothing_pending(ended: &Ended, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    if ended.nothing_pending.is_empty() {
        return Ok(None);
    }
    let days = days(&ended.nothing_pending, reader)?;
    reader.count("mail.nothing_pending", ended.nothing_pending.len(), &[("days", &days)]).map(Some)
}
