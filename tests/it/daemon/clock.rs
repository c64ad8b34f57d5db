//! A controller whose clock is days ahead or behind: nothing opens early or late, because the database's clock decides.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::kit::provider::{DUE, Provider, Span};
use crate::kit::world::wait_until;

#[test]
fn a_wrong_clock_opens_nothing_early_or_late() {
    if Command::new("faketime").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: there is no faketime here (apt install faketime)");
        return;
    }
    for offset in ["+3d", "-3d"] {
        let provider = Provider::new(1);
        let in_two_days = provider.plan("h1", Span { start: 172_800, latest_start: 176_400, end: 180_000 });
        let missed = provider.plan("h1", Span { start: -172_800, latest_start: -169_200, end: -165_600 });
        let due = provider.plan("h1", Span { start: 2, latest_start: 60, end: 120 });
        let real = provider.world.turnus(&["serve"]);
        let mut fake = Command::new("faketime");
        fake.args(["-m", "-f", offset]).arg(real.get_program()).args(real.get_args());
        for (name, value) in real.get_envs() {
            match value {
                Some(value) => fake.env(name, value),
                None => fake.env_remove(name),
            };
        }
        fake.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let daemon = provider.world.start_command(fake);
        daemon.wait_for_text("serving");
        provider.wait_for_state(due, "done");
        provider.wait_for_state(missed, "missed (controller not running)");
        assert_eq!(provider.state(in_two_days), "planned", "{offset}");
        assert_eq!(provider.world.outcome(1, "h1"), "updated", "{offset}");
        let wrong = "select (abs(extract(epoch from max(at) - clock_timestamp())) > 60)::text from run_event";
        assert_eq!(provider.ask(wrong), "false", "events carry the database's time");
        daemon.signal(Signal::SIGTERM);
        wait_until("it has stopped", || daemon.printed().contains("stopped"));
    }
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
