//! Dates and their reasons as tables show them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::domain::calendar::zone::rfc3339;
use crate::domain::calendar::{DstNote, Reason};

/// An instant in the zone of this name, as RFC 3339 has it; in UTC if the zone is not known here.
pub(super) fn with_offset(at: Timestamp, zone: &str) -> String {
    rfc3339(at, &TimeZone::get(zone).unwrap_or(TimeZone::UTC))
}

/// `Fri 2027-03-26 14:00 +01:00`.
pub(super) fn moment(at: Timestamp, zone: &str) -> String {
    zoned(at, zone).strftime("%a %Y-%m-%d %H:%M %:z").to_string()
}

/// `Fri 2027-03-26 14:00 – 18:00 +01:00`, with the second day and both offsets where they differ.
pub(super) fn span(start: Timestamp, end: Timestamp, zone: &str) -> String {
    let (start, end) = (zoned(start, zone), zoned(end, zone));
    let begin =
        start.strftime(if start.offset() == end.offset() { "%a %Y-%m-%d %H:%M" } else { "%a %Y-%m-%d %H:%M %:z" });
    let close = end.strftime(if start.date() == end.date() { "%H:%M %:z" } else { "%a %Y-%m-%d %H:%M %:z" });
    format!("{begin} – {close}")
}

/// `2027-03-26 14:00`, without a zone.
pub(super) fn local(at: DateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

fn zoned(at: Timestamp, zone: &str) -> Zoned {
    at.to_zoned(TimeZone::get(zone).unwrap_or(TimeZone::UTC))
}

/// All reasons in their order.
pub(super) fn explain_all(reasons: &[Reason]) -> String {
    reasons.iter().map(explain).collect::<Vec<_>>().join("; ")
}

fn explain(reason: &Reason) -> String {
    match reason {
        Reason::ByRule => "by rule".to_owned(),
        Reason::ByDate => "single date".to_owned(),
        Reason::Shifted { from, by } => format!("{by} from {from}"),
        Reason::MovedForHoliday { from, holiday } => format!("moved because {from} is {holiday}"),
        Reason::KeptOnHoliday { holiday } => format!("kept on {holiday}"),
        Reason::Dst { note: DstNote::Gap } => {
            "the clocks go forward: the agreed time does not exist, it opens later on the wall".to_owned()
        }
        Reason::Dst { note: DstNote::DoubleHour } => "the clocks go back: the first of two such hours".to_owned(),
        Reason::MovedByPerson { from, by, reason } => format!("moved from {} by {by}: {reason}", local(*from)),
    }
}
