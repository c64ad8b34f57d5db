//! The watch over a host's services: its watched probes are asked again and again while the host is in work.
//!
//! Invariants: only what differs from what was last seen is told; a look that hangs delays no other; looks change nothing, so that
//! the watch may end at any instant.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::clock::Clock;
use super::fleet::Fleet;
use super::probes::{LINE_CHARS, as_way, find_from, read_secrets};
use super::step::Input;
use crate::domain::line::clean_line;
use crate::domain::plan::{HostIndex, PlannedHost};
use crate::domain::probe::observer::Observer;
use crate::domain::probe::template::Target;
use crate::domain::probe::{HostProbe, Patience};
use crate::domain::run::event::Event;
use crate::edge::probe::{Finding, Memory, Scene, look_once};
use crate::edge::remote::Remote;

/// So many looks of one probe may hang at the same time; while they do, none is added.
const MOST_LOOKS: usize = 16;

/// Watches all that is to be watched on `host`, until what is returned is dropped.
pub(super) fn watch(fleet: &Arc<Fleet>, host: HostIndex, clock: Clock, inputs: &mpsc::Sender<Input>) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    let probes = fleet.plan().hosts.get(host.0).map(|planned| planned.probes.as_slice()).unwrap_or_default();
    for position in probes.iter().enumerate().filter(|(_, probe)| probe.watch.is_some()).map(|(position, _)| position) {
        let (fleet, inputs) = (fleet.clone(), inputs.clone());
        watches.spawn(async move {
            let planned = fleet.plan().hosts.get(host.0);
            let Some((planned, wanted)) = planned.and_then(|host| Some((host, host.probes.get(position)?))) else {
                return;
            };
            let teller = Teller { host, probe: &wanted.name, clock, inputs };
            watch_one(&fleet, planned, wanted, &teller).await;
        });
    }
    watches
}

/// Secrets are read once: their program, or file, is not to be asked every second. The connections are the watch's own, as it may go
/// on when those of the run are closed.
async fn watch_one(fleet: &Fleet, host: &PlannedHost, wanted: &HostProbe, teller: &Teller<'_>) {
    let (secrets, mut not_asked) = match read_secrets(&wanted.probe.check).await {
        Ok(secrets) => (secrets, None),
        Err(finding) => (BTreeMap::new(), Some(finding)),
    };
    let memory = Memory::default();
    let target = Target { address: &host.connection.address, vars: &host.vars };
    let own = fleet.remote(&host.name).map(Remote::anew);
    let from = match find_from(fleet, wanted.from.as_ref()) {
        Ok(from) => from.map(Remote::anew),
        Err(finding) => {
            not_asked = Some(finding);
            None
        }
    };
    let (own, from) = (own.as_ref().map(as_way), from.as_ref().map(as_way));
    let scene = Scene { memory: Some(&memory), host: own, from, ..Scene::new(target, &secrets) };
    let limit = Duration::from_secs(wanted.probe.patience.timeout_s);
    let look = || async {
        match &not_asked {
            Some(finding) => finding.clone(),
            None => look_once(&wanted.probe, &scene, limit).await,
        }
    };
    look_again_and_again(wanted.probe.patience, look, teller).await;
}

/// A look at every interval, whether those before have been answered or not.
async fn look_again_and_again<F: Future<Output = Finding>>(
    patience: Patience,
    look: impl Fn() -> F,
    teller: &Teller<'_>,
) {
    let mut ticks = tokio::time::interval(Duration::from_secs(patience.interval_s.max(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut looks = FuturesUnordered::new();
    let mut observer = Observer::default();
    loop {
        tokio::select! {
            _ = ticks.tick() => if looks.len() < MOST_LOOKS {
                let begun = Instant::now();
                let looked = look();
                looks.push(async move { (begun, looked.await) });
            },
            Some((begun, finding)) = looks.next() => {
                let since = observer.see((begun, Instant::now()), finding.met);
                if let Some(since) = since && !teller.tell(&finding, since).await {
                    return;
                }
            }
        }
    }
}

/// Tells the driver what one watch sees.
struct Teller<'a> {
    host: HostIndex,
    probe: &'a str,
    clock: Clock,
    inputs: mpsc::Sender<Input>,
}

impl Teller<'_> {
    /// Whether anybody listens.
    async fn tell(&self, finding: &Finding, since: Instant) -> bool {
        let event = Event::WatchChanged {
            host: self.host,
            probe: self.probe.to_owned(),
            met: finding.met,
            since: self.instant(since),
            what: clean_line(finding.what.as_bytes(), LINE_CHARS),
        };
        self.inputs.send(Input::Event(event)).await.is_ok()
    }

    fn instant(&self, at: Instant) -> Timestamp {
        let ago = SignedDuration::try_from(at.elapsed()).unwrap_or(SignedDuration::MAX);
        self.clock.now().checked_sub(ago).unwrap_or(Timestamp::MIN)
    }
}
