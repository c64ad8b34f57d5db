//! Collects what is pending on hosts: read-only, all hosts at the same time, and one that can't be looked at is a finding, too.
//!
//! Knows how hosts are reached; does not know where what was found is kept, or who asked for it. No transaction is open meanwhile.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::controller::drive::Controller;
use crate::domain::id::Name;
use crate::domain::inventory::Connection;
use crate::domain::job::Job;
use crate::domain::line::clean_line;
use crate::domain::plan::{Plan, PlannedHost};
use crate::domain::review::{Collection, Finding};
use crate::edge::remote::packages::survey;

/// Hosts that have not answered by then could not be looked at.
pub const LIMIT: Duration = Duration::from_secs(25 * 60);
/// Longest text that is kept of why a host could not be looked at, in characters.
const WHAT_CHARS: usize = 1000;

/// A host to be looked at.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in the inventory.
    pub host: Name,
    /// How it is reached.
    pub connection: Connection,
    /// How many seconds others who are at work on its packages are waited for.
    pub lock_wait_s: u64,
}

/// What is to be collected.
#[derive(Debug, Clone)]
pub struct Errand {
    /// Whose hosts.
    pub customer: Name,
    /// Which.
    pub targets: Vec<Target>,
    /// How many are looked at at the same time.
    pub parallel_hosts: usize,
}

impl Errand {
    /// The hosts of a plan.
    #[must_use]
    pub fn for_plan(plan: &Plan, job: &Job) -> Self {
        let lock_wait_s = job.lock_wait_s();
        let target =
            |host: &PlannedHost| Target { host: host.name.clone(), connection: host.connection.clone(), lock_wait_s };
        let targets = plan.hosts.iter().map(target).collect();
        Self { customer: plan.customer.clone(), targets, parallel_hosts: plan.parallel_hosts }
    }
}

/// Looks at all hosts.
pub async fn collect(controller: &Controller, errand: &Errand) -> Collection {
    let deadline = Instant::now() + LIMIT;
    // Boxed: the compiler does not see otherwise that a task may be moved between threads while it waits.
    let looks: Vec<_> =
        errand.targets.iter().map(|target| look(controller, &errand.customer, target, deadline).boxed()).collect();
    let found: Vec<_> = stream::iter(looks).buffer_unordered(errand.parallel_hosts.max(1)).collect().await;
    Collection { hosts: found.into_iter().collect() }
}

async fn look(controller: &Controller, customer: &Name, target: &Target, deadline: Instant) -> (Name, Finding) {
    let remote = controller.reach(customer, &target.host, &target.connection);
    let surveyed = timeout_at(deadline, survey(&remote, target.lock_wait_s)).await;
    remote.close().await;
    let finding = match surveyed {
        Ok(Ok(Ok(survey))) => Finding::Surveyed(survey),
        Ok(Ok(Err(obstacle))) => Finding::Obstructed(obstacle),
        Ok(Err(error)) => {
            let what = clean_line(error.to_string().as_bytes(), WHAT_CHARS);
            Finding::Unreachable { what, hint: error.hint().map(|hint| clean_line(hint.as_bytes(), WHAT_CHARS)) }
        }
        Err(_) => {
            let what = format!("no answer within {} min", LIMIT.as_secs() / 60);
            Finding::Unreachable { what, hint: None }
        }
    };
    (target.host.clone(), finding)
}
