//! Foreign recurrence rules as rules of ours.
//!
//! Knows that calcard bends rules: it wraps numbers, drops what it does not know and joins what is there twice. So it gets them
//! as texts, and only [`Rule::parse`] reads them. Invariant: a rule that ours can't express is refused, never bent. What
//! goes is only what repeats the event's own time of day, and a separator at the end.

use calcard::icalendar::ICalendarValue;
use jiff::ToSpan;
use jiff::civil::DateTime;

use crate::domain::calendar::recurrence::Recurrence;
use crate::domain::calendar::rule::{Rule, Until};

/// What calcard would bend: of offsets it drops the seconds.
const AS_TEXTS: [&str; 3] = ["RRULE", "TZOFFSETFROM", "TZOFFSETTO"];
/// Rules that end within so many years are looked through in no time.
const SOON_YEARS: i32 = 2;

/// Writes a line of a calendar. One with a rule or an offset is marked as text, which calcard leaves as it is.
pub(super) fn push_marked(calendar: &mut String, line: &str) {
    let marked = AS_TEXTS.iter().find_map(|name| Some((name, value_of(line, name)?)));
    match marked {
        Some((name, value)) => {
            calendar.push_str(name);
            calendar.push_str(";VALUE=TEXT:");
            calendar.push_str(value);
        }
        None => calendar.push_str(line),
    }
}

/// What the line says of the property `name`, if it has it. Its parameters say nothing.
fn value_of<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (start, rest) = line.split_at_checked(name.len())?;
    if !start.eq_ignore_ascii_case(name) || !rest.starts_with([':', ';']) {
        return None;
    }
    let mut is_quoted = false;
    let colon = rest.find(|character| {
        is_quoted ^= character == '"';
        character == ':' && !is_quoted
    })?;
    Some(&rest[colon + 1..])
}

/// Reads a rule whose event starts at `starts`.
///
/// # Errors
/// Why it can't be kept to.
pub(super) fn read_rule(values: &[ICalendarValue], starts: DateTime) -> Result<Rule, String> {
    let [ICalendarValue::Text(text)] = values else {
        return Err("the rule can't be read".to_owned());
    };
    let own = [("BYHOUR", starts.hour()), ("BYMINUTE", starts.minute()), ("BYSECOND", starts.second())];
    let repeats = |part: &&str| {
        part.split_once('=').is_some_and(|(name, value)| {
            own.iter().any(|(known, number)| {
                name.eq_ignore_ascii_case(known) && value.len() <= 2 && value.parse() == Ok(number.unsigned_abs())
            })
        })
    };
    let text = text.trim();
    let parts: Vec<&str> = text.strip_suffix(';').unwrap_or(text).split(';').filter(|part| !repeats(part)).collect();
    Rule::parse(&parts.join(";")).map_err(|error| match (&error.expected, &error.hint) {
        (Some(expected), _) => format!("{error} (expected: {expected})"),
        (None, Some(hint)) => format!("{error} ({hint})"),
        (None, None) => error.to_string(),
    })
}

/// Whether looking for dates of the rule may take a while: it gives hardly any, and goes on for long.
pub(super) fn is_sparse(recurrence: &Recurrence) -> bool {
    let ends = recurrence.rule.as_ref().and_then(Rule::until).map(|until| match until {
        Until::Day(date) => date,
        Until::Local(at) | Until::Utc(at) => at.date(),
    });
    let ends_soon = ends.is_some_and(|ends| ends <= recurrence.starts.date().saturating_add(SOON_YEARS.years()));
    !ends_soon && recurrence.check().is_err()
}
