//! Tells customers of occurrences that are coming: the first message is the announcement, which makes a commitment; the others
//! are reminders.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::Instant;

use super::Daemon;
use super::applied::read_customer;
use super::tick::Worked;
use crate::domain::notification::Kind;
use crate::domain::occurrence::{OccurrenceEvent, OccurrenceState};
use crate::edge::store::DatabaseConnection;
use crate::edge::store::audit::{Entry, note};
use crate::edge::store::error::{Error as StoreError, Kind as StoreKind};
use crate::edge::store::notification::{Message, tell};
use crate::edge::store::occurrence::StoredOccurrence;
use crate::edge::store::occurrence::change::{Change, change_occurrence};
use crate::edge::store::occurrence::claim::{claim_notices, drop_late_notices, put_off_notice, set_next_notice};

/// So many are asked for, and the first that can be read is taken.
const AT_ONCE: u32 = 20;
/// What is left after so long is for the next tick.
const BUDGET: Duration = Duration::from_secs(20);

/// Tells all that is due to be told, each in a transaction of its own: what one of them can't do is undone, and the others go on.
///
/// # Errors
/// If the database can't be used.
pub async fn tick(daemon: &Daemon, now: Timestamp) -> anyhow::Result<Worked> {
    let began = Instant::now();
    let mut worked = Worked::Nothing;
    while began.elapsed() < BUDGET {
        let mut transaction = daemon.store.begin().await?;
        let due = claim_notices(&mut transaction, now, AT_ONCE).await?;
        let Some(occurrence) = due.first() else {
            drop_late_notices(&mut transaction, now).await?;
            transaction.commit().await?;
            break;
        };
        match announce(&mut transaction, daemon, occurrence, now).await {
            Ok(()) => transaction.commit().await?,
            // What keeps the database from answering is no fault of this customer: it is told with the next tick.
            Err(error) if is_of_database(&error) => return Err(error.context("nobody can be told of what is coming")),
            Err(error) => {
                transaction.rollback().await?;
                let mut transaction = daemon.store.begin().await?;
                put_off(&mut transaction, occurrence, &format!("{error:#}"), now).await?;
                transaction.commit().await?;
            }
        }
        worked = Worked::Something;
    }
    Ok(worked)
}

fn is_of_database(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<StoreError>().map(StoreError::kind);
    matches!(kind, Some(StoreKind::Busy | StoreKind::Unreachable | StoreKind::NotWritable | StoreKind::Setup))
}

async fn announce(
    connection: &mut DatabaseConnection,
    daemon: &Daemon,
    occurrence: &StoredOccurrence,
    now: Timestamp,
) -> anyhow::Result<()> {
    let leads_s = match read_leads(connection, occurrence).await? {
        Ok(leads_s) => leads_s,
        Err(why) => return put_off(connection, occurrence, &why, now).await,
    };
    let notice = next_notice(occurrence, &leads_s, now);
    let lead = notice.lead_s.map(lead_in_words);
    let kind = if occurrence.state == OccurrenceState::Planned { Kind::Announcement } else { Kind::Reminder };
    let detail = json!({"lead_s": notice.lead_s});
    let told_apart_by = lead.as_deref().filter(|_| kind == Kind::Reminder);
    let message = Message { kind, occurrence: occurrence.id, lead: told_apart_by, detail: &detail };
    let told = tell(connection, &message).await?;
    if kind == Kind::Announcement {
        let change = Change {
            id: occurrence.id,
            from: occurrence.state,
            event: OccurrenceEvent::Announce,
            cause: occurrence.cause.as_deref(),
            by: None,
            now,
        };
        change_occurrence(connection, &change).await?;
        let entry = Entry {
            actor: daemon.name(),
            action: "announce occurrence",
            customer: Some(&occurrence.customer),
            occurrence: Some(occurrence.id),
            reason: None,
            detail: &json!({"recipients": told}),
        };
        note(connection, &entry).await?;
    }
    Ok(set_next_notice(connection, occurrence.id, notice.next).await?)
}

async fn put_off(
    connection: &mut DatabaseConnection,
    occurrence: &StoredOccurrence,
    why: &str,
    now: Timestamp,
) -> anyhow::Result<()> {
    let (customer, window) = (occurrence.customer.as_str(), occurrence.window.as_str());
    tracing::error!(customer, window, occurrence = %occurrence.id, why, "customer can't be told of what is coming");
    put_off_notice(connection, occurrence, now).await?;
    Ok(())
}

/// How long before the opening the customer of this window is told, longest first; or why that can't be said.
async fn read_leads(
    connection: &mut DatabaseConnection,
    occurrence: &StoredOccurrence,
) -> anyhow::Result<Result<Vec<u64>, String>> {
    let customer = match read_customer(connection, &occurrence.customer).await? {
        Ok(customer) => customer,
        Err(cause) => return Ok(Err(cause.to_string())),
    };
    let window = customer.windows.into_iter().find(|window| window.name == occurrence.window);
    let mut leads_s = window.map(|window| window.announce_s).unwrap_or_default();
    leads_s.sort_unstable_by(|left, right| right.cmp(left));
    Ok(Ok(leads_s))
}

/// A message that is due, and when the next one is.
#[derive(Debug, PartialEq, Eq)]
struct Notice {
    lead_s: Option<u64>,
    next: Option<Timestamp>,
}

/// When several are past due, the last of them stands for all.
fn next_notice(occurrence: &StoredOccurrence, leads_s: &[u64], now: Timestamp) -> Notice {
    let at = |lead_s: u64| {
        let lead = SignedDuration::from_secs(i64::try_from(lead_s).unwrap_or(i64::MAX));
        occurrence.start.checked_sub(lead).unwrap_or(Timestamp::MIN)
    };
    let lead_s = leads_s.iter().copied().rfind(|lead_s| at(*lead_s) <= now);
    Notice { lead_s, next: leads_s.iter().map(|lead_s| at(*lead_s)).find(|at| *at > now) }
}

/// `14d`, `36h`, as inventories say it.
fn lead_in_words(lead_s: u64) -> String {
    match lead_s {
        lead_s if lead_s % 86_400 == 0 => format!("{}d", lead_s / 86_400),
        lead_s if lead_s % 3600 == 0 => format!("{}h", lead_s / 3600),
        lead_s if lead_s % 60 == 0 => format!("{}m", lead_s / 60),
        lead_s => format!("{lead_s}s"),
    }
}
