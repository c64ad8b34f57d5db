//! Stores the dates of customers as far ahead as the horizon reaches: each day brings one more.
//!
//! Invariants: what a customer was told stays as it is, only `turnus apply` changes that, with a person's yes; what one transaction
//! reads was applied together.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Daemon;
use super::applied::{read_calendars, read_customer, read_settings_in, unusable};
use super::tick::Worked;
use crate::app::calendar::publish::{Act, ExtendError, Extension, PublishError, extend};
use crate::app::calendar::{Almanac, horizon};
use crate::domain::id::{ContentHash, Name};
use crate::domain::plan::may_start::Cause;
use crate::domain::problem::Problems;
use crate::domain::settings::Settings;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::applied::publish::lock_published;
use crate::edge::store::applied::{find_applied, list_to_extend, set_fault};
use crate::edge::store::error::{Error as StoreError, Kind};
use crate::edge::store::revision::RevisionKind;

/// So many customers are asked for at once.
const AT_ONCE: u32 = 100;
/// What is left after so long is for the next tick.
const BUDGET: Duration = Duration::from_secs(20);

/// Extends the dates of all customers that do not reach the horizon.
///
/// # Errors
/// If the database can't be used, or the applied settings can't be. A customer that can't be extended is marked and left alone until
/// it is applied again.
pub async fn tick(daemon: &Daemon, now: Timestamp) -> anyhow::Result<Worked> {
    let began = Instant::now();
    let mut worked = Worked::Nothing;
    loop {
        let customers = {
            let mut transaction = daemon.store.begin().await?;
            list_to_extend(&mut transaction, horizon(now).until, AT_ONCE).await?
        };
        if customers.is_empty() || began.elapsed() > BUDGET {
            return Ok(worked);
        }
        let mut progressed = false;
        for customer in &customers {
            let done = extend_one(daemon, customer, now).await;
            progressed |= done.with_context(|| format!("the dates of customer {customer} can't be stored"))?;
        }
        if !progressed {
            return Ok(worked);
        }
        worked = Worked::Something;
    }
}

/// `false`: another daemon, or `turnus apply`, is at the same dates.
async fn extend_one(daemon: &Daemon, name: &Name, now: Timestamp) -> anyhow::Result<bool> {
    let mut transaction = daemon.store.begin().await?;
    if let Err(error) = lock_published(&mut transaction).await {
        return if error.kind() == Kind::Busy { Ok(false) } else { Err(error.into()) };
    }
    let settings = read_settings_in(&mut transaction).await?;
    let revision = find_applied(&mut transaction, RevisionKind::Inventory, name.as_str()).await;
    let revision = revision.ok().flatten().map(|applied| applied.hash);
    // Nobody else's dates wait because of one customer, whatever is wrong with it.
    let extended = AssertUnwindSafe(extend_in(&mut transaction, &settings, name, (daemon.name(), now)));
    let fault = match extended.catch_unwind().await {
        Ok(Ok(extension)) => {
            transaction.commit().await?;
            warn_of(name, &extension);
            return Ok(true);
        }
        Ok(Err(Obstacle::Cause(cause))) => cause.to_string(),
        Ok(Err(Obstacle::Changed)) => return Ok(false),
        Ok(Err(Obstacle::Store(error))) => match error.kind() {
            Kind::Busy => return Ok(false),
            Kind::Unreachable | Kind::NotWritable => return Err(error.into()),
            _ => format!("{:#}", anyhow::Error::from(error)),
        },
        Err(_) => "turnus panicked over its dates".to_owned(),
    };
    // What is half done is undone before others are let in.
    transaction.rollback().await?;
    mark(daemon, name, revision.as_ref(), &fault).await
}

fn warn_of(name: &Name, extension: &Extension) {
    if !extension.held.is_empty() {
        let (customer, held) = (name.as_str(), extension.held.len());
        tracing::warn!(customer, held, "the files would have announced dates otherwise; `turnus apply` shows them");
    }
}

/// What keeps a customer's dates from being extended.
enum Obstacle {
    /// The customer can't be used.
    Cause(Cause),
    /// Somebody else is at the same dates.
    Changed,
    /// The database can't be used, or holds what can't be read.
    Store(StoreError),
}

impl From<StoreError> for Obstacle {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn extend_in(
    connection: &mut DatabaseConnection,
    settings: &Settings,
    name: &Name,
    (by, now): (&str, Timestamp),
) -> Result<Extension, Obstacle> {
    let customer = read_customer(connection, name).await?.map_err(Obstacle::Cause)?;
    let catalog = read_calendars(connection, settings, &customer).await?.map_err(Obstacle::Cause)?;
    let almanac = Almanac::read(&catalog, &(now..horizon(now).dated_until()));
    let mut almanac = almanac.map_err(|problems| Obstacle::Cause(unusable(&problems)))?;
    extend(connection, &mut almanac, &customer, Act { by, now }).await.map_err(|error| match error {
        ExtendError::File(problem) => Obstacle::Cause(unusable(&Problems(vec![problem]))),
        ExtendError::Publish(PublishError::Changed) => Obstacle::Changed,
        ExtendError::Publish(PublishError::Store(error)) => Obstacle::Store(error),
    })
}

/// The customer is left alone until it is applied again; one that was applied since it was looked at is looked at anew.
async fn mark(daemon: &Daemon, name: &Name, revision: Option<&ContentHash>, fault: &str) -> anyhow::Result<bool> {
    let mut transaction = daemon.store.begin().await?;
    lock_published(&mut transaction).await?;
    let applied = find_applied(&mut transaction, RevisionKind::Inventory, name.as_str()).await?;
    if applied.as_ref().map(|applied| &applied.hash) != revision {
        return Ok(false);
    }
    tracing::error!(customer = name.as_str(), fault, "customer can't be used");
    set_fault(&mut transaction, name, Some(fault)).await?;
    transaction.commit().await?;
    Ok(true)
}
