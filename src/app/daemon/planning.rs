//! From an occurrence to the plan of its run: what was applied for the customer, and how long each host took before.

use super::applied::{read_customer, read_job};
use crate::app::controller::hosts::fill_in_defaults;
use crate::domain::id::Name;
use crate::domain::inventory::Customer;
use crate::domain::job::{Job, Which};
use crate::domain::plan::may_start::{self, Cause};
use crate::domain::plan::{Choice, Plan, PlannedWindow, build};
use crate::domain::settings::{Settings, Ssh};
use crate::edge::store::DatabaseConnection;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::estimate::host_estimates;
use crate::edge::store::occurrence::StoredOccurrence;
use crate::edge::store::review::decision::{Review, find_review};

/// The customer of an occurrence, and what its run would do.
pub(super) struct Planned {
    pub(super) customer: Customer,
    pub(super) plan: Plan,
    pub(super) review: Reviewed,
}

/// What a person said of the pending updates.
pub(super) enum Reviewed {
    NotNeeded,
    /// All hosts were looked at, and there is nothing to decide on.
    NothingPending,
    Approved,
    Missing,
    Rejected {
        by: String,
    },
}

impl Reviewed {
    pub(super) fn as_condition(&self) -> may_start::Review<'_> {
        match self {
            Self::NotNeeded | Self::NothingPending => may_start::Review::NotNeeded,
            Self::Approved => may_start::Review::Approved,
            Self::Missing => may_start::Review::Missing,
            Self::Rejected { by } => may_start::Review::Rejected { by },
        }
    }
}

/// Makes the plan, with what was approved for it.
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
    let mut plan = match build_plan(&customer, &job, occurrence, (settings, ssh)) {
        Ok(plan) => plan,
        Err(cause) => return Ok(Err(cause)),
    };
    estimate(connection, &mut plan, &job).await?;
    let review = match job.installs() {
        Some(Which::Approved) => take_approval(connection, &mut plan, occurrence).await?,
        Some(Which::All) | None => Reviewed::NotNeeded,
    };
    Ok(Ok(Planned { customer, plan, review }))
}

/// G4: the plan carries what a person approved, and nothing else is installed.
async fn take_approval(
    connection: &mut DatabaseConnection,
    plan: &mut Plan,
    occurrence: &StoredOccurrence,
) -> Result<Reviewed, StoreError> {
    Ok(match find_review(connection, occurrence.id).await? {
        Review::Decided(decision) => {
            plan.approval = decision.approval();
            match plan.approval {
                Some(_) => Reviewed::Approved,
                None => Reviewed::Rejected { by: decision.by },
            }
        }
        Review::Undecided(newest) if newest.findings.is_settled() => Reviewed::NothingPending,
        Review::Undecided(_) | Review::NotCollected => Reviewed::Missing,
    })
}

/// What is done on which hosts, without what is known from the record.
pub(super) fn build_plan(
    customer: &Customer,
    job: &Job,
    occurrence: &StoredOccurrence,
    (settings, ssh): (&Settings, &Ssh),
) -> Result<Plan, Cause> {
    let refused = |why: String| Cause::PlanRefused { why };
    let window = customer.windows.iter().find(|window| window.name == occurrence.window);
    let window = window.ok_or_else(|| refused(format!("the customer has no window {}", occurrence.window)))?;
    let hosts = window.hosts.iter().map(Name::to_string).collect();
    let choice = Choice { hosts, parallel_hosts: usize::from(settings.limits.parallel_hosts) };
    let mut plan = build(customer, job, &choice).map_err(|refusal| refused(refusal.to_string()))?;
    for host in plan.hosts.iter_mut().chain(&mut plan.delegates) {
        fill_in_defaults(&mut host.connection, ssh);
    }
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
