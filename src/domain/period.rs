//! Calendar periods that reports tell of: months, quarters, years; and which of them is to be reported.
//!
//! Knows the calendar of days; what happened in a period is [`summary`]'s. Invariant: periods of one length lie side by side: each
//! begins where the one before ends, in whatever zone.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use super::calendar::zone::place;
use super::inventory::PeriodLength;

pub mod summary;
#[cfg(test)]
mod tests;

/// What [`Period`] is read from, for messages.
pub const PERIOD_RULE: &str = "a month (`2026-11`), a quarter (`2026-Q4`) or a year (`2026`), from 2000 to 2999";

/// A report is not told of by itself later than this after the end of its period: whoever asks for reports in May does not want that
/// of January's quarter. Longer than any month, with the hour by which the clocks may have gone back.
const STILL_NEWS: SignedDuration = SignedDuration::from_hours(32 * 24);

/// A month, quarter or year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    year: i16,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Year,
    /// 1 to 4.
    Quarter(i8),
    /// 1 to 12.
    Month(i8),
}

/// A text that names no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no period")]
pub struct NotAPeriod(pub String);

impl Period {
    /// The period of this length that `day` is in.
    #[must_use]
    pub fn containing(length: PeriodLength, day: Date) -> Self {
        let part = match length {
            PeriodLength::Year => Part::Year,
            PeriodLength::Quarter => Part::Quarter((day.month() + 2) / 3),
            PeriodLength::Month => Part::Month(day.month()),
        };
        Self { year: day.year(), part }
    }

    /// How long it is.
    #[must_use]
    pub fn length(self) -> PeriodLength {
        match self.part {
            Part::Year => PeriodLength::Year,
            Part::Quarter(_) => PeriodLength::Quarter,
            Part::Month(_) => PeriodLength::Month,
        }
    }

    /// The year that it is, or is in.
    #[must_use]
    pub fn year(self) -> i16 {
        self.year
    }

    /// Which of its year: 1 to 4, 1 to 12; 1 for a year.
    #[must_use]
    pub fn number(self) -> i8 {
        match self.part {
            Part::Year => 1,
            Part::Quarter(number) | Part::Month(number) => number,
        }
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> Date {
        let month = match self.part {
            Part::Year => 1,
            Part::Quarter(quarter) => quarter * 3 - 2,
            Part::Month(month) => month,
        };
        date(self.year, month, 1)
    }

    /// The first day of the next one.
    #[must_use]
    pub fn day_after(self) -> Date {
        let first = self.first_day();
        let months = match self.length() {
            PeriodLength::Year => 12,
            PeriodLength::Quarter => 3,
            PeriodLength::Month => 1,
        };
        let month = first.month() + months;
        if month > 12 { date(first.year() + 1, month - 12, 1) } else { date(first.year(), month, 1) }
    }

    /// Its last day.
    #[must_use]
    pub fn last_day(self) -> Date {
        self.day_after().yesterday().unwrap_or(Date::MAX)
    }

    /// The one before it, of the same length.
    #[must_use]
    pub fn before(self) -> Self {
        Self::containing(self.length(), self.first_day().yesterday().unwrap_or(Date::MIN))
    }

    /// Its instants where `zone` is the time: from its first midnight up to, and without, the next one's.
    #[must_use]
    pub fn range(self, zone: &TimeZone) -> Range<Timestamp> {
        let midnight = |day: Date| place(day.at(0, 0, 0, 0), zone).at;
        midnight(self.first_day())..midnight(self.day_after())
    }
}

impl fmt::Display for Period {
    /// As people write it: `2026`, `2026-Q4`, `2026-11`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Year => write!(f, "{:04}", self.year),
            Part::Quarter(quarter) => write!(f, "{:04}-Q{quarter}", self.year),
            Part::Month(month) => write!(f, "{:04}-{month:02}", self.year),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        read(text).ok_or_else(|| NotAPeriod(text.to_owned()))
    }
}

fn read(text: &str) -> Option<Period> {
    let (year, part) = match text.split_once('-') {
        None => (text, Part::Year),
        Some((year, rest)) => (year, read_part(rest)?),
    };
    let year = digits(year, 4)?;
    (2000..3000).contains(&year).then_some(Period { year, part })
}

fn read_part(text: &str) -> Option<Part> {
    match text.strip_prefix(['Q', 'q']) {
        Some(quarter) => i8::try_from(digits(quarter, 1)?).ok().filter(|it| (1..=4).contains(it)).map(Part::Quarter),
        None => i8::try_from(digits(text, 2)?).ok().filter(|it| (1..=12).contains(it)).map(Part::Month),
    }
}

fn digits(text: &str, length: usize) -> Option<i16> {
    let all = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

/// The period whose report a customer is to be told of at `now`: the last that has ended where `zone` is the time. None if it ended too
/// long ago to be news, or before the customer was looked after at all (`since`).
#[must_use]
pub fn due(length: PeriodLength, now: Timestamp, zone: &TimeZone, since: Timestamp) -> Option<Period> {
    let period = Period::containing(length, zone.to_datetime(now).date()).before();
    let end = period.range(zone).end;
    (since < end && now.duration_since(end) <= STILL_NEWS).then_some(period)
}
