//! The team is told of a path that gets full: once, until it was better again.

use jiff::{SignedDuration, Timestamp};
use turnus::app::capacity::{Occasion, keep};
use turnus::domain::capacity::{Disk, Fill, Measurement, WatchedPath};

use super::{Desk, sent};
use crate::kit::provider::name;

const GIB: u64 = 1 << 30;

/// A month back, so that all of it is past.
fn day(number: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(24 * 60) + SignedDuration::from_hours(24 * number)
}

impl Desk {
    /// Measures on a day that so much of 100 GiB is free on `/backup` of `h1`.
    async fn measure(&self, number: i64, free_gib: u64) {
        let path = "/backup".to_owned();
        let space = Fill { total: 100 * GIB, free: free_gib * GIB };
        let disk = Disk { mount: path.clone(), path: path.clone(), space, inodes: None };
        let measurement = Measurement { disks: vec![disk], ..Measurement::default() };
        let watched = [WatchedPath { path, warn_s: 14 * 86_400 }];
        let (customer, host) = (name("nordwind"), name("h1"));
        let occasion = Occasion { customer: &customer, at: day(number), run: None, day: None };
        let mut transaction = self.store.begin().await.unwrap();
        assert!(keep(&mut transaction, &occasion, (&host, &watched), Ok(&measurement)).await.unwrap());
        transaction.commit().await.unwrap();
    }

    async fn told(&self) -> usize {
        let count = "select count(*) from notification where kind = 'capacity_short'";
        let count: i64 = sqlx::query_scalar(count).fetch_one(&self.store.pool()).await.unwrap();
        usize::try_from(count).unwrap()
    }
}

#[tokio::test]
async fn the_team_is_told_once_until_it_was_better_again() {
    let desk = Desk::open().await;
    // 2 GiB a day: at 28 GiB it is 14 days.
    for number in 0..7 {
        desk.measure(number, 42 - 2 * number.unsigned_abs()).await;
    }
    assert_eq!(desk.told().await, 0, "15 days are not less than 14");
    desk.measure(8, 26).await;
    assert_eq!(desk.told().await, 1);
    desk.measure(9, 24).await;
    desk.measure(10, 22).await;
    assert_eq!(desk.told().await, 1, "the team knows");

    assert_eq!(desk.pass(0).await, sent(1));
    let letters = desk.server.letters();
    let letter = letters.last().unwrap();
    assert_eq!(letter.recipient, "wartung@systemhaus.example");
    let subject = letter.header("Subject").unwrap();
    assert!(subject.contains("/backup") && subject.contains("h1"), "{subject}");
    for words in ["26.0", "about 13 days", "turnus capacity nordwind --host h1"] {
        assert!(letter.raw.contains(words), "{words}: {}", letter.raw);
    }

    // Somebody cleans up: it is better, and gets worse again.
    for (number, free) in [(11, 90), (12, 88), (13, 86)] {
        desk.measure(number, free).await;
    }
    assert_eq!(desk.told().await, 1);
    for number in 14..22 {
        desk.measure(number, 86 - 10 * (number.unsigned_abs() - 13)).await;
    }
    assert_eq!(desk.told().await, 2, "told again");
    desk.close().await;
}

#[tokio::test]
async fn what_is_full_is_told_at_once_and_what_is_not_watched_any_more_is_forgotten() {
    let desk = Desk::open().await;
    desk.measure(0, 0).await;
    assert_eq!(desk.told().await, 1, "one measurement is enough");
    desk.measure(1, 0).await;
    assert_eq!(desk.told().await, 1);
    let (customer, host) = (name("nordwind"), name("h1"));
    let occasion = Occasion { customer: &customer, at: day(2), run: None, day: None };
    let mut transaction = desk.store.begin().await.unwrap();
    keep(&mut transaction, &occasion, (&host, &[]), Ok(&Measurement::default())).await.unwrap();
    transaction.commit().await.unwrap();
    desk.measure(3, 0).await;
    assert_eq!(desk.told().await, 2, "it was watched anew");
    desk.close().await;
}

#[tokio::test]
async fn two_controllers_that_measure_at_once_tell_once() {
    let desk = Desk::open().await;
    tokio::join!(desk.measure(0, 0), desk.measure(1, 0), desk.measure(2, 0));
    assert_eq!(desk.told().await, 1);
    desk.close().await;
}
