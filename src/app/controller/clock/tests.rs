//! The clock goes on between two looks, follows corrections forward, and never goes back.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, advance};

use super::Clock;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_by_itself_and_follows_the_database() {
    let mut clock = Clock::set(at(100), Instant::now());
    advance(Duration::from_secs(2)).await;
    assert_eq!(clock.now(), at(102));
    // The database's clock was put forward.
    clock.follow(at(500), Instant::now());
    assert_eq!(clock.now(), at(500));
    assert_eq!(clock.since(at(495)), Duration::from_secs(5));
    assert_eq!(clock.since(at(600)), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn it_never_goes_back() {
    let mut clock = Clock::set(at(100), Instant::now());
    advance(Duration::from_secs(10)).await;
    clock.follow(at(50), Instant::now());
    assert_eq!(clock.now(), at(110));
    advance(Duration::from_secs(1)).await;
    assert_eq!(clock.now(), at(111));
}
