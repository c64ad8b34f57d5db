//! The life of a daemon: ticks by the clock and on hints, until it is asked to stop.
//!
//! Invariant: whoever is told to stop begins nothing more, and leaves no lease behind that others would have to wait for.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Daemon;
use super::schedule::Schedule;
use super::tick::{Tick, run};
use crate::edge::store::controller::forget_controller;
use crate::edge::store::listen::{Listener, Wake};

/// How often the schedule and the watchdog are looked at.
const WATCH: Duration = Duration::from_secs(1);
/// Drivers that have not left by then are left behind; their leases lapse.
const LEAVE_LIMIT: Duration = Duration::from_secs(15);
/// Ticks that are still at work by then are left to themselves.
const HALT_LIMIT: Duration = Duration::from_secs(8);
/// Each tick comes to an end within this time, even if all it does is fail: the rarest has its turn once a minute, and a limit.
const ALIVE: Duration = Duration::from_secs(150);

/// Serves until `stop` is cancelled; `now` ends the waiting for what is left then.
///
/// # Errors
/// If the ticks can't be scheduled.
pub async fn serve(daemon: Arc<Daemon>, stop: &CancellationToken, now: &CancellationToken) -> anyhow::Result<()> {
    // Others, and `turnus run --detach`, know of this daemon before systemd says that it is up.
    run(&daemon, Tick::Housekeeping).await;
    let began = Instant::now();
    let mut schedule = Schedule::start(&daemon).await.context("the ticks can't be scheduled")?;
    tracing::info!(controller = daemon.name(), version = env!("CARGO_PKG_VERSION"), "serving");
    tell_systemd(&[NotifyState::Ready]);
    let hints = tokio::spawn(follow_hints(daemon.clone()));
    let mut watch = tokio::time::interval(WATCH);
    watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = watch.tick() => {}
        }
        schedule = schedule.watch(&daemon).await.context("the ticks can't be scheduled anew")?;
        // Not whether they succeed: to be killed for a database that is away, or one odd row, would help nobody.
        if daemon.pulse.is_beating(began, ALIVE) {
            tell_systemd(&[NotifyState::Watchdog]);
        }
    }
    tracing::info!("stopping: nothing more is begun, runs are left to others");
    tell_systemd(&[NotifyState::Stopping]);
    daemon.crew.begin_leaving();
    schedule.stop().await;
    // An opening that is being committed has its lease given back, and nobody reports this daemon after its goodbye.
    let halted = tokio::select! {
        halted = tokio::time::timeout(HALT_LIMIT, daemon.pulse.halt()) => halted.ok(),
        () = now.cancelled() => None,
    };
    if halted.is_none() {
        tracing::warn!("a tick is still at work");
    }
    hints.abort();
    tokio::select! {
        left = tokio::time::timeout(LEAVE_LIMIT, daemon.crew.leave()) => {
            if left.is_err() {
                tracing::warn!("some runs could not be left in order; others take them over when their leases have lapsed");
            }
        }
        () = now.cancelled() => tracing::warn!("not waiting for runs to be left in order"),
    }
    say_goodbye(&daemon).await;
    tracing::info!("stopped");
    Ok(())
}

/// Others need not find out by silence.
async fn say_goodbye(daemon: &Daemon) {
    let goodbye = async {
        let mut transaction = daemon.store.begin().await?;
        forget_controller(&mut transaction, daemon.name()).await?;
        anyhow::Ok(transaction.commit().await?)
    };
    if !matches!(tokio::time::timeout(Duration::from_secs(2), goodbye).await, Ok(Ok(()))) {
        tracing::debug!("the table of controllers still names this one");
    }
}

async fn follow_hints(daemon: Arc<Daemon>) {
    let mut listener = Listener::open(&daemon.store);
    loop {
        match listener.next().await {
            Wake::Run(id) if daemon.crew.nudge(id) => {}
            Wake::Run(_) => run(&daemon, Tick::Recover).await,
            Wake::Calendar => {
                run(&daemon, Tick::Materialise).await;
                run(&daemon, Tick::Announce).await;
            }
            Wake::Outbox => run(&daemon, Tick::Post).await,
            // Whatever may have been missed.
            Wake::Anew => {
                daemon.crew.nudge_all();
                for tick in Tick::ALL {
                    run(&daemon, tick).await;
                }
            }
        }
    }
}

/// Does nothing where systemd has not started this process.
fn tell_systemd(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd not told");
    }
}
