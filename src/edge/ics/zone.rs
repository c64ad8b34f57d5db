//! What a TZID means: the zone of the tz database that it names, or else what the file itself says about it.
//!
//! Invariant: a name that neither side knows is no zone. It is never UTC by default, which would be hours off in silence.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;

use calcard::common::timezone::Tz;
use calcard::icalendar::{ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarProperty, ICalendarValue};
use jiff::civil::{DateTime, date};
use jiff::tz::{Offset, TimeZone};

use super::point::read_civil;
use super::read::text_of;
use super::rule::{is_sparse, read_rule};
use crate::domain::calendar::recurrence::Recurrence;

/// Changes of the clocks before and after these days are not looked for.
const FIRST: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
const LAST_YEAR: i16 = 2100;
/// No zone is further away from UTC.
const MAX_OFFSET_SECONDS: i32 = 14 * 3600;
/// Most changes of the clocks by one part of a definition; a rule of every year has 131.
const MAX_CHANGES: usize = 400;
/// Most parts of one definition.
const MAX_PARTS: usize = 64;
/// Most parts of all definitions of a file that are read. Real files have a few.
const MAX_PARTS_OF_FILE: usize = 1000;

/// How many more parts of definitions may be read in this file.
#[derive(Debug)]
pub(super) struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_PARTS_OF_FILE))
    }
}

impl Budget {
    fn spend(&self, parts: usize) -> Option<()> {
        self.0.set(self.0.get().checked_sub(parts)?);
        Some(())
    }
}

/// The zones of one calendar by TZID. A definition is read when an event refers to it first.
pub(super) struct Zones<'c> {
    calendar: &'c ICalendar,
    budget: &'c Budget,
    definitions: HashMap<&'c str, Definition<'c>>,
}

struct Definition<'c> {
    component: &'c ICalendarComponent,
    zone: OnceCell<Option<TimeZone>>,
}

impl<'c> Zones<'c> {
    pub(super) fn of(calendar: &'c ICalendar, budget: &'c Budget) -> Self {
        let mut definitions = HashMap::new();
        for component in calendar.timezones() {
            let Some(name) = component.property(&ICalendarProperty::Tzid).and_then(text_of) else { continue };
            definitions.entry(name).or_insert(Definition { component, zone: OnceCell::new() });
        }
        Self { calendar, budget, definitions }
    }

    /// The zone that is called `name` in this calendar.
    pub(super) fn find(&self, name: &str) -> Option<TimeZone> {
        let read = |definition: &Definition<'_>| {
            named(name)
                .or_else(|| defined(self.calendar, definition.component, self.budget))
                .or_else(|| located(definition.component))
        };
        let own = self.definitions.get(name);
        // Where the definition can't be read the name may still say enough.
        let own = own.and_then(|definition| definition.zone.get_or_init(|| read(definition)).clone());
        own.or_else(|| named(name)).or_else(|| mapped(name))
    }
}

/// The zone of the tz database with this name; some programs write a registry's path before it.
fn named(name: &str) -> Option<TimeZone> {
    let path: Vec<&str> = name.trim().trim_start_matches('/').split('/').collect();
    let suffixes = if name.starts_with('/') { path.len() } else { 1 };
    (0..suffixes).find_map(|skipped| TimeZone::get(&path[skipped..].join("/")).ok()).filter(is_known)
}

/// The zone for a name of Windows (`W. Europe Standard Time`) or Outlook (`(UTC+01:00) Amsterdam, Berlin, …`), or for one
/// that can mean one thing only (`GMT+0100`, `Europe/Berlin (CET)`).
fn mapped(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    if name.eq_ignore_ascii_case("tzone://Microsoft/Utc") {
        return Some(TimeZone::UTC);
    }
    let commented = || {
        let (zone, comment) = name.split_once(' ')?;
        named(zone).filter(|_| zone.contains('/') && comment.starts_with('(') && comment.ends_with(')'))
    };
    fixed(name).or_else(commented).or_else(|| listed(&name.replace(" / ", ", ")))
}

/// `GMT+0100`, `UTC-05:30`. Not `GMT+1`: the tz database means the opposite by `Etc/GMT+1`.
fn fixed(name: &str) -> Option<TimeZone> {
    let rest = name.get(..3).filter(|start| ["GMT", "UTC"].contains(start)).and_then(|_| name.get(3..))?;
    let (sign, digits) = match rest.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':').or_else(|| digits.split_at_checked(2))?;
    let number = |text: &str| {
        text.parse::<i32>().ok().filter(|_| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
    let seconds = (hours * 60 + minutes) * 60;
    let fits = seconds <= MAX_OFFSET_SECONDS;
    Offset::from_seconds(sign * seconds).ok().filter(|_| fits).map(TimeZone::fixed)
}

/// What calcard's list of names says.
fn listed(name: &str) -> Option<TimeZone> {
    let zone: Tz = name.parse().ok()?;
    let found = zone.name()?;
    // Of a name that is not in its list calcard takes the offset in parentheses, which is wrong for half of the year.
    let is_guess = found.starts_with("Etc/GMT") && name.starts_with('(');
    if is_guess { None } else { TimeZone::get(&found).ok().filter(is_known) }
}

/// `Etc/Unknown` is a zone for the tz database, and none for us.
fn is_known(zone: &TimeZone) -> bool {
    !zone.is_unknown()
}

/// `X-LIC-LOCATION` names the zone of the tz database that a definition was made from. It is a comment beside the rules, and says
/// something only where they can't be read.
fn located(component: &ICalendarComponent) -> Option<TimeZone> {
    let location = ICalendarProperty::Other("X-LIC-LOCATION".to_owned());
    component.property(&location).and_then(text_of).and_then(named)
}

/// When a definition changes the clocks, and to what.
struct Change {
    onset: DateTime,
    before: Offset,
    after: Offset,
}

/// The zone that the definition itself describes.
fn defined(calendar: &ICalendar, component: &ICalendarComponent, budget: &Budget) -> Option<TimeZone> {
    let mut changes = Vec::new();
    if component.component_ids.len() > MAX_PARTS {
        return None;
    }
    budget.spend(component.component_ids.len())?;
    for id in &component.component_ids {
        let part = calendar.component_by_id(*id)?;
        // What is neither may be one of them misspelt: without it the clocks would not change.
        match part.component_type {
            ICalendarComponentType::Standard | ICalendarComponentType::Daylight => changes.extend(changes_of(part)?),
            _ => return None,
        }
    }
    changes.sort_by_key(|change| change.onset);
    let first = changes.first()?;
    let offsets: Vec<Offset> = changes.iter().map(|change| change.after).collect();
    if offsets.iter().all(|offset| *offset == first.before) {
        return Some(TimeZone::fixed(first.before));
    }
    let tzif = tzif(first.before, &changes)?;
    TimeZone::tzif("in the calendar", &tzif).ok()
}

/// The changes of one STANDARD or DAYLIGHT part; none if it can't be read, and then the zone can't be, either.
fn changes_of(part: &ICalendarComponent) -> Option<Vec<Change>> {
    let value = |name: &ICalendarProperty| part.property(name).and_then(|entry| entry.values.first());
    let before = offset(value(&ICalendarProperty::Tzoffsetfrom)?)?;
    let after = offset(value(&ICalendarProperty::Tzoffsetto)?)?;
    let starts = local(value(&ICalendarProperty::Dtstart)?)?;
    let rule = match part.property(&ICalendarProperty::Rrule) {
        None => None,
        Some(entry) => Some(read_rule(&entry.values, starts).ok()?),
    };
    let mut rdates = Vec::new();
    for entry in part.properties(&ICalendarProperty::Rdate) {
        for value in &entry.values {
            rdates.push(local(value)?);
        }
    }
    let (has_rule, zone) = (rule.is_some(), TimeZone::fixed(before));
    let recurrence = Recurrence { starts, rule, exdates: Vec::new(), rdates, shift: None };
    // It would be looked through to the end of the calendar.
    if is_sparse(&recurrence) {
        return None;
    }
    // Outlook's definitions begin in 1601: only what a rule gives that far back is passed over.
    let from = if has_rule { starts.max(FIRST) } else { starts };
    let dates = recurrence.instances_in(from, &zone).map(|(onset, _)| onset);
    let dates = dates.take_while(|onset| onset.year() <= LAST_YEAR).take(MAX_CHANGES);
    Some(std::iter::once(starts).chain(dates).map(|onset| Change { onset, before, after }).collect())
}

/// `+0100`, `-005328` (RFC 5545 section 3.3.14).
fn offset(value: &ICalendarValue) -> Option<Offset> {
    let text = value.as_text()?.trim();
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if !matches!(digits.len(), 2 | 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |part| part.parse::<i32>().ok());
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    let is_clock = minutes < 60 && seconds < 60;
    Offset::from_seconds(sign * ((hours * 60 + minutes) * 60 + seconds)).ok().filter(|_| is_clock)
}

fn local(value: &ICalendarValue) -> Option<DateTime> {
    let ICalendarValue::PartialDateTime(read) = value else { return None };
    let read = read_civil(read)?;
    Some(read.date.to_datetime(read.time?))
}

/// The changes as a file of the tz database (RFC 8536), because that is what makes a zone of its own for jiff.
fn tzif(first: Offset, changes: &[Change]) -> Option<Vec<u8>> {
    let mut types = vec![first];
    let mut transitions: Vec<(i64, u8)> = Vec::new();
    for change in changes {
        let at = change.before.to_timestamp(change.onset).ok()?.as_second();
        let known = types.iter().position(|offset| *offset == change.after);
        let index = known.unwrap_or_else(|| {
            types.push(change.after);
            types.len() - 1
        });
        match transitions.last_mut() {
            Some(last) if last.0 >= at => last.1 = u8::try_from(index).ok()?,
            _ => transitions.push((at, u8::try_from(index).ok()?)),
        }
    }
    let count = |number: usize| u32::try_from(number).ok().map(u32::to_be_bytes);
    let header = |transitions: usize, types: usize, names: usize| {
        let mut header = b"TZif2".to_vec();
        header.extend([0; 15]);
        // UT indicators, standard indicators, leap seconds, transitions, types, names.
        for number in [0, 0, 0, transitions, types, names] {
            header.extend(count(number)?);
        }
        Some(header)
    };
    // Readers of the second version skip the first block, but it must be there.
    let mut file = header(0, 1, 1)?;
    file.extend([0; 6 + 1]);
    file.extend(header(transitions.len(), types.len(), 1)?);
    file.extend(transitions.iter().flat_map(|(at, _)| at.to_be_bytes()));
    file.extend(transitions.iter().map(|(_, index)| *index));
    for offset in types {
        file.extend(offset.seconds().to_be_bytes());
        file.extend([0, 0]);
    }
    file.extend(b"\0\n\n");
    Some(file)
}
