//! Foreign recurrence rules as rules of ours.
//!
//! Invariant: a rule that ours can't express is refused, never bent. What changes is only the notation: UNTIL becomes a local
//! time, and parts that repeat the event's own time of day go.

use calcard::icalendar::ICalendarRecurrenceRule;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::point::read_civil;
use crate::domain::calendar::rule::Rule;

/// Reads a rule whose event starts at `starts`. `zone` is the event's own, none for whole days and floating times.
///
/// # Errors
/// Why it can't be kept to.
pub(super) fn read_rule(
    foreign: &ICalendarRecurrenceRule,
    starts: DateTime,
    zone: Option<&TimeZone>,
) -> Result<Rule, String> {
    let mut plain = foreign.clone();
    plain.until = None;
    let [hour, minute, second] = [starts.hour(), starts.minute(), starts.second()].map(i8::unsigned_abs);
    for (part, own) in [(&mut plain.byhour, hour), (&mut plain.byminute, minute), (&mut plain.bysecond, second)] {
        if part.as_slice() == [own] {
            part.clear();
        }
    }
    if foreign.rscale.is_some() || foreign.skip.is_some() {
        return Err("the rule counts in another calendar (RSCALE)".to_owned());
    }
    let mut text = plain.to_string();
    if let Some(until) = &foreign.until {
        let read = read_civil(until).ok_or("`UNTIL` of the rule is no date")?;
        // A last day is a whole day; an instant is a local time of the event.
        let last = match (read.time, read.offset, zone) {
            (None, ..) => read.date.at(23, 59, 59, 0),
            (Some(time), Some(offset), Some(zone)) => {
                let instant = offset.to_timestamp(read.date.to_datetime(time));
                zone.to_datetime(instant.map_err(|_| "`UNTIL` of the rule is no date")?)
            }
            (Some(time), ..) => read.date.to_datetime(time),
        };
        text.push_str(&format!(";UNTIL={}", last.strftime("%Y%m%dT%H%M%S")));
    }
    Rule::parse(&text).map_err(|error| match (&error.expected, &error.hint) {
        (Some(expected), _) => format!("{error} (expected: {expected})"),
        (None, Some(hint)) => format!("{error} ({hint})"),
        (None, None) => error.to_string(),
    })
}
