//! From dates as agreed to dates as held: shift, public holidays, freezes, and what the clocks do; each with its reasons.

use std::cmp::Ordering;
use std::ops::Range;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::day;
use super::holiday::Region;
use super::recurrence::{Given, Recurrence, period_of};
use super::rule::Frequency;
use super::shift::Shift;
use super::zone::{Placed, locate, place};
use super::{Dated, Freeze, FreezeSpan, HolidayRule, Reason, Skip};

/// No move goes further, in days, however long the rule's period is.
const MOST_DAYS: i32 = 366;
/// The same for dates that are named by themselves.
const MOST_DAYS_OF_SINGLE: i32 = 31;

/// All that decides on the dates of a window.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The dates as agreed.
    pub recurrence: &'a Recurrence,
    /// Length in seconds, elapsed time.
    pub duration_s: u64,
    /// What happens on a public holiday.
    pub holiday: HolidayRule,
    /// The zone of the customer.
    pub zone: &'a TimeZone,
    /// Whose public holidays count; none: no day is one.
    pub region: Option<&'a Region>,
    /// When nothing may be open, by the beginning.
    pub freezes: &'a [FreezeSpan],
}

/// The dates whose opening lies in `range`, held or left out: in order, each opening once.
#[must_use]
pub fn date(terms: &Terms<'_>, range: Range<Timestamp>) -> Vec<Dated> {
    let dating = Dating::new(terms);
    let past = dating.past(range.end);
    let instances = dating.instances_before(range.start).take_while(|(id, _)| day::number_of(id.date()) <= past);
    let mut dates: Vec<Dated> = instances.filter_map(|(id, given)| dating.hold(id, given)).collect();
    dates.retain(|dated| range.contains(&dated.start));
    settle(&mut dates);
    dates
}

/// The first `count` dates that open at `from` or later, those that are left out among them.
#[must_use]
pub fn next(terms: &Terms<'_>, from: Timestamp, count: usize) -> Vec<Dated> {
    let dating = Dating::new(terms);
    let mut dates: Vec<Dated> = Vec::new();
    // The last day of agreed dates that may still open before the last of those that are wanted.
    let mut last: Option<i32> = None;
    for (id, given) in dating.instances_before(from) {
        let is_past = |last: i32| day::number_of(id.date()) > last;
        if last.is_some_and(is_past) {
            // Dates that fall together leave fewer, and what was found on the way may lie further out than what is still to come.
            settle(&mut dates);
            last = count.checked_sub(1).and_then(|wanted| dates.get(wanted)).map(|dated| dating.past(dated.start));
            if count == 0 || last.is_some_and(is_past) {
                break;
            }
        }
        dates.extend(dating.hold(id, given).filter(|dated| dated.start >= from));
        if last.is_none() && dates.len() >= count {
            let latest = dates.iter().map(|dated| dated.start).max();
            last = Some(dating.past(latest.unwrap_or(from)));
        }
    }
    settle(&mut dates);
    dates.truncate(count);
    dates
}

/// Freezes of whole days on the time line of a zone, in order.
#[must_use]
pub fn spans(freezes: &[Freeze], zone: &TimeZone) -> Vec<FreezeSpan> {
    let midnight = |date: Date| place(date.to_datetime(Time::midnight()), zone).at;
    let span = |freeze: &Freeze| FreezeSpan {
        from: midnight(freeze.from),
        until: freeze.to.tomorrow().map_or(Timestamp::MAX, midnight),
        reason: freeze.reason.clone(),
    };
    let mut spans: Vec<FreezeSpan> = freezes.iter().map(span).collect();
    spans.sort();
    spans
}

/// In order; what opens at one instant is one date.
fn settle(dates: &mut Vec<Dated>) {
    dates.sort_by_key(|dated| (dated.start, dated.recurrence_id));
    dates.dedup_by_key(|dated| dated.start);
}

/// The terms, and how far from the date that is agreed a window may come to lie.
struct Dating<'a> {
    terms: Terms<'a>,
    /// How many days a shift may reach.
    shift: Reach,
    /// How many days a move off a holiday may reach.
    holiday: Reach,
    /// The length of the longest freeze: only those that begin so long before a window can touch it.
    longest_freeze: SignedDuration,
}

/// Days before and after.
#[derive(Clone, Copy)]
struct Reach {
    before: i32,
    after: i32,
}

impl<'a> Dating<'a> {
    fn new(terms: &Terms<'a>) -> Self {
        let longest_freeze = terms.freezes.iter().map(|freeze| freeze.until.duration_since(freeze.from)).max();
        Self {
            terms: *terms,
            shift: reach_of_shift(terms.recurrence),
            holiday: reach_of_moves(terms),
            longest_freeze: longest_freeze.unwrap_or_default(),
        }
    }

    /// All agreed dates that may open at `from` or later.
    fn instances_before(&self, from: Timestamp) -> impl Iterator<Item = (DateTime, Given)> + use<'a> {
        let Terms { recurrence, zone, .. } = self.terms;
        let day = self.day_of(from) - self.shift.after - self.holiday.after - 1;
        recurrence.instances_in(day::date_of(day).to_datetime(Time::midnight()), zone)
    }

    /// No agreed date after this day can open at `until` or earlier.
    fn past(&self, until: Timestamp) -> i32 {
        self.day_of(until) + self.shift.before + self.holiday.before + 1
    }

    fn day_of(&self, at: Timestamp) -> i32 {
        day::number_of(self.terms.zone.to_datetime(at).date())
    }

    /// What becomes of an agreed date; nothing if it lies outside of the time line, or its end does.
    fn hold(&self, id: DateTime, given: Given) -> Option<Dated> {
        let mut reasons = Vec::with_capacity(1);
        reasons.push(match given {
            Given::ByRule => Reason::ByRule,
            Given::ByDate => Reason::ByDate,
        });
        let day = self.shifted(id, given);
        if let (Given::ByRule, Some(shift)) = (given, self.terms.recurrence.shift) {
            reasons.push(Reason::Shifted { from: id.date(), by: shift.to_string() });
        }
        let mut placed = self.placed(day, id)?;
        let mut skip = self.freeze_over(placed.at).map(|freeze| Skip::Frozen { reason: freeze.reason.clone() });
        if let (None, Some(holiday)) = (&skip, self.holiday_on(day)) {
            match self.off_the_holiday(id, given, day) {
                Off::Stays => reasons.push(Reason::KeptOnHoliday { holiday }),
                Off::Out => skip = Some(Skip::Holiday { holiday }),
                Off::Nowhere => skip = Some(Skip::NoAllowedDay { holiday }),
                Off::To(other) => {
                    reasons.push(Reason::MovedForHoliday { from: day::date_of(day), holiday });
                    placed = self.placed(other, id)?;
                }
            }
        }
        reasons.extend(placed.note.map(|note| Reason::Dst { note }));
        let Placed { at: start, local: local_start, .. } = placed;
        let end = self.end_of(start)?;
        Some(Dated { recurrence_id: id, local_start, start, end, reasons, skip })
    }

    /// The day after the shift.
    fn shifted(&self, id: DateTime, given: Given) -> i32 {
        let day = day::number_of(id.date());
        match (given, self.terms.recurrence.shift) {
            (Given::ByDate, _) | (Given::ByRule, None) => day,
            (Given::ByRule, Some(Shift::Days(days))) => day + i32::from(days),
            (Given::ByRule, Some(Shift::Workdays(days))) => self.workdays_away(day, days),
        }
    }

    fn workdays_away(&self, day: i32, days: i16) -> i32 {
        let step = i32::from(days.signum());
        let furthest = if step > 0 { self.shift.after } else { self.shift.before };
        let workdays = (1..=furthest).map(|distance| day + step * distance).filter(|day| self.is_workday(*day));
        workdays.take(usize::from(days.unsigned_abs())).last().unwrap_or(day)
    }

    /// Where a window goes that would be on a holiday.
    fn off_the_holiday(&self, id: DateTime, given: Given, day: i32) -> Off {
        let (step, furthest) = match self.terms.holiday {
            HolidayRule::Keep => return Off::Stays,
            HolidayRule::Skip => return Off::Out,
            HolidayRule::NextWorkday => (1, self.holiday.after),
            HolidayRule::NextWeek => (7, self.holiday.after),
            HolidayRule::PreviousWorkday => (-1, self.holiday.before),
        };
        let allowed = self.allowed_days(id, given, day);
        let fits = |other: &i32| {
            let free = if step == 7 { self.holiday_on(*other).is_none() } else { self.is_workday(*other) };
            free && self.placed(*other, id).is_some_and(|placed| self.freeze_over(placed.at).is_none())
        };
        let others = (1..=furthest).map(|number| day + step * number);
        others.take_while(|other| allowed.contains(other)).find(fits).map_or(Off::Nowhere, Off::To)
    }

    /// The days on which a window may be that would be on `day`: those of its own period, which goes along with the shift,
    /// between the dates before and after it.
    fn allowed_days(&self, id: DateTime, given: Given, day: i32) -> Range<i32> {
        let recurrence = self.terms.recurrence;
        let (mut first, mut end) = match (&recurrence.rule, given) {
            (Some(rule), Given::ByRule) => {
                let agreed = day::number_of(id.date());
                let period = period_of(rule, recurrence.starts.date(), agreed);
                (period.0 + day - agreed, period.1 + day - agreed)
            }
            _ => (day - MOST_DAYS_OF_SINGLE, day + MOST_DAYS_OF_SINGLE + 1),
        };
        let (shift, holiday) = (self.shift, self.holiday);
        let from = day::date_of(day - holiday.before - shift.after).to_datetime(Time::midnight());
        let until = day + holiday.after + shift.before;
        for (id, given) in recurrence.instances_in(from, self.terms.zone) {
            if day::number_of(id.date()) > until {
                break;
            }
            let other = self.shifted(id, given);
            match other.cmp(&day) {
                Ordering::Less => first = first.max(other + 1),
                Ordering::Equal => {}
                Ordering::Greater => end = end.min(other),
            }
        }
        first..end
    }

    fn placed(&self, day: i32, id: DateTime) -> Option<Placed> {
        let exists = (day::FIRST..=day::LAST).contains(&day);
        exists.then(|| locate(day::date_of(day).to_datetime(id.time()), self.terms.zone)).flatten()
    }

    fn end_of(&self, start: Timestamp) -> Option<Timestamp> {
        start.checked_add(SignedDuration::from_secs(i64::try_from(self.terms.duration_s).ok()?)).ok()
    }

    /// The freeze that a window which opens at `start` would touch.
    fn freeze_over(&self, start: Timestamp) -> Option<&'a FreezeSpan> {
        let end = self.end_of(start).unwrap_or(Timestamp::MAX);
        let freezes = self.terms.freezes;
        let earliest = start.saturating_sub(self.longest_freeze).unwrap_or(Timestamp::MIN);
        let first = freezes.partition_point(|freeze| freeze.from < earliest);
        freezes[first..].iter().take_while(|freeze| freeze.from < end).find(|freeze| start < freeze.until)
    }

    fn holiday_on(&self, day: i32) -> Option<String> {
        self.terms.region.and_then(|region| region.holiday(day::date_of(day)))
    }

    fn is_workday(&self, day: i32) -> bool {
        day::weekday(day) < 5 && self.holiday_on(day).is_none()
    }
}

/// What a holiday does.
enum Off {
    Stays,
    Out,
    To(i32),
    /// It would have to go, and there is no day for it.
    Nowhere,
}

fn reach_of_shift(recurrence: &Recurrence) -> Reach {
    let days = match recurrence.shift {
        None => 0,
        Some(Shift::Days(days)) => i32::from(days),
        // Five of seven days are working days, but for holidays; nowhere are they more than two thirds for long.
        Some(Shift::Workdays(days)) => i32::from(days) * 3 + 31 * i32::from(days.signum()),
    };
    Reach { before: (-days).max(0), after: days.max(0) }
}

fn reach_of_moves(terms: &Terms<'_>) -> Reach {
    let Terms { recurrence, holiday, region, .. } = terms;
    let of_rule = recurrence.rule.as_ref().map_or(0, |rule| {
        let days = match rule.frequency() {
            Frequency::Daily => 1,
            Frequency::Weekly => 7,
            Frequency::Monthly => 31,
            Frequency::Yearly => 366,
        };
        (days * i32::from(rule.interval())).min(MOST_DAYS)
    });
    let single = recurrence.rule.is_none() || !recurrence.rdates.is_empty();
    let days = if single { of_rule.max(MOST_DAYS_OF_SINGLE) } else { of_rule };
    let days = if region.is_some() { days } else { 0 };
    match holiday {
        HolidayRule::Keep | HolidayRule::Skip => Reach { before: 0, after: 0 },
        HolidayRule::NextWorkday | HolidayRule::NextWeek => Reach { before: 0, after: days },
        HolidayRule::PreviousWorkday => Reach { before: days, after: 0 },
    }
}

#[cfg(test)]
mod tests;
