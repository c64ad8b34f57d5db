//! The calendars of all customers: what the files say of windows, freezes, holidays and zones, joined and dated.
//!
//! Shared by the command line and the daemon. Does not know which dates are stored; [`proposal`] compares, [`publish`] writes.

#![expect(clippy::disallowed_methods, reason = "names new occurrences")]

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::calendar::changes::{Agreed, Horizon};
use crate::domain::calendar::dating::{Terms, date, next, spans};
use crate::domain::calendar::{CalendarFreeze, Dated, FreezeSpan};
use crate::domain::catalog::Catalog;
use crate::domain::id::Name;
use crate::domain::inventory::{Customer, Window};
use crate::domain::problem::{Problem, Problems};
use crate::edge::ics::{self, ForeignCalendar};

pub mod opening;
pub mod overview;
pub mod proposal;
pub mod publish;

/// How far ahead dates are stored.
const HORIZON: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Foreign events are wanted this long around a range: a holiday may move a window from or to a day outside of it.
const AROUND: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The span whose dates are stored at `now`. It ends at a midnight of UTC, so that two looks on one day see the same.
#[must_use]
pub fn horizon(now: Timestamp) -> Horizon {
    let until = now.saturating_add(HORIZON).unwrap_or(Timestamp::MAX);
    let midnight = until.as_second().div_euclid(86_400) * 86_400;
    Horizon { now, until: Timestamp::from_second(midnight).unwrap_or(until) }
}

/// What a window says besides its dates; no freezes are known.
#[must_use]
pub fn agreed<'a>(customer: &'a Customer, window: &'a Window) -> Agreed<'a> {
    Agreed {
        job: &window.job,
        time_zone: &customer.time_zone,
        cutoff_s: window.cutoff_s,
        announce_s: &window.announce_s,
        review_s: window.review_s,
        freezes: &[],
    }
}

/// Everything that dates depend on, read once for all customers and one range.
pub struct Almanac<'c> {
    catalog: &'c Catalog,
    calendars: BTreeMap<&'c Name, ForeignCalendar>,
    around: Range<Timestamp>,
    /// Foreign events as freezes, by calendar and zone: ten thousand customers share a handful.
    events: BTreeMap<(Name, String), Vec<FreezeSpan>>,
    /// The provider's own freezes, by zone.
    of_provider: BTreeMap<String, Vec<FreezeSpan>>,
}

impl<'c> Almanac<'c> {
    /// Reads the calendars of `catalog`, for dates within `range`.
    ///
    /// # Errors
    /// All calendars that can't be used, with file and line.
    pub fn read(catalog: &'c Catalog, range: &Range<Timestamp>) -> Result<Self, Problems> {
        let (mut calendars, mut problems) = (BTreeMap::new(), Vec::new());
        for (name, text) in &catalog.calendars {
            match ForeignCalendar::parse(text) {
                Ok(calendar) => {
                    problems.extend(calendar.refused().iter().map(|error| problem_of(name, error.clone())));
                    calendars.insert(name, calendar);
                }
                Err(error) => problems.push(problem_of(name, error)),
            }
        }
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let around = range.start.saturating_sub(AROUND).unwrap_or(Timestamp::MIN)
            ..range.end.saturating_add(AROUND).unwrap_or(Timestamp::MAX);
        Ok(Self { catalog, calendars, around, events: BTreeMap::new(), of_provider: BTreeMap::new() })
    }

    /// What dates the windows of `customer`.
    ///
    /// # Errors
    /// A calendar or time zone that can't be used.
    pub fn of<'a>(&mut self, customer: &'a Customer) -> Result<CustomerDates<'a>, Problem> {
        let zone = TimeZone::get(&customer.time_zone).map_err(|error| unknown_zone(customer, &error))?;
        let mut freezes = self.freezes_of_provider(&customer.time_zone, &zone)?;
        freezes.extend(spans(&customer.freezes, &zone));
        for calendar in &customer.calendars {
            freezes.extend(self.events_of(calendar, &customer.time_zone, &zone)?);
        }
        freezes.sort();
        Ok(CustomerDates { customer, zone, freezes })
    }

    fn freezes_of_provider(&mut self, zone_name: &str, zone: &TimeZone) -> Result<Vec<FreezeSpan>, Problem> {
        if let Some(known) = self.of_provider.get(zone_name) {
            return Ok(known.clone());
        }
        let settings = &self.catalog.settings;
        let mut freezes = spans(&settings.freezes, zone);
        for calendar in &settings.calendars {
            freezes.extend(self.events_of(calendar, zone_name, zone)?);
        }
        self.of_provider.insert(zone_name.to_owned(), freezes.clone());
        Ok(freezes)
    }

    fn events_of(
        &mut self,
        freeze: &CalendarFreeze,
        zone_name: &str,
        zone: &TimeZone,
    ) -> Result<Vec<FreezeSpan>, Problem> {
        let key = (freeze.name.clone(), zone_name.to_owned());
        if !self.events.contains_key(&key) {
            // The catalog holds every calendar that a freeze names.
            let calendar = self.calendars.get(&freeze.name);
            let read = calendar.map_or(Ok(Vec::new()), |calendar| calendar.freeze_spans(self.around.clone(), zone));
            self.events.insert(key.clone(), read.map_err(|error| problem_of(&freeze.name, error))?);
        }
        let mut spans = self.events.get(&key).cloned().unwrap_or_default();
        for span in &mut spans {
            match &freeze.reason {
                Some(reason) => reason.clone_into(&mut span.reason),
                None if span.reason.is_empty() => freeze.name.as_str().clone_into(&mut span.reason),
                None => {}
            }
        }
        Ok(spans)
    }
}

/// What dates the windows of one customer.
#[derive(Debug)]
pub struct CustomerDates<'a> {
    customer: &'a Customer,
    zone: TimeZone,
    freezes: Vec<FreezeSpan>,
}

impl CustomerDates<'_> {
    /// The customer's zone.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// When nothing of this customer may be open.
    #[must_use]
    pub fn freezes(&self) -> &[FreezeSpan] {
        &self.freezes
    }

    /// The dates of `window`, one of this customer's, that open within `range`.
    #[must_use]
    pub fn date(&self, window: &Window, range: Range<Timestamp>) -> Vec<Dated> {
        date(&self.terms(window), range)
    }

    /// The first `count` dates of `window` that open at `from` or later.
    #[must_use]
    pub fn next(&self, window: &Window, from: Timestamp, count: usize) -> Vec<Dated> {
        next(&self.terms(window), from, count)
    }

    fn terms<'t>(&'t self, window: &'t Window) -> Terms<'t> {
        Terms {
            recurrence: &window.recurrence,
            duration_s: window.duration_s,
            holiday: window.holiday,
            zone: &self.zone,
            region: self.customer.holidays.as_ref(),
            freezes: &self.freezes,
        }
    }
}

fn problem_of(calendar: &Name, error: ics::Error) -> Problem {
    problem(format!("calendars/{calendar}.ics"), error.line, error.what)
}

fn unknown_zone(customer: &Customer, error: &jiff::Error) -> Problem {
    let what = format!("the time zone `{}` can't be used: {error}", customer.time_zone);
    problem(format!("inventories/{}.toml", customer.name), 1, what)
}

fn problem(file: String, line: usize, what: String) -> Problem {
    Problem { file, line, column: 1, what, expected: None, hint: None, conceal: false }
}
