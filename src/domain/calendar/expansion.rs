//! From a rule to its days.
//!
//! Knows days as numbers; does not know single dates, exceptions or shifts. The work is bounded whatever the rule says:
//! periods are skipped by arithmetic, and the calendar has 417,000 weeks and no more.
//! Invariants: days come in order, each once; from wherever one looks, they are the same.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use super::day;
use super::rule::{Frequency, Rule, Until};
use super::zone::place;

mod filter;

use filter::{Filter, MONTHS, Stretch};

/// The days on which a rule falls, from some day on.
pub(super) struct Expansion<'r> {
    rule: &'r Rule,
    filter: Filter<'r>,
    starts: i32,
    /// No day before this one is given, but `COUNT` counts them.
    from: i32,
    /// The last day that may be given.
    last: i32,
    left: Option<u32>,
    /// The period to come: a year, a month since year 0, or the first day of a week. Days are taken by the month, too.
    period: i32,
    step: i32,
    last_period: i32,
    /// The days of the period that is being given.
    stretches: [Stretch; MONTHS],
    filled: usize,
    current: usize,
}

impl<'r> Expansion<'r> {
    /// The days of `rule` from the day number `from` on. The zone says what an `UNTIL` in UTC means; without one it is a
    /// local time.
    pub(super) fn new(rule: &'r Rule, starts: DateTime, from: i32, zone: Option<&TimeZone>) -> Self {
        let first = day::number_of(starts.date()).clamp(day::FIRST, day::LAST);
        let from = from.clamp(first, day::LAST + 1);
        let last = last_day(rule, starts.time(), zone).min(day::LAST);
        let interval = i32::from(rule.interval());
        let step = match rule.frequency() {
            Frequency::Daily => 1,
            Frequency::Weekly => 7 * interval,
            Frequency::Monthly | Frequency::Yearly => interval,
        };
        // What is counted has to be counted from the beginning.
        let wanted = if rule.count().is_some() { first } else { from };
        let first_period = period_at(rule, first);
        let skipped = (period_at(rule, wanted) - first_period).div_euclid(step);
        Self {
            rule,
            filter: Filter::new(rule, starts),
            starts: first,
            from,
            last,
            left: rule.count(),
            period: first_period + skipped * step,
            step,
            last_period: period_at(rule, last),
            stretches: [Stretch::default(); MONTHS],
            filled: 0,
            current: 0,
        }
    }

    /// Ends with this day at the latest.
    pub(super) fn up_to(mut self, day: i32) -> Self {
        self.last = self.last.min(day);
        self.last_period = period_at(self.rule, self.last);
        self
    }

    /// Takes the days of the next period; false if there is none.
    fn fill(&mut self) -> bool {
        if self.period > self.last_period {
            return false;
        }
        let (year, month) = (self.period.div_euclid(12), self.period.rem_euclid(12) + 1);
        (self.current, self.filled) = (0, 1);
        match self.rule.frequency() {
            Frequency::Yearly => {
                self.stretches = self.filter.year(self.period);
                self.filled = MONTHS;
            }
            Frequency::Monthly => self.stretches[0] = self.filter.month(year, month),
            Frequency::Weekly => self.stretches[0] = self.filter.week(self.period),
            Frequency::Daily => self.stretches[0] = self.every_so_many_days(self.filter.month(year, month)),
        }
        if !self.rule.by_set_position().is_empty() {
            self.choose();
        }
        self.period += self.step;
        true
    }

    /// The days of a month that `INTERVAL` reaches.
    fn every_so_many_days(&self, month: Stretch) -> Stretch {
        let interval = i32::from(self.rule.interval());
        let mut reached = Stretch { mask: 0, ..month };
        let mut day = month.first + (self.starts - month.first).rem_euclid(interval);
        while reached.add(day) {
            day += interval;
        }
        Stretch { mask: month.mask & reached.mask, ..month }
    }

    /// `BYSETPOS`. The first week begins with `starts`, as it does for other readers of rules; a day is a period with
    /// one date.
    fn choose(&mut self) {
        let positions = self.rule.by_set_position();
        match self.rule.frequency() {
            Frequency::Daily => {
                let kept = positions.iter().any(|position| position.abs() == 1);
                self.stretches[0].mask *= u32::from(kept);
                return;
            }
            Frequency::Weekly => self.stretches[0].cut_before(self.starts),
            Frequency::Monthly | Frequency::Yearly => {}
        }
        filter::choose(&mut self.stretches[..self.filled], positions);
    }

    fn next_of_period(&mut self) -> Option<i32> {
        while self.current < self.filled {
            if let Some(day) = self.stretches[self.current].pop() {
                return Some(day);
            }
            self.current += 1;
        }
        None
    }
}

impl Iterator for Expansion<'_> {
    type Item = i32;

    fn next(&mut self) -> Option<i32> {
        loop {
            let Some(day) = self.next_of_period() else {
                if self.fill() {
                    continue;
                }
                return None;
            };
            if day < self.starts {
                continue;
            }
            if day > self.last || self.left == Some(0) {
                // For good: nothing can follow.
                self.period = i32::MAX;
                self.filled = 0;
                return None;
            }
            self.left = self.left.map(|left| left - 1);
            if day >= self.from {
                return Some(day);
            }
        }
    }
}

/// The period of a day, in the unit that `Expansion::period` has.
fn period_at(rule: &Rule, number: i32) -> i32 {
    let date = day::date_of(number);
    match rule.frequency() {
        Frequency::Yearly => i32::from(date.year()),
        Frequency::Monthly | Frequency::Daily => i32::from(date.year()) * 12 + i32::from(date.month()) - 1,
        Frequency::Weekly => number - (day::weekday(number) - day::weekday_number(rule.week_start())).rem_euclid(7),
    }
}

/// The last day on which the rule's time of day is not behind `UNTIL`.
fn last_day(rule: &Rule, time: Time, zone: Option<&TimeZone>) -> i32 {
    match (rule.until(), zone) {
        (None, _) => day::LAST,
        (Some(Until::Day(date)), _) => day::number_of(date),
        (Some(Until::Utc(until)), Some(zone)) => last_day_in(zone, until, time),
        (Some(Until::Local(until) | Until::Utc(until)), _) => {
            day::number_of(until.date()) - i32::from(until.time() < time)
        }
    }
}

fn last_day_in(zone: &TimeZone, until: DateTime, time: Time) -> i32 {
    let until = Offset::UTC.to_timestamp(until).unwrap_or(Timestamp::MAX);
    let near = day::number_of(zone.to_datetime(until).date());
    let held = |number: &i32| place(day::date_of(*number).to_datetime(time), zone).at <= until;
    // Zones leave out a whole day at most.
    (near - 2..=near + 1).rev().find(held).unwrap_or(near - 3)
}
