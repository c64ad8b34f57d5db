//! `turnus calendar move CUSTOMER WINDOW@DATE --to …`: gives a date another time.

use anyhow::anyhow;
use clap::Args;
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::moment::{Moment, zone};
use super::named::{Named, act, explain, find_ahead, keep, list_window, reason};
use crate::app::calendar::proposal::ahead;
use crate::app::calendar::publish::{new_id, replace, row};
use crate::app::calendar::{Almanac, agreed};
use crate::app::cli::context::{Context, person};
use crate::app::cli::dates::{moment, span};
use crate::app::cli::exit::{Exit, Failure};
use crate::app::console::{print, say};
use crate::domain::calendar::Reason;
use crate::domain::calendar::changes::{Agreed, Slot};
use crate::domain::calendar::zone::{Placed, place};
use crate::domain::inventory::Customer;
use crate::domain::occurrence::OccurrenceState;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::Store;
use crate::edge::store::database_now;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::occurrence::StoredOccurrence;
use crate::edge::store::occurrence::insert::NewOccurrence;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The customer
    customer: String,
    /// The date: the day on which it opens now, or the day that its rule gives
    #[arg(value_name = "WINDOW@DATE")]
    date: Named,
    /// The new local time in the customer's zone; a day alone keeps the time of day
    #[arg(long, value_name = "DATETIME")]
    to: Moment,
    /// Why; kept, and part of what the customer is told
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let outcome = reschedule(context, &store, arguments).await;
    store.close().await?;
    outcome
}

async fn reschedule(context: &Context, store: &Store, arguments: &Arguments) -> Result<Exit, Failure> {
    let customer = context.customer(&arguments.customer)?;
    let mut transaction = store.begin().await?;
    let now = database_now(&mut transaction).await?;
    let rows = list_window(&mut transaction, &customer.name, &arguments.date).await?;
    let old = find_ahead(&rows, &customer.name, &arguments.date)?;
    let placed = place(arguments.to.local(old.local_start.time()), &zone(&old.time_zone)?);
    let end = placed.at.saturating_add(length(old)).unwrap_or(Timestamp::MAX);
    refuse(context, customer, (old, &rows), (placed.at, end), now)?;
    let by = person();
    let told = move_one(&mut transaction, customer, old, &placed, (&arguments.reason, &by), now).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    print(&format!(
        "{} {}: {} is now {}",
        customer.name,
        old.window,
        moment(old.start, &old.time_zone),
        span(placed.at, end, &old.time_zone)
    ));
    say(if told { "the customer knew of the date, and is told of the new one" } else { "nobody had been told of it" });
    Ok(Exit::Done)
}

fn length(row: &StoredOccurrence) -> SignedDuration {
    row.end.duration_since(row.start)
}

/// Not into the past, a freeze, or another date of the same window.
fn refuse(
    context: &Context,
    customer: &Customer,
    (old, rows): (&StoredOccurrence, &[StoredOccurrence]),
    (start, end): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<(), Failure> {
    let to = moment(start, &old.time_zone);
    if start <= now {
        return Err(Failure::usage(anyhow!("{to} has passed")));
    }
    if start == old.start {
        return Err(Failure::usage(anyhow!("it opens at {to} already")));
    }
    let mut almanac = Almanac::read(&context.catalog, &(start..end)).map_err(Failure::usage)?;
    let dates = almanac.of(customer).map_err(|problem| Failure::usage(anyhow!("{problem}")))?;
    if let Some(freeze) = dates.freezes().iter().find(|freeze| freeze.from < end && start < freeze.until) {
        return Err(Failure::usage(anyhow!("{to} lies in a freeze: {}", freeze.reason))
            .hint("nothing starts in a freeze; take another day, or shorten the freeze"));
    }
    let day = start.to_zoned(dates.zone().clone()).date();
    let is_there = |other: &&StoredOccurrence| {
        let stands = other.state.is_ahead() || matches!(other.state, OccurrenceState::Open | OccurrenceState::Done);
        stands && other.id != old.id && (other.local_start.date() == day || (other.start < end && start < other.end))
    };
    match rows.iter().find(is_there) {
        Some(other) => Err(Failure::usage(anyhow!(
            "{} has a date there already: {}",
            old.window,
            span(other.start, other.end, &other.time_zone)
        ))),
        None => Ok(()),
    }
}

/// Whether the customer is told.
async fn move_one(
    connection: &mut DatabaseConnection,
    customer: &Customer,
    old: &StoredOccurrence,
    placed: &Placed,
    (reason, by): (&str, &str),
    now: Timestamp,
) -> Result<bool, Failure> {
    let told = old.state.is_commitment();
    let window = customer.windows.iter().find(|window| window.name == old.window);
    let agreed = window.map(|window| agreed(customer, window));
    let successor = NewOccurrence {
        sequence: old.sequence + 1,
        moved_from: Some(old.id),
        chosen_by: Some(by.to_owned()),
        ..row(&old.customer, &old.window, new_id(), &slot(old, placed, agreed, (reason, by), now))
    };
    let detail = json!({ "from": old.local_start, "to": successor.local_start, "successor": successor.id });
    let cause = format!("moved by {by}: {reason}");
    replace(connection, &ahead(old.clone(), false), &successor, &cause, act(by, now)).await.map_err(explain)?;
    keep(connection, old, "move occurrence", Some(reason), &detail).await?;
    Ok(told)
}

fn slot(
    old: &StoredOccurrence,
    placed: &Placed,
    agreed: Option<Agreed<'_>>,
    (reason, by): (&str, &str),
    now: Timestamp,
) -> Slot {
    let later = placed.at.duration_since(old.start);
    let shifted = |at: Timestamp| at.saturating_add(later).unwrap_or(Timestamp::MAX);
    let next_notice = agreed.and_then(|agreed| match old.state.is_commitment() {
        true => agreed.next_reminder(placed.at, now),
        false => agreed.announce_at(placed.at),
    });
    Slot {
        recurrence_id: old.recurrence_id,
        job: old.job.clone(),
        time_zone: old.time_zone.clone(),
        local_start: placed.local,
        start: placed.at,
        latest_start: shifted(old.latest_start),
        end: shifted(old.end),
        reasons: reasons(old, placed, (reason, by), old.local_start),
        skip: None,
        next_notice,
        review: agreed.and_then(|agreed| agreed.review_at(placed.at)),
    }
}

/// What the clocks did to the old date does not matter any more.
fn reasons(old: &StoredOccurrence, placed: &Placed, (reason, by): (&str, &str), from: DateTime) -> Vec<Reason> {
    let mut reasons: Vec<Reason> =
        old.reasons.iter().filter(|reason| !matches!(reason, Reason::Dst { .. })).cloned().collect();
    reasons.push(Reason::MovedByPerson { from, by: by.to_owned(), reason: reason.to_owned() });
    reasons.extend(placed.note.map(|note| Reason::Dst { note }));
    reasons
}
