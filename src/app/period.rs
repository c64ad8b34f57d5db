//! What was done for a customer in a period, from the record.
//!
//! Shared by the command line and whoever sends reports. Reads runs one by one and keeps what counts of them: no transaction stays open,
//! and a year's records are not in memory at once.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::acceptance::write_report;
use super::controller::drive::read_record;
use crate::domain::calendar::zone::named;
use crate::domain::inventory::Customer;
use crate::domain::period::Period;
use crate::domain::period::summary::{COMPARED, DateRow, PeriodRecord, PeriodReport, RunRow, write};
use crate::edge::store::Store;
use crate::edge::store::occurrence::{StoredOccurrence, list_chains};
use crate::edge::store::period::{find_first_applied, list_runs_since};
use crate::edge::store::review::find_newest_of;
use crate::edge::store::run::{RunNumber, find_run};

/// The report of a period, as of `now`.
///
/// # Errors
/// If the database can't be used, or holds a run that can't be replayed.
pub async fn report(
    store: &Store,
    customer: &Customer,
    period: Period,
    now: Timestamp,
) -> anyhow::Result<PeriodReport> {
    let zone = named(&customer.time_zone).unwrap_or(TimeZone::UTC);
    let earliest = std::iter::successors(Some(period), |period| Some(period.before())).nth(COMPARED).unwrap_or(period);
    let range = earliest.range(&zone).start..period.range(&zone).end;
    let (dates, numbers, since, pending) = {
        let mut transaction = store.begin().await?;
        (
            list_chains(&mut transaction, &customer.name, &range).await?,
            list_runs_since(&mut transaction, &customer.name, range.start).await?,
            find_first_applied(&mut transaction, &customer.name).await?,
            find_newest_of(&mut transaction, &customer.name).await?,
        )
    };
    let mut runs = Vec::with_capacity(numbers.len());
    for (number, began_at) in numbers {
        runs.extend(read_row(store, number, began_at).await?);
    }
    Ok(write(&PeriodRecord {
        customer: customer.name.clone(),
        customer_name: customer.display_name.clone(),
        locale: customer.locale,
        time_zone: customer.time_zone.clone(),
        zone,
        period,
        now,
        since,
        dates: dates.into_iter().map(date_row).collect(),
        runs,
        pending: pending.map(|stored| (stored.collected_at, stored.findings)),
    }))
}

async fn read_row(store: &Store, number: RunNumber, began_at: Timestamp) -> anyhow::Result<Option<RunRow>> {
    let found = find_run(&mut *store.begin().await?, number).await?;
    let Some(stored) = found else { return Ok(None) };
    let record = read_record(store, stored.id).await?;
    Ok(Some(RunRow::of(&write_report(&stored, &record, None)?, began_at)))
}

fn date_row(stored: StoredOccurrence) -> DateRow {
    DateRow {
        id: stored.id,
        moved_from: stored.moved_from,
        window: stored.window,
        start: stored.start,
        end: stored.end,
        state: stored.state,
        cause: stored.cause,
        opened_at: stored.opened_at,
        finished_at: stored.finished_at,
        run: stored.run.map(|number| number.0),
    }
}
