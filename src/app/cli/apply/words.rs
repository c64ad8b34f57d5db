//! What would change, for people and for programs.

use serde_json::{Value, json};

use super::super::check::count;
use super::super::dates::{moment, with_offset};
use crate::app::calendar::proposal::{CustomerProposal, Difference, Proposal};
use crate::domain::calendar::changes::{Ahead, Change, MOVE_WITHIN, Slot};
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
        let view = View::of(changes);
        lines.extend(describe_appearing(&view.appear).map(|line| format!("  {window}: {line}")));
        let untold = view.redated.iter().map(|(from, to)| format!("{} becomes {}", was(from), slot(to)));
        let (told, others): (Vec<&Change>, Vec<&Change>) =
            view.others.iter().partition(|change| change.needs_consent());
        let untold = untold.chain(others.iter().map(|change| describe_change(customer, change)));
        let mut untold: Vec<String> = untold.collect();
        let left_out = untold.len().saturating_sub(SHOWN_DATES);
        untold.truncate(SHOWN_DATES);
        let told = told.iter().map(|change| describe_change(customer, change));
        lines.extend(told.chain(untold).map(|line| format!("  {window}: {line}")));
        if left_out > 0 {
            lines.push(format!("  {window}: … and {} that nobody was told of", count(left_out, "date")));
        }
    }
    lines
}

/// The changes of a window as people see them: a planned date that goes and a new one nearby are one that moves.
struct View<'a> {
    appear: Vec<&'a Slot>,
    redated: Vec<(&'a Ahead, &'a Slot)>,
    others: Vec<&'a Change>,
}

impl<'a> View<'a> {
    fn of(changes: &'a [Change]) -> Self {
        let mut appear: Vec<&Slot> = changes.iter().filter_map(appearing).collect();
        let (mut redated, mut others) = (Vec::new(), Vec::new());
        for change in changes.iter().filter(|change| appearing(change).is_none()) {
            match (change, nearest(change, &appear)) {
                (Change::Vanish { from }, Some(place)) => redated.push((from, appear.remove(place))),
                _ => others.push(change),
            }
        }
        Self { appear, redated, others }
    }
}

fn appearing(change: &Change) -> Option<&Slot> {
    match change {
        Change::Appear(slot) => Some(slot),
        _ => None,
    }
}

/// The place of the new date that is nearest to a planned one that goes.
fn nearest(change: &Change, appear: &[&Slot]) -> Option<usize> {
    let Change::Vanish { from } = change else { return None };
    if !from.state.is_ahead() {
        return None;
    }
    let distance = |slot: &Slot| slot.start.duration_since(from.slot.start).abs();
    let near = appear.iter().enumerate().filter(|(_, slot)| slot.skip.is_none() && distance(slot) <= MOVE_WITHIN);
    near.min_by_key(|(_, slot)| distance(slot)).map(|(place, _)| place)
}

fn describe_appearing(appear: &[&Slot]) -> Option<String> {
    let (first, last) = (appear.first()?, appear.last()?);
    if appear.len() == 1 {
        let skipped = first.skip.as_ref().map(|cause| format!(", left out: {cause}")).unwrap_or_default();
        return Some(format!("1 date appears: {}{skipped}", slot(first)));
    }
    let skipped = appear.iter().filter(|slot| slot.skip.is_some()).count();
    let skipped = if skipped > 0 { format!(", {skipped} of them left out") } else { String::new() };
    Some(format!("{} appear: {} … {}{skipped}", count(appear.len(), "date"), slot(first), slot(last)))
}

fn slot(slot: &Slot) -> String {
    moment(slot.start, &slot.time_zone)
}

fn was(from: &Ahead) -> String {
    format!("{} {}", from.state, slot(&from.slot))
}

/// One change in one line; who would be told stands with it.
fn describe_change(customer: &CustomerProposal, change: &Change) -> String {
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
        Change::Adjust { from, .. } => format!("{} stays; what nobody was told of it changes", was(from)),
        Change::Move { from, to, cause } => {
            format!("! {} moves to {}: {}; {told}", was(from), slot(to), cause.as_str())
        }
        Change::Cancel { from } => format!("! {} is called off: not in the files any more; {told}", was(from)),
    }
}

fn summarise(proposal: &Proposal) -> String {
    let of = |difference| proposal.customers.iter().filter(|customer| customer.file == difference).count();
    let views: Vec<View<'_>> = proposal
        .customers
        .iter()
        .flat_map(|customer| customer.windows.iter().map(|(_, changes)| View::of(changes)))
        .collect();
    let others = |kinds: &[&str]| {
        let changes = views.iter().flat_map(|view| &view.others);
        changes.filter(|change| !change.needs_consent() && kinds.contains(&change.as_str())).count()
    };
    let parts = [
        (of(Difference::New), "new customer"),
        (of(Difference::Changed), "changed customer"),
        (of(Difference::Removed), "removed customer"),
        (views.iter().map(|view| view.appear.len()).sum(), "new date"),
        (
            views.iter().map(|view| view.redated.len()).sum::<usize>() + others(&["redate", "reinstate", "adjust"]),
            "changed date",
        ),
        (others(&["vanish", "skip"]), "dropped date"),
        (proposal.commitments().count(), "announced date that would move or go"),
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
