//! What has to change so that the dates that are stored are those that the files give now.
//!
//! Knows a window's stored dates and its freshly dated ones; does not know the database, other windows, or who agrees.
//! Invariants: carrying out all changes leaves nothing to change; what the customer has been told changes only by a
//! change that [needs consent](Change::needs_consent); a date that a person chose stays as long as its window is there and no
//! freeze lies over it.

mod change;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};

pub use change::{Change, MoveCause};

use super::{Dated, FreezeSpan, Reason, Skip};
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::occurrence::OccurrenceState;

/// How far apart a date that is gone and a new one may lie to be told as a move.
pub const MOVE_WITHIN: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A date of a window with everything that is stored of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The local time that the rule gives: names the date for good.
    pub recurrence_id: DateTime,
    /// The recipe.
    pub job: Name,
    /// IANA name of the zone that the local time is in.
    pub time_zone: String,
    /// Local time of the opening.
    pub local_start: DateTime,
    /// The opening.
    pub start: Timestamp,
    /// Nothing starts later.
    pub latest_start: Timestamp,
    /// The close.
    pub end: Timestamp,
    /// Why this date.
    pub reasons: Vec<Reason>,
    /// Why it is left out, if it is.
    pub skip: Option<String>,
    /// When the customer is told (next).
    pub next_notice: Option<Timestamp>,
    /// When pending updates are collected.
    pub review: Option<Timestamp>,
}

/// A stored date that lies ahead: planned, announced, confirmed, skipped, or called off because the files did not give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// Its identity.
    pub id: OccurrenceId,
    /// Where it stands.
    pub state: OccurrenceState,
    /// Grows with each move.
    pub sequence: u32,
    /// Who chose the date, if a person did.
    pub chosen_by: Option<String>,
    /// Whether others refer to it: messages, or the occurrence that it follows. Then it is history, and is not removed.
    pub is_referred_to: bool,
    /// The rest.
    pub slot: Slot,
}

/// What a window says besides its dates.
#[derive(Debug, Clone, Copy)]
pub struct Agreed<'a> {
    /// The recipe.
    pub job: &'a Name,
    /// IANA name of the customer's zone.
    pub time_zone: &'a str,
    /// Nothing starts in the last so many seconds.
    pub cutoff_s: u64,
    /// How long before the start the customer is told, in seconds.
    pub announce_s: &'a [u64],
    /// How long before the start pending updates are collected, in seconds.
    pub review_s: Option<u64>,
    /// Spans in which nothing of the customer begins: over dates that a person chose they lie as over others.
    pub freezes: &'a [FreezeSpan],
}

/// The span that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Only dates after this are ever changed.
    pub now: Timestamp,
    /// Only dates before this appear.
    pub until: Timestamp,
}

impl Horizon {
    /// Dates are wanted up to here, so that a stored one that would now lie a little behind the horizon is not taken for gone.
    #[must_use]
    pub fn dated_until(&self) -> Timestamp {
        self.until.saturating_add(SignedDuration::from_hours(32 * 24)).unwrap_or(self.until)
    }
}

impl Agreed<'_> {
    /// A fresh date with everything that is stored of it. Nobody has been told yet.
    #[must_use]
    pub fn slot(&self, dated: &Dated) -> Slot {
        let held = dated.skip.is_none();
        Slot {
            recurrence_id: dated.recurrence_id,
            job: self.job.clone(),
            time_zone: self.time_zone.to_owned(),
            local_start: dated.local_start,
            start: dated.start,
            latest_start: self.latest_start(dated.start, dated.end),
            end: dated.end,
            reasons: dated.reasons.clone(),
            skip: dated.skip.as_ref().map(ToString::to_string),
            next_notice: self.announce_at(dated.start).filter(|_| held),
            review: self.review_at(dated.start).filter(|_| held),
        }
    }

    /// Close − cutoff, but not before the opening.
    #[must_use]
    pub fn latest_start(&self, start: Timestamp, end: Timestamp) -> Timestamp {
        before(end, self.cutoff_s).map_or(start, |latest| latest.max(start))
    }

    /// When the customer hears of a date first.
    #[must_use]
    pub fn announce_at(&self, start: Timestamp) -> Option<Timestamp> {
        self.announce_s.iter().max().and_then(|lead_s| before(start, *lead_s))
    }

    /// When pending updates of a date are collected.
    #[must_use]
    pub fn review_at(&self, start: Timestamp) -> Option<Timestamp> {
        self.review_s.and_then(|lead_s| before(start, lead_s))
    }

    /// The next reminder of a date that the customer knows.
    #[must_use]
    pub fn next_reminder(&self, start: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let reminders = self.announce_s.iter().filter_map(|lead_s| before(start, *lead_s));
        reminders.filter(|at| *at > now).min()
    }
}

fn before(instant: Timestamp, lead_s: u64) -> Option<Timestamp> {
    instant.checked_sub(SignedDuration::from_secs(i64::try_from(lead_s).ok()?)).ok()
}

/// Compares the stored dates of one window with its fresh ones, which reach from `horizon.now` to [`Horizon::dated_until`].
/// `taken` are dates of the rule that have a row which does not lie ahead any more (done, called off by a person …): they don't come
/// again, nor do they at another time of their day.
#[must_use]
pub fn compare(
    agreed: &Agreed<'_>,
    fresh: &[Dated],
    stored: Vec<Ahead>,
    taken: &BTreeSet<DateTime>,
    horizon: Horizon,
) -> Vec<Change> {
    let given: BTreeSet<DateTime> = fresh.iter().map(|dated| dated.recurrence_id).collect();
    let ahead = fresh.iter().filter(|dated| dated.start > horizon.now);
    let mut fresh: BTreeMap<DateTime, Slot> =
        ahead.map(|dated| (dated.recurrence_id, agreed.slot(dated))).filter(|(id, _)| !taken.contains(id)).collect();
    drop_settled(&mut fresh, &given, &stored, taken);
    let (mut changes, mut gone) = (Vec::new(), Vec::new());
    for row in stored {
        let slot = fresh.remove(&row.slot.recurrence_id);
        match slot {
            _ if row.chosen_by.is_some() => changes.extend(keep_chosen(agreed, row, horizon.now)),
            Some(slot) if row.state.is_commitment() => changes.extend(match_told(agreed, row, slot, horizon.now)),
            Some(slot) => changes.extend(match_untold(row, slot, horizon.now)),
            // What lies behind the horizon is looked at when it comes nearer.
            None if row.slot.start >= horizon.until => {}
            None if row.state == OccurrenceState::Cancelled => {}
            None => gone.push(row),
        }
    }
    let gone = rename(agreed, gone, &mut fresh, horizon.now, &mut changes);
    let (told, untold): (Vec<_>, Vec<_>) = gone.into_iter().partition(|row| row.state.is_commitment());
    changes.extend(untold.into_iter().filter_map(drop_untold));
    fresh.retain(|_, slot| slot.start < horizon.until);
    changes.extend(pair(agreed, told, &mut fresh, horizon.now));
    changes.extend(fresh.into_values().map(Change::Appear));
    changes.sort_by_key(Change::order);
    changes
}

/// What a person chose or called off, and what is done, is named by the rule's time of then. When the files give that day another
/// time, it is the same date, and not one more.
fn drop_settled(
    fresh: &mut BTreeMap<DateTime, Slot>,
    given: &BTreeSet<DateTime>,
    stored: &[Ahead],
    taken: &BTreeSet<DateTime>,
) {
    let chosen = stored.iter().filter(|row| row.chosen_by.is_some()).map(|row| row.slot.recurrence_id);
    let settled = taken.iter().copied().chain(chosen).filter(|id| !given.contains(id));
    let days: BTreeSet<Date> = settled.map(|id| id.date()).collect();
    let known: BTreeSet<DateTime> = stored.iter().map(|row| row.slot.recurrence_id).collect();
    fresh.retain(|id, _| known.contains(id) || !days.contains(&id.date()));
}

/// All that a window without a file leaves behind.
#[must_use]
pub fn withdraw(stored: Vec<Ahead>) -> Vec<Change> {
    let withdraw = |from: Ahead| match from.state.is_commitment() {
        true => Some(Change::Cancel { from }),
        false => drop_untold(from),
    };
    let mut changes: Vec<_> = stored.into_iter().filter_map(withdraw).collect();
    changes.sort_by_key(Change::order);
    changes
}

/// What may happen without a person, and what waits for one.
#[must_use]
pub fn without_consent(changes: Vec<Change>) -> (Vec<Change>, Vec<Change>) {
    changes.into_iter().partition(|change| !change.needs_consent())
}

/// What was left out and is history has no further to go.
fn drop_untold(from: Ahead) -> Option<Change> {
    let has_ended = from.state == OccurrenceState::Skipped && from.is_referred_to;
    let was_called_off = from.state == OccurrenceState::Cancelled;
    (!has_ended && !was_called_off).then_some(Change::Vanish { from })
}

/// The date stays; what is done then is the file's. One that went with its window comes back with it, where the person wanted it.
fn keep_chosen(agreed: &Agreed<'_>, row: Ahead, now: Timestamp) -> Option<Change> {
    if row.state == OccurrenceState::Cancelled {
        let to = hold_again(agreed, &row.slot);
        return Some(Change::Reinstate { from: row, to });
    }
    let freeze = agreed.freezes.iter().find(|freeze| freeze.from < row.slot.end && row.slot.start < freeze.until);
    match (freeze, row.state.is_ahead()) {
        (Some(freeze), true) => {
            let skip = Some(Skip::Frozen { reason: freeze.reason.clone() }.to_string());
            let to = Slot { skip, next_notice: None, review: None, ..row.slot.clone() };
            return Some(Change::Skip { from: row, to });
        }
        (None, false) => {
            let to = hold_again(agreed, &row.slot);
            return Some(Change::Reinstate { from: row, to });
        }
        (Some(_), false) => return None,
        (None, true) => {}
    }
    let mut to = Slot {
        job: agreed.job.clone(),
        latest_start: agreed.latest_start(row.slot.start, row.slot.end),
        review: agreed.review_at(row.slot.start),
        ..row.slot.clone()
    };
    to.review = settle_review(&row.slot, &to, now);
    (to != row.slot).then_some(Change::Adjust { from: row, to })
}

/// A date as it was, nobody told of it.
fn hold_again(agreed: &Agreed<'_>, slot: &Slot) -> Slot {
    Slot {
        job: agreed.job.clone(),
        latest_start: agreed.latest_start(slot.start, slot.end),
        skip: None,
        next_notice: agreed.announce_at(slot.start),
        review: agreed.review_at(slot.start),
        ..slot.clone()
    }
}

fn match_untold(row: Ahead, mut to: Slot, now: Timestamp) -> Option<Change> {
    let was_held = row.state.is_ahead();
    if was_held {
        to.next_notice = settle_notice(&row.slot, &to, now);
        to.review = settle_review(&row.slot, &to, now);
    }
    match (was_held, to.skip.is_none()) {
        (true, false) => Some(Change::Skip { from: row, to }),
        (false, true) => Some(Change::Reinstate { from: row, to }),
        _ if row.state == OccurrenceState::Cancelled => None,
        _ if to == row.slot => None,
        _ => Some(Change::Redate { from: row, to }),
    }
}

fn match_told(agreed: &Agreed<'_>, row: Ahead, mut to: Slot, now: Timestamp) -> Option<Change> {
    if to.skip.is_some() {
        return Some(Change::Skip { from: row, to });
    }
    if (to.start, to.end) == (row.slot.start, row.slot.end) {
        let stored = row.slot.clone();
        return Some(adjust(agreed, row, to, now)).filter(|change| change.to() != Some(&stored));
    }
    let same_local = to.local_start == row.slot.local_start && to.time_zone == row.slot.time_zone;
    let cause = match to.start == row.slot.start {
        true => MoveCause::NewLength,
        false if same_local => MoveCause::ZoneData,
        false => MoveCause::NewTime,
    };
    to.next_notice = agreed.next_reminder(to.start, now);
    Some(Change::Move { from: row, to, cause })
}

/// A date that another date of the rule now stands for, from the same instant to the same instant, is the same to everybody: it
/// only gets that date's name. Returns the others.
fn rename(
    agreed: &Agreed<'_>,
    gone: Vec<Ahead>,
    fresh: &mut BTreeMap<DateTime, Slot>,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Vec<Ahead> {
    let mut left = Vec::new();
    let by_start: BTreeMap<Timestamp, DateTime> = fresh.values().map(|slot| (slot.start, slot.recurrence_id)).collect();
    for row in gone {
        let same = by_start.get(&row.slot.start).and_then(|id| fresh.get(id));
        let same = same.filter(|slot| slot.end == row.slot.end && slot.skip.is_none() && row.state.is_ahead());
        match same.map(|slot| slot.recurrence_id).and_then(|id| fresh.remove(&id)) {
            Some(slot) => changes.push(adjust(agreed, row, slot, now)),
            None => left.push(row),
        }
    }
    left
}

fn adjust(agreed: &Agreed<'_>, from: Ahead, mut to: Slot, now: Timestamp) -> Change {
    to.next_notice = match from.state.is_commitment() {
        true => settle_reminder(agreed, &from.slot, now),
        false => settle_notice(&from.slot, &to, now),
    };
    to.review = settle_review(&from.slot, &to, now);
    Change::Adjust { from, to }
}

/// Gives each date that is gone the nearest new one, if there is one nearby; the earliest chooses first.
fn pair(
    agreed: &Agreed<'_>,
    mut gone: Vec<Ahead>,
    fresh: &mut BTreeMap<DateTime, Slot>,
    now: Timestamp,
) -> Vec<Change> {
    gone.sort_by_key(|row| (row.slot.start, row.slot.recurrence_id));
    let mut changes = Vec::new();
    for from in gone {
        let distance = |slot: &Slot| slot.start.duration_since(from.slot.start).abs();
        let near = fresh.values().filter(|slot| slot.skip.is_none() && distance(slot) <= MOVE_WITHIN);
        let nearest = near.min_by_key(|slot| (distance(slot), slot.start)).map(|slot| slot.recurrence_id);
        changes.push(match nearest.and_then(|id| fresh.remove(&id)) {
            Some(mut to) => {
                to.next_notice = agreed.next_reminder(to.start, now);
                Change::Move { from, to, cause: MoveCause::NewRuleDate }
            }
            None => Change::Cancel { from },
        });
    }
    changes
}

/// An instant that has passed is due, whatever it was.
fn settle_notice(stored: &Slot, fresh: &Slot, now: Timestamp) -> Option<Timestamp> {
    match (stored.next_notice, fresh.next_notice) {
        (Some(stored), Some(fresh)) if stored <= now && fresh <= now => Some(stored),
        (_, fresh) => fresh,
    }
}

/// A reminder that is due stays so, and none comes back after the last.
fn settle_reminder(agreed: &Agreed<'_>, stored: &Slot, now: Timestamp) -> Option<Timestamp> {
    match stored.next_notice {
        Some(at) if at > now => agreed.next_reminder(stored.start, now),
        kept => kept,
    }
}

/// A review whose time has passed is under way or done, and does not come again for the same date.
fn settle_review(stored: &Slot, fresh: &Slot, now: Timestamp) -> Option<Timestamp> {
    let stays = (stored.start, stored.end) == (fresh.start, fresh.end);
    match fresh.review {
        Some(at) if stays && at <= now => stored.review,
        fresh => fresh,
    }
}

#[cfg(test)]
mod tests;
