//! Drives a stored run from a terminal: lease, signals, progress, report. Shared by `run`, `resume` and `demo`.

use std::time::Duration;

use anyhow::anyhow;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::Format;
use super::context::{Context, read_record};
use super::exit::{Exit, Failure};
use crate::app::console::{print, say};
use crate::app::controller::drive::{Controller, NotDriven, Seat};
use crate::app::controller::driver::{End, Stopped};
use crate::app::progress::Progress;
use crate::domain::id::Epoch;
use crate::domain::run::event::RunResult;
use crate::edge::config;
use crate::edge::store::Store;
use crate::edge::store::run::StoredRun;

/// How long a reader who has stopped reading is waited for when the run is left.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);

/// Everything that driving needs besides the run.
pub(super) struct Surroundings<'a> {
    pub(super) store: &'a Store,
    pub(super) context: &'a Context,
}

/// Drives `run` to its end, with the lease of `epoch` or one that is taken now, and prints its report.
pub(super) async fn drive(
    around: &Surroundings<'_>,
    run: &StoredRun,
    epoch: Option<Epoch>,
    format: Format,
) -> Result<Exit, Failure> {
    let controller = Controller::open(&around.context.catalog.settings.ssh, &around.context.state_dir)
        .map_err(Failure::unreachable)?;
    let epoch = match epoch {
        Some(epoch) => epoch,
        None => controller.take_lease(around.store, run.id).await?.ok_or_else(|| not_free(run))?,
    };
    let mut progress = if format == Format::Json { Progress::for_programs() } else { Progress::for_people() };
    progress.begin(run.number.0, run.id);
    let (sender, mut cancel) = mpsc::channel(4);
    if let Some(request) = &run.cancel_request {
        // The channel is fresh and has room.
        let _ = sender.send(request.by.clone()).await;
    }
    let leave = CancellationToken::new();
    tokio::spawn(listen_to_signals(sender, leave.clone()));
    let overdue = Duration::from_secs(around.context.catalog.settings.limits.overdue_s);
    let seat = Seat { progress: &mut progress, cancel: &mut cancel, leave: &leave, nudge: &Notify::new(), overdue };
    let driven = controller.drive(around.store, run, epoch, seat).await;
    show_the_rest(progress, &driven).await;
    finish(around, run, driven, format).await
}

/// Whoever leaves at once does not wait for a reader that has stopped reading.
async fn show_the_rest(progress: Progress, driven: &Result<End, NotDriven>) {
    let shown = progress.finish();
    match driven {
        Err(NotDriven::Stopped(Stopped::Left)) => drop(tokio::time::timeout(LEAVE_LIMIT, shown).await),
        _ => shown.await,
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
    driven: Result<End, NotDriven>,
    format: Format,
) -> Result<Exit, Failure> {
    let end = match driven {
        Ok(end) => end,
        Err(NotDriven::Stopped(Stopped::Left)) => {
            say(&format!(
                "left run {0}; what is under way on hosts goes on\n\nhint: `turnus resume {0}` picks it up",
                run.number
            ));
            return Ok(Exit::Interrupted);
        }
        Err(stopped @ NotDriven::Stopped(Stopped::Store(_))) => {
            return Err(Failure::unreachable(stopped).hint(format!(
                "put the database right, then `turnus resume {}`: it finds on the hosts what was done meanwhile",
                run.number
            )));
        }
        Err(NotDriven::Unread(error)) => return Err(error.into()),
        Err(stopped) => return Err(Failure::failed(stopped)),
    };
    let stored = super::context::read_run(around.store, run.number.0).await?;
    let record = read_record(around.store, &stored).await?;
    let told = super::report::Told { stored: &stored, record: &record, answer: None };
    let beside = super::report::Around::read(around.store, &stored).await?;
    let text = super::report::render(&around.context.texts()?, &told, beside, (format.into(), None))?;
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
