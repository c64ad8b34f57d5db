//! From local times to instants, through gaps and double hours.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::DstNote;

/// A local time on the time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The instant.
    pub at: Timestamp,
    /// The local time of the instant: in a gap later than what was asked for.
    pub local: DateTime,
    /// What the clocks do, if they do anything.
    pub note: Option<DstNote>,
}

/// Names that zone data has although they are of no place: whoever writes one of them has not said which.
const NO_PLACES: [&str; 4] = ["Etc/Unknown", "Factory", "localtime", "posixrules"];

/// The zone with this name of the tz database, in any case of letters; none if nobody's clocks are meant by it.
#[must_use]
pub fn named(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok().filter(|_| is_of_a_place(name))
}

/// All names that [`named`] knows.
#[must_use]
pub fn names() -> Vec<String> {
    let available = jiff::tz::db().available().map(|name| name.as_str().to_owned());
    available.filter(|name| is_of_a_place(name)).collect()
}

fn is_of_a_place(name: &str) -> bool {
    !NO_PLACES.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Finds the instant of a local time. In a gap the offset before the gap applies; in a double hour the first is meant.
/// What lies outside of the time line is taken to its end.
#[must_use]
pub fn place(local: DateTime, zone: &TimeZone) -> Placed {
    locate(local, zone).unwrap_or_else(|| {
        // Years 1 to 9999 fit but for hours at both ends.
        let at = if local.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
        Placed { at, local: zone.to_datetime(at), note: None }
    })
}

/// [`place`] for what opens or ends just then: none if the local time lies outside of the time line.
#[must_use]
pub fn locate(local: DateTime, zone: &TimeZone) -> Option<Placed> {
    let at = |offset: Offset| offset.to_timestamp(local).ok();
    Some(match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => Placed { at: at(offset)?, local, note: None },
        AmbiguousOffset::Fold { before, .. } => Placed { at: at(before)?, local, note: Some(DstNote::DoubleHour) },
        AmbiguousOffset::Gap { before, .. } => {
            let at = at(before)?;
            Placed { at, local: zone.to_datetime(at), note: Some(DstNote::Gap) }
        }
    })
}

/// An instant in a zone, as RFC 3339 has it. That knows no seconds in offsets; where a zone has some, as all had before
/// there was a common time, the instant is given in UTC.
#[must_use]
pub fn rfc3339(at: Timestamp, zone: &TimeZone) -> String {
    match zone.to_offset(at).seconds() % 60 {
        0 => at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        _ => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}

#[cfg(test)]
mod tests;
