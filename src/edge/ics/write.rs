//! Writes our own dates as a feed that calendars subscribe to (RFC 5545, METHOD:PUBLISH).
//!
//! Times are in UTC: the `icalendar` crate writes no VTIMEZONE, and an instant needs none. Invariants: whatever names and
//! descriptions say, it stays inside its own line; the same dates give the same bytes.

use icalendar::{Calendar, Component, Event, EventStatus, Property};
use jiff::Timestamp;

use crate::domain::line::clean_line;

const PRODUCT: &str = concat!("-//turnus//turnus ", env!("CARGO_PKG_VERSION"), "//EN");
/// Longest line of text that is written, in characters; calendars show less.
const MAX_LINE: usize = 500;
/// Most lines of a description.
const MAX_LINES: usize = 40;

/// How certain a date is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Planned, and not announced yet.
    Tentative,
    /// Announced or confirmed.
    Confirmed,
    /// It does not take place. It stays in the feed for a while, so that calendars take it out.
    Cancelled,
}

/// One of our dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnEvent {
    /// Names the date for good, whatever becomes of it: `<occurrence>@<instance>`.
    pub uid: String,
    /// Grows with every change that people have to know of.
    pub sequence: u32,
    /// When this state of it was written.
    pub stamp: Timestamp,
    /// One line.
    pub summary: String,
    /// More lines, or none.
    pub description: String,
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
    /// How certain it is.
    pub status: Status,
}

/// The feed `name` with these events, in their order.
#[must_use]
pub fn write(events: &[OwnEvent], name: &str) -> String {
    let name = one_line(name);
    let mut calendar = Calendar::empty();
    for (key, value) in [("VERSION", "2.0"), ("PRODID", PRODUCT), ("CALSCALE", "GREGORIAN"), ("METHOD", "PUBLISH")] {
        calendar.append_property((key, value));
    }
    // The crate escapes only what it knows as text, and `NAME` (RFC 7986) is younger than its table.
    calendar.append_property(Property::new("NAME", &name).append_parameter(("VALUE", "TEXT")).done());
    calendar.append_property(("X-WR-CALNAME", name.as_str()));
    calendar.extend(events.iter().map(event));
    calendar.to_string()
}

fn event(own: &OwnEvent) -> Event {
    let mut event = Event::new();
    event
        .uid(&one_line(&own.uid))
        .sequence(own.sequence)
        .add_property("DTSTAMP", utc(own.stamp))
        .add_property("DTSTART", utc(own.start))
        .add_property("DTEND", utc(own.end))
        .summary(&one_line(&own.summary));
    if !own.description.trim().is_empty() {
        event.description(&lines(&own.description));
    }
    event.status(match own.status {
        Status::Tentative => EventStatus::Tentative,
        Status::Confirmed => EventStatus::Confirmed,
        Status::Cancelled => EventStatus::Cancelled,
    });
    event.done()
}

fn utc(instant: Timestamp) -> String {
    instant.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The crate lets control characters pass, among them the carriage return that ends a line for many readers.
fn one_line(text: &str) -> String {
    clean_line(text.as_bytes(), MAX_LINE)
}

fn lines(text: &str) -> String {
    let cleaned: Vec<String> = text.lines().take(MAX_LINES).map(one_line).collect();
    cleaned.join("\n").trim().to_owned()
}
