//! Points in foreign time: a day, a time of day wherever one is, or a time in a zone; and how far it is to the end.

use std::collections::HashSet;

use calcard::common::PartialDateTime;
use calcard::icalendar::ICalendarDuration;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp, ToSpan};

use super::Moment;
use crate::domain::calendar::zone::place;

/// Longest event: ten years.
const MAX_SECONDS: i64 = 10 * 366 * 86_400;
const DAY_SECONDS: i64 = 86_400;

/// A date that a file has, with time and offset if it has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Civil {
    pub(super) date: Date,
    pub(super) time: Option<Time>,
    /// Set for a time in UTC.
    pub(super) offset: Option<Offset>,
}

/// The date in a value; none if there is no such day or time.
pub(super) fn read_civil(read: &PartialDateTime) -> Option<Civil> {
    let small = |number: Option<u8>| number.and_then(|number| i8::try_from(number).ok());
    let date = Date::new(i16::try_from(read.year?).ok()?, small(read.month)?, small(read.day)?).ok()?;
    let time = match read.hour {
        None => None,
        // A leap second is the second before for us.
        Some(_) => {
            let second = small(Some(read.second.unwrap_or_default()))?.min(59);
            Some(Time::new(small(read.hour)?, small(Some(read.minute.unwrap_or_default()))?, second, 0).ok()?)
        }
    };
    Some(Civil { date, time, offset: read.tz_hour.and(read_offset(read)) })
}

/// The `Z` of a time, or `+0100`.
fn read_offset(read: &PartialDateTime) -> Option<Offset> {
    let seconds = i32::from(read.tz_hour?) * 3600 + i32::from(read.tz_minute.unwrap_or_default()) * 60;
    Offset::from_seconds(if read.tz_minus { -seconds } else { seconds }).ok()
}

/// When something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Point {
    /// A whole day.
    Day(Date),
    /// A local time, wherever one is.
    Floating(DateTime),
    /// A local time in a zone.
    Zoned(DateTime, TimeZone),
}

impl Point {
    /// As a local time; a day begins at midnight.
    pub(super) fn local(&self) -> DateTime {
        match self {
            Self::Day(date) => date.to_datetime(Time::midnight()),
            Self::Floating(local) | Self::Zoned(local, _) => *local,
        }
    }

    /// The same kind of point at another local time.
    pub(super) fn at(&self, local: DateTime) -> Self {
        match self {
            Self::Day(_) => Self::Day(local.date()),
            Self::Floating(_) => Self::Floating(local),
            Self::Zoned(_, zone) => Self::Zoned(local, zone.clone()),
        }
    }

    /// The zone in which its local time counts.
    pub(super) fn zone<'z>(&'z self, floating: &'z TimeZone) -> &'z TimeZone {
        match self {
            Self::Day(_) | Self::Floating(_) => floating,
            Self::Zoned(_, zone) => zone,
        }
    }

    pub(super) fn instant(&self, floating: &TimeZone) -> Timestamp {
        place(self.local(), self.zone(floating)).at
    }

    /// The point's local time for an event that counts as `other` does.
    pub(super) fn local_for(&self, other: &Self, floating: &TimeZone) -> DateTime {
        match (self, other) {
            (Self::Day(day), Self::Floating(_) | Self::Zoned(..)) => day.to_datetime(other.local().time()),
            (Self::Zoned(local, own), Self::Zoned(_, zone)) if own != zone => zone.to_datetime(place(*local, own).at),
            (Self::Zoned(local, own), Self::Floating(_)) => floating.to_datetime(place(*local, own).at),
            (Self::Zoned(local, own), Self::Day(_)) if local.time() != Time::midnight() => {
                // Some programs write the day of a whole-day event as the instant at which it begins.
                floating.to_datetime(place(*local, own).at)
            }
            _ => self.local(),
        }
    }

    pub(super) fn moment(&self) -> Moment {
        match self {
            Self::Day(date) => Moment::Day(*date),
            Self::Floating(local) => Moment::Floating(*local),
            Self::Zoned(local, zone) => Moment::At(place(*local, zone).at.to_zoned(zone.clone())),
        }
    }
}

/// From a start to its end: days on the calendar, then elapsed seconds. Neither is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Length {
    days: i64,
    seconds: i64,
}

impl Length {
    pub(super) const DAY: Self = Self { days: 1, seconds: 0 };

    /// From `start` to `end`, which must be of the same kind. RFC 5545: what is told by its end lasts as long each time.
    pub(super) fn between(start: &Point, end: &Point) -> Result<Self, String> {
        let length = match (start, end) {
            // Some programs end a day on itself.
            (Point::Day(first), Point::Day(after)) if first == after => Self::DAY,
            (Point::Day(first), Point::Day(after)) => Self { days: days_between(*first, *after), seconds: 0 },
            (Point::Floating(start), Point::Floating(end)) => {
                Self { days: 0, seconds: start.duration_until(*end).as_secs() }
            }
            (Point::Zoned(first, zone), Point::Zoned(last, other)) => {
                let [start, end] = [start, end].map(|point| point.instant(&TimeZone::UTC));
                // A start in a gap lies behind it, an end right after the gap does not: what was meant is on the clock.
                if start > end && first <= last && zone == other {
                    return Self { days: 0, seconds: first.duration_until(*last).as_secs() }.checked();
                }
                Self { days: 0, seconds: start.duration_until(end).as_secs() }
            }
            _ => return Err("`DTSTART` and `DTEND` are of different kinds".to_owned()),
        };
        length.checked()
    }

    /// RFC 5545: days and weeks are days on the calendar, the rest is elapsed time.
    pub(super) fn read(start: &Point, read: &ICalendarDuration) -> Result<Self, String> {
        if read.neg {
            return Err("`DURATION` is negative".to_owned());
        }
        let (weeks, days) = (i64::from(read.weeks), i64::from(read.days));
        let (hours, minutes) = (i64::from(read.hours), i64::from(read.minutes));
        let length = Self { days: weeks * 7 + days, seconds: hours * 3600 + minutes * 60 + i64::from(read.seconds) };
        let length = length.checked()?;
        match start {
            Point::Day(_) if length.seconds % DAY_SECONDS != 0 => {
                Err("`DURATION` of whole days has a part of a day".to_owned())
            }
            Point::Day(_) => Ok(Self { days: (length.days + length.seconds / DAY_SECONDS).max(1), seconds: 0 }),
            _ => Ok(length),
        }
    }

    fn checked(self) -> Result<Self, String> {
        match self.days.saturating_mul(DAY_SECONDS).saturating_add(self.seconds) {
            ..0 => Err("it ends before it starts".to_owned()),
            total if total > MAX_SECONDS => Err("it lasts more than ten years".to_owned()),
            _ => Ok(self),
        }
    }

    /// No less than it lasts, in days.
    pub(super) fn days_at_most(self) -> Span {
        (self.days + self.seconds / DAY_SECONDS + 1).days()
    }

    /// The end of what starts at `start`; what would end after the end of time ends there.
    pub(super) fn end(self, start: &Point) -> Moment {
        let days = self.days.days();
        match start {
            Point::Day(first) => Moment::Day(first.saturating_add(days)),
            Point::Floating(local) => {
                Moment::Floating(local.saturating_add(days).saturating_add(self.seconds.seconds()))
            }
            Point::Zoned(local, zone) => {
                let day = place(local.saturating_add(days), zone).at;
                let end = day.checked_add(self.seconds.seconds()).unwrap_or(day);
                Moment::At(end.to_zoned(zone.clone()))
            }
        }
    }
}

fn days_between(first: Date, after: Date) -> i64 {
    first.duration_until(after).as_secs() / DAY_SECONDS
}

/// Points that name dates of an event: EXDATE, or what RECURRENCE-IDs replace.
#[derive(Debug, Default)]
pub(super) struct Named {
    days: HashSet<Date>,
    /// Local times without zone.
    times: HashSet<DateTime>,
    /// Times in a zone name instants: a local time may be none in the event's own zone, or two.
    instants: HashSet<Timestamp>,
}

impl Named {
    /// The points for events that start as `start` does: on a whole day, or at a time.
    pub(super) fn of<'p>(points: impl Iterator<Item = &'p Point>, start: &Point, floating: &TimeZone) -> Self {
        let mut named = Self::default();
        for point in points {
            match (point, start) {
                (Point::Day(day), _) => {
                    named.days.insert(*day);
                }
                (_, Point::Day(_)) => {
                    named.days.insert(point.local_for(start, floating).date());
                }
                (Point::Floating(local), _) => {
                    named.times.insert(*local);
                }
                (Point::Zoned(..), _) => {
                    named.instants.insert(point.instant(floating));
                }
            }
        }
        named
    }

    /// Whether it names a local time of `zone`.
    pub(super) fn contains(&self, local: DateTime, zone: &TimeZone) -> bool {
        self.times.contains(&local)
            || self.days.contains(&local.date())
            || !self.instants.is_empty() && self.instants.contains(&place(local, zone).at)
    }
}
