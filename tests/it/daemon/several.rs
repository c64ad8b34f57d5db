//! Several daemons on one database: whoever dies, hangs or restarts, each occurrence has one run and each step runs once.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use turnus::domain::id::OccurrenceId;
use turnus::edge::store::occurrence::insert::NewOccurrence;

use crate::kit::provider::{DUE, Provider, Span, name};
use crate::kit::world::{Running, wait_until};

const OCCURRENCES: usize = 50;
/// A machine that is busy with other tests, too, may take long for as many logins at once.
const LIMITS: &str =
    "[limits]\nparallel_runs = 100\nparallel_runs_per_customer = 100\n[ssh]\nconnect_timeout = \"2m\"\n";

/// Two steps, so that a run can be killed between them.
const JOB: &str = r#"
description = "Test of many runs at once"

[[step]]
phase = "preflight"
name  = "look"
run   = '. "$VAR_KIT"; note'

[[step]]
phase = "quiesce"
name  = "stop"
run   = '. "$VAR_KIT"; note; sleep 0.2'
undo  = '. "$VAR_KIT"; note start'
"#;

/// One occurrence for each host, all due in the same second.
fn plan_all(provider: &Provider) -> Vec<OccurrenceId> {
    provider.world.job("quick", JOB);
    provider.apply();
    let span = Span { start: 3, ..DUE };
    let of = |host: usize| move |new| NewOccurrence { window: name(&format!("h{host}")), job: name("quick"), ..new };
    (1..=OCCURRENCES).map(|host| provider.plan_with(of(host), span)).collect()
}

fn wait_for_all(provider: &Provider) {
    let began = Instant::now();
    let done = || provider.ask("select count(*)::text from occurrence where state = 'done'");
    while done() != OCCURRENCES.to_string() {
        let states = provider.ask(
            "select string_agg(s, '; ') from (select state || ' ' || coalesce(cause, '') || ' ' || count(*) as s
             from occurrence group by state, cause) as states",
        );
        assert!(began.elapsed() < Duration::from_secs(180), "{states}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn check(provider: &Provider) {
    assert_eq!(provider.ask("select count(*)::text from run"), OCCURRENCES.to_string(), "one run for each");
    let counts = provider.world.counts();
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let ends = "select string_agg(distinct detail::text, e'\\n') from run_event where kind in ('host_unreachable', 'step_finished')";
    assert_eq!(counts.len(), OCCURRENCES * 3, "{}", provider.ask(ends));
    let told = "select count(*)::text from notification where kind = ";
    assert_eq!(provider.ask(&format!("{told}'started'")), OCCURRENCES.to_string(), "each is told once");
    assert_eq!(provider.ask(&format!("{told}'finished'")), OCCURRENCES.to_string());
}

#[test]
fn two_and_three_daemons_open_fifty_occurrences_of_one_second_once_each() {
    for count in [2, 3] {
        let provider = Provider::with_settings(OCCURRENCES, LIMITS);
        let daemons: Vec<_> = (0..count).map(|_| provider.serve()).collect();
        plan_all(&provider);
        wait_for_all(&provider);
        check(&provider);
        for daemon in daemons {
            daemon.signal(Signal::SIGTERM);
            let (status, printed) = daemon.finish();
            assert_eq!(status, 0, "{printed}");
        }
    }
}

#[test]
fn daemons_are_killed_and_the_database_crashes_and_still_each_step_runs_once() {
    let directory = crate::kit::database::make_state_dir();
    let provider = Provider::alone(OCCURRENCES, LIMITS, directory.path());
    let mut daemons: Vec<Running<'_>> = (0..3).map(|_| provider.serve()).collect();
    plan_all(&provider);
    // The choice is arbitrary and the same each time.
    let mut chance = 0x2026_1124_u32;
    for round in 0..8 {
        wait_until("some runs have begun, or all are over", || {
            provider.ask("select (count(*) > 0)::text from run") == "true"
        });
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let victim = daemons.remove(chance as usize >> 8 & 1);
        let pid = victim.pid();
        victim.kill_hard();
        if round % 3 == 1 {
            provider.restart_database();
        }
        provider.expire_leases_of(pid);
        daemons.push(provider.serve());
        std::thread::sleep(Duration::from_millis(u64::from(chance >> 16) % 700));
    }
    wait_for_all(&provider);
    check(&provider);
}

#[test]
fn a_daemon_that_is_told_to_stop_hands_its_runs_over() {
    let provider = Provider::new(1);
    provider.world.close("save");
    let first = provider.serve();
    let due = provider.plan("h1", DUE);
    provider.world.wait_for_gate("save", "h1");
    let second = provider.serve();
    first.signal(Signal::SIGTERM);
    let (status, printed) = first.finish();
    assert_eq!(status, 0, "{printed}");
    // Without waiting for a lease to lapse, which takes 30 s.
    let began = Instant::now();
    wait_until("the other has taken over", || provider.ask("select epoch::text from run") == "2");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    provider.world.open("save");
    provider.wait_for_state(due, "done");
    assert!(provider.world.counts().values().all(|count| *count == 1), "{:?}", provider.world.ledger());
    assert!(second.printed().contains("taken over"), "{}", second.printed());
}

#[test]
fn a_daemon_that_was_frozen_is_fenced_when_it_wakes_up() {
    let provider = Provider::new(1);
    provider.world.close("save");
    let first = provider.serve();
    let due = provider.plan("h1", DUE);
    provider.world.wait_for_gate("save", "h1");
    first.signal(Signal::SIGSTOP);
    provider.expire_leases_of(first.pid());
    let _second = provider.serve();
    wait_until("the other has taken over", || provider.ask("select epoch::text from run") == "2");
    first.signal(Signal::SIGCONT);
    first.wait_for_text("another controller has taken over");
    provider.world.open("save");
    provider.wait_for_state(due, "done");
    assert!(provider.world.counts().values().all(|count| *count == 1), "{:?}", provider.world.ledger());
}
