//! What a rule may say, and where it is told that it is wrong.

use jiff::civil::{Weekday, date, datetime};
use proptest::prelude::{ProptestConfig, prop, proptest};

use super::{Frequency, Rule, RuleError, Until};
use crate::domain::calendar::recurrence::Recurrence;

/// `OFFSET what (expected: …) (hint: …)`, or nothing.
fn told(text: &str) -> String {
    let Err(RuleError { offset, what, expected, hint }) = Rule::parse(text) else { return String::new() };
    let expected = expected.map(|expected| format!(" (expected: {expected})")).unwrap_or_default();
    let hint = hint.map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
    format!("{offset} {what}{expected}{hint}")
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(told(text), expected, "{text}");
}

#[test]
fn everything_that_a_rule_says_is_kept() {
    let text = "freq=yearly;INTERVAL=2;COUNT=10;BYMONTH=3,6;BYMONTHDAY=+1,-1;BYYEARDAY=100,-366;BYDAY=FR,2TU,-1MO;BYSETPOS=1,-2;WKST=SU";
    let rule = Rule::parse(text).expect("a right rule");
    assert_eq!((rule.as_str(), rule.frequency(), rule.interval()), (text, Frequency::Yearly, 2));
    assert_eq!((rule.count(), rule.until(), rule.week_start()), (Some(10), None, Weekday::Sunday));
    assert_eq!((rule.by_month(), rule.by_month_day()), (&[3, 6][..], &[1, -1][..]));
    assert_eq!((rule.by_year_day(), rule.by_set_position()), (&[100, -366][..], &[1, -2][..]));
    assert_eq!(rule.by_day(), [(None, Weekday::Friday), (Some(2), Weekday::Tuesday), (Some(-1), Weekday::Monday)]);
    assert_eq!(Rule::parse("FREQ=YEARLY;BYWEEKNO=1,-53").expect("right").by_week_number(), [1, -53]);
    let until = |text: &str| Rule::parse(&format!("FREQ=DAILY;UNTIL={text}")).expect("right").until();
    assert_eq!(until("20301231"), Some(Until::Day(date(2030, 12, 31))));
    assert_eq!(until("20301231T180000"), Some(Until::Local(datetime(2030, 12, 31, 18, 0, 0, 0))));
    assert_eq!(until("99991231T235959z"), Some(Until::Utc(datetime(9999, 12, 31, 23, 59, 59, 0))));
}

#[test]
fn the_form() {
    let frequencies = "(expected: `FREQ=DAILY`, `FREQ=WEEKLY`, `FREQ=MONTHLY`, `FREQ=YEARLY`)";
    let form = "(expected: parts as NAME=VALUE, with `;` between them)";
    check("BYDAY=1FR", &format!("0 the rule has no `FREQ` {frequencies}"));
    check("FREQ=HOURLY", &format!("5 `FREQ` is `HOURLY` {frequencies}"));
    check("FREQ=WEEKYL", &format!("5 `FREQ` is `WEEKYL` {frequencies} (hint: did you mean `WEEKLY`?)"));
    check("FREQ=", &format!("5 `FREQ` is `` {frequencies}"));
    check("", &format!("0 the rule has the part `` {form}"));
    check("every friday", &format!("0 the rule has the part `every friday` {form}"));
    check("FREQ=DAILY;", &format!("11 the rule has the part `` {form}"));
    check("RRULE:FREQ=DAILY", "0 the rule is `RRULE:FREQ=DAILY` (hint: leave `RRULE:` out)");
    check("FREQ=DAILY;FREQ=WEEKLY", "11 the rule has `FREQ` twice");
    check("FREQ=DAILY;INTERVALL=2", "11 the rule has the unknown part `INTERVALL` (hint: did you mean `INTERVAL`?)");
    check(
        "FREQ=DAILY;RSCALE=HEBREW",
        "11 the rule has the unknown part `RSCALE` (expected: FREQ, UNTIL, COUNT, INTERVAL, BYSECOND, BYMINUTE, BYHOUR, BYDAY, BYMONTHDAY, BYYEARDAY, BYWEEKNO, BYMONTH, BYSETPOS, WKST)",
    );
    check(
        "FREQ=DAILY;BYHOUR=9",
        "11 the rule has `BYHOUR`: windows have one time of day (hint: leave it out: the time of day is that of `starts`)",
    );
    check(&"X".repeat(2001), "0 the rule has 2001 bytes (expected: at most 2000 bytes)");
}

#[test]
fn numbers() {
    let places = |most: u16| {
        format!("(expected: numbers from 1 to {most}, or from -1 (the last) to -{most}, with `,` between them)")
    };
    check("FREQ=DAILY;INTERVAL=0", "20 `INTERVAL` is `0` (expected: a whole number from 1 to 65535)");
    check("FREQ=DAILY;INTERVAL=+2", "20 `INTERVAL` is `+2` (expected: a whole number from 1 to 65535)");
    check("FREQ=DAILY;COUNT=-1", "17 `COUNT` is `-1` (expected: a whole number from 1 to 10000)");
    check("FREQ=DAILY;COUNT=10001", "17 `COUNT` is `10001` (expected: a whole number from 1 to 10000)");
    check(
        "FREQ=DAILY;COUNT=99999999999999999999",
        "17 `COUNT` is `99999999999999999999` (expected: a whole number from 1 to 10000)",
    );
    check("FREQ=DAILY;BYMONTH=1,13", "21 `BYMONTH` is `13` (expected: a whole number from 1 to 12)");
    check("FREQ=MONTHLY;BYMONTHDAY=1,,2", &format!("26 `BYMONTHDAY` is `` {}", places(31)));
    check("FREQ=MONTHLY;BYMONTHDAY=0", &format!("24 `BYMONTHDAY` is `0` {}", places(31)));
    check("FREQ=YEARLY;BYYEARDAY=-367", &format!("22 `BYYEARDAY` is `-367` {}", places(366)));
    check("FREQ=YEARLY;BYWEEKNO=54", &format!("21 `BYWEEKNO` is `54` {}", places(53)));
    check("FREQ=MONTHLY;BYDAY=FR;BYSETPOS=--1", &format!("31 `BYSETPOS` is `--1` {}", places(366)));
    let days = "(expected: days such as `FR`, `2TU` (the second), `-1FR` (the last), with `,` between them)";
    for (bad, offset) in
        [("-1 FR", 19), ("", 19), ("0FR", 19), ("54FR", 19), ("MO,XX", 22), ("FRI", 19), ("ü", 19), ("Fü", 19)]
    {
        let shown = bad.split(',').next_back().unwrap_or_default();
        check(&format!("FREQ=MONTHLY;BYDAY={bad}"), &format!("{offset} `BYDAY` is `{shown}` {days}"));
    }
    check("FREQ=DAILY;WKST=1MO", "16 `WKST` is `1MO` (expected: `MO`, `TU`, `WE`, `TH`, `FR`, `SA`, `SU`)");
    for bad in ["2030-12-31", "20301331", "20300229", "00000101", "20301231T", "20301231T250000", "20301231T12000", "Z"]
    {
        let expected = "a day as `20301231`, a local time as `20301231T180000`, or one in UTC as `20301231T170000Z`";
        check(&format!("FREQ=DAILY;UNTIL={bad}"), &format!("17 `UNTIL` is `{bad}` (expected: {expected})"));
    }
}

#[test]
fn parts_that_may_not_stand_together() {
    check(
        "FREQ=DAILY;UNTIL=20301231;COUNT=5",
        "26 the rule has `COUNT` and `UNTIL`: one of them says when it ends (hint: leave one of them out)",
    );
    check(
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "12 the rule has `BYMONTHDAY` beside `FREQ=WEEKLY` (expected: `FREQ=DAILY`, `FREQ=MONTHLY`, `FREQ=YEARLY`)",
    );
    for frequency in ["DAILY", "WEEKLY", "MONTHLY"] {
        for part in ["BYYEARDAY", "BYWEEKNO"] {
            let text = format!("{part}=1;FREQ={frequency}");
            check(&text, &format!("0 the rule has `{part}` beside `FREQ={frequency}` (expected: `FREQ=YEARLY`)"));
        }
    }
    for frequency in ["DAILY", "WEEKLY"] {
        let told = told(&format!("FREQ={frequency};BYDAY=MO,1FR"));
        assert!(told.contains("the rule has `BYDAY` with numbers: a week has each day once"), "{told}");
    }
    check(
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO",
        "24 the rule has `BYDAY` with numbers beside `BYWEEKNO`: a week has each day once (expected: days without numbers)",
    );
    check("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "");
    check(
        "FREQ=MONTHLY;BYSETPOS=1",
        "13 the rule has `BYSETPOS` without another part that gives it dates to choose from (expected: also `BYDAY`, `BYMONTHDAY`, `BYMONTH`, `BYYEARDAY` or `BYWEEKNO`)",
    );
    check("FREQ=YEARLY;BYMONTH=3;BYSETPOS=1", "");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Texts of the rules' own alphabet, so that many of them are nearly right.
    #[test]
    fn no_text_hangs_or_panics(parts in prop::collection::vec("(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)|(INTERVAL|COUNT|BYMONTH|BYMONTHDAY|BYYEARDAY|BYWEEKNO|BYSETPOS)=[-+]?[0-9]{1,5}(,-?[0-9]{1,3}){0,3}|BYDAY=-?[0-9]{0,2}(MO|TU|FR|ü)(,SU)?|WKST=(MO|SU)|UNTIL=[0-9]{8}(T[0-9]{6}Z?)?|[A-Z=;,ü]{0,6})", 1..6), day in 0..2_932_000_i32) {
        let text = parts.join(";");
        match Rule::parse(&text) {
            Err(error) => assert!(error.offset <= text.len() && text.is_char_boundary(error.offset), "{text}: {error:?}"),
            Ok(rule) => {
                let starts = crate::domain::calendar::day::date_of(day).at(9, 0, 0, 0);
                let recurrence = Recurrence { rule: Some(rule), ..Recurrence::once(starts) };
                let _ = recurrence.check();
                assert!(recurrence.instances(starts).take(50).map(|(date, _)| date).is_sorted(), "{text}");
                let _ = recurrence.instances(jiff::civil::datetime(9999, 1, 1, 0, 0, 0, 0)).count();
            }
        }
    }

    #[test]
    fn no_bytes_hang_or_panic(text in ".{0,60}") {
        let _ = Rule::parse(&text);
        let _ = Rule::parse(&format!("FREQ=MONTHLY;{text}"));
    }
}
