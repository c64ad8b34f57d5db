//! What would change, for people and for programs.

use serde_json::{Value, json};

use super::super::check::count;
use super::super::dates::{moment, with_offset};
use crate::app::calendar::proposal::{CustomerProposal, Difference, Proposal};
use crate::domain::calendar::changes::{Ahead, Change, Slot};
use crate::domain::id::Name;

/// So many customers are shown one by one, beside those whose announced dates change.
const SHOWN_CUSTOMERS: usize = 100;
/// So many dates of a window are shown one by one, beside announced ones.
const SHOWN_DATES: usize = 12;

/// All of it, as people read it.
pub(super) fn describe(proposal: &Proposal) -> String {
    let mut lines: Vec<String> = proposal
        .files
        .iter()
        .map(|(kind, name, difference)| format!("{} {name}: {}", kind.as_str(), difference.as_str()))
        .collect();
    let (mut shown, mut left_out) = (0, 0);
    for customer in &proposal.customers {
        if shown < SHOWN_CUSTOMERS || has_commitments(customer) {
            lines.extend(describe_customer(customer));
            shown += 1;
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        lines.push(format!("… and {} with dates that nobody was told of", count(left_out, "customer")));
    }
    lines.push(String::new());
    lines.push(summarise(proposal));
    lines.join("\n")
}

/// Only what customers were told otherwise.
pub(super) fn describe_commitments(proposal: &Proposal) -> String {
    let line = |(customer, window, change): (&CustomerProposal, &Name, &Change)| {
        format!("{} {window}: {}", customer.name, describe_change(customer, change))
    };
    proposal.commitments().map(line).collect::<Vec<_>>().join("\n")
}

fn has_commitments(customer: &CustomerProposal) -> bool {
    customer.windows.iter().flat_map(|(_, changes)| changes).any(Change::needs_consent)
}

fn describe_customer(customer: &CustomerProposal) -> Vec<String> {
    let mut lines = vec![format!("customer {}: {}", customer.name, customer.file.as_str())];
    for (window, changes) in &customer.windows {
        let appear: Vec<&Slot> = changes.iter().filter_map(appearing).collect();
        if let (Some(first), Some(last)) = (appear.first(), appear.last()) {
            let skipped = appear.iter().filter(|slot| slot.skip.is_some()).count();
            let skipped = if skipped > 0 { format!(", {skipped} of them left out") } else { String::new() };
            lines.push(format!(
                "  {window}: {} {}: {} … {}{skipped}",
                count(appear.len(), "date"),
                if appear.len() == 1 { "appears" } else { "appear" },
                moment(first.start, &first.time_zone),
                moment(last.start, &last.time_zone),
            ));
        }
        let others: Vec<&Change> = changes.iter().filter(|change| appearing(change).is_none()).collect();
        let (mut shown, mut left_out) = (0, 0);
        for change in others {
            if change.needs_consent() || shown < SHOWN_DATES {
                lines.push(format!("  {window}: {}", describe_change(customer, change)));
                shown += usize::from(!change.needs_consent());
            } else {
                left_out += 1;
            }
        }
        if left_out > 0 {
            lines.push(format!("  {window}: … and {} that nobody was told of", count(left_out, "date")));
        }
    }
    lines
}

fn appearing(change: &Change) -> Option<&Slot> {
    match change {
        Change::Appear(slot) => Some(slot),
        _ => None,
    }
}

/// One change in one line; who would be told stands with it.
fn describe_change(customer: &CustomerProposal, change: &Change) -> String {
    let slot = |slot: &Slot| moment(slot.start, &slot.time_zone);
    let was = |from: &Ahead| format!("{} {}", from.state, slot(&from.slot));
    let told = match customer.receivers.as_slice() {
        [] => "nobody is told: no contact receives announcements".to_owned(),
        receivers => format!("{} would be told", receivers.join(", ")),
    };
    match change {
        Change::Appear(to) => format!("{} appears", slot(to)),
        Change::Redate { from, to } if from.slot.start == to.start => format!("{} changes", was(from)),
        Change::Redate { from, to } => format!("{} becomes {}", was(from), slot(to)),
        Change::Skip { from, to } if change.needs_consent() => {
            format!("! {} is left out: {}; {told}", was(from), to.skip.as_deref().unwrap_or_default())
        }
        Change::Skip { from, to } => format!("{} is left out: {}", was(from), to.skip.as_deref().unwrap_or_default()),
        Change::Reinstate { from, to } => format!("{} is held again: {}", was(from), slot(to)),
        Change::Vanish { from } => format!("{} disappears", was(from)),
        Change::Adjust { from, .. } => format!("{} stays; job, cutoff, reminders or review change", was(from)),
        Change::Move { from, to, cause } => {
            format!("! {} moves to {}: {}; {told}", was(from), slot(to), cause.as_str())
        }
        Change::Cancel { from } => format!("! {} is called off: not in the files any more; {told}", was(from)),
    }
}

fn summarise(proposal: &Proposal) -> String {
    let of = |difference| proposal.customers.iter().filter(|customer| customer.file == difference).count();
    let changes = |kinds: &[&str]| proposal.changes().filter(|(.., change)| kinds.contains(&change.as_str())).count();
    let told = proposal.commitments().count();
    let parts = [
        (of(Difference::New), "new customer"),
        (of(Difference::Changed), "changed customer"),
        (of(Difference::Removed), "removed customer"),
        (changes(&["appear", "appear_skipped"]), "new date"),
        (changes(&["redate", "reinstate", "adjust"]), "changed date"),
        (
            changes(&["vanish", "skip"])
                - proposal.commitments().filter(|(.., change)| change.as_str() == "skip").count(),
            "dropped date",
        ),
        (told, "announced date that would move or go"),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| plural(*number, noun)).collect();
    if parts.is_empty() { "files change, no dates".to_owned() } else { parts.join(", ") }
}

fn plural(number: usize, noun: &str) -> String {
    match noun.split_once(" that ") {
        Some((noun, rest)) => format!("{} that {rest}", count(number, noun)),
        None => count(number, noun),
    }
}

/// All of it, as programs read it.
pub(super) fn object(proposal: &Proposal, is_applied: bool) -> Value {
    let files: Vec<_> = proposal
        .files
        .iter()
        .map(|(kind, name, file)| json!({"kind": kind.as_str(), "name": name, "file": file.as_str()}))
        .collect();
    let window = |(name, changes): &(Name, Vec<Change>)| json!({"window": name, "changes": changes.iter().map(change_object).collect::<Vec<_>>()});
    let customer = |customer: &CustomerProposal| {
        json!({
            "customer": customer.name,
            "file": customer.file.as_str(),
            "receivers": customer.receivers,
            "windows": customer.windows.iter().map(window).collect::<Vec<_>>(),
        })
    };
    json!({
        "applied": is_applied,
        "until": proposal.horizon.until,
        "announced": proposal.commitments().count(),
        "files": files,
        "customers": proposal.customers.iter().map(customer).collect::<Vec<_>>(),
    })
}

fn change_object(change: &Change) -> Value {
    let cause = match change {
        Change::Move { cause, .. } => Some(cause.as_str()),
        _ => change.to().and_then(|to| to.skip.as_deref()),
    };
    json!({
        "change": change.as_str(),
        "announced": change.needs_consent(),
        "state": change.from().map(|from| from.state),
        "from": change.from().map(|from| slot_object(&from.slot)),
        "to": change.to().map(slot_object),
        "cause": cause,
    })
}

fn slot_object(slot: &Slot) -> Value {
    json!({
        "date": slot.recurrence_id,
        "start": with_offset(slot.start, &slot.time_zone),
        "end": with_offset(slot.end, &slot.time_zone),
        "utc": slot.start,
        "job": slot.job,
    })
}
