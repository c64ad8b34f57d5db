//! Collects pending updates so long before an occurrence as its window says, and asks the team to decide on them.
//!
//! A look at all hosts takes longer than a tick may: a tick takes what is due and leaves it to a task of its own. Invariants: of several
//! daemons one collects: whoever takes a review puts it off, and writes only as long as nobody else has taken it since; what a dead
//! one had taken is due again after that time.

use std::sync::Arc;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Daemon;
use super::applied::{read_customer, read_job, read_settings_in};
use super::planning::build_plan;
use super::tick::Worked;
use crate::app::review::{Errand, collect};
use crate::domain::calendar::workday::one_workday_before;
use crate::domain::calendar::zone::named;
use crate::domain::inventory::Customer;
use crate::domain::job::{Job, Which};
use crate::domain::notification::Kind;
use crate::domain::packages::ChangeKind;
use crate::domain::plan::may_start::Cause;
use crate::domain::review::{Collection, Finding};
use crate::domain::settings::Settings;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::notification::{Message, tell};
use crate::edge::store::occurrence::StoredOccurrence;
use crate::edge::store::occurrence::claim::{
    claim_reviews, finish_review, give_back_review, set_review, take_review_reminders,
};
use crate::edge::store::review::decision::{Review, find_review, find_standing};
use crate::edge::store::review::{NewCollection, store_collection};

/// So many collections at the same time.
pub(super) const AT_ONCE: usize = 4;
/// So many reminders in one transaction.
const REMINDERS: u32 = 100;
/// A collection ends within this time ([`crate::app::review::LIMIT`] and what it takes to store it); then another may take it over.
const LEASE: SignedDuration = SignedDuration::from_mins(30);
/// What can't be collected now is tried again after so long, sooner when it opens soon.
const PAUSE: SignedDuration = SignedDuration::from_mins(30);
const SHORT_PAUSE: SignedDuration = SignedDuration::from_mins(2);

/// Begins all collections that are due, and tells all reminders that are.
///
/// # Errors
/// If the database can't be used.
pub async fn tick(daemon: &Arc<Daemon>, now: Timestamp) -> anyhow::Result<Worked> {
    let mut worked = remind(daemon, now).await?;
    loop {
        let room = daemon.crew.room_aside(AT_ONCE);
        if room == 0 || daemon.crew.is_leaving() {
            return Ok(worked);
        }
        let mut transaction = daemon.store.begin().await?;
        let due = claim_reviews(&mut transaction, now, u32::try_from(room).unwrap_or(1)).await?;
        if due.is_empty() {
            transaction.commit().await?;
            return Ok(worked);
        }
        let mut duties = Vec::new();
        for occurrence in due {
            duties.extend(take(&mut transaction, daemon, occurrence, now).await?);
        }
        transaction.commit().await?;
        worked = Worked::Something;
        for duty in duties {
            spawn(daemon, duty);
        }
    }
}

/// A review that this daemon has taken.
struct Duty {
    occurrence: StoredOccurrence,
    customer: Customer,
    errand: Errand,
    /// Until when it was put off: who finds another time there does not write.
    leased: Timestamp,
    now: Timestamp,
}

/// Takes a review that is due. `None`: there is nothing to be collected, or it can't be said where.
async fn take(
    connection: &mut DatabaseConnection,
    daemon: &Daemon,
    occurrence: StoredOccurrence,
    now: Timestamp,
) -> anyhow::Result<Option<Duty>> {
    let job = match read_job(connection, &occurrence.job).await? {
        Ok(job) => job,
        Err(cause) => return put_off(connection, &occurrence, &cause, now).await,
    };
    if job.installs() != Some(Which::Approved) {
        // Whoever set a time for a review wants to look for themselves.
        ask_team(connection, &occurrence, &json!({})).await?;
        set_review(connection, occurrence.id, None).await?;
        return Ok(None);
    }
    let customer = match read_customer(connection, &occurrence.customer).await? {
        Ok(customer) => customer,
        Err(cause) => return put_off(connection, &occurrence, &cause, now).await,
    };
    let settings = read_settings_in(connection).await.unwrap_or_default();
    let errand = match find_errand(daemon, &customer, &job, (&occurrence, &settings)) {
        Ok(errand) => errand,
        Err(cause) => return put_off(connection, &occurrence, &cause, now).await,
    };
    let leased = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
    set_review(connection, occurrence.id, Some(leased)).await?;
    Ok(Some(Duty { occurrence, customer, errand, leased, now }))
}

fn find_errand(
    daemon: &Daemon,
    customer: &Customer,
    job: &Job,
    (occurrence, settings): (&StoredOccurrence, &Settings),
) -> Result<Errand, Cause> {
    let plan = build_plan(customer, job, occurrence, (settings, &daemon.ssh))?;
    Ok(Errand::for_plan(&plan, job))
}

async fn put_off(
    connection: &mut DatabaseConnection,
    occurrence: &StoredOccurrence,
    cause: &Cause,
    now: Timestamp,
) -> anyhow::Result<Option<Duty>> {
    let (customer, window) = (occurrence.customer.as_str(), occurrence.window.as_str());
    let cause = cause.to_string();
    tracing::error!(customer, window, occurrence = %occurrence.id, cause, "pending updates can't be collected");
    let soon = occurrence.start.duration_since(now) < PAUSE * 2;
    let again = now.saturating_add(if soon { SHORT_PAUSE } else { PAUSE }).unwrap_or(Timestamp::MAX);
    set_review(connection, occurrence.id, Some(again)).await?;
    Ok(None)
}

fn spawn(daemon: &Arc<Daemon>, duty: Duty) {
    let daemon = daemon.clone();
    daemon.clone().crew.spawn_aside(async move {
        let (customer, window) = (duty.occurrence.customer.as_str(), duty.occurrence.window.as_str());
        let leave = daemon.crew.leaving();
        tokio::select! {
            done = carry_out(&daemon, &duty) => {
                if let Err(error) = done {
                    let error = format!("{error:#}");
                    tracing::error!(customer, window, occurrence = %duty.occurrence.id, error, "review not collected");
                }
            }
            // What was asked on the hosts changes nothing there; the next daemon asks again.
            () = leave.cancelled() => {
                if give_back(&daemon, &duty).await.is_err() {
                    tracing::debug!(occurrence = %duty.occurrence.id, "review not given back");
                }
            }
        }
    });
}

async fn carry_out(daemon: &Daemon, duty: &Duty) -> anyhow::Result<()> {
    let findings = collect(&daemon.controller, &duty.errand).await;
    let occurrence = &duty.occurrence;
    let (customer, window) = (occurrence.customer.as_str(), occurrence.window.as_str());
    let mut transaction = daemon.store.begin().await?;
    let remind_at = Some(remind_at(duty)).filter(|at| *at > duty.now && !findings.is_settled());
    if !finish_review(&mut transaction, occurrence.id, duty.leased, remind_at).await? {
        tracing::warn!(customer, window, occurrence = %occurrence.id, "collected for nothing: the date has changed meanwhile");
        return Ok(());
    }
    let new = NewCollection {
        customer: &occurrence.customer,
        occurrence: Some(occurrence.id),
        by: daemon.name(),
        findings: &findings,
    };
    store_collection(&mut transaction, &new).await?;
    let standing = find_standing(&mut transaction, occurrence.id).await?;
    let is_decided = standing.is_some_and(|decision| decision.list == findings.hash());
    if !findings.is_settled() && !is_decided {
        ask_team(&mut transaction, occurrence, &detail(&findings)).await?;
    }
    transaction.commit().await.context("what was collected can't be stored")?;
    let (hosts, pending) = (findings.hosts.len(), findings.union().len());
    tracing::info!(customer, window, occurrence = %occurrence.id, hosts, pending, "pending updates collected");
    Ok(())
}

async fn give_back(daemon: &Daemon, duty: &Duty) -> anyhow::Result<()> {
    let mut transaction = daemon.store.begin().await?;
    give_back_review(&mut transaction, duty.occurrence.id, duty.leased, duty.now).await?;
    Ok(transaction.commit().await?)
}

/// One working day before it opens.
fn remind_at(duty: &Duty) -> Timestamp {
    let zone = named(&duty.occurrence.time_zone).unwrap_or(TimeZone::UTC);
    one_workday_before(duty.occurrence.start, &zone, duty.customer.holidays.as_ref())
}

async fn ask_team(
    connection: &mut DatabaseConnection,
    occurrence: &StoredOccurrence,
    detail: &serde_json::Value,
) -> anyhow::Result<()> {
    let message = Message { kind: Kind::ReviewNeeded, occurrence: occurrence.id, lead: None, detail };
    tell(connection, &message).await?;
    Ok(())
}

/// What the team is told of a list.
fn detail(findings: &Collection) -> serde_json::Value {
    let rows = findings.union();
    let security = rows.iter().filter(|row| row.change.security).count();
    let removals = rows.iter().filter(|row| row.change.kind == ChangeKind::Remove).count();
    let unseen = findings.hosts.values().filter(|finding| !matches!(finding, Finding::Surveyed(_))).count();
    json!({ "list": findings.hash().short(), "changes": rows.len(), "security": security, "removals": removals,
            "hosts": findings.hosts.len(), "hosts_not_looked_at": unseen })
}

/// Reminds the team of reviews that nobody has decided, each once.
async fn remind(daemon: &Daemon, now: Timestamp) -> anyhow::Result<Worked> {
    let mut worked = Worked::Nothing;
    loop {
        let mut transaction = daemon.store.begin().await?;
        let due = take_review_reminders(&mut transaction, now, REMINDERS).await?;
        if due.is_empty() {
            return Ok(worked);
        }
        for occurrence in due {
            let Review::Undecided(newest) = find_review(&mut transaction, occurrence).await? else { continue };
            if !newest.findings.is_settled() {
                let detail = detail(&newest.findings);
                let message = Message { kind: Kind::ReviewReminder, occurrence, lead: None, detail: &detail };
                tell(&mut transaction, &message).await?;
            }
        }
        transaction.commit().await?;
        worked = Worked::Something;
    }
}
