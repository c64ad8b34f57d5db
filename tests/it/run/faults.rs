//! What really happens to runs: controllers die, lines are cut, databases restart; and still every step runs once.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::kit::world::{World, kill, text, wait_until};

/// What an undisturbed run leaves in the ledger.
const UNDISTURBED: [&str; 6] = ["h1 look", "h1 stop", "h1 save", "h1 install", "h1 ask", "h1 start"];

fn assert_undisturbed(world: &World) {
    assert_eq!(world.ledger(), UNDISTURBED);
    assert_eq!(world.outcome(1, "h1"), "updated");
}

#[test]
fn a_controller_killed_during_backup_update_or_smoke_is_resumed_and_each_step_ran_once() {
    for gate in ["save", "install", "ask"] {
        let world = World::new(1);
        world.close(gate);
        let run = world.start_run("quarterly");
        world.wait_for_gate(gate, "h1");
        run.kill_hard();
        let resumed = resume_when_lapsed(&world);
        resumed.wait_for_text("taken over");
        world.open(gate);
        let (status, printed) = resumed.finish();
        assert_eq!(status, 0, "killed at {gate}: {printed}");
        assert_undisturbed(&world);
    }
}

#[test]
fn a_step_that_ended_while_nobody_looked_is_not_run_again() {
    let world = World::new(1);
    world.close("install");
    let run = world.start_run("quarterly");
    world.wait_for_gate("install", "h1");
    run.kill_hard();
    world.open("install");
    assert_eq!(resume_when_lapsed(&world).finish().0, 0);
    assert_undisturbed(&world);
}

/// The lease of a killed controller lasts 30 s; nobody wants to wait for that in a test, and the database decides, not a clock of ours.
pub(super) fn resume_when_lapsed(world: &World) -> crate::kit::world::Running<'_> {
    expire_lease(world);
    world.start(&["resume"])
}

fn expire_lease(world: &World) {
    sql(world, "update run set lease_until = clock_timestamp() - interval '1 s' where lease_until is not null");
}

/// The private cluster of a killed turnus still runs: its socket is in the state directory, or where that says.
pub(super) fn sql(world: &World, statement: &str) {
    sql_in(world, "turnus", statement);
}

fn sql_in(world: &World, database: &str, statement: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::{ConnectOptions, Connection};
        let cluster = turnus::edge::store::cluster::Cluster::open(&world.path("state")).await.unwrap();
        let mut connection = cluster.connect_options().database(database).connect().await.unwrap();
        // Also where the database is read-only by default.
        for statement in std::iter::once("set default_transaction_read_only = off").chain(statement.split(';')) {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        // Not the last to leave where a run goes on.
        cluster.leave().await.unwrap();
    });
}

#[test]
fn a_run_whose_controller_lives_can_t_be_taken_over() {
    let world = World::new(1);
    world.close("save");
    let run = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    let refused = world.run(&["resume", "1"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("is driven by"), "{}", text(&refused));
    world.open("save");
    assert_eq!(run.finish().0, 0);
    assert_undisturbed(&world);
}

#[test]
fn an_old_controller_that_wakes_up_is_fenced_and_starts_nothing() {
    let world = World::new(1);
    world.close("save");
    let old = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    old.signal(Signal::SIGSTOP);
    let new = resume_when_lapsed(&world);
    new.wait_for_text("taken over");
    old.signal(Signal::SIGCONT);
    let (status, printed) = old.finish();
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("another controller has taken over"), "{printed}");
    world.open("save");
    assert_eq!(new.finish().0, 0);
    assert_undisturbed(&world);
}

#[test]
fn a_cut_connection_loses_nothing() {
    let world = World::new(1);
    world.close("install");
    let run = world.start_run("quarterly");
    world.wait_for_gate("install", "h1");
    world.cut_connections();
    world.open("install");
    let (status, printed) = run.finish();
    assert_eq!(status, 0, "{printed}");
    assert_undisturbed(&world);
}

/// Forwards bytes to the sshd until it is told to stop forwarding; connections made after that go through.
struct FreezingProxy {
    port: u16,
    frozen: Arc<AtomicBool>,
}

impl FreezingProxy {
    fn start(target: u16) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let frozen = Arc::new(AtomicBool::new(false));
        let freeze = frozen.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(("127.0.0.1", target)).unwrap();
                // Only what is connected now can freeze.
                let is_first = !freeze.load(Ordering::SeqCst);
                for (from, to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    let freeze = freeze.clone();
                    std::thread::spawn(move || forward(from, to, &freeze, is_first));
                }
            }
        });
        Self { port, frozen }
    }

    fn freeze(&self) {
        self.frozen.store(true, Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, freeze: &AtomicBool, can_freeze: bool) {
    let mut buffer = [0; 16384];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || (can_freeze && freeze.load(Ordering::SeqCst)) {
            break;
        }
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
    // A dead line: nothing comes, nothing ends.
    while can_freeze && freeze.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_dead_line_is_noticed_and_nothing_is_lost() {
    let world = World::with_settings(1, "[ssh]\nkeep_alive = \"1s\"\n");
    let proxy = FreezingProxy::start(world.ssh_port);
    world.write_inventory(proxy.port, "");
    world.close("install");
    let run = world.start_run("quarterly");
    world.wait_for_gate("install", "h1");
    proxy.freeze();
    world.open("install");
    let (status, printed) = run.finish();
    assert_eq!(status, 0, "{printed}");
    assert_undisturbed(&world);
}

#[test]
fn the_database_restarts_in_mid_run_and_the_run_goes_on() {
    let world = World::new(1);
    world.close("save");
    let run = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    // An immediate stop.
    let before = world.database_pid();
    kill(before, Signal::SIGQUIT);
    wait_until("the database is down", || !std::path::Path::new(&format!("/proc/{before}")).exists());
    world.open("save");
    let (status, printed) = run.finish();
    assert_eq!(status, 0, "{printed}");
    assert_undisturbed(&world);
}

#[test]
fn a_database_that_can_t_be_written_is_told_and_what_was_stopped_is_started_again() {
    let world = World::new(1);
    world.close("save");
    let mut run = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    sql(&world, "alter database turnus set default_transaction_read_only = on");
    sql(
        &world,
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    world.open("save");
    wait_until("the host is released", || world.ledger().contains(&"h1 start".to_owned()));
    assert!(run.is_running() || world.ledger().len() == 4);
    let (status, printed) = run.finish();
    assert_eq!(status, 3, "{printed}");
    assert!(printed.contains("can't be written") && printed.contains("turnus resume 1"), "{printed}");
    assert_eq!(world.ledger(), ["h1 look", "h1 stop", "h1 save", "h1 start"], "nothing went forward");

    sql(&world, "alter database turnus reset default_transaction_read_only");
    let (status, printed) = world.start(&["resume", "1"]).finish();
    assert_ne!(status, 0, "a run that was cut short is no success: {printed}");
    assert_eq!(world.ledger(), ["h1 look", "h1 stop", "h1 save", "h1 start"], "and nothing ran twice");
}

#[test]
fn a_package_manager_is_never_killed_and_its_late_end_is_waited_for() {
    let world = World::new(1);
    let job = r#"
description = "x"
backup = "none"
backup_reason = "test"
[[step]]
phase = "update"
name = "install"
timeout = "1s"
run = '''
. "$VAR_KIT"
cp /bin/sh "$VAR_DIRECTORY/apt-get"
"$VAR_DIRECTORY/apt-get" -c "while [ -e \"$VAR_DIRECTORY/closed-apt\" ]; do sleep 0.1; done; echo done >>\"$VAR_DIRECTORY/ledger\""
'''
"#;
    world.job("slow", job);
    world.close("apt");
    let run = world.start_run("slow");
    run.wait_for_text("waiting for it");
    world.open("apt");
    let (status, printed) = run.finish();
    assert_eq!(status, 0, "{printed}");
    assert_eq!(world.ledger(), ["done"]);
}

#[test]
fn a_step_over_its_time_is_ended_with_all_its_children() {
    let world = World::new(1);
    let job = r#"
description = "x"
[[step]]
phase = "preflight"
name = "hang"
timeout = "1s"
run = 'sleep 987 & sleep 987'
"#;
    world.job("hang", job);
    let (status, printed) = world.start_run("hang").finish();
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("over its time limit"), "{printed}");
    let left = std::process::Command::new("pgrep").args(["-fx", "sleep 987"]).output().unwrap();
    assert!(left.stdout.is_empty(), "left: {}", String::from_utf8_lossy(&left.stdout));
}

#[test]
fn a_run_that_can_t_be_told_is_suspended_and_a_person_ends_it() {
    let world = World::new(1);
    world.close("install");
    let run = world.start_run("quarterly");
    world.wait_for_gate("install", "h1");
    run.kill_hard();
    // The host has lost its memory of the run: a disk restored from a snapshot, say.
    std::fs::rename(world.path("remote"), world.path("remote-gone")).unwrap();
    let (status, printed) = resume_when_lapsed(&world).finish();
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("unknown"), "{printed}");
    assert_eq!(world.counts().get("h1 install"), Some(&1), "not started again");
    let busy = world.run(&["run", "nordwind", "quarterly", "--host", "h1", "--yes", "--reason", "x"]);
    assert_eq!(busy.status.code(), Some(2), "the host is still held: {}", text(&busy));
    let closed = world.run(&["cancel", "1"]);
    assert!(closed.status.success(), "{}", text(&closed));
    assert_eq!(world.outcome(1, "h1"), "unknown");
    world.open("install");
    assert_eq!(world.start_run("quarterly").finish().0, 0, "the host is free again");
}

#[test]
fn after_a_restore_of_the_database_nothing_runs_again() {
    let world = World::new(1);
    world.close("save");
    let run = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    run.kill_hard();
    sql_in(&world, "postgres", "create database backup template turnus");
    world.open("save");
    world.close("ask");
    let run = resume_when_lapsed(&world);
    world.wait_for_gate("ask", "h1");
    run.kill_hard();
    world.open("ask");
    // Yesterday's backup comes back: it knows of nothing after `save` was started.
    sql_in(&world, "postgres", "drop database turnus with (force); alter database backup rename to turnus");
    let (status, printed) = resume_when_lapsed(&world).finish();
    assert_eq!(status, 130, "{printed}");
    assert!(printed.contains("the database does not know of it"), "{printed}");
    let counts = world.counts();
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert_eq!(counts.get("h1 start"), Some(&1), "what was stopped is started again: {counts:?}");
}
