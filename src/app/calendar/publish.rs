//! Carries out what a proposal says, in the caller's transaction.
//!
//! Invariants: every row is found as the proposal saw it, or nothing holds ([`PublishError::Changed`]: roll back); whoever was told of
//! a date that moves or goes is told so in the same transaction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::proposal::{CustomerProposal, Difference, Proposal, compare_customer, read_dates};
use super::{Almanac, horizon};
use crate::domain::calendar::changes::{Ahead, Change, Slot, without_consent};
use crate::domain::catalog::Catalog;
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::inventory::{CalendarEntry, Customer};
use crate::domain::notification::Kind;
use crate::domain::occurrence::{OccurrenceEvent, OccurrenceState};
use crate::domain::problem::Problem;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::applied::contact::{ContactRow, replace_all_contacts};
use crate::edge::store::applied::publish::{publish_all, remove_all, set_all_materialised};
use crate::edge::store::audit::{Entry, note, note_all};
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::notification::{Message, tell, withdraw};
use crate::edge::store::occurrence::adjust::{Adjusted, adjust};
use crate::edge::store::occurrence::change::{Change as Step, change_occurrence};
use crate::edge::store::occurrence::insert::{
    NewOccurrence, delete_planned, insert_occurrences, redate_planned, reinstate,
};
use crate::edge::store::period::{forget_wishes, keep_wishes};
use crate::edge::store::revision::{Revision, RevisionKind};

/// Why a date that the files do not give any more goes.
pub(super) const NOT_IN_FILES: &str = "not in the files any more";

/// Why nothing holds.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else was at the same dates.
    #[error("the calendar has changed meanwhile; nothing was applied")]
    Changed,
}

/// Who acts, and when by the database's clock.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// A person, or a controller.
    pub by: &'a str,
    /// When.
    pub now: Timestamp,
}

/// Publishes files and carries out all changes of `proposal`, those that need consent included: the caller has it. `revisions` are
/// all files as they are now, `act.now` is read under the lock.
///
/// # Errors
/// [`PublishError::Changed`] also if a date of the proposal has begun. Whatever it is, the caller rolls back.
pub async fn publish(
    connection: &mut DatabaseConnection,
    proposal: &Proposal,
    catalog: &Catalog,
    revisions: &[Revision<'_>],
    act: Act<'_>,
) -> Result<(), PublishError> {
    // A person may have thought about it past the start of a date.
    if proposal.changes().filter_map(|(_, _, change)| change.to()).any(|to| to.start <= act.now) {
        return Err(PublishError::Changed);
    }
    let customers = || proposal.customers.iter();
    let kept: Vec<&Customer> = customers()
        .filter(|customer| customer.file.is_settled())
        .filter_map(|customer| catalog.customers.get(&customer.name))
        .collect();
    let mut contacts: Vec<_> = kept.iter().map(|customer| (Some(&customer.name), contacts_of(customer))).collect();
    if proposal.files.iter().any(|(kind, ..)| *kind == RevisionKind::Settings) {
        contacts.push((None, team(catalog)));
    }
    let differs = |revision: &&Revision<'_>| proposal.is_settled(revision.kind, revision.name);
    let differing: Vec<_> = revisions.iter().filter(differs).copied().collect();
    publish_all(connection, &differing, act.by).await?;
    replace_all_contacts(connection, &contacts).await?;
    keep_wishes(connection, &kept).await?;
    carry_out(connection, proposal.changes().map(|(customer, window, change)| (&customer.name, window, change)), act)
        .await?;
    withdraw_files(connection, proposal).await?;
    let present: Vec<&Name> =
        customers().filter(|customer| customer.file != Difference::Removed).map(|customer| &customer.name).collect();
    set_all_materialised(connection, &present, proposal.horizon.until).await?;
    keep_record(connection, proposal, act).await?;
    Ok(())
}

/// After the last message to a customer that is gone.
async fn withdraw_files(connection: &mut DatabaseConnection, proposal: &Proposal) -> Result<(), StoreError> {
    let gone: Vec<&Name> = proposal
        .customers
        .iter()
        .filter(|customer| customer.file == Difference::Removed)
        .map(|customer| &customer.name)
        .collect();
    let names: Vec<&str> = gone.iter().map(|name| name.as_str()).collect();
    if !gone.is_empty() {
        remove_all(connection, RevisionKind::Inventory, &names).await?;
        let nobody: Vec<_> = gone.iter().map(|name| (Some(*name), Vec::new())).collect();
        replace_all_contacts(connection, &nobody).await?;
        forget_wishes(connection, &names).await?;
    }
    for (kind, name, difference) in &proposal.files {
        if *difference == Difference::Removed {
            remove_all(connection, *kind, &[name.as_str()]).await?;
        }
    }
    Ok(())
}

fn contacts_of(customer: &Customer) -> Vec<ContactRow> {
    let row = |contact: &crate::domain::inventory::Contact| ContactRow {
        name: contact.name.clone(),
        email: contact.email.clone(),
        locale: customer.locale,
        receives: contact.receives.clone(),
        calendar: contact.calendar,
    };
    customer.contacts.iter().map(row).collect()
}

fn team(catalog: &Catalog) -> Vec<ContactRow> {
    let provider = &catalog.settings.provider;
    let row = |email: &String| ContactRow {
        name: provider.name.clone().unwrap_or_else(|| email.clone()),
        email: email.clone(),
        locale: provider.locale,
        receives: Vec::new(),
        calendar: CalendarEntry::default(),
    };
    provider.email.iter().map(row).collect()
}

/// One line for each customer in the audit trail.
async fn keep_record(connection: &mut DatabaseConnection, proposal: &Proposal, act: Act<'_>) -> Result<(), StoreError> {
    let details: Vec<Value> = proposal.customers.iter().map(count_changes).collect();
    let files: BTreeMap<String, &str> = proposal
        .files
        .iter()
        .map(|(kind, name, difference)| (format!("{}/{name}", kind.as_str()), difference.as_str()))
        .collect();
    let files = json!({ "files": files });
    let entry = |customer, detail| Entry {
        actor: act.by,
        action: "apply files",
        customer,
        occurrence: None,
        reason: None,
        detail,
    };
    let of_customers =
        proposal.customers.iter().zip(&details).map(|(customer, detail)| entry(Some(&customer.name), detail));
    let of_files = (!proposal.files.is_empty()).then(|| entry(None, &files));
    note_all(connection, &of_customers.chain(of_files).collect::<Vec<_>>()).await
}

fn count_changes(customer: &CustomerProposal) -> Value {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for change in customer.windows.iter().flat_map(|(_, changes)| changes) {
        *counts.entry(change.as_str()).or_default() += 1;
    }
    json!({ "file": customer.file.as_str(), "dates": counts })
}

/// What [`extend`] did for a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// How many dates were stored, changed or removed.
    pub changed: usize,
    /// Dates that the customer knows and the files would have otherwise, with their windows: left as they are.
    pub held: Vec<(Name, Change)>,
}

/// Why a customer's dates could not be extended.
#[derive(Debug, thiserror::Error)]
pub enum ExtendError {
    /// Trouble with the database, or somebody else was at the same dates: try again.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A file that can't be used: try again when another is applied.
    #[error("{0}")]
    File(Problem),
}

/// Stores the dates of one customer up to the horizon, as the daemon does: what the customer was told stays as it is.
///
/// # Errors
/// Whatever it is, the caller rolls back.
pub async fn extend(
    connection: &mut DatabaseConnection,
    almanac: &mut Almanac<'_>,
    customer: &Customer,
    act: Act<'_>,
) -> Result<Extension, ExtendError> {
    let horizon = horizon(act.now);
    let names = std::slice::from_ref(&customer.name);
    let mut stored = read_dates(connection, Some(names), act.now).await.map_err(PublishError::from)?;
    let windows = compare_customer(almanac, customer, &mut stored, horizon).map_err(ExtendError::File)?;
    let (mut free, mut held) = (Vec::new(), Vec::new());
    for (window, changes) in windows {
        let (now_free, now_held) = without_consent(changes);
        free.extend(now_free.into_iter().map(|change| (window.clone(), change)));
        held.extend(now_held.into_iter().map(|change| (window.clone(), change)));
    }
    carry_out(connection, free.iter().map(|(window, change)| (&customer.name, window, change)), act).await?;
    set_all_materialised(connection, &[&customer.name], horizon.until).await.map_err(PublishError::from)?;
    Ok(Extension { changed: free.len(), held })
}

/// Changes by the statement that carries them out.
#[derive(Default)]
struct Sorted<'a> {
    appear: Vec<NewOccurrence>,
    planned: Vec<NewOccurrence>,
    skipped: Vec<NewOccurrence>,
    cancelled: Vec<NewOccurrence>,
    adjusted: Vec<Adjusted>,
    /// Planned ones whose review was asked for on another date.
    reviewed: Vec<OccurrenceId>,
    removed: Vec<OccurrenceId>,
    called_off: Vec<&'a Ahead>,
    told: Vec<Told<'a>>,
}

/// A change that the customer hears of.
type Told<'a> = (&'a Name, &'a Name, &'a Change);

async fn carry_out<'a>(
    connection: &mut DatabaseConnection,
    changes: impl Iterator<Item = Told<'a>>,
    act: Act<'_>,
) -> Result<(), PublishError> {
    let sorted = sort(changes);
    // What goes makes room for what comes.
    check(delete_planned(connection, &sorted.removed).await?, sorted.removed.len())?;
    for row in sorted.called_off {
        end(connection, row, OccurrenceEvent::Cancel, NOT_IN_FILES, act).await?;
    }
    check(redate_planned(connection, &sorted.planned).await?, sorted.planned.len())?;
    for id in sorted.reviewed {
        withdraw(connection, id).await?;
    }
    for (from, rows) in [(OccurrenceState::Skipped, &sorted.skipped), (OccurrenceState::Cancelled, &sorted.cancelled)] {
        check(reinstate(connection, from, rows).await?, rows.len())?;
    }
    check(adjust(connection, &sorted.adjusted).await?, sorted.adjusted.len())?;
    for (customer, window, change) in sorted.told {
        keep_promise(connection, customer, window, change, act).await?;
    }
    // A date that somebody else has stored meanwhile is the same date.
    insert_occurrences(connection, &sorted.appear).await?;
    Ok(())
}

fn sort<'a>(changes: impl Iterator<Item = Told<'a>>) -> Sorted<'a> {
    let mut sorted = Sorted::default();
    for (customer, window, change) in changes {
        let row = |from: &Ahead, to: &Slot| row(customer, window, from.id, to);
        match change {
            Change::Appear(to) => sorted.appear.push(self::row(customer, window, new_id(), to)),
            change if change.needs_consent() => sorted.told.push((customer, window, change)),
            Change::Redate { from, to } | Change::Skip { from, to } | Change::Reinstate { from, to } => {
                let rows = match from.state {
                    OccurrenceState::Skipped => &mut sorted.skipped,
                    OccurrenceState::Cancelled => &mut sorted.cancelled,
                    _ => &mut sorted.planned,
                };
                rows.push(row(from, to));
                let stays = (from.slot.start, from.slot.end) == (to.start, to.end) && to.skip.is_none();
                if from.is_referred_to && !stays {
                    sorted.reviewed.push(from.id);
                }
            }
            Change::Adjust { from, to } => sorted.adjusted.push(Adjusted {
                row: row(from, to),
                seen_state: from.state,
                seen_notice: from.slot.next_notice,
            }),
            Change::Vanish { from } if from.is_referred_to => sorted.called_off.push(from),
            Change::Vanish { from } => sorted.removed.push(from.id),
            // They need consent.
            Change::Move { .. } | Change::Cancel { .. } => {}
        }
    }
    sorted
}

fn check(done: u64, wanted: usize) -> Result<(), PublishError> {
    if usize::try_from(done) == Ok(wanted) { Ok(()) } else { Err(PublishError::Changed) }
}

/// Moves, calls off or leaves out a date that the customer was told of, and tells so.
async fn keep_promise(
    connection: &mut DatabaseConnection,
    customer: &Name,
    window: &Name,
    change: &Change,
    act: Act<'_>,
) -> Result<(), PublishError> {
    let (from, kind, cause, action) = match change {
        Change::Move { from, to, cause } => {
            let successor = NewOccurrence {
                sequence: from.sequence + 1,
                moved_from: Some(from.id),
                ..row(customer, window, new_id(), to)
            };
            let detail = json!({ "to": to.local_start });
            replace(connection, from, &successor, cause.as_str(), act).await?;
            return record(connection, (customer, from.id), "move occurrence", cause.as_str(), &detail, act).await;
        }
        Change::Cancel { from } => (from, OccurrenceEvent::Cancel, NOT_IN_FILES, "cancel occurrence"),
        Change::Skip { from, to } => {
            (from, OccurrenceEvent::Skip, to.skip.as_deref().unwrap_or_default(), "skip occurrence")
        }
        _ => return Ok(()),
    };
    end(connection, from, kind, cause, act).await?;
    let detail = json!({ "from": from.slot.local_start, "cause": cause });
    tell(connection, &Message { kind: Kind::Cancelled, occurrence: from.id, lead: None, detail: &detail }).await?;
    if let Change::Skip { to, .. } = change {
        // It is left out on the date that it has now.
        check(reinstate(connection, OccurrenceState::Skipped, &[row(customer, window, from.id, to)]).await?, 1)?;
    }
    record(connection, (customer, from.id), action, cause, &detail, act).await
}

async fn record(
    connection: &mut DatabaseConnection,
    (customer, occurrence): (&Name, OccurrenceId),
    action: &str,
    reason: &str,
    detail: &Value,
    act: Act<'_>,
) -> Result<(), PublishError> {
    let entry = Entry {
        actor: act.by,
        action,
        customer: Some(customer),
        occurrence: Some(occurrence),
        reason: Some(reason),
        detail,
    };
    note(connection, &entry).await?;
    Ok(())
}

/// Ends an occurrence, and takes back what was still to be told of it.
async fn end(
    connection: &mut DatabaseConnection,
    row: &Ahead,
    event: OccurrenceEvent,
    cause: &str,
    act: Act<'_>,
) -> Result<(), PublishError> {
    let step = Step { id: row.id, from: row.state, event, cause: Some(cause), by: None, now: act.now };
    check(u64::from(change_occurrence(connection, &step).await?), 1)?;
    withdraw(connection, row.id).await?;
    Ok(())
}

/// Puts `successor` in the place of an occurrence. If the customer knew of it, it is told of the new date, which then counts as
/// announced: `successor` says when the next reminder is due.
///
/// # Errors
/// [`PublishError::Changed`] if the occurrence is not where it was, or the new date is taken.
pub async fn replace(
    connection: &mut DatabaseConnection,
    from: &Ahead,
    successor: &NewOccurrence,
    cause: &str,
    act: Act<'_>,
) -> Result<(), PublishError> {
    end(connection, from, OccurrenceEvent::Move, cause, act).await?;
    check(insert_occurrences(connection, std::slice::from_ref(successor)).await?, 1)?;
    if !from.state.is_commitment() {
        return Ok(());
    }
    let (id, announce) = (successor.id, OccurrenceEvent::Announce);
    let step = Step { id, from: OccurrenceState::Planned, event: announce, cause: None, by: None, now: act.now };
    check(u64::from(change_occurrence(connection, &step).await?), 1)?;
    let detail = json!({ "from": from.slot.local_start, "to": successor.local_start, "cause": cause });
    tell(connection, &Message { kind: Kind::Moved, occurrence: id, lead: None, detail: &detail }).await?;
    Ok(())
}

/// Calls off an occurrence; if the customer knew of it, it is told so.
///
/// # Errors
/// [`PublishError::Changed`] if the occurrence is not where it was.
pub async fn call_off(
    connection: &mut DatabaseConnection,
    row: &Ahead,
    cause: &str,
    act: Act<'_>,
) -> Result<(), PublishError> {
    end(connection, row, OccurrenceEvent::Cancel, cause, act).await?;
    if row.state.is_commitment() {
        let detail = json!({ "from": row.slot.local_start, "cause": cause });
        tell(connection, &Message { kind: Kind::Cancelled, occurrence: row.id, lead: None, detail: &detail }).await?;
    }
    Ok(())
}

/// The identity of an occurrence to be stored.
#[must_use]
pub fn new_id() -> OccurrenceId {
    OccurrenceId(Uuid::now_v7())
}

/// A slot as a row: the first of its date, chosen by the rule.
#[must_use]
pub fn row(customer: &Name, window: &Name, id: OccurrenceId, slot: &Slot) -> NewOccurrence {
    NewOccurrence {
        id,
        customer: customer.clone(),
        window: window.clone(),
        recurrence_id: slot.recurrence_id,
        sequence: 0,
        moved_from: None,
        chosen_by: None,
        job: slot.job.clone(),
        time_zone: slot.time_zone.clone(),
        local_start: slot.local_start,
        start: slot.start,
        latest_start: slot.latest_start,
        end: slot.end,
        reasons: slot.reasons.clone(),
        skip: slot.skip.clone(),
        next_notice: slot.next_notice,
        review: slot.review,
    }
}
