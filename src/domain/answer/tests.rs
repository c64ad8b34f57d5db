//! Codes as people type them, dates that may be asked for, silence in working days.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Access, Deadlines, MAX_REMARK, MoveRules, WishRefused, access, clean_remark, read_code, write_code};
use crate::domain::settings::delivery::Acceptance;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn local(text: &str) -> DateTime {
    text.parse().unwrap()
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

#[test]
fn a_code_is_read_as_people_type_it() {
    let check = |typed: &str, expected: Option<&str>| assert_eq!(read_code(typed).as_deref(), expected, "{typed:?}");
    check("12345678", Some("12345678"));
    check(" 1234 5678\t", Some("12345678"));
    check("1234-5678", Some("12345678"));
    check("1234\u{a0}5678", Some("12345678"));
    check("1234567", None);
    check("123456789", None);
    check("1234567a", None);
    check("１２３４５６７８", None);
    check("", None);
    check(&"1".repeat(100_000), None);
    assert_eq!(read_code(&write_code("00420815")).as_deref(), Some("00420815"));
    assert_eq!(write_code("00420815"), "0042 0815");
}

#[test]
fn a_link_is_open_until_it_expires_or_is_locked() {
    let expires = at("2027-03-26T17:00:00Z");
    let check =
        |now: &str, attempts_left, expected| assert_eq!(access(expires, attempts_left, at(now)), expected, "{now}");
    check("2027-03-26T16:59:59Z", 1, Access::Open);
    check("2027-03-26T16:59:59Z", 0, Access::Locked);
    check("2027-03-26T17:00:00Z", 1, Access::Expired);
    check("2027-03-26T17:00:00Z", 0, Access::Expired);
}

#[test]
fn a_remark_becomes_harmless_lines() {
    let check = |text: &str, expected: Option<&str>| {
        assert_eq!(clean_remark(text).unwrap().as_deref(), expected, "{text:?}");
    };
    check("", None);
    check(" \r\n\t\u{202e}\n", None);
    check("all well", Some("all well"));
    check("first \r\nsecond\r\n\r\nthird", Some("first\nsecond\n\nthird"));
    check("\u{1b}[31mred\u{202e}dlo\u{0}", Some("reddlo"));
    // Markup is a matter of whoever shows it.
    check("<b>&</b>", Some("<b>&</b>"));
    let longest = "ü".repeat(MAX_REMARK);
    check(&longest, Some(&longest));
    assert_eq!(clean_remark(&format!("{longest}!")).unwrap_err().chars, MAX_REMARK + 1);
}

#[test]
fn another_date_lies_near_the_agreed_one_and_not_too_soon() {
    let rules = MoveRules { within_days: 14, notice: SignedDuration::from_hours(72), zone: berlin() };
    let agreed = local("2027-03-26T14:00");
    let check = |now: &str, wish: &str, expected: Result<(), WishRefused>| {
        assert_eq!(rules.check(local(wish), agreed, at(now)), expected, "{wish} at {now}");
    };
    let span = |earliest: &str, latest: &str| {
        let day = |text: &str| text.parse::<Date>().unwrap();
        Err(WishRefused::OutOfSpan { earliest: day(earliest), latest: day(latest) })
    };
    check("2027-03-01T09:00:00Z", "2027-03-12T08:00", Ok(()));
    check("2027-03-01T09:00:00Z", "2027-04-09T23:59", Ok(()));
    check("2027-03-01T09:00:00Z", "2027-03-11T14:00", span("2027-03-12", "2027-04-09"));
    check("2027-03-01T09:00:00Z", "2027-04-10T00:00", span("2027-03-12", "2027-04-09"));
    check("2027-03-01T09:00:00Z", "2027-03-26T14:00", Err(WishRefused::Same));
    check("2027-03-01T09:00:00Z", "2027-03-26T15:00", Ok(()));
    // Three days before: what is left begins on the 26th at 10:30, Berlin time.
    let soon = "2027-03-23T09:30:00Z";
    check(soon, "2027-03-25T14:00", span("2027-03-26", "2027-04-09"));
    check(soon, "2027-03-26T10:29", Err(WishRefused::TooSoon { earliest: at("2027-03-26T09:30:00Z") }));
    check(soon, "2027-03-26T10:30", Ok(()));
    // So late that no day is left, and a provider who offers none.
    check("2027-04-08T09:30:00Z", "2027-04-09T14:00", Err(WishRefused::NotOffered));
    let never = MoveRules { within_days: 0, ..rules.clone() };
    let early = at("2027-03-01T09:00:00Z");
    assert_eq!(never.check(local("2027-03-26T15:00"), agreed, early), Err(WishRefused::NotOffered));
    assert_eq!(never.span(agreed, early), None);
}

#[test]
fn silence_is_counted_in_working_days_of_the_customer() {
    let deadlines = |remind, deemed, region: Option<&str>| Deadlines {
        terms: Acceptance { remind_after_workdays: remind, deemed_after_workdays: deemed },
        zone: berlin(),
        region: region.map(|region| region.parse().unwrap()),
    };
    // A Friday evening in Berlin; Easter lies ahead, and summer time begins.
    let asked = at("2027-03-19T20:00:00Z");
    assert_eq!(deadlines(5, None, None).remind_at(asked), at("2027-03-26T20:00:00Z"));
    assert_eq!(deadlines(5, None, Some("DE-BY")).remind_at(asked), at("2027-03-30T19:00:00Z"));
    // The day is the customer's: in Berlin it is Saturday half past midnight, and Monday half past midnight comes next.
    assert_eq!(deadlines(1, None, None).remind_at(at("2027-03-19T23:30:00Z")), at("2027-03-21T23:30:00Z"));

    let ten = deadlines(5, Some(10), Some("DE-BY"));
    let reminded = at("2027-03-30T19:00:05Z");
    assert_eq!(ten.deemed_on(asked, reminded), Some("2027-04-07".parse().unwrap()));
    assert_eq!(ten.deemed_at(asked, reminded), Some(at("2027-04-06T22:00:00Z")));
    // The reminder went out late: a whole working day is left.
    assert_eq!(ten.deemed_on(asked, at("2027-04-09T07:00:00Z")), Some("2027-04-13".parse().unwrap()));
    assert_eq!(deadlines(5, None, None).deemed_at(asked, reminded), None);
}
