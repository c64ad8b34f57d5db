//! The watch over a host's services: its watched probes are asked again and again while the host is in work.
//!
//! Invariants: only what differs from what was last seen is told; a look that hangs delays no other; looks change nothing, so that
//! the watch may end at any instant.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::fleet::Fleet;
use super::probes::{LINE_CHARS, as_way, read_secrets};
use super::step::Input;
use crate::domain::line::clean_line;
use crate::domain::plan::{HostIndex, PlannedHost};
use crate::domain::probe::observer::Observer;
use crate::domain::probe::template::Target;
use crate::domain::probe::{HostProbe, MOST_LOOKS, Patience};
use crate::edge::probe::{Finding, Scene, look_once};

/// A secret that could not be read is asked for again after this time.
const SECRET_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Watches all that is to be watched on `host`, until what is returned is dropped.
pub(super) fn watch(fleet: &Arc<Fleet>, host: HostIndex, inputs: &mpsc::Sender<Input>) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    let probes = fleet.plan().hosts.get(host.0).map(|planned| planned.probes.as_slice()).unwrap_or_default();
    for position in probes.iter().enumerate().filter(|(_, probe)| probe.watch.is_some()).map(|(position, _)| position) {
        let (fleet, inputs) = (fleet.clone(), inputs.clone());
        watches.spawn(async move {
            let planned = fleet.plan().hosts.get(host.0);
            let Some((planned, wanted)) = planned.and_then(|host| Some((host, host.probes.get(position)?))) else {
                return;
            };
            watch_one(&fleet, planned, wanted, &Teller { host, probe: &wanted.name, inputs }).await;
        });
    }
    watches
}

/// The connections are those of all watches, as they may go on when those of the run are closed.
async fn watch_one(fleet: &Fleet, host: &PlannedHost, wanted: &HostProbe, teller: &Teller<'_>) {
    let (own, from) = (fleet.watch_remote(&host.name), wanted.from.as_ref().map(|name| fleet.watch_remote(name)));
    let Some(from) = from.map_or(Some(None), |from| from.map(Some)) else {
        return tracing::error!(host = %host.name, probe = wanted.name, "the plan lacks the host from which is watched");
    };
    let secrets = read_secrets_patiently(host, wanted).await;
    let target = Target { address: &host.connection.address, vars: &host.vars };
    let (own, from) = (own.as_deref().map(as_way), from.as_deref().map(as_way));
    let scene = Scene { memory: Some(&fleet.watch_memory), host: own, from, ..Scene::new(target, &secrets) };
    let limit = Duration::from_secs(wanted.probe.patience.timeout_s);
    let most_looks = if wanted.probe.check.is_costly() { 1 } else { MOST_LOOKS };
    let look = || look_once(&wanted.probe, &scene, limit);
    look_again_and_again((wanted.probe.patience, most_looks), look, teller).await;
}

/// Secrets are read once: their program, or file, is not to be asked every second. As long as one can't be read, nothing is known of the
/// service, and nothing told.
async fn read_secrets_patiently(host: &PlannedHost, wanted: &HostProbe) -> BTreeMap<&'static str, String> {
    loop {
        match read_secrets(&wanted.probe.check).await {
            Ok(secrets) => return secrets,
            Err(finding) => tracing::warn!(host = %host.name, probe = wanted.name, "not watched: {}", finding.what),
        }
        tokio::time::sleep(SECRET_AGAIN_AFTER).await;
    }
}

/// A look at every interval, whether those before have been answered or not.
async fn look_again_and_again<F: Future<Output = Finding>>(
    (patience, most_looks): (Patience, usize),
    look: impl Fn() -> F,
    teller: &Teller<'_>,
) {
    let mut ticks = tokio::time::interval(Duration::from_secs(patience.interval_s.max(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut looks = FuturesUnordered::new();
    let mut observer = Observer::default();
    let mut number = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => if looks.len() < most_looks {
                number += 1;
                let (number, begun, looked) = (number, Instant::now(), AssertUnwindSafe(look()).catch_unwind());
                looks.push(async move { (number, begun, looked.await) });
            },
            Some((number, begun, looked)) = looks.next() => {
                // A bug says nothing of the service.
                let Ok(finding) = looked else { continue };
                for (met, since) in observer.see(number, (begun, Instant::now()), finding.met) {
                    if !teller.tell(met, since, &finding).await {
                        return;
                    }
                }
            }
        }
    }
}

/// Tells the driver what one watch sees.
struct Teller<'a> {
    host: HostIndex,
    probe: &'a str,
    inputs: mpsc::Sender<Input>,
}

impl Teller<'_> {
    /// Whether anybody listens.
    async fn tell(&self, met: bool, since: Instant, finding: &Finding) -> bool {
        // A look that failed late tells the return as well, but nothing of what was found then.
        let what = if met == finding.met { clean_line(finding.what.as_bytes(), LINE_CHARS) } else { String::new() };
        let seen = Input::Seen { host: self.host, probe: self.probe.to_owned(), met, since, what };
        self.inputs.send(seen).await.is_ok()
    }
}
