//! The private Postgres cluster of one state directory: what turnus uses if no URL of a database is configured.
//!
//! Several turnus processes share it. Each holds a shared lock on `users.lock` while it uses the cluster; who starts or stops the
//! server holds `start.lock` alone. The last one to leave finds `users.lock` free and stops the server. Locks end with their
//! process, so a server that outlives a killed turnus is adopted by the next one, and stopped by it.
//!
//! Layout, in `<state>/postgres`: `data` and `run` (the socket) belong to the account that runs Postgres and are closed to others;
//! locks and log stay ours, so that turnus as root never opens a file that the account could have planted.
//!
//! Knows files, locks, processes and the one database `turnus`; does not know its tables.
//! Invariants: no server is started or signalled without `start.lock`; no server is signalled that does not listen on our socket.

mod binaries;
mod directory;
mod server;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

pub use self::binaries::Binaries;
use self::directory::Directory;
pub use self::directory::SERVER_LOG;
use self::server::{Probe, probe};
use super::error::Error;

/// The one database in the cluster, and the role that owns everything.
const DATABASE: &str = "turnus";
/// Part of the socket's name only: the server does not listen on the network.
const PORT: u16 = 5432;
/// Others start within a second, or recover after a crash; longer than that is a case for a person.
const LOCK_LIMIT: Duration = Duration::from_secs(90);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A running private cluster, and our right to use it.
#[derive(Debug)]
pub struct Cluster {
    directory: Directory,
    binaries: Binaries,
    socket_dir: PathBuf,
    /// Holds the shared lock; `None` once left.
    users: Option<File>,
}

/// What there is in a state directory, for `turnus doctor`. Nothing is started or made.
#[derive(Debug)]
pub struct ClusterFacts {
    /// Where the cluster lies or would lie.
    pub directory: PathBuf,
    /// The programs that would serve it, or why none can.
    pub binaries: Result<Binaries, Error>,
    /// The account that runs Postgres if turnus is root.
    pub account: Option<String>,
    /// Major version of the data; `None` if there is none yet.
    pub data_major: Option<u32>,
    /// Whether a server listens.
    pub running: bool,
}

impl Cluster {
    /// Joins the users of the cluster of `state_dir`; makes and starts it if need be.
    ///
    /// # Errors
    /// If Postgres is missing or of another major version than the data, if the directory can't be used, or if the server does
    /// not start.
    pub async fn open(state_dir: &Path) -> Result<Self, Error> {
        let directory = Directory::prepare(state_dir)?;
        let binaries = binaries::find(&directory.data(), directory.data_major()?).await?;
        binaries.check_reach(&directory).await?;
        let starting = lock_alone(&directory).await?;
        let users = directory.open_lock("users.lock")?;
        // Nobody waits here: who wants it alone holds `start.lock`.
        users.lock_shared().map_err(|source| directory.unusable("users.lock", source))?;
        let socket_dir = directory.prepare_socket_dir()?;
        let cluster = Self { directory, binaries, socket_dir, users: Some(users) };
        let started = cluster.make_and_start().await;
        // Before an error drops the cluster, which then needs this lock.
        drop(starting);
        started.map(|()| cluster)
    }

    /// What there is for `state_dir`.
    ///
    /// # Errors
    /// If the directory can't be looked into.
    pub async fn inspect(state_dir: &Path) -> Result<ClusterFacts, Error> {
        let directory = Directory::find(state_dir)?;
        let data_major = directory.data_major()?;
        let binaries = binaries::find(&directory.data(), data_major).await;
        let running = directory.known_socket_dir().is_some_and(|socket_dir| server::listens(&socket_dir));
        let account = directory.account_name();
        Ok(ClusterFacts { binaries, account, data_major, running, directory: directory.into_path() })
    }

    /// Starts the server again if it stands still; one short connection if it runs.
    ///
    /// # Errors
    /// If it does not start. May be called again later.
    pub async fn ensure_running(&self) -> Result<(), Error> {
        if matches!(probe(&self.connect_options()).await?, Probe::Ready) {
            return Ok(());
        }
        let _starting = lock_alone(&self.directory).await?;
        self.directory.restore_socket_dir(&self.socket_dir)?;
        self.start().await
    }

    /// How to connect: by socket, as the role that owns everything.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(PORT)
            .username(DATABASE)
            .database(DATABASE)
            .ssl_mode(PgSslMode::Disable)
    }

    /// Where the cluster lies.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Leaves the cluster; if nobody else uses it, stops the server and waits for its end.
    ///
    /// # Errors
    /// If the server does not stop within a minute.
    pub async fn leave(mut self) -> Result<(), Error> {
        let _stopping = lock_alone(&self.directory).await?;
        if self.give_up_use() && self.ask_to_stop() {
            server::wait_for_end(&self.directory, STOP_LIMIT).await?;
            self.directory.remove_short_socket_dir(&self.socket_dir);
        }
        Ok(())
    }

    /// Whether nobody uses the cluster any more. Needs `start.lock`.
    fn give_up_use(&mut self) -> bool {
        self.users.take().is_some_and(|users| users.unlock().is_ok() && users.try_lock().is_ok())
    }

    /// Fast shutdown, if it runs. What listens on our socket is our server, so the process in its file is the right one.
    fn ask_to_stop(&self) -> bool {
        server::listens(&self.socket_dir)
            && self.directory.server_pid().is_some_and(|pid| kill(pid, Signal::SIGINT).is_ok())
    }

    async fn make_and_start(&self) -> Result<(), Error> {
        if !self.directory.data().exists() {
            server::make_data(&self.directory, &self.binaries).await?;
        }
        self.start().await
    }

    async fn start(&self) -> Result<(), Error> {
        server::start(&self.directory, &self.binaries, &self.socket_dir, &self.connect_options()).await
    }
}

impl Drop for Cluster {
    /// Without [`Cluster::leave`] (an error, a panic): asks the server to stop if nobody else uses it, and does not wait.
    /// If somebody is starting or stopping at this moment, the server is theirs.
    fn drop(&mut self) {
        if self.users.is_none() {
            return;
        }
        let Ok(stopping) = self.directory.open_lock("start.lock") else { return };
        if stopping.try_lock().is_ok() && self.give_up_use() {
            self.ask_to_stop();
        }
    }
}

/// Holds `start.lock` until dropped.
async fn lock_alone(directory: &Directory) -> Result<File, Error> {
    let lock = directory.open_lock("start.lock")?;
    let mut pause = server::Pause::new(LOCK_LIMIT);
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(source)) => return Err(directory.unusable("start.lock", source)),
            Err(TryLockError::WouldBlock) => {
                pause.wait(directory, "being started or stopped by another turnus").await?
            }
        }
    }
}
