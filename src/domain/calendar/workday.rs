//! Working days: Monday to Friday, no public holiday of the region.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::holiday::Region;
use super::zone::place;

/// Nowhere are there so many days in a row on which nobody works.
const LONGEST_REST: i64 = 40;

/// Whether people work on that day.
#[must_use]
pub fn is_workday(day: Date, region: Option<&Region>) -> bool {
    let rests = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    !rests && region.is_none_or(|region| region.holiday(day).is_none())
}

/// The same time of day on the last working day before `at`.
#[must_use]
pub fn one_workday_before(at: Timestamp, zone: &TimeZone, region: Option<&Region>) -> Timestamp {
    let local = zone.to_datetime(at);
    let mut days = (1..=LONGEST_REST).filter_map(|days| local.checked_sub(days.days()).ok());
    let before = days.find(|before| is_workday(before.date(), region));
    before.map_or(at, |before| place(before, zone).at)
}

/// The last of the first `count` working days after `day`.
#[must_use]
pub fn workdays_after(day: Date, count: u16, region: Option<&Region>) -> Date {
    let mut last = day;
    for _ in 0..count {
        let mut days = (1..=LONGEST_REST).filter_map(|days| last.checked_add(days.days()).ok());
        match days.find(|next| is_workday(*next, region)) {
            Some(next) => last = next,
            // The end of the calendar.
            None => break,
        }
    }
    last
}

#[cfg(test)]
mod tests;
