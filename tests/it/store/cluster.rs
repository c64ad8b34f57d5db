//! The private cluster: made, shared, stopped by the last, recovered after any kill.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use turnus::domain::plan::{HostIndex, StepIndex};
use turnus::edge::store::cluster::Cluster;
use turnus::edge::store::error::{Error, Kind};
use turnus::edge::store::log::LogChunk;
use turnus::edge::store::record::Batch;
use turnus::edge::store::{Store, Target};

use super::process::User;
use super::{create, step_started, take, write};
use crate::kit::database::{make_state_dir, wait_until};

async fn open(state_dir: &Path) -> Store {
    Store::open(Target::Private { state_dir: state_dir.to_owned() }).await.expect("the private cluster opens")
}

fn data(state_dir: &Path) -> PathBuf {
    state_dir.join("postgres/data")
}

/// By the server's own file, which it removes at its orderly end.
fn server_pid(state_dir: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data(state_dir).join("postmaster.pid")).ok()?;
    text.lines().next()?.parse().ok().map(Pid::from_raw)
}

/// All processes of the server: those that work in its data directory.
fn server_processes(state_dir: &Path) -> Vec<Pid> {
    let data = data(state_dir).canonicalize().expect("the data are there");
    let processes = fs::read_dir("/proc").expect("this is Linux").flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        (fs::read_link(entry.path().join("cwd")).ok()? == data).then(|| Pid::from_raw(pid))
    });
    processes.collect()
}

async fn ask(store: &Store, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(&store.pool()).await.expect("the server answers")
}

#[tokio::test]
async fn the_server_is_private_and_leaves_nothing_running() {
    let state = make_state_dir();
    let store = open(state.path()).await;
    assert_eq!(ask(&store, "select current_setting('listen_addresses')").await, "");
    assert_eq!(ask(&store, "select current_setting('TimeZone')").await, "UTC");
    assert_eq!(ask(&store, "select current_setting('data_checksums')").await, "on");
    assert_eq!(ask(&store, "select current_setting('fsync')").await, "on");
    assert_eq!(ask(&store, "select current_setting('server_encoding')").await, "UTF8");
    for closed in ["data", "run"] {
        let found = fs::metadata(state.path().join("postgres").join(closed)).expect("it is there");
        assert_eq!(found.permissions().mode() & 0o077, 0, "{closed}");
        assert_ne!(found.uid(), 0, "{closed}: Postgres does not run as root");
    }
    let pid = server_pid(state.path()).expect("it runs");
    let group = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let group = group.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(2)).expect("the process group");
    assert_eq!(group, pid.to_string(), "Ctrl-C in the terminal must not reach it");

    store.close().await.expect("closed");
    assert_eq!(server_pid(state.path()), None);
    wait_until("no process is left", || server_processes(state.path()).is_empty()).await;
}

#[tokio::test]
async fn what_was_stored_is_there_at_the_next_start() {
    let state = make_state_dir();
    let store = open(state.path()).await;
    let (_, number) = create(&store, &["mail01"]).await;
    store.close().await.expect("closed");

    let store = open(state.path()).await;
    assert_eq!(ask(&store, "select number::text from run").await, number.to_string());
    store.close().await.expect("closed");
}

#[tokio::test]
async fn many_may_come_at_once_to_an_empty_directory() {
    let state = make_state_dir();
    let opened = tokio::join!(
        Cluster::open(state.path()),
        Cluster::open(state.path()),
        Cluster::open(state.path()),
        Cluster::open(state.path()),
    );
    let pid = server_pid(state.path()).expect("it runs");
    for cluster in [opened.0, opened.1, opened.2, opened.3] {
        assert_eq!(server_pid(state.path()), Some(pid), "not before the last has left");
        cluster.expect("opened").leave().await.expect("left");
    }
    assert_eq!(server_pid(state.path()), None);
}

#[tokio::test]
async fn of_two_processes_the_last_stops_the_server() {
    let state = make_state_dir();
    let first = User::start(state.path());
    let mut second = User::start(state.path());
    let pid = server_pid(state.path()).expect("it runs");

    first.leave();
    assert_eq!(server_pid(state.path()), Some(pid), "the second still uses it");
    second.write();
    second.leave();
    assert_eq!(server_pid(state.path()), None);
    wait_until("no process is left", || server_processes(state.path()).is_empty()).await;
}

#[tokio::test]
async fn the_server_of_a_killed_process_is_adopted_and_stopped() {
    let state = make_state_dir();
    let mut user = User::start(state.path());
    let row = user.write();
    let pid = server_pid(state.path()).expect("it runs");
    user.kill();

    let store = open(state.path()).await;
    assert_eq!(server_pid(state.path()), Some(pid), "the same server");
    assert_eq!(ask(&store, "select name from revision").await, row);
    store.close().await.expect("closed");
    assert_eq!(server_pid(state.path()), None);
}

#[tokio::test]
async fn after_everything_was_killed_no_acknowledged_row_is_lost() {
    let state = make_state_dir();
    let mut expected = Vec::new();
    for _ in 0..3 {
        let mut user = User::start(state.path());
        expected.extend((0..20).map(|_| user.write()));
        for process in server_processes(state.path()) {
            // One that has ended by the death of another.
            let _ = kill(process, Signal::SIGKILL);
        }
        user.kill();
    }
    assert!(data(state.path()).join("postmaster.pid").exists(), "the file of a dead server is in the way");
    let store = open(state.path()).await;
    let mut rows: Vec<String> =
        sqlx::query_scalar("select name from revision").fetch_all(&store.pool()).await.expect("asked");
    rows.sort();
    expected.sort();
    assert_eq!(rows, expected);
    store.close().await.expect("closed");
}

/// Writes batches until the server goes away, makes it come back, and repeats the batch that was not acknowledged.
async fn survive(signal: Signal) {
    let state = make_state_dir();
    let store = open(state.path()).await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let batch = |seq| Batch { events: vec![step_started(seq, 0, 0)], ..Batch::default() };
    for seq in 1..=5 {
        write(&store, run, epoch, &batch(seq)).await.expect("written");
    }
    let pid = server_pid(state.path()).expect("it runs");
    kill(pid, signal).expect("our server");
    wait_until("the server is gone", || server_pid(state.path()) != Some(pid) || !alive(pid)).await;

    let lost = write(&store, run, epoch, &batch(6)).await.expect_err("nobody is there");
    assert_eq!(lost.kind(), Kind::Unreachable, "{lost:?}");
    store.reconnect().await.expect("it starts again");
    write(&store, run, epoch, &batch(6)).await.expect("written");
    store.reconnect().await.expect("it runs");
    assert_eq!(ask(&store, "select string_agg(seq::text, ' ' order by seq) from run_event").await, "1 2 3 4 5 6");
    store.close().await.expect("closed");
    wait_until("no process is left", || server_processes(state.path()).is_empty()).await;
}

/// Not even as a zombie.
fn alive(pid: Pid) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[tokio::test]
async fn an_immediate_stop_in_the_middle_is_survived() {
    survive(Signal::SIGQUIT).await;
}

#[tokio::test]
async fn a_killed_server_is_replaced() {
    survive(Signal::SIGKILL).await;
}

#[tokio::test]
async fn two_users_that_lose_the_server_start_one_again() {
    let state = make_state_dir();
    let (left, right) = (open(state.path()).await, open(state.path()).await);
    let pid = server_pid(state.path()).expect("it runs");
    kill(pid, Signal::SIGQUIT).expect("our server");
    let again = tokio::join!(left.reconnect(), right.reconnect());
    again.0.expect("it runs");
    again.1.expect("it runs");
    assert_eq!(
        ask(&left, "select pg_postmaster_start_time()::text").await,
        ask(&right, "select pg_postmaster_start_time()::text").await
    );
    left.close().await.expect("closed");
    assert!(server_pid(state.path()).is_some_and(|again| again != pid));
    right.close().await.expect("closed");
    assert_eq!(server_pid(state.path()), None);
}

#[tokio::test]
async fn dropped_without_leaving_the_server_ends_as_well() {
    let state = make_state_dir();
    drop(open(state.path()).await);
    wait_until("no process is left", || server_processes(state.path()).is_empty()).await;
    // And one who comes while it stops waits for its end.
    drop(open(state.path()).await);
    open(state.path()).await.close().await.expect("closed");
    assert_eq!(server_pid(state.path()), None);
}

#[tokio::test]
async fn a_refused_schema_leaves_no_server() {
    let state = make_state_dir();
    let store = open(state.path()).await;
    sqlx::raw_sql("update _sqlx_migrations set checksum = '\\x00'").execute(&store.pool()).await.expect("spoiled");
    store.close().await.expect("closed");
    Store::open(Target::Private { state_dir: state.path().to_owned() }).await.expect_err("refused");
    wait_until("no process is left", || server_processes(state.path()).is_empty()).await;
}

#[tokio::test]
async fn data_of_another_major_version_are_refused() {
    let state = make_state_dir();
    open(state.path()).await.close().await.expect("closed");
    let version = data(state.path()).join("PG_VERSION");
    let installed = fs::read_to_string(&version).expect("readable");
    fs::write(&version, "9\n").expect("writable");

    let refused = Cluster::open(state.path()).await.expect_err("no Postgres 9 is here");
    assert!(matches!(&refused, Error::OtherMajorVersion { found: 9, .. }), "{refused:?}");
    assert_eq!(refused.kind(), Kind::Setup);
    let (said, hint) = (refused.to_string(), refused.hint().expect("there is a way out"));
    assert!(said.contains("Postgres 9") && said.contains(&format!("Postgres {}", installed.trim())), "{said}");
    assert!(hint.contains("pg_dump") && hint.contains("pg_restore"), "{hint}");
    assert_eq!(server_pid(state.path()), None);
}

#[tokio::test]
async fn a_long_path_gets_a_short_socket() {
    let state = make_state_dir();
    let long = state.path().join("a".repeat(60)).join("b".repeat(60));
    for _ in 0..2 {
        let store = open(&long).await;
        let socket_dir =
            PathBuf::from(ask(&store, "select current_setting('unix_socket_directories')").await.replace('"', ""));
        assert!(socket_dir.starts_with("/tmp"), "{socket_dir:?}");
        let found = fs::metadata(&socket_dir).expect("it is there");
        assert_eq!(found.permissions().mode() & 0o777, 0o700);
        let other = open(&long).await;
        other.close().await.expect("closed");
        assert!(socket_dir.exists(), "it is still in use");
        store.close().await.expect("closed");
        assert!(!socket_dir.exists());
    }
}

#[tokio::test]
async fn somebody_elses_directory_in_place_of_the_short_one_is_not_used() {
    let state = make_state_dir();
    let long = state.path().join("a".repeat(60)).join("b".repeat(60));
    open(&long).await.close().await.expect("closed");
    let record = long.join("postgres/socket_dir");
    let planted = PathBuf::from(fs::read_to_string(&record).expect("recorded").trim());
    // Writable by everybody, as an attacker would want it.
    fs::create_dir(&planted).expect("free");
    fs::set_permissions(&planted, fs::Permissions::from_mode(0o777)).expect("ours");

    let store = open(&long).await;
    assert_eq!(fs::read_dir(&planted).expect("readable").count(), 0);
    store.close().await.expect("closed");
    fs::remove_dir(&planted).expect("still ours");
}

#[tokio::test]
async fn a_path_with_odd_characters_works() {
    let state = make_state_dir();
    let odd = state.path().join("a, \"b\" 'c' ü");
    open(&odd).await.close().await.expect("closed");
}

#[tokio::test]
async fn a_directory_out_of_reach_is_told_with_its_remedy() {
    if !geteuid().is_root() {
        // Only root runs Postgres under another account.
        return;
    }
    let closed = make_state_dir();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).expect("ours");
    let refused = Cluster::open(&closed.path().join("state")).await.expect_err("the account can't get there");
    assert!(matches!(refused, Error::DirectoryOutOfReach { .. }), "{refused:?}");
    assert_eq!(refused.kind(), Kind::Setup);
    let directory = closed.path().join("state/postgres").display().to_string();
    assert!(refused.to_string().contains(&directory), "{refused}");
    assert!(refused.hint().is_some_and(|hint| hint.contains("/var/lib/turnus") && hint.contains("chmod o+x")));

    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o711)).expect("ours");
    Cluster::open(&closed.path().join("state")).await.expect("the remedy helps").leave().await.expect("left");
}

#[tokio::test]
async fn a_directory_that_is_a_link_is_refused() {
    let state = make_state_dir();
    let elsewhere = make_state_dir();
    std::os::unix::fs::symlink(elsewhere.path(), state.path().join("postgres")).expect("linked");
    let refused = Cluster::open(state.path()).await.expect_err("not a directory of ours");
    assert!(matches!(refused, Error::Directory { .. }), "{refused:?}");
    assert_eq!(fs::read_dir(elsewhere.path()).expect("readable").count(), 0);
}

#[tokio::test]
async fn a_server_that_does_not_start_tells_why() {
    let state = make_state_dir();
    open(state.path()).await.close().await.expect("closed");
    fs::write(data(state.path()).join("postgresql.conf"), "shared_buffers = nonsense\n").expect("writable");
    let refused = Cluster::open(state.path()).await.expect_err("it can't start");
    assert_eq!(refused.kind(), Kind::Setup);
    assert!(refused.to_string().contains("shared_buffers"), "{refused}");
}

/// A file system of 100 MiB for a state directory; unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where we may not mount.
    fn mount() -> Option<Self> {
        let place = make_state_dir();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=100m,mode=755", "tmpfs"]).arg(place.path());
        mount.output().is_ok_and(|output| output.status.success()).then(|| Self(place))
    }

    fn fill(&self) -> PathBuf {
        let filler = self.0.path().join("filler");
        let full = fs::File::create(&filler).and_then(|mut file| std::io::copy(&mut std::io::repeat(1), &mut file));
        assert_eq!(full.expect_err("it ends somewhere").kind(), std::io::ErrorKind::StorageFull);
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may take a moment to go if the test has failed.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_not_writable_until_there_is_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let store = open(disk.0.path()).await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let output = |at_offset| {
        // Without repetitions: what compresses well would find room.
        let content =
            std::iter::successors(Some(1_u32), |last| Some(last.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)));
        let content = content.flat_map(u32::to_be_bytes).take(1 << 20).collect();
        let log = vec![LogChunk { host: HostIndex(0), step: StepIndex(0), at_offset, content }];
        Batch { log, ..Batch::default() }
    };
    write(&store, run, epoch, &output(0)).await.expect("there is room");
    let filler = disk.fill();
    let refused = write(&store, run, epoch, &output(1 << 20)).await.expect_err("the disk is full");
    assert_eq!(refused.kind(), Kind::NotWritable, "{refused:?}");
    fs::remove_file(&filler).expect("ours");
    write(&store, run, epoch, &output(1 << 20)).await.expect("there is room again");

    let filler = disk.fill();
    store.close().await.expect("closed");
    let refused = Cluster::open(disk.0.path()).await.expect_err("not even a start has room");
    assert_eq!(refused.kind(), Kind::NotWritable, "{refused}");
    fs::remove_file(&filler).expect("ours");
    let store = open(disk.0.path()).await;
    assert_eq!(ask(&store, "select sum(octet_length(content))::text from step_log").await, (2 << 20).to_string());
    store.close().await.expect("closed");
    wait_until("no process is left", || server_processes(disk.0.path()).is_empty()).await;
}

#[tokio::test]
async fn what_a_killed_start_left_behind_is_cleared() {
    let state = make_state_dir();
    let left = state.path().join("postgres/data.new.abc123");
    fs::create_dir_all(&left).expect("made");
    fs::write(left.join("PG_VERSION"), "15\n").expect("made");
    open(state.path()).await.close().await.expect("closed");
    assert!(!left.exists());
}

#[tokio::test]
async fn doctor_sees_what_is_there_and_makes_nothing() {
    let state = make_state_dir();
    let facts = Cluster::inspect(state.path()).await.expect("looked");
    assert!(!facts.running && facts.data_major.is_none() && !facts.directory.exists());
    let binaries = facts.binaries.expect("Postgres is here");
    assert_eq!(facts.account.is_some(), geteuid().is_root());

    let store = open(state.path()).await;
    let facts = Cluster::inspect(state.path()).await.expect("looked");
    assert!(facts.running);
    assert_eq!(facts.data_major, Some(binaries.major));
    assert_eq!(
        ask(&store, "select current_setting('server_version')").await.split(' ').next(),
        Some(binaries.version.as_str())
    );
    store.close().await.expect("closed");
    assert!(!Cluster::inspect(state.path()).await.expect("looked").running);
}
