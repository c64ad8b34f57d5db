//! Days, local times and zones as people type them.

use std::str::FromStr;

use anyhow::anyhow;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::app::cli::exit::Failure;
use crate::domain::calendar::zone::place;
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
    TimeZone::get(name).map_err(|_| {
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let hint = did_you_mean(name, known.iter().map(String::as_str));
        Failure::usage(anyhow!("there is no time zone {}", quoted(name)))
            .hint(hint.unwrap_or_else(|| "name one of the tz database, such as `Europe/Berlin`".to_owned()))
    })
}
