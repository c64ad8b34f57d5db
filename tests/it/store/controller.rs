//! The daemons as they report themselves.

use std::collections::BTreeMap;

use turnus::edge::store::controller::{
    TickHealth, forget_controller, forget_controllers, list_controllers, report_controller,
};
use turnus::edge::store::{Store, Target, database_now};

use super::occurrence::instant;
use crate::kit::database::Database;

#[tokio::test]
async fn a_controller_reports_itself_until_it_is_forgotten() {
    let database = Database::open().await;
    let store = database.store().await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    let fine = TickHealth { last_ok_at: Some(instant("2027-03-26T13:00:00Z")), ..TickHealth::default() };
    let failing = TickHealth {
        last_error: Some("cannot reach the database \0".to_owned()),
        last_error_at: Some(instant("2027-03-26T13:00:01Z")),
        failures_in_row: 3,
        ..TickHealth::default()
    };
    let ticks = BTreeMap::from([("announce".to_owned(), failing), ("open".to_owned(), fine)]);
    report_controller(&mut connection, "two:2", "0.1.0", &BTreeMap::new()).await.expect("reported");
    report_controller(&mut connection, "one:1", "0.1.0", &BTreeMap::new()).await.expect("reported");
    let first = list_controllers(&mut connection).await.expect("listed");
    report_controller(&mut connection, "one:1", "0.2.0", &ticks).await.expect("reported again");

    let listed = list_controllers(&mut connection).await.expect("listed");
    assert_eq!(listed.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["one:1", "two:2"]);
    assert_eq!((listed[0].version.as_str(), &listed[0].ticks), ("0.2.0", &ticks));
    assert_eq!(listed[0].started_at, first[0].started_at);
    assert!(listed[0].seen_at > first[0].seen_at);
    assert!((0.0..60.0).contains(&listed[0].silent_s), "{}", listed[0].silent_s);

    let forgotten = forget_controllers(&mut connection, listed[0].seen_at).await.expect("asked");
    assert_eq!(forgotten, 1, "the one that was last heard of before");
    forget_controller(&mut connection, "one:1").await.expect("forgotten");
    assert_eq!(list_controllers(&mut connection).await.expect("listed"), []);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn the_database_tells_its_own_time() {
    let database = Database::open().await;
    let store = database.store().await;
    let mut transaction = store.begin().await.expect("begin");
    let first = database_now(&mut transaction).await.expect("asked");
    let second = database_now(&mut transaction).await.expect("asked");
    assert!(second > first, "the time goes on within a transaction");
    drop(transaction);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_store_has_as_many_connections_as_were_asked_for() {
    let database = Database::open().await;
    let store = Store::open_wide(Target::Url(database.url()), 7).await.expect("opened");
    let pool = store.pool();
    let mut held = Vec::new();
    for _ in 0..7 {
        held.push(pool.acquire().await.expect("a connection"));
    }
    assert!(pool.try_acquire().is_none() && pool.size() == 7);
    drop(held);
    store.reconnect().await.expect("reconnected");
    assert_eq!(store.pool().options().get_max_connections(), 7);
    store.close().await.expect("closed");
    database.close().await;
}
