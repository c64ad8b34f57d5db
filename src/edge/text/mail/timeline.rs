//! The picture host × phase as a table, which every mail client can draw: bars are cells whose widths are per cent of the whole.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::job::Phase;
use crate::domain::report::Report;
use crate::domain::report::host::{HostReport, PhaseState};
use crate::edge::text::Error;
use crate::edge::text::reader::Reader;
use crate::edge::text::report::words::phase_line;

/// Whole per cents: Word, which draws mails for Outlook, knows no others.
const WIDTH: i64 = 100;

/// Colours of the middle, to be seen on light and on dark.
const COLORS: [(Phase, &str); 7] = [
    (Phase::Preflight, "#8a94a6"),
    (Phase::Quiesce, "#c98a1b"),
    (Phase::Backup, "#3f7fc4"),
    (Phase::Update, "#7a5cc0"),
    (Phase::Smoke, "#2e8b57"),
    (Phase::Rollback, "#c2603a"),
    (Phase::Release, "#2f9aa0"),
];

/// A phase that failed.
const FAILED: &str = "#d0453a";

/// The picture.
#[derive(Debug, Serialize)]
pub(super) struct TimelineView {
    from: String,
    to: String,
    lines: Vec<Line>,
    legend: Vec<Legend>,
}

/// One host.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    cells: Vec<Cell>,
}

/// A phase, or, without a colour, the time between two.
#[derive(Debug, Serialize)]
struct Cell {
    width: i64,
    color: Option<&'static str>,
    title: String,
}

/// What a colour means.
#[derive(Debug, Serialize)]
struct Legend {
    color: &'static str,
    label: String,
}

/// The picture of at most so many hosts, unless nothing has happened yet.
pub(super) fn view(report: &Report, most: usize, reader: &Reader<'_>) -> Result<Option<TimelineView>, Error> {
    let (Some(from), Some(to)) = (report.started_at, report.recorded_until) else { return Ok(None) };
    let begun: Vec<_> = report.hosts.iter().filter(|host| !host.phases.is_empty()).take(most).collect();
    if begun.is_empty() {
        return Ok(None);
    }
    let axis = Axis { from, to };
    let seen = |phase: Phase| begun.iter().any(|host| host.phases.iter().any(|seen| seen.phase == phase));
    let legend = COLORS
        .into_iter()
        .filter(|(phase, _)| seen(*phase))
        .map(|(phase, color)| Ok::<_, Error>(Legend { color, label: reader.plain(&format!("report.phase.{phase}"))? }));
    let mut legend = legend.collect::<Result<Vec<_>, _>>()?;
    if begun.iter().any(|host| host.phases.iter().any(|phase| phase.state == PhaseState::Failed)) {
        legend.push(Legend { color: FAILED, label: reader.plain("report.phase_state.failed")? });
    }
    let lines: Result<_, Error> = begun.into_iter().map(|host| line(&axis, host, reader)).collect();
    Ok(Some(TimelineView { from: reader.clock(from)?, to: reader.clock(to)?, lines: lines?, legend }))
}

fn line(axis: &Axis, host: &HostReport, reader: &Reader<'_>) -> Result<Line, Error> {
    let mut cells = Vec::new();
    let mut filled = 0;
    for phase in &host.phases {
        // Every phase is seen, at least as one per cent; what comes last may run out of room.
        let begins = axis.position(phase.from).clamp(filled, WIDTH);
        let ends = axis.position(phase.to.unwrap_or(axis.to)).clamp(begins + 1, WIDTH.max(begins + 1));
        if ends > WIDTH {
            break;
        }
        if begins > filled {
            cells.push(Cell { width: begins - filled, color: None, title: String::new() });
        }
        let color = COLORS.iter().find(|(known, _)| *known == phase.phase).map(|(_, color)| *color);
        let color = if phase.state == PhaseState::Failed { Some(FAILED) } else { color };
        cells.push(Cell { width: ends - begins, color, title: phase_line(reader, phase)? });
        filled = ends;
    }
    if filled < WIDTH {
        cells.push(Cell { width: WIDTH - filled, color: None, title: String::new() });
    }
    Ok(Line { name: host.name.to_string(), cells })
}

/// From the first instant to the last.
struct Axis {
    from: Timestamp,
    to: Timestamp,
}

impl Axis {
    fn position(&self, instant: Timestamp) -> i64 {
        let length_ms = (self.to.as_millisecond() - self.from.as_millisecond()).max(1);
        let elapsed_ms = (instant.as_millisecond() - self.from.as_millisecond()).clamp(0, length_ms);
        i64::try_from((i128::from(elapsed_ms) * i128::from(WIDTH) + i128::from(length_ms / 2)) / i128::from(length_ms))
            .unwrap_or(WIDTH)
    }
}
