//! Dates for people, for programs, and for calendars.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::calendar::overview::{Differs, Entry, Overview, Standing};
use crate::app::cli::dates::{explain_all, moment, span, with_offset};
use crate::app::cli::show::table;
use crate::domain::calendar::collision::Collision;
use crate::domain::catalog::Catalog;
use crate::domain::id::OccurrenceId;
use crate::domain::inventory::Customer;
use crate::edge::ics::{Impact, Maintenance, OwnEvent, Status, provider_domain, uid, write};

/// As a table, with what collides below. The column of customers is left out for one.
pub(super) fn describe(overview: &Overview<'_>, customer: Option<&Customer>) -> String {
    if overview.entries.is_empty() {
        return "no dates".to_owned();
    }
    let mut header = vec!["window", "opens – closes", "utc", "state", "why"];
    if customer.is_none() {
        header.insert(0, "customer");
    }
    let mut rows = table(&header);
    for entry in &overview.entries {
        let mut cells = vec![
            entry.window.to_string(),
            span(entry.start, entry.end, &entry.time_zone),
            entry.start.strftime("%Y-%m-%dT%H:%MZ").to_string(),
            state(entry),
            why(entry),
        ];
        if customer.is_none() {
            cells.insert(0, entry.customer.to_string());
        }
        rows.add_row(cells);
    }
    let zone = customer.map_or("UTC", |customer| customer.time_zone.as_str());
    let collisions: Vec<_> = overview.collisions.iter().map(|collision| describe_collision(collision, zone)).collect();
    if collisions.is_empty() { rows.to_string() } else { format!("{rows}\n\n{}", collisions.join("\n")) }
}

fn state(entry: &Entry<'_>) -> String {
    match entry.standing {
        Standing::Stored(state) => state.to_string(),
        Standing::NotApplied => "not applied".to_owned(),
        Standing::NotRecorded => "not recorded".to_owned(),
        Standing::Unknown => "?".to_owned(),
    }
}

fn why(entry: &Entry<'_>) -> String {
    let cause = entry.cause.as_ref().map(|cause| match entry.standing {
        Standing::Stored(state) if state.is_ahead() => format!("waits: {cause}"),
        Standing::Stored(_) => cause.clone(),
        _ => format!("left out, {cause}"),
    });
    let differs = entry.differs.as_ref().map(|differs| match differs {
        Differs::OtherTime { start } => format!("the files say {}: not applied", moment(*start, &entry.time_zone)),
        Differs::LeftOut { cause } => format!("the files leave it out ({cause}): not applied"),
        Differs::Held => "the files hold it: not applied".to_owned(),
        Differs::Gone => "not in the files any more: not applied".to_owned(),
    });
    let reasons = Some(explain_all(&entry.reasons)).filter(|reasons| !reasons.is_empty());
    let parts: Vec<_> = cause.into_iter().chain(reasons).chain(differs).collect();
    parts.join("; ")
}

fn describe_collision(collision: &Collision, zone: &str) -> String {
    match collision {
        Collision::SameHost { customer, host, windows: [first, second], from, until } => format!(
            "collision: host {host} of {customer} is in {first} and {second} at once, {}",
            span(*from, *until, zone)
        ),
        Collision::TooManyParallel { from, until, windows, limit } => format!(
            "collision: {windows} windows are open at once, {limit} runs may be ([limits] parallel_runs), {}",
            span(*from, *until, zone)
        ),
    }
}

/// As programs read it.
pub(super) fn object(overview: &Overview<'_>) -> Value {
    json!({
        "occurrences": overview.entries.iter().map(entry_object).collect::<Vec<_>>(),
        "collisions": overview.collisions.iter().map(collision_object).collect::<Vec<_>>(),
    })
}

fn entry_object(entry: &Entry<'_>) -> Value {
    let differs = entry.differs.as_ref().map(|differs| match differs {
        Differs::OtherTime { start } => {
            json!({"differs": "other_time", "start": with_offset(*start, &entry.time_zone)})
        }
        Differs::LeftOut { cause } => json!({"differs": "left_out", "cause": cause}),
        Differs::Held => json!({"differs": "held"}),
        Differs::Gone => json!({"differs": "gone"}),
    });
    json!({
        "customer": entry.customer,
        "window": entry.window,
        "date": entry.recurrence_id,
        "id": entry.id,
        "sequence": entry.sequence,
        "start": with_offset(entry.start, &entry.time_zone),
        "end": with_offset(entry.end, &entry.time_zone),
        "utc": entry.start,
        "utc_end": entry.end,
        "time_zone": entry.time_zone,
        "state": entry.standing.as_str(),
        "held": entry.is_held(),
        "cause": entry.cause,
        "reasons": entry.reasons,
        "why": why(entry),
        "files": differs,
        "job": entry.job,
        "hosts": entry.hosts,
    })
}

fn collision_object(collision: &Collision) -> Value {
    match collision {
        Collision::SameHost { customer, host, windows, from, until } => json!({
            "collision": "same_host", "customer": customer, "host": host, "windows": windows, "from": from, "until": until,
        }),
        Collision::TooManyParallel { from, until, windows, limit } => json!({
            "collision": "too_many_parallel", "from": from, "until": until, "windows": windows, "limit": limit,
        }),
    }
}

/// As a feed. What is left out or missed is not in it; what was called off is, so that calendars take it out. `origins` are the dates
/// that moved ones were at first.
pub(super) fn feed(
    entries: &[Entry<'_>],
    customer: Option<&Customer>,
    catalog: &Catalog,
    origins: &BTreeMap<OccurrenceId, OccurrenceId>,
    now: Timestamp,
) -> String {
    let provider = catalog.settings.provider.name.as_deref().unwrap_or("turnus");
    let name =
        customer.map_or_else(|| provider.to_owned(), |customer| format!("{provider}: {}", customer.display_name));
    let events: Vec<OwnEvent> = entries.iter().filter_map(|entry| event(entry, catalog, origins, now)).collect();
    write(&events, &name)
}

fn event(
    entry: &Entry<'_>,
    catalog: &Catalog,
    origins: &BTreeMap<OccurrenceId, OccurrenceId>,
    now: Timestamp,
) -> Option<OwnEvent> {
    let status = match entry.standing {
        Standing::Stored(state) => Status::of(state)?,
        // What nobody recorded did not take place.
        Standing::NotRecorded => return None,
        _ if entry.cause.is_some() => return None,
        _ => Status::Tentative,
    };
    let whose = catalog.customers.get(&entry.customer).map_or(entry.customer.as_str(), |known| &known.display_name);
    let job = catalog.jobs.get(&entry.job);
    let what = job.map_or(entry.job.as_str(), |job| &job.description);
    let provider = &catalog.settings.provider;
    Some(OwnEvent {
        uid: match entry.id {
            Some(id) => uid(*origins.get(&id).unwrap_or(&id)),
            None => preliminary_uid(entry, catalog),
        },
        sequence: entry.sequence,
        stamp: now,
        summary: format!("{whose}: {}", entry.window),
        description: format!("{what}\n{}", why(entry)),
        start: entry.start,
        end: entry.end,
        status,
        maintenance: Maintenance {
            provider: provider_domain(provider.email.as_deref(), provider.name.as_deref()).to_owned(),
            account: entry.customer.clone(),
            impact: job.map_or(Impact::Degraded, Impact::of),
            objects: entry.hosts.to_vec(),
        },
    })
}

/// Names a date that is not stored, until it is. No name has a dot or an `@`.
fn preliminary_uid(entry: &Entry<'_>, catalog: &Catalog) -> String {
    let provider = &catalog.settings.provider;
    let whose = provider_domain(provider.email.as_deref(), provider.name.as_deref());
    format!("{}.{}.{}@{whose}", entry.recurrence_id.strftime("%Y%m%dT%H%M%S"), entry.window, entry.customer)
}
