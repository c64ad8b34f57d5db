//! Runs in a window: whatever happens, no host is begun for which there is not enough time, and what was begun is finished.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Driver, FORWARD, INSTALL, START, STOP, Way, World, ended, name, now, plan};
use crate::domain::id::{Epoch, OccurrenceId};
use crate::domain::plan::{HostIndex, Plan, PlannedWindow, StepIndex};
use crate::domain::run::event::{Event, Facts, Outcome, RunResult, SkipCause, StepEnd};
use crate::domain::run::machine::{Effect, Machine};
use crate::domain::run::state::{Run, RunStage, StepRun};

const MINUTE: SignedDuration = SignedDuration::from_secs(60);
const SKIPPED: Outcome = Outcome::Skipped { cause: SkipCause::WindowEnding };

fn minutes(count: i64) -> Timestamp {
    now() + SignedDuration::from_mins(count)
}

/// Open from now on, with minutes until the latest start and until the close, and minutes that each host is expected to take.
fn windowed(latest_start: i64, closes: i64, estimates: &[u64]) -> Plan {
    let mut plan = plan(estimates.len());
    plan.window = Some(PlannedWindow {
        occurrence: OccurrenceId(Uuid::nil()),
        window: name("quarterly"),
        opens: now(),
        latest_start: minutes(latest_start),
        closes: minutes(closes),
    });
    for (host, estimate) in plan.hosts.iter_mut().zip(estimates) {
        host.estimate_s = (*estimate > 0).then_some(*estimate * 60);
    }
    plan
}

/// A driver for which each event takes a minute.
fn slow(plan: Plan, world: World) -> Driver {
    Driver { event_takes: MINUTE, ..Driver::begin(plan, world) }
}

/// No host is taken into work, and none has its first step begun, when there was no time for it.
fn check_window(driver: &Driver, moment: &str) {
    driver.check_invariants();
    let plan = driver.machine.run().plan();
    let mut begun = Vec::new();
    for recorded in &driver.record {
        let is_first = match recorded.event {
            Event::HostStarted { .. } => true,
            Event::StepStarted { host, .. } if !begun.contains(&host) => {
                begun.push(host);
                true
            }
            _ => false,
        };
        if let Some(host) = recorded.event.host().filter(|_| is_first) {
            assert!(plan.has_time_for(host, recorded.at), "{host:?} begun at {}: {moment}", recorded.at);
        }
    }
}

#[test]
fn hosts_for_which_there_is_time_are_begun_and_the_others_are_left_out() {
    let check = |latest_start, closes, estimates: &[u64], touched: &[bool]| {
        let driver = slow(windowed(latest_start, closes, estimates), World::default()).run();
        check_window(&driver, "");
        let expected: Vec<_> =
            touched.iter().map(|touched| if *touched { Outcome::Updated } else { SKIPPED }).collect();
        let outcomes: Vec<_> = driver.outcomes().into_iter().map(|outcome| outcome.unwrap().clone()).collect();
        assert_eq!(outcomes, expected, "latest start {latest_start}, closes {closes}, estimates {estimates:?}");
        let result = if touched.contains(&false) { RunResult::Failed } else { RunResult::Succeeded };
        assert_eq!(driver.result(), RunStage::Finished(result), "a host that was left out is left to do");
    };
    // The first host takes ten minutes: it is made ready, and nine steps run.
    check(1000, 1000, &[0, 0, 0], &[true, true, true]);
    check(9, 1000, &[0, 0, 0], &[true, false, false]);
    check(1000, 1000, &[10, 991, 10], &[true, false, true]);
    check(1000, 1000, &[1001, 10, 10], &[false, true, true]);
    check(1000, 1000, &[10, 991, 992], &[true, false, false]);
    // The second and third host are begun together at minute ten, and have to be ready in time, too.
    check(12, 1000, &[0, 0, 0], &[true, true, true]);
    check(11, 1000, &[0, 0, 0], &[true, true, false]);
    check(10, 1000, &[0, 0, 0], &[true, false, false]);
}

#[test]
fn a_waiting_host_that_fits_follows_one_that_does_not() {
    let mut plan = windowed(1000, 100, &[10, 95, 10, 95, 10]);
    plan.parallel_hosts = 1;
    let driver = slow(plan, World::default()).run();
    check_window(&driver, "");
    let touched: Vec<_> = driver.outcomes().into_iter().map(|outcome| outcome == Some(&Outcome::Updated)).collect();
    assert_eq!(touched, [true, false, true, false, true]);
}

#[test]
fn fail_everywhere_in_a_window() {
    for latest_start in 0..40 {
        for step in FORWARD {
            for host in 0..3 {
                let world = World::with(&[(host, step, Way::Fails)]);
                let driver = slow(windowed(latest_start, 60, &[5, 5, 5]), world).run();
                check_window(&driver, &format!("step {step} of {host} fails, latest start {latest_start}"));
                assert!(matches!(driver.result(), RunStage::Finished(_)));
            }
        }
    }
}

#[test]
fn die_after_every_event_and_replay_in_a_window() {
    for latest_start in [0, 1, 5, 10, 11, 12, 20] {
        for gap in [0, 8, 300] {
            let plan = windowed(latest_start, 30, &[5, 12, 5]);
            let events = slow(plan.clone(), World::default()).run().record.len();
            for (events, reached) in (1..events).flat_map(|events| [(events, false), (events, true)]) {
                let mut driver = slow(plan.clone(), World::default());
                // Nobody drives for a while after the death; it is the take-over that comes late.
                driver.gap = SignedDuration::from_mins(gap);
                let Some(driver) = driver.die_after(events, reached) else { continue };
                let moment = format!("latest start {latest_start}, died after {events}, reached {reached}, gap {gap}");
                check_window(&driver, &moment);
                assert!(matches!(driver.result(), RunStage::Finished(_)), "{moment}");
            }
        }
    }
}

#[test]
fn deliver_every_event_twice_in_a_window() {
    for latest_start in 0..30 {
        let mut driver = slow(windowed(latest_start, 30, &[5, 12, 5]), World::default());
        driver.twice = true;
        check_window(&driver.run(), &format!("latest start {latest_start}"));
    }
}

#[test]
fn a_close_with_hosts_in_work_is_recorded_once_and_they_are_finished() {
    let length = slow(windowed(500, 500, &[0, 0, 0]), World::default()).run().record.len();
    for events in 1..length {
        let mut driver = Driver::begin(windowed(0, 0, &[0, 0, 0]), World::default());
        driver.twice = true;
        let mut queue = std::collections::VecDeque::from(driver.take_lease());
        while driver.record.len() < events {
            let Some(event) = queue.pop_front().and_then(|effect| driver.world.carry_out(&effect)) else { break };
            queue.extend(driver.deliver(event));
        }
        driver.event_takes = MINUTE;
        queue.extend(driver.deliver(Event::WindowClosed));
        driver.carry_on(queue.into());
        check_window(&driver, &format!("closed after {events} events"));
        let closes = driver.record.iter().filter(|recorded| recorded.event == Event::WindowClosed).count();
        assert!(closes <= 1);
        for host in driver.machine.run().hosts() {
            let begun = host.steps[STOP] != StepRun::Pending;
            assert!(!begun || host.steps[INSTALL].succeeded() && host.steps[START].succeeded(), "begun and finished");
        }
    }
}

#[test]
fn a_close_can_t_be_recorded_for_a_run_by_hand() {
    let mut machine = Machine::new(Run::new(plan(1)));
    machine.take_lease(Epoch(1), "test:1", now()).unwrap();
    assert_eq!(machine.handle(Event::WindowClosed, now()).unwrap_err().why, "the run has no window");
}

#[test]
fn a_host_that_is_ready_too_late_is_left_untouched() {
    let mut machine = Machine::new(Run::new(windowed(10, 60, &[0])));
    let effects = machine.take_lease(Epoch(1), "test:1", minutes(10)).unwrap().effects;
    assert_eq!(effects, [Effect::Prepare { host: HostIndex(0) }]);
    let ready = Event::HostReady { host: HostIndex(0), facts: Facts::new() };
    let decision = machine.handle(ready, minutes(11)).unwrap();
    assert_eq!(decision.effects, [Effect::Stop]);
    assert_eq!(decision.record[1].event, Event::HostFinished { host: HostIndex(0), outcome: SKIPPED });
}

#[test]
fn a_host_in_work_is_never_left_out_for_lack_of_time() {
    let mut machine = Machine::new(Run::new(windowed(10, 60, &[0])));
    machine.take_lease(Epoch(1), "test:1", minutes(0)).unwrap();
    machine.handle(Event::HostReady { host: HostIndex(0), facts: Facts::new() }, minutes(1)).unwrap();
    let result = ended(StepEnd::Succeeded);
    let looked = Event::StepFinished { host: HostIndex(0), step: StepIndex(0), result };
    let decision = machine.handle(looked, minutes(100)).unwrap();
    assert_eq!(decision.effects, [Effect::Run { host: HostIndex(0), step: StepIndex(1), resumed: false }]);
    let mut run = machine.run().clone();
    let skip = Event::HostFinished { host: HostIndex(0), outcome: SKIPPED };
    let recorded = crate::domain::run::event::Recorded { seq: run.last_seq() + 1, at: minutes(100), event: skip };
    assert!(run.apply(&recorded).is_err());
}

#[test]
fn a_plan_without_window_is_stored_as_it_always_was() {
    let stored = serde_json::to_string(&plan(2)).unwrap();
    assert!(!stored.contains("window") && !stored.contains("estimate"), "{stored}");
    let windowed = windowed(10, 60, &[5]);
    let loaded: Plan = serde_json::from_str(&serde_json::to_string(&windowed).unwrap()).unwrap();
    assert_eq!(loaded, windowed);
}

#[test]
fn a_run_that_is_cancelled_as_it_is_taken_begins_nothing() {
    let mut machine = Machine::new(Run::new(plan(2)));
    let decision = machine.take_over((Epoch(1), "test:1"), Some("anna".to_owned()), now()).unwrap();
    assert_eq!(decision.effects, [Effect::Stop]);
    assert_eq!(machine.run().stage(), RunStage::Finished(RunResult::Cancelled));
}

#[test]
fn a_step_forward_is_overtaken_by_a_cancel_and_by_the_close_and_the_way_back_is_not() {
    let mut machine = Machine::new(Run::new(windowed(10, 60, &[0])));
    machine.take_lease(Epoch(1), "test:1", minutes(0)).unwrap();
    let host = HostIndex(0);
    machine.handle(Event::HostReady { host, facts: Facts::new() }, minutes(1)).unwrap();
    let is_overtaken = |machine: &Machine, step, at| machine.run().is_overtaken(host, StepIndex(step), at);
    assert!(!is_overtaken(&machine, 0, minutes(59)));
    assert!(is_overtaken(&machine, 0, minutes(60)));
    assert!(!is_overtaken(&machine, START, minutes(60)));
    machine.handle(Event::CancelRequested { by: "anna".to_owned() }, minutes(2)).unwrap();
    assert!(is_overtaken(&machine, 0, minutes(2)));
    assert!(!is_overtaken(&machine, START, minutes(2)));
}
