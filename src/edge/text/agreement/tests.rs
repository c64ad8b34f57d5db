//! Rules in words: a chosen few read by people, and all that the calendar accepts without a missing text.

use jiff::civil::{DateTime, date};
use proptest::prelude::{Strategy, any, proptest};
use proptest::sample::{select, subsequence};

use super::super::LOCALES;
use super::super::tests::TEXTS;
use super::Agreement;
use super::numbers::Nth;
use crate::domain::calendar::HolidayRule;
use crate::domain::calendar::recurrence::{Excluded, Recurrence};
use crate::domain::calendar::rule::Rule;

/// A window that is agreed on, for tests.
#[derive(Debug, Clone)]
pub(in crate::edge::text) struct Sample {
    recurrence: Recurrence,
    duration_s: u64,
    holiday: HolidayRule,
    region: Option<&'static str>,
}

impl Sample {
    fn new(rule: &str) -> Self {
        let starts = date(2026, 3, 27).at(14, 0, 0, 0);
        let rule = (!rule.is_empty()).then(|| Rule::parse(rule).unwrap());
        let recurrence = Recurrence { starts, rule, exdates: Vec::new(), rdates: Vec::new(), shift: None };
        Self { recurrence, duration_s: 4 * 3600, holiday: HolidayRule::Keep, region: None }
    }

    fn holiday(self, holiday: HolidayRule) -> Self {
        Self { holiday, region: Some("DE-BY"), ..self }
    }

    fn lasting(self, duration_s: u64) -> Self {
        Self { duration_s, ..self }
    }

    fn shifted(mut self, shift: &str) -> Self {
        self.recurrence.shift = Some(shift.parse().unwrap());
        self
    }

    fn but(mut self, exdates: &[Excluded], rdates: &[DateTime]) -> Self {
        self.recurrence.exdates = exdates.to_vec();
        self.recurrence.rdates = rdates.to_vec();
        self
    }

    pub(in crate::edge::text) fn agreement(&self) -> Agreement<'_> {
        Agreement {
            recurrence: &self.recurrence,
            duration_s: self.duration_s,
            time_zone: "Europe/Berlin",
            holiday: self.holiday,
            region: self.region,
        }
    }

    fn title(&self) -> String {
        self.recurrence.rule.as_ref().map_or_else(|| "once".to_owned(), |rule| rule.as_str().to_owned())
    }
}

/// Windows that between them need every text.
pub(in crate::edge::text) fn samples() -> Vec<Sample> {
    let christmas = Excluded::Day(date(2026, 12, 25));
    let evening = date(2026, 12, 28).at(18, 30, 0, 0);
    let many: Vec<_> = (1..=25).map(|day| Excluded::Day(date(2026, 8, day))).collect();
    let rule = Sample::new;
    vec![
        rule("FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR")
            .holiday(HolidayRule::PreviousWorkday)
            .but(&[christmas, Excluded::At(date(2027, 3, 26).at(14, 0, 0, 0))], &[evening]),
        rule("FREQ=MONTHLY;BYDAY=2TU").shifted("+2 workdays").holiday(HolidayRule::NextWorkday).lasting(5400),
        rule("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR;UNTIL=20261231T225959Z").holiday(HolidayRule::Skip),
        rule("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;WKST=SU;COUNT=12").holiday(HolidayRule::NextWeek).lasting(60),
        rule("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1").holiday(HolidayRule::Keep),
        rule("FREQ=MONTHLY;BYDAY=2TU")
            .shifted("+2d")
            .but(&[Excluded::Day(date(2026, 8, 11))], &[date(2026, 11, 27).at(14, 0, 0, 0)]),
        rule("FREQ=MONTHLY;BYMONTHDAY=1,15,-1").shifted("-1d").lasting(3661),
        rule("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR"),
        rule("FREQ=MONTHLY;BYDAY=SU,1WE,2TH,3SA,-2SU;COUNT=1").shifted("+3d"),
        rule("FREQ=YEARLY;BYMONTH=3,6,9,12;BYDAY=2WE").shifted("-5 workdays"),
        rule("FREQ=YEARLY;BYDAY=20MO,-3SU,-10FR"),
        rule("FREQ=YEARLY;BYWEEKNO=1,20,-1,-2,-5;BYDAY=TH"),
        rule("FREQ=YEARLY;BYYEARDAY=100,-1,-2,-20"),
        rule("FREQ=YEARLY"),
        rule("FREQ=YEARLY;BYWEEKNO=26"),
        rule("FREQ=MONTHLY;UNTIL=20270326"),
        rule("FREQ=MONTHLY;UNTIL=20270327T120000"),
        rule("FREQ=WEEKLY").but(&many, &[]),
        rule("FREQ=DAILY"),
        rule("FREQ=DAILY;INTERVAL=3;BYMONTH=1,2,4,5,7,8,10,11"),
        rule("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;BYMONTHDAY=-2,-3"),
        rule("FREQ=WEEKLY;INTERVAL=21;BYDAY=TU,TH,SA"),
        rule("FREQ=YEARLY;INTERVAL=2;BYDAY=1MO,2FR,3SU,4MO,5FR"),
        rule("FREQ=YEARLY;INTERVAL=5;BYMONTH=1;BYDAY=1SU,2SU,3FR,4FR,5MO,-1MO,-1SU,-2MO,-2FR,TU"),
        rule("FREQ=YEARLY;BYDAY=3MO,2MO,1FR,4SU,5SU,20FR,20SU,-5MO,FR"),
        rule("FREQ=MONTHLY;BYDAY=MO,WE,SA;BYSETPOS=1,2,3,4,5,8,-2,-3"),
        rule("").lasting(7200),
    ]
}

#[test]
fn rules_in_words() {
    let mut settings = insta::Settings::new();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    let texts = &*TEXTS;
    for (locale, _) in LOCALES {
        let lines: Vec<String> = samples()
            .iter()
            .map(|sample| format!("{}\n    {}", sample.title(), texts.explain(&sample.agreement(), locale).unwrap()))
            .collect();
        insta::assert_snapshot!(format!("words_{}", super::super::code(locale)), lines.join("\n"));
    }
}

#[test]
fn ordinal_numbers() {
    let check = |nth: Nth, key: &str, digits: &str| assert_eq!((nth.key, nth.digits.as_str()), (key, digits));
    check(Nth::in_words(1), "first", "1");
    check(Nth::in_words(5), "fifth", "5");
    check(Nth::in_words(6), "number", "6");
    check(Nth::in_words(-1), "last", "1");
    check(Nth::in_words(-2), "second_last", "2");
    check(Nth::in_words(-3), "from_end", "3");
    check(Nth::in_digits(1), "number", "1");
    check(Nth::in_digits(-366), "from_end", "366");
}

/// One part of a rule, or nothing.
fn part(name: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
    let some =
        subsequence(values, 1..=values.len().min(4)).prop_map(move |values| format!(";{name}={}", values.join(",")));
    (any::<bool>(), some).prop_map(|(there, part)| if there { part } else { String::new() })
}

fn rules() -> impl Strategy<Value = String> {
    let frequency = select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]);
    let interval = 1_u16..30;
    const NUMBERS: &[&str] = &["1", "2", "3", "4", "5", "13", "29", "-1", "-2", "-3", "-12"];
    let parts = (
        part("BYMONTH", &["1", "2", "3", "6", "11", "12"]),
        part("BYMONTHDAY", NUMBERS),
        part("BYYEARDAY", NUMBERS),
        part("BYWEEKNO", NUMBERS),
        part("BYDAY", &["MO", "TU", "WE", "TH", "FR", "SA", "SU", "1MO", "2WE", "3SU", "-1FR", "-2TU", "-3SU"]),
        part("BYSETPOS", NUMBERS),
        select(vec!["", ";COUNT=1", ";COUNT=22", ";UNTIL=20300101", ";UNTIL=20300101T000000Z", ";WKST=SU"]),
    );
    (frequency, interval, parts).prop_map(|(frequency, interval, (a, b, c, d, e, f, g))| {
        format!("FREQ={frequency};INTERVAL={interval}{a}{b}{c}{d}{e}{f}{g}")
    })
}

proptest! {
    #[test]
    fn every_rule_that_the_calendar_accepts_can_be_told(text in rules()) {
        if Rule::parse(&text).is_ok() {
            for (locale, _) in LOCALES {
                let told = TEXTS.explain(&Sample::new(&text).agreement(), locale).unwrap();
                assert!(!told.contains("  ") && !told.contains(['{', '}', '\n']) && !told.ends_with('.'), "{told}");
            }
        }
    }
}
