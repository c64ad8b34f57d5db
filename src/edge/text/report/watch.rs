//! The interruptions of a host's services in the reader's words.

use serde::Serialize;

use super::super::Error;
use super::super::reader::Reader;
use crate::domain::report::host::HostReport;
use crate::domain::report::watch::{Outage, WatchReport};

/// The watch over one service.
#[derive(Debug, Serialize)]
pub(super) struct WatchView {
    name: String,
    /// `succeeded` or `failed`, as steps.
    state: &'static str,
    /// How long it was out of order in all.
    down: String,
    /// When it was watched.
    watched: String,
    /// Each interruption, and each time in which nobody looked.
    lines: Vec<String>,
    /// All but the lines in one line.
    line: String,
}

/// The watched services, in the order of the inventory.
pub(super) fn views(host: &HostReport, reader: &Reader<'_>) -> Result<Vec<WatchView>, Error> {
    host.watches.iter().map(|watch| view(watch, reader)).collect()
}

fn view(watch: &WatchReport, reader: &Reader<'_>) -> Result<WatchView, Error> {
    let is_open = watch.interruptions.iter().any(|outage| outage.to.is_none());
    let down = match (watch.interruptions.is_empty(), is_open) {
        (true, _) => reader.plain("report.watch.never_down")?,
        (false, false) => reader.duration(watch.down_ms)?,
        (false, true) => reader.plain("report.watch.not_back")?,
    };
    let watched = reader.text("report.watch.watched", &[("span", &reader.span(watch.from, watch.to)?)])?;
    let line = reader.text("report.watch.line", &[("name", &watch.name), ("down", &down), ("watched", &watched)])?;
    let mut lines =
        watch.interruptions.iter().map(|outage| outage_line(outage, reader)).collect::<Result<Vec<_>, _>>()?;
    for gap in &watch.gaps {
        let (from, to) = (reader.clock_seconds(gap.from)?, reader.clock_seconds(gap.to)?);
        lines.push(reader.text("report.watch.gap", &[("from", &from), ("to", &to)])?);
    }
    let state = if watch.interruptions.is_empty() { "succeeded" } else { "failed" };
    Ok(WatchView { name: watch.name.clone(), state, down, watched, lines, line })
}

fn outage_line(outage: &Outage, reader: &Reader<'_>) -> Result<String, Error> {
    let from = reader.clock_seconds(outage.from)?;
    let line = match (outage.to, outage.duration_ms) {
        (Some(to), Some(duration_ms)) => {
            let (to, duration) = (reader.clock_seconds(to)?, reader.duration(duration_ms)?);
            reader.text("report.watch.outage", &[("from", &from), ("to", &to), ("duration", &duration)])?
        }
        _ => reader.text("report.watch.outage_open", &[("from", &from)])?,
    };
    let place = match outage.in_window {
        None => return Ok(line),
        Some(true) => reader.plain("report.watch.in_window")?,
        Some(false) => reader.plain("report.watch.outside_window")?,
    };
    reader.text("report.watch.outage_place", &[("outage", &line), ("place", &place)])
}
