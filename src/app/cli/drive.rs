//! Drives a stored run from a terminal: lease, signals, progress, report. Shared by `run`, `resume` and `demo`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Format;
use super::exit::{Exit, Failure};
use super::hosts::{local_host, ssh_settings};
use crate::app::console::{print, say};
use crate::app::controller::driver::{Assumed, Driver, End, Stopped};
use crate::app::controller::fleet::{Fleet, Location};
use crate::app::progress::Progress;
use crate::domain::id::{Epoch, Name};
use crate::domain::inventory::Connection;
use crate::domain::plan::{HostIndex, Plan, StepIndex};
use crate::domain::run::event::{Recorded, RunResult};
use crate::domain::run::state::{Run, StepRun};
use crate::domain::settings::Settings;
use crate::edge::config;
use crate::edge::remote::{Remote, SshControl, SshHost};
use crate::edge::store::run::StoredRun;
use crate::edge::store::{Store, event, lease, log};

/// Everything that driving needs besides the run.
pub(super) struct Surroundings<'a> {
    pub(super) store: &'a Store,
    pub(super) settings: &'a Settings,
    pub(super) state_dir: &'a Path,
}

/// Takes the lease of `run`, drives it to its end, and prints its report.
pub(super) async fn drive(around: &Surroundings<'_>, run: &StoredRun, format: Format) -> Result<Exit, Failure> {
    let controller = config::controller_name();
    let Some(epoch) = take_lease(around.store, run, &controller).await? else {
        return Err(not_free(run));
    };
    let driven = drive_with_lease(around, run, (epoch, controller), format).await;
    give_back(around.store, run, epoch).await;
    finish(around, run, driven?, format).await
}

async fn drive_with_lease(
    around: &Surroundings<'_>,
    run: &StoredRun,
    (epoch, controller): (Epoch, String),
    format: Format,
) -> Result<Result<End, Stopped>, Failure> {
    let record = read_record(around.store, run).await?;
    let stored_output = read_stored_output(around.store, run, &record).await?;
    let fleet = connect_fleet(around, run, epoch)?;
    let overdue = std::time::Duration::from_secs(around.settings.limits.overdue_s);
    let assumed = Assumed { run: run.id, epoch, controller, record, stored_output, overdue };
    let mut progress = if format == Format::Json { Progress::for_programs() } else { Progress::for_people() };
    progress.begin(run.number.0, run.id);
    let (sender, mut cancel) = mpsc::channel(4);
    if let Some(request) = &run.cancel_request {
        // The channel is fresh and has room.
        let _ = sender.send(request.by.clone()).await;
    }
    let leave = CancellationToken::new();
    tokio::spawn(listen_to_signals(sender, leave.clone()));
    let driver = Driver::new(assumed, around.store, fleet, &mut progress, &mut cancel).map_err(Failure::failed)?;
    Ok(driver.drive(&leave).await)
}

async fn take_lease(store: &Store, run: &StoredRun, controller: &str) -> Result<Option<Epoch>, Failure> {
    let mut transaction = store.begin().await?;
    let epoch = lease::take_lease(&mut transaction, run.id, controller).await?;
    transaction.commit().await.map_err(crate::edge::store::error::Error::from)?;
    Ok(epoch)
}

/// The next controller need not wait for the lease to lapse. If this fails, it waits.
async fn give_back(store: &Store, run: &StoredRun, epoch: Epoch) {
    let give_back = async {
        let mut transaction = store.begin().await?;
        lease::release_lease(&mut transaction, run.id, epoch).await?;
        transaction.commit().await.map_err(crate::edge::store::error::Error::from)
    };
    let given_back = tokio::time::timeout(std::time::Duration::from_secs(2), give_back).await;
    if !matches!(given_back, Ok(Ok(()))) {
        tracing::debug!(run = %run.number, "lease not given back");
    }
}

fn not_free(run: &StoredRun) -> Failure {
    match &run.lease {
        Some(lease) if lease.alive => Failure::usage(anyhow!("run {} is driven by {}", run.number, lease.owner))
            .hint(format!("its lease ends at {} unless it is renewed; try again then", lease.until)),
        _ => Failure::usage(anyhow!("run {} has ended, or somebody else has just taken it", run.number))
            .hint(format!("`turnus show {}`", run.number)),
    }
}

pub(super) async fn read_record(store: &Store, run: &StoredRun) -> Result<Vec<Recorded>, Failure> {
    let mut transaction = store.begin().await?;
    Ok(event::read_events(&mut transaction, run.id).await?)
}

/// Where the stored output of each step under way ends, so that nothing is asked for twice.
async fn read_stored_output(
    store: &Store,
    run: &StoredRun,
    record: &[Recorded],
) -> Result<BTreeMap<(HostIndex, StepIndex), u64>, Failure> {
    let state = Run::replay(run.plan.clone(), record).map_err(Failure::failed)?;
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

fn connect_fleet(around: &Surroundings<'_>, run: &StoredRun, epoch: Epoch) -> Result<Fleet, Failure> {
    let settings = ssh_settings(&around.settings.ssh, around.state_dir)?;
    let control = SshControl::open(settings).map_err(Failure::unreachable)?;
    let plan = Arc::new(run.plan.clone());
    let connections = connections(&plan);
    let connect = |location: &Location| {
        let connection = match location {
            Location::Host(name) => connections.get(name).map(|connection| (name, *connection)),
            Location::Controller => None,
        };
        Arc::new(match connection {
            Some((name, connection)) => {
                let name = format!("{}/{name}", run.plan.customer);
                Remote::Ssh(SshHost::new(control.clone(), &name, connection))
            }
            None => Remote::Local(local_host(around.state_dir)),
        })
    };
    Ok(Fleet::new(run.id, epoch, plan.clone(), connect))
}

fn connections(plan: &Plan) -> BTreeMap<&Name, &Connection> {
    plan.hosts.iter().chain(&plan.delegates).map(|host| (&host.name, &host.connection)).collect()
}

/// The first signal asks the run to stop; the second leaves at once.
async fn listen_to_signals(cancel: mpsc::Sender<String>, leave: CancellationToken) {
    let kinds =
        [(SignalKind::interrupt(), "Ctrl-C"), (SignalKind::terminate(), "SIGTERM"), (SignalKind::hangup(), "SIGHUP")];
    let (sender, mut signals) = mpsc::channel(4);
    for (kind, name) in kinds {
        let Ok(mut stream) = signal(kind) else { continue };
        let sender = sender.clone();
        tokio::spawn(async move { while stream.recv().await.is_some() && sender.send(name).await.is_ok() {} });
    }
    if let Some(name) = signals.recv().await {
        let _ = cancel.send(format!("{} ({name})", config::person())).await;
    }
    if signals.recv().await.is_some() {
        leave.cancel();
    }
}

async fn finish(
    around: &Surroundings<'_>,
    run: &StoredRun,
    driven: Result<End, Stopped>,
    format: Format,
) -> Result<Exit, Failure> {
    let end = match driven {
        Ok(end) => end,
        Err(Stopped::Left) => {
            say(&format!(
                "left run {0}; what is under way on hosts goes on\n\nhint: `turnus resume {0}` picks it up",
                run.number
            ));
            return Ok(Exit::Interrupted);
        }
        Err(stopped @ Stopped::Fenced) => return Err(Failure::failed(stopped)),
        Err(stopped @ Stopped::Store(_)) => {
            return Err(Failure::unreachable(stopped).hint(format!(
                "put the database right, then `turnus resume {}`: it finds on the hosts what was done meanwhile",
                run.number
            )));
        }
        Err(stopped @ Stopped::Illegal(_)) => return Err(Failure::failed(stopped)),
    };
    let stored = super::context::read_run(around.store, run.number.0).await?;
    let record = read_record(around.store, &stored).await?;
    let text = super::report::render(&stored, &record, format.into(), None)?;
    print(text.trim_end());
    if end == End::Suspended {
        say(&format!(
            "\nhint: `turnus resume {0}` looks at the unknown hosts again, `turnus cancel {0}` closes the run as it is",
            run.number
        ));
    }
    Ok(exit_of(end))
}

fn exit_of(end: End) -> Exit {
    match end {
        End::Finished(RunResult::Succeeded) => Exit::Done,
        End::Finished(RunResult::Cancelled) => Exit::Interrupted,
        End::Finished(RunResult::Failed) | End::Suspended => Exit::Failed,
    }
}
