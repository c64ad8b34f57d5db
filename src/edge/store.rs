//! The record in Postgres: a pool of connections, the embedded migrations, and one module of functions per aggregate.
//!
//! Knows SQL and the private cluster; does not know what a run will do next. No transaction opened here may stay open across
//! SSH, SMTP or HTTP. Functions take `&mut PgConnection`, so that the caller owns the transaction; they speak domain types.
//!
//! Invariant: a connection handed out is not inside somebody else's transaction.

pub mod answer;
pub mod applied;
pub mod audit;
pub mod capacity;
pub mod cluster;
pub mod controller;
pub mod error;
pub mod estimate;
pub mod event;
pub mod health;
pub mod lease;
pub mod limit;
pub mod link;
pub mod listen;
pub mod log;
pub mod notification;
pub mod occurrence;
pub mod period;
pub mod record;
pub mod review;
pub mod revision;
pub mod run;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool, Postgres, Transaction};

use self::cluster::Cluster;
use self::error::Error;

/// What all functions here are called with: a connection, or a transaction of [`Store::begin`].
pub type DatabaseConnection = PgConnection;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Enough for a driver that writes, a heartbeat and a reader: all writes of a run go through one transaction at a time.
pub const CONNECTIONS: u32 = 5;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Limits that the server enforces: a future that is dropped does not end its statement.
const SERVER_LIMITS: [(&str, &str); 3] =
    [("statement_timeout", "30s"), ("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "60s")];

/// Which database.
#[derive(Debug, Clone)]
pub enum Target {
    /// The private cluster below this state directory, started on demand.
    Private {
        /// The state directory; the cluster lives in `postgres` below it.
        state_dir: PathBuf,
    },
    /// A server that somebody else runs (`postgres://…`).
    Url(String),
}

/// An open database with the schema of this version.
#[derive(Debug)]
pub struct Store {
    /// Replaced as a whole by [`Store::reconnect`].
    pool: RwLock<PgPool>,
    /// When it was replaced last.
    replaced: Mutex<Option<Instant>>,
    options: PgConnectOptions,
    /// At most so many at a time.
    connections: u32,
    cluster: Option<Cluster>,
}

impl Store {
    /// Opens the database for one run at a time, with [`CONNECTIONS`].
    ///
    /// # Errors
    /// See [`Store::open_wide`].
    pub async fn open(target: Target) -> Result<Self, Error> {
        Self::open_wide(target, CONNECTIONS).await
    }

    /// Opens the database with up to `connections`, starts the private cluster if that is the target, and brings the schema up to date.
    ///
    /// # Errors
    /// If the database can't be started or reached, or holds a schema that this version can't use.
    pub async fn open_wide(target: Target, connections: u32) -> Result<Self, Error> {
        match target {
            Target::Url(url) => {
                let options = PgConnectOptions::from_str(&url).map_err(|source| Error::BadUrl { source })?;
                Self::open_with(options, connections, None).await
            }
            Target::Private { state_dir } => Self::open_private(&state_dir, connections).await,
        }
    }

    async fn open_private(state_dir: &Path, connections: u32) -> Result<Self, Error> {
        let cluster = Cluster::open(state_dir).await?;
        // If the schema is refused, the cluster is dropped with the error, and stops if nobody else uses it.
        Self::open_with(cluster.connect_options(), connections, Some(cluster)).await
    }

    async fn open_with(options: PgConnectOptions, connections: u32, cluster: Option<Cluster>) -> Result<Self, Error> {
        let options = options.application_name("turnus").options(SERVER_LIMITS);
        migrate(&options).await?;
        let pool = RwLock::new(build_pool(&options, connections));
        Ok(Self { pool, replaced: Mutex::default(), options, connections, cluster })
    }

    /// The pool as it is now. Don't keep it: [`Store::reconnect`] replaces it.
    ///
    /// A future that waits in `pool.begin()` must not be dropped (see [`Store::begin`]).
    #[must_use]
    pub fn pool(&self) -> PgPool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a transaction.
    ///
    /// Safe to drop while it waits, unlike `pool.begin()` of sqlx 0.9.0, which then leaves a connection inside a transaction:
    /// the next borrower's writes would be reported as done and rolled back. So it runs to its end in a task of its own.
    ///
    /// # Errors
    /// If no connection can be had within ten seconds.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, Error> {
        let pool = self.pool();
        match tokio::spawn(async move { pool.begin().await }).await {
            Ok(begun) => begun.map_err(Error::from),
            Err(stopped) => Err(Error::from(sqlx::Error::Io(std::io::Error::other(stopped)))),
        }
    }

    /// Makes the database usable again after [`error::Kind::Unreachable`]: starts the private cluster if it stands still, and drops all
    /// connections, because a pool may hold some that are dead or lead to a server that has become read-only.
    ///
    /// # Errors
    /// If the private cluster can't be started. For a server that somebody else runs, the next use tells.
    pub async fn reconnect(&self) -> Result<(), Error> {
        self.reconnect_since(Instant::now()).await
    }

    /// The same for one of many who use the database at the same time: what was made anew since this caller began at `used`, with what
    /// then failed, is left to those who use it already.
    ///
    /// # Errors
    /// See [`Store::reconnect`].
    pub async fn reconnect_since(&self, used: Instant) -> Result<(), Error> {
        if let Some(cluster) = &self.cluster {
            cluster.ensure_running().await?;
        }
        if !self.is_older_than(used) {
            return Ok(());
        }
        let fresh = build_pool(&self.options, self.connections);
        let old = std::mem::replace(&mut *self.pool.write().unwrap_or_else(PoisonError::into_inner), fresh);
        // Marks the old pool as closed at once; waiting for connections that hang is of no use.
        drop(old.close());
        Ok(())
    }

    /// Whether the pool was there at `used`; then it counts as replaced from now on.
    fn is_older_than(&self, used: Instant) -> bool {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        if replaced.is_some_and(|at| at > used) {
            return false;
        }
        *replaced = Some(Instant::now());
        true
    }

    /// The private cluster, if that is the target.
    #[must_use]
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Closes the connections and leaves the private cluster, which stops if nobody else uses it.
    ///
    /// # Errors
    /// If the private cluster can't be stopped.
    pub async fn close(self) -> Result<(), Error> {
        let pool = self.pool();
        // A connection that hangs is cut off when the server stops, or by the server's own limits.
        let _ = tokio::time::timeout(Duration::from_secs(2), pool.close()).await;
        match self.cluster {
            Some(cluster) => cluster.leave().await,
            None => Ok(()),
        }
    }
}

/// The clock by which everything about occurrences is decided, on all machines alike.
///
/// # Errors
/// If the database can't be used.
pub async fn database_now(connection: &mut PgConnection) -> Result<Timestamp, Error> {
    let now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!: jiff_sqlx::Timestamp""#);
    Ok(now.fetch_one(connection).await?.to_jiff())
}

fn build_pool(options: &PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // The roundtrip of `end_foreign_transaction` is test enough.
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(end_foreign_transaction(connection)))
        .connect_lazy_with(options.clone())
}

/// Ends whatever a borrower before left open. `begin` first, because a bare `rollback` outside of a transaction is a warning in
/// the server's log, each time.
async fn end_foreign_transaction(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::raw_sql("begin; rollback").execute(connection).await?;
    Ok(true)
}

/// On a connection of its own: a failed migration keeps its advisory lock until the connection ends.
async fn migrate(options: &PgConnectOptions) -> Result<(), Error> {
    let connecting = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect());
    let mut connection = connecting.await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    // A migration takes as long as it takes; waiting for another process that migrates has its limit.
    connection.execute("set statement_timeout = 0").await?;
    let outcome = MIGRATIONS.run(&mut connection).await;
    // The outcome is what counts; the server notices by itself that the connection is gone.
    let _ = connection.close().await;
    outcome.map_err(|refused| match refused {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => Error::from_migration(source),
        MigrateError::VersionMissing(version) => Error::NewerSchema { version },
        source => Error::ForeignSchema { source: Box::new(source) },
    })
}
