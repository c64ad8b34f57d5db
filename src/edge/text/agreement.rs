//! What is agreed on a window, in words: "every 3 months on the last Friday, from 2026-03-27, at 14:00 (Europe/Berlin), for 4 hours".
//!
//! Knows rules and the texts under `rule`; sentences are put together of parts that every language has in this order.
//! Invariant: every rule that the calendar accepts can be told; what no idiom fits is told part by part.

use jiff::civil::{Date, DateTime, Weekday};

use self::numbers::{MONTHS, Nth, WEEKDAYS, gender, place};
use super::Error;
use super::reader::Reader;
use crate::domain::calendar::HolidayRule;
use crate::domain::calendar::recurrence::{Excluded, Recurrence};
use crate::domain::calendar::rule::{Frequency, Rule, Until};
use crate::domain::calendar::shift::Shift;

mod numbers;
#[cfg(test)]
pub(super) mod tests;

/// Most single dates that are told; the others are counted.
const SHOWN_DATES: usize = 12;

/// What is agreed on a window.
#[derive(Debug, Clone, Copy)]
pub struct Agreement<'a> {
    /// When it is.
    pub recurrence: &'a Recurrence,
    /// Its length in seconds.
    pub duration_s: u64,
    /// Name of the zone of its times.
    pub time_zone: &'a str,
    /// What happens on a public holiday.
    pub holiday: HolidayRule,
    /// Whose public holidays count (`DE-BY`); none: no day is one.
    pub region: Option<&'a str>,
}

/// One line, without a period at its end.
pub(super) fn explain(agreement: &Agreement<'_>, reader: &Reader<'_>) -> Result<String, Error> {
    let recurrence = agreement.recurrence;
    let starts = recurrence.starts;
    let mut head = Vec::new();
    match &recurrence.rule {
        Some(rule) => {
            head.extend(when(rule, starts, reader)?);
            head.push(reader.text("rule.from", &[("day", &reader.civil_day(starts.date())?)])?);
            if let Some(last) = last_day(rule, starts, reader) {
                head.push(reader.text("rule.until", &[("day", &reader.civil_day(last)?)])?);
            }
        }
        None => {
            head.push(reader.plain("rule.once")?);
            head.push(reader.text("rule.on", &[("day", &reader.civil_day(starts.date())?)])?);
        }
    }
    let time = reader.civil_clock(starts)?;
    head.push(reader.text("rule.at", &[("time", &time), ("zone", agreement.time_zone)])?);
    head.push(reader.text("rule.duration", &[("length", &length(agreement.duration_s, reader)?)])?);
    let mut clauses = vec![head.join(", ")];
    clauses.extend(numbered(recurrence, reader)?);
    clauses.extend(on_holidays(agreement, reader)?);
    clauses.extend(single_dates(recurrence, reader)?);
    Ok(clauses.join("; "))
}

/// The rule itself: how often and on which days; then what limits these.
fn when(rule: &Rule, starts: DateTime, reader: &Reader<'_>) -> Result<Vec<String>, Error> {
    let days = Days::of(rule, starts);
    let mut phrase = vec![frequency(rule, reader)?];
    if !days.months.is_empty() {
        let months = days.months.iter().map(|month| reader.plain(&format!("rule.month.{}", month_key(*month))));
        phrase.push(listed("rule.in_months", months.collect::<Result<_, _>>()?, reader)?);
    }
    let numbers = [
        ("rule.in_weeks", "week", &days.weeks),
        ("rule.on_year_days", "day", &days.year_days),
        ("rule.on_month_days", "day", &days.month_days),
    ];
    let mut limits = Vec::new();
    for (key, kind, numbers) in numbers {
        if numbers.is_empty() {
            continue;
        }
        let names = numbers.iter().map(|number| nth(&format!("rule.{kind}"), Nth::in_digits(*number), reader));
        let told = listed(key, names.collect::<Result<_, _>>()?, reader)?;
        if rule.frequency() == Frequency::Daily { limits.push(told) } else { phrase.push(told) }
    }
    if !days.weekdays.is_empty() {
        let told = weekdays(rule, &days, reader)?;
        if days.weekdays_limit(rule) { limits.push(told) } else { phrase.push(told) }
    }
    let mut parts = vec![phrase.join(" ")];
    for limit in limits {
        parts.push(reader.text("rule.only", &[("days", &limit)])?);
    }
    if !rule.by_set_position().is_empty() {
        let positions = rule.by_set_position().iter();
        let names = positions.map(|position| nth("rule.position", Nth::in_words(*position), reader));
        parts.push(listed("rule.positions", names.collect::<Result<_, _>>()?, reader)?);
    }
    // Where the week begins matters where weeks are counted.
    let counts_weeks = !days.weeks.is_empty() || (rule.frequency() == Frequency::Weekly && rule.interval() > 1);
    if counts_weeks && rule.week_start() != Weekday::Monday {
        let day = plain_weekdays(&[rule.week_start()], reader)?;
        parts.push(reader.text("rule.week_start", &[("day", &day)])?);
    }
    Ok(parts)
}

/// The days that a rule names, and those that it takes from its start.
struct Days {
    months: Vec<i8>,
    weeks: Vec<i16>,
    year_days: Vec<i16>,
    month_days: Vec<i16>,
    weekdays: Vec<(Option<i8>, Weekday)>,
}

impl Days {
    fn of(rule: &Rule, starts: DateTime) -> Self {
        let wide = |numbers: &[i8]| numbers.iter().copied().map(i16::from).collect::<Vec<_>>();
        let mut days = Self {
            months: rule.by_month().to_vec(),
            weeks: wide(rule.by_week_number()),
            year_days: rule.by_year_day().to_vec(),
            month_days: wide(rule.by_month_day()),
            weekdays: rule.by_day().to_vec(),
        };
        if !days.year_days.is_empty() || !days.month_days.is_empty() || !days.weekdays.is_empty() {
            return days;
        }
        match rule.frequency() {
            Frequency::Daily => {}
            Frequency::Weekly => days.weekdays.push((None, starts.weekday())),
            Frequency::Yearly if !days.weeks.is_empty() => days.weekdays.push((None, starts.weekday())),
            Frequency::Monthly => days.month_days.push(i16::from(starts.day())),
            Frequency::Yearly => {
                if days.months.is_empty() {
                    days.months.push(starts.month());
                }
                days.month_days.push(i16::from(starts.day()));
            }
        }
        days
    }

    /// Whether weekdays choose among other days instead of being the days.
    fn weekdays_limit(&self, rule: &Rule) -> bool {
        rule.frequency() == Frequency::Daily || !self.year_days.is_empty() || !self.month_days.is_empty()
    }
}

fn frequency(rule: &Rule, reader: &Reader<'_>) -> Result<String, Error> {
    let unit = match rule.frequency() {
        Frequency::Daily => "day",
        Frequency::Weekly => "week",
        Frequency::Monthly => "month",
        Frequency::Yearly => "year",
    };
    match rule.interval() {
        1 => reader.plain(&format!("rule.every_{unit}")),
        interval => reader.count(&format!("rule.every_{unit}s"), usize::from(interval), &[]),
    }
}

fn weekdays(rule: &Rule, days: &Days, reader: &Reader<'_>) -> Result<String, Error> {
    let plain: Vec<Weekday> = days.weekdays.iter().filter(|(nth, _)| nth.is_none()).map(|(_, day)| *day).collect();
    // In a month or year every such day is meant, unless other parts have chosen the days already.
    let each = rule.frequency() >= Frequency::Monthly && days.weeks.is_empty() && !days.weekdays_limit(rule);
    let is_working_week = plain.len() == 5 && WEEKDAYS[..5].iter().all(|(day, _)| plain.contains(day));
    if plain.len() == days.weekdays.len() && (is_working_week || !each) {
        return plain_weekdays(&plain, reader);
    }
    let one = |(number, day): &(Option<i8>, Weekday)| {
        let weekday = reader.plain(&format!("rule.weekday.{}", weekday_key(*day)))?;
        match number {
            None => reader.text(&format!("rule.every.{}", gender(*day)), &[("weekday", &weekday)]),
            Some(number) => {
                let nth = Nth::in_words(i16::from(*number));
                let values = [("weekday", weekday.as_str()), ("number", nth.digits.as_str())];
                reader.text(&format!("rule.nth.{}.{}", gender(*day), nth.key), &values)
            }
        }
    };
    let told = list(days.weekdays.iter().map(one).collect::<Result<_, _>>()?, reader)?;
    let in_year = rule.frequency() == Frequency::Yearly && days.months.is_empty() && plain.len() < days.weekdays.len();
    if in_year { reader.text("rule.of_year", &[("days", &told)]) } else { Ok(told) }
}

fn plain_weekdays(days: &[Weekday], reader: &Reader<'_>) -> Result<String, Error> {
    let mut days = days.to_vec();
    days.sort_unstable_by_key(|day| day.to_monday_zero_offset());
    days.dedup();
    if days.iter().eq(WEEKDAYS[..5].iter().map(|(day, _)| day)) {
        return reader.plain("rule.monday_to_friday");
    }
    let names = days.iter().map(|day| reader.plain(&format!("rule.weekday_on.{}", weekday_key(*day))));
    listed("rule.on_weekdays", names.collect::<Result<_, _>>()?, reader)
}

fn nth(family: &str, nth: Nth, reader: &Reader<'_>) -> Result<String, Error> {
    reader.text(&format!("{family}.{}", nth.key), &[("number", &nth.digits)])
}

fn weekday_key(day: Weekday) -> &'static str {
    place(&WEEKDAYS, day)
}

fn month_key(month: i8) -> &'static str {
    MONTHS.get(usize::from(month.unsigned_abs()).saturating_sub(1)).copied().unwrap_or(MONTHS[0])
}

/// The last day on which there can be a date: `UNTIL` may end before the time of day.
fn last_day(rule: &Rule, starts: DateTime, reader: &Reader<'_>) -> Option<Date> {
    let last = match rule.until()? {
        Until::Day(day) => return Some(day),
        Until::Local(local) => local,
        Until::Utc(utc) => reader.local(utc),
    };
    let is_over = last.time() < starts.time();
    Some(if is_over { last.date().yesterday().unwrap_or(last.date()) } else { last.date() })
}

fn length(seconds: u64, reader: &Reader<'_>) -> Result<String, Error> {
    let units = [("rule.hours", seconds / 3600), ("rule.minutes", seconds / 60 % 60), ("rule.seconds", seconds % 60)];
    let told = units.into_iter().filter(|(_, number)| *number > 0);
    let told = told.map(|(key, number)| reader.count(key, usize::try_from(number).unwrap_or(usize::MAX), &[]));
    let told: Vec<String> = told.collect::<Result<_, _>>()?;
    if told.is_empty() { reader.count("rule.seconds", 0, &[]) } else { list(told, reader) }
}

/// How many dates, and how far from where the rule puts them.
fn numbered(recurrence: &Recurrence, reader: &Reader<'_>) -> Result<Vec<String>, Error> {
    let mut clauses = Vec::new();
    if let Some(count) = recurrence.rule.as_ref().and_then(Rule::count) {
        clauses.push(reader.count("rule.dates", usize::try_from(count).unwrap_or(usize::MAX), &[])?);
    }
    if let Some(shift) = recurrence.shift {
        let (unit, number) = match shift {
            Shift::Days(number) => ("days", number),
            Shift::Workdays(number) => ("workdays", number),
        };
        let direction = if number < 0 { "earlier" } else { "later" };
        let number = usize::from(number.unsigned_abs());
        clauses.push(reader.count(&format!("rule.{unit}_{direction}"), number, &[])?);
    }
    Ok(clauses)
}

fn on_holidays(agreement: &Agreement<'_>, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let Some(region) = agreement.region else { return Ok(None) };
    let key = match agreement.holiday {
        HolidayRule::Keep => "rule.holiday.keep",
        HolidayRule::Skip => "rule.holiday.skip",
        HolidayRule::NextWorkday => "rule.holiday.next_workday",
        HolidayRule::PreviousWorkday => "rule.holiday.previous_workday",
        HolidayRule::NextWeek => "rule.holiday.next_week",
    };
    reader.text(key, &[("region", region)]).map(Some)
}

/// Dates that are left out, and dates beside the rule.
fn single_dates(recurrence: &Recurrence, reader: &Reader<'_>) -> Result<Vec<String>, Error> {
    let moment = |local: &DateTime| {
        let (day, time) = (reader.civil_day(local.date())?, reader.civil_clock(*local)?);
        // The time is said where it is not the usual one.
        if local.time() == recurrence.starts.time() {
            return Ok(day);
        }
        reader.text("rule.date_time", &[("day", &day), ("time", &time)])
    };
    let excluded = |excluded: &Excluded| match excluded {
        Excluded::Day(day) => reader.civil_day(*day),
        Excluded::At(local) => moment(local),
    };
    let mut clauses = Vec::new();
    let never: Vec<String> = recurrence.exdates.iter().take(SHOWN_DATES).map(excluded).collect::<Result<_, Error>>()?;
    let also: Vec<String> = recurrence.rdates.iter().take(SHOWN_DATES).map(moment).collect::<Result<_, Error>>()?;
    // What is left out is named as the rule gives it: with a shift no window would have opened on that day.
    let never_key = if recurrence.shift.is_some() { "rule.never_before_shift" } else { "rule.never" };
    let all = [(never_key, never, recurrence.exdates.len()), ("rule.also", also, recurrence.rdates.len())];
    for (key, dates, number) in all.into_iter().filter(|(_, dates, _)| !dates.is_empty()) {
        let mut told = dates.join(", ");
        if number > SHOWN_DATES {
            told = reader.count("rule.more", number - SHOWN_DATES, &[("list", &told)])?;
        }
        clauses.push(reader.text(key, &[("list", &told)])?);
    }
    Ok(clauses)
}

fn listed(key: &str, names: Vec<String>, reader: &Reader<'_>) -> Result<String, Error> {
    reader.text(key, &[("list", &list(names, reader)?)])
}

/// `a, b and c`.
fn list(names: Vec<String>, reader: &Reader<'_>) -> Result<String, Error> {
    let last = names.len().saturating_sub(1);
    let mut told = String::new();
    for (index, name) in names.into_iter().enumerate() {
        told = match index {
            0 => name,
            _ if index == last => reader.text("rule.list.and", &[("first", &told), ("last", &name)])?,
            _ => reader.text("rule.list.comma", &[("first", &told), ("last", &name)])?,
        };
    }
    Ok(told)
}
