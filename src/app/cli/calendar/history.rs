//! `turnus calendar history CUSTOMER [WINDOW@DATE]`: who did what to the calendar, and why.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};

use super::named::{Named, customer_name, find_all, list_window};
use crate::app::cli::Format;
use crate::app::cli::context::Context;
use crate::app::cli::dates::{moment, with_offset};
use crate::app::cli::exit::{Exit, Failure};
use crate::app::cli::show::{moment as instant, table};
use crate::app::console::{print, show};
use crate::domain::id::{Name, OccurrenceId};
use crate::edge::store::DatabaseConnection;
use crate::edge::store::audit::{AuditEntry, AuditFilter, list_audit};
use crate::edge::store::occurrence::{StoredOccurrence, find_occurrence};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The customer; without it: of all
    customer: Option<String>,
    /// Of this date only: with what it was before, and what became of it
    #[arg(value_name = "WINDOW@DATE")]
    date: Option<Named>,
    /// At most so many entries, the latest
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What was found.
struct Found {
    /// The dates that entries are about.
    dates: BTreeMap<OccurrenceId, StoredOccurrence>,
    /// By number.
    entries: Vec<AuditEntry>,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let customer = arguments.customer.as_deref().map(customer_name).transpose()?;
    let store = context.open_store().await?;
    let found = async {
        let mut transaction = store.begin().await?;
        match (&customer, &arguments.date) {
            (Some(customer), Some(date)) => of_date(&mut transaction, customer, date).await,
            _ => of_customer(&mut transaction, customer.as_ref(), arguments.limit).await,
        }
    }
    .await;
    store.close().await?;
    let found = found?;
    match arguments.format {
        Format::Json => print(&object(&found).to_string()),
        Format::Table => show(&describe(&found, arguments.date.is_some())),
    }
    Ok(Exit::Done)
}

async fn of_customer(
    connection: &mut DatabaseConnection,
    customer: Option<&Name>,
    limit: u32,
) -> Result<Found, Failure> {
    let mut entries = list_audit(connection, AuditFilter { customer, occurrence: None, limit }).await?;
    entries.reverse();
    let mut dates = BTreeMap::new();
    for id in entries.iter().filter_map(|entry| entry.occurrence).collect::<BTreeSet<_>>() {
        // A date that nobody was told of may be gone.
        dates.extend(find_occurrence(connection, id).await?.map(|row| (id, row)));
    }
    Ok(Found { dates, entries })
}

async fn of_date(connection: &mut DatabaseConnection, customer: &Name, date: &Named) -> Result<Found, Failure> {
    let rows = list_window(connection, customer, date).await?;
    let ids = find_all(&rows, date);
    if ids.is_empty() {
        return Err(Failure::usage(anyhow!("{customer} has no date `{date}`")));
    }
    let mut entries = Vec::new();
    for id in &ids {
        let filter = AuditFilter { customer: None, occurrence: Some(*id), limit: u32::MAX };
        entries.extend(list_audit(connection, filter).await?);
    }
    entries.sort_by_key(|entry| entry.number);
    let dates = rows.into_iter().filter(|row| ids.contains(&row.id)).map(|row| (row.id, row)).collect();
    Ok(Found { dates, entries })
}

fn describe(found: &Found, with_dates: bool) -> String {
    let mut parts = Vec::new();
    if with_dates {
        let mut dates: Vec<_> = found.dates.values().collect();
        dates.sort_by_key(|row| row.sequence);
        parts.extend(dates.into_iter().map(describe_date));
    }
    if found.entries.is_empty() {
        parts.push("no entries".to_owned());
        return parts.join("\n");
    }
    let mut rows = table(&["at", "who", "what", "date", "why"]);
    for entry in &found.entries {
        let date = entry.occurrence.and_then(|id| found.dates.get(&id));
        let date = date.map(|row| format!("{} {}", row.window, moment(row.start, &row.time_zone)));
        rows.add_row([
            instant(entry.at),
            entry.actor.clone(),
            [Some(entry.action.clone()), entry.customer.as_ref().map(ToString::to_string)]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(", "),
            date.unwrap_or_default(),
            why(entry),
        ]);
    }
    parts.push(rows.to_string());
    parts.join("\n")
}

/// The reason, and what else was kept, one after the other.
fn why(entry: &AuditEntry) -> String {
    let detail = entry.detail.as_object().into_iter().flatten();
    let detail = detail.filter(|(key, _)| *key != "successor").map(|(key, value)| match value {
        Value::String(text) => format!("{key} {text}"),
        other => format!("{key} {other}"),
    });
    entry.reason.clone().into_iter().chain(detail).collect::<Vec<_>>().join("; ")
}

fn describe_date(row: &StoredOccurrence) -> String {
    let times = [
        ("announced", row.announced_at),
        ("confirmed", row.confirmed_at),
        ("opened", row.opened_at),
        ("ended", row.finished_at),
    ];
    let mut parts = vec![format!("{} {}: {}", row.window, moment(row.start, &row.time_zone), row.state)];
    parts.extend(times.iter().filter_map(|(what, at)| at.map(|at| format!("{what} {}", instant(at)))));
    parts.extend(row.cause.clone());
    parts.join("; ")
}

fn object(found: &Found) -> Value {
    let date = |row: &StoredOccurrence| {
        json!({
            "id": row.id, "window": row.window, "date": row.recurrence_id, "sequence": row.sequence,
            "moved_from": row.moved_from, "start": with_offset(row.start, &row.time_zone), "state": row.state,
            "cause": row.cause, "announced_at": row.announced_at, "confirmed_at": row.confirmed_at,
            "confirmed_by": row.confirmed_by, "opened_at": row.opened_at, "finished_at": row.finished_at, "run": row.run,
        })
    };
    let entry = |entry: &AuditEntry| {
        json!({
            "number": entry.number, "at": entry.at, "actor": entry.actor, "action": entry.action,
            "customer": entry.customer, "occurrence": entry.occurrence, "reason": entry.reason, "detail": entry.detail,
        })
    };
    json!({
        "occurrences": found.dates.values().map(date).collect::<Vec<_>>(),
        "entries": found.entries.iter().map(entry).collect::<Vec<_>>(),
    })
}
