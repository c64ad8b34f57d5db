//! The schema: embedded as a whole, refused when it is another's, append-only where it says so.

use sqlx::Connection;
use turnus::domain::run::event::Event;
use turnus::edge::store::error::{Error, Kind};
use turnus::edge::store::record::Batch;
use turnus::edge::store::{Store, Target};

use super::{create, recorded, take, write};
use crate::kit::database::{Database, execute};

#[tokio::test]
async fn every_migration_is_embedded_and_opening_again_changes_nothing() {
    let database = Database::open_empty().await;
    database.store().await.close().await.expect("closed");
    database.store().await.close().await.expect("closed");

    let mut connection = database.connect().await;
    let applied: Vec<i64> = sqlx::query_scalar("select version from _sqlx_migrations order by version")
        .fetch_all(&mut connection)
        .await
        .expect("listed");
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).expect("readable").count();
    // A new file is noticed only when the crate is compiled again.
    assert_eq!(applied, (1..=i64::try_from(files).expect("few")).collect::<Vec<_>>());
    connection.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn many_may_open_a_new_database_at_once() {
    let database = Database::open_empty().await;
    let stores = tokio::join!(database.store(), database.store(), database.store(), database.store());
    for store in [stores.0, stores.1, stores.2, stores.3] {
        store.close().await.expect("closed");
    }
    database.close().await;
}

/// Changes the database with `sql`, then tries to open it.
async fn open_after(database: &Database, sql: &str) -> Error {
    let mut connection = database.connect().await;
    execute(&mut connection, sql.to_owned()).await;
    connection.close().await.expect("closed");
    Store::open(Target::Url(database.url())).await.expect_err("it must be refused")
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_its_number() {
    let database = Database::open_empty().await;
    database.store().await.close().await.expect("closed");
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (4711, 'from the future', true, '\\x00', 0)";
    let refused = open_after(&database, newer).await;
    assert_eq!(refused.kind(), Kind::Invalid);
    assert_eq!(
        refused.to_string(),
        "the database was written by a newer turnus: it has migration `4711`, which this version does not know"
    );
    assert!(refused.hint().is_some());
    database.close().await;
}

#[tokio::test]
async fn a_foreign_schema_is_refused() {
    let database = Database::open_empty().await;
    let refused = open_after(&database, "create table run (id int)").await;
    assert!(matches!(refused, Error::ForeignSchema { .. }), "{refused:?}");
    database.close().await;
}

#[tokio::test]
async fn a_migration_that_was_changed_afterwards_is_refused() {
    let database = Database::open_empty().await;
    database.store().await.close().await.expect("closed");
    let refused = open_after(&database, "update _sqlx_migrations set checksum = '\\x00' where version = 2").await;
    assert!(matches!(refused, Error::ForeignSchema { .. }), "{refused:?}");
    database.close().await;
}

#[tokio::test]
async fn what_is_recorded_can_not_be_changed() {
    let database = Database::open_empty().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let batch = Batch { events: vec![recorded(1, Event::RunSuspended)], ..Batch::default() };
    write(&store, run, epoch, &batch).await.expect("written");

    for sql in ["update run_event set kind = 'run_finished'", "delete from run_event", "truncate run_event"] {
        let refused = sqlx::raw_sql(sql).execute(&store.pool()).await.expect_err("append-only");
        assert!(refused.to_string().contains("run_event is append-only"), "{sql}: {refused}");
    }
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn the_tables_refuse_what_makes_no_sense() {
    let database = Database::open_empty().await;
    let store = database.store().await;
    create(&store, &["mail01"]).await;
    let cases = [
        ("update run set state = 'succeeded'", "finished_iff_closed"),
        ("update run set finished_at = now()", "finished_iff_closed"),
        ("update run set state = 'done', finished_at = now()", "run_state_check"),
        ("update run set lease_owner = 'one:1'", "lease_is_whole"),
        ("update run set cancel_requested_by = 'ben'", "cancel_request_is_whole"),
        ("update host_run set state = 'finished'", "finished_has_outcome"),
        ("update host_run set state = 'finished', outcome = 'updated'", "finished_has_time"),
        ("update host_run set state = 'finished', finished_at = now(), outcome = 'fine'", "host_run_outcome_check"),
    ];
    for (sql, constraint) in cases {
        let refused = sqlx::raw_sql(sql).execute(&store.pool()).await.expect_err(sql);
        let refused = refused.into_database_error().expect("the database refuses");
        assert_eq!(refused.constraint(), Some(constraint), "{sql}");
    }
    store.close().await.expect("closed");
    database.close().await;
}
