//! The daily look at the disks of hosts on which something is watched.
//!
//! Each customer has its time of day, by its name. Invariants: of several daemons one looks: whoever takes a customer puts its round
//! off, and of each host one look a day is kept; a host that can't be reached is a finding, and is looked at again the next day; what is
//! found of one host is kept whatever becomes of the others.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Daemon;
use super::applied::{read_customer, read_settings_in};
use super::tick::Worked;
use crate::app::capacity::{Errand, Occasion, Target, keep, look};
use crate::domain::capacity::{Measurement, second_of_day};
use crate::domain::id::Name;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::capacity::round::{OpenRound, finish_round, lease_round, list_looked_at, lock_open_rounds};

/// So many customers at the same time, and none as long as so many others look for pending updates: those can't wait.
const AT_ONCE: usize = 8;
/// Open rounds that are seen in one turn: most customers watch nothing, and need but a look at their file.
const SEEN_AT_ONCE: usize = 200;
/// A round of hosts that answer ends well within this time; then another may take it over, and finds what was kept.
const LEASE: SignedDuration = SignedDuration::from_mins(15);

/// Begins the rounds that are due.
///
/// # Errors
/// If the database can't be used.
pub async fn tick(daemon: &Arc<Daemon>, now: Timestamp) -> anyhow::Result<Worked> {
    let room = daemon.crew.room_aside(AT_ONCE);
    if room == 0 || daemon.crew.is_leaving() {
        return Ok(Worked::Nothing);
    }
    let utc = now.to_zoned(TimeZone::UTC);
    let mut transaction = daemon.store.begin().await?;
    let settings = read_settings_in(&mut transaction).await.unwrap_or_default();
    let (mut duties, mut worked) = (Vec::new(), Worked::Nothing);
    let open = lock_open_rounds(&mut transaction, utc.date(), (now, LEASE)).await?;
    for open in open.into_iter().filter(|open| is_due(open, now)).take(SEEN_AT_ONCE) {
        if duties.len() >= room {
            break;
        }
        worked = Worked::Something;
        let parallel_hosts = settings.limits.parallel_hosts;
        let errand = match read_customer(&mut transaction, &open.customer).await? {
            Ok(customer) => Errand::of(&customer, &daemon.ssh, parallel_hosts),
            // Told where its dates are kept.
            Err(_) => Errand { customer: open.customer, targets: Vec::new(), parallel_hosts: 1 },
        };
        duties.extend(take(&mut transaction, errand, (utc.date(), now)).await?);
    }
    transaction.commit().await?;
    duties.into_iter().for_each(|duty| spawn(daemon, duty));
    Ok(worked)
}

/// Whether its time of the day has come; who missed a day, or was never looked at, does not wait for it.
fn is_due(open: &OpenRound, now: Timestamp) -> bool {
    let utc = now.to_zoned(TimeZone::UTC);
    let missed_one =
        open.done_on.is_none_or(|done_on| utc.date().yesterday().is_ok_and(|yesterday| done_on < yesterday));
    let time = utc.time();
    let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    missed_one || seconds >= i64::from(second_of_day(&open.customer))
}

/// A round that this daemon has taken.
struct Duty {
    errand: Errand,
    day: Date,
    now: Timestamp,
}

/// Takes a round. `None`: there is nothing to look at, or not any more.
async fn take(
    connection: &mut DatabaseConnection,
    mut errand: Errand,
    (day, now): (Date, Timestamp),
) -> anyhow::Result<Option<Duty>> {
    let looked_at = list_looked_at(connection, &errand.customer, day).await?;
    errand.targets.retain(|target| !looked_at.contains(&target.host));
    if errand.targets.is_empty() {
        finish_round(connection, &errand.customer, day).await?;
        return Ok(None);
    }
    let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
    lease_round(connection, &errand.customer, Some(until)).await?;
    Ok(Some(Duty { errand, day, now }))
}

fn spawn(daemon: &Arc<Daemon>, duty: Duty) {
    let daemon = daemon.clone();
    daemon.clone().crew.spawn_aside(async move {
        let customer = &duty.errand.customer;
        let leave = daemon.crew.leaving();
        tokio::select! {
            done = carry_out(&daemon, &duty) => {
                if let Err(error) = done {
                    let error = format!("{error:#}");
                    tracing::error!(customer = customer.as_str(), error, "disks of hosts not measured");
                }
            }
            // Nothing was changed on any host; the next daemon looks again.
            () = leave.cancelled() => {
                if give_back(&daemon, customer).await.is_err() {
                    tracing::debug!(customer = customer.as_str(), "round not given back");
                }
            }
        }
    });
}

async fn carry_out(daemon: &Daemon, duty: &Duty) -> anyhow::Result<()> {
    let customer = &duty.errand.customer;
    let looks = look(&daemon.controller, &duty.errand).await;
    let unreachable = looks.iter().filter(|looked| looked.found.is_err()).count();
    for looked in &looks {
        let found = looked.found.as_ref().map_err(String::as_str);
        let Err(error) = keep_one(daemon, duty, looked.target, found).await else { continue };
        let (host, error) = (looked.target.host.as_str(), format!("{error:#}"));
        tracing::error!(customer = customer.as_str(), host, error, "what was measured can't be kept");
        // That it can't be is kept instead; if that fails, too, it is not for this host, and the round stays open.
        keep_one(daemon, duty, looked.target, Err("what was measured can't be kept: see the log of the daemon"))
            .await?;
    }
    let mut transaction = daemon.store.begin().await?;
    finish_round(&mut transaction, customer, duty.day).await?;
    transaction.commit().await?;
    tracing::info!(customer = customer.as_str(), hosts = looks.len(), unreachable, "disks of hosts measured");
    Ok(())
}

async fn keep_one(
    daemon: &Daemon,
    duty: &Duty,
    target: &Target,
    found: Result<&Measurement, &str>,
) -> anyhow::Result<()> {
    let occasion = Occasion { customer: &duty.errand.customer, at: duty.now, run: None, day: Some(duty.day) };
    let mut transaction = daemon.store.begin().await?;
    keep(&mut transaction, &occasion, (&target.host, &target.watched), found).await?;
    Ok(transaction.commit().await?)
}

async fn give_back(daemon: &Daemon, customer: &Name) -> anyhow::Result<()> {
    let mut transaction = daemon.store.begin().await?;
    lease_round(&mut transaction, customer, None).await?;
    Ok(transaction.commit().await?)
}
