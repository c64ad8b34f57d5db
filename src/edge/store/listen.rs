//! Hints that something is to do: Postgres LISTEN. They only shorten a wait; whoever misses one finds out at the next tick.
//!
//! Invariant: after a time in which hints may have been lost, there is a [`Wake::Anew`].

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgNotification};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Store;
use crate::domain::id::RunId;

/// Runs that were created for whoever takes them, or that somebody wants to stop.
const RUN: &str = "turnus_run";
/// Another catalog was applied.
const CALENDAR: &str = "turnus_calendar";
/// There are messages to be sent.
const OUTBOX: &str = "turnus_outbox";

/// How many hints may wait here for a listener that is busy.
const WAITING: usize = 64;

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something was done to this run from elsewhere.
    Run(RunId),
    /// Another catalog was applied.
    Calendar,
    /// There are messages to be sent.
    Outbox,
    /// The connection is new: anything may have happened before.
    Anew,
}

/// Listens for as long as it lives, over a connection of its own that it renews whenever it is lost.
#[derive(Debug)]
pub struct Listener {
    wakes: mpsc::Receiver<Wake>,
    task: AbortHandle,
}

impl Listener {
    /// Begins to listen. A database that can't be reached is waited for.
    #[must_use]
    pub fn open(store: &Store) -> Self {
        let (sender, wakes) = mpsc::channel(WAITING);
        let pool = super::build_pool(&store.options, 1);
        let task = tokio::spawn(listen(pool, sender)).abort_handle();
        Self { wakes, task }
    }

    /// Waits for the next hint; the first is always [`Wake::Anew`]. May be dropped while it waits without losing any.
    pub async fn next(&mut self) -> Wake {
        match self.wakes.recv().await {
            Some(wake) => wake,
            // The task ends with the listener only.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(pool: PgPool, wakes: mpsc::Sender<Wake>) {
    const FIRST_PAUSE: Duration = Duration::from_millis(100);
    const LONGEST_PAUSE: Duration = Duration::from_secs(5);
    let mut pause = FIRST_PAUSE;
    loop {
        match listen_once(&pool, &wakes, &mut pause, FIRST_PAUSE).await {
            Ok(()) => tracing::debug!("connection for hints lost"),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "no connection for hints"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Until the connection is lost.
async fn listen_once(
    pool: &PgPool,
    wakes: &mpsc::Sender<Wake>,
    pause: &mut Duration,
    first_pause: Duration,
) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen_all([RUN, CALENDAR, OUTBOX]).await?;
    *pause = first_pause;
    send(wakes, Wake::Anew).await;
    while let Some(notification) = listener.try_recv().await? {
        send(wakes, read(&notification)).await;
    }
    Ok(())
}

/// Waits for room: what else arrives waits in the connection. It fails when the listener is dropped, and this task with it.
async fn send(wakes: &mpsc::Sender<Wake>, wake: Wake) {
    let _ = wakes.send(wake).await;
}

fn read(notification: &PgNotification) -> Wake {
    match notification.channel() {
        CALENDAR => Wake::Calendar,
        OUTBOX => Wake::Outbox,
        _ => notification.payload().parse().map_or(Wake::Anew, |run| Wake::Run(RunId(run))),
    }
}
