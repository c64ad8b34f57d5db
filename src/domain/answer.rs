//! What a customer says to a date or to a report, and until when.
//!
//! Knows which link is for what, when it may still be used, which other date may be asked for, and when silence is reminded of or
//! counts; does not know how a token or a page is made. Invariants: a decision fits its purpose; a code that was tried too often opens
//! nothing; nobody accepts by silence who was not reminded.

use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::calendar::holiday::Region;
use super::calendar::workday::workdays_after;
use super::calendar::zone::place;
use super::line::clean_line;
use super::notification::Kind;
use super::settings::delivery::{Acceptance, Web};

#[cfg(test)]
mod tests;

/// How many codes may be tried on one link: with [`CODE_DIGITS`] digits a guess is right once in 20 million links.
pub const ATTEMPTS: u8 = 5;
/// Digits, because every keyboard has them, in whatever script.
pub const CODE_DIGITS: usize = 8;
/// Longest remark, in characters.
pub const MAX_REMARK: usize = 2000;
/// Longest name of who answers, in characters.
pub const MAX_NAME: usize = 200;
/// How long a report can be read and answered: longer than any time after which it counts as accepted.
const REPORT_LINK_LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To confirm a date, or to ask for another one.
    Confirm,
    /// To read a report, and to accept it or not.
    Report,
}

impl Purpose {
    /// What a link in a message of this kind is for; none: there is nothing to answer.
    #[must_use]
    pub fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Announcement | Kind::Reminder | Kind::Moved => Some(Self::Confirm),
            Kind::Finished | Kind::Failed | Kind::AcceptanceReminder => Some(Self::Report),
            Kind::Cancelled
            | Kind::Started
            | Kind::Missed
            | Kind::PeriodReport
            | Kind::ReviewNeeded
            | Kind::ReviewReminder
            | Kind::RunFailed
            | Kind::Undeliverable
            | Kind::Answer
            | Kind::CapacityShort => None,
        }
    }

    /// The word in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Report => "report",
        }
    }
}

/// When a link that is made `now` expires; a date's with the close of its window.
#[must_use]
pub fn expiry(closes: Option<Timestamp>, now: Timestamp) -> Timestamp {
    closes.unwrap_or_else(|| now.saturating_add(REPORT_LINK_LIFE).unwrap_or(Timestamp::MAX))
}

/// What was said, or what counts as said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The date is right.
    Confirmed,
    /// Another date is asked for; the old one stands until the provider moves it.
    MoveAsked,
    /// The report is accepted.
    Accepted,
    /// It is accepted, and something is to be said.
    AcceptedWithRemarks,
    /// It is not accepted.
    Refused,
    /// Nobody answered in time, and that counts as yes.
    Deemed,
}

impl Decision {
    /// What it answers.
    #[must_use]
    pub fn purpose(self) -> Purpose {
        match self {
            Self::Confirmed | Self::MoveAsked => Purpose::Confirm,
            Self::Accepted | Self::AcceptedWithRemarks | Self::Refused | Self::Deemed => Purpose::Report,
        }
    }

    /// Whether nobody would know what to do without a remark.
    #[must_use]
    pub fn needs_remark(self) -> bool {
        matches!(self, Self::AcceptedWithRemarks | Self::Refused)
    }

    /// The word in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::MoveAsked => "move_asked",
            Self::Accepted => "accepted",
            Self::AcceptedWithRemarks => "accepted_with_remarks",
            Self::Refused => "refused",
            Self::Deemed => "deemed",
        }
    }
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::MoveAsked => "another date asked for",
            Self::AcceptedWithRemarks => "accepted with remarks",
            Self::Deemed => "deemed accepted",
            Self::Confirmed | Self::Accepted | Self::Refused => self.as_str(),
        })
    }
}

/// How an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// By the page behind a link.
    Page,
    /// It was told to a person, who typed it.
    Phone,
    /// The time to answer is over.
    Deadline,
}

impl Via {
    /// The word in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Phone => "phone",
            Self::Deadline => "deadline",
        }
    }
}

/// What a link may be used for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A code may be tried.
    Open,
    /// Too many wrong codes: it shows, and takes no answer.
    Locked,
    /// It is as if it had never been.
    Expired,
}

/// What a link may be used for `now`.
#[must_use]
pub fn access(expires_at: Timestamp, attempts_left: u8, now: Timestamp) -> Access {
    match attempts_left {
        _ if expires_at <= now => Access::Expired,
        0 => Access::Locked,
        _ => Access::Open,
    }
}

/// The code that somebody typed, with whatever people put between digits; none: it can't be one.
#[must_use]
pub fn read_code(typed: &str) -> Option<String> {
    let is_between = |character: char| character.is_whitespace() || matches!(character, '-' | '–' | '.' | '\u{a0}');
    let code: String = typed.chars().filter(|character| !is_between(*character)).collect();
    (code.len() == CODE_DIGITS && code.bytes().all(|byte| byte.is_ascii_digit())).then_some(code)
}

/// A code as it stands in letters: in two groups.
#[must_use]
pub fn write_code(code: &str) -> String {
    let (first, second) = code.split_at_checked(CODE_DIGITS / 2).unwrap_or((code, ""));
    format!("{first} {second}")
}

/// A remark that is longer than [`MAX_REMARK`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a remark has at most {MAX_REMARK} characters, and this has {chars}")]
pub struct RemarkTooLong {
    /// How many it has.
    pub chars: usize,
}

/// What somebody wrote, as harmless lines; none: nothing was said.
///
/// # Errors
/// [`RemarkTooLong`]
pub fn clean_remark(text: &str) -> Result<Option<String>, RemarkTooLong> {
    let lines = text.lines().map(|line| clean_line(line.as_bytes(), text.len()));
    let clean = lines.collect::<Vec<_>>().join("\n");
    let clean = clean.trim();
    match clean.chars().count() {
        0 => Ok(None),
        chars if chars > MAX_REMARK => Err(RemarkTooLong { chars }),
        _ => Ok(Some(clean.to_owned())),
    }
}

/// Which other date may be asked for.
#[derive(Debug, Clone)]
pub struct MoveRules {
    /// How far from the agreed date, in days.
    pub within_days: u16,
    /// How long before its opening, at least.
    pub notice: SignedDuration,
    /// In which the date is agreed.
    pub zone: TimeZone,
}

/// Why a date can't be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WishRefused {
    /// Not of this occurrence, or not any more.
    NotOffered,
    /// It lies outside of these days.
    OutOfSpan {
        /// The first.
        earliest: Date,
        /// The last.
        latest: Date,
    },
    /// It comes too soon.
    TooSoon {
        /// The first instant that does not.
        earliest: Timestamp,
    },
    /// It is the agreed date.
    Same,
}

impl MoveRules {
    /// As the provider has settled it.
    #[must_use]
    pub fn new(web: &Web, zone: TimeZone) -> Self {
        let notice = SignedDuration::from_secs(i64::try_from(web.move_notice_s).unwrap_or(i64::MAX));
        Self { within_days: web.move_within_days, notice, zone }
    }

    /// The days that may be asked for instead of `agreed`; none: there are none.
    #[must_use]
    pub fn span(&self, agreed: DateTime, now: Timestamp) -> Option<RangeInclusive<Date>> {
        let (day, within) = (agreed.date(), i64::from(self.within_days).days());
        let soonest = self.zone.to_datetime(self.soonest(now)).date();
        let earliest = day.saturating_sub(within).max(soonest);
        let latest = day.saturating_add(within);
        (self.within_days > 0 && earliest <= latest).then_some(earliest..=latest)
    }

    /// Whether `wish` may be asked for instead of `agreed`, both local times.
    ///
    /// # Errors
    /// [`WishRefused`]
    pub fn check(&self, wish: DateTime, agreed: DateTime, now: Timestamp) -> Result<(), WishRefused> {
        let span = self.span(agreed, now).ok_or(WishRefused::NotOffered)?;
        if !span.contains(&wish.date()) {
            return Err(WishRefused::OutOfSpan { earliest: *span.start(), latest: *span.end() });
        }
        if place(wish, &self.zone).at < self.soonest(now) {
            return Err(WishRefused::TooSoon { earliest: self.soonest(now) });
        }
        if wish == agreed { Err(WishRefused::Same) } else { Ok(()) }
    }

    fn soonest(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.notice).unwrap_or(Timestamp::MAX)
    }
}

/// A customer's working days, and what silence means.
#[derive(Debug, Clone)]
pub struct Deadlines {
    /// As the provider has settled it.
    pub terms: Acceptance,
    /// The customer's.
    pub zone: TimeZone,
    /// Whose holidays are no working days.
    pub region: Option<Region>,
}

impl Deadlines {
    /// When a customer who was `asked` then is reminded: at the same time of day.
    #[must_use]
    pub fn remind_at(&self, asked: Timestamp) -> Timestamp {
        let local = self.zone.to_datetime(asked);
        let day = workdays_after(local.date(), self.terms.remind_after_workdays, self.region.as_ref());
        place(day.to_datetime(local.time()), &self.zone).at
    }

    /// The day with whose beginning a report counts as accepted; none: it never does. Who is `reminded` has a whole working day left,
    /// whatever was late.
    #[must_use]
    pub fn deemed_on(&self, asked: Timestamp, reminded: Timestamp) -> Option<Date> {
        let days = self.terms.deemed_after_workdays?;
        let after = |at: Timestamp, days: u16| {
            workdays_after(self.zone.to_datetime(at).date(), days, self.region.as_ref()).saturating_add(1.day())
        };
        Some(after(asked, days).max(after(reminded, 1)))
    }

    /// The same as an instant.
    #[must_use]
    pub fn deemed_at(&self, asked: Timestamp, reminded: Timestamp) -> Option<Timestamp> {
        Some(place(self.deemed_on(asked, reminded)?.to_datetime(Time::midnight()), &self.zone).at)
    }
}
