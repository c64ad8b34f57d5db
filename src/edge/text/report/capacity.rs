//! How full the watched paths of the run's hosts are: a line of words for each, and a small picture of how that came.

use jiff::Timestamp;
use serde::Serialize;

use super::Row;
use crate::domain::capacity::{Fill, Level, Prospect, Resource};
use crate::domain::report::Report;
use crate::domain::report::capacity::{BackupRoom, HostCapacity, PathCapacity};
use crate::edge::text::Error;
use crate::edge::text::capacity::{inodes, prospect, resource, space};
use crate::edge::text::reader::Reader;

#[cfg(test)]
mod tests;

/// The picture in units of its own: what was measured ends at [`NOW`], what is foretold stands behind it.
const WIDTH: f64 = 600.0;
const NOW: f64 = 420.0;
const HEIGHT: f64 = 60.0;
const DAY_S: f64 = 86_400.0;

/// One path of a host.
#[derive(Debug, Serialize)]
pub(super) struct PathView {
    name: String,
    /// `good`, `bad` or `calm`.
    tone: &'static str,
    rows: Vec<Row>,
    chart: Option<ChartView>,
}

/// How full it was, from the bottom (empty) to the top (full).
#[derive(Debug, Serialize)]
struct ChartView {
    width: f64,
    height: f64,
    /// The picture in words, for those who can't see it.
    description: String,
    /// Corners of what was used, as SVG wants them.
    area: String,
    /// From the latest measurement to where it may be full, if it fills.
    ahead: Option<Ahead>,
}

/// A line into the future.
#[derive(Debug, Serialize)]
struct Ahead {
    x1: String,
    y1: String,
    x2: String,
    y2: String,
}

/// All watched paths, host by host.
pub(super) fn views(report: &Report, reader: &Reader<'_>) -> Result<Vec<PathView>, Error> {
    let mut views = Vec::new();
    for host in &report.capacity {
        for path in &host.paths {
            views.push(path_view(host, path, reader)?);
        }
        for missing in &host.unmeasured {
            let name = format!("{} {}", host.host, missing.path);
            let rows = super::labelled(reader, [("capacity.label.unmeasured", Some(missing.why.clone()))])?;
            views.push(PathView { name, tone: "bad", rows, chart: None });
        }
    }
    Ok(views)
}

fn path_view(host: &HostCapacity, path: &PathCapacity, reader: &Reader<'_>) -> Result<PathView, Error> {
    let (free, full) = match (path.resource, path.inodes) {
        (Resource::Inodes, Some(fill)) => {
            let full = prospect(&path.prospect, reader)?;
            let values = [("resource", &*resource(path.resource, reader)?), ("full", &*full)];
            (inodes(fill, reader)?, reader.text("capacity.report.scarce", &values)?)
        }
        _ => (space(path.space, reader)?, prospect(&path.prospect, reader)?),
    };
    let backup = path.last_backup.as_ref().map(|backup| backup_row(backup, reader)).transpose()?;
    let rows = [
        ("capacity.label.free", Some(free)),
        ("capacity.label.full", Some(full)),
        ("capacity.label.last_backup", backup),
        ("capacity.label.measured", Some(reader.moment(path.measured_at)?)),
    ];
    Ok(PathView {
        name: format!("{} {}", host.host, path.path),
        tone: tone(path),
        rows: super::labelled(reader, rows)?,
        chart: chart(host, path, reader)?,
    })
}

fn backup_row(backup: &BackupRoom, reader: &Reader<'_>) -> Result<String, Error> {
    let size = reader.bytes_short(backup.bytes)?;
    let more = usize::try_from(backup.more).unwrap_or(usize::MAX);
    reader.count("capacity.report.backup_fits", more, &[("size", &size)])
}

fn tone(path: &PathCapacity) -> &'static str {
    let warn_days = path.warn_s.unwrap_or_default() / DAY_S as u64;
    match &path.prospect {
        Prospect::Full => "bad",
        Prospect::Growing { days, .. } if days.estimate < warn_days => "bad",
        _ if path.last_backup.as_ref().is_some_and(|backup| backup.more == 0) => "bad",
        Prospect::NotGrowing => "good",
        Prospect::Growing { .. } | Prospect::TooFew { .. } => "calm",
    }
}

/// The picture; none as long as there is no line to draw.
fn chart(host: &HostCapacity, path: &PathCapacity, reader: &Reader<'_>) -> Result<Option<ChartView>, Error> {
    let (Some(first), Some(last)) = (path.history.first(), path.history.last()) else { return Ok(None) };
    let span_s = seconds(first.at, last.at);
    if span_s <= 0.0 {
        return Ok(None);
    }
    let fill = |level: &Level| match path.resource {
        Resource::Space => Some(level.space),
        Resource::Inodes => level.inodes,
    };
    let place = |level: &Level| Some((seconds(first.at, level.at) / span_s * NOW, height(fill(level)?)));
    let line: Vec<(f64, f64)> = path.history.iter().filter_map(place).collect();
    let (Some(begin), Some(end)) = (line.first(), line.last()) else { return Ok(None) };
    let corners = [(begin.0, HEIGHT)].into_iter().chain(line.iter().copied()).chain([(end.0, HEIGHT)]);
    let area = corners.map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
    let percent = fill(last).map_or(0.0, |fill| share(fill) * 100.0);
    let words = [
        ("path", path.path.as_str()),
        ("host", host.host.as_str()),
        ("from", &reader.day(first.at)?),
        ("to", &reader.day(last.at)?),
        ("percent", &format!("{percent:.0}")),
    ];
    Ok(Some(ChartView {
        width: WIDTH,
        height: HEIGHT,
        description: reader.text("capacity.report.chart", &words)?,
        area,
        ahead: ahead(path, *end, span_s),
    }))
}

/// As far as the picture goes, or until it is full.
fn ahead(path: &PathCapacity, (x1, y1): (f64, f64), span_s: f64) -> Option<Ahead> {
    let Prospect::Growing { days, .. } = &path.prospect else { return None };
    let x_full = x1 + days.estimate as f64 * DAY_S / span_s * NOW;
    let (x2, y2) = if x_full <= WIDTH { (x_full, 0.0) } else { (WIDTH, y1 - y1 * (WIDTH - x1) / (x_full - x1)) };
    let coordinate = |number: f64| format!("{number:.1}");
    Some(Ahead { x1: coordinate(x1), y1: coordinate(y1), x2: coordinate(x2), y2: coordinate(y2) })
}

fn height(fill: Fill) -> f64 {
    HEIGHT * (1.0 - share(fill))
}

/// The used part of all there is, from 0 to 1.
fn share(fill: Fill) -> f64 {
    if fill.total == 0 { 0.0 } else { fill.used() as f64 / fill.total as f64 }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}
