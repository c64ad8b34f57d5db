//! Calendars of other programs (iCalendar, RFC 5545), and our own dates for them.
//!
//! Knows calcard, which reads whatever is nearly iCalendar, and icalendar, which writes lines; dates of recurring events come from
//! [`crate::domain::calendar::recurrence`], as those of windows do. Does not know where files lie. Invariants: an event that can't be
//! read is told with its line, and not passed over; a time zone is never guessed; the work is bounded whatever the file says.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use calcard::icalendar::ICalendarComponentType;
use calcard::{Entry, Parser};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use self::lines::{Layout, Place};
use self::read::{Event, read_event, replaced_uid};
use self::rule::is_sparse;
use self::zone::{Budget, Zones};
use crate::domain::calendar::FreezeSpan;
use crate::domain::calendar::zone::rfc3339;
use crate::domain::document::MAX_CALENDAR_BYTES;

mod expand;
pub mod invitation;
mod lines;
mod observed;
mod part;
mod point;
mod read;
mod rule;
mod write;
mod zone;

#[cfg(test)]
mod tests;

pub use write::{Impact, Maintenance, OwnEvent, Status, provider_domain, uid, write};

/// Most events of a file.
const MAX_EVENTS: usize = 50_000;
/// Most events that are refused one by one.
const MAX_REFUSED: usize = 100;
/// Most events whose rules give hardly any dates: to look for them takes a while.
const MAX_SPARSE: usize = 20;
/// Most components of a file: what a file has of others (alarms, tasks) costs memory, too.
const MAX_COMPONENTS: usize = 150_000;
/// Most lines and values of a file: each takes memory, however short it is.
const MAX_VALUES: usize = 1_000_000;

/// A calendar as another program wrote it.
#[derive(Debug)]
pub struct ForeignCalendar {
    events: Vec<Event>,
    refused: Vec<Error>,
}

/// What is wrong with a calendar, or with one event of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// Line, from 1; that of the event.
    pub line: usize,
    /// What is wrong: lower case, no final period.
    pub what: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// When an event starts or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// A whole day. As an end it is the first day after the event.
    Day(Date),
    /// A local time, wherever one is.
    Floating(DateTime),
    /// An instant in the event's own zone.
    At(Zoned),
}

impl fmt::Display for Moment {
    /// As RFC 3339: a day, a local time without offset, or a time with the offset that its zone has then, if that can be written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(date) => write!(f, "{date}"),
            Self::Floating(local) => write!(f, "{local}"),
            Self::At(zoned) if *zoned.time_zone() == TimeZone::UTC => {
                write!(f, "{}", zoned.strftime("%Y-%m-%dT%H:%M:%SZ"))
            }
            Self::At(zoned) => f.write_str(&rfc3339(zoned.timestamp(), zoned.time_zone())),
        }
    }
}

/// One date of a foreign event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignEvent {
    /// Its title, as one line; may be empty.
    pub summary: String,
    /// When it starts.
    pub start: Moment,
    /// When it is over: the first moment after it.
    pub end: Moment,
    /// Whether it takes whole days.
    pub all_day: bool,
}

/// Something wrong with the file as a whole.
fn whole(what: String) -> Error {
    Error { line: 1, what }
}

fn check_size(text: &str) -> Result<(), Error> {
    if text.len() > MAX_CALENDAR_BYTES {
        return Err(whole(format!("the file has more than {MAX_CALENDAR_BYTES} bytes")));
    }
    let values = lines::written(text).count() + text.bytes().filter(|byte| matches!(byte, b',' | b';')).count();
    if values > MAX_VALUES {
        return Err(whole(format!("the file has more than {MAX_VALUES} lines and values")));
    }
    Ok(())
}

impl ForeignCalendar {
    /// Reads a calendar: lines that are none are passed over, and events that can't be read are [`Self::refused`].
    ///
    /// # Errors
    /// The text is no calendar, or too large.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check_size(text)?;
        let layout = Layout::of(text);
        if layout.begins > MAX_COMPONENTS || layout.events.len() > MAX_EVENTS {
            return Err(whole(format!("the file has more than {MAX_EVENTS} events")));
        }
        let mut calendar = Self { events: Vec::new(), refused: Vec::new() };
        let broken = calendar.read(&layout)?;
        calendar.drop_broken_series(&broken);
        calendar.check_number_refused()?;
        let sparse =
            calendar.events.iter().filter_map(|event| event.recurrence.as_ref()).filter(|rule| is_sparse(rule));
        if sparse.take(MAX_SPARSE + 1).count() > MAX_SPARSE {
            return Err(whole(format!("the rules of more than {MAX_SPARSE} events give a date in 30 years, or none")));
        }
        if let Some(line) = layout.cut_off {
            calendar.refused.push(Error { line, what: "the file is cut off: there is no `END:VCALENDAR`".to_owned() });
        }
        Ok(calendar)
    }

    /// Reads all events. Returns the UIDs of series of which a date is replaced by something unreadable, each with its line.
    fn read(&mut self, layout: &Layout) -> Result<HashMap<String, usize>, Error> {
        let (budget, mut broken) = (Budget::default(), HashMap::new());
        let (mut parser, mut has_calendar, mut seen) = (Parser::new(&layout.text), false, 0);
        loop {
            match parser.entry() {
                Entry::ICalendar(read) => {
                    has_calendar = true;
                    let zones = Zones::of(&read, &budget);
                    let is_event = |kind: &ICalendarComponentType| *kind == ICalendarComponentType::VEvent;
                    for component in read.components.iter().filter(|component| is_event(&component.component_type)) {
                        let place = layout.events.get(seen);
                        let (line, refused) = (place.map_or(1, |place| place.line), self.refused.len());
                        self.add(place, |line| read_event(component, line, &zones));
                        if let Some(uid) = replaced_uid(component).filter(|_| self.refused.len() > refused) {
                            broken.insert(uid.to_owned(), line);
                        }
                        seen += 1;
                        self.check_number_refused()?;
                    }
                }
                Entry::Eof => break,
                Entry::TooManyComponents => return Err(whole("the file has too many parts".to_owned())),
                _ => {}
            }
        }
        if !has_calendar {
            return Err(whole("this is no calendar: there is no `BEGIN:VCALENDAR`".to_owned()));
        }
        // One that is not seen would be a date that is silently not there, and all behind it have the lines of others.
        let begun = layout.events.len();
        if seen != begun {
            return Err(whole(format!("{begun} events begin in the file, but {seen} can be told apart")));
        }
        Ok(broken)
    }

    fn check_number_refused(&self) -> Result<(), Error> {
        if self.refused.len() > MAX_REFUSED {
            return Err(whole(format!("more than {MAX_REFUSED} events of the file can't be read")));
        }
        Ok(())
    }

    /// Refuses what has the UID of a date that is replaced by something unreadable: it would show dates that there are not.
    fn drop_broken_series(&mut self, broken: &HashMap<String, usize>) {
        let line_of = |event: &Event| event.uid.as_ref().and_then(|uid| broken.get(uid)).copied();
        self.refused.extend(self.events.iter().filter_map(|event| {
            let what = format!("the event is changed by the one in line {}, which can't be read", line_of(event)?);
            Some(Error { line: event.line, what })
        }));
        self.events.retain(|event| line_of(event).is_none());
        self.refused.sort_by_key(|error| error.line);
    }

    fn add(&mut self, place: Option<&Place>, read: impl FnOnce(usize) -> Result<Event, String>) {
        let line = place.map_or(1, |place| place.line);
        let whole =
            if place.is_none_or(|place| place.ended) { Ok(()) } else { Err("the file ends within it".to_owned()) };
        match whole.and_then(|()| read(line)) {
            Ok(event) => self.events.push(event),
            Err(reason) => self.refused.push(Error { line, what: format!("the event can't be read: {reason}") }),
        }
    }

    /// What could not be read, by line.
    #[must_use]
    pub fn refused(&self) -> &[Error] {
        &self.refused
    }

    /// The events that touch `range`, by start, without those that are [`Self::refused`]. `floating` is the zone of days and
    /// of times that have none.
    ///
    /// # Errors
    /// There are too many.
    pub fn events(&self, range: Range<Timestamp>, floating: &TimeZone) -> Result<Vec<ForeignEvent>, Error> {
        expand::expand(&self.events, &range, floating)
    }

    /// The spans of all events that touch `range`, as freezes of whoever lives in `zone`.
    ///
    /// # Errors
    /// Something can't be read: that some freeze is missing must not look as if there were none.
    pub fn freeze_spans(&self, range: Range<Timestamp>, zone: &TimeZone) -> Result<Vec<FreezeSpan>, Error> {
        if let Some(refused) = self.refused.first() {
            return Err(refused.clone());
        }
        let span = |event: ForeignEvent| FreezeSpan {
            from: event.start.instant(zone),
            until: event.end.instant(zone),
            reason: event.summary,
        };
        // What takes no time freezes nothing.
        let spans = self.events(range, zone)?.into_iter().map(span).filter(|span| span.from < span.until);
        Ok(spans.collect())
    }
}
