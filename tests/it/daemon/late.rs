//! What comes too late is ended, not carried on: nothing goes forward on a customer's hosts that nobody expects any more.

use std::process::Command;

use crate::kit::provider::{DUE, Provider};
use crate::kit::world::{text, wait_until};

/// A run that was handed to daemons, none of which is alive.
fn hand_over(provider: &Provider) {
    provider.execute("insert into controller (name, version) values ('dead:1', '0')");
    let run = ["run", "nordwind", "quarterly", "--host", "h1", "--yes", "--reason", "tonight at ten", "--detach"];
    let detached = provider.world.run(&run);
    assert!(detached.status.success(), "{}", text(&detached));
}

fn wait_for_run(provider: &Provider, wanted: &str) {
    wait_until(&format!("the run is {wanted}"), || provider.ask("select state from run") == wanted);
}

fn events(provider: &Provider) -> String {
    provider.ask("select string_agg(kind || ' ' || coalesce(step_index::text, ''), '; ' order by seq) from run_event")
}

fn cancelled_by(provider: &Provider) -> String {
    provider.world.report(1)["cancelled_by"].as_str().unwrap().to_owned()
}

/// A run of a window whose daemon died while `save` was under way; it closed so many minutes ago and was last driven so many ago.
fn leave_in_the_midst(provider: &Provider, closed: u32, driven: u32) {
    provider.world.close("save");
    let daemon = provider.serve();
    provider.plan("h1", DUE);
    provider.world.wait_for_gate("save", "h1");
    daemon.kill_hard();
    let at = |key: &str, minutes: u32| {
        format!(
            "'{{window,{key}}}', to_jsonb(to_char((now() - interval '{minutes} min') at time zone 'UTC', \
             'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))"
        )
    };
    provider.execute(&format!(
        "update run set plan = jsonb_set(jsonb_set(plan::jsonb, {}), {})::json, lease_until = now() - interval '{driven} min'",
        at("closes", closed),
        at("latest_start", closed + 30)
    ));
}

#[test]
fn a_run_that_nobody_took_for_hours_is_not_begun() {
    let provider = Provider::new(1);
    hand_over(&provider);
    provider.execute("update run set created_at = created_at - interval '10 hours'");
    let _daemon = provider.serve();
    wait_for_run(&provider, "cancelled");
    assert!(provider.world.ledger().is_empty(), "{:?}", provider.world.ledger());
    assert_eq!(cancelled_by(&provider), "turnus: nobody began the run within 10 minutes");
}

#[test]
fn a_run_that_was_just_handed_over_is_begun() {
    let provider = Provider::new(1);
    hand_over(&provider);
    provider.execute("update run set created_at = created_at - interval '8 minutes'");
    let _daemon = provider.serve();
    wait_for_run(&provider, "succeeded");
}

#[test]
fn a_run_by_hand_whose_terminal_died_is_not_carried_on_the_next_morning() {
    let provider = Provider::new(1);
    provider.world.close("save");
    let by_hand = provider.world.start_run("quarterly");
    provider.world.wait_for_gate("save", "h1");
    by_hand.kill_hard();
    provider.execute("update run set lease_until = now() - interval '11 min'");
    provider.world.open("save");
    let _daemon = provider.serve();
    wait_for_run(&provider, "cancelled");
    assert_eq!(provider.world.ledger(), ["h1 look", "h1 stop", "h1 save", "h1 start"]);
    assert_eq!(cancelled_by(&provider), "turnus: nobody drove the run for more than 10 minutes");
}

/// The last event may be long ago when a daemon is stopped in good order in the midst of a long step.
#[test]
fn a_daemon_that_is_replaced_during_a_long_step_is_no_outage() {
    let provider = Provider::new(1);
    provider.world.close("save");
    let daemon = provider.serve();
    hand_over(&provider);
    provider.world.wait_for_gate("save", "h1");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    let (status, printed) = daemon.finish();
    assert_eq!(status, 0, "{printed}");
    provider.execute("update run set created_at = created_at - interval '1 hour'");
    provider.execute("alter table run_event disable trigger user");
    provider.execute("update run_event set at = at - interval '1 hour'");
    provider.world.open("save");
    let _daemon = provider.serve();
    wait_for_run(&provider, "succeeded");
    assert_eq!(provider.ask("select string_agg(action, ';' order by number) from audit"), "run by hand;leave run");
}

#[test]
fn a_run_that_was_cancelled_before_anybody_took_it_touches_no_host() {
    let provider = Provider::new(1);
    hand_over(&provider);
    let cancelled = provider.world.run(&["cancel", "1"]);
    assert!(cancelled.status.success(), "{}", text(&cancelled));
    let _daemon = provider.serve();
    wait_for_run(&provider, "cancelled");
    assert!(!events(&provider).contains("host_started"), "{}", events(&provider));
}

#[test]
fn after_an_outage_no_update_begins_after_the_close() {
    let provider = Provider::new(1);
    leave_in_the_midst(&provider, 50, 100);
    provider.world.open("save");
    let _daemon = provider.serve();
    wait_for_run(&provider, "cancelled");
    assert_eq!(provider.world.ledger(), ["h1 look", "h1 stop", "h1 save", "h1 start"]);
}

#[test]
fn a_start_that_never_reached_its_host_is_not_begun_after_the_close() {
    let provider = Provider::new(1);
    leave_in_the_midst(&provider, 300, 300);
    // Lets the old command end, and takes its traces away, as if it had never been there.
    provider.world.open("save");
    let remote = provider.world.path("remote");
    let shell = |script: &str| {
        let output = Command::new("sh").arg("-c").arg(script).current_dir(&remote).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    wait_until("the old command has ended", || !shell("find . -path '*/h1.2*' -name rc").is_empty());
    shell("find . -depth -name 'h1.2*' -exec rm -rf {} +");
    provider.world.write("ledger", "");
    let _daemon = provider.serve();
    wait_for_run(&provider, "failed");
    assert_eq!(provider.world.ledger(), ["h1 start"], "what was stopped is started again, and nothing else is begun");
}

#[test]
fn to_go_on_by_hand_after_the_close_needs_a_reason() {
    let provider = Provider::new(1);
    leave_in_the_midst(&provider, 50, 100);
    provider.world.open("save");
    let refused = provider.world.run(&["resume", "1"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("--reason"), "{}", text(&refused));
    let resumed = provider.world.run(&["resume", "1", "--reason", "agreed with the customer by telephone"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed));
    let kept = provider.ask("select reason from audit where action = 'resume run'");
    assert_eq!(kept, "agreed with the customer by telephone");
}

#[test]
fn a_suspension_is_warned_of_and_kept() {
    let provider = Provider::new(1);
    leave_in_the_midst(&provider, 1, 2);
    // The host has lost its memory of the run.
    std::fs::rename(provider.world.path("remote"), provider.world.path("remote-gone")).unwrap();
    let daemon = provider.serve();
    daemon.wait_for_text("suspended: a person has to resume or cancel it");
    let kept = || provider.ask("select string_agg(action, ';') from audit where action = 'suspend run'");
    wait_until("it is kept", || kept() == "suspend run");
}
