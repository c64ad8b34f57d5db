//! Hints arrive at once, and a lost connection is a hint.

use std::time::{Duration, Instant};

use turnus::domain::id::ContentHash;
use turnus::edge::store::Store;
use turnus::edge::store::applied::publish::publish_all;
use turnus::edge::store::listen::{Listener, Wake};
use turnus::edge::store::revision::{Revision, RevisionKind};
use turnus::edge::store::run::request_cancel;

use super::create;
use crate::kit::database::Database;

/// The next hint. Nothing but a hint ever comes, so that there is no need to be strict with a machine that is busy.
async fn next(listener: &mut Listener) -> Wake {
    tokio::time::timeout(Duration::from_secs(60), listener.next()).await.expect("a hint")
}

/// Somebody applies a job of this name and content.
async fn publish(connection: &mut sqlx::PgConnection, content: &str) {
    let (hash, kind) = (ContentHash::of(content.as_bytes()), RevisionKind::Job);
    let revision = Revision { hash: &hash, kind, name: content, content };
    publish_all(connection, &[revision], "anna").await.expect("applied");
}

#[tokio::test]
async fn hints_arrive_within_a_second() {
    let database = Database::open().await;
    let (store, elsewhere) = (database.store().await, database.store().await);
    let mut listener = Listener::open(&store);
    assert_eq!(next(&mut listener).await, Wake::Anew, "whatever was before");

    let (run, number) = create(&elsewhere, &["mail01"]).await;
    assert_eq!(next(&mut listener).await, Wake::Run(run), "nobody drives it yet");
    let mut connection = elsewhere.pool().acquire().await.expect("a connection");
    request_cancel(&mut connection, number, "ben").await.expect("asked");
    assert_eq!(next(&mut listener).await, Wake::Run(run));

    let mut transaction = elsewhere.begin().await.expect("begin");
    for content in ["one", "two", "three"] {
        publish(&mut transaction, content).await;
    }
    let early = tokio::time::timeout(Duration::from_millis(50), listener.next()).await;
    assert!(early.is_err(), "not before the COMMIT: {early:?}");
    transaction.commit().await.expect("commit");
    assert_eq!(next(&mut listener).await, Wake::Calendar);
    let mut quickest = Duration::MAX;
    // One may be held up by whatever else the machine does; not each of them.
    for content in ["four", "five", "six", "seven", "eight"] {
        let mut transaction = elsewhere.begin().await.expect("begin");
        publish(&mut transaction, content).await;
        transaction.commit().await.expect("commit");
        let told = Instant::now();
        assert_eq!(next(&mut listener).await, Wake::Calendar);
        quickest = quickest.min(told.elapsed());
    }
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
    request_cancel(&mut connection, number, "anna").await.expect("asked");
    let more = tokio::time::timeout(Duration::from_millis(50), listener.next()).await;
    assert!(more.is_err(), "one for all of the transaction: {more:?}");
    drop((connection, listener));
    store.close().await.expect("closed");
    elsewhere.close().await.expect("closed");
    database.close().await;
}

/// Ends the connections that listen. Returns how many.
async fn cut_off(store: &Store) -> i64 {
    let sql = "select count(pg_terminate_backend(pid)) from pg_stat_activity
               where datname = current_database() and query like 'LISTEN%'";
    sqlx::query_scalar(sql).fetch_one(&store.pool()).await.expect("ended")
}

#[tokio::test]
async fn a_connection_that_is_cut_off_comes_back_with_a_hint() {
    let database = Database::open().await;
    let store = database.store().await;
    let mut listener = Listener::open(&store);
    assert_eq!(next(&mut listener).await, Wake::Anew);
    for round in 0..3 {
        assert_eq!(cut_off(&store).await, 1, "{round}");
        assert_eq!(next(&mut listener).await, Wake::Anew, "{round}");
    }
    let (run, _) = create(&store, &["mail01"]).await;
    assert_eq!(next(&mut listener).await, Wake::Run(run), "it listens again");
    drop(listener);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_wait_that_is_dropped_loses_no_hint() {
    let database = Database::open().await;
    let store = database.store().await;
    let mut listener = Listener::open(&store);
    assert_eq!(next(&mut listener).await, Wake::Anew);
    let (run, _) = create(&store, &["mail01"]).await;
    let began = Instant::now();
    let woken = loop {
        assert!(began.elapsed() < Duration::from_secs(60), "the hint is lost");
        // Dropped again and again while the hint is on its way.
        if let Ok(wake) = tokio::time::timeout(Duration::from_micros(50), listener.next()).await {
            break wake;
        }
    };
    assert_eq!(woken, Wake::Run(run));
    drop(listener);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_listener_that_is_dropped_leaves_its_connection() {
    let database = Database::open().await;
    let store = database.store().await;
    let mut listener = Listener::open(&store);
    assert_eq!(next(&mut listener).await, Wake::Anew);
    drop(listener);
    let listening = "select count(*) from pg_stat_activity where datname = current_database() and query like '%LISTEN%'
                         and pid <> pg_backend_pid()";
    let deadline = Instant::now() + Duration::from_secs(30);
    while sqlx::query_scalar::<_, i64>(listening).fetch_one(&store.pool()).await.expect("counted") > 0 {
        assert!(Instant::now() < deadline, "its connection is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.close().await.expect("closed");
    database.close().await;
}
