//! From dates as agreed to dates as held: shift, public holidays, freezes, and what the clocks do; each with its reasons.

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::holiday::Region;
use super::recurrence::Recurrence;
use super::{Dated, Freeze, FreezeSpan, HolidayRule};

/// All that decides on the dates of a window.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The dates as agreed.
    pub recurrence: &'a Recurrence,
    /// Length in seconds, elapsed time.
    pub duration_s: u64,
    /// What happens on a public holiday.
    pub holiday: HolidayRule,
    /// The zone of the customer.
    pub zone: &'a TimeZone,
    /// Whose public holidays count; none: no day is one.
    pub region: Option<&'a Region>,
    /// When nothing may be open; in any order.
    pub freezes: &'a [FreezeSpan],
}

/// The dates whose opening lies in `range`, held or left out: in order, each opening once.
#[must_use]
pub fn date(terms: &Terms<'_>, range: Range<Timestamp>) -> Vec<Dated> {
    let _ = (terms, range);
    Vec::new()
}

/// The first `count` dates that open at `from` or later, those that are left out among them.
#[must_use]
pub fn next(terms: &Terms<'_>, from: Timestamp, count: usize) -> Vec<Dated> {
    let _ = (terms, from, count);
    Vec::new()
}

/// Freezes of whole days on the time line of a zone, in order.
#[must_use]
pub fn spans(freezes: &[Freeze], zone: &TimeZone) -> Vec<FreezeSpan> {
    let _ = (freezes, zone);
    Vec::new()
}
