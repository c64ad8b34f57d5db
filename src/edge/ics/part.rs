//! The lines of our own calendars: components with their properties.
//!
//! Lines are escaped, quoted and folded by the `icalendar` crate. Its components are not used: it puts a random UID and the time of
//! writing into alarms and time zones, which may have neither. Invariants: whatever names and descriptions say, it stays inside its
//! own line; the same parts give the same bytes.

use icalendar::Property;
use jiff::Timestamp;

use crate::domain::line::clean_line;

/// Longest line of text that is written, in characters; calendars show less.
const MAX_LINE: usize = 500;
/// Most lines of a description.
const MAX_LINES: usize = 40;

/// A component, such as `VEVENT`.
pub(super) struct Part {
    name: &'static str,
    properties: Vec<Property>,
    parts: Vec<Part>,
}

impl Part {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, properties: Vec::new(), parts: Vec::new() }
    }

    /// Adds a property. A value that the crate does not know as text is written as it is.
    pub(super) fn with(mut self, property: impl Into<Property>) -> Self {
        self.properties.push(property.into());
        self
    }

    /// Adds a component inside.
    pub(super) fn holding(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// The component with all its lines, each ended by CRLF.
    pub(super) fn to_text(&self) -> String {
        let properties: String = self.properties.iter().map(line).collect();
        let parts: String = self.parts.iter().map(Self::to_text).collect();
        format!("BEGIN:{name}\r\n{properties}{parts}END:{name}\r\n", name = self.name)
    }
}

fn line(property: &Property) -> String {
    #[expect(clippy::expect_used, reason = "memory takes every text")]
    property.clone().try_into().expect("a line that is written to memory")
}

/// An instant in UTC.
pub(super) fn utc(instant: Timestamp) -> String {
    instant.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The crate lets control characters pass, among them the carriage return that ends a line for many readers.
pub(super) fn one_line(text: &str) -> String {
    clean_line(text.as_bytes(), MAX_LINE)
}

/// Several lines for people.
pub(super) fn lines(text: &str) -> String {
    let cleaned: Vec<String> = text.lines().take(MAX_LINES).map(one_line).collect();
    cleaned.join("\n").trim().to_owned()
}

/// A value or parameter of one line that is neither escaped nor quoted: what would end it, or begin another, is replaced.
pub(super) fn bare(text: &str) -> String {
    one_line(text).replace('"', "'").replace(['\\', ';', ','], " ")
}
