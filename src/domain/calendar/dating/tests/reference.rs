//! Dating once more, slowly: day by day, from the words of the contract and with none of the engine's arithmetic.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::{ProptestConfig, proptest};
use proptest::prop_assert_eq;

use super::{Agreement, agreements, dates_in, line};
use crate::domain::calendar::recurrence::{Excluded, Given};
use crate::domain::calendar::rule::{Frequency, Rule};
use crate::domain::calendar::shift::Shift;
use crate::domain::calendar::zone::place;
use crate::domain::calendar::{Dated, HolidayRule, Reason, Skip};

/// Beyond the days that the tests ask for, so that every neighbour is there.
const LAST: Date = jiff::civil::date(2031, 1, 1);

struct Reference<'a> {
    agreement: &'a Agreement,
    agreed: Vec<(DateTime, Given)>,
}

impl Reference<'_> {
    fn dates(&self) -> Vec<Dated> {
        let mut dates: Vec<Dated> = self.agreed.iter().map(|(id, given)| self.hold(*id, *given)).collect();
        dates.sort_by_key(|dated| (dated.start, dated.recurrence_id));
        dates.dedup_by_key(|dated| dated.start);
        dates
    }

    fn hold(&self, id: DateTime, given: Given) -> Dated {
        let mut reasons = vec![if given == Given::ByRule { Reason::ByRule } else { Reason::ByDate }];
        if let (Some(shift), Given::ByRule) = (self.agreement.recurrence.shift, given) {
            reasons.push(Reason::Shifted { from: id.date(), by: shift.to_string() });
        }
        let day = self.shifted(id, given);
        let (mut held, mut skip) = (day, None);
        if let Some(reason) = self.frozen(day, id) {
            skip = Some(Skip::Frozen { reason });
        } else if let Some(holiday) = self.holiday(day) {
            match (self.agreement.holiday, self.target(id, given, day)) {
                (HolidayRule::Keep, _) => reasons.push(Reason::KeptOnHoliday { holiday }),
                (HolidayRule::Skip, _) => skip = Some(Skip::Holiday { holiday }),
                (_, None) => skip = Some(Skip::NoAllowedDay { holiday }),
                (_, Some(target)) => {
                    reasons.push(Reason::MovedForHoliday { from: day, holiday });
                    held = target;
                }
            }
        }
        let placed = place(held.to_datetime(id.time()), &self.agreement.zone);
        reasons.extend(placed.note.map(|note| Reason::Dst { note }));
        let end = placed.at + self.duration();
        Dated { recurrence_id: id, local_start: placed.local, start: placed.at, end, reasons, skip }
    }

    fn duration(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::try_from(self.agreement.duration_s).expect("short"))
    }

    fn holiday(&self, day: Date) -> Option<String> {
        self.agreement.region.as_ref().and_then(|region| region.holiday(day))
    }

    fn is_workday(&self, day: Date) -> bool {
        day.weekday().to_monday_one_offset() <= 5 && self.holiday(day).is_none()
    }

    fn frozen(&self, day: Date, id: DateTime) -> Option<String> {
        let start = place(day.to_datetime(id.time()), &self.agreement.zone).at;
        let end = start + self.duration();
        let touching = self.agreement.freezes.iter().find(|freeze| start < freeze.until && freeze.from < end);
        touching.map(|freeze| freeze.reason.clone())
    }

    /// So many days or working days away, a step at a time; only what the rule gives is shifted.
    fn shifted(&self, id: DateTime, given: Given) -> Date {
        let (number, only_workdays) = match (self.agreement.recurrence.shift, given) {
            (None, _) | (_, Given::ByDate) => return id.date(),
            (Some(Shift::Days(number)), _) => (number, false),
            (Some(Shift::Workdays(number)), _) => (number, true),
        };
        let (mut day, mut left) = (id.date(), number.abs());
        while left > 0 {
            day += i64::from(number.signum()).days();
            left -= i16::from(!only_workdays || self.is_workday(day));
        }
        day
    }

    /// The day to which a window goes that would be on the holiday `day`.
    fn target(&self, id: DateTime, given: Given, day: Date) -> Option<Date> {
        let step = match self.agreement.holiday {
            HolidayRule::PreviousWorkday => -1,
            HolidayRule::NextWeek => 7,
            _ => 1,
        };
        let others: Vec<Date> = self.agreed.iter().map(|(id, given)| self.shifted(*id, *given)).collect();
        let mut target = day;
        loop {
            target += i64::from(step).days();
            let is_in_reach = match (&self.agreement.recurrence.rule, given) {
                (Some(rule), Given::ByRule) => {
                    // The period goes along with the shift.
                    let unshifted = target - (day - id.date());
                    self.period(rule, unshifted) == self.period(rule, id.date())
                }
                _ => (target - day).get_days().abs() <= 31,
            };
            let passes = |other: &Date| (*other > day && *other <= target) || (*other < day && *other >= target);
            if !is_in_reach || others.iter().any(passes) {
                return None;
            }
            let fits = if step == 7 { self.holiday(target).is_none() } else { self.is_workday(target) };
            if fits && self.frozen(target, id).is_none() {
                return Some(target);
            }
        }
    }

    /// How many periods lie between `starts` and the day.
    fn period(&self, rule: &Rule, day: Date) -> i32 {
        let starts = self.agreement.recurrence.starts.date();
        let week = |day: Date| {
            let mut first = day;
            while first.weekday() != rule.week_start() {
                first = first.yesterday().expect("in range");
            }
            first
        };
        let months = |day: Date| i32::from(day.year()) * 12 + i32::from(day.month());
        let units = match rule.frequency() {
            Frequency::Daily => (day - starts).get_days(),
            Frequency::Weekly => (week(day) - week(starts)).get_days() / 7,
            Frequency::Monthly => months(day) - months(starts),
            Frequency::Yearly => i32::from(day.year() - starts.year()),
        };
        units.div_euclid(i32::from(rule.interval()))
    }
}

/// The agreed dates in order, each once. What the rule gives is taken from the engine: another oracle looks at that.
fn agreed(agreement: &Agreement) -> Vec<(DateTime, Given)> {
    let recurrence = &agreement.recurrence;
    let until = LAST.to_datetime(jiff::civil::Time::midnight());
    let by_rule: Vec<DateTime> = match &recurrence.rule {
        None => Vec::new(),
        Some(_) => recurrence
            .instances_in(DateTime::MIN, &agreement.zone)
            .filter(|(_, given)| *given == Given::ByRule)
            .map(|(id, _)| id)
            .take_while(|id| *id < until)
            .collect(),
    };
    let alone = recurrence.rule.is_none().then_some(recurrence.starts);
    let by_date = recurrence.rdates.iter().copied().chain(alone).filter(|date| !by_rule.contains(date));
    let is_left_out = |date: &DateTime| {
        recurrence.exdates.contains(&Excluded::Day(date.date())) || recurrence.exdates.contains(&Excluded::At(*date))
    };
    let mut all: Vec<(DateTime, Given)> = by_date.map(|date| (date, Given::ByDate)).collect();
    all.extend(by_rule.iter().map(|date| (*date, Given::ByRule)));
    all.retain(|(date, _)| !is_left_out(date));
    all.sort_by_key(|(date, _)| *date);
    all.dedup();
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dates_are_those_of_the_words(agreement in agreements(), first in 0..500_i64, days in 1..200_i64) {
        let at = |day: i64| Timestamp::from_second(1_767_225_600 + day * 86_400).expect("in range");
        let range = at(first)..at(first + days);
        let reference = Reference { agreed: agreed(&agreement), agreement: &agreement };
        let mut expected = reference.dates();
        expected.retain(|dated| range.contains(&dated.start));
        let found = dates_in(&agreement.terms(), range);
        let lines = |dates: &[Dated]| dates.iter().map(line).collect::<Vec<_>>();
        prop_assert_eq!(lines(&found), lines(&expected));
        prop_assert_eq!(found, expected);
    }
}
