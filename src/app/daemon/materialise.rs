//! Stores the dates of customers as far ahead as the horizon reaches: each day brings one more.
//!
//! Invariant: what a customer was told stays as it is; only `turnus apply` changes that, with a person's yes.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Daemon;
use super::applied::{read_calendars, read_customer, read_settings, unusable};
use super::tick::Worked;
use crate::app::calendar::publish::{Act, ExtendError, PublishError, extend};
use crate::app::calendar::{Almanac, horizon};
use crate::domain::id::Name;
use crate::domain::problem::Problems;
use crate::domain::settings::Settings;
use crate::edge::store::applied::{list_to_extend, set_fault};

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
        let settings = read_settings(daemon).await?;
        let mut progressed = false;
        for customer in &customers {
            let done = extend_one(daemon, &settings, customer, now).await;
            progressed |= done.with_context(|| format!("the dates of customer {customer} can't be stored"))?;
        }
        if !progressed {
            return Ok(worked);
        }
        worked = Worked::Something;
    }
}

/// `false`: another daemon, or `turnus apply`, is at the same dates.
async fn extend_one(daemon: &Daemon, settings: &Settings, name: &Name, now: Timestamp) -> anyhow::Result<bool> {
    let mut transaction = daemon.store.begin().await?;
    let customer = match read_customer(&mut transaction, name).await? {
        Ok(customer) => customer,
        Err(cause) => return mark(daemon, name, &cause.to_string()).await,
    };
    let catalog = match read_calendars(&mut transaction, settings, &customer).await? {
        Ok(catalog) => catalog,
        Err(cause) => return mark(daemon, name, &cause.to_string()).await,
    };
    let mut almanac = match Almanac::read(&catalog, &(now..horizon(now).dated_until())) {
        Ok(almanac) => almanac,
        Err(problems) => return mark(daemon, name, &unusable(&problems).to_string()).await,
    };
    match extend(&mut transaction, &mut almanac, &customer, Act { by: daemon.name(), now }).await {
        Ok(extension) => {
            transaction.commit().await?;
            if !extension.held.is_empty() {
                let (customer, held) = (name.as_str(), extension.held.len());
                tracing::warn!(
                    customer,
                    held,
                    "the files would have announced dates otherwise; `turnus apply` shows them"
                );
            }
            Ok(true)
        }
        Err(ExtendError::File(problem)) => {
            transaction.rollback().await?;
            mark(daemon, name, &unusable(&Problems(vec![problem])).to_string()).await
        }
        Err(ExtendError::Publish(PublishError::Changed)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The customer is left alone until it is applied again.
async fn mark(daemon: &Daemon, name: &Name, fault: &str) -> anyhow::Result<bool> {
    tracing::error!(customer = name.as_str(), fault, "customer can't be used");
    let mut transaction = daemon.store.begin().await?;
    set_fault(&mut transaction, name, Some(fault)).await?;
    transaction.commit().await?;
    Ok(true)
}
