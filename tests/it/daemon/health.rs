//! What systemd and people learn of a daemon.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;
use turnus::edge::store::revision::RevisionKind;

use crate::kit::provider::{DUE, Provider, Span};
use crate::kit::world::{World, text, wait_until};

#[test]
fn systemd_is_told_of_begin_life_and_end() {
    let provider = Provider::new(1);
    let path = provider.world.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let next = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    let mut serve = provider.world.turnus(&["serve"]);
    serve.env("NOTIFY_SOCKET", &path);
    let daemon = provider.world.start_command(serve);
    assert_eq!(next(), "READY=1");
    assert_eq!(next(), "WATCHDOG=1");
    daemon.signal(Signal::SIGTERM);
    while next() != "STOPPING=1" {}
    assert_eq!(daemon.finish().0, 0);
}

#[test]
fn the_watchdog_is_fed_though_what_is_due_can_not_be_looked_at() {
    let provider = Provider::new(1);
    let path = provider.world.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    provider.apply_text(RevisionKind::Settings, "turnus", "this = \"is no setting\"");
    provider.plan("h1", DUE);
    let mut serve = provider.world.turnus(&["serve"]);
    serve.env("NOTIFY_SOCKET", &path);
    let daemon = provider.world.start_command(serve);
    daemon.wait_for_text("tick failed");
    // One a second: more than a success at the beginning would have been good for.
    let mut fed = 0;
    while fed < 14 {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).expect("it is fed");
        fed += usize::from(buffer[..length].starts_with(b"WATCHDOG=1"));
    }
}

#[test]
fn a_tick_that_fails_stops_no_other_and_shows_in_doctor_and_log_once() {
    let provider = Provider::new(1);
    let daemon = provider.serve();
    provider.apply_text(RevisionKind::Settings, "turnus", "this = \"is no setting\"");
    let short = provider.plan("h1", Span { start: -2, latest_start: 8, end: 60 });
    let due = provider.plan("h1", DUE);
    wait_until("doctor tells", || {
        let doctor = text(&provider.world.run(&["doctor"]));
        doctor.contains("open failed") && doctor.contains("the applied settings can't be used")
    });
    let failures = daemon.printed().lines().filter(|line| line.contains("tick failed")).count();
    assert_eq!(failures, 1, "{}", daemon.printed());
    assert_eq!(provider.ask("select (ticks->'recover'->>'failures_in_row') from controller"), "0");
    wait_until("the time of one is over", || provider.state(short).starts_with("missed"));
    assert!(provider.state(short).contains("the applied settings can't be used"), "{}", provider.state(short));
    provider.apply();
    provider.wait_for_state(due, "done");
    wait_until("it is well again", || text(&provider.world.run(&["doctor"])).contains("every tick works"));
    assert!(daemon.printed().contains("tick works again"));
}

#[test]
fn a_daemon_that_was_killed_is_a_warning_in_doctor() {
    let provider = Provider::new(1);
    provider.serve().kill_hard();
    provider.execute("update controller set seen_at = seen_at - interval '5 minutes'");
    let doctor = provider.world.run(&["doctor"]);
    assert!(doctor.status.success(), "{}", text(&doctor));
    assert!(text(&doctor).contains("last heard of 30"), "{}", text(&doctor));
}

#[test]
fn the_private_database_stops_with_the_last_daemon() {
    let world = World::new(1);
    let daemon = world.start(&["serve"]);
    daemon.wait_for_text("serving");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.finish().0, 0);
    assert!(!world.path("state/postgres/data/postmaster.pid").exists(), "nobody uses it any more");
}
