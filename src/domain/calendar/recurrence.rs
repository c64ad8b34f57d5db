//! All dates of a window as they are agreed: what the rule gives, single dates beside it, without the exceptions.
//!
//! Knows civil time only; zones, holidays and freezes come later. Invariants: dates come in order, each once; the same
//! date is there whatever moment one looks from.

use std::iter::Peekable;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::day;
use super::expansion::Expansion;
use super::rule::{Frequency, Rule, RuleError};
use super::shift::Shift;

/// A rule that leaves more years than this without a date is a mistake.
const LONGEST_GAP_DAYS: i32 = 30 * 366;
/// How many gaps between dates are looked at.
const CHECKED_DATES: usize = 64;

/// A date that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excluded {
    /// Whatever is on this day.
    Day(Date),
    /// What is at this local time.
    At(DateTime),
}

/// Where a date comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// From the rule.
    ByRule,
    /// It is named by itself.
    ByDate,
}

/// When a window is, in the local time of its zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    /// Where the rule begins, and the time of day of its dates. It is a date itself only if the rule gives it.
    pub starts: DateTime,
    /// The rule; without it `starts` is the only date, but for `rdates`.
    pub rule: Option<Rule>,
    /// Dates that are left out.
    pub exdates: Vec<Excluded>,
    /// Dates beside the rule.
    pub rdates: Vec<DateTime>,
    /// How far windows lie from the dates that the rule gives; `rdates` and a `starts` without rule stay.
    pub shift: Option<Shift>,
}

impl Recurrence {
    /// A single date.
    #[must_use]
    pub fn once(starts: DateTime) -> Self {
        Self { starts, rule: None, exdates: Vec::new(), rdates: Vec::new(), shift: None }
    }

    /// Whether the rule gives dates, at least one in 30 years; an `UNTIL` in UTC is taken as a local time.
    ///
    /// # Errors
    /// Why it does not; the place is in the text of the rule.
    pub fn check(&self) -> Result<(), RuleError> {
        self.rule.as_ref().map_or(Ok(()), |rule| check(rule, self.starts, None))
    }

    /// [`Recurrence::check`] in a zone, which decides what an `UNTIL` in UTC means.
    ///
    /// # Errors
    /// Why the rule gives no dates; the place is in the text of the rule.
    pub fn check_in(&self, zone: &TimeZone) -> Result<(), RuleError> {
        self.rule.as_ref().map_or(Ok(()), |rule| check(rule, self.starts, Some(zone)))
    }

    /// The dates from a local time on, in order, each once, before any shift; an `UNTIL` in UTC is taken as a local time.
    pub fn instances(&self, from: DateTime) -> impl Iterator<Item = (DateTime, Given)> + '_ {
        Instances::new(self, from, None)
    }

    /// [`Recurrence::instances`] in a zone, which decides what an `UNTIL` in UTC means.
    pub fn instances_in<'a>(
        &'a self,
        from: DateTime,
        zone: &'a TimeZone,
    ) -> impl Iterator<Item = (DateTime, Given)> + use<'a> {
        Instances::new(self, from, Some(zone))
    }
}

fn check(rule: &Rule, starts: DateTime, zone: Option<&TimeZone>) -> Result<(), RuleError> {
    match find_gap(rule, starts, zone) {
        None => Ok(()),
        // What gives no date without its end either has nothing to do with the end.
        Some(Gap::First) if rule.until().is_some() && find_gap(&rule.without_end(), starts, zone).is_none() => {
            Err(RuleError::at(rule.offset_of("UNTIL"), "the rule ends before its first date")
                .expected("an `UNTIL` behind `starts`, and a date between them"))
        }
        Some(gap) => Err(sparse(rule, starts, gap)),
    }
}

/// Where a rule has no date for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// There is no first date.
    First,
    /// After this day.
    After(i32),
}

fn find_gap(rule: &Rule, starts: DateTime, zone: Option<&TimeZone>) -> Option<Gap> {
    let first = day::number_of(starts.date());
    // Far enough to see the gap behind each date of the first 30 years.
    let horizon = first.saturating_add(2 * LONGEST_GAP_DAYS + 1);
    let mut last = None;
    let mut number = 0;
    let gap_after = |last: Option<i32>| Some(last.map_or(Gap::First, Gap::After));
    for found in Expansion::new(rule, starts, first, zone).up_to(horizon).take(CHECKED_DATES) {
        if found - last.unwrap_or(first) > LONGEST_GAP_DAYS {
            return gap_after(last);
        }
        if found - first > LONGEST_GAP_DAYS {
            return None;
        }
        last = Some(found);
        number += 1;
    }
    let ends = rule.count() == u32::try_from(number).ok() || rule.until().is_some();
    // The calendar ends, too: what lies close to its end has no successors that could be missed.
    let is_close_to_the_end = |last: i32| day::LAST - last <= LONGEST_GAP_DAYS;
    match last {
        Some(last) if number == CHECKED_DATES || ends || is_close_to_the_end(last) => None,
        _ => gap_after(last),
    }
}

fn sparse(rule: &Rule, starts: DateTime, gap: Gap) -> RuleError {
    let what = match gap {
        Gap::First => "the rule gives no date within 30 years after `starts`".to_owned(),
        Gap::After(last) => format!("the rule gives no date within 30 years after {}", day::date_of(last)),
    };
    let offset = culprit(rule, starts).map_or(0, |part| rule.offset_of(part));
    RuleError::at(offset, what).expected("a rule that gives a date in 30 years at least")
}

/// The part without which the rule would give dates: the last such `BY` part, or else `INTERVAL`.
fn culprit(rule: &Rule, starts: DateTime) -> Option<&'static str> {
    let endless = rule.without_end();
    let gives_dates = |without: &Rule| find_gap(without, starts, None).is_none();
    let (intervals, choosing): (Vec<_>, Vec<_>) =
        endless.without_each_part().into_iter().partition(|(part, _)| *part == "INTERVAL");
    intervals.into_iter().chain(choosing).rev().find(|(_, without)| gives_dates(without)).map(|(part, _)| part)
}

/// The rule's dates and the single ones, merged.
struct Instances<'a> {
    by_rule: Option<Expansion<'a>>,
    /// The next date of the rule.
    ahead: Option<DateTime>,
    by_date: Peekable<std::vec::IntoIter<DateTime>>,
    excluded: Vec<Excluded>,
    time: Time,
}

impl<'a> Instances<'a> {
    fn new(recurrence: &'a Recurrence, from: DateTime, zone: Option<&TimeZone>) -> Self {
        let Recurrence { starts, rule, exdates, rdates, .. } = recurrence;
        // A rule gives one time of day: on the first day it may already be over.
        let over = i32::from(starts.time() < from.time());
        let first = day::number_of(from.date()).saturating_add(over);
        let by_rule = rule.as_ref().map(|rule| Expansion::new(rule, *starts, first, zone));
        let alone = rule.is_none().then_some(*starts);
        let mut by_date: Vec<DateTime> = rdates.iter().copied().chain(alone).filter(|date| *date >= from).collect();
        by_date.sort_unstable();
        by_date.dedup();
        let mut excluded = exdates.clone();
        excluded.sort_unstable();
        let by_date = by_date.into_iter().peekable();
        let mut instances = Self { by_rule, ahead: None, by_date, excluded, time: starts.time() };
        instances.advance();
        instances
    }

    fn advance(&mut self) {
        let day = self.by_rule.as_mut().and_then(Iterator::next);
        self.ahead = day.map(|day| day::date_of(day).to_datetime(self.time));
    }

    fn is_excluded(&self, date: DateTime) -> bool {
        !self.excluded.is_empty()
            && (self.excluded.binary_search(&Excluded::Day(date.date())).is_ok()
                || self.excluded.binary_search(&Excluded::At(date)).is_ok())
    }

    fn pop(&mut self) -> Option<(DateTime, Given)> {
        let single = self.by_date.peek().copied();
        match (self.ahead, single) {
            (None, None) => None,
            (None, Some(_)) => self.by_date.next().map(|date| (date, Given::ByDate)),
            (Some(date), Some(single)) if single < date => self.by_date.next().map(|date| (date, Given::ByDate)),
            (Some(date), single) => {
                if single == Some(date) {
                    self.by_date.next();
                }
                self.advance();
                Some((date, Given::ByRule))
            }
        }
    }
}

impl Iterator for Instances<'_> {
    type Item = (DateTime, Given);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (date, given) = self.pop()?;
            if !self.is_excluded(date) {
                return Some((date, given));
            }
        }
    }
}

/// The days of the rule's period that `day` lies in: its first and the first after it. Periods are counted from `starts`.
pub(super) fn period_of(rule: &Rule, starts: Date, day: i32) -> (i32, i32) {
    let interval = i32::from(rule.interval());
    let starts_day = day::number_of(starts);
    let floor = |from_start: i32| from_start.div_euclid(interval) * interval;
    match rule.frequency() {
        Frequency::Daily => {
            let first = starts_day + floor(day - starts_day);
            (first, first + interval)
        }
        Frequency::Weekly => {
            let week_start = day::weekday_number(rule.week_start());
            let first_week = starts_day - (day::weekday(starts_day) - week_start).rem_euclid(7);
            let first = first_week + 7 * floor((day - first_week).div_euclid(7));
            (first, first + 7 * interval)
        }
        Frequency::Monthly => {
            let months = |date: Date| i32::from(date.year()) * 12 + i32::from(date.month()) - 1;
            let first = months(starts) + floor(months(day::date_of(day)) - months(starts));
            let begin = |month: i32| day::number(month.div_euclid(12), month.rem_euclid(12) + 1, 1);
            (begin(first), begin(first + interval))
        }
        Frequency::Yearly => {
            let first =
                i32::from(starts.year()) + floor(i32::from(day::date_of(day).year()) - i32::from(starts.year()));
            (day::number(first, 1, 1), day::number(first + interval, 1, 1))
        }
    }
}

#[cfg(test)]
mod tests;
