//! The drivers of this process: one task for each run that it has the lease of.
//!
//! Invariant: a driver that panics or fails takes nothing with it; its run is taken over when its lease has lapsed, by anybody.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use futures_util::FutureExt;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Daemon, applied};
use crate::app::controller::drive::{NotDriven, Seat};
use crate::app::controller::driver::{End, Stopped};
use crate::app::progress::Progress;
use crate::domain::id::{Epoch, RunId};
use crate::domain::settings::Settings;
use crate::edge::store::run::{RunNumber, StoredRun, find_run};

/// A run that could not be driven is tried again after so long, and longer each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// A run to be driven, with the lease that this controller has on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Duty {
    pub(super) run: RunId,
    pub(super) number: RunNumber,
    pub(super) epoch: Epoch,
    /// Whether nobody drove it for so long that what is still to come of it would come too late.
    pub(super) standing: Standing,
}

/// Whether a run still has its time when it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It goes on.
    InTime,
    /// Nobody drove it for too long: it is brought to an end.
    TooLate(Late),
}

/// Why a run comes too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// Its window has closed, and nobody drove it for minutes.
    WindowClosed,
    /// It was handed to the daemons, and none took it in time.
    NeverBegun,
    /// It has no window, and whoever drove it is gone since minutes.
    Left,
}

impl Late {
    /// Who ends the run, and why: it stands in the record in place of a person.
    fn cause(self) -> String {
        let cause = match self {
            Self::WindowClosed => "nobody drove the run for more than 5 minutes, and its window has closed",
            Self::NeverBegun => "nobody began the run within 10 minutes",
            Self::Left => "nobody drove the run for more than 10 minutes",
        };
        format!("turnus: {cause}")
    }
}

/// All drivers.
#[derive(Debug, Default)]
pub(super) struct Crew {
    tracker: TaskTracker,
    leave: CancellationToken,
    at_work: Mutex<BTreeMap<RunId, Arc<Notify>>>,
    failed: Mutex<BTreeMap<RunId, Failed>>,
    /// Tasks that drive no run.
    aside: TaskTracker,
    /// The pass that sends messages.
    post: TaskTracker,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    at: Instant,
    pause: Duration,
}

impl Crew {
    fn at_work(&self) -> MutexGuard<'_, BTreeMap<RunId, Arc<Notify>>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self) -> MutexGuard<'_, BTreeMap<RunId, Failed>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing new is to be begun here.
    pub(super) fn is_leaving(&self) -> bool {
        self.leave.is_cancelled()
    }

    /// Whether this process drives the run, or should leave it alone for a while.
    pub(super) fn passes_over(&self, run: RunId) -> bool {
        let rests = self.failed().get(&run).is_some_and(|failed| failed.at.elapsed() < failed.pause);
        rests || self.at_work().contains_key(&run)
    }

    /// Lets the driver of this run look at what others wish of it. `false`: it is not driven here.
    pub(super) fn nudge(&self, run: RunId) -> bool {
        let at_work = self.at_work();
        let nudge = at_work.get(&run);
        nudge.inspect(|nudge| nudge.notify_one()).is_some()
    }

    /// The same for all.
    pub(super) fn nudge_all(&self) {
        self.at_work().values().for_each(|nudge| nudge.notify_one());
    }

    /// For tasks that end themselves when this process leaves.
    pub(super) fn leaving(&self) -> CancellationToken {
        self.leave.clone()
    }

    /// How many more tasks beside the drivers there may be, of `most`.
    pub(super) fn room_aside(&self, most: usize) -> usize {
        most.saturating_sub(self.aside.len())
    }

    /// A task beside the drivers; a panic takes nothing with it. It must end when this process leaves, which waits for it.
    pub(super) fn spawn_aside(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.aside.spawn(task);
    }

    /// Whether messages are being sent.
    pub(super) fn is_posting(&self) -> bool {
        !self.post.is_empty()
    }

    /// A task that sends messages, as [`Self::spawn_aside`].
    pub(super) fn spawn_post(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.post.spawn(task);
    }

    /// Waits until there is no task beside the drivers.
    pub(super) async fn settle_aside(&self) {
        while !self.aside.is_empty() || !self.post.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// From now on nothing new is begun here.
    pub(super) fn begin_leaving(&self) {
        self.leave.cancel();
    }

    /// Lets all drivers leave their runs as they stand, and waits until they have given back their leases.
    pub(super) async fn leave(&self) {
        self.leave.cancel();
        self.tracker.close();
        self.aside.close();
        self.post.close();
        tokio::join!(self.tracker.wait(), self.aside.wait(), self.post.wait());
    }

    fn note(&self, run: RunId, is_driven: Result<(), ()>) {
        self.at_work().remove(&run);
        let mut failed = self.failed();
        match is_driven {
            Ok(()) => {
                failed.remove(&run);
            }
            Err(()) => {
                let pause = failed.get(&run).map_or(FIRST_PAUSE, |failed| (failed.pause * 2).min(LONGEST_PAUSE));
                failed.insert(run, Failed { at: Instant::now(), pause });
            }
        }
    }
}

/// Drives a run in a task of its own.
pub(super) fn spawn(daemon: &Arc<Daemon>, duty: Duty) {
    let daemon = daemon.clone();
    let nudge = Arc::new(Notify::new());
    daemon.crew.at_work().insert(duty.run, nudge.clone());
    daemon.clone().crew.tracker.spawn(async move {
        let driven = AssertUnwindSafe(drive(&daemon, duty, &nudge)).catch_unwind().await;
        let driven = driven.unwrap_or_else(|_| Err(anyhow!("the driver panicked")));
        if let Err(error) = &driven {
            tracing::error!(run_number = duty.number.0, error = format!("{error:#}"), "run not driven to its end");
        }
        daemon.crew.note(duty.run, driven.map_err(drop));
    });
}

async fn drive(daemon: &Daemon, duty: Duty, nudge: &Notify) -> anyhow::Result<()> {
    let run = read_run(daemon, duty.number).await?;
    let (sender, mut cancel) = mpsc::channel(2);
    let wish = run.cancel_request.as_ref().map(|request| request.by.clone());
    let too_late = match duty.standing {
        Standing::InTime => None,
        Standing::TooLate(late) => Some(late.cause()),
    };
    if let Some(by) = wish.or(too_late) {
        // The channel is fresh and has room.
        let _ = sender.send(by).await;
    }
    let settings = applied::read_settings(daemon).await.unwrap_or_else(|error| {
        tracing::warn!(error = format!("{error:#}"), "going on with default limits");
        Settings::default()
    });
    let mut progress = Progress::for_log(run.number.0);
    let seat = Seat {
        progress: &mut progress,
        cancel: &mut cancel,
        leave: &daemon.crew.leave,
        nudge,
        overdue: Duration::from_secs(settings.limits.overdue_s),
    };
    let customer = run.plan.customer.as_str();
    tracing::info!(run_number = run.number.0, customer, job = run.plan.job.as_str(), epoch = duty.epoch.0, "driving");
    let driven = daemon.controller.drive(&daemon.store, &run, duty.epoch, seat).await;
    // Dropped only now: a closed channel is no wish to stop.
    drop(sender);
    match driven {
        Ok(End::Finished(_)) => Ok(()),
        Ok(End::Suspended) => {
            tracing::warn!(run_number = run.number.0, customer, "suspended: a person has to resume or cancel it");
            Ok(())
        }
        Err(NotDriven::Stopped(Stopped::Left)) => {
            tracing::info!(run_number = run.number.0, customer, "left; what is under way on hosts goes on");
            Ok(())
        }
        Err(NotDriven::Stopped(Stopped::Fenced)) => {
            tracing::warn!(run_number = run.number.0, customer, "another controller has taken over");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn read_run(daemon: &Daemon, number: RunNumber) -> anyhow::Result<StoredRun> {
    let mut transaction = daemon.store.begin().await?;
    find_run(&mut transaction, number).await?.ok_or_else(|| anyhow!("there is no run {number}"))
}
