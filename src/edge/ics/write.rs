//! Our own dates as events of a calendar, and as a feed that calendars subscribe to (RFC 5545, METHOD:PUBLISH).
//!
//! Times of the feed are in UTC: an instant needs no time zone. Invariant: an event that is written in the feed and in an invitation
//! ([`super::invitation`]) is the same to calendars, by its UID and SEQUENCE.

use icalendar::Property;
use jiff::Timestamp;

use super::part::{Part, bare, lines, one_line, utc};
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::job::{Action, Job, Phase};
use crate::domain::occurrence::OccurrenceState;

const PRODUCT: &str = concat!("-//turnus//turnus ", env!("CARGO_PKG_VERSION"), "//EN");

/// How certain a date is, and what has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Planned, and not announced yet.
    Tentative,
    /// Announced or confirmed.
    Confirmed,
    /// It does not take place. It stays in the feed for a while, so that calendars take it out.
    Cancelled,
    /// Its run is under way.
    InProcess,
    /// Its run has ended.
    Completed,
}

impl Status {
    /// That of an occurrence; none if calendars have no entry for it: it is left out, missed, or has another date.
    #[must_use]
    pub fn of(state: OccurrenceState) -> Option<Self> {
        match state {
            OccurrenceState::Planned => Some(Self::Tentative),
            OccurrenceState::Announced | OccurrenceState::Confirmed => Some(Self::Confirmed),
            OccurrenceState::Open => Some(Self::InProcess),
            OccurrenceState::Done => Some(Self::Completed),
            OccurrenceState::Cancelled => Some(Self::Cancelled),
            OccurrenceState::Missed | OccurrenceState::Skipped | OccurrenceState::Moved => None,
        }
    }

    /// For calendars (RFC 5545, section 3.8.1.11).
    fn as_event(self) -> &'static str {
        match self {
            Self::Tentative => "TENTATIVE",
            Self::Confirmed | Self::InProcess | Self::Completed => "CONFIRMED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// For machines (draft-gunter-calext-maintenance-notifications, section 2.1.8).
    fn as_maintenance(self) -> &'static str {
        match self {
            Self::InProcess => "IN-PROCESS",
            Self::Completed => "COMPLETED",
            Self::Tentative | Self::Confirmed | Self::Cancelled => self.as_event(),
        }
    }
}

/// What a maintenance does to services while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impact {
    /// Nothing that anybody notices.
    NoImpact,
    /// They go on, with less behind them.
    ReducedRedundancy,
    /// They may stop for moments: what is updated is started anew.
    Degraded,
    /// They are stopped.
    Outage,
}

impl Impact {
    /// What a job may do to the services of its hosts, as far as its steps tell.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        let stops =
            job.steps.iter().any(|step| step.phase == Phase::Quiesce || matches!(step.action, Action::Reboot { .. }));
        let changes = job.steps.iter().any(|step| step.phase == Phase::Update);
        match (stops, changes) {
            (true, _) => Self::Outage,
            (false, true) => Self::Degraded,
            (false, false) => Self::NoImpact,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::NoImpact => "NO-IMPACT",
            Self::ReducedRedundancy => "REDUCED-REDUNDANCY",
            Self::Degraded => "DEGRADED",
            Self::Outage => "OUTAGE",
        }
    }
}

/// What programs of customers read of a date: the properties that network operators agreed on (MAINTNOTE,
/// draft-gunter-calext-maintenance-notifications). Its identifier is that of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    /// Who does it: a domain name ([`provider_domain`]).
    pub provider: String,
    /// For whom.
    pub account: Name,
    /// What it does to services.
    pub impact: Impact,
    /// The hosts that it is about.
    pub objects: Vec<Name>,
}

/// What the provider is to programs: the domain of its mail address, or else its name.
#[must_use]
pub fn provider_domain<'a>(email: Option<&'a str>, name: Option<&'a str>) -> &'a str {
    email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain).or(name).unwrap_or("turnus")
}

/// Names a date for good: `origin` is what it was before it was moved, if it was, so that calendars move the entry that they have.
#[must_use]
pub fn uid(origin: OccurrenceId) -> String {
    format!("{origin}@turnus")
}

/// One of our dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnEvent {
    /// Names the date for good, whatever becomes of it ([`uid`]).
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
    /// For programs.
    pub maintenance: Maintenance,
}

/// The feed `name` with these events, in their order.
#[must_use]
pub fn write(events: &[OwnEvent], name: &str) -> String {
    let name = one_line(name);
    // The crate escapes only what it knows as text, and `NAME` (RFC 7986) is younger than its table.
    let title = Property::new("NAME", &name).append_parameter(("VALUE", "TEXT")).done();
    let feed = calendar("PUBLISH").with(title).with(("X-WR-CALNAME", name.as_str()));
    let in_utc =
        |own: &OwnEvent| event(own, [Property::new("DTSTART", utc(own.start)), Property::new("DTEND", utc(own.end))]);
    events.iter().map(in_utc).fold(feed, Part::holding).to_text()
}

/// A calendar that says what is to be done with its events (RFC 5546, section 1.4).
pub(super) fn calendar(method: &str) -> Part {
    Part::new("VCALENDAR")
        .with(("VERSION", "2.0"))
        .with(("PRODID", PRODUCT))
        .with(("CALSCALE", "GREGORIAN"))
        .with(("METHOD", method))
}

/// The event with its first instant and its end as `times` say.
pub(super) fn event(own: &OwnEvent, times: [Property; 2]) -> Part {
    let uid = bare(&own.uid);
    let [start, end] = times;
    let mut event = Part::new("VEVENT")
        .with(("UID", uid.as_str()))
        .with(Property::new("SEQUENCE", own.sequence.to_string()))
        .with(Property::new("DTSTAMP", utc(own.stamp)))
        .with(start)
        .with(end)
        .with(Property::new("SUMMARY", one_line(&own.summary)));
    if !own.description.trim().is_empty() {
        event = event.with(Property::new("DESCRIPTION", lines(&own.description)));
    }
    event = event.with(("STATUS", own.status.as_event()));
    maintenance(event, own, uid.split('@').next().unwrap_or(&uid))
}

fn maintenance(event: Part, own: &OwnEvent, id: &str) -> Part {
    let about = &own.maintenance;
    let event = event
        .with(Property::new("X-MAINTNOTE-PROVIDER", bare(&about.provider)))
        .with(("X-MAINTNOTE-ACCOUNT", about.account.as_str()))
        .with(("X-MAINTNOTE-MAINTENANCE-ID", id))
        .with(("X-MAINTNOTE-IMPACT", about.impact.as_str()))
        .with(("X-MAINTNOTE-STATUS", own.status.as_maintenance()));
    about.objects.iter().fold(event, |event, object| event.with(("X-MAINTNOTE-OBJECT-ID", object.as_str())))
}
