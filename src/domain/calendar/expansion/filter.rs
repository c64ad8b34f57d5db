//! Which days of a month, a week or a year the `BY…` parts of a rule leave.
//!
//! A month is a mask of 31 bits, so that parts of a rule are intersections of masks, and finding a day is counting zeros.

use jiff::civil::DateTime;

use crate::domain::calendar::day;
use crate::domain::calendar::rule::{Frequency, Rule};

/// Months of a year.
pub(super) const MONTHS: usize = 12;
/// The bits of one day of the week in a month that begins with it.
const EVERY_SEVENTH: u32 = 0x1020_4081;

/// A span of at most 31 days: the number of its first day, and a bit for every day that is in.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stretch {
    pub(super) first: i32,
    pub(super) mask: u32,
}

impl Stretch {
    /// Adds a day; false if it does not lie in the span.
    pub(super) fn add(&mut self, day: i32) -> bool {
        match u32::try_from(day - self.first) {
            Ok(bit) if bit < 31 => {
                self.mask |= 1 << bit;
                true
            }
            _ => false,
        }
    }

    /// Takes the first day out.
    pub(super) fn pop(&mut self) -> Option<i32> {
        let bit = self.mask.trailing_zeros();
        self.mask &= self.mask.wrapping_sub(1);
        i32::try_from(bit).ok().filter(|bit| *bit < 32).map(|bit| self.first + bit)
    }

    /// Takes out the days before this one.
    pub(super) fn cut_before(&mut self, day: i32) {
        let passed = u32::try_from(day.saturating_sub(self.first)).unwrap_or(0);
        self.mask &= u32::MAX.checked_shl(passed).unwrap_or(0);
    }
}

/// A year as its months.
type Year = [Stretch; MONTHS];

/// The `BY…` parts of a rule, but for `BYSETPOS`, with what `starts` adds where the rule leaves something open.
pub(super) struct Filter<'r> {
    rule: &'r Rule,
    /// Bit 1 is January; all months if there is no `BYMONTH`.
    months: u16,
    /// `BYMONTHDAY`: bit 0 is the first day; from the end: bit 0 is the last day.
    month_days: u32,
    month_days_from_end: u32,
    /// `BYDAY` without numbers; bit 0 is Monday.
    weekdays: u8,
    /// `BYDAY` with numbers that count within the year.
    counts_in_year: bool,
}

impl<'r> Filter<'r> {
    pub(super) fn new(rule: &'r Rule, starts: DateTime) -> Self {
        let has_numbers = rule.by_day().iter().any(|(ordinal, _)| ordinal.is_some());
        let mut filter = Self {
            rule,
            months: rule.by_month().iter().fold(0, |mask, month| mask | 1 << month),
            month_days: 0,
            month_days_from_end: 0,
            weekdays: 0,
            counts_in_year: has_numbers && rule.frequency() == Frequency::Yearly && rule.by_month().is_empty(),
        };
        for day in rule.by_month_day() {
            let side = if *day > 0 { &mut filter.month_days } else { &mut filter.month_days_from_end };
            *side |= 1 << (day.unsigned_abs() - 1);
        }
        for (_, weekday) in rule.by_day().iter().filter(|(ordinal, _)| ordinal.is_none()) {
            filter.weekdays |= 1 << weekday.to_monday_zero_offset();
        }
        filter.take_from(starts);
        if filter.months == 0 {
            filter.months = u16::MAX;
        }
        filter
    }

    /// What the rule leaves open, `starts` decides.
    fn take_from(&mut self, starts: DateTime) {
        let rule = self.rule;
        let names_days = !(rule.by_day().is_empty()
            && rule.by_month_day().is_empty()
            && rule.by_year_day().is_empty()
            && rule.by_week_number().is_empty());
        if names_days {
            return;
        }
        match rule.frequency() {
            Frequency::Daily => {}
            Frequency::Weekly => self.weekdays = 1 << starts.weekday().to_monday_zero_offset(),
            Frequency::Monthly => self.month_days = 1 << (starts.day() - 1),
            Frequency::Yearly => {
                self.month_days = 1 << (starts.day() - 1);
                if self.months == 0 {
                    self.months = 1 << starts.month();
                }
            }
        }
    }

    /// The days of a month (1 to 12).
    pub(super) fn month(&self, year: i32, month: i32) -> Stretch {
        let length = day::month_length(year, month);
        let mut days = self.days_of_month(day::number(year, month, 1), month, length);
        if days.mask != 0 && !self.rule.by_day().is_empty() {
            days.mask &= self.weekdays_of_month(days.first, length);
        }
        days
    }

    /// `BYMONTH` and `BYMONTHDAY`.
    fn days_of_month(&self, first: i32, month: i32, length: i32) -> Stretch {
        let beyond = 32_u32.saturating_sub(length.unsigned_abs());
        let all = u32::MAX >> beyond;
        let mask = if self.months & (1 << month) == 0 {
            0
        } else if self.month_days | self.month_days_from_end == 0 {
            all
        } else {
            all & (self.month_days | self.month_days_from_end.reverse_bits() >> beyond)
        };
        Stretch { first, mask }
    }

    /// `BYDAY` within a month.
    fn weekdays_of_month(&self, first: i32, length: i32) -> u32 {
        let begin = day::weekday(first);
        let mut days = Stretch { first, mask: 0 };
        let mut weekdays = self.weekdays;
        while weekdays != 0 {
            let weekday = i32::try_from(weekdays.trailing_zeros()).unwrap_or(0);
            days.mask |= EVERY_SEVENTH << (weekday - begin).rem_euclid(7);
            weekdays &= weekdays - 1;
        }
        for day in self.numbered_days(first, length) {
            days.add(day);
        }
        days.mask
    }

    /// `BYDAY` with numbers, within a span.
    fn numbered_days(&self, first: i32, length: i32) -> impl Iterator<Item = i32> {
        let last = first + length - 1;
        self.rule.by_day().iter().filter_map(move |(ordinal, weekday)| {
            let (ordinal, weekday) = (i32::from((*ordinal)?), day::weekday_number(*weekday));
            let day = if ordinal > 0 {
                first + (weekday - day::weekday(first)).rem_euclid(7) + 7 * (ordinal - 1)
            } else {
                last - (day::weekday(last) - weekday).rem_euclid(7) + 7 * (ordinal + 1)
            };
            (first..=last).contains(&day).then_some(day)
        })
    }

    /// The days of the week that begins with `first`.
    pub(super) fn week(&self, first: i32) -> Stretch {
        let begin = day::weekday(first);
        let weekdays = u32::from(self.weekdays);
        let mut days = Stretch { first, mask: (weekdays >> begin | weekdays << (7 - begin)) & 0x7F };
        if !self.rule.by_month().is_empty() {
            let in_month = |bit: &i32| self.months & (1 << day::date_of(first + bit).month()) != 0;
            days.mask &= (0..7).filter(in_month).fold(0, |mask, bit| mask | 1 << bit);
        }
        days
    }

    /// The days of a year.
    pub(super) fn year(&self, year: i32) -> Year {
        let mut first = day::number(year, 1, 1);
        let mut days = [Stretch::default(); MONTHS];
        for (month, stretch) in (1..).zip(&mut days) {
            let length = day::month_length(year, month);
            *stretch = self.days_of_month(first, month, length);
            if stretch.mask != 0 && !self.rule.by_day().is_empty() && !self.counts_in_year {
                stretch.mask &= self.weekdays_of_month(first, length);
            }
            first += length;
        }
        let (first, length) = (days[0].first, day::year_length(year));
        if self.counts_in_year {
            keep(&mut days, |kept| self.add_weekdays(kept, length));
        }
        if !self.rule.by_year_day().is_empty() {
            let days_of_year = self.rule.by_year_day().iter().map(|day| i32::from(*day));
            let numbers = days_of_year.map(|day| if day > 0 { first + day - 1 } else { first + length + day });
            keep(&mut days, |kept| numbers.for_each(|day| add(kept, day)));
        }
        if !self.rule.by_week_number().is_empty() {
            keep(&mut days, |kept| (year - 1..=year + 1).for_each(|year| self.add_weeks(kept, year)));
        }
        days
    }

    /// `BYDAY` where numbers count within the year.
    fn add_weekdays(&self, kept: &mut Year, length: i32) {
        let first = kept[0].first;
        for month in kept.iter_mut() {
            let begin = day::weekday(month.first);
            let on = |weekday: &i32| self.weekdays & (1 << weekday) != 0;
            month.mask |=
                (0..7).filter(on).fold(0, |mask, weekday| mask | EVERY_SEVENTH << (weekday - begin).rem_euclid(7));
        }
        self.numbered_days(first, length).for_each(|day| add(kept, day));
    }

    /// `BYWEEKNO`, as weeks are counted in `year`; their days may lie in the years beside it.
    fn add_weeks(&self, kept: &mut Year, year: i32) {
        let first = self.first_week(year);
        let weeks = (self.first_week(year + 1) - first) / 7;
        for number in self.rule.by_week_number() {
            let number = i32::from(*number);
            let week = if number > 0 { number - 1 } else { weeks + number };
            if (0..weeks).contains(&week) {
                (0..7).for_each(|day| add(kept, first + 7 * week + day));
            }
        }
    }

    /// The first day of week 1: the first week with four days or more in the year.
    fn first_week(&self, year: i32) -> i32 {
        let new_year = day::number(year, 1, 1);
        let passed = (day::weekday(new_year) - day::weekday_number(self.rule.week_start())).rem_euclid(7);
        if passed <= 3 { new_year - passed } else { new_year - passed + 7 }
    }
}

/// Leaves the days that `fill` adds to an empty year.
fn keep(days: &mut Year, fill: impl FnOnce(&mut Year)) {
    let mut kept = days.map(|month| Stretch { mask: 0, ..month });
    fill(&mut kept);
    for (month, kept) in days.iter_mut().zip(kept) {
        month.mask &= kept.mask;
    }
}

/// Adds a day to its month; days of other years are left out.
fn add(year: &mut Year, day: i32) {
    // No month is longer than 31 days, and none so much shorter that it would not be this one or the next.
    let Ok(near) = usize::try_from((day - year[0].first).div_euclid(31)) else { return };
    if let Some(month) = year.iter_mut().skip(near).take(2).rev().find(|month| month.first <= day) {
        month.add(day);
    }
}

/// `BYSETPOS`: leaves the days at these positions.
pub(super) fn choose(stretches: &mut [Stretch], positions: &[i16]) {
    let total: u32 = stretches.iter().map(|stretch| stretch.mask.count_ones()).sum();
    let mut masks = [0; MONTHS];
    for position in positions {
        let from_start = u32::from(position.unsigned_abs());
        let index = if *position > 0 { from_start.checked_sub(1) } else { total.checked_sub(from_start) };
        let Some(mut index) = index.filter(|index| *index < total) else { continue };
        for (stretch, mask) in stretches.iter().zip(&mut masks) {
            let here = stretch.mask.count_ones();
            if index < here {
                *mask |= bit_at(stretch.mask, index);
                break;
            }
            index -= here;
        }
    }
    for (stretch, mask) in stretches.iter_mut().zip(masks) {
        stretch.mask = mask;
    }
}

/// The set bit number `index` of a mask, alone.
fn bit_at(mask: u32, index: u32) -> u32 {
    let rest = (0..index).fold(mask, |rest, _| rest & rest.wrapping_sub(1));
    rest & rest.wrapping_neg()
}
