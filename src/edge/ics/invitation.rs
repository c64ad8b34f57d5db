//! One of our dates as the calendar part of a mail (RFC 5546: METHOD:PUBLISH, REQUEST or CANCEL).
//!
//! Times are local times of the customer's zone, which is described beside them. Invariants: the entry is that of the feed
//! (`super::write`): the same UID, the same SEQUENCE; what does not take place any more rings no alarm.

use icalendar::Property;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::observed::{local, observed};
use super::part::{Part, one_line};
use super::write::{OwnEvent, Status, calendar, event};
use crate::domain::calendar::zone::named;

#[cfg(test)]
mod tests;

/// A date for the calendar of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The date; with [`Method::Cancel`] it is written as cancelled, whatever its status.
    pub event: OwnEvent,
    /// What the recipient's calendar is to do with it.
    pub method: Method,
    /// IANA name of the customer's zone. Without zone data for it, times are in UTC.
    pub time_zone: String,
    /// The provider.
    pub organizer: Party,
    /// An alarm so many seconds before the start, if any.
    pub alarm_before_s: Option<u64>,
}

/// What a calendar is to do with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// Show it, if its owner wants that.
    Publish,
    /// Put it in: `attendee` takes part.
    Request {
        /// The recipient.
        attendee: Party,
        /// Whether the calendar is to ask for an answer.
        answer: Answer,
    },
    /// Take it out.
    Cancel {
        /// The recipient, if it was told by [`Method::Request`].
        attendee: Option<Party>,
    },
}

impl Method {
    /// The word in the calendar, and in the `method` parameter of the mail's part (RFC 6047, section 2.4).
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Publish => "PUBLISH",
            Self::Request { .. } => "REQUEST",
            Self::Cancel { .. } => "CANCEL",
        }
    }
}

/// Whether whoever is invited is asked for an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Answer {
    /// No: turnus reads no mail, and asks on its own pages.
    #[default]
    NotAsked,
    /// Yes.
    Asked,
}

/// Somebody with a mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Name as it stands in letters.
    pub name: String,
    /// Mail address.
    pub email: String,
}

/// The text of the calendar part.
#[must_use]
pub fn write_invitation(invitation: &Invitation) -> String {
    let Invitation { event: own, method, time_zone: name, .. } = invitation;
    // It needs no description of a zone that nobody knows, or of UTC.
    let zone = named(name).unwrap_or(TimeZone::UTC);
    let part = calendar(method.as_str());
    if zone == TimeZone::UTC {
        return part.holding(written(invitation, "UTC", &zone)).to_text();
    }
    part.holding(observed(name, &zone, own.start, own.end)).holding(written(invitation, name, &zone)).to_text()
}

fn written(invitation: &Invitation, name: &str, zone: &TimeZone) -> Part {
    let Invitation { method, organizer, .. } = invitation;
    let mut own = invitation.event.clone();
    if matches!(method, Method::Cancel { .. }) {
        own.status = Status::Cancelled;
    }
    let times = [local("DTSTART", own.start, name, zone), local("DTEND", own.end, name, zone)];
    let part = event(&own, times).with(address("ORGANIZER", organizer));
    match method {
        Method::Publish => with_alarm(part, &own, invitation.alarm_before_s),
        Method::Request { attendee, answer } => {
            with_alarm(part.with(invited(attendee, *answer)), &own, invitation.alarm_before_s)
        }
        Method::Cancel { attendee: Some(attendee) } => part.with(address("ATTENDEE", attendee)),
        Method::Cancel { attendee: None } => part,
    }
}

fn invited(attendee: &Party, answer: Answer) -> Property {
    let asked = answer == Answer::Asked;
    address("ATTENDEE", attendee)
        .append_parameter(("ROLE", "REQ-PARTICIPANT"))
        .append_parameter(("PARTSTAT", if asked { "NEEDS-ACTION" } else { "ACCEPTED" }))
        .append_parameter(("RSVP", if asked { "TRUE" } else { "FALSE" }))
        .done()
}

/// `mailto:` (RFC 6068) with the name beside it.
fn address(key: &str, party: &Party) -> Property {
    // A parameter may hold any character but a quotation mark; the crate puts it in quotation marks where it must be.
    let name = one_line(&party.name).replace('"', "'");
    Property::new(key, format!("mailto:{}", percent_encoded(&party.email)))
        .append_parameter(("CN", name.as_str()))
        .done()
}

fn percent_encoded(email: &str) -> String {
    let mut encoded = String::with_capacity(email.len());
    for byte in email.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'@' | b'+' | b'!' | b'$' | b'\'' | b'*' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// With an alarm, unless there is nothing to wait for.
fn with_alarm(part: Part, own: &OwnEvent, before_s: Option<u64>) -> Part {
    let Some(seconds) = before_s.filter(|_| own.status != Status::Cancelled) else { return part };
    let before = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    let alarm = Part::new("VALARM")
        .with(("ACTION", "DISPLAY"))
        .with(Property::new("TRIGGER", duration(before)))
        .with(Property::new("DESCRIPTION", one_line(&own.summary)));
    part.holding(alarm)
}

/// So long before the start (RFC 5545, section 3.3.6). A day is a day on the wall, which is what people mean.
fn duration(before: SignedDuration) -> String {
    let seconds = before.as_secs();
    match (seconds / 86_400, seconds % 86_400) {
        (days, 0) if days > 0 => format!("-P{days}D"),
        _ => format!("-PT{seconds}S"),
    }
}
