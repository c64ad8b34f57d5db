//! Recurrence rules (RFC 5545 section 3.3.10) of days: what they say, without yet asking on which days that falls.
//!
//! Knows the form of rules and which of their parts may stand together; does not know dates, zones or files.
//! Invariants: a [`Rule`] in hand keeps to the RFC and gives one time a day at most; numbers are in their ranges.

use jiff::civil::{Date, DateTime, Weekday};

mod parse;

/// More dates than this are counted by nobody.
pub const MAX_COUNT: u32 = 10_000;

/// How often a rule begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequency {
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
    /// Every year.
    Yearly,
}

/// The last moment at which a date of a rule may lie; it is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// A whole day.
    Day(Date),
    /// A local time.
    Local(DateTime),
    /// An instant, as a civil time in UTC. Where no zone is known it is taken as a local time.
    Utc(DateTime),
}

/// A rule such as `FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    text: String,
    frequency: Frequency,
    interval: u16,
    count: Option<u32>,
    until: Option<Until>,
    by_month: Vec<i8>,
    by_month_day: Vec<i8>,
    by_year_day: Vec<i16>,
    by_week_number: Vec<i8>,
    by_day: Vec<(Option<i8>, Weekday)>,
    by_set_position: Vec<i16>,
    week_start: Weekday,
}

/// Takes a part out of a rule.
type Clear = fn(&mut Rule);

/// What is wrong with a rule, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct RuleError {
    /// Where in the rule's text, in bytes.
    pub offset: usize,
    /// What is wrong, with the value.
    pub what: String,
    /// What would be right.
    pub expected: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl RuleError {
    /// Something that is wrong at a byte of the rule.
    pub(super) fn at(offset: usize, what: impl Into<String>) -> Self {
        Self { offset, what: what.into(), expected: None, hint: None }
    }

    /// Adds what would be right.
    pub(super) fn expected(self, expected: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }

    /// Adds what to do.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// What is wrong with the first part that is wrong.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        parse::parse(text)
    }

    /// The rule as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `FREQ`.
    #[must_use]
    pub fn frequency(&self) -> Frequency {
        self.frequency
    }

    /// `INTERVAL`: every so many days, weeks, months or years; at least 1.
    #[must_use]
    pub fn interval(&self) -> u16 {
        self.interval
    }

    /// `COUNT`: how many dates there are in all; 1 to [`MAX_COUNT`].
    #[must_use]
    pub fn count(&self) -> Option<u32> {
        self.count
    }

    /// `UNTIL`.
    #[must_use]
    pub fn until(&self) -> Option<Until> {
        self.until
    }

    /// `BYMONTH`: 1 to 12.
    #[must_use]
    pub fn by_month(&self) -> &[i8] {
        &self.by_month
    }

    /// `BYMONTHDAY`: 1 to 31, or -1 (the last) to -31.
    #[must_use]
    pub fn by_month_day(&self) -> &[i8] {
        &self.by_month_day
    }

    /// `BYYEARDAY`: 1 to 366, or -1 (the last) to -366.
    #[must_use]
    pub fn by_year_day(&self) -> &[i16] {
        &self.by_year_day
    }

    /// `BYWEEKNO`: 1 to 53, or -1 (the last) to -53.
    #[must_use]
    pub fn by_week_number(&self) -> &[i8] {
        &self.by_week_number
    }

    /// `BYDAY`: days of the week; with a number (1 to 53, -1 is the last) in months and years.
    #[must_use]
    pub fn by_day(&self) -> &[(Option<i8>, Weekday)] {
        &self.by_day
    }

    /// `BYSETPOS`: which of the dates of a period, 1 to 366, or -1 (the last) to -366.
    #[must_use]
    pub fn by_set_position(&self) -> &[i16] {
        &self.by_set_position
    }

    /// `WKST`: the first day of the week.
    #[must_use]
    pub fn week_start(&self) -> Weekday {
        self.week_start
    }

    /// The parts beside `FREQ` that say which dates there are, in the order of the text, each with the rule that is without it.
    pub(super) fn without_each_part(&self) -> Vec<(&'static str, Self)> {
        let clears: [(&'static str, Clear); 7] = [
            ("INTERVAL", |rule| rule.interval = 1),
            ("BYMONTH", |rule| rule.by_month.clear()),
            ("BYMONTHDAY", |rule| rule.by_month_day.clear()),
            ("BYYEARDAY", |rule| rule.by_year_day.clear()),
            ("BYWEEKNO", |rule| rule.by_week_number.clear()),
            ("BYDAY", |rule| rule.by_day.clear()),
            ("BYSETPOS", |rule| rule.by_set_position.clear()),
        ];
        let less = |(part, clear): (&'static str, Clear)| {
            let mut rule = self.clone();
            clear(&mut rule);
            (rule != *self).then_some((part, rule))
        };
        let mut parts: Vec<_> = clears.into_iter().filter_map(less).collect();
        parts.sort_by_key(|(part, _)| self.offset_of(part));
        parts
    }

    /// The rule without its end.
    pub(super) fn without_end(&self) -> Self {
        Self { count: None, until: None, ..self.clone() }
    }

    /// Where a part begins in the text, in bytes; the beginning if the part is not there.
    pub(super) fn offset_of(&self, part: &str) -> usize {
        let mut offset = 0;
        for piece in self.text.split(';') {
            if piece.split_once('=').is_some_and(|(name, _)| name.eq_ignore_ascii_case(part)) {
                return offset;
            }
            offset += piece.len() + 1;
        }
        0
    }
}

#[cfg(test)]
mod tests;
