//! The picture host × phase: instants become positions on a line of [`WIDTH`] units.

use jiff::Timestamp;
use serde::Serialize;

use super::super::Error;
use super::super::reader::Reader;
use super::words::{phase_line, word};
use crate::domain::job::Phase;
use crate::domain::report::Report;
use crate::domain::report::host::{HostReport, PhaseReport};

#[cfg(test)]
mod tests;

/// Length of the time axis; bars are stretched to the page, so that the unit has no size of its own.
const WIDTH: i64 = 10_000;

/// A phase of a second within hours is still seen.
const NARROWEST: i64 = 40;

/// Lengths of time between two marks of the axis, in seconds; whole days follow.
const INTERVALS_S: [i64; 15] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600];

/// Most marks on the axis.
const MARKS: i64 = 6;

/// A mark further to the right would be written over the edge.
const LAST_MARK: i64 = 9_300;

const PHASES: [Phase; 7] =
    [Phase::Preflight, Phase::Quiesce, Phase::Backup, Phase::Update, Phase::Smoke, Phase::Rollback, Phase::Release];

/// The picture.
#[derive(Debug, Serialize)]
pub(super) struct TimelineView {
    width: i64,
    marks: Vec<Mark>,
    lines: Vec<Line>,
    legend: Vec<Legend>,
}

/// A mark on the axis.
#[derive(Debug, Serialize)]
struct Mark {
    /// Per cent of the width, as CSS wants it.
    left: String,
    label: String,
}

/// One host.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    anchor: String,
    outcome: String,
    /// The line in words, for those who can't see it.
    description: String,
    bars: Vec<Bar>,
}

/// One phase of a host.
#[derive(Debug, Serialize)]
struct Bar {
    x: i64,
    width: i64,
    phase: String,
    state: String,
    title: String,
}

/// What a colour means.
#[derive(Debug, Serialize)]
struct Legend {
    phase: String,
    label: String,
}

/// The picture, unless nothing has happened yet.
pub(super) fn view(report: &Report, reader: &Reader<'_>) -> Result<Option<TimelineView>, Error> {
    let (Some(from), Some(to)) = (report.started_at, report.recorded_until) else { return Ok(None) };
    let axis = Axis::new(from, to);
    let seen: Vec<_> = report.hosts.iter().flat_map(|host| &host.phases).map(|phase| phase.phase).collect();
    if seen.is_empty() {
        return Ok(None);
    }
    let begun = report.hosts.iter().enumerate().filter(|(_, host)| !host.phases.is_empty());
    let lines: Result<_, Error> = begun.map(|(index, host)| line(&axis, index, host, reader)).collect();
    let legend = PHASES.into_iter().filter(|phase| seen.contains(phase)).map(|phase| {
        let label = reader.plain(&format!("report.phase.{phase}"))?;
        Ok::<_, Error>(Legend { phase: phase.as_str().to_owned(), label })
    });
    Ok(Some(TimelineView {
        width: WIDTH,
        marks: axis.marks(reader)?,
        lines: lines?,
        legend: legend.collect::<Result<_, _>>()?,
    }))
}

fn line(axis: &Axis, index: usize, host: &HostReport, reader: &Reader<'_>) -> Result<Line, Error> {
    let bars: Result<Vec<_>, _> = host.phases.iter().map(|phase| bar(axis, phase, reader)).collect();
    let bars = bars?;
    let label = reader.text("report.label.timeline", &[("host", host.name.as_str())])?;
    let titles: Vec<_> = bars.iter().map(|bar| bar.title.as_str()).collect();
    Ok(Line {
        name: host.name.to_string(),
        anchor: super::host::anchor(index),
        outcome: word(&host.outcome.kind),
        description: format!("{label}: {}", titles.join(", ")),
        bars,
    })
}

fn bar(axis: &Axis, phase: &PhaseReport, reader: &Reader<'_>) -> Result<Bar, Error> {
    let x = axis.position(phase.from).min(WIDTH - NARROWEST);
    let end = axis.position(phase.to.unwrap_or(axis.to));
    Ok(Bar {
        x,
        width: (end - x).max(NARROWEST),
        phase: phase.phase.as_str().to_owned(),
        state: word(&phase.state),
        title: phase_line(reader, phase)?,
    })
}

/// From the first instant to the last.
struct Axis {
    from: Timestamp,
    to: Timestamp,
    length_ms: i64,
}

impl Axis {
    fn new(from: Timestamp, to: Timestamp) -> Self {
        let length_ms = (to.as_millisecond() - from.as_millisecond()).max(1);
        Self { from, to, length_ms }
    }

    fn position(&self, instant: Timestamp) -> i64 {
        let elapsed_ms = (instant.as_millisecond() - self.from.as_millisecond()).clamp(0, self.length_ms);
        i64::try_from(i128::from(elapsed_ms) * i128::from(WIDTH) / i128::from(self.length_ms)).unwrap_or(WIDTH)
    }

    /// Marks at round times of the reader's clock.
    fn marks(&self, reader: &Reader<'_>) -> Result<Vec<Mark>, Error> {
        let length_s = self.length_ms / 1000;
        let fits = |interval_s: &i64| length_s / interval_s < MARKS;
        let days = 86_400 * (length_s / 86_400 / MARKS + 1);
        let interval_s = INTERVALS_S.into_iter().find(fits).unwrap_or(days);
        let local_s = self.from.as_second() + reader.offset_s(self.from);
        let first_s = self.from.as_second() + (-local_s).rem_euclid(interval_s);
        let instants = (0..=MARKS).filter_map(|index| Timestamp::from_second(first_s + index * interval_s).ok());
        let placed = instants.map(|at| (at, self.position(at))).take_while(|(_, position)| *position <= LAST_MARK);
        let marks = placed.map(|(at, position)| {
            let label = if interval_s < 60 { reader.clock_seconds(at)? } else { reader.clock(at)? };
            Ok(Mark { left: format!("{}.{:02}", position / 100, position % 100), label })
        });
        marks.collect()
    }
}
