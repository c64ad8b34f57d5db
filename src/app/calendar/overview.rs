//! The calendar as people look at it: dates of the files joined with what is stored of them.
//!
//! Does not know how it is shown. Invariant: a date of the rule is there once, as it is stored if it is stored.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::Almanac;
use crate::domain::calendar::collision::{Booked, Collision, collisions};
use crate::domain::calendar::{Dated, Reason};
use crate::domain::catalog::Catalog;
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::inventory::{Customer, Window};
use crate::domain::occurrence::OccurrenceState;
use crate::domain::problem::{Problem, Problems};
use crate::edge::store::occurrence::StoredOccurrence;

/// A stored date has its fresh one within this time, if there is one at all.
const EDGE: SignedDuration = SignedDuration::from_hours(70 * 24);

/// No further step is taken behind so many dates: each takes time and memory.
const MOST_LOOKED_AT: usize = 1_000_000;

/// So many dates more are looked at than were asked for.
const SPARE: usize = 8;

/// What is known of a date besides the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is stored.
    Stored(OccurrenceState),
    /// The files have it; nobody has applied it.
    NotApplied,
    /// It lies in the past, and nothing is recorded of it.
    NotRecorded,
    /// Whether it is stored is not known: the database was not asked.
    Unknown,
}

impl Standing {
    /// The word in tables and for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored(state) => state.as_str(),
            Self::NotApplied => "not_applied",
            Self::NotRecorded => "not_recorded",
            Self::Unknown => "unknown",
        }
    }
}

/// One date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'c> {
    /// Whose.
    pub customer: Name,
    /// Of which window.
    pub window: Name,
    /// The local time that the rule gives.
    pub recurrence_id: DateTime,
    /// Its identity, if it is stored.
    pub id: Option<OccurrenceId>,
    /// Grows with each move.
    pub sequence: u32,
    /// The recipe.
    pub job: Name,
    /// The hosts that the files name.
    pub hosts: &'c [Name],
    /// IANA name of the zone that it is shown in.
    pub time_zone: String,
    /// The opening.
    pub start: Timestamp,
    /// The close.
    pub end: Timestamp,
    /// Why this date.
    pub reasons: Vec<Reason>,
    /// Why it is left out, called off, or missed; what it waits for.
    pub cause: Option<String>,
    /// What is known of it.
    pub standing: Standing,
    /// How the files would have it otherwise.
    pub differs: Option<Differs>,
}

/// How the files would have a stored date otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Differs {
    /// At another time.
    OtherTime {
        /// Its opening.
        start: Timestamp,
    },
    /// Left out.
    LeftOut {
        /// Why.
        cause: String,
    },
    /// Held.
    Held,
    /// Not at all.
    Gone,
}

impl Entry<'_> {
    /// Whether it is open at `at`, or might still open.
    fn is_under_way(&self, at: Timestamp) -> bool {
        let is_live =
            matches!(self.standing, Standing::Stored(state) if state.is_ahead() || state == OccurrenceState::Open);
        is_live && self.start <= at && at < self.end
    }

    /// Whether its window will open, as far as is known.
    #[must_use]
    pub fn is_held(&self) -> bool {
        match self.standing {
            Standing::Stored(state) => state.is_ahead() || state == OccurrenceState::Open,
            Standing::NotApplied | Standing::NotRecorded | Standing::Unknown => self.cause.is_none(),
        }
    }
}

/// What was asked for.
#[derive(Debug)]
pub struct Overview<'c> {
    /// The dates, by their opening.
    pub entries: Vec<Entry<'c>>,
    /// What is in the way of each other; of one customer, if one was asked for.
    pub collisions: Vec<Collision>,
    /// How many dates of all customers were looked at.
    pub looked_at: usize,
}

impl Overview<'_> {
    /// Leaves the first `count` dates, and what collides with them.
    pub fn truncate(&mut self, count: usize) {
        let Some(end) = self.entries.get(count).map(|next| next.start) else { return };
        self.entries.truncate(count);
        self.collisions.retain(|collision| match collision {
            Collision::SameHost { from, .. } | Collision::TooManyParallel { from, .. } => *from < end,
        });
    }
}

/// Up to where dates are to be looked at to find `count`, for `customer` or all.
///
/// # Errors
/// A calendar or time zone that can't be used.
pub fn find_end(
    catalog: &Catalog,
    customer: Option<&Name>,
    from: Timestamp,
    count: usize,
) -> Result<Timestamp, Problems> {
    // Some of the dates may have been moved away: what is stored takes their places.
    let count = 2 * count + SPARE;
    // Windows come once in thirty years at least; freezes of foreign calendars matter little for how far to look.
    let range = from..from.saturating_add(super::HORIZON).unwrap_or(Timestamp::MAX);
    let mut almanac = Almanac::read(catalog, &range)?;
    let mut starts: Vec<Timestamp> = Vec::new();
    for customer in chosen(catalog, customer) {
        let dates = almanac.of(customer).map_err(one)?;
        for window in &customer.windows {
            starts.extend(dates.next(window, from, count).iter().map(|dated| dated.start));
        }
    }
    starts.sort_unstable();
    let last = starts.get(count.saturating_sub(1)).or(starts.last());
    Ok(last.map_or(range.end, |last| last.saturating_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX)))
}

/// The dates that open within `range`, and those that are under way at its beginning. `stored` are the rows around it, `None` if the database was not asked.
///
/// # Errors
/// A calendar or time zone that can't be used.
pub fn look<'c>(
    catalog: &'c Catalog,
    customer: Option<&Name>,
    range: &Range<Timestamp>,
    stored: Option<Vec<StoredOccurrence>>,
    now: Timestamp,
) -> Result<Overview<'c>, Problems> {
    let absent = match stored {
        Some(_) => Standing::NotApplied,
        None => Standing::Unknown,
    };
    let mut rows: BTreeMap<(Name, Name), Vec<StoredOccurrence>> = BTreeMap::new();
    for row in stored.into_iter().flatten() {
        rows.entry((row.customer.clone(), row.window.clone())).or_default().push(row);
    }
    let mut almanac = Almanac::read(catalog, range)?;
    let mut entries = Vec::new();
    // All customers: whose windows are too many at once is nobody's own affair.
    for customer in catalog.customers.values() {
        let dates = almanac.of(customer).map_err(one)?;
        for window in &customer.windows {
            let rows = rows.remove(&(customer.name.clone(), window.name.clone())).unwrap_or_default();
            // A stored date at the edge may have its fresh one outside.
            let range = if rows.is_empty() { range.clone() } else { widen(range) };
            entries.extend(join(customer, window, dates.date(window, range), rows, (absent, now)));
        }
    }
    entries.extend(rows.into_values().flatten().map(|row| {
        let differs = row.state.is_ahead().then_some(Differs::Gone);
        stored_entry(row, &[], differs)
    }));
    entries.retain(|entry| range.contains(&entry.start) || entry.is_under_way(range.start));
    entries.sort_by(|left, right| {
        (left.start, &left.customer, &left.window).cmp(&(right.start, &right.customer, &right.window))
    });
    let looked_at = entries.len();
    let collisions = find_collisions(&entries, customer, usize::from(catalog.settings.limits.parallel_runs));
    entries.retain(|entry| customer.is_none_or(|customer| entry.customer == *customer));
    Ok(Overview { entries, collisions, looked_at })
}

/// [`look`] in growing steps, because a range may reach to the end of time: it ends behind the step that gives more than `most` dates,
/// or `MOST_LOOKED_AT` of all customers. Returns where that was, too.
///
/// # Errors
/// A calendar or time zone that can't be used.
pub fn look_ahead<'c>(
    catalog: &'c Catalog,
    customer: Option<&Name>,
    range: &Range<Timestamp>,
    stored: Option<&[StoredOccurrence]>,
    (most, now): (usize, Timestamp),
) -> Result<(Overview<'c>, Timestamp), Problems> {
    let mut step = super::HORIZON;
    loop {
        let until = range.start.saturating_add(step).map_or(range.end, |until| until.min(range.end));
        let overview = look(catalog, customer, &(range.start..until), stored.map(<[_]>::to_vec), now)?;
        if until == range.end || overview.entries.len() > most || overview.looked_at > MOST_LOOKED_AT {
            return Ok((overview, until));
        }
        step = step.saturating_mul(2);
    }
}

fn chosen<'c>(catalog: &'c Catalog, customer: Option<&Name>) -> impl Iterator<Item = &'c Customer> {
    catalog.customers.values().filter(move |known| customer.is_none_or(|name| known.name == *name))
}

fn one(problem: Problem) -> Problems {
    Problems(vec![problem])
}

/// The dates of one window that are stored or fresh; `absent` says what it means that one is not stored.
pub(super) fn join<'c>(
    customer: &'c Customer,
    window: &'c Window,
    fresh: Vec<Dated>,
    rows: Vec<StoredOccurrence>,
    (absent, now): (Standing, Timestamp),
) -> Vec<Entry<'c>> {
    let mut rows: BTreeMap<DateTime, StoredOccurrence> = rows.into_iter().map(|row| (row.recurrence_id, row)).collect();
    let mut entries = Vec::new();
    for dated in fresh {
        entries.push(match rows.remove(&dated.recurrence_id) {
            Some(row) => {
                let differs = compare(&row, &dated);
                stored_entry(row, &window.hosts, differs)
            }
            None => {
                let is_past = absent == Standing::NotApplied && dated.start <= now;
                fresh_entry(customer, window, dated, if is_past { Standing::NotRecorded } else { absent })
            }
        });
    }
    entries.extend(rows.into_values().map(|row| {
        let is_gone = row.state.is_ahead() && row.chosen_by.is_none();
        stored_entry(row, &window.hosts, is_gone.then_some(Differs::Gone))
    }));
    entries
}

fn widen(range: &Range<Timestamp>) -> Range<Timestamp> {
    range.start.saturating_sub(EDGE).unwrap_or(Timestamp::MIN)..range.end.saturating_add(EDGE).unwrap_or(Timestamp::MAX)
}

fn compare(row: &StoredOccurrence, dated: &Dated) -> Option<Differs> {
    let is_skipped = row.state == OccurrenceState::Skipped;
    if row.chosen_by.is_some() || !(row.state.is_ahead() || is_skipped) {
        return None;
    }
    match &dated.skip {
        Some(skip) if !is_skipped => Some(Differs::LeftOut { cause: skip.to_string() }),
        None if is_skipped => Some(Differs::Held),
        None if (row.start, row.end) != (dated.start, dated.end) => Some(Differs::OtherTime { start: dated.start }),
        _ => None,
    }
}

fn stored_entry(row: StoredOccurrence, hosts: &[Name], differs: Option<Differs>) -> Entry<'_> {
    Entry {
        customer: row.customer,
        window: row.window,
        recurrence_id: row.recurrence_id,
        id: Some(row.id),
        sequence: row.sequence,
        job: row.job,
        hosts,
        time_zone: row.time_zone,
        start: row.start,
        end: row.end,
        reasons: row.reasons,
        cause: row.cause,
        standing: Standing::Stored(row.state),
        differs,
    }
}

fn fresh_entry<'c>(customer: &'c Customer, window: &'c Window, dated: Dated, standing: Standing) -> Entry<'c> {
    Entry {
        customer: customer.name.clone(),
        window: window.name.clone(),
        recurrence_id: dated.recurrence_id,
        id: None,
        sequence: 0,
        job: window.job.clone(),
        hosts: &window.hosts,
        time_zone: customer.time_zone.clone(),
        start: dated.start,
        end: dated.end,
        reasons: dated.reasons,
        cause: dated.skip.map(|skip| skip.to_string()),
        standing,
        differs: None,
    }
}

fn find_collisions(entries: &[Entry<'_>], customer: Option<&Name>, parallel_runs: usize) -> Vec<Collision> {
    let held = entries.iter().filter(|entry| entry.is_held());
    let all: Vec<Booked<'_>> = held
        .map(|entry| Booked {
            customer: &entry.customer,
            window: &entry.window,
            hosts: entry.hosts,
            start: entry.start,
            end: entry.end,
        })
        .collect();
    let mut found = collisions(&all, parallel_runs);
    let Some(customer) = customer else { return found };
    // By their beginning, each with the latest end up to it.
    let mut latest = Timestamp::MIN;
    let mut ends_so_far = |entry: &Entry<'_>| {
        latest = latest.max(entry.end);
        (entry.start, latest)
    };
    let own = entries.iter().filter(|entry| entry.customer == *customer && entry.is_held());
    let own: Vec<(Timestamp, Timestamp)> = own.map(&mut ends_so_far).collect();
    let has_part = |from: Timestamp, until: Timestamp| {
        let opened = own.partition_point(|(start, _)| *start < until);
        own[..opened].last().is_some_and(|(_, latest)| from < *latest)
    };
    found.retain(|collision| match collision {
        Collision::SameHost { customer: of, .. } => of == customer,
        Collision::TooManyParallel { from, until, .. } => has_part(*from, *until),
    });
    found
}
