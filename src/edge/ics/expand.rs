//! From events that recur to events with a date, as far as they touch a range.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::point::{Length, Named, Point};
use super::read::Event;
use super::{Error, ForeignEvent, Moment};
use crate::domain::calendar::recurrence::Given;

/// Most dates that one file may have in a range.
const MAX_INSTANCES: usize = 50_000;

/// What touches `range`, by start. Floating times and whole days count in `floating`.
pub(super) fn expand(
    events: &[Event],
    range: &Range<Timestamp>,
    floating: &TimeZone,
) -> Result<Vec<ForeignEvent>, Error> {
    let latest = latest(events, floating);
    let mut replaced: HashMap<&str, Vec<&Point>> = HashMap::new();
    for event in events {
        if let (Some(uid), Some(point)) = (&event.uid, &event.replaces) {
            replaced.entry(uid).or_default().push(point);
        }
    }
    let mut found = Vec::new();
    for event in events.iter().filter(|event| !event.cancelled && is_latest(event, &latest, floating)) {
        let replaced = event.uid.as_deref().filter(|_| event.replaces.is_none()).and_then(|uid| replaced.get(uid));
        let gone = event.exdates.iter().chain(replaced.into_iter().flatten().copied());
        let gone = Named::of(gone, &event.start, floating);
        for (local, length) in dates(event, range, floating) {
            let start = event.start.at(local);
            let dated = dated(event, &start, length);
            if !gone.contains(local) && touches(&dated, range, floating) {
                found.push(dated);
            }
            if found.len() > MAX_INSTANCES {
                let what = format!("there are more than {MAX_INSTANCES} dates in the range");
                return Err(Error { line: event.line, what });
            }
        }
    }
    found.sort_by_cached_key(|event| {
        (event.start.instant(floating), event.end.instant(floating), event.summary.clone())
    });
    Ok(found)
}

/// By UID and the date that is replaced: a date may have been changed more than once, and so may the whole event.
type Versions<'e> = HashMap<VersionKey<'e>, i64>;
/// UID, and whether it replaces a whole day, and which instant.
type VersionKey<'e> = (&'e str, Option<(bool, Timestamp)>);

fn latest<'e>(events: &'e [Event], floating: &TimeZone) -> Versions<'e> {
    let mut latest = Versions::new();
    for event in events {
        if let Some(key) = version_key(event, floating) {
            let known = latest.entry(key).or_insert(event.sequence);
            *known = event.sequence.max(*known);
        }
    }
    latest
}

fn version_key<'e>(event: &'e Event, floating: &TimeZone) -> Option<VersionKey<'e>> {
    let named = |point: &Point| (matches!(point, Point::Day(_)), point.instant(floating));
    Some((event.uid.as_deref()?, event.replaces.as_ref().map(named)))
}

/// Whether no later version of the event is in the file. Two of the same version are two events with the same UID: it is
/// safer to show both.
fn is_latest(event: &Event, latest: &Versions<'_>, floating: &TimeZone) -> bool {
    version_key(event, floating).is_none_or(|key| latest.get(&key).is_none_or(|sequence| event.sequence >= *sequence))
}

/// The local starts of an event that may touch the range, each with its length. `DTSTART` is a date whatever the rule says.
fn dates(event: &Event, range: &Range<Timestamp>, floating: &TimeZone) -> BTreeMap<DateTime, Length> {
    let zone = event.start.zone(floating);
    // A day more at both ends: offsets, and midnights that there are not.
    let longest = event.rdates.iter().filter_map(|(_, length)| *length).chain([event.length]);
    let earliest = longest.map(|length| zone.to_datetime(range.start).saturating_sub(length.days_at_most())).min();
    let from = earliest.unwrap_or(DateTime::MIN).saturating_sub(1.day());
    let until = zone.to_datetime(range.end).saturating_add(1.day());
    let mut dates = BTreeMap::from([(event.start.local(), event.length)]);
    if let Some(recurrence) = event.recurrence.as_ref().filter(|_| event.replaces.is_none()) {
        let from = from.max(event.start.local());
        let mut bounded = |by_rule: &mut dyn Iterator<Item = (DateTime, Given)>| {
            let locals = by_rule.map(|(local, _)| local).take_while(|local| *local <= until);
            dates.extend(locals.take(MAX_INSTANCES + 1).map(|local| (local, event.length)));
        };
        match &event.start {
            Point::Zoned(_, zone) => bounded(&mut recurrence.instances_in(from, zone)),
            Point::Day(_) | Point::Floating(_) => bounded(&mut recurrence.instances(from)),
        }
    }
    for (point, length) in &event.rdates {
        dates.insert(point.local_for(&event.start, floating), length.unwrap_or(event.length));
    }
    dates.retain(|local, _| (from..=until).contains(local));
    dates
}

fn dated(event: &Event, start: &Point, length: Length) -> ForeignEvent {
    ForeignEvent {
        summary: event.summary.clone(),
        start: start.moment(),
        end: length.end(start),
        all_day: matches!(start, Point::Day(_)),
    }
}

/// Whether some of it lies in the range; what has no length, whether it starts there.
fn touches(event: &ForeignEvent, range: &Range<Timestamp>, floating: &TimeZone) -> bool {
    let (start, end) = (event.start.instant(floating), event.end.instant(floating));
    start < range.end && (end > range.start || start == end && start >= range.start)
}

impl Moment {
    /// The instant; days and floating times count in `floating`.
    #[must_use]
    pub fn instant(&self, floating: &TimeZone) -> Timestamp {
        match self {
            Self::Day(date) => Point::Day(*date).instant(floating),
            Self::Floating(local) => Point::Floating(*local).instant(floating),
            Self::At(zoned) => zoned.timestamp(),
        }
    }

    /// The local time where it counts.
    #[must_use]
    pub fn local(&self) -> DateTime {
        match self {
            Self::Day(date) => Point::Day(*date).local(),
            Self::Floating(local) => *local,
            Self::At(zoned) => zoned.datetime(),
        }
    }
}
