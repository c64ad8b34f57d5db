//! Measures how full the disks of hosts are, keeps it, and tells the team before one is full.
//!
//! Knows how hosts are reached and where measurements are kept; does not know who asks: a run, the daemon or a person. No transaction
//! is open while a host is looked at. Invariant: what was measured and what the team is told of it hold together, or not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::timeout;

use super::controller::drive::Controller;
use super::controller::hosts::fill_in_defaults;
use crate::domain::capacity::{Disk, Measurement, Outlook, PathHistory, Prospect, Verdict, WatchedPath};
use crate::domain::id::{Name, RunId};
use crate::domain::inventory::{Connection, Customer, Host};
use crate::domain::line::clean_line;
use crate::domain::plan::PlannedHost;
use crate::domain::report::capacity::{HostCapacity, Known, Shown, describe};
use crate::domain::settings::Ssh;
use crate::edge::remote::capacity::measure;
use crate::edge::store::capacity::alarm::{Place, clear_alarm, forget_alarms, raise_alarm};
use crate::edge::store::capacity::backup::list_last_backups;
use crate::edge::store::capacity::{LevelFilter, NewLook, list_latest_looks, list_levels, store_look};
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::run::StoredRun;
use crate::edge::store::{DatabaseConnection, database_now};

/// A host that has not answered in this time, with all that connecting takes, could not be looked at.
const HOST_LIMIT: Duration = Duration::from_secs(3 * 60);
/// Who has less than this share of the disk free, one part of so many, is not better, whatever the trend.
const TIGHT: u64 = 20;
/// Growth is foretold from what was measured in this time.
const MEMORY: SignedDuration = SignedDuration::from_hours(24 * 100);
/// Longest text that is kept of why a host could not be looked at, in characters.
const WHAT_CHARS: usize = 500;

/// A host to be looked at.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in the inventory.
    pub host: Name,
    /// How it is reached.
    pub connection: Connection,
    /// Which of its paths are watched.
    pub watched: Vec<WatchedPath>,
}

/// Hosts of a customer that are to be looked at.
#[derive(Debug, Clone)]
pub struct Errand {
    /// Whose.
    pub customer: Name,
    /// Which.
    pub targets: Vec<Target>,
    /// How many are looked at at the same time.
    pub parallel_hosts: usize,
}

impl Errand {
    /// All hosts on which something is watched.
    #[must_use]
    pub fn of(customer: &Customer, ssh: &Ssh, parallel_hosts: u16) -> Self {
        let target = |host: &Host| {
            let mut connection = host.connection.clone();
            fill_in_defaults(&mut connection, ssh);
            Target { host: host.name.clone(), connection, watched: host.capacity.clone() }
        };
        let targets = customer.hosts.iter().filter(|host| !host.capacity.is_empty()).map(target).collect();
        Self { customer: customer.name.clone(), targets, parallel_hosts: usize::from(parallel_hosts) }
    }
}

/// What a look at a host has come to.
#[derive(Debug, Clone)]
pub struct Looked<'a> {
    /// Which host.
    pub target: &'a Target,
    /// What was measured, or why nothing was, in one line.
    pub found: Result<Measurement, String>,
}

/// Looks at all hosts; one that can't be looked at is a finding, too.
pub async fn look<'a>(controller: &Controller, errand: &'a Errand) -> Vec<Looked<'a>> {
    // Boxed: the compiler does not see otherwise that a task may be moved between threads while it waits.
    let looks: Vec<_> =
        errand.targets.iter().map(|target| look_at(controller, &errand.customer, target).boxed()).collect();
    // One that hangs holds up no other.
    let mut looked: Vec<_> = stream::iter(looks).buffer_unordered(errand.parallel_hosts.max(1)).collect().await;
    looked.sort_by_key(|looked| errand.targets.iter().position(|target| target.host == looked.target.host));
    looked
}

async fn look_at<'a>(controller: &Controller, customer: &Name, target: &'a Target) -> Looked<'a> {
    let remote = controller.reach(customer, &target.host, &target.connection);
    let measured = timeout(HOST_LIMIT, measure(&remote, &target.watched)).await;
    remote.close().await;
    let found = match measured {
        Ok(Ok(measurement)) => Ok(measurement),
        Ok(Err(error)) => Err(clean_line(error.to_string().as_bytes(), WHAT_CHARS)),
        Err(_) => Err(format!("no answer within {} min", HOST_LIMIT.as_secs() / 60)),
    };
    Looked { target, found }
}

/// Whose look it is.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// Whose host.
    pub customer: &'a Name,
    /// When.
    pub at: Timestamp,
    /// In which run.
    pub run: Option<RunId>,
    /// Of the daily collection: which day, in UTC.
    pub day: Option<Date>,
}

/// Keeps a look, and tells the team of paths that are full or will be before long. `false`: another was faster.
///
/// # Errors
/// If the database can't be used.
pub async fn keep(
    connection: &mut DatabaseConnection,
    occasion: &Occasion<'_>,
    (host, watched): (&Name, &[WatchedPath]),
    found: Result<&Measurement, &str>,
) -> Result<bool, StoreError> {
    let Occasion { customer, at, run, day } = *occasion;
    if !store_look(connection, &NewLook { customer, host, at, run, day, found }).await? {
        return Ok(false);
    }
    let Ok(measurement) = found else { return Ok(true) };
    let from = at.saturating_sub(MEMORY).unwrap_or(Timestamp::MIN);
    let filter = LevelFilter { customer, host: Some(host), from, until: at };
    let histories = list_levels(connection, &filter).await?.remove(host).unwrap_or_default();
    for watched in watched {
        let disk = measurement.disks.iter().find(|disk| disk.path == watched.path);
        if let Some((disk, history)) = disk.zip(histories.get(&watched.path)) {
            judge(connection, occasion, (host, watched, disk), history).await?;
        }
    }
    let paths: Vec<&str> = watched.iter().map(|watched| watched.path.as_str()).collect();
    forget_alarms(connection, customer, host, &paths).await?;
    Ok(true)
}

/// Tells the team of a path, or notes that it is better.
async fn judge(
    connection: &mut DatabaseConnection,
    occasion: &Occasion<'_>,
    (host, watched, disk): (&Name, &WatchedPath, &Disk),
    history: &PathHistory,
) -> Result<(), StoreError> {
    let Occasion { customer, at, .. } = *occasion;
    let outlook = Outlook::of(&history.levels, at);
    let place = Place { customer, host, path: &watched.path };
    match outlook.verdict(watched.warn_s) {
        Verdict::Undecided => {}
        Verdict::Roomy if disk.space.free < disk.space.total / TIGHT => {}
        Verdict::Roomy => {
            clear_alarm(connection, place).await?;
        }
        Verdict::Short => {
            let days = match Prospect::from(outlook.forecast) {
                Prospect::Growing { days, .. } => Some(days),
                _ => None,
            };
            let detail =
                json!({ "host": host, "disk": disk, "resource": outlook.resource, "days": days, "measured_at": at });
            if let Some(messages) = raise_alarm(connection, place, at, &detail).await? {
                let (customer, host, path) = (customer.as_str(), host.as_str(), watched.path.as_str());
                tracing::warn!(customer, host, path, messages, "a watched path gets full");
            }
        }
    }
    Ok(())
}

/// What is known of hosts at `now`: of those that `wanted` names, each with what is watched there.
///
/// # Errors
/// If the database can't be used.
pub async fn survey<'a>(
    connection: &mut DatabaseConnection,
    customer: &Name,
    wanted: impl IntoIterator<Item = (&'a Name, &'a [WatchedPath])>,
    (shown, now): (Shown, Timestamp),
) -> Result<Vec<HostCapacity>, StoreError> {
    let from = now.saturating_sub(MEMORY).unwrap_or(Timestamp::MIN);
    let histories = list_levels(connection, &LevelFilter { customer, host: None, from, until: now }).await?;
    let looks = list_latest_looks(connection, customer, now).await?;
    let backups = list_last_backups(connection, customer, now).await?;
    let none = BTreeMap::new();
    let told = wanted.into_iter().map(|(host, watched)| {
        let known = Known {
            host,
            watched,
            histories: histories.get(host).unwrap_or(&none),
            look: looks.get(host),
            backups: backups.get(host).map(Vec::as_slice).unwrap_or_default(),
        };
        describe(&known, shown, now)
    });
    Ok(told.collect())
}

/// Of the hosts of a run on which something is watched, as it stood at its end; of a run that goes on, as it stands.
///
/// # Errors
/// If the database can't be used.
pub async fn survey_of_run(
    connection: &mut DatabaseConnection,
    run: &StoredRun,
) -> Result<Vec<HostCapacity>, StoreError> {
    let hosts: Vec<&PlannedHost> = run.plan.hosts.iter().filter(|host| !host.capacity.is_empty()).collect();
    if hosts.is_empty() {
        return Ok(Vec::new());
    }
    let at = match run.finished_at {
        Some(at) => at,
        None => database_now(connection).await?,
    };
    let wanted = hosts.iter().map(|host| (&host.name, host.capacity.as_slice()));
    let told = survey(connection, &run.plan.customer, wanted, (Shown::Watched, at)).await?;
    // A host that nobody ever measured is told of by the run itself.
    Ok(told.into_iter().filter(|host| !host.paths.is_empty() || !host.unmeasured.is_empty()).collect())
}
