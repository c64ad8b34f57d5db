//! The entry for the recipient's calendar that comes with a message about a date.

use jiff::Timestamp;

use super::Post;
use super::facts::Facts;
use super::matter::hosts;
use crate::domain::inventory::CalendarEntry;
use crate::domain::notification::Kind;
use crate::edge::ics::invitation::{Answer, Invitation, Method, Party, write_invitation};
use crate::edge::ics::{Impact, Maintenance, OwnEvent, Status, provider_domain, uid};
use crate::edge::mail::CalendarPart;
use crate::edge::store::notification::StoredNotification;
use crate::edge::store::occurrence::StoredOccurrence;

/// So long before the opening calendars ring.
pub(in crate::app) const ALARM_S: u64 = 3600;

/// `None`: the message changes nothing in a calendar.
pub(super) fn write_part(
    post: &Post,
    message: &StoredNotification,
    facts: &Facts,
    now: Timestamp,
) -> Option<CalendarPart> {
    let occurrence = facts.occurrence.as_ref()?;
    let attendee = Party { name: message.recipient_name.clone(), email: message.recipient.clone() };
    let method = method(message.kind, message.calendar, attendee)?;
    let invitation = Invitation {
        event: event(post, message, facts, occurrence, now),
        time_zone: occurrence.time_zone.clone(),
        organizer: Party { name: post.name().to_owned(), email: post.email.clone() },
        alarm_before_s: Some(ALARM_S),
        method,
    };
    Some(CalendarPart { method: invitation.method.as_str().to_owned(), content: write_invitation(&invitation) })
}

/// What the recipient's calendar is to do, as its owner has it.
pub(in crate::app) fn method(kind: Kind, entry: CalendarEntry, attendee: Party) -> Option<Method> {
    match (kind, entry) {
        (Kind::Announcement | Kind::Reminder | Kind::Moved, CalendarEntry::Publish) => Some(Method::Publish),
        (Kind::Announcement | Kind::Reminder | Kind::Moved, CalendarEntry::Request) => {
            Some(Method::Request { attendee, answer: Answer::NotAsked })
        }
        (Kind::Cancelled, CalendarEntry::Publish) => Some(Method::Cancel { attendee: None }),
        (Kind::Cancelled, CalendarEntry::Request) => Some(Method::Cancel { attendee: Some(attendee) }),
        _ => None,
    }
}

/// As in the feed ([`crate::app::cli`]'s `calendar --format ics`): calendars know it by the same name.
fn event(
    post: &Post,
    message: &StoredNotification,
    facts: &Facts,
    occurrence: &StoredOccurrence,
    now: Timestamp,
) -> OwnEvent {
    let whose = facts.customer_name(message.customer.as_ref()).unwrap_or_default();
    let what = facts.job.as_ref().map_or(occurrence.job.as_str(), |job| &job.description);
    OwnEvent {
        uid: uid(facts.origin.unwrap_or(occurrence.id)),
        sequence: occurrence.sequence,
        stamp: now,
        summary: format!("{whose}: {}", occurrence.window),
        description: what.to_owned(),
        start: occurrence.start,
        end: occurrence.end,
        status: if message.kind == Kind::Cancelled { Status::Cancelled } else { Status::Confirmed },
        maintenance: Maintenance {
            provider: provider_domain(Some(&post.email), post.provider.name.as_deref()).to_owned(),
            account: occurrence.customer.clone(),
            impact: facts.job.as_ref().map_or(Impact::Degraded, Impact::of),
            objects: hosts(occurrence, facts),
        },
    }
}
