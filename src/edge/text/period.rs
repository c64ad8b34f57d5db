//! The report of a period in the reader's words: every sentence, number and date is written here, templates only place them.

use serde::Serialize;

use super::Error;
use super::reader::Reader;
use super::report::words::{counts_in_line, outcome_sentence, word};
use crate::domain::inventory::PeriodLength;
use crate::domain::period::Period;
use crate::domain::period::summary::{DateLine, Failure, Fate, Figures, Pending, PeriodReport};
use chart::ChartView;

mod chart;
#[cfg(test)]
pub(super) mod tests;

/// What the templates are filled with.
#[derive(Debug, Serialize)]
pub(super) struct PeriodView {
    language: &'static str,
    title: String,
    customer_name: String,
    name: String,
    span: String,
    /// `good`, `bad` or `calm`.
    tone: &'static str,
    headline: String,
    tally: Option<String>,
    preliminary: Option<String>,
    cards: Vec<Card>,
    rows: Vec<Row>,
    dates: Vec<DateView>,
    failures: Vec<FailureView>,
    chart: Option<ChartView>,
    trend: Vec<TrendRow>,
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

/// A label and its value.
#[derive(Debug, Serialize)]
struct Row {
    label: String,
    value: String,
}

/// One date.
#[derive(Debug, Serialize)]
struct DateView {
    opens: String,
    window: String,
    fate: String,
    fate_label: String,
    detail: String,
}

/// One host that a run did not leave well.
#[derive(Debug, Serialize)]
struct FailureView {
    line: String,
    sentence: String,
    then: String,
    is_open: bool,
}

/// One period in numbers.
#[derive(Debug, Serialize)]
struct TrendRow {
    period: String,
    windows: String,
    updates: String,
    security: String,
    backups: String,
    failures: String,
}

/// Puts the report into the reader's words.
pub(super) fn view(report: &PeriodReport, reader: &Reader<'_>) -> Result<PeriodView, Error> {
    let name = period_name(report.period, reader)?;
    let days = (reader.civil_day(report.from)?, reader.civil_day(report.to)?);
    let all: Vec<&Figures> = report.before.iter().chain([&report.figures]).collect();
    Ok(PeriodView {
        language: reader.language(),
        title: reader.text("period.title", &[("customer", &report.customer_name), ("period", &name)])?,
        customer_name: report.customer_name.clone(),
        name,
        span: reader.text("period.span", &[("from", &days.0), ("to", &days.1)])?,
        tone: tone(&report.figures),
        headline: headline(report, reader)?,
        tally: tally(&report.figures, reader)?,
        preliminary: preliminary(report, reader)?,
        cards: cards(&report.figures, reader)?,
        rows: rows(report, reader)?,
        dates: report.dates.iter().map(|line| date(line, reader)).collect::<Result<_, _>>()?,
        failures: report.failures.iter().map(|failure| failed(failure, reader)).collect::<Result<_, _>>()?,
        chart: chart::view(&all, reader)?,
        trend: all.into_iter().map(|figures| trend(figures, reader)).collect::<Result<_, _>>()?,
    })
}

/// A period as people call it.
pub(super) fn period_name(period: Period, reader: &Reader<'_>) -> Result<String, Error> {
    let (year, number) = (period.year().to_string(), period.number());
    match period.length() {
        PeriodLength::Year => reader.text("period.name.year", &[("year", &year)]),
        PeriodLength::Quarter => {
            reader.text("period.name.quarter", &[("number", &number.to_string()), ("year", &year)])
        }
        PeriodLength::Month => reader.text("period.name.month", &[("month", &format!("{number:02}")), ("year", &year)]),
    }
}

fn tone(figures: &Figures) -> &'static str {
    match (figures.failures + figures.missed, figures.windows + figures.runs) {
        (1.., _) => "failed",
        (0, 1..) => "succeeded",
        (0, 0) => "calm",
    }
}

fn headline(report: &PeriodReport, reader: &Reader<'_>) -> Result<String, Error> {
    let figures = &report.figures;
    if report.is_empty() {
        reader.plain("period.headline.empty")
    } else if figures.due() == 0 {
        reader.plain("period.headline.no_windows")
    } else {
        reader.count("period.headline.windows", figures.due(), &[("kept", &reader.number(figures.kept as u64)?)])
    }
}

/// What else became of dates; nothing if all took place.
fn tally(figures: &Figures, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let all = [
        ("period.tally.moved", figures.moved),
        ("period.tally.missed", figures.missed),
        ("period.tally.cancelled", figures.cancelled),
        ("period.tally.skipped", figures.skipped),
        ("period.tally.ahead", figures.ahead),
        ("period.tally.by_hand", figures.by_hand),
    ];
    counts_in_line(&all, &[], reader)
}

fn preliminary(report: &PeriodReport, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    if report.is_over {
        return Ok(None);
    }
    reader.text("period.preliminary", &[("moment", &reader.moment(report.written_at)?)]).map(Some)
}

fn cards(figures: &Figures, reader: &Reader<'_>) -> Result<Vec<Card>, Error> {
    let number = |count: usize| reader.number(count as u64);
    let card = |label: &str, value: String, note: String, tone: &'static str| {
        Ok::<_, Error>(Card { label: reader.plain(label)?, value, note, tone })
    };
    let kept =
        reader.text("period.card.kept", &[("kept", &number(figures.kept)?), ("count", &number(figures.due())?)])?;
    let windows_tone = if figures.missed > 0 { "bad" } else { "calm" };
    let failures_tone = if figures.failures > 0 { "bad" } else { "good" };
    Ok(vec![
        card("period.label.windows", kept, reader.plain("period.card.kept_note")?, windows_tone)?,
        card("period.label.updates", number(figures.updates)?, security_share(figures, reader)?, "calm")?,
        card("period.label.backups", number(figures.backups)?, reader.plain("period.card.backups_note")?, "calm")?,
        card(
            "period.label.failures",
            number(figures.failures)?,
            reader.plain("period.card.failures_note")?,
            failures_tone,
        )?,
    ])
}

fn security_share(figures: &Figures, reader: &Reader<'_>) -> Result<String, Error> {
    match figures.security_percent() {
        None => reader.plain("period.card.no_updates_note"),
        Some(percent) => {
            let values = [("count", &*reader.number(figures.security as u64)?), ("percent", &*percent.to_string())];
            reader.text("period.card.security_note", &values)
        }
    }
}

fn rows(report: &PeriodReport, reader: &Reader<'_>) -> Result<Vec<Row>, Error> {
    let row = |label: &str, value: String| Ok::<_, Error>(Row { label: reader.plain(label)?, value });
    let mut rows = Vec::new();
    if let (Some(median), Some(longest)) = (report.median_ms, report.longest_ms) {
        let values = [("median", &*reader.duration(median)?), ("longest", &*reader.duration(longest)?)];
        rows.push(row("period.label.duration", reader.text("period.duration", &values)?)?);
    }
    rows.push(row("period.label.pending", pending(report.pending.as_ref(), reader)?)?);
    Ok(rows)
}

fn pending(pending: Option<&Pending>, reader: &Reader<'_>) -> Result<String, Error> {
    let Some(pending) = pending else { return reader.plain("period.pending.never") };
    let moment = reader.moment(pending.looked_at)?;
    let security = reader.number(pending.security as u64)?;
    let mut parts = vec![reader.count(
        "period.pending.updates",
        pending.updates,
        &[("security", &security), ("moment", &moment)],
    )?];
    if pending.unknown_hosts > 0 {
        parts.push(reader.count("period.pending.unknown_hosts", pending.unknown_hosts, &[])?);
    }
    if let Some(run) = pending.before_run {
        parts.push(reader.text("period.pending.before_run", &[("number", &run.to_string())])?);
    }
    Ok(parts.join(" "))
}

fn date(line: &DateLine, reader: &Reader<'_>) -> Result<DateView, Error> {
    let mut detail = Vec::new();
    if let Some(to) = line.moved_to {
        detail.push(reader.text("period.detail.moved_to", &[("moment", &reader.moment(to)?)])?);
    }
    detail.extend(line.cause.clone());
    if let Some(run) = line.run {
        detail.push(reader.text("report.run", &[("number", &run.to_string())])?);
    }
    if let Some(duration_ms) = line.duration_ms {
        detail.push(reader.duration(duration_ms)?);
    }
    let fate = word(&line.fate);
    Ok(DateView {
        opens: reader.moment(line.opens_at)?,
        window: line.window.to_string(),
        fate_label: reader.plain(&format!("period.fate.{fate}"))?,
        fate: state_of(line.fate).to_owned(),
        detail: detail.join(", "),
    })
}

/// The colour of a fate: that of a run's state.
fn state_of(fate: Fate) -> &'static str {
    match fate {
        Fate::Kept => "succeeded",
        Fate::KeptNotWell | Fate::Missed => "failed",
        Fate::UnderWay | Fate::Ahead => "pending",
        Fate::Moved | Fate::Cancelled | Fate::Skipped => "skipped",
    }
}

fn failed(failure: &Failure, reader: &Reader<'_>) -> Result<FailureView, Error> {
    let (run, moment) = (failure.run.to_string(), reader.moment(failure.began_at)?);
    let values = [("host", failure.host.as_str()), ("run", &*run), ("moment", &*moment)];
    Ok(FailureView {
        line: reader.text("period.failure.line", &values)?,
        sentence: outcome_sentence(reader, &failure.outcome)?,
        then: match failure.well_since_run {
            Some(run) => reader.text("period.failure.well_since", &[("number", &run.to_string())])?,
            None => reader.plain("period.failure.still_open")?,
        },
        is_open: failure.well_since_run.is_none(),
    })
}

fn trend(figures: &Figures, reader: &Reader<'_>) -> Result<TrendRow, Error> {
    let number = |count: usize| reader.number(count as u64);
    let (kept, due) = (number(figures.kept)?, number(figures.due())?);
    Ok(TrendRow {
        period: period_name(figures.period, reader)?,
        windows: reader.text("period.card.kept", &[("kept", &kept), ("count", &due)])?,
        updates: number(figures.updates)?,
        security: number(figures.security)?,
        backups: number(figures.backups)?,
        failures: number(figures.failures)?,
    })
}
