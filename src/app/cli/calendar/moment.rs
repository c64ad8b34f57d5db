//! Days, local times and zones as people type them.

use std::str::FromStr;

use anyhow::anyhow;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::app::cli::exit::Failure;
use crate::domain::calendar::zone::{named, names, place};
use crate::domain::document::{did_you_mean, quoted};

/// A day, or a local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Day(Date),
    Time(DateTime),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a day as 2026-03-27, or a local time as 2026-03-27T14:00:00".to_owned();
        // jiff would pass over an offset; it is the zone that says which it is.
        if text.parse::<Timestamp>().is_ok() {
            return Err("a local time has no offset: leave it out".to_owned());
        }
        // And over zones in brackets, and what is less than a second or more than a minute.
        if text.contains('[') {
            return Err("a local time has no zone in brackets: leave it out".to_owned());
        }
        if text.contains(['.', ',']) {
            return Err("a time has whole seconds: leave the fraction out".to_owned());
        }
        if text.ends_with(":60") {
            return Err(wrong());
        }
        match text.len() {
            ..=10 => text.parse().map(Self::Day).map_err(|_| wrong()),
            _ => text.parse().map(Self::Time).map_err(|_| wrong()),
        }
    }
}

impl Moment {
    /// The local time; of a day, at `time`.
    pub(super) fn local(self, time: Time) -> DateTime {
        match self {
            Self::Day(day) => day.to_datetime(time),
            Self::Time(local) => local,
        }
    }

    /// Its first instant.
    pub(super) fn first(self, zone: &TimeZone) -> Timestamp {
        place(self.local(Time::midnight()), zone).at
    }

    /// Whether all of it lies before all of `other`. The clocks play no part: near the end of the time line they have none.
    pub(super) fn lies_before(self, other: Self) -> bool {
        match (self, other) {
            (Self::Day(day), other) => day < other.local(Time::midnight()).date(),
            (Self::Time(local), other) => local < other.local(Time::midnight()),
        }
    }

    /// The first instant that is later: a day is inside to its end, and so is an instant.
    pub(super) fn after(self, zone: &TimeZone) -> Timestamp {
        let local = match self {
            Self::Day(day) => day.saturating_add(1.day()).to_datetime(Time::midnight()),
            Self::Time(local) => local.saturating_add(1.nanosecond()),
        };
        place(local, zone).at
    }
}

/// The zone with this name.
pub(super) fn zone(name: &str) -> Result<TimeZone, Failure> {
    named(name).ok_or_else(|| {
        let known = names();
        let hint = did_you_mean(name, known.iter().map(String::as_str));
        Failure::usage(anyhow!("there is no time zone {}", quoted(name)))
            .hint(hint.unwrap_or_else(|| "name one of the tz database, such as `Europe/Berlin`".to_owned()))
    })
}
