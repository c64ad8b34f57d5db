//! Runs that are watched: what the watch sees holds a host, or takes its update back, and never anything else.

use jiff::{SignedDuration, Timestamp};

use super::{CONVERT, CONVERT_BACK, Driver, INSTALL, INSTALL_BACK, START, World, now, plan};
use crate::domain::id::Epoch;
use crate::domain::plan::{HostIndex, Plan, StepIndex};
use crate::domain::probe::{Check, HostProbe, OnRedBefore, Patience, Probe, TcpCheck, Watch};
use crate::domain::run::event::{Event, Outcome, RunResult, SkipCause};
use crate::domain::run::machine::{Effect, Machine};
use crate::domain::run::state::{Run, RunStage};

const MAX_DOWNTIME_S: i64 = 300;
const SHOP: &str = "shop";

fn seconds(count: i64) -> Timestamp {
    now() + SignedDuration::from_secs(count)
}

/// Hosts with a watched service. With `undo` quiesce stops something, and release starts it again.
fn watched(hosts: usize, undo: bool) -> Plan {
    let mut plan = plan(hosts);
    let check = Check::Tcp(TcpCheck { address: "h:80".to_owned(), greeting: None });
    let shop = HostProbe {
        name: SHOP.to_owned(),
        probe: Probe { check, patience: Patience::default() },
        from: None,
        on_red_before: OnRedBefore::Hold,
        watch: Some(Watch { max_downtime_s: u64::try_from(MAX_DOWNTIME_S).ok() }),
    };
    plan.hosts.iter_mut().for_each(|host| host.probes.push(shop.clone()));
    if !undo {
        plan.steps.truncate(START);
    }
    plan
}

fn seen(host: usize, met: bool, since: Timestamp) -> Event {
    Event::WatchChanged { host: HostIndex(host), probe: SHOP.to_owned(), met, since, what: "tcp h:80".to_owned() }
}

fn exceeded(host: usize) -> Event {
    Event::DowntimeExceeded { host: HostIndex(host), probe: SHOP.to_owned() }
}

/// A run in which the service of the first host goes down when its update is over; then nothing more is heard.
fn down_after_update(plan: Plan) -> Driver {
    let mut driver = Driver::begin(plan, World::default());
    let mut queue = std::collections::VecDeque::from(driver.take_lease());
    while let Some(effect) = queue.pop_front() {
        if effect == (Effect::Watch { host: HostIndex(0) }) {
            queue.extend(driver.deliver(seen(0, true, now())));
        }
        if matches!(effect, Effect::Run { host: HostIndex(0), step: StepIndex(CONVERT), .. }) {
            queue.extend(driver.deliver(seen(0, false, now())));
        }
        if let Some(event) = driver.world.carry_out(&effect) {
            queue.extend(driver.deliver(event));
        }
    }
    driver
}

#[test]
fn a_host_is_watched_from_its_start_to_its_end() {
    let mut driver = Driver::begin(watched(1, true), World::default());
    let effects = driver.take_lease();
    let host = HostIndex(0);
    assert_eq!(effects, [Effect::Prepare { host }, Effect::Watch { host }]);
    driver.carry_on(effects);
    let kinds: Vec<_> = driver.record.iter().rev().take(3).map(|recorded| &recorded.event).collect();
    assert!(
        matches!(kinds[..], [Event::RunFinished { .. }, Event::WatchEnded { .. }, Event::HostFinished { .. }]),
        "{kinds:?}"
    );
    driver.check_invariants();
}

#[test]
fn the_watch_goes_on_after_the_end_and_the_run_with_it() {
    let plan = Plan { watch_after_s: 600, ..watched(1, true) };
    let mut driver = Driver::begin(plan, World::default());
    let effects = driver.take_lease();
    driver.carry_on(effects);
    assert_eq!(driver.outcome(0), Some(&Outcome::Updated));
    assert_eq!(driver.result(), RunStage::Open, "it is still watched");
    let over = |at| driver.machine.run().watches_over(at).collect::<Vec<_>>();
    assert_eq!(over(seconds(599)), []);
    assert_eq!(over(seconds(600)), [HostIndex(0)]);
    // What happens meanwhile is recorded.
    driver.deliver(seen(0, true, seconds(10)));
    driver.deliver(seen(0, false, seconds(20)));
    let effects = driver.deliver(Event::WatchEnded { host: HostIndex(0) });
    assert_eq!(effects, [Effect::EndWatch { host: HostIndex(0) }, Effect::Stop]);
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Succeeded));
    assert_eq!(driver.deliver(seen(0, true, seconds(700))), [], "what comes later is not taken in");
    driver.check_invariants();
}

#[test]
fn a_service_that_goes_down_after_the_end_stops_the_batch_and_takes_nothing_back() {
    let plan = Plan {
        watch_after_s: 600,
        parallel_hosts: 1,
        batches: vec![(0..2).map(HostIndex).collect()],
        ..watched(2, true)
    };
    let mut driver = Driver::begin(plan, World::default());
    let mut queue = std::collections::VecDeque::from(driver.take_lease());
    driver.deliver(seen(0, true, now()));
    let mut started = Vec::new();
    while let Some(effect) = queue.pop_front() {
        if let (Effect::Prepare { host: HostIndex(1) }, true) = (&effect, started.is_empty()) {
            // The second host is begun before anybody knows.
            started = driver.deliver(seen(0, false, seconds(20)));
            continue;
        }
        if let Some(event) = driver.world.carry_out(&effect) {
            queue.extend(driver.deliver(event));
        }
    }
    assert_eq!(driver.outcome(0), Some(&Outcome::Updated));
    let down = |at| driver.machine.run().exceeded_downtime(at);
    assert_eq!((down(seconds(320)), down(seconds(321))), (None, Some((HostIndex(0), SHOP.to_owned()))));
    driver.deliver(exceeded(0));
    assert_eq!(driver.outcome(0), Some(&Outcome::Updated), "it is as it was");
    assert!(!driver.steps_of(0).contains(&CONVERT_BACK));
}

#[test]
fn who_cancels_does_not_wait_for_the_watch() {
    let plan = Plan { watch_after_s: 600, ..watched(1, true) };
    let mut driver = Driver::begin(plan, World::default());
    let effects = driver.take_lease();
    driver.carry_on(effects);
    assert_eq!(driver.deliver(Event::CancelRequested { by: "anna".to_owned() }), [Effect::Stop]);
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Succeeded));
}

#[test]
fn nobody_watches_a_host_to_which_nothing_was_done() {
    let plan = Plan { watch_after_s: 600, ..watched(1, true) };
    let mut driver = Driver::begin(plan, World { unreachable: vec![0], ..World::default() });
    let effects = driver.take_lease();
    driver.carry_on(effects);
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Failed), "without waiting");
}

#[test]
fn another_controller_looks_anew() {
    let mut driver = Driver::begin(watched(1, true), World::default());
    driver.take_lease();
    driver.deliver(seen(0, true, now()));
    driver.deliver(seen(0, true, seconds(1)));
    let effects = driver.take_lease();
    assert!(effects.contains(&Effect::Watch { host: HostIndex(0) }), "{effects:?}");
    driver.deliver(seen(0, true, seconds(2)));
    driver.deliver(seen(0, true, seconds(3)));
    let changes = &driver.machine.run().hosts()[0].watches[SHOP].changes;
    let told: Vec<_> = changes.iter().map(|change| (change.epoch, change.since)).collect();
    assert_eq!(told, [(Epoch(1), now()), (Epoch(2), seconds(2))]);
}

#[test]
fn a_host_whose_service_is_down_is_not_done_until_it_is_back() {
    let mut driver = down_after_update(watched(1, false));
    assert_eq!(driver.result(), RunStage::Open);
    assert_eq!(driver.outcome(0), None, "all steps are done, but the service is not back");
    let effects = driver.deliver(seen(0, true, seconds(100)));
    driver.carry_on(effects);
    assert_eq!(driver.outcome(0), Some(&Outcome::Updated));
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Succeeded));
}

#[test]
fn a_service_that_stays_down_takes_the_update_back_and_stops_the_batch() {
    let mut driver = down_after_update(watched(3, false));
    let down = |at| driver.machine.run().exceeded_downtime(at);
    assert_eq!(down(seconds(MAX_DOWNTIME_S)), None, "so long it may");
    assert_eq!(down(seconds(MAX_DOWNTIME_S + 1)), Some((HostIndex(0), SHOP.to_owned())));
    let effects = driver.deliver(exceeded(0));
    driver.carry_on(effects);
    assert_eq!(driver.steps_of(0)[8..], [CONVERT_BACK, INSTALL_BACK]);
    assert_eq!(driver.outcome(0), Some(&Outcome::FailedAndRolledBack { step: StepIndex(CONVERT) }));
    let skipped = Outcome::Skipped { cause: SkipCause::Downtime };
    assert_eq!(driver.outcomes()[1..], [Some(&skipped), Some(&skipped)]);
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Failed));
}

#[test]
fn the_batch_is_stopped_however_many_failures_are_allowed() {
    let plan = Plan {
        max_failures: 10,
        parallel_hosts: 1,
        batches: vec![(0..3).map(HostIndex).collect()],
        ..watched(3, false)
    };
    let mut driver = down_after_update(plan);
    let effects = driver.deliver(exceeded(0));
    driver.carry_on(effects);
    let skipped = Outcome::Skipped { cause: SkipCause::Downtime };
    assert_eq!(driver.outcomes()[1..], [Some(&skipped), Some(&skipped)]);
}

#[test]
fn what_quiesce_stopped_is_started_before_anybody_waits_for_it() {
    let mut driver = down_after_update(watched(1, true));
    assert_eq!(driver.steps_of(0).last(), Some(&START));
    assert_eq!(driver.outcome(0), None, "now it should come back");
    assert_eq!(driver.machine.run().exceeded_downtime(seconds(MAX_DOWNTIME_S)), None);
    assert!(driver.machine.run().exceeded_downtime(seconds(MAX_DOWNTIME_S + 1)).is_some());
    let effects = driver.deliver(exceeded(0));
    driver.carry_on(effects);
    assert_eq!(driver.steps_of(0).last(), Some(&START), "nothing is taken back under a service that was started again");
    assert_eq!(driver.outcome(0), Some(&Outcome::Failed { step: StepIndex(CONVERT), cancelled: false }));
}

#[test]
fn what_another_controller_saw_takes_nothing_back() {
    let mut driver = down_after_update(watched(1, false));
    let late = seconds(10 * MAX_DOWNTIME_S);
    driver.clock = late;
    let effects = driver.take_lease();
    assert_eq!(effects, [Effect::Watch { host: HostIndex(0) }]);
    assert_eq!(driver.machine.run().exceeded_downtime(late), None, "nobody has looked since");
    assert_eq!(driver.outcome(0), None, "nor is it back");
    driver.deliver(seen(0, false, late));
    let down = |at| driver.machine.run().exceeded_downtime(at).is_some();
    let until = late + SignedDuration::from_secs(MAX_DOWNTIME_S);
    assert_eq!((down(until), down(until + SignedDuration::from_secs(1))), (false, true));
}

#[test]
fn a_controller_that_sees_nothing_does_not_hold_up_the_host_for_ever() {
    let mut driver = down_after_update(watched(1, false));
    driver.take_lease();
    let over = |driver: &Driver, at| driver.machine.run().watches_over(at).collect::<Vec<_>>();
    assert_eq!((over(&driver, seconds(299)), over(&driver, seconds(300))), (vec![], vec![HostIndex(0)]));
    let effects = driver.deliver(Event::WatchEnded { host: HostIndex(0) });
    driver.carry_on(effects);
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Succeeded));
}

#[test]
fn a_cancel_does_not_undo_what_was_decided_before() {
    let mut plan = watched(1, false);
    // A second smoke step that has not begun when both come.
    let again = plan.steps[super::ASK].clone();
    plan.steps.insert(super::ASK + 1, again);
    let mut driver = Driver::begin(plan, World::default());
    let mut queue = std::collections::VecDeque::from(driver.take_lease());
    driver.deliver(seen(0, true, now()));
    while let Some(effect) = queue.pop_front() {
        if matches!(effect, Effect::Run { step: StepIndex(super::ASK), .. }) {
            driver.deliver(seen(0, false, now()));
            driver.deliver(exceeded(0));
            driver.deliver(Event::CancelRequested { by: "anna".to_owned() });
        }
        if let Some(event) = driver.world.carry_out(&effect) {
            queue.extend(driver.deliver(event));
        }
    }
    assert_eq!(driver.outcome(0), Some(&Outcome::FailedAndRolledBack { step: StepIndex(CONVERT) }));
}

#[test]
fn what_was_down_before_is_not_waited_for() {
    let mut driver = Driver::begin(watched(1, false), World::default());
    let effects = driver.take_lease();
    driver.deliver(seen(0, false, now()));
    driver.carry_on(effects);
    assert_eq!(driver.result(), RunStage::Finished(RunResult::Succeeded));
}

#[test]
fn a_watch_without_a_limit_only_looks() {
    let mut plan = watched(1, false);
    plan.hosts[0].probes[0].watch = Some(Watch::default());
    assert_eq!(down_after_update(plan).result(), RunStage::Finished(RunResult::Succeeded));
}

#[test]
fn a_cancel_ends_the_waiting_and_takes_nothing_back() {
    let mut driver = down_after_update(watched(1, false));
    let effects = driver.deliver(Event::CancelRequested { by: "anna".to_owned() });
    driver.carry_on(effects);
    assert_eq!(driver.outcome(0), Some(&Outcome::Updated));
    assert_eq!(driver.steps_of(0).last(), Some(&super::ASK));
}

#[test]
fn a_cancel_while_the_service_is_tested_takes_nothing_back_either() {
    let mut driver = Driver::begin(watched(1, false), World::default());
    let mut queue = std::collections::VecDeque::from(driver.take_lease());
    driver.deliver(seen(0, true, now()));
    while let Some(effect) = queue.pop_front() {
        if matches!(effect, Effect::Run { step: StepIndex(super::ASK), .. }) {
            driver.deliver(seen(0, false, now()));
            driver.deliver(Event::CancelRequested { by: "anna".to_owned() });
            assert_eq!(driver.machine.run().exceeded_downtime(seconds(MAX_DOWNTIME_S + 1)), None);
        }
        if let Some(event) = driver.world.carry_out(&effect) {
            queue.extend(driver.deliver(event));
        }
    }
    assert_eq!(driver.outcome(0), Some(&Outcome::Updated));
}

#[test]
fn a_downtime_that_is_over_when_it_is_told_is_none() {
    let mut driver = down_after_update(watched(1, false));
    let effects = driver.deliver(seen(0, true, seconds(301)));
    driver.carry_on(effects);
    driver.deliver(exceeded(0));
    assert_eq!(driver.outcome(0), Some(&Outcome::Updated));
}

#[test]
fn a_watch_that_the_plan_does_not_have_is_refused() {
    let mut machine = Machine::new(Run::new(watched(1, true)));
    machine.take_lease(Epoch(1), "test:1", now()).unwrap();
    let other = Event::WatchChanged {
        host: HostIndex(0),
        probe: "mail".to_owned(),
        met: false,
        since: now(),
        what: String::new(),
    };
    assert_eq!(machine.handle(other, now()).unwrap_err().why, "the host has no such watch");
}

/// Whenever a service goes down and comes back, and whenever the controller dies: the update is done and nothing is taken back.
#[test]
fn an_interruption_at_any_time_changes_nothing_once_it_is_over() {
    for undo in [false, true] {
        let plan = watched(2, undo);
        for (down, up) in (0..24).flat_map(|down| (down + 1..26).map(move |up| (down, up))) {
            let mut driver = Driver { twice: true, ..Driver::begin(plan.clone(), World::default()) };
            let mut queue = std::collections::VecDeque::from(driver.take_lease());
            queue.extend(driver.deliver(seen(0, true, now())));
            let mut step = 0;
            while driver.result() == RunStage::Open {
                if step == down {
                    queue.extend(driver.deliver(seen(0, false, seconds(1))));
                }
                if step == up {
                    queue.extend(driver.deliver(seen(0, true, seconds(2))));
                }
                if down < step && step == (down + up) / 2 {
                    queue = driver.take_lease().into();
                }
                if let Some(event) = queue.pop_front().and_then(|effect| driver.world.carry_out(&effect)) {
                    queue.extend(driver.deliver(event));
                }
                step += 1;
                assert!(step < 200, "down at {down}, up at {up}: the run does not end");
            }
            assert_eq!(driver.outcomes(), [Some(&Outcome::Updated); 2], "down at {down}, up at {up}");
            let taken_back = [CONVERT_BACK, INSTALL_BACK].iter().any(|step| driver.steps_of(0).contains(step));
            assert!(!taken_back && driver.steps_of(0).contains(&INSTALL), "down at {down}, up at {up}");
            let replayed = Run::replay(plan.clone(), &driver.record).unwrap();
            assert_eq!(replayed, *driver.machine.run());
        }
    }
}
