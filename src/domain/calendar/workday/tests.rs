//! Weekends, holidays and changes of the clocks in between.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{one_workday_before, workdays_after};
use crate::domain::calendar::holiday::Region;

#[test]
fn the_working_day_before() {
    let check = |at: &str, region: Option<&str>, expected: &str| {
        let region: Option<Region> = region.map(|name| name.parse().unwrap());
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let found = one_workday_before(at.parse().unwrap(), &zone, region.as_ref());
        assert_eq!(found, expected.parse::<Timestamp>().unwrap(), "before {at}");
    };
    // A Friday, a Monday, a Sunday.
    check("2027-03-12T13:00:00Z", None, "2027-03-11T13:00:00Z");
    check("2027-03-15T13:00:00Z", None, "2027-03-12T13:00:00Z");
    check("2027-03-14T01:00:00Z", None, "2027-03-12T01:00:00Z");
    // The Tuesday after Easter: with holidays it is the Thursday before, and the clocks went forward in between.
    check("2027-03-30T12:00:00Z", None, "2027-03-29T12:00:00Z");
    check("2027-03-30T12:00:00Z", Some("DE-BY"), "2027-03-25T13:00:00Z");
}

#[test]
fn so_many_working_days_after() {
    let check = |day: &str, count: u16, region: Option<&str>, expected: &str| {
        let region: Option<Region> = region.map(|name| name.parse().unwrap());
        let found = workdays_after(day.parse().unwrap(), count, region.as_ref());
        assert_eq!(found, expected.parse::<Date>().unwrap(), "{count} after {day}");
    };
    // A Friday and the Sunday after it.
    check("2027-03-12", 1, None, "2027-03-15");
    check("2027-03-12", 5, None, "2027-03-19");
    check("2027-03-14", 1, None, "2027-03-15");
    check("2027-03-12", 0, None, "2027-03-12");
    // Over Easter: Good Friday and Easter Monday don't count.
    check("2027-03-24", 3, None, "2027-03-29");
    check("2027-03-24", 3, Some("DE-BY"), "2027-03-31");
    check("9999-12-30", 5, None, "9999-12-31");
}
