//! A database of its own for each test, on one private cluster that all test processes share: its data stay in `target/tmp`, its
//! server stops with the last test that uses it.

#![expect(clippy::expect_used, reason = "a test may fail by panic")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection, PgConnection};
use turnus::edge::store::cluster::Cluster;
use turnus::edge::store::error::Error;
use turnus::edge::store::{Store, Target};

use super::template::template;

/// What is in a new database.
enum Content {
    Nothing,
    Schema,
}

/// A new database. To be closed; after a panic the next test removes it.
pub(crate) struct Database {
    cluster: Cluster,
    name: String,
}

impl Database {
    /// With the schema.
    pub(crate) async fn open() -> Self {
        Self::open_from(Content::Schema).await
    }

    /// With nothing at all.
    pub(crate) async fn open_empty() -> Self {
        Self::open_from(Content::Nothing).await
    }

    async fn open_from(content: Content) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let cluster = open_shared_cluster().await;
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut server = cluster.connect_options().connect().await.expect("the shared server answers");
        do_without_syncing(&mut server).await;
        drop_leftovers(&mut server).await;
        let like = match content {
            Content::Nothing => String::new(),
            Content::Schema => format!(" template {}", template(&cluster, &mut server).await),
        };
        execute(&mut server, format!("create database {name}{like}")).await;
        server.close().await.expect("the server lets go");
        Self { cluster, name }
    }

    /// A server of its own, which the test may stop and start.
    pub(crate) async fn open_alone(state_dir: &Path) -> Self {
        let cluster = Cluster::open(state_dir).await.expect("a server of its own starts");
        Self { cluster, name: "turnus".to_owned() }
    }

    /// Stops a server of one's own at once, as a crash would, and starts it again.
    pub(crate) async fn crash_and_restart(&self) {
        let pid_file = self.cluster.directory().join("data/postmaster.pid");
        let text = std::fs::read_to_string(pid_file).expect("it runs");
        let pid: u32 = text.lines().next().and_then(|line| line.trim().parse().ok()).expect("a pid");
        super::world::kill(pid, nix::sys::signal::Signal::SIGQUIT);
        wait_until("the server is gone", || !Path::new(&format!("/proc/{pid}")).exists()).await;
        self.cluster.ensure_running().await.expect("it starts again");
    }

    pub(crate) fn url(&self) -> String {
        self.cluster.connect_options().database(&self.name).to_url_lossy().to_string()
    }

    pub(crate) async fn store(&self) -> Store {
        Store::open(Target::Url(self.url())).await.expect("an empty database takes the schema")
    }

    /// A connection beside any store.
    pub(crate) async fn connect(&self) -> PgConnection {
        self.cluster.connect_options().database(&self.name).connect().await.expect("the shared server answers")
    }

    pub(crate) async fn close(self) {
        if self.name == "turnus" {
            return self.cluster.leave().await.expect("the cluster can be left");
        }
        let mut server = self.cluster.connect_options().connect().await.expect("the shared server answers");
        execute(&mut server, format!("drop database {} with (force)", self.name)).await;
        server.close().await.expect("the server lets go");
        self.cluster.leave().await.expect("the cluster can be left");
    }
}

/// Runs any SQL, several statements as well.
pub(crate) async fn execute(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.expect("the statement is right");
}

/// A new state directory that the account of Postgres can reach if the tests run as root.
pub(crate) fn make_state_dir() -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("turnus-test-").permissions(Permissions::from_mode(0o755));
    builder.tempdir_in("/tmp").expect("/tmp is writable")
}

/// Waits until `reached`, or fails.
pub(crate) async fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !reached() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn open_shared_cluster() -> Cluster {
    let beside_build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("database");
    match Cluster::open(&beside_build).await {
        // A clone in root's home: the account of Postgres can't get there.
        Err(Error::DirectoryOutOfReach { .. }) => {
            let elsewhere = PathBuf::from("/var/tmp/turnus-test");
            Cluster::open(&elsewhere).await.expect("the shared cluster starts")
        }
        opened => opened.expect("the shared cluster starts"),
    }
}

/// Waiting for disks was most of what the tests did, and no test lets the shared server's machine crash. What crashes has a server of
/// its own, which syncs as users' do.
async fn do_without_syncing(server: &mut PgConnection) {
    let syncs: String =
        sqlx::query_scalar("select current_setting('fsync')").fetch_one(&mut *server).await.expect("a setting");
    if syncs == "on" {
        for statement in ["alter system set fsync = off", "select pg_reload_conf()"] {
            execute(server, statement.to_owned()).await;
        }
    }
}

async fn drop_leftovers(server: &mut PgConnection) {
    let names: Vec<String> = sqlx::query_scalar("select datname from pg_database where datname like 'test\\_%'")
        .fetch_all(&mut *server)
        .await
        .expect("databases can be listed");
    for name in names {
        let alive = name.split('_').nth(1).is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !alive {
            // Another test may do the same at this moment.
            let _ = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("drop database if exists {name} with (force)")))
                .execute(&mut *server)
                .await;
        }
    }
}
