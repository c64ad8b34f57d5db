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

/// Finds the instant of a local time. In a gap the offset before the gap applies; in a double hour the first is meant.
/// What lies outside of the time line is taken to its end.
#[must_use]
pub fn place(local: DateTime, zone: &TimeZone) -> Placed {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => Placed { at: instant(local, offset), local, note: None },
        AmbiguousOffset::Fold { before, .. } => {
            Placed { at: instant(local, before), local, note: Some(DstNote::DoubleHour) }
        }
        AmbiguousOffset::Gap { before, .. } => {
            let at = instant(local, before);
            Placed { at, local: zone.to_datetime(at), note: Some(DstNote::Gap) }
        }
    }
}

/// The instant, or the end of the time line: years 1 to 9999 fit but for hours at both ends.
fn instant(local: DateTime, offset: Offset) -> Timestamp {
    let end = if local.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    offset.to_timestamp(local).unwrap_or(end)
}

#[cfg(test)]
mod tests;
