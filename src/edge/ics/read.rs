//! One VEVENT as what we know of events; or why we can't know it.
//!
//! Invariant: an event is read whole or refused with a reason. Nothing of it that would change its dates is passed over.

use calcard::icalendar::{
    ICalendarComponent, ICalendarEntry, ICalendarParameterName, ICalendarPeriod, ICalendarProperty, ICalendarStatus,
    ICalendarValue,
};
use jiff::tz::TimeZone;

use super::point::{Civil, Length, Point, read_civil};
use super::rule::read_rule;
use super::zone::Zones;
use crate::domain::calendar::recurrence::Recurrence;
use crate::domain::document::quoted;
use crate::domain::line::clean_line;

/// Longest summary, in characters.
const MAX_SUMMARY: usize = 500;

/// An event that may recur.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) line: usize,
    pub(super) uid: Option<String>,
    /// Grows when the event changes.
    pub(super) sequence: i64,
    pub(super) summary: String,
    pub(super) cancelled: bool,
    pub(super) start: Point,
    pub(super) length: Length,
    /// Without exclusions and further dates, which foreign files give in any zone.
    pub(super) recurrence: Option<Recurrence>,
    pub(super) exdates: Vec<Point>,
    pub(super) rdates: Vec<(Point, Option<Length>)>,
    /// Set for an event that stands for one date of another.
    pub(super) replaces: Option<Point>,
}

/// Reads the event that begins in `line`.
///
/// # Errors
/// Why it is refused.
pub(super) fn read_event(component: &ICalendarComponent, line: usize, zones: &Zones<'_>) -> Result<Event, String> {
    let first = |name: &ICalendarProperty| component.property(name);
    let entry = first(&ICalendarProperty::Dtstart).ok_or("it has no `DTSTART`")?;
    let start = only_point(entry, zones)?;
    let length = read_length(component, &start, zones)?;
    let recurrence = read_recurrence(component, &start)?;
    let replaces = match first(&ICalendarProperty::RecurrenceId) {
        None => None,
        Some(entry) if entry.has_parameter(&ICalendarParameterName::Range) => {
            return Err("it replaces a date and all that follow (`RANGE=THISANDFUTURE`)".to_owned());
        }
        Some(entry) => Some(only_point(entry, zones)?),
    };
    let mut exdates = Vec::new();
    for entry in component.properties(&ICalendarProperty::Exdate) {
        for value in &entry.values {
            exdates.push(point(entry, value, zones)?);
        }
    }
    let mut rdates = Vec::new();
    for entry in component.properties(&ICalendarProperty::Rdate) {
        for value in &entry.values {
            rdates.push(read_rdate(entry, value, zones)?);
        }
    }
    let text = |name: &ICalendarProperty| first(name).and_then(text_of);
    let sequence = match first(&ICalendarProperty::Sequence).and_then(|entry| entry.values.first()) {
        Some(ICalendarValue::Integer(number)) => *number,
        _ => 0,
    };
    Ok(Event {
        line,
        uid: text(&ICalendarProperty::Uid).map(str::to_owned),
        sequence,
        summary: clean_line(text(&ICalendarProperty::Summary).unwrap_or_default().as_bytes(), MAX_SUMMARY),
        cancelled: first(&ICalendarProperty::Status).is_some_and(says_cancelled),
        start,
        length,
        recurrence,
        exdates,
        rdates,
        replaces,
    })
}

fn says_cancelled(entry: &ICalendarEntry) -> bool {
    match entry.values.first() {
        Some(ICalendarValue::Status(status)) => *status == ICalendarStatus::Cancelled,
        // With a blank before the word, calcard does not know it.
        Some(ICalendarValue::Text(text)) => text.trim().eq_ignore_ascii_case("CANCELLED"),
        _ => false,
    }
}

/// The UID of the event of which this one replaces a date, if it does.
pub(super) fn replaced_uid(component: &ICalendarComponent) -> Option<&str> {
    component.property(&ICalendarProperty::RecurrenceId)?;
    component.property(&ICalendarProperty::Uid).and_then(text_of)
}

/// The text of an entry's first value.
pub(super) fn text_of(entry: &ICalendarEntry) -> Option<&str> {
    entry.values.first().and_then(ICalendarValue::as_text)
}

fn read_length(component: &ICalendarComponent, start: &Point, zones: &Zones<'_>) -> Result<Length, String> {
    if let Some(entry) = component.property(&ICalendarProperty::Dtend) {
        return Length::between(start, &only_point(entry, zones)?);
    }
    match component.property(&ICalendarProperty::Duration).map(|entry| entry.values.as_slice()) {
        None => Ok(if matches!(start, Point::Day(_)) { Length::DAY } else { Length::default() }),
        Some([ICalendarValue::Duration(duration)]) => Length::read(start, duration),
        Some(_) => Err("`DURATION` is no length of time".to_owned()),
    }
}

fn read_recurrence(component: &ICalendarComponent, start: &Point) -> Result<Option<Recurrence>, String> {
    if component.has_property(&ICalendarProperty::Exrule) {
        return Err("it excludes dates by a rule (`EXRULE`)".to_owned());
    }
    let mut rules = component.properties(&ICalendarProperty::Rrule);
    let Some(entry) = rules.next() else { return Ok(None) };
    if rules.next().is_some() {
        return Err("it has more than one `RRULE`".to_owned());
    }
    let rule = read_rule(&entry.values, start.local())?;
    // Whatever the rule gives, `DTSTART` is a date (RFC 5545 section 3.8.5.3): a rule that gives nothing is no mistake.
    Ok(Some(Recurrence {
        starts: start.local(),
        rule: Some(rule),
        exdates: Vec::new(),
        rdates: Vec::new(),
        shift: None,
    }))
}

fn read_rdate(
    entry: &ICalendarEntry,
    value: &ICalendarValue,
    zones: &Zones<'_>,
) -> Result<(Point, Option<Length>), String> {
    let at = |read: &_| locate(entry, read_civil(read).ok_or_else(|| no_date(entry))?, zones);
    match value {
        ICalendarValue::Period(ICalendarPeriod::Range { start, end }) => {
            let start = at(start)?;
            let length = Length::between(&start, &at(end)?)?;
            Ok((start, Some(length)))
        }
        ICalendarValue::Period(ICalendarPeriod::Duration { start, duration }) => {
            let start = at(start)?;
            let length = Length::read(&start, duration)?;
            Ok((start, Some(length)))
        }
        value => Ok((point(entry, value, zones)?, None)),
    }
}

fn only_point(entry: &ICalendarEntry, zones: &Zones<'_>) -> Result<Point, String> {
    match entry.values.as_slice() {
        [value] => point(entry, value, zones),
        _ => Err(no_date(entry)),
    }
}

fn point(entry: &ICalendarEntry, value: &ICalendarValue, zones: &Zones<'_>) -> Result<Point, String> {
    let ICalendarValue::PartialDateTime(read) = value else {
        let text = value.as_text().unwrap_or_default();
        return Err(format!("`{}` is {}", entry.name.as_str(), quoted(text)));
    };
    locate(entry, read_civil(read).ok_or_else(|| no_date(entry))?, zones)
}

fn no_date(entry: &ICalendarEntry) -> String {
    format!("`{}` is no date", entry.name.as_str())
}

/// A date where the entry's parameters say that it is.
fn locate(entry: &ICalendarEntry, read: Civil, zones: &Zones<'_>) -> Result<Point, String> {
    let Some(time) = read.time else { return Ok(Point::Day(read.date)) };
    let local = read.date.to_datetime(time);
    if let Some(offset) = read.offset {
        let zone = if offset.is_zero() { TimeZone::UTC } else { TimeZone::fixed(offset) };
        return Ok(Point::Zoned(local, zone));
    }
    let names: Vec<&str> =
        entry.parameters(&ICalendarParameterName::Tzid).filter_map(|parameter| parameter.as_text()).collect();
    match names.as_slice() {
        [] => Ok(Point::Floating(local)),
        names => {
            // A comma in a name without quotes looks like two names.
            let name = names.join(",");
            let unknown = || format!("nothing says what the time zone {} is", quoted(&name));
            Ok(Point::Zoned(local, zones.find(&name).ok_or_else(unknown)?))
        }
    }
}
