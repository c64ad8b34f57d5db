//! From agreed rules to dates: when a window opens, and why just then.
//!
//! Knows rules, time zones, public holidays and freezes; does not know customers, files or, but for [`changes`], what has become of
//! an occurrence.
//! Invariants: a date that a rule gives is either held or left out, and either way says why; the same question has the
//! same answer whatever the range that it is asked in.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};

use super::id::Name;

pub mod changes;
pub mod collision;
pub mod dating;
mod day;
mod expansion;
pub mod holiday;
pub mod recurrence;
pub mod rule;
pub mod shift;
pub mod workday;
pub mod zone;

/// What happens to a date that is a public holiday.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HolidayRule {
    /// It stays.
    #[default]
    Keep,
    /// It is left out.
    Skip,
    /// The next working day.
    NextWorkday,
    /// The working day before.
    PreviousWorkday,
    /// A week later.
    NextWeek,
}

/// A span in which nothing starts; both days are inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Why; shown where a window is skipped.
    pub reason: String,
}

/// A calendar file whose events are freezes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarFreeze {
    /// The file's stem: `NAME` of `calendars/NAME.ics`.
    pub name: Name,
    /// Why; absent: each event's own summary.
    pub reason: Option<String>,
}

/// A freeze on the time line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FreezeSpan {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// A public holiday.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holiday {
    /// The day.
    pub date: Date,
    /// Its name in the country's own language.
    pub name: String,
}

/// What the clocks of a zone do to a local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DstNote {
    /// The local time does not exist that day: the offset before the gap applies, which is a later time on the wall.
    Gap,
    /// The local time exists twice that day: the first one is meant.
    DoubleHour,
}

/// Why a date is the date that it is. An occurrence has one or more, in the order in which they came to bear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Reason {
    /// The rule gives it.
    ByRule,
    /// It is named by itself: a one-off window, or an RDATE.
    ByDate,
    /// The window's `shift` moved it away from the date that the rule gives.
    Shifted {
        /// The rule's date.
        from: Date,
        /// The shift as it is written (`+2 workdays`).
        by: String,
    },
    /// A public holiday moved it.
    MovedForHoliday {
        /// Where it would have been.
        from: Date,
        /// The holiday's name.
        holiday: String,
    },
    /// It is a public holiday, and stays.
    KeptOnHoliday {
        /// The holiday's name.
        holiday: String,
    },
    /// The clocks change that day.
    Dst {
        /// How.
        note: DstNote,
    },
    /// A person moved it.
    MovedByPerson {
        /// Where it was: local time.
        from: DateTime,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
}

/// Why a date is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "skipped", rename_all = "snake_case")]
pub enum Skip {
    /// A public holiday, and the window says `skip`.
    Holiday {
        /// The holiday's name.
        holiday: String,
    },
    /// A public holiday, and no allowed day within the window's own period.
    NoAllowedDay {
        /// The holiday's name.
        holiday: String,
    },
    /// Some of the window lies in a freeze.
    Frozen {
        /// The freeze's reason.
        reason: String,
    },
}

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Holiday { holiday } => write!(f, "holiday: {holiday}"),
            Self::NoAllowedDay { holiday } => write!(f, "holiday without an allowed day nearby: {holiday}"),
            Self::Frozen { reason } => write!(f, "frozen: {reason}"),
        }
    }
}

/// One date of a window, held or left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// The local time that the rule (or the RDATE) gives, before shift and moves: names the date for good, as RECURRENCE-ID does.
    pub recurrence_id: DateTime,
    /// Local time of the opening; in a gap the time on the wall that results.
    pub local_start: DateTime,
    /// The opening.
    pub start: Timestamp,
    /// The close: `start` and the window's duration, as elapsed time.
    pub end: Timestamp,
    /// Why this date.
    pub reasons: Vec<Reason>,
    /// Set if it is left out.
    pub skip: Option<Skip>,
}
