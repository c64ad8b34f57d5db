//! The machines of one run: one connection each, fenced before its first use by this controller.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::measurements::{Measured, measure_host};
use crate::domain::id::{Epoch, Name, RunId};
use crate::domain::job::Place;
use crate::domain::plan::{HostIndex, Plan, PlannedStep, StepIndex};
use crate::domain::run::event::{Facts, Fault};
use crate::edge::probe::Memory;
use crate::edge::remote::capsule::{Capsules, Record, StepKey};
use crate::edge::remote::{Error, Remote};

/// Pauses between the tries to reach a machine at the beginning of its work.
const RETRY_AFTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// A machine on which steps run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// A host of the inventory.
    Host(Name),
    /// The machine that runs turnus.
    Controller,
}

impl Location {
    /// The fault with the machine's name in front.
    #[must_use]
    pub fn fault(&self, fault: Fault) -> Fault {
        let what = match self {
            Self::Host(name) => format!("host `{name}`: {}", fault.what),
            Self::Controller => format!("the controller: {}", fault.what),
        };
        Fault { what, ..fault }
    }
}

/// A way to a machine, and what is known of it once this controller has fenced it for its epoch.
pub struct Station {
    /// For looks, which need no capsule.
    pub remote: Arc<Remote>,
    taken: OnceCell<Taken>,
    /// When it was last tried in vain. Held while trying, so that hosts which need the same machine wait for one series of tries
    /// instead of each making its own after the others.
    refused: tokio::sync::Mutex<Option<(Instant, Error)>>,
}

/// A machine that this controller has fenced.
pub struct Taken {
    /// Where steps run.
    pub capsules: Capsules,
    /// What was found.
    pub facts: Facts,
    /// A step that was started there, of which the record knows nothing.
    pub unrecorded: Option<StepKey>,
}

/// What was found on a host before its first step.
#[derive(Debug, Default)]
pub struct Prepared {
    /// About the host itself.
    pub facts: Facts,
    /// A step that was started there or on one of its delegates, of which the record knows nothing.
    pub unrecorded: Option<StepKey>,
}

/// All machines of a run.
pub struct Fleet {
    run: RunId,
    epoch: Epoch,
    plan: Arc<Plan>,
    stations: BTreeMap<Location, Station>,
    recorded: Mutex<Begun>,
    /// Connections of the watches, which may outlast those of the run.
    watch_remotes: Mutex<BTreeMap<Name, Arc<Remote>>>,
    /// What the watches keep from one look to the next.
    pub watch_memory: Memory,
    /// Where to with what is measured; none: nothing is measured.
    measured: Option<UnboundedSender<Measured>>,
}

/// What the record has as started.
#[derive(Default)]
struct Begun {
    steps: BTreeSet<StepKey>,
    /// Where capsules of theirs must be.
    locations: BTreeSet<Location>,
}

impl Fleet {
    /// Joins the machines of `plan` with the ways to reach them; `connect` is called once for each, and connects nothing yet.
    pub fn new(run: RunId, epoch: Epoch, plan: Arc<Plan>, mut connect: impl FnMut(&Location) -> Arc<Remote>) -> Self {
        let hosts = plan.hosts.iter().chain(&plan.delegates).map(|host| Location::Host(host.name.clone()));
        let locations: BTreeSet<Location> = hosts.chain([Location::Controller]).collect();
        let station = |location: Location| {
            let remote = connect(&location);
            (location, Station { remote, taken: OnceCell::new(), refused: tokio::sync::Mutex::default() })
        };
        let stations = locations.into_iter().map(station).collect();
        Self {
            run,
            epoch,
            plan,
            stations,
            recorded: Mutex::default(),
            watch_remotes: Mutex::default(),
            watch_memory: Memory::default(),
            measured: None,
        }
    }

    /// Has hosts measured before anything is touched there.
    #[must_use]
    pub fn measuring(self, to: UnboundedSender<Measured>) -> Self {
        Self { measured: Some(to), ..self }
    }

    /// The plan that the machines are for.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The machine on which a step of a host runs; none for a position that the plan does not have.
    #[must_use]
    pub fn station(&self, host: HostIndex, step: StepIndex) -> Option<&Station> {
        self.stations.get(&self.location(host, self.plan.steps.get(step.0)?)?)
    }

    /// The way to a host or delegate of the plan.
    #[must_use]
    pub fn remote(&self, name: &Name) -> Option<&Remote> {
        self.stations.get(&Location::Host(name.clone())).map(|station| &*station.remote)
    }

    /// The way of the watches to a host or delegate of the plan; one for all of them, and apart from that of the run.
    #[must_use]
    pub fn watch_remote(&self, name: &Name) -> Option<Arc<Remote>> {
        let mut remotes = self.watch_remotes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = remotes.get(name) {
            return Some(Arc::clone(remote));
        }
        let remote = Arc::new(self.remote(name)?.anew());
        Some(Arc::clone(remotes.entry(name.clone()).or_insert(remote)))
    }

    fn location(&self, host: HostIndex, step: &PlannedStep) -> Option<Location> {
        let own = || self.plan.hosts.get(host.0).map(|host| Location::Host(host.name.clone()));
        match &step.place {
            Place::Host => own(),
            Place::Delegate(name) => Some(Location::Host(name.clone())),
            Place::Controller => Some(Location::Controller),
        }
    }

    /// The machines whose capsules the steps of a host need: its own first.
    fn locations_of(&self, host: HostIndex) -> Vec<Location> {
        let in_capsules = self.plan.steps.iter().filter(|step| step.task.is_in_capsule());
        let mut locations: Vec<_> =
            self.plan.hosts.get(host.0).map(|host| Location::Host(host.name.clone())).into_iter().collect();
        for step in in_capsules {
            if let Some(location) = self.location(host, step)
                && !locations.contains(&location)
            {
                locations.push(location);
            }
        }
        locations
    }

    /// Connects and fences every machine that the steps of `host` need. Returns what was found on the host itself.
    ///
    /// # Errors
    /// If one of them can't be reached or prepared, with its name.
    pub async fn prepare(&self, host: HostIndex) -> Result<Prepared, (Location, Error)> {
        let mut prepared = None;
        for location in self.locations_of(host) {
            let Some(station) = self.stations.get(&location) else { continue };
            let taken = self.take_patiently(&location, station).await.map_err(|error| (location, error))?;
            let prepared = prepared.get_or_insert_with(|| Prepared { facts: taken.facts.clone(), unrecorded: None });
            prepared.unrecorded = prepared.unrecorded.take().or_else(|| taken.unrecorded.clone());
        }
        self.measure(host).await;
        Ok(prepared.unwrap_or_default())
    }

    async fn measure(&self, host: HostIndex) {
        let Some((to, host)) = self.measured.as_ref().zip(self.plan.hosts.get(host.0)) else { return };
        let Some(station) = self.stations.get(&Location::Host(host.name.clone())) else { return };
        if let Some(measured) = measure_host(&station.remote, host).await {
            // Who is not there any more does not want it.
            let _ = to.send(measured);
        }
    }

    async fn take_patiently<'a>(&self, location: &Location, station: &'a Station) -> Result<&'a Taken, Error> {
        let asked_at = Instant::now();
        let mut refused = station.refused.lock().await;
        match &*refused {
            Some((at, error)) if *at > asked_at => return Err(error.clone()),
            _ => {}
        }
        let taken = self.try_to_take(location, station).await;
        *refused = taken.as_ref().err().map(|error| (Instant::now(), error.clone()));
        taken
    }

    async fn try_to_take<'a>(&self, location: &Location, station: &'a Station) -> Result<&'a Taken, Error> {
        // A machine that has forgotten what was started there must not get a fresh record: steps would be started again.
        let began = self.recorded().locations.contains(location);
        let record = if began { Record::MustExist } else { Record::MayBegin };
        for pause in RETRY_AFTER {
            match self.take(station, record).await {
                Err(error) if error.is_transient() => tokio::time::sleep(pause).await,
                result => return result,
            }
        }
        self.take(station, record).await
    }

    /// Fences the machine for this controller's epoch, if that is not done yet.
    ///
    /// # Errors
    /// If it can't be reached, a newer controller has it, or its record of the run is gone.
    pub async fn take<'a>(&self, station: &'a Station, record: Record) -> Result<&'a Taken, Error> {
        let take = || async {
            let (capsules, facts) = Capsules::prepare(station.remote.clone(), self.run, self.epoch, record).await?;
            let unrecorded = self.find_unrecorded(&capsules);
            Ok(Taken { capsules, facts, unrecorded })
        };
        station.taken.get_or_try_init(take).await
    }

    /// Takes note of a step that is recorded as started. To be called before it is carried out.
    pub fn note_started(&self, host: HostIndex, step: StepIndex) {
        let (Some(planned), Some(planned_step)) = (self.plan.hosts.get(host.0), self.plan.steps.get(step.0)) else {
            return;
        };
        let location = self.location(host, planned_step).filter(|_| planned_step.task.is_in_capsule());
        let mut recorded = self.recorded();
        recorded.steps.insert(StepKey::new(&planned.name, step.0));
        recorded.locations.extend(location);
    }

    /// After the database was restored from a backup, machines know of steps that it does not.
    fn find_unrecorded(&self, capsules: &Capsules) -> Option<StepKey> {
        let recorded = self.recorded();
        capsules.started().iter().find(|key| !recorded.steps.contains(key)).cloned()
    }

    fn recorded(&self) -> MutexGuard<'_, Begun> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the capsules of `host`, and ends its connection if nobody else needs it.
    pub async fn leave(&self, host: HostIndex) {
        let Some(planned) = self.plan.hosts.get(host.0) else { return };
        for location in self.locations_of(host) {
            let Some(taken) = self.stations.get(&location).and_then(|station| station.taken.get()) else { continue };
            // What can't be removed now is removed with old runs.
            if let Err(error) = taken.capsules.clean(&planned.name).await {
                tracing::debug!(host = %planned.name, %error, "capsules not removed");
            }
        }
        let is_delegate = self.plan.delegates.iter().any(|delegate| delegate.name == planned.name);
        if !is_delegate && let Some(station) = self.stations.get(&Location::Host(planned.name.clone())) {
            station.remote.close().await;
        }
    }

    /// Ends all connections.
    pub async fn close(&self) {
        let of_watches = std::mem::take(&mut *self.watch_remotes.lock().unwrap_or_else(PoisonError::into_inner));
        let remotes = self.stations.values().map(|station| &station.remote).chain(of_watches.values());
        futures_util::future::join_all(remotes.map(|remote| remote.close())).await;
    }
}

#[cfg(test)]
mod tests;
