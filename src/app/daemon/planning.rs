//! From an occurrence to the plan of its run: what was applied for the customer, and how long each host took before.

use super::applied::{read_customer, read_job};
use crate::app::controller::hosts::fill_in_defaults;
use crate::domain::id::Name;
use crate::domain::inventory::Customer;
use crate::domain::job::Job;
use crate::domain::plan::may_start::Cause;
use crate::domain::plan::{Choice, Plan, PlannedWindow, build};
use crate::domain::settings::{Settings, Ssh};
use crate::edge::store::DatabaseConnection;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::estimate::host_estimates;
use crate::edge::store::occurrence::StoredOccurrence;

/// The customer of an occurrence, and what its run would do.
pub(super) struct Planned {
    pub(super) customer: Customer,
    pub(super) plan: Plan,
}

/// Makes the plan.
///
/// # Errors
/// The outer if the database can't be used; the inner if there is no plan.
pub(super) async fn plan(
    connection: &mut DatabaseConnection,
    occurrence: &StoredOccurrence,
    settings: &Settings,
    ssh: &Ssh,
) -> Result<Result<Planned, Cause>, StoreError> {
    let customer = match read_customer(connection, &occurrence.customer).await? {
        Ok(customer) => customer,
        Err(cause) => return Ok(Err(cause)),
    };
    let job = match read_job(connection, &occurrence.job).await? {
        Ok(job) => job,
        Err(cause) => return Ok(Err(cause)),
    };
    let mut plan = match build_plan(&customer, &job, occurrence, settings) {
        Ok(plan) => plan,
        Err(why) => return Ok(Err(Cause::PlanRefused { why })),
    };
    for host in plan.hosts.iter_mut().chain(&mut plan.delegates) {
        fill_in_defaults(&mut host.connection, ssh);
    }
    estimate(connection, &mut plan, &job).await?;
    Ok(Ok(Planned { customer, plan }))
}

fn build_plan(
    customer: &Customer,
    job: &Job,
    occurrence: &StoredOccurrence,
    settings: &Settings,
) -> Result<Plan, String> {
    let window = customer.windows.iter().find(|window| window.name == occurrence.window);
    let window = window.ok_or_else(|| format!("the customer has no window {}", occurrence.window))?;
    let hosts = window.hosts.iter().map(Name::to_string).collect();
    let choice = Choice { hosts, parallel_hosts: usize::from(settings.limits.parallel_hosts) };
    let plan = build(customer, job, &choice).map_err(|refusal| refusal.to_string())?;
    let window = PlannedWindow {
        occurrence: occurrence.id,
        window: occurrence.window.clone(),
        opens: occurrence.start,
        latest_start: occurrence.latest_start,
        closes: occurrence.end,
    };
    Ok(Plan { window: Some(window), ..plan })
}

/// What nine in ten earlier runs did not exceed; before the first, what the job's steps say of themselves.
async fn estimate(connection: &mut DatabaseConnection, plan: &mut Plan, job: &Job) -> Result<(), StoreError> {
    let names: Vec<Name> = plan.hosts.iter().map(|host| host.name.clone()).collect();
    let known = host_estimates(connection, &plan.customer, &plan.job, &names).await?;
    let given = job.given_estimate_s();
    for host in &mut plan.hosts {
        let estimate_s = known.get(&host.name).map_or(given, |estimate| estimate.p90_s);
        host.estimate_s = (estimate_s > 0).then_some(estimate_s);
    }
    Ok(())
}
