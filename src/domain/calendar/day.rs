//! Days as numbers: the day 1970-01-01 is 0. Expansion counts millions of them, and whole numbers need no case for an error.
//!
//! Knows the Gregorian calendar; does not know rules or zones. Invariant: a [`Date`] and its number stand for each other.

use jiff::civil::{Date, Weekday};

/// The first day that a rule may give: 0001-01-01.
pub(super) const FIRST: i32 = -719_162;
/// The last day that a rule may give: 9999-12-31.
pub(super) const LAST: i32 = 2_932_896;

const DAYS_PER_ERA: i32 = 146_097;
const MONTH_LENGTHS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The number of a day.
pub(super) fn number_of(date: Date) -> i32 {
    number(i32::from(date.year()), i32::from(date.month()), i32::from(date.day()))
}

/// The number of a day that is given by year, month (1 to 12) and day of the month.
pub(super) fn number(year: i32, month: i32, day: i32) -> i32 {
    // Years that begin in March end with the leap day; 400 of them are an era.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - 719_468
}

/// The day with this number; numbers outside of what rules may give mean the nearest day inside.
pub(super) fn date_of(number: i32) -> Date {
    let shifted = number.clamp(FIRST, LAST) + 719_468;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i32::from(month <= 2);
    // All three fit, for the number was clamped.
    Date::new(year as i16, month as i8, day as i8).unwrap_or(Date::MAX)
}

/// Days of a month (1 to 12).
pub(super) fn month_length(year: i32, month: i32) -> i32 {
    if month == 2 && is_leap(year) {
        return 29;
    }
    usize::try_from(month - 1).ok().and_then(|index| MONTH_LENGTHS.get(index)).map_or(30, |length| i32::from(*length))
}

/// Days of a year.
pub(super) fn year_length(year: i32) -> i32 {
    365 + i32::from(is_leap(year))
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The day of the week of a day's number: 0 is Monday.
pub(super) fn weekday(number: i32) -> i32 {
    (number + 3).rem_euclid(7)
}

/// The same for a [`Weekday`].
pub(super) fn weekday_number(weekday: Weekday) -> i32 {
    i32::from(weekday.to_monday_zero_offset())
}
