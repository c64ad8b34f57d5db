//! One controller drives a run; the clock of the database says for how long.

use turnus::domain::id::Epoch;
use turnus::domain::plan::{HostIndex, StepIndex};
use turnus::domain::run::event::Outcome;
use turnus::domain::run::event::RunState;
use turnus::edge::store::error::Error;
use turnus::edge::store::lease::{LEASE, release_lease, renew_lease};
use turnus::edge::store::record::Batch;
use turnus::edge::store::run::{find_run, request_cancel};

use super::{create, let_lapse, take, write};
use crate::kit::database::Database;

#[tokio::test]
async fn a_living_lease_is_not_taken_and_a_lapsed_one_raises_the_epoch() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, number) = create(&store, &["mail01"]).await;

    assert_eq!(take(&store, run, "one:1").await, Some(Epoch(1)));
    assert_eq!(take(&store, run, "two:2").await, None);
    assert_eq!(take(&store, run, "one:1").await, None, "not even by its owner: that would be a second driver");
    let_lapse(&store).await;
    assert_eq!(take(&store, run, "two:2").await, Some(Epoch(2)));

    let mut connection = store.pool().acquire().await.expect("a connection");
    let lease = find_run(&mut connection, number).await.expect("found").expect("there").lease.expect("driven");
    assert_eq!((lease.owner.as_str(), lease.alive), ("two:2", true));
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn of_many_that_want_one_lease_one_gets_it() {
    let database = Database::open().await;
    let (left, right) = (database.store().await, database.store().await);
    let (run, _) = create(&left, &["mail01"]).await;
    for round in 1..=20 {
        let taken = tokio::join!(
            take(&left, run, "one:1"),
            take(&right, run, "two:2"),
            take(&left, run, "three:3"),
            take(&right, run, "four:4"),
        );
        let taken: Vec<Epoch> = [taken.0, taken.1, taken.2, taken.3].into_iter().flatten().collect();
        assert_eq!(taken, [Epoch(round)]);
        let_lapse(&left).await;
    }
    left.close().await.expect("closed");
    right.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn renewal_lasts_by_the_databases_clock_and_brings_the_wish_to_stop() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, number) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");

    let mut connection = store.pool().acquire().await.expect("a connection");
    let before: jiff_sqlx::Timestamp =
        sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut *connection).await.expect("the time");
    let renewal = renew_lease(&mut connection, run, epoch).await.expect("renewed");
    assert_eq!(renewal.cancel_requested_by, None);
    let lasts = renewal.until.duration_since(before.to_jiff());
    let lease = jiff::SignedDuration::try_from(LEASE).expect("in range");
    assert!(lasts >= lease && lasts < lease * 2, "{lasts}");

    request_cancel(&mut connection, number, "ben").await.expect("asked");
    let renewal = renew_lease(&mut connection, run, epoch).await.expect("renewed");
    assert_eq!(renewal.cancel_requested_by.as_deref(), Some("ben"));

    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_lapsed_lease_can_be_renewed_until_somebody_takes_it() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let mut connection = store.pool().acquire().await.expect("a connection");

    let_lapse(&store).await;
    renew_lease(&mut connection, run, epoch).await.expect("nobody took it");
    assert_eq!(take(&store, run, "two:2").await, None, "it lives again");
    let_lapse(&store).await;
    take(&store, run, "two:2").await.expect("it has lapsed");
    let fenced = renew_lease(&mut connection, run, epoch).await;
    assert!(matches!(fenced, Err(Error::Fenced)), "{fenced:?}");

    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_lease_that_was_given_back_is_free_at_once() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let first = take(&store, run, "one:1").await.expect("free");
    let mut connection = store.pool().acquire().await.expect("a connection");

    release_lease(&mut connection, run, first).await.expect("given back");
    let renewed = renew_lease(&mut connection, run, first).await;
    assert!(matches!(renewed, Err(Error::Fenced)), "{renewed:?}");
    let written = write(&store, run, first, &Batch::default()).await;
    assert!(matches!(written, Err(Error::Fenced)), "{written:?}");

    let second = take(&store, run, "two:2").await.expect("free");
    assert_eq!(second, Epoch(2));
    release_lease(&mut connection, run, first).await.expect("changes nothing");
    renew_lease(&mut connection, run, second).await.expect("still held");

    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn nobody_drives_a_run_that_has_ended_and_a_suspended_one_can_be_driven() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let suspend = Batch { state: Some(RunState::Suspended), ..Batch::default() };
    write(&store, run, epoch, &suspend).await.expect("suspended");
    let_lapse(&store).await;

    let epoch = take(&store, run, "one:1").await.expect("a person may close it");
    let close = Batch {
        state: Some(RunState::Failed),
        hosts: vec![(HostIndex(0), Outcome::Unknown { step: StepIndex(0) })],
        ..Batch::default()
    };
    write(&store, run, epoch, &close).await.expect("closed");
    let_lapse(&store).await;
    assert_eq!(take(&store, run, "one:1").await, None);

    store.close().await.expect("closed");
    database.close().await;
}
