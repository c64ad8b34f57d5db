//! What a TZID means: the zone of the tz database that it names, or else what the file itself says about it.
//!
//! Invariant: a name that neither side knows is no zone. It is never UTC by default, which would be hours off in silence.

use std::collections::BTreeMap;

use calcard::common::timezone::Tz;
use calcard::icalendar::{ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarProperty, ICalendarValue};
use jiff::civil::{DateTime, date};
use jiff::tz::{Offset, TimeZone};

use super::point::{read_civil, read_offset};
use super::read::text_of;
use super::rule::read_rule;
use crate::domain::calendar::recurrence::Recurrence;

/// Changes of the clocks before and after these days are not looked for.
const FIRST: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
const LAST_YEAR: i16 = 2100;
/// Most changes of the clocks by one part of a definition; a rule of every year has 131.
const MAX_CHANGES: usize = 400;
/// Most parts of a definition, and most definitions of a file.
const MAX_PARTS: usize = 64;

/// The zones of one calendar by TZID.
#[derive(Debug, Default)]
pub(super) struct Zones(BTreeMap<String, Option<TimeZone>>);

impl Zones {
    pub(super) fn read(calendar: &ICalendar) -> Self {
        let mut zones = BTreeMap::new();
        for component in calendar.timezones().take(MAX_PARTS) {
            let Some(name) = component.property(&ICalendarProperty::Tzid).and_then(text_of) else { continue };
            let zone = named(name).or_else(|| located(component)).or_else(|| defined(calendar, component));
            zones.entry(name.to_owned()).or_insert(zone);
        }
        Self(zones)
    }

    /// The zone that is called `name` in this calendar.
    pub(super) fn find(&self, name: &str) -> Option<TimeZone> {
        match self.0.get(name) {
            Some(Some(zone)) => Some(zone.clone()),
            // Its definition can't be read: the name may still say enough.
            Some(None) | None => named(name).or_else(|| mapped(name)),
        }
    }
}

/// The zone of the tz database with this name; some programs write a registry's path before it.
fn named(name: &str) -> Option<TimeZone> {
    let path: Vec<&str> = name.trim().trim_start_matches('/').split('/').collect();
    let suffixes = if name.starts_with('/') { path.len() } else { 1 };
    (0..suffixes).find_map(|skipped| TimeZone::get(&path[skipped..].join("/")).ok()).filter(is_known)
}

/// The zone for a name of Windows (`W. Europe Standard Time`) or Outlook (`(UTC+01:00) Amsterdam, Berlin, …`).
fn mapped(name: &str) -> Option<TimeZone> {
    let zone: Tz = name.parse().ok()?;
    let found = zone.name()?;
    // Of a name that it doesn't know calcard takes the offset in it, which is wrong for half of the year.
    let is_guess = found.starts_with("Etc/GMT") && !name.contains("GMT");
    if is_guess { None } else { TimeZone::get(&found).ok().filter(is_known) }
}

/// `Etc/Unknown` is a zone for the tz database, and none for us.
fn is_known(zone: &TimeZone) -> bool {
    !zone.is_unknown()
}

/// `X-LIC-LOCATION` names the zone of the tz database that a definition was made from.
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
fn defined(calendar: &ICalendar, component: &ICalendarComponent) -> Option<TimeZone> {
    let mut changes = Vec::new();
    if component.component_ids.len() > MAX_PARTS {
        return None;
    }
    for id in &component.component_ids {
        let part = calendar.component_by_id(*id)?;
        if matches!(part.component_type, ICalendarComponentType::Standard | ICalendarComponentType::Daylight) {
            changes.extend(changes_of(part)?);
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
    // Outlook's definitions begin in 1601: only what a rule gives that far back is passed over.
    let from = if has_rule { starts.max(FIRST) } else { starts };
    let dates = recurrence.instances_in(from, &zone).map(|(onset, _)| onset);
    let dates = dates.take_while(|onset| onset.year() <= LAST_YEAR).take(MAX_CHANGES);
    Some(std::iter::once(starts).chain(dates).map(|onset| Change { onset, before, after }).collect())
}

fn offset(value: &ICalendarValue) -> Option<Offset> {
    let ICalendarValue::PartialDateTime(read) = value else { return None };
    read_offset(read)
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
