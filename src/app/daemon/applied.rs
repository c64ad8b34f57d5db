//! What was applied, as a daemon uses it: customer by customer, so that one that can't be used is nobody else's trouble.

use std::collections::BTreeMap;

use anyhow::anyhow;

use super::Daemon;
use crate::app::calendar::Almanac;
use crate::domain::calendar::FreezeSpan;
use crate::domain::catalog::Catalog;
use crate::domain::id::Name;
use crate::domain::inventory::{self, Customer};
use crate::domain::job::{self, Job};
use crate::domain::plan::may_start::Cause;
use crate::domain::problem::Problems;
use crate::domain::settings::{self, Settings};
use crate::edge::store::DatabaseConnection;
use crate::edge::store::applied::find_applied;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::occurrence::StoredOccurrence;
use crate::edge::store::revision::RevisionKind;

/// Under which name the settings are applied.
const SETTINGS: &str = "turnus";

/// The provider's settings; the defaults if none were applied.
pub(super) async fn read_settings(daemon: &Daemon) -> anyhow::Result<Settings> {
    let mut transaction = daemon.store.begin().await?;
    read_settings_in(&mut transaction).await
}

/// The same, in a transaction of the caller.
pub(super) async fn read_settings_in(connection: &mut DatabaseConnection) -> anyhow::Result<Settings> {
    let Some(applied) = find_applied(connection, RevisionKind::Settings, SETTINGS).await? else {
        return Ok(Settings::default());
    };
    settings::parse(&applied.content, "turnus.toml")
        .map_err(|problems| anyhow!("the applied settings can't be used: {}", first_of(&problems)))
}

/// A customer as applied.
pub(in crate::app) async fn read_customer(
    connection: &mut DatabaseConnection,
    name: &Name,
) -> Result<Result<Customer, Cause>, StoreError> {
    let Some(applied) = find_applied(connection, RevisionKind::Inventory, name.as_str()).await? else {
        return Ok(Err(Cause::Unusable { why: format!("customer {name} is not applied") }));
    };
    let file = format!("inventories/{name}.toml");
    Ok(inventory::parse::parse(&applied.content, &file).map_err(|problems| unusable(&problems)))
}

/// A job as applied.
pub(in crate::app) async fn read_job(
    connection: &mut DatabaseConnection,
    name: &Name,
) -> Result<Result<Job, Cause>, StoreError> {
    let Some(applied) = find_applied(connection, RevisionKind::Job, name.as_str()).await? else {
        return Ok(Err(Cause::NoJob { job: name.clone() }));
    };
    let file = format!("jobs/{name}.toml");
    Ok(job::parse::parse(&applied.content, &file).map_err(|problems| unusable(&problems)))
}

/// Files that were applied, and hold mistakes.
pub(super) fn unusable(problems: &Problems) -> Cause {
    Cause::Unusable { why: first_of(problems) }
}

/// The first mistake, in one line.
fn first_of(problems: &Problems) -> String {
    let first = problems.0.first().map(|problem| format!("{}:{}: {}", problem.file, problem.line, problem.what));
    first.unwrap_or_default()
}

/// A catalog of settings and calendars alone, as far as the customer's dates depend on them.
pub(super) async fn read_calendars(
    connection: &mut DatabaseConnection,
    settings: &Settings,
    customer: &Customer,
) -> Result<Result<Catalog, Cause>, StoreError> {
    let mut calendars = BTreeMap::new();
    for freeze in settings.calendars.iter().chain(&customer.calendars) {
        let Some(applied) = find_applied(connection, RevisionKind::Calendar, freeze.name.as_str()).await? else {
            return Ok(Err(Cause::Unusable { why: format!("calendar {} is not applied", freeze.name) }));
        };
        calendars.insert(freeze.name.clone(), applied.content);
    }
    Ok(Ok(Catalog { settings: settings.clone(), calendars, ..Catalog::default() }))
}

/// Spans in which nothing of the customer may be open, as far as they bear on an occurrence.
pub(super) async fn read_freezes(
    connection: &mut DatabaseConnection,
    settings: &Settings,
    customer: &Customer,
    occurrence: &StoredOccurrence,
) -> Result<Result<Vec<FreezeSpan>, Cause>, StoreError> {
    let catalog = match read_calendars(connection, settings, customer).await? {
        Ok(catalog) => catalog,
        Err(cause) => return Ok(Err(cause)),
    };
    let mut almanac = match Almanac::read(&catalog, &(occurrence.start..occurrence.end)) {
        Ok(almanac) => almanac,
        Err(problems) => return Ok(Err(unusable(&problems))),
    };
    let freezes = almanac.of(customer).map(|dates| dates.freezes().to_vec());
    Ok(freezes.map_err(|problem| unusable(&Problems(vec![problem]))))
}
