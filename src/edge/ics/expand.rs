//! From events that recur to events with a date, as far as they touch a range.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::point::{Length, Named, Point};
use super::read::Event;
use super::{Error, ForeignEvent, Moment};
use crate::domain::calendar::recurrence::{Given, Recurrence};
use crate::domain::calendar::rule::Rule;

/// Most dates that one file may have in a range.
const MAX_INSTANCES: usize = 50_000;

/// Most dates that may be looked at to find them, with those that are replaced and those before the range that `COUNT` counts.
const MAX_LOOKED_AT: usize = 5_000_000;

/// What touches `range`, by start. Floating times and whole days count in `floating`.
pub(super) fn expand(
    events: &[Event],
    range: &Range<Timestamp>,
    floating: &TimeZone,
) -> Result<Vec<ForeignEvent>, Error> {
    let latest = latest(events, floating);
    let mut replaced = Replaced::of(events, floating);
    let (mut found, mut looked_at) = (Vec::new(), 0);
    for event in events.iter().filter(|event| !event.cancelled && is_latest(event, &latest, floating)) {
        let too_many = |what| Err(Error { line: event.line, what });
        let zone = event.start.zone(floating);
        let excluded = Named::of(event.exdates.iter(), &event.start, floating);
        let replaced = replaced.by(event);
        let dates = dates(event, range, floating);
        looked_at += dates.looked_at;
        if looked_at > MAX_LOOKED_AT {
            return too_many(format!("more than {MAX_LOOKED_AT} dates would have to be looked at up to here"));
        }
        for (local, length) in dates.found {
            let dated = dated(event, &event.start.at(local), length);
            let is_gone = excluded.contains(local, zone) || replaced.is_some_and(|by| by.contains(local, zone));
            if !is_gone && touches(&dated, range, floating) {
                found.push(dated);
            }
            if found.len() > MAX_INSTANCES {
                return too_many(format!("there are more than {MAX_INSTANCES} dates in the range"));
            }
        }
    }
    found.sort_by_cached_key(|event| {
        (event.start.instant(floating), event.end.instant(floating), event.summary.clone())
    });
    Ok(found)
}

/// The dates that other events stand for, by UID. Many events may share one, so that they are gathered once.
struct Replaced<'e> {
    points: HashMap<&'e str, Vec<&'e Point>>,
    /// By UID, and whether the event takes whole days.
    named: HashMap<(&'e str, bool), Named>,
    floating: &'e TimeZone,
}

impl<'e> Replaced<'e> {
    fn of(events: &'e [Event], floating: &'e TimeZone) -> Self {
        let mut points: HashMap<&str, Vec<&Point>> = HashMap::new();
        for event in events {
            if let (Some(uid), Some(point)) = (&event.uid, &event.replaces) {
                points.entry(uid).or_default().push(point);
            }
        }
        Self { points, named: HashMap::new(), floating }
    }

    /// What is replaced of an event that replaces nothing itself.
    fn by(&mut self, event: &'e Event) -> Option<&Named> {
        let uid = event.uid.as_deref().filter(|_| event.replaces.is_none())?;
        let points = self.points.get(uid)?;
        let key = (uid, matches!(event.start, Point::Day(_)));
        let gather = || Named::of(points.iter().copied(), &event.start, self.floating);
        Some(self.named.entry(key).or_insert_with(gather))
    }
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

/// Dates of an event.
struct Dates {
    /// The local starts that may touch the range, each with its length.
    found: BTreeMap<DateTime, Length>,
    /// How many had to be looked at.
    looked_at: usize,
}

/// The dates of an event. `DTSTART` is one whatever the rule says.
fn dates(event: &Event, range: &Range<Timestamp>, floating: &TimeZone) -> Dates {
    let zone = event.start.zone(floating);
    // A day more at both ends: offsets, and midnights that there are not.
    let longest = event.rdates.iter().filter_map(|(_, length)| *length).chain([event.length]);
    let earliest = longest.map(|length| zone.to_datetime(range.start).saturating_sub(length.days_at_most())).min();
    let from = earliest.unwrap_or(DateTime::MIN).saturating_sub(1.day());
    let until = zone.to_datetime(range.end).saturating_add(1.day());
    let (mut found, mut counted) = (BTreeMap::from([(event.start.local(), event.length)]), 0);
    if let Some(recurrence) = event.recurrence.as_ref().filter(|_| event.replaces.is_none()) {
        counted = counted_before(recurrence, from);
        let from = from.max(event.start.local());
        let mut bounded = |by_rule: &mut dyn Iterator<Item = (DateTime, Given)>| {
            let locals = by_rule.map(|(local, _)| local).take_while(|local| *local <= until);
            found.extend(locals.take(MAX_INSTANCES + 1).map(|local| (local, event.length)));
        };
        match &event.start {
            Point::Zoned(_, zone) => bounded(&mut recurrence.instances_in(from, zone)),
            Point::Day(_) | Point::Floating(_) => bounded(&mut recurrence.instances(from)),
        }
    }
    for (point, length) in &event.rdates {
        found.insert(point.local_for(&event.start, floating), length.unwrap_or(event.length));
    }
    let looked_at = counted + found.len();
    found.retain(|local, _| (from..=until).contains(local));
    Dates { found, looked_at }
}

/// No fewer than the dates that the rule has to count before it gives one from `from` on.
fn counted_before(recurrence: &Recurrence, from: DateTime) -> usize {
    let Some(count) = recurrence.rule.as_ref().and_then(Rule::count) else { return 0 };
    let days = recurrence.starts.duration_until(from).as_hours() / 24 + 1;
    usize::try_from(days.clamp(0, i64::from(count))).unwrap_or(usize::MAX)
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
