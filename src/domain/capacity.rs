//! How full the disks of hosts are, and when they will be full: what is watched, what was measured, and what follows from it.
//!
//! Knows measurements ([`measure`]) and what they foretell ([`mod@forecast`]); does not know how hosts are reached, or who is told.
//! Invariants: a measurement is what the host said, never a guess: what could not be told is absent; full means that nothing is left
//! for ordinary users, of space or of inodes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::forecast::{Forecast, Sample, forecast};
use super::id::{ContentHash, Name};

pub mod forecast;
pub mod measure;
#[cfg(test)]
mod tests;

/// A path that an inventory wants to be watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WatchedPath {
    /// Absolute, without `..`; what counts is the file system that it is on.
    pub path: String,
    /// The team is told when it may be full within so many seconds.
    pub warn_s: u64,
}

/// What was found on a host at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measurement {
    /// The watched paths first, then all file systems on disks.
    pub disks: Vec<Disk>,
    /// Watched paths that could not be measured.
    pub unmeasured: Vec<Unmeasured>,
    /// Absent if the host does not tell.
    pub memory: Option<Memory>,
}

/// A file system, as seen from a path on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The path that was asked about.
    pub path: String,
    /// Where its file system is mounted.
    pub mount: String,
    /// How full it is, in bytes.
    pub space: Fill,
    /// How many files there are and may be; absent where the file system has no limit.
    pub inodes: Option<Fill>,
}

/// How full something is, in bytes or in inodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// All that there is, with what is reserved for root.
    pub total: u64,
    /// What ordinary users can still have.
    pub free: u64,
}

impl Fill {
    /// What is gone, with what is reserved for root.
    #[must_use]
    pub fn used(self) -> u64 {
        self.total.saturating_sub(self.free)
    }
}

/// A path that could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmeasured {
    /// The path.
    pub path: String,
    /// Why, in one line.
    pub why: String,
}

/// The host's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// All that there is.
    pub total_bytes: u64,
    /// What programs can still have without swapping, as the kernel estimates it.
    pub available_bytes: u64,
}

/// What a disk is full of, or will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Bytes.
    Space,
    /// Inodes: no further file can be made, however small.
    Inodes,
}

impl Resource {
    /// The word in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Space => "space",
            Self::Inodes => "inodes",
        }
    }
}

/// How full a path was at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// When it was measured.
    pub at: Timestamp,
    /// In bytes.
    pub space: Fill,
    /// In inodes, where there is a limit.
    pub inodes: Option<Fill>,
}

/// How full a path of a host was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathHistory {
    /// Where its file system is mounted, as last seen.
    pub mount: String,
    /// In order of time.
    pub levels: Vec<Level>,
}

/// The latest look at a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestLook {
    /// When.
    pub at: Timestamp,
    /// What it had of memory.
    pub memory: Option<Memory>,
    /// Watched paths that could not be measured.
    pub unmeasured: Vec<Unmeasured>,
    /// Why it could not be looked at.
    pub fault: Option<String>,
}

/// A backup that was verified on the host itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastBackup {
    /// Path of the file, or a place in a backup repository.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was verified.
    pub at: Timestamp,
}

/// When a path will be full: of that resource which runs out first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// Which.
    pub resource: Resource,
    /// When.
    pub forecast: Forecast,
}

/// A forecast as people and programs are told, in whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outlook")]
pub enum Prospect {
    /// It was measured too seldom since it was last cleaned up, if it was.
    TooFew {
        /// So often.
        measurements: usize,
        /// So often it has to be.
        needed: usize,
    },
    /// It does not fill, or not within ten years.
    NotGrowing,
    /// It is full.
    Full,
    /// It fills.
    Growing {
        /// So many bytes or inodes a day.
        per_day: u64,
        /// Until it is full.
        days: DaysUntilFull,
    },
}

/// In how many whole days something will be full: rounded down, as nobody is told of more time than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaysUntilFull {
    /// By the estimate.
    pub estimate: u64,
    /// The early end of the range.
    pub earliest: u64,
    /// The late end; absent if it may also not be growing.
    pub latest: Option<u64>,
}

impl From<Forecast> for Prospect {
    fn from(forecast: Forecast) -> Self {
        // Finite and never below zero, so that nothing but a fraction is lost.
        let whole = |number: f64| number as u64;
        match forecast {
            Forecast::TooFew { measurements, needed } => Self::TooFew { measurements, needed },
            Forecast::NotGrowing => Self::NotGrowing,
            Forecast::Full => Self::Full,
            Forecast::Growing(growth) => Self::Growing {
                per_day: whole(growth.per_day.round()),
                days: DaysUntilFull {
                    estimate: whole(growth.days),
                    earliest: whole(growth.earliest_days),
                    latest: growth.latest_days.map(whole),
                },
            },
        }
    }
}

/// Whether the team is to be told of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is full, or may be within the time that the inventory names.
    Short,
    /// Neither this nor that: whoever was told is not told again, and nothing is over yet.
    Undecided,
    /// There is room for clearly longer than that.
    Roomy,
}

/// Told again only after it was better by a quarter: what swings around the limit is told once.
const RELIEF: f64 = 1.25;
/// The same where the estimate counts, which is later than the early end.
const RELIEF_IN_DOUBT: f64 = 2.5;
const DAY_S: f64 = 86_400.0;

impl Outlook {
    /// Of what was measured, in any order, as seen at `now`. Inodes count only where they run out before the space does.
    #[must_use]
    pub fn of(levels: &[Level], now: Timestamp) -> Self {
        let sample = |at, fill: Fill| Sample { at, used: fill.used(), free: fill.free };
        let space: Vec<_> = levels.iter().map(|level| sample(level.at, level.space)).collect();
        let inodes: Vec<_> = levels.iter().filter_map(|level| Some(sample(level.at, level.inodes?))).collect();
        let of_space = Self { resource: Resource::Space, forecast: forecast(&space, now) };
        let of_inodes = Self { resource: Resource::Inodes, forecast: forecast(&inodes, now) };
        if of_inodes.urgency() < of_space.urgency() { of_inodes } else { of_space }
    }

    /// Days until full; what does not fill comes last.
    fn urgency(&self) -> f64 {
        match self.forecast {
            Forecast::Full => -1.0,
            Forecast::Growing(growth) => growth.days,
            Forecast::NotGrowing | Forecast::TooFew { .. } => f64::INFINITY,
        }
    }

    /// Whether somebody who wants to know `warn_s` seconds before is to be told. The early end of the range counts where the growth
    /// itself is beyond doubt; otherwise the estimate: noise alone wakes nobody.
    #[must_use]
    pub fn verdict(&self, warn_s: u64) -> Verdict {
        let warn_days = warn_s as f64 / DAY_S;
        match self.forecast {
            Forecast::Full => Verdict::Short,
            Forecast::NotGrowing | Forecast::TooFew { .. } => Verdict::Roomy,
            Forecast::Growing(growth) => {
                let is_certain = growth.latest_days.is_some();
                let days = if is_certain { growth.earliest_days } else { growth.days };
                // Whether the growth is beyond doubt may change from day to day; what is better must be so either way.
                let relief = if is_certain { RELIEF } else { RELIEF_IN_DOUBT };
                match days {
                    days if days < warn_days => Verdict::Short,
                    days if days < warn_days * relief => Verdict::Undecided,
                    _ => Verdict::Roomy,
                }
            }
        }
    }
}

/// At which second of the UTC day the daily look at a customer's hosts is due: the same every day, and spread over it, so that not
/// all customers are looked at at once.
#[must_use]
pub fn second_of_day(customer: &Name) -> u32 {
    // Two of the hash's bytes are as good as all of them.
    let digits = ContentHash::of(customer.as_str().as_bytes());
    let number = u32::from_str_radix(digits.as_str().get(..4).unwrap_or_default(), 16).unwrap_or_default();
    number * (DAY_S as u32 / 4) / (1 << 14)
}

/// On which of several mount points or watched paths a file lies: the longest that is above it.
#[must_use]
pub fn place_of<'a>(file: &str, paths: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let is_above = |path: &&str| {
        let rest = file.strip_prefix(path.trim_end_matches('/'));
        file.starts_with('/') && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    paths.into_iter().filter(is_above).max_by_key(|path| path.len())
}
