//! `rule`, `starts`, `exdate`, `rdate` and `shift` of a window.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::domain::calendar::recurrence::{Excluded, Recurrence};
use crate::domain::calendar::rule::{Rule, RuleError};
use crate::domain::calendar::shift::Shift;
use crate::domain::document::{Table, Value, Wrong};

/// Reads when a window is. Where the zone is not known, that is a mistake of its own, and what depends on it is not looked at.
pub(super) fn read_recurrence(table: &mut Table<'_>, zone: Option<&TimeZone>) -> Option<Recurrence> {
    let written = table.optional("rule");
    let rule = written.map(|value| read_rule(&value));
    let starts = table.required("starts").and_then(|value| value.date_time());
    let exdates = table.optional("exdate").map(|value| read_entries(&value, read_excluded)).unwrap_or_default();
    let rdates =
        table.optional("rdate").map(|value| read_entries(&value, |entry| entry.date_time())).unwrap_or_default();
    let shift = table.optional("shift").and_then(|value| read_shift(&value));
    let rule = match rule {
        None => None,
        Some(None) => return None,
        Some(rule) => rule,
    };
    let recurrence = Recurrence { starts: starts?, rule, exdates, rdates, shift };
    if let (Some(value), Some(zone)) = (written, zone)
        && let Err(error) = recurrence.check_in(zone)
    {
        report(&value, error);
    }
    Some(recurrence)
}

fn read_rule(value: &Value<'_>) -> Option<Rule> {
    Rule::parse(value.string()?).map_err(|error| report(value, error)).ok()
}

/// Reports a mistake at its place within the rule.
fn report(value: &Value<'_>, error: RuleError) {
    let RuleError { offset, what, expected, hint } = error;
    let wrong = expected.into_iter().fold(Wrong::new(what), Wrong::expected);
    value.report_inside(offset, hint.into_iter().fold(wrong, Wrong::hint));
}

fn read_entries<T>(value: &Value<'_>, read: impl Fn(&Value<'_>) -> Option<T>) -> Vec<T> {
    value.entries().unwrap_or_default().iter().filter_map(read).collect()
}

fn read_excluded(value: &Value<'_>) -> Option<Excluded> {
    value.date_or_time("a date or a local date and time without quotes, such as 2026-12-25 or 2026-12-25T14:00:00").map(
        |(date, time)| match time {
            None => Excluded::Day(date),
            Some(time) => Excluded::At(DateTime::from_parts(date, time)),
        },
    )
}

fn read_shift(value: &Value<'_>) -> Option<Shift> {
    value.parsed(
        "days or working days after or before the rule's date, such as \"+3d\" or \"+2 workdays\", at most 60",
        |text| text.parse().ok(),
    )
}
