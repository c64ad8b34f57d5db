//! One daemon: occurrences open in their time, wait for what stands against them, or are missed with the cause.

use nix::sys::signal::Signal;

use crate::kit::provider::{DUE, Provider, Span};
use crate::kit::world::{text, wait_until};

#[test]
fn a_due_occurrence_is_opened_run_and_done_and_people_are_told() {
    let provider = Provider::new(2);
    let daemon = provider.serve();
    let later = provider.plan("all", Span { start: 3600, latest_start: 4000, end: 7200 });
    let due = provider.plan("all", Span { start: 1, ..DUE });
    provider.wait_for_state(due, "done");
    assert_eq!(provider.state(later), "planned", "nothing starts before its time");
    let counts = provider.world.counts();
    assert_eq!(counts.len(), 12, "{counts:?}");
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert_eq!(provider.messages(), ["started it@nordwind.example", "finished it@nordwind.example"]);
    assert_eq!(provider.ask("select string_agg(action, ';' order by number) from audit"), "open occurrence");
    let occurrence = provider.occurrence(due);
    assert!(occurrence.opened_at.unwrap() >= occurrence.start);
    let report = provider.world.report(occurrence.run.unwrap().0);
    assert_eq!(report["window"]["name"], "all");
    daemon.signal(Signal::SIGTERM);
    let (status, printed) = daemon.finish();
    assert_eq!(status, 0, "{printed}");
    assert!(printed.contains("opened") && printed.contains("stopped"), "{printed}");
    assert_eq!(provider.ask("select count(*)::text from controller"), "0", "who leaves says so");
    let doctor = text(&provider.world.run(&["doctor"]));
    assert!(doctor.contains("daemons"), "{doctor}");
    wait_until("x", || true);
}
