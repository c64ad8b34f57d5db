//! When something will be full, from how full it was: a straight line through the measurements that single odd ones do not bend.
//!
//! The slope is the median of the slopes between all pairs of measurements (Theil 1950); its range are the order statistics of
//! these slopes that P. K. Sen gives for a confidence interval (Estimates of the regression coefficient based on Kendall's tau,
//! Journal of the American Statistical Association 63, 1968, pages 1379–1389), here of 90%. Instants only: no day is shorter than
//! another. Invariants: no input panics or overflows; all numbers in a [`Growth`] are finite, and none is below zero.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How full something was at one time; in bytes, or whatever is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// How much was gone.
    pub used: u64,
    /// How much was left.
    pub free: u64,
}

/// When something will be full.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outlook")]
pub enum Forecast {
    /// It was measured too seldom since it was last cleaned up, if it was.
    TooFew {
        /// So often, at least half a day apart.
        measurements: usize,
        /// So often it has to be.
        needed: usize,
    },
    /// It does not fill, or not within ten years.
    NotGrowing,
    /// It is full.
    Full,
    /// It fills.
    Growing(Growth),
}

/// How fast something fills. The days count from the time of asking.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// So much a day.
    pub per_day: f64,
    /// Days until it is full.
    pub days: f64,
    /// The early end of the range.
    pub earliest_days: f64,
    /// The late end; absent if it may also not be growing at all.
    pub latest_days: Option<f64>,
}

/// Two measurements make a line, three tell nothing of its range.
pub const NEEDED: usize = 4;
/// What is older says nothing of today's growth.
const MEMORY_S: f64 = 90.0 * DAY_S;
/// Of measurements closer together than this the latest counts: a run measures what has been measured the same day.
const APART_S: f64 = 0.5 * DAY_S;
/// More than this sudden fall of what is used, as a part of all there is, is a clean-up.
const CLEAN_UP: f64 = 0.05;
/// And it is so many times the usual step.
const OUTSTANDING: f64 = 4.0;
/// Who is cleaned up more often than this has it as a rhythm (logs that rotate): then everything counts.
const RHYTHM: usize = 3;
/// Where it stands today is told by so many measurements.
const RECENT: usize = 7;
/// What takes longer is no forecast.
const HORIZON_DAYS: f64 = 3650.0;
/// The two-sided 90% quantile of the normal distribution.
const Z: f64 = 1.645;
const DAY_S: f64 = 86_400.0;

/// A measurement in days before the latest (zero or below), and how much was used.
#[derive(Clone, Copy)]
struct Point {
    day: f64,
    used: f64,
}

/// What the samples, in any order, foretell at `now`.
#[must_use]
pub fn forecast(samples: &[Sample], now: Timestamp) -> Forecast {
    let Some(latest) = samples.iter().max_by_key(|sample| sample.at) else {
        return Forecast::TooFew { measurements: 0, needed: NEEDED };
    };
    if latest.free == 0 {
        return Forecast::Full;
    }
    let size = latest.used as f64 + latest.free as f64;
    let points = spread(samples, latest);
    let trend = since_clean_up(&points, size);
    if trend.len() < NEEDED {
        return Forecast::TooFew { measurements: trend.len(), needed: NEEDED };
    }
    let slopes = slopes(trend);
    let (low, slope, high) = (range(&slopes, trend.len()).0, median(&slopes), range(&slopes, trend.len()).1);
    if slope <= 0.0 {
        return Forecast::NotGrowing;
    }
    let free = size - stand(trend, slope);
    let since = (days_between(latest.at, now)).max(0.0);
    let until = |free: f64, slope: f64| (free / slope - since).clamp(0.0, HORIZON_DAYS);
    let days = until(free, slope);
    if days >= HORIZON_DAYS {
        return Forecast::NotGrowing;
    }
    // What was measured last may be odd, or the truth of tomorrow: the early end reckons with it.
    let earliest_days = until(free.min(latest.free as f64), high).min(days);
    let latest_days = Some(low).filter(|low| *low > 0.0).map(|low| until(free, low).max(days));
    Forecast::Growing(Growth { per_day: slope, days, earliest_days, latest_days })
}

/// What counts of the samples, in order of time.
fn spread(samples: &[Sample], latest: &Sample) -> Vec<Point> {
    let point = |sample: &Sample| Point { day: days_between(latest.at, sample.at), used: sample.used as f64 };
    let mut points: Vec<Point> = samples.iter().map(point).filter(|point| -point.day * DAY_S <= MEMORY_S).collect();
    points.sort_by(|a, b| b.day.total_cmp(&a.day));
    let mut kept: Vec<Point> = Vec::new();
    for point in points {
        if kept.last().is_none_or(|last| (last.day - point.day) * DAY_S >= APART_S) {
            kept.push(point);
        }
    }
    kept.reverse();
    kept
}

/// What was measured since the last clean-up; all of it, if there was none or they are a rhythm.
fn since_clean_up(points: &[Point], size: f64) -> &[Point] {
    let mut steps: Vec<f64> = points.windows(2).map(|pair| (pair[1].used - pair[0].used).abs()).collect();
    steps.sort_by(f64::total_cmp);
    let outstanding = (size * CLEAN_UP).max(median(&steps) * OUTSTANDING);
    // Two on either side: a single odd measurement, high or low, is no clean-up.
    let is_clean_up = |&end: &usize| {
        let used = |position: usize| points.get(position).map(|point| point.used);
        let before = used(end - 1).into_iter().chain(end.checked_sub(2).and_then(used)).fold(f64::INFINITY, f64::min);
        let Some((this, next)) = used(end).zip(used(end + 1)) else { return false };
        before - this.max(next) > outstanding
    };
    let clean_ups: Vec<usize> = (1..points.len()).filter(is_clean_up).collect();
    match clean_ups.last() {
        Some(last) if clean_ups.len() < RHYTHM => points.get(*last..).unwrap_or_default(),
        _ => points,
    }
}

/// Of all pairs, a day, in order.
fn slopes(points: &[Point]) -> Vec<f64> {
    let pairs = points.iter().enumerate().flat_map(|(later, b)| points.iter().take(later).map(move |a| (a, b)));
    let mut slopes: Vec<f64> = pairs.map(|(a, b)| (b.used - a.used) / (b.day - a.day)).collect();
    slopes.sort_by(f64::total_cmp);
    slopes
}

/// The slopes between which the true one is in nine of ten cases; `points`: how many measurements they are of.
fn range(slopes: &[f64], points: usize) -> (f64, f64) {
    let (count, n) = (slopes.len() as f64, points as f64);
    let width = Z * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    // Truncated and held within the list: there is no slope beyond the outermost.
    let at = |rank: f64| slopes.get((rank.max(0.0) as usize).min(slopes.len().saturating_sub(1)));
    let (low, high) = (at((count - width) / 2.0 - 1.0), at(((count + width) / 2.0).ceil()));
    (low.copied().unwrap_or_default(), high.copied().unwrap_or_default())
}

/// How much is used now, by the latest measurements together.
fn stand(points: &[Point], slope: f64) -> f64 {
    let mut stands: Vec<f64> = points.iter().rev().take(RECENT).map(|point| point.used - slope * point.day).collect();
    stands.sort_by(f64::total_cmp);
    median(&stands)
}

/// Of what is in order; zero of nothing.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    let at = |position: usize| sorted.get(position).copied().unwrap_or_default();
    if sorted.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.saturating_sub(1)), at(middle)) }
}

fn days_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / DAY_S
}

#[cfg(test)]
mod tests;
