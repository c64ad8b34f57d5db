//! What reports say of watched services.

use super::{Gap, Outage, WatchReport};
use crate::domain::report::host::OutcomeKind;
use crate::domain::report::samples::probes::{down, interrupted, watched};
use crate::domain::report::samples::{Story, at};
use crate::domain::report::step::Cause;

fn watch(story: Story) -> WatchReport {
    story.report().hosts.swap_remove(0).watches.swap_remove(0)
}

#[test]
fn a_service_that_never_stops_has_no_interruption() {
    let watch = watch(watched());
    assert_eq!((watch.name.as_str(), watch.from, watch.down_ms), ("shop", at(1), 0));
    assert_eq!((watch.interruptions, watch.gaps), (vec![], vec![]));
    assert!(watch.to.is_some());
}

#[test]
fn interruptions_are_told_with_their_lengths_and_their_place_in_the_window() {
    let watch = watch(interrupted());
    let outage = |from: i64, to: i64, in_window| Outage {
        from: at(from),
        to: Some(at(to)),
        duration_ms: Some((to - from).unsigned_abs() * 1000),
        in_window: Some(in_window),
        what: "tcp mail01.example:443: connection refused".to_owned(),
    };
    assert_eq!(watch.interruptions, [outage(300, 341, true), outage(390, 392, false)]);
    assert_eq!(watch.down_ms, 43_000);
    assert_eq!(watch.gaps, [Gap { from: at(341), to: at(352) }]);
}

#[test]
fn without_a_window_nothing_is_said_of_one() {
    let watch = watch(down(|_| {}));
    assert_eq!(watch.interruptions.iter().map(|outage| outage.in_window).collect::<Vec<_>>(), [None]);
}

#[test]
fn what_did_not_come_back_is_the_cause() {
    let report = down(|_| {}).report();
    let outcome = |host: usize| (report.hosts[host].outcome.kind, report.hosts[host].outcome.cause);
    assert_eq!(outcome(0), (OutcomeKind::Failed, Some(Cause::Downtime)));
    assert_eq!(outcome(1), (OutcomeKind::Skipped, Some(Cause::Downtime)));
    let watch = &report.hosts[0].watches[0];
    assert_eq!((watch.interruptions[0].to, watch.interruptions[0].duration_ms, watch.down_ms), (None, None, 0));
    let report = down(|job| job.steps[1].undo = None).report();
    assert_eq!(
        (report.hosts[0].outcome.kind, report.hosts[0].outcome.cause),
        (OutcomeKind::FailedAndRolledBack, Some(Cause::Downtime))
    );
}
