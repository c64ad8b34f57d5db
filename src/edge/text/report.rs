//! A report in the reader's words: every sentence, number and date is written here, templates only place them.
//!
//! Knows the report and the reader; does not know HTML or columns.

use serde::Serialize;

use super::Error;
use super::page::{self, Said};
use super::reader::Reader;
use crate::domain::report::host::OutcomeKind;
use crate::domain::report::{ApprovalReport, BackupPromise, NextDate, Report, WindowReport};
use crate::domain::review::Selection;
use crate::domain::run::event::RunState;
use host::HostView;
use open_point::OpenPointView;
use timeline::TimelineView;

mod capacity;
mod host;
pub(super) mod open_point;
mod packages;
mod timeline;
mod watch;
pub(super) mod words;

use words::{counts_in_line, names_in_line, word};

/// What the templates of the report are filled with.
#[derive(Debug, Serialize)]
pub(super) struct ReportView {
    language: &'static str,
    title: String,
    customer_name: String,
    description: String,
    run: String,
    day: Option<String>,
    state: String,
    state_label: String,
    headline: String,
    tally: String,
    preliminary: Option<String>,
    cards: Vec<Card>,
    rows: Vec<Row>,
    open_points: Vec<OpenPointView>,
    timeline: Option<TimelineView>,
    hosts: Vec<HostView>,
    capacity: Vec<capacity::PathView>,
    annex: Vec<Row>,
}

/// A label and its value.
#[derive(Debug, Serialize)]
struct Row {
    label: String,
    value: String,
}

/// One figure of the summary.
#[derive(Debug, Serialize)]
struct Card {
    label: String,
    value: String,
    note: String,
    /// `good`, `bad` or `calm`.
    tone: &'static str,
}

/// Puts the report into the reader's words.
pub(super) fn view(report: &Report, reader: &Reader<'_>) -> Result<ReportView, Error> {
    let number = report.run_number.to_string();
    let state = word(&report.state);
    let open_points = open_point::views(&report.open_points, reader)?;
    Ok(ReportView {
        language: reader.language(),
        title: reader.text("report.title", &[("customer", &report.customer_name), ("number", &number)])?,
        customer_name: report.customer_name.clone(),
        description: report.description.clone(),
        run: reader.text("report.run", &[("number", &number)])?,
        day: report.started_at.map(|at| reader.day(at)).transpose()?,
        state_label: reader.plain(&format!("report.state.{state}"))?,
        state,
        headline: headline(report, reader)?,
        tally: tally(report, reader)?,
        preliminary: preliminary(report, reader)?,
        cards: cards(report, open_points.len(), reader)?,
        rows: rows(report, reader)?,
        open_points,
        timeline: timeline::view(report, reader)?,
        hosts: host::views(report, reader)?,
        capacity: capacity::views(report, reader)?,
        annex: annex(report, reader)?,
    })
}

pub(super) fn headline(report: &Report, reader: &Reader<'_>) -> Result<String, Error> {
    reader.plain(match report.state {
        RunState::Running => "report.headline.running",
        RunState::Suspended => "report.headline.suspended",
        RunState::Succeeded if report.counts.updated == 0 => "report.headline.succeeded_unchanged",
        RunState::Succeeded => "report.headline.succeeded",
        RunState::Failed if report.worst_outcome == Some(OutcomeKind::FailedAndRolledBack) => {
            "report.headline.failed_rolled_back"
        }
        RunState::Failed => "report.headline.failed",
        RunState::Cancelled => "report.headline.cancelled",
    })
}

/// How many hosts came out how, the worst last.
pub(super) fn tally(report: &Report, reader: &Reader<'_>) -> Result<String, Error> {
    let counts = &report.counts;
    let held_back: Vec<_> =
        report.hosts.iter().filter(|host| host.outcome.is_held_back()).map(|host| host.name.as_str()).collect();
    let held_back = names_in_line("report.packages.and_more", &held_back, held_back.len(), reader)?;
    let all = [
        ("report.tally.updated", counts.updated),
        ("report.tally.nothing_to_do", counts.nothing_to_do),
        ("report.tally.waiting", counts.waiting),
        ("report.tally.in_work", counts.in_work),
        ("report.tally.skipped", counts.skipped - counts.held_back),
        ("report.tally.held_back", counts.held_back),
        ("report.tally.cancelled", counts.cancelled),
        ("report.tally.unreachable", counts.unreachable),
        ("report.tally.failed_and_rolled_back", counts.failed_and_rolled_back),
        ("report.tally.failed", counts.failed),
        ("report.tally.unknown", counts.unknown),
    ];
    Ok(counts_in_line(&all, &[("hosts", &held_back)], reader)?.unwrap_or_default())
}

fn preliminary(report: &Report, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    if !matches!(report.state, RunState::Running | RunState::Suspended) {
        return Ok(None);
    }
    match report.recorded_until {
        Some(until) => reader.text("report.as_of", &[("moment", &reader.moment(until)?)]).map(Some),
        None => reader.plain("report.not_begun").map(Some),
    }
}

fn cards(report: &Report, open_points: usize, reader: &Reader<'_>) -> Result<Vec<Card>, Error> {
    let card = |label: &str, value: String, note: String, tone: &'static str| {
        Ok::<_, Error>(Card { label: reader.plain(label)?, value, note, tone })
    };
    let good = report.counts.updated + report.counts.nothing_to_do;
    let (good_text, all_text) = (reader.number(good as u64)?, reader.number(report.counts.hosts as u64)?);
    let hosts = reader.text("report.card.hosts", &[("good", &good_text), ("count", &all_text)])?;
    let tone = match report.state {
        _ if good == report.counts.hosts => "good",
        RunState::Running => "calm",
        _ => "bad",
    };
    let (duration, span) = duration_card(report, reader)?;
    let (backups, backups_note, backups_tone) = backups_card(report, reader)?;
    let (open, open_note, open_tone) = open_points_card(open_points, reader)?;
    Ok(vec![
        card("report.label.hosts", hosts, reader.plain("report.card.hosts_note")?, tone)?,
        card("report.label.duration", duration, span, "calm")?,
        card("report.label.backups", backups, backups_note, backups_tone)?,
        card("report.label.open_points", open, open_note, open_tone)?,
    ])
}

fn duration_card(report: &Report, reader: &Reader<'_>) -> Result<(String, String), Error> {
    let duration = match report.duration_ms {
        Some(duration_ms) => reader.duration(duration_ms)?,
        None => reader.plain("report.card.duration_open")?,
    };
    let span = report.started_at.map(|from| reader.span(from, report.finished_at)).transpose()?;
    Ok((duration, span.unwrap_or_default()))
}

fn backups_card(report: &Report, reader: &Reader<'_>) -> Result<(String, String, &'static str), Error> {
    if matches!(report.backup, BackupPromise::None { .. }) {
        return Ok((reader.plain("report.none")?, reader.plain("report.card.no_backup_note")?, "bad"));
    }
    let proofs = report.hosts.iter().map(|host| host.backups.len()).sum();
    let tone = if proofs > 0 { "good" } else { "calm" };
    Ok((reader.number(proofs as u64)?, reader.count("report.card.backups_note", proofs, &[])?, tone))
}

fn open_points_card(open: usize, reader: &Reader<'_>) -> Result<(String, String, &'static str), Error> {
    let value = reader.number(open as u64)?;
    if open == 0 {
        return Ok((value, reader.plain("report.card.no_open_points_note")?, "good"));
    }
    Ok((value, reader.count("report.card.open_points_note", open, &[])?, "bad"))
}

fn rows(report: &Report, reader: &Reader<'_>) -> Result<Vec<Row>, Error> {
    let overrun = report.window.as_ref().and_then(|window| window.overrun_ms);
    let values = [
        ("report.label.window", report.window.as_ref().map(|window| window_row(window, reader)).transpose()?),
        ("report.label.started", report.started_at.map(|at| reader.moment(at)).transpose()?),
        ("report.label.finished", report.finished_at.map(|at| reader.moment(at)).transpose()?),
        ("report.label.duration", report.duration_ms.map(|duration| reader.duration(duration)).transpose()?),
        ("report.label.overrun", overrun.map(|overrun_ms| reader.duration(overrun_ms)).transpose()?),
        ("report.label.packages", packages_row(report, reader)?),
        ("report.label.approved_by", approval_row(report, reader)?),
        ("report.label.selection", selection_row(report, reader)?),
        ("report.label.started_by", Some(report.started_by.clone())),
        ("report.label.reason", report.reason.clone()),
        ("report.label.cancelled_by", report.cancelled_by.clone()),
        ("report.label.quiet_dates", quiet_dates_row(report, reader)?),
        ("page.label.acceptance", acceptance_row(report, reader)?),
        ("report.label.next", report.next.as_ref().map(|next| next_row(next, reader)).transpose()?),
    ];
    labelled(reader, values)
}

/// Earlier dates on which nothing was to be done.
fn quiet_dates_row(report: &Report, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let dates = report.quiet_dates.iter().map(|date| {
        reader.text("report.quiet_date", &[("name", date.window.as_str()), ("day", &reader.day(date.opens_at)?)])
    });
    let dates = dates.collect::<Result<Vec<_>, _>>()?;
    Ok((!dates.is_empty()).then(|| dates.join("; ")))
}

pub(super) fn packages_row(report: &Report, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let Some(counts) = &report.packages else { return Ok(None) };
    let changed = reader.count("report.packages.changed", counts.installed, &[])?;
    let security = reader.count("report.packages.of_these_security", counts.security, &[])?;
    let text = reader.text("report.packages.summary", &[("changed", &changed), ("security", &security)])?;
    match counts.not_installed {
        0 => Ok(Some(text)),
        outstanding => reader.count("report.packages.outstanding", outstanding, &[("changed", &text)]).map(Some),
    }
}

fn approval_row(report: &Report, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let Some(approval) = &report.approval else { return Ok(None) };
    let values = [("name", &*approval.by), ("moment", &reader.moment(approval.at)?), ("list", approval.list.short())];
    match &approval.note {
        None => reader.text("report.approval", &values).map(Some),
        Some(note) => {
            let text = reader.text("report.approval", &values)?;
            reader.text("report.approval_note", &[("approval", &text), ("note", note)]).map(Some)
        }
    }
}

/// What was chosen of the list that was decided on.
fn selection_row(report: &Report, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let Some(ApprovalReport { selection: Selection { security, only, except, hosts }, .. }) = &report.approval else {
        return Ok(None);
    };
    let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
    let mut parts = Vec::new();
    if *security {
        parts.push(reader.plain("report.selection.security")?);
    }
    for (key, names) in [("only", only), ("except", except), ("hosts", &hosts)] {
        if !names.is_empty() {
            let names = names_in_line("report.packages.and_more", names, names.len(), reader)?;
            parts.push(reader.text(&format!("report.selection.{key}"), &[("names", &names)])?);
        }
    }
    if parts.is_empty() { reader.plain("report.selection.all").map(Some) } else { Ok(Some(parts.join("; "))) }
}

/// The customer's answer.
fn acceptance_row(report: &Report, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let Some(acceptance) = &report.acceptance else { return Ok(None) };
    let remark = acceptance.remark.as_ref().map(|remark| remark.lines().collect::<Vec<_>>().join(" "));
    let (decision, by, at) = (acceptance.decision, acceptance.by.clone(), acceptance.at);
    page::acceptance_line(&Said { decision, by, at, wish: None, remark }, reader).map(Some)
}

fn window_row(window: &WindowReport, reader: &Reader<'_>) -> Result<String, Error> {
    let span = reader.span(window.opens_at, Some(window.closes_at))?;
    reader.text("report.window", &[("name", window.name.as_str()), ("span", &span)])
}

fn next_row(next: &NextDate, reader: &Reader<'_>) -> Result<String, Error> {
    let span = reader.span(next.opens_at, Some(next.closes_at))?;
    reader.text("report.window", &[("name", next.window.as_str()), ("span", &span)])
}

fn annex(report: &Report, reader: &Reader<'_>) -> Result<Vec<Row>, Error> {
    let values = [
        ("report.label.job", Some(report.job.to_string())),
        ("report.label.run_id", Some(report.run_id.to_string())),
        ("report.label.plan_hash", Some(report.plan_hash.as_str().to_owned())),
        ("report.label.customer_revision", Some(report.customer_revision.as_str().to_owned())),
        ("report.label.job_revision", Some(report.job_revision.as_str().to_owned())),
        ("report.label.controllers", controllers(report, reader)?),
    ];
    labelled(reader, values)
}

fn controllers(report: &Report, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let names = report.controllers.join(", ");
    match report.controllers.len() {
        0 => Ok(None),
        1 => Ok(Some(names)),
        several => reader.count("report.controllers.taken_over", several - 1, &[("controllers", &names)]).map(Some),
    }
}

/// Rows for the values that there are.
fn labelled(
    reader: &Reader<'_>,
    values: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> Result<Vec<Row>, Error> {
    let present = values.into_iter().filter_map(|(label, value)| Some((label, value?)));
    present.map(|(label, value)| Ok(Row { label: reader.plain(label)?, value })).collect()
}
