//! Drives a run that is stored, whoever asks for it: lease, record, machines, driver; and gives the lease back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::driver::{Assumed, Driver, End, Stopped};
use super::fleet::{Fleet, Location};
use super::hosts::{local_host, ssh_settings};
use super::measurements::keep_all;
use crate::app::progress::Progress;
use crate::domain::id::{Epoch, Name, RunId};
use crate::domain::inventory::Connection;
use crate::domain::plan::{HostIndex, Plan, StepIndex};
use crate::domain::run::event::Recorded;
use crate::domain::run::state::{IllegalTransition, Run, StepRun};
use crate::domain::settings::Ssh;
use crate::edge::config;
use crate::edge::remote::{Remote, SshControl, SshHost};
use crate::edge::store::audit::{AuditFilter, Entry, list_audit, note};
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::run::{RunRow, StoredRun};
use crate::edge::store::{DatabaseConnection, Store, database_now, event, lease, log};

/// A lease that can't be given back within this time lapses by itself.
const GIVE_BACK_LIMIT: Duration = Duration::from_secs(2);
/// In the audit trail: a run was left open by its controller, and goes on when another takes it.
const LEFT: &str = "leave run";
/// In the audit trail: a run was left to a person.
const SUSPENDED: &str = "suspend run";
/// Whoever left a run is looked for in so many entries of its customer.
const ENTRIES: u32 = 1000;

/// What all runs that this process drives share.
#[derive(Debug)]
pub struct Controller {
    /// `machine:pid`
    pub name: String,
    ssh: Arc<SshControl>,
    state_dir: PathBuf,
}

/// Whoever asks for a run to be driven: what is told to them, and how they intervene.
pub struct Seat<'a> {
    /// What is seen of the run.
    pub progress: &'a mut Progress,
    /// Brings who asks the run to stop.
    pub cancel: &'a mut mpsc::Receiver<String>,
    /// Cancelled to leave the run at once, as it stands.
    pub leave: &'a CancellationToken,
    /// Woken when the database holds a wish to stop the run; without it the next renewal of the lease finds it.
    pub nudge: &'a Notify,
    /// How long past its time limit a step with a package manager is waited for.
    pub overdue: Duration,
}

/// Why a run could not be driven to its end. It is open; capsules go on.
#[derive(Debug, thiserror::Error)]
pub enum NotDriven {
    /// Its record can't be read.
    #[error("the run's record can't be read")]
    Unread(#[from] StoreError),
    /// Its record contradicts itself.
    #[error("the run can't be carried on")]
    Illegal(#[from] IllegalTransition),
    /// Driving it ended before its end.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Controller {
    /// Prepares this process for driving runs.
    ///
    /// # Errors
    /// If its place for connections, or the user's ssh_config, can't be used.
    pub fn open(ssh: &Ssh, state_dir: &Path) -> anyhow::Result<Self> {
        let ssh = SshControl::open(ssh_settings(ssh, state_dir)?)?;
        Ok(Self { name: config::controller_name(), ssh, state_dir: state_dir.to_owned() })
    }

    /// Takes the lease of a run; none if somebody else drives it, or if it has ended.
    ///
    /// # Errors
    /// If the database can't be used.
    pub async fn take_lease(&self, store: &Store, run: RunId) -> Result<Option<Epoch>, StoreError> {
        let mut transaction = store.begin().await?;
        let epoch = lease::take_lease(&mut transaction, run, &self.name).await?;
        transaction.commit().await?;
        Ok(epoch)
    }

    /// Drives `run`, whose lease was taken with `epoch`, to its end, and gives the lease back.
    ///
    /// # Errors
    /// [`NotDriven`]; somebody can then take it over.
    pub async fn drive(&self, store: &Store, run: &StoredRun, epoch: Epoch, seat: Seat<'_>) -> Result<End, NotDriven> {
        let driven = self.drive_with_lease(store, run, epoch, seat).await;
        self.give_back(store, run, (epoch, kept_of(&driven))).await;
        driven
    }

    async fn drive_with_lease(
        &self,
        store: &Store,
        run: &StoredRun,
        epoch: Epoch,
        seat: Seat<'_>,
    ) -> Result<End, NotDriven> {
        let record = read_record(store, run.id).await?;
        let stored_output = read_stored_output(store, run, &record).await?;
        let assumed = Assumed {
            run: run.id,
            epoch,
            controller: self.name.clone(),
            record,
            stored_output,
            clock: ask_clock(store).await?,
        };
        let (measured, to_keep) = mpsc::unbounded_channel();
        let fleet = self.connect(run, epoch).measuring(measured);
        let driver = Driver::new(assumed, store, fleet, seat)?;
        let over = CancellationToken::new();
        let drive = async {
            let driven = driver.drive().await;
            over.cancel();
            driven
        };
        let (driven, ()) = tokio::join!(drive, keep_all(store, run, to_keep, &over));
        Ok(driven?)
    }

    /// The next controller need not wait for the lease to lapse, and learns when it was left. If this fails, it waits.
    async fn give_back(&self, store: &Store, run: &StoredRun, (epoch, kept): (Epoch, Option<&str>)) {
        let detail = json!({ "run": run.number, "job": run.plan.job });
        let give_back = async {
            let mut transaction = store.begin().await?;
            if let Some(action) = kept {
                let (customer, occurrence) = (Some(&run.plan.customer), run.occurrence);
                let entry = Entry { actor: &self.name, action, customer, occurrence, reason: None, detail: &detail };
                note(&mut transaction, &entry).await?;
            }
            lease::release_lease(&mut transaction, run.id, epoch).await?;
            transaction.commit().await.map_err(StoreError::from)
        };
        let given_back = tokio::time::timeout(GIVE_BACK_LIMIT, give_back).await;
        if !matches!(given_back, Ok(Ok(()))) {
            tracing::debug!(run = %run.number, "lease not given back");
        }
    }

    /// The way to a host; nothing is connected yet.
    #[must_use]
    pub fn reach(&self, customer: &Name, host: &Name, connection: &Connection) -> Remote {
        Remote::Ssh(SshHost::new(self.ssh.clone(), &format!("{customer}/{host}"), connection))
    }

    /// The ways to all machines of the run; nothing is connected yet.
    fn connect(&self, run: &StoredRun, epoch: Epoch) -> Fleet {
        let plan = Arc::new(run.plan.clone());
        let connections = connections(&plan);
        let connect = |location: &Location| {
            let connection = match location {
                Location::Host(name) => connections.get(name).map(|connection| (name, *connection)),
                Location::Controller => None,
            };
            Arc::new(match connection {
                Some((name, connection)) => self.reach(&run.plan.customer, name, connection),
                None => Remote::Local(local_host(&self.state_dir)),
            })
        };
        Fleet::new(run.id, epoch, plan.clone(), connect)
    }
}

/// All events of a run.
///
/// # Errors
/// If the database can't be used.
pub async fn read_record(store: &Store, run: RunId) -> Result<Vec<Recorded>, StoreError> {
    let mut transaction = store.begin().await?;
    event::read_events(&mut transaction, run).await
}

async fn ask_clock(store: &Store) -> Result<Clock, StoreError> {
    let mut transaction = store.begin().await?;
    let asked = Instant::now();
    Ok(Clock::set(database_now(&mut transaction).await?, asked))
}

/// What is kept of a run that has not ended but is driven no longer.
fn kept_of(driven: &Result<End, NotDriven>) -> Option<&'static str> {
    match driven {
        Ok(End::Finished(_)) | Err(NotDriven::Stopped(Stopped::Fenced)) => None,
        Ok(End::Suspended) => Some(SUSPENDED),
        Err(_) => Some(LEFT),
    }
}

/// When a run was last left by a controller that gave its lease back; none if that is not known.
///
/// # Errors
/// If the database can't be used.
pub async fn find_left_at(connection: &mut DatabaseConnection, run: &RunRow) -> Result<Option<Timestamp>, StoreError> {
    let filter = AuditFilter { customer: Some(&run.customer), occurrence: None, limit: ENTRIES };
    let entries = list_audit(connection, filter).await?;
    let is_it = |action: &str, detail: &serde_json::Value| action == LEFT && detail["run"] == json!(run.number);
    Ok(entries.iter().find(|entry| is_it(&entry.action, &entry.detail)).map(|entry| entry.at))
}

/// Where the stored output of each step under way ends, so that nothing is asked for twice.
async fn read_stored_output(
    store: &Store,
    run: &StoredRun,
    record: &[Recorded],
) -> Result<BTreeMap<(HostIndex, StepIndex), u64>, NotDriven> {
    let state = Run::replay(run.plan.clone(), record)?;
    let mut transaction = store.begin().await?;
    let mut ends = BTreeMap::new();
    for (host, steps) in state.hosts().iter().enumerate().map(|(index, host)| (HostIndex(index), &host.steps)) {
        for (step, run_step) in steps.iter().enumerate().map(|(index, step)| (StepIndex(index), step)) {
            if matches!(run_step, StepRun::Started { .. } | StepRun::Unknown { .. }) {
                ends.insert((host, step), log::find_log_end(&mut transaction, run.id, (host, step)).await?);
            }
        }
    }
    Ok(ends)
}

fn connections(plan: &Plan) -> BTreeMap<&Name, &Connection> {
    plan.hosts.iter().chain(&plan.delegates).map(|host| (&host.name, &host.connection)).collect()
}
