//! Weekends, holidays and changes of the clocks in between.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::one_workday_before;
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
