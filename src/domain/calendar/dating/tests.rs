//! From agreed dates to held ones: every date says why it is there or why not.

use jiff::civil::{DateTime, date, datetime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_oneof, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::{Terms, date as dates_in, next, spans};
use crate::domain::calendar::holiday::Region;
use crate::domain::calendar::recurrence::{Excluded, Recurrence};
use crate::domain::calendar::rule::Rule;
use crate::domain::calendar::shift::Shift;
use crate::domain::calendar::{Dated, DstNote, Freeze, FreezeSpan, HolidayRule, Reason, Skip};

mod reference;

/// What terms borrow.
#[derive(Debug, Clone)]
struct Agreement {
    recurrence: Recurrence,
    duration_s: u64,
    holiday: HolidayRule,
    zone: TimeZone,
    region: Option<Region>,
    freezes: Vec<FreezeSpan>,
}

/// Four hours in Bavaria.
fn agree(starts: DateTime, rule: &str) -> Agreement {
    let rule = (!rule.is_empty()).then(|| Rule::parse(rule).expect("a right rule"));
    Agreement {
        recurrence: Recurrence { rule, ..Recurrence::once(starts) },
        duration_s: 4 * 3600,
        holiday: HolidayRule::Keep,
        zone: TimeZone::get("Europe/Berlin").expect("a zone"),
        region: Some("DE-BY".parse().expect("a region")),
        freezes: Vec::new(),
    }
}

impl Agreement {
    fn holiday(self, holiday: HolidayRule) -> Self {
        Self { holiday, ..self }
    }

    fn shift(mut self, shift: &str) -> Self {
        self.recurrence.shift = Some(shift.parse().expect("a shift"));
        self
    }

    fn freeze(mut self, from: (i8, i8), to: (i8, i8)) -> Self {
        let day = |(month, day)| date(2026, month, day);
        let freeze = Freeze { from: day(from), to: day(to), reason: "stocktaking".to_owned() };
        self.freezes.extend(spans(&[freeze], &self.zone));
        self.freezes.sort();
        self
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            recurrence: &self.recurrence,
            duration_s: self.duration_s,
            holiday: self.holiday,
            zone: &self.zone,
            region: self.region.as_ref(),
            freezes: &self.freezes,
        }
    }

    /// The dates of a month of 2026, a line each.
    fn month(&self, month: i8) -> Vec<String> {
        let begin = |month: i8| {
            let (year, month) = if month > 12 { (2027, month - 12) } else { (2026, month) };
            self.zone.to_timestamp(datetime(year, month, 1, 0, 0, 0, 0)).expect("in range")
        };
        dates_in(&self.terms(), begin(month)..begin(month + 1)).iter().map(line).collect()
    }
}

/// `12-25 > 12-24 14:00 rule, moved from 12-25 (Erster Weihnachtstag)`: the recurrence's day, the opening, why.
fn line(dated: &Dated) -> String {
    let day = "%m-%d";
    let reason = |reason: &Reason| match reason {
        Reason::ByRule => "rule".to_owned(),
        Reason::ByDate => "date".to_owned(),
        Reason::Shifted { from, by } => format!("{by} from {}", from.strftime(day)),
        Reason::MovedForHoliday { from, holiday } => format!("moved from {} ({holiday})", from.strftime(day)),
        Reason::KeptOnHoliday { holiday } => format!("kept ({holiday})"),
        Reason::Dst { note: DstNote::Gap } => "gap".to_owned(),
        Reason::Dst { note: DstNote::DoubleHour } => "double hour".to_owned(),
        Reason::MovedByPerson { .. } => unreachable!("nobody did"),
    };
    let reasons = dated.reasons.iter().map(reason).collect::<Vec<_>>().join(", ");
    let skip = match &dated.skip {
        None => String::new(),
        Some(Skip::Holiday { holiday }) => format!(" - holiday ({holiday})"),
        Some(Skip::NoAllowedDay { holiday }) => format!(" - no day ({holiday})"),
        Some(Skip::Frozen { reason }) => format!(" - frozen ({reason})"),
    };
    let opening = dated.local_start.strftime("%m-%d %H:%M");
    format!("{} > {opening} {reasons}{skip}", dated.recurrence_id.strftime(day))
}

fn quarterly() -> Agreement {
    agree(datetime(2026, 3, 27, 14, 0, 0, 0), "FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR")
}

#[test]
fn what_becomes_of_a_holiday() {
    let christmas = "Erster Weihnachtstag";
    let check = |holiday, expected: &str| assert_eq!(quarterly().holiday(holiday).month(12), [expected]);
    check(HolidayRule::Keep, &format!("12-25 > 12-25 14:00 rule, kept ({christmas})"));
    check(HolidayRule::Skip, &format!("12-25 > 12-25 14:00 rule - holiday ({christmas})"));
    check(HolidayRule::PreviousWorkday, &format!("12-25 > 12-24 14:00 rule, moved from 12-25 ({christmas})"));
    check(HolidayRule::NextWorkday, &format!("12-25 > 12-28 14:00 rule, moved from 12-25 ({christmas})"));
    // A week later is New Year, another week is not.
    let next_week = quarterly().holiday(HolidayRule::NextWeek);
    assert_eq!(next_week.month(12), [""; 0]);
    assert_eq!(next_week.month(13), [format!("12-25 > 01-08 14:00 rule, moved from 12-25 ({christmas})")]);
    let nowhere = Agreement { region: None, ..quarterly().holiday(HolidayRule::Skip) };
    assert_eq!(nowhere.month(12), ["12-25 > 12-25 14:00 rule"]);
    assert_eq!(quarterly().holiday(HolidayRule::Skip).month(9), ["09-25 > 09-25 14:00 rule"]);
}

#[test]
fn a_move_stays_in_its_period_and_between_its_neighbours() {
    let check = |starts: (i8, i8), rule: &str, holiday, month, expected: &str| {
        let starts = datetime(2026, starts.0, starts.1, 14, 0, 0, 0);
        let found = agree(starts, rule).holiday(holiday).month(month);
        assert!(found.iter().any(|line| line == expected), "{rule}: {found:#?}");
    };
    use HolidayRule::{NextWeek, NextWorkday, PreviousWorkday};
    check((5, 7), "FREQ=WEEKLY", NextWorkday, 5, "05-14 > 05-15 14:00 rule, moved from 05-14 (Christi Himmelfahrt)");
    check((5, 7), "FREQ=WEEKLY", NextWeek, 5, "05-14 > 05-14 14:00 rule - no day (Christi Himmelfahrt)");
    check((5, 1), "FREQ=DAILY", NextWorkday, 5, "05-14 > 05-14 14:00 rule - no day (Christi Himmelfahrt)");
    // Good Friday is before, and then it would be the week before.
    check((3, 2), "FREQ=WEEKLY", PreviousWorkday, 4, "04-06 > 04-06 14:00 rule - no day (Ostermontag)");
    check(
        (3, 2),
        "FREQ=MONTHLY;BYDAY=1MO",
        PreviousWorkday,
        4,
        "04-06 > 04-02 14:00 rule, moved from 04-06 (Ostermontag)",
    );
    // On Friday there is another date.
    check((5, 7), "FREQ=WEEKLY;BYDAY=TH,FR", NextWorkday, 5, "05-14 > 05-14 14:00 rule - no day (Christi Himmelfahrt)");
    check(
        (5, 8),
        "FREQ=WEEKLY;BYDAY=TH,FR",
        PreviousWorkday,
        5,
        "05-14 > 05-13 14:00 rule, moved from 05-14 (Christi Himmelfahrt)",
    );
    // A week later is June, and the period is May.
    check((1, 31), "FREQ=MONTHLY;BYMONTHDAY=25", NextWeek, 5, "05-25 > 05-25 14:00 rule - no day (Pfingstmontag)");
}

#[test]
fn a_single_date_moves_a_month_at_most() {
    let christmas = agree(datetime(2026, 12, 25, 14, 0, 0, 0), "").holiday(HolidayRule::NextWorkday);
    assert_eq!(christmas.month(12), ["12-25 > 12-28 14:00 date, moved from 12-25 (Erster Weihnachtstag)"]);
    let frozen_after = christmas.freeze((12, 26), (12, 31));
    assert_eq!(frozen_after.month(13), ["12-25 > 01-04 14:00 date, moved from 12-25 (Erster Weihnachtstag)"]);
    let easter = agree(datetime(2026, 4, 3, 14, 0, 0, 0), "").holiday(HolidayRule::NextWorkday);
    let frozen_long = easter.clone().freeze((4, 4), (5, 3));
    assert_eq!(frozen_long.month(5), ["04-03 > 05-04 14:00 date, moved from 04-03 (Karfreitag)"]);
    let frozen_longer = easter.freeze((4, 4), (5, 4));
    assert_eq!(frozen_longer.month(4), ["04-03 > 04-03 14:00 date - no day (Karfreitag)"]);
}

#[test]
fn freeze_beats_window() {
    let frozen = |agreement: Agreement| agreement.holiday(HolidayRule::PreviousWorkday).month(12);
    let on_the_day = "12-25 > 12-25 14:00 rule - frozen (stocktaking)";
    assert_eq!(frozen(quarterly().freeze((12, 18), (12, 31))), [on_the_day], "a frozen holiday does not move");
    assert_eq!(frozen(quarterly().freeze((12, 25), (12, 25))), [on_the_day]);
    // No move into a freeze; the days before it are free.
    let moved = "12-25 > 12-18 14:00 rule, moved from 12-25 (Erster Weihnachtstag)";
    assert_eq!(frozen(quarterly().freeze((12, 21), (12, 24))), [moved]);
}

#[test]
fn a_window_that_touches_a_freeze_is_frozen_and_one_that_ends_with_it_is_not() {
    let night =
        |hours: u64| Agreement { duration_s: hours * 3600, ..agree(datetime(2026, 6, 1, 22, 0, 0, 0), "FREQ=MONTHLY") };
    let frozen = "06-01 > 06-01 22:00 rule - frozen (stocktaking)";
    assert_eq!(night(2).freeze((6, 2), (6, 2)).month(6), ["06-01 > 06-01 22:00 rule"]);
    assert_eq!(night(3).freeze((6, 2), (6, 2)).month(6), [frozen]);
    let morning = |hour| agree(datetime(2026, 6, 1, hour, 0, 0, 0), "FREQ=MONTHLY").freeze((5, 31), (5, 31)).month(6);
    assert_eq!(morning(0), ["06-01 > 06-01 00:00 rule"]);
    assert_eq!(night(1).freeze((5, 30), (6, 1)).month(6), [frozen], "both days are inside");
}

#[test]
fn shifts_come_after_the_rule() {
    let monthly = |rule: &str, shift: &str| agree(datetime(2026, 1, 1, 14, 0, 0, 0), rule).shift(shift);
    // The Thursday after the second Tuesday.
    assert_eq!(monthly("FREQ=MONTHLY;BYDAY=2TU", "+2d").month(2), ["02-10 > 02-12 14:00 rule, +2d from 02-10"]);
    // Good Friday, a weekend, and Easter Monday lie between.
    let day_2 = monthly("FREQ=MONTHLY;BYMONTHDAY=2", "+2 workdays");
    assert_eq!(day_2.month(4), ["04-02 > 04-08 14:00 rule, +2 workdays from 04-02"]);
    let day_7 = monthly("FREQ=MONTHLY;BYMONTHDAY=7", "-1 workday");
    assert_eq!(day_7.month(4), ["04-07 > 04-02 14:00 rule, -1 workday from 04-07"]);
    // Out of the month, and found there.
    assert_eq!(monthly("FREQ=MONTHLY;BYMONTHDAY=-1", "+3d").month(2), ["01-31 > 02-03 14:00 rule, +3d from 01-31"]);
    assert_eq!(monthly("FREQ=MONTHLY;BYMONTHDAY=1", "-3d").month(2), ["03-01 > 02-26 14:00 rule, -3d from 03-01"]);
    // A holiday after the shift; the period goes along with it.
    let holiday = monthly("FREQ=MONTHLY;BYMONTHDAY=24", "+7d").holiday(HolidayRule::NextWorkday).month(5);
    assert_eq!(holiday[..1], ["04-24 > 05-04 14:00 rule, +7d from 04-24, moved from 05-01 (Erster Mai)"]);
}

#[test]
fn single_dates_are_not_shifted() {
    let mut agreement = agree(datetime(2026, 6, 1, 14, 0, 0, 0), "FREQ=MONTHLY").shift("+7d");
    agreement.recurrence.rdates.push(datetime(2026, 6, 3, 9, 0, 0, 0));
    assert_eq!(agreement.month(6), ["06-03 > 06-03 09:00 date", "06-01 > 06-08 14:00 rule, +7d from 06-01"]);
    agreement.recurrence.exdates.push(Excluded::Day(date(2026, 6, 1)));
    assert_eq!(agreement.month(6), ["06-03 > 06-03 09:00 date"]);
}

#[test]
fn what_shifts_make_the_same_opening_is_one_date() {
    // Friday, Saturday and Sunday have the same next working day; the first of them stands for all.
    let agreement = agree(datetime(2026, 6, 12, 14, 0, 0, 0), "FREQ=DAILY;COUNT=4").shift("+1 workday");
    assert_eq!(
        agreement.month(6),
        ["06-12 > 06-15 14:00 rule, +1 workday from 06-12", "06-15 > 06-16 14:00 rule, +1 workday from 06-15"]
    );
    assert_eq!(next(&agreement.terms(), Timestamp::UNIX_EPOCH, 2).len(), 2);
}

#[test]
fn the_clocks_change() {
    let spring = agree(datetime(2026, 3, 28, 2, 30, 0, 0), "FREQ=DAILY;COUNT=3");
    assert_eq!(
        spring.month(3),
        ["03-28 > 03-28 02:30 rule", "03-29 > 03-29 03:30 rule, gap", "03-30 > 03-30 02:30 rule"]
    );
    let autumn = agree(datetime(2026, 10, 25, 2, 30, 0, 0), "FREQ=DAILY;COUNT=1");
    assert_eq!(autumn.month(10), ["10-25 > 10-25 02:30 rule, double hour"]);
    let dated = &next(&autumn.terms(), Timestamp::UNIX_EPOCH, 1)[0];
    assert_eq!(
        (dated.start.to_string().as_str(), dated.end.to_string().as_str()),
        ("2026-10-25T00:30:00Z", "2026-10-25T04:30:00Z")
    );
}

#[test]
fn two_dates_that_a_gap_makes_one_are_one() {
    let mut agreement = agree(datetime(2026, 3, 29, 2, 30, 0, 0), "");
    agreement.recurrence.rdates = vec![datetime(2026, 3, 29, 3, 30, 0, 0), datetime(2026, 3, 29, 3, 15, 0, 0)];
    // In the order of the openings, not of the agreed times.
    assert_eq!(agreement.month(3), ["03-29 > 03-29 03:15 date", "03-29 > 03-29 03:30 date, gap"]);
    assert_eq!(next(&agreement.terms(), Timestamp::UNIX_EPOCH, 9).len(), 2);
    assert_eq!(line(&next(&agreement.terms(), Timestamp::UNIX_EPOCH, 1)[0]), "03-29 > 03-29 03:15 date");
}

#[test]
fn the_length_is_elapsed_time_over_midnight_and_over_a_change_of_the_clocks() {
    let end = |starts: DateTime| {
        let agreement = agree(starts, "");
        let dated = next(&agreement.terms(), Timestamp::UNIX_EPOCH, 1).remove(0);
        assert_eq!(dated.end.duration_since(dated.start), SignedDuration::from_hours(4));
        agreement.zone.to_datetime(dated.end)
    };
    assert_eq!(end(datetime(2026, 6, 1, 22, 0, 0, 0)), datetime(2026, 6, 2, 2, 0, 0, 0));
    assert_eq!(end(datetime(2026, 3, 28, 23, 0, 0, 0)), datetime(2026, 3, 29, 4, 0, 0, 0));
    assert_eq!(end(datetime(2026, 10, 24, 23, 0, 0, 0)), datetime(2026, 10, 25, 2, 0, 0, 0));
}

#[test]
fn freezes_are_days_of_the_zone() {
    let span = |zone: &str, from, to| {
        let freeze = Freeze { from, to, reason: String::new() };
        let found = spans(&[freeze], &TimeZone::get(zone).expect("a zone")).remove(0);
        format!("{} {}", found.from, found.until)
    };
    let (first, last) = (date(2026, 12, 18), date(2027, 1, 6));
    assert_eq!(span("Europe/Berlin", first, last), "2026-12-17T23:00:00Z 2027-01-06T23:00:00Z");
    // This day begins at one o'clock.
    let day = date(2026, 9, 6);
    assert_eq!(span("America/Santiago", day, day), "2026-09-06T04:00:00Z 2026-09-07T03:00:00Z");
    let end = date(9999, 12, 31);
    assert_eq!(span("UTC", end, end), format!("{} {}", Timestamp::MAX, Timestamp::MAX));
}

#[test]
fn the_end_of_the_calendar_is_no_surprise() {
    for zone in ["Pacific/Honolulu", "Pacific/Kiritimati", "Europe/Berlin"] {
        let zone = TimeZone::get(zone).expect("a zone");
        let agreement = Agreement { zone, ..agree(datetime(9999, 9, 1, 14, 0, 0, 0), "FREQ=DAILY") };
        let agreement = agreement.shift("+60d").holiday(HolidayRule::NextWorkday);
        assert!(!dates_in(&agreement.terms(), Timestamp::MIN..Timestamp::MAX).is_empty());
        assert!(!next(&agreement.terms(), Timestamp::MIN, 100).is_empty());
        assert!(next(&agreement.terms(), Timestamp::MAX, 100).len() <= 1);
    }
    let first = agree(datetime(1, 1, 1, 0, 0, 0, 0), "FREQ=YEARLY").shift("-60d").holiday(HolidayRule::PreviousWorkday);
    assert_eq!(next(&first.terms(), Timestamp::MIN, 3).len(), 3);
    // Shifted in front of the first day, there is no date, and not the first day in its place.
    assert_eq!(next(&first.terms(), Timestamp::MIN, 1)[0].local_start.date(), date(1, 11, 2));
    let last = |hour, shift: &str| {
        let agreement = agree(datetime(9999, 12, 20, hour, 0, 0, 0), "FREQ=DAILY").shift(shift);
        let dates = next(&agreement.terms(), Timestamp::MIN, 100);
        assert!(dates.iter().all(|dated| dated.end.duration_since(dated.start) == SignedDuration::from_hours(4)));
        dates.last().map(|dated| dated.local_start)
    };
    // The time line ends at 22:00 in UTC on the 30th: the windows of that evening would have no end.
    assert_eq!(last(14, "+1d"), Some(datetime(9999, 12, 30, 14, 0, 0, 0)));
    assert_eq!(last(23, "+1d"), Some(datetime(9999, 12, 29, 23, 0, 0, 0)));
    assert_eq!(last(14, "+60d"), None);
}

#[test]
fn the_next_dates_come_first_though_shifts_let_many_fall_together() {
    let mut agreement = agree(datetime(2026, 1, 1, 1, 30, 0, 0), "FREQ=DAILY").shift("+5 workdays");
    // A Saturday between two working days on which three agreed dates fall together.
    agreement.recurrence.rdates = vec![datetime(2026, 1, 24, 0, 30, 0, 0)];
    let terms = agreement.terms();
    let [from, until] = ["2026-01-05T00:00:00Z", "2026-02-01T00:00:00Z"].map(|at| at.parse().expect("an instant"));
    let all = dates_in(&terms, from..until);
    assert!(all.iter().any(|dated| dated.reasons == [Reason::ByDate]));
    for count in 0..=all.len() {
        assert_eq!(next(&terms, from, count), all[..count], "{count}");
    }
}

fn agreements() -> impl Strategy<Value = Agreement> {
    let rules = prop::sample::select(vec![
        "",
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=3;COUNT=40",
        "FREQ=WEEKLY;BYDAY=TH,FR",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        "FREQ=MONTHLY;BYDAY=-1FR;INTERVAL=3",
        "FREQ=MONTHLY;BYMONTHDAY=1,6,25,-1",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;UNTIL=20270401T120000Z",
        "FREQ=YEARLY;BYMONTH=1,5,12;BYMONTHDAY=1,24,25",
        "FREQ=DAILY;INTERVAL=9",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,TH,FR;WKST=WE",
        "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1,24",
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=1,5,12;BYMONTHDAY=1,24,25",
        "FREQ=YEARLY;BYWEEKNO=1,18,52;BYDAY=MO,TH,FR",
    ]);
    let shifts = prop_oneof![
        3 => Just(None),
        1 => (-20..=20_i16).prop_filter("0", |days| *days != 0).prop_map(|days| Some(Shift::Days(days))),
        1 => (-9..=9_i16).prop_filter("0", |days| *days != 0).prop_map(|days| Some(Shift::Workdays(days))),
    ];
    use HolidayRule::{Keep, NextWeek, NextWorkday, PreviousWorkday, Skip};
    let holidays = prop::sample::select(vec![Keep, Skip, NextWorkday, PreviousWorkday, NextWeek]);
    let zones = prop::sample::select(vec!["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia"]);
    let regions = prop::sample::select(vec!["DE-BY", "RU", "HU", "CH-ZH", ""]);
    let second = |day: i64| Timestamp::from_second(1_767_225_600 + day * 86_400).expect("in range");
    let freezes = prop::collection::vec((0..800_i64, 1..20_i64), 0..4).prop_map(move |freezes| {
        let span = |(from, days)| FreezeSpan { from: second(from), until: second(from + days), reason: "f".to_owned() };
        let mut freezes: Vec<_> = freezes.into_iter().map(span).collect();
        freezes.sort();
        freezes
    });
    let rdates = prop::collection::vec((0..700_i32, 0..24_i8), 0..4);
    let starts = (0..60_i32, 0..24_i8);
    (rules, shifts, holidays, zones, regions, freezes, rdates, starts).prop_map(
        |(rule, shift, holiday, zone, region, freezes, rdates, (day, hour))| {
            let at = |day: i32, hour: i8| crate::domain::calendar::day::date_of(20_454 + day).at(hour, 30, 0, 0);
            let mut agreement = agree(at(day, hour), rule);
            agreement.recurrence.rdates = rdates.into_iter().map(|(day, hour)| at(day, hour)).collect();
            agreement.recurrence.shift = shift;
            let zone = TimeZone::get(zone).expect("a zone");
            Agreement { holiday, zone, region: region.parse().ok(), freezes, ..agreement }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dates_are_in_order_in_range_explained_and_the_same_in_parts(agreement in agreements(), cuts in prop::collection::vec(0..70_000_000_i64, 3)) {
        let mut cuts: Vec<Timestamp> = cuts.into_iter().map(|second| Timestamp::from_second(1_767_225_600 + second).expect("in range")).collect();
        cuts.sort();
        let [from, middle, until] = cuts[..] else { unreachable!("three") };
        let terms = agreement.terms();
        let whole = dates_in(&terms, from..until);
        let mut parts = dates_in(&terms, from..middle);
        parts.extend(dates_in(&terms, middle..until));
        prop_assert_eq!(&whole, &parts);
        prop_assert!(whole.is_sorted_by(|one, other| one.start < other.start));
        for dated in &whole {
            prop_assert!((from..until).contains(&dated.start));
            prop_assert!(matches!(dated.reasons.first(), Some(Reason::ByRule | Reason::ByDate)));
            prop_assert_eq!(agreement.zone.to_datetime(dated.start), dated.local_start);
            let frozen = agreement.freezes.iter().any(|freeze| freeze.from < dated.end && dated.start < freeze.until);
            prop_assert_eq!(frozen, matches!(dated.skip, Some(Skip::Frozen { .. })));
            let holiday = agreement.region.as_ref().and_then(|region| region.holiday(dated.local_start.date()));
            let kept = dated.reasons.iter().any(|reason| matches!(reason, Reason::KeptOnHoliday { .. }));
            prop_assert!(dated.skip.is_some() || holiday.is_none() || kept, "{}", line(dated));
        }
        for count in [1, 8, whole.len()] {
            let count = count.min(whole.len());
            prop_assert_eq!(&next(&terms, from, count)[..], &whole[..count]);
        }
    }
}
