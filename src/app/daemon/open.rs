//! Opens occurrences that are due: each in a transaction of its own, in which its run comes into being with the lease of this
//! controller; or records what it waits for, or that it was missed and why.
//!
//! Invariant: of several daemons one opens an occurrence: who has its row is alone with it, and the run's key decides.

#![expect(clippy::disallowed_methods, reason = "names new runs")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::crew::{Duty, Standing, spawn};
use super::planning::{Planned, Reviewed, plan};
use super::tick::Worked;
use super::{Daemon, applied};
use crate::app::controller::clock::Clock;
use crate::domain::id::{Epoch, OccurrenceId, RunId};
use crate::domain::notification::Kind;
use crate::domain::occurrence::{OccurrenceEvent, OccurrenceState};
use crate::domain::plan::may_start::{Cause, Load, Precondition, Situation, Slot, Verdict, judge, judge_time};
use crate::domain::settings::Settings;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::audit::{Entry, note};
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::limit::{count_running, lock_openings};
use crate::edge::store::notification::{Message, tell, withdraw};
use crate::edge::store::occurrence::StoredOccurrence;
use crate::edge::store::occurrence::change::{
    Change, change_occurrence, miss_unreadable, open_occurrence, set_waiting,
};
use crate::edge::store::occurrence::claim::{claim_occurrence, list_due};
use crate::edge::store::run::RunNumber;
use crate::edge::store::run::create::{Created, NewRun, create_run, find_busy_host};

/// So many due occurrences are looked at in one tick.
const AT_ONCE: u32 = 500;
/// What is left after so long is for the next tick.
const BUDGET: Duration = Duration::from_secs(20);

/// Looks at all that is due, once.
///
/// # Errors
/// If the database can't be used, or what was applied can't be read. An occurrence that makes trouble is told and left; the others
/// go on.
pub async fn tick(daemon: &Arc<Daemon>, clock: &Clock) -> anyhow::Result<Worked> {
    let due = {
        let mut transaction = daemon.store.begin().await?;
        list_due(&mut transaction, clock.now(), AT_ONCE).await?
    };
    if due.is_empty() {
        return Ok(Worked::Nothing);
    }
    let began = Instant::now();
    let settings = applied::read_settings(daemon).await;
    let mut troubles = Vec::new();
    for id in due {
        // What is looked at later in this tick is looked at later; the rest comes first in the next.
        if daemon.crew.is_leaving() || began.elapsed() > BUDGET {
            break;
        }
        if let Err(error) = look_at(daemon, settings.as_ref(), id, clock).await {
            let given_way = give_way(daemon, id, &error, clock.now()).await;
            troubles.extend(given_way.err());
            troubles.push(error.context(format!("occurrence {id} can't be opened")));
        }
    }
    // Told once, for all; each waits with this cause, and is missed when its time is over.
    settings?;
    match troubles.len() {
        0 => Ok(Worked::Something),
        1 => Err(troubles.remove(0)),
        several => Err(troubles.remove(0).context(format!("{several} occurrences can't be looked at; the first"))),
    }
}

/// What makes trouble lets others come first in the next tick; when its time is over, it is missed without being read.
async fn give_way(daemon: &Daemon, id: OccurrenceId, error: &anyhow::Error, now: Timestamp) -> anyhow::Result<()> {
    let mut transaction = daemon.store.begin().await?;
    let is_unreadable = matches!(error.downcast_ref::<StoreError>(), Some(StoreError::Unreadable { .. }));
    let cause = is_unreadable.then(|| format!("it can't be read: {error:#}"));
    let missed = match &cause {
        Some(cause) => miss_unreadable(&mut transaction, id, cause, now).await?,
        None => None,
    };
    match (&missed, &cause) {
        (Some(customer), Some(cause)) => {
            withdraw(&mut transaction, id).await?;
            let detail = json!({"cause": cause});
            tell(&mut transaction, &Message { kind: Kind::Missed, occurrence: id, lead: None, detail: &detail })
                .await?;
            let name = customer.parse().ok();
            let entry = Entry {
                actor: daemon.name(),
                action: "miss occurrence",
                customer: name.as_ref(),
                occurrence: Some(id),
                reason: Some(cause),
                detail: &detail,
            };
            note(&mut transaction, &entry).await?;
            tracing::warn!(customer, occurrence = %id, cause, "missed");
        }
        _ => {
            set_waiting(&mut transaction, id, cause.as_deref(), now).await?;
        }
    }
    Ok(transaction.commit().await?)
}

async fn look_at(
    daemon: &Arc<Daemon>,
    settings: Result<&Settings, &anyhow::Error>,
    id: OccurrenceId,
    clock: &Clock,
) -> anyhow::Result<()> {
    let mut transaction = daemon.store.begin().await?;
    let Some(occurrence) = claim_occurrence(&mut transaction, id).await? else {
        return Ok(());
    };
    let slot = slot_of(&occurrence);
    let mut opening = None;
    let now = clock.now();
    match (judge_time(&slot, now), settings) {
        (Some(Verdict::TooEarly), _) => return Ok(()),
        (Some(Verdict::Missed(cause)), _) => miss(&mut transaction, daemon, &occurrence, &cause, now).await?,
        (_, Err(error)) => {
            wait(&mut transaction, &occurrence, &Cause::Unusable { why: format!("{error:#}") }, now).await?;
        }
        (_, Ok(settings)) => match find_no_room(&mut transaction, &occurrence, settings).await? {
            Some(cause) => wait(&mut transaction, &occurrence, &cause, now).await?,
            None => opening = try_to_open(&mut transaction, daemon, (&occurrence, settings), clock).await?,
        },
    }
    transaction.commit().await?;
    if let Some((run, number)) = opening {
        let (customer, window) = (occurrence.customer.as_str(), occurrence.window.as_str());
        tracing::info!(customer, window, occurrence = %id, run_number = number.0, "opened");
        // A run is born with the first epoch.
        spawn(daemon, Duty { run, number, epoch: Epoch(1), standing: Standing::InTime });
    }
    Ok(())
}

/// That there is no room for any run, if it was looked at before: a plan would be of no use.
async fn find_no_room(
    connection: &mut DatabaseConnection,
    occurrence: &StoredOccurrence,
    settings: &Settings,
) -> Result<Option<Cause>, StoreError> {
    if occurrence.cause.is_none() {
        return Ok(None);
    }
    let (running, limit) =
        (count_running(connection, &occurrence.customer).await?.all, settings.limits.parallel_runs.into());
    Ok((running >= limit).then_some(Cause::RunsUnderWay { running, limit }))
}

fn slot_of(occurrence: &StoredOccurrence) -> Slot<'_> {
    Slot {
        start: occurrence.start,
        latest_start: occurrence.latest_start,
        end: occurrence.end,
        last_cause: occurrence.cause.as_deref(),
        looked_at: occurrence.looked_at,
    }
}

/// Opens the occurrence, or notes what it waits for.
async fn try_to_open(
    connection: &mut DatabaseConnection,
    daemon: &Daemon,
    (occurrence, settings): (&StoredOccurrence, &Settings),
    clock: &Clock,
) -> anyhow::Result<Option<(RunId, RunNumber)>> {
    let planned = plan(connection, occurrence, settings, &daemon.ssh).await?;
    let cause = match planned {
        Err(cause) => cause,
        Ok(planned) => {
            // From here on to the end of the transaction no other controller counts or opens.
            lock_openings(connection).await?;
            let now = clock.now();
            let run = RunId(Uuid::now_v7());
            match assess(connection, (occurrence, settings), &planned, run, now).await? {
                Verdict::Begin => match begin(connection, daemon, occurrence, (run, &planned), now).await? {
                    Ok(number) => return Ok(Some((run, number))),
                    Err(cause) => cause,
                },
                Verdict::Wait(cause) => cause,
                Verdict::Missed(cause) => {
                    miss(connection, daemon, occurrence, &cause, now).await?;
                    return Ok(None);
                }
                Verdict::TooEarly => return Ok(None),
            }
        }
    };
    wait(connection, occurrence, &cause, clock.now()).await?;
    Ok(None)
}

/// Notes what it waits for; the same cause again is nothing new.
async fn wait(
    connection: &mut DatabaseConnection,
    occurrence: &StoredOccurrence,
    cause: &Cause,
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = cause.to_string();
    if occurrence.cause.as_ref() != Some(&text) {
        let (customer, window) = (occurrence.customer.as_str(), occurrence.window.as_str());
        tracing::warn!(customer, window, occurrence = %occurrence.id, cause = text, "due, and waiting");
    }
    set_waiting(connection, occurrence.id, Some(&text), now).await?;
    Ok(())
}

async fn assess(
    connection: &mut DatabaseConnection,
    (occurrence, settings): (&StoredOccurrence, &Settings),
    planned: &Planned,
    run: RunId,
    now: Timestamp,
) -> anyhow::Result<Verdict> {
    let Planned { customer, plan, review } = planned;
    let busy = find_busy_host(connection, plan, run).await?;
    let running = count_running(connection, &customer.name).await?;
    let freezes = match applied::read_freezes(connection, settings, customer, occurrence).await? {
        Ok(freezes) => freezes,
        Err(cause) => return Ok(Verdict::Wait(cause)),
    };
    let is_untold = occurrence.state == OccurrenceState::Planned && occurrence.next_notice.is_some();
    let situation = Situation {
        plan: Ok(plan),
        freezes: &freezes,
        announcement: if is_untold { Precondition::Missing } else { Precondition::Met },
        review: review.as_condition(),
        busy: busy.as_ref().map(|(host, number)| (host, number.0)),
        load: Load {
            running: running.all,
            limit: settings.limits.parallel_runs.into(),
            running_of_customer: running.of_customer,
            limit_per_customer: settings.limits.parallel_runs_per_customer.into(),
        },
    };
    Ok(judge(&slot_of(occurrence), &situation, now))
}

/// Creates the run. The inner error: somebody at a command line was faster with one of the hosts.
async fn begin(
    connection: &mut DatabaseConnection,
    daemon: &Daemon,
    occurrence: &StoredOccurrence,
    (run, planned): (RunId, &Planned),
    now: Timestamp,
) -> anyhow::Result<Result<RunNumber, Cause>> {
    let plan = &planned.plan;
    let hash = plan.hash();
    let new = NewRun {
        id: run,
        plan,
        plan_hash: &hash,
        reason: None,
        started_by: daemon.name(),
        idempotency_key: None,
        occurrence: Some(occurrence.id),
        lease: Some(daemon.name()),
    };
    let number = match create_run(connection, &new).await {
        Ok(Created::New { number, .. }) => number,
        Ok(Created::Existing { .. }) => return Err(anyhow!("a run without a key was there before")),
        Err(StoreError::HostBusy { host, number, .. }) => return Ok(Err(Cause::HostBusy { host, run: number.0 })),
        Err(error) => return Err(error.into()),
    };
    if !open_occurrence(connection, occurrence.id, run, now).await? {
        return Err(anyhow!("it is not ahead any more"));
    }
    let detail = json!({"run": number.0});
    // What changes nothing is nothing to prepare for.
    if !matches!(planned.review, Reviewed::NothingPending) {
        let message = Message { kind: Kind::Started, occurrence: occurrence.id, lead: None, detail: &detail };
        tell(connection, &message).await?;
    }
    note(connection, &entry(daemon, "open occurrence", occurrence, None, &detail)).await?;
    Ok(Ok(number))
}

async fn miss(
    connection: &mut DatabaseConnection,
    daemon: &Daemon,
    occurrence: &StoredOccurrence,
    cause: &str,
    now: Timestamp,
) -> anyhow::Result<()> {
    let change = Change {
        id: occurrence.id,
        from: occurrence.state,
        event: OccurrenceEvent::Miss,
        cause: Some(cause),
        by: None,
        now,
    };
    if !change_occurrence(connection, &change).await? {
        return Ok(());
    }
    withdraw(connection, occurrence.id).await?;
    let detail = json!({"cause": cause});
    let message = Message { kind: Kind::Missed, occurrence: occurrence.id, lead: None, detail: &detail };
    tell(connection, &message).await?;
    note(connection, &entry(daemon, "miss occurrence", occurrence, Some(cause), &detail)).await?;
    let (customer, window) = (occurrence.customer.as_str(), occurrence.window.as_str());
    tracing::warn!(customer, window, occurrence = %occurrence.id, cause, "missed");
    Ok(())
}

fn entry<'a>(
    daemon: &'a Daemon,
    action: &'a str,
    occurrence: &'a StoredOccurrence,
    reason: Option<&'a str>,
    detail: &'a serde_json::Value,
) -> Entry<'a> {
    Entry {
        actor: daemon.name(),
        action,
        customer: Some(&occurrence.customer),
        occurrence: Some(occurrence.id),
        reason,
        detail,
    }
}
