//! What a tick can't do to the others.

use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Pulse, Tick, contain};

#[tokio::test]
async fn a_panic_is_a_failure_with_its_words() {
    let error = contain::<()>(async { panic!("the {}th rule", 7) }).await.unwrap_err();
    assert_eq!(error.to_string(), "it panicked: the 7th rule");
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_given_up() {
    let error = contain::<()>(std::future::pending()).await.unwrap_err();
    assert_eq!(error.to_string(), "it took longer than 30 s");
}

#[tokio::test(start_paused = true)]
async fn a_pulse_is_the_end_of_every_tick_in_time_not_its_success() {
    let (pulse, from) = (Pulse::default(), Instant::now());
    let limit = Duration::from_secs(150);
    tokio::time::advance(Duration::from_secs(149)).await;
    assert!(pulse.is_beating(from, limit), "the first turns are still to come");
    for tick in Tick::ALL {
        pulse.fail(tick, &anyhow!("cannot reach the database"), None);
        pulse.end(tick);
    }
    tokio::time::advance(Duration::from_secs(140)).await;
    assert!(pulse.is_beating(from, limit), "failing is living");
    for tick in Tick::ALL.into_iter().filter(|tick| *tick != Tick::Open) {
        pulse.end(tick);
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(!pulse.is_beating(from, limit), "one hangs");
}

#[tokio::test]
async fn failures_in_a_row_are_counted_until_it_works_again() {
    let pulse = Pulse::default();
    let failure = || anyhow!("connection refused").context("cannot reach the database");
    pulse.fail(Tick::Open, &failure(), None);
    pulse.fail(Tick::Open, &failure(), Some(Timestamp::UNIX_EPOCH));
    let health = pulse.health().remove("open").unwrap();
    assert_eq!(health.failures_in_row, 2);
    assert_eq!(health.last_error.as_deref(), Some("cannot reach the database: connection refused"));
    assert_eq!(health.last_error_at, Some(Timestamp::UNIX_EPOCH));
    pulse.succeed(Tick::Open, Timestamp::UNIX_EPOCH);
    let health = pulse.health().remove("open").unwrap();
    assert_eq!((health.failures_in_row, health.last_ok_at), (0, Some(Timestamp::UNIX_EPOCH)));
    assert!(health.last_error.is_some(), "what went wrong last stays known");
}
