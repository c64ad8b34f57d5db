//! A controller whose clock is days ahead or behind, or jumps: nothing opens early or late, because the database's clock decides.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::kit::provider::{DUE, Provider, Span};

/// The library that lies to a process about the time, if it is here.
fn faketime() -> Option<PathBuf> {
    let libraries = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    let found = libraries.map(|path| path.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: there is no libfaketime here (apt install faketime)");
    }
    found
}

/// The daemon with a wrong clock on the wall; the monotonic one stays right, as on a real machine.
fn serve_with(provider: &Provider, library: &PathBuf, (name, value): (&str, &str)) -> Command {
    let mut daemon = provider.world.turnus(&["serve"]);
    daemon.env("LD_PRELOAD", library).env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("FAKETIME_NO_CACHE", "1");
    daemon.env(name, value);
    daemon
}

#[test]
fn a_wrong_clock_opens_nothing_early_or_late() {
    let Some(library) = faketime() else { return };
    for offset in ["+3d", "-3d"] {
        let provider = Provider::new(1);
        let in_two_days = provider.plan("h1", Span { start: 172_800, latest_start: 176_400, end: 180_000 });
        let missed = provider.plan("h1", Span { start: -172_800, latest_start: -169_200, end: -165_600 });
        let due = provider.plan("h1", Span { start: 2, latest_start: 60, end: 120 });
        let daemon = provider.world.start_command(serve_with(&provider, &library, ("FAKETIME", offset)));
        daemon.wait_for_text("serving");
        provider.wait_for_state(due, "done");
        provider.wait_for_state(missed, "missed (controller not running)");
        assert_eq!(provider.state(in_two_days), "planned", "{offset}");
        assert_eq!(provider.world.outcome(1, "h1"), "updated", "{offset}");
        let wrong = "select (abs(extract(epoch from max(at) - clock_timestamp())) > 60)::text from run_event";
        assert_eq!(provider.ask(wrong), "false", "events carry the database's time");
        daemon.signal(Signal::SIGTERM);
        let (status, printed) = daemon.finish();
        assert_eq!(status, 0, "{printed}");
    }
}

#[test]
fn a_clock_that_jumps_stops_no_tick() {
    let Some(library) = faketime() else { return };
    let provider = Provider::new(1);
    provider.world.write("now", "+0");
    let file = provider.world.path("now").display().to_string();
    let daemon = provider.world.start_command(serve_with(&provider, &library, ("FAKETIME_TIMESTAMP_FILE", &file)));
    daemon.wait_for_text("serving");
    // Put back by two days, the scheduler would wait for two days.
    for offset in ["-2d", "+2d", "+0"] {
        provider.world.write("now", offset);
        let due = provider.plan("h1", Span { start: 1, ..DUE });
        provider.wait_for_state(due, "done");
    }
    assert!(daemon.printed().contains("scheduling anew"), "{}", daemon.printed());
}

#[test]
fn a_daemon_that_was_frozen_goes_on_and_what_passed_meanwhile_is_missed() {
    let provider = Provider::new(1);
    let daemon = provider.serve();
    daemon.signal(Signal::SIGSTOP);
    let passed = provider.plan("h1", Span { start: -10, latest_start: -1, end: 60 });
    let due = provider.plan("h1", DUE);
    daemon.signal(Signal::SIGCONT);
    provider.wait_for_state(passed, "missed (controller not running)");
    provider.wait_for_state(due, "done");
}
