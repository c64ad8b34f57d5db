//! What the clocks of a zone do around an event, for calendars that have no zone data of their own (VTIMEZONE, RFC 5545, 3.6.5).
//!
//! Every change of the clocks is written as it is found, none as a rule: rules have exceptions (Morocco's fast, decrees), and an event
//! needs those around it only. Invariant: whatever lies between the first and the last instant asked for, a reader finds by these lines.

use icalendar::Property;
use jiff::tz::{Offset, TimeZone, TimeZoneTransition};
use jiff::{SignedDuration, Timestamp};

use super::part::{Part, bare, utc};

/// Changes of the clocks so long before and after an event are written, too: people move entries.
const AROUND: SignedDuration = SignedDuration::from_hours(366 * 24);

/// The zone `name` with all that its clocks do from a year before `start` to a year after `end`.
pub(super) fn observed(name: &str, zone: &TimeZone, start: Timestamp, end: Timestamp) -> Part {
    let since = start.saturating_sub(AROUND).unwrap_or(Timestamp::MIN);
    let until = end.saturating_add(AROUND).unwrap_or(Timestamp::MAX);
    let part = Part::new("VTIMEZONE").with(Property::new("TZID", bare(name)));
    let first = match zone.preceding(since).next() {
        Some(change) => observance(&change, zone),
        None => settled(zone, since),
    };
    let within = zone.following(since).take_while(|change| change.timestamp() <= until);
    within.map(|change| observance(&change, zone)).fold(part.holding(first), Part::holding)
}

/// From a change of the clocks on.
fn observance(change: &TimeZoneTransition<'_>, zone: &TimeZone) -> Part {
    let at = change.timestamp();
    let before = at.checked_sub(SignedDuration::from_nanos(1)).map_or(change.offset(), |moment| zone.to_offset(moment));
    let kind = if change.dst().is_dst() { "DAYLIGHT" } else { "STANDARD" };
    lines(kind, at, (before, change.offset()), change.abbreviation())
}

/// A zone whose clocks were never changed before.
fn settled(zone: &TimeZone, since: Timestamp) -> Part {
    let about = zone.to_offset_info(since);
    lines("STANDARD", since, (about.offset(), about.offset()), about.abbreviation())
}

/// The local time of a change is that of the clocks before it.
fn lines(kind: &'static str, at: Timestamp, (from, to): (Offset, Offset), abbreviation: &str) -> Part {
    Part::new(kind)
        .with(Property::new("DTSTART", from.to_datetime(at).strftime("%Y%m%dT%H%M%S").to_string()))
        .with(Property::new("TZOFFSETFROM", signed(from)))
        .with(Property::new("TZOFFSETTO", signed(to)))
        .with(Property::new("TZNAME", bare(abbreviation)))
}

fn signed(offset: Offset) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let [hours, minutes, rest] = [seconds.abs() / 3600, seconds.abs() / 60 % 60, seconds.abs() % 60];
    let rest = if rest == 0 { String::new() } else { format!("{rest:02}") };
    format!("{sign}{hours:02}{minutes:02}{rest}")
}

/// An instant as `key`: a local time of the zone, or in UTC where the local time is there twice. RFC 5545 (section 3.3.5) means the first
/// of the two; not all readers do.
pub(super) fn local(key: &str, at: Timestamp, name: &str, zone: &TimeZone) -> Property {
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
    let on_the_wall = zone.to_datetime(at);
    if zone.to_ambiguous_timestamp(on_the_wall).is_ambiguous() {
        return Property::new(key, utc(at));
    }
    let written = on_the_wall.strftime("%Y%m%dT%H%M%S").to_string();
    Property::new(key, written).append_parameter(("TZID", bare(name).as_str())).done()
}
