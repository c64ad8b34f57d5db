//! A database that is away, full, read-only or somebody else's; and the connection that sqlx leaves behind.

use std::future::Future;
use std::task::Poll;

use sqlx::{Connection, PgPool};
use turnus::edge::store::error::{Error, Kind};
use turnus::edge::store::record::{Batch, record};
use turnus::edge::store::{Store, Target};

use super::{create, step_started, take, write};
use crate::kit::database::{Database, execute};

#[tokio::test]
async fn a_read_only_database_is_not_writable_until_it_is_again() {
    let database = Database::open_empty().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let mut connection = database.connect().await;
    let set = |value| {
        format!(
            "do $$ begin execute format('alter database %I set default_transaction_read_only = {value}', current_database()); end $$"
        )
    };
    execute(&mut connection, set("on")).await;
    store.reconnect().await.expect("new connections");

    let batch = Batch { events: vec![step_started(1, 0, 0)], ..Batch::default() };
    let refused = write(&store, run, epoch, &batch).await.expect_err("read-only");
    assert_eq!(refused.kind(), Kind::NotWritable, "{refused:?}");

    execute(&mut connection, format!("set default_transaction_read_only = off; {}", set("off"))).await;
    store.reconnect().await.expect("new connections");
    write(&store, run, epoch, &batch).await.expect("writable again");
    connection.close().await.expect("closed");
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_cut_connection_is_unreachable_and_the_next_use_works() {
    let database = Database::open_empty().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let mut transaction = store.begin().await.expect("begin");
    let mut connection = database.connect().await;
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'turnus' and datname = current_database()";
    execute(&mut connection, cut.to_owned()).await;

    let batch = Batch { events: vec![step_started(1, 0, 0)], ..Batch::default() };
    let lost = record(&mut transaction, run, epoch, &batch).await.expect_err("cut");
    assert_eq!(lost.kind(), Kind::Unreachable, "{lost:?}");
    drop(transaction);
    write(&store, run, epoch, &batch).await.expect("a new connection");
    connection.close().await.expect("closed");
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn nobody_at_the_other_end_is_unreachable() {
    let nowhere = Store::open(Target::Url("postgres://turnus@127.0.0.1:1/turnus".to_owned())).await;
    assert_eq!(nowhere.expect_err("nothing listens there").kind(), Kind::Unreachable);
    let no_socket = Store::open(Target::Url("postgres://turnus@localhost/turnus?host=/nonexistent".to_owned())).await;
    assert_eq!(no_socket.expect_err("there is no socket").kind(), Kind::Unreachable);
}

#[tokio::test]
async fn a_wrong_url_is_for_a_person_and_shows_no_password() {
    let refused = Store::open(Target::Url("postgres://anna:s3cret@[/turnus".to_owned())).await.expect_err("not a URL");
    assert_eq!(refused.kind(), Kind::Setup);
    let debug = format!("{refused:?}");
    let shown = format!("{debug} {:#}", anyhow::Error::from(refused));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn an_unknown_database_or_role_is_for_a_person() {
    let database = Database::open_empty().await;
    let (ours, here) = (database.url(), "test_");
    let at = ours.find(here).expect("the name is in the URL");
    let unknown = format!(
        "{}nonexistent{}",
        &ours[..at],
        &ours[at..].split_once('?').map_or(String::new(), |(_, rest)| format!("?{rest}"))
    );
    for url in [unknown, ours.replace("turnus@", "nobody@")] {
        let refused = Store::open(Target::Url(url)).await.expect_err("refused");
        assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
        assert_eq!(refused.kind(), Kind::Setup);
    }
    database.close().await;
}

#[tokio::test]
async fn a_role_without_rights_is_not_writable() {
    let database = Database::open_empty().await;
    let role = format!("visitor_{}", std::process::id());
    let mut connection = database.connect().await;
    execute(&mut connection, format!("create role {role} login")).await;
    let refused = Store::open(Target::Url(database.url().replace("turnus@", &format!("{role}@")))).await;
    let refused = refused.expect_err("it may not create tables");
    assert_eq!(refused.kind(), Kind::NotWritable, "{refused:?}");
    execute(&mut connection, format!("drop role {role}")).await;
    connection.close().await.expect("closed");
    database.close().await;
}

/// A single statement, outside of any transaction that we know of.
async fn insert_revision(pool: &PgPool, name: &str) {
    let insert = "insert into revision (hash, kind, name, content) values (md5($1) || md5($1), 'job', $1, 'x')";
    sqlx::query(insert).bind(name).execute(pool).await.expect("it is reported as done");
}

/// How many revisions there are for others to see.
async fn count_revisions(database: &Database) -> i64 {
    let mut outside = database.connect().await;
    let count = sqlx::query_scalar("select count(*) from revision").fetch_one(&mut outside).await.expect("counted");
    outside.close().await.expect("closed");
    count
}

/// Drops `future` when it has been polled so many times and is still waiting.
async fn drop_after<T>(polls: usize, future: impl Future<Output = T>) {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        left = left.saturating_sub(1);
        match future.as_mut().poll(context) {
            Poll::Pending if left > 0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}

#[tokio::test]
async fn a_begin_that_nobody_waits_for_leaves_no_transaction_behind() {
    let database = Database::open_empty().await;
    let store = database.store().await;
    let pool = store.pool();
    for polls in 1..=8 {
        // First ours; then that of the library, whose connection the pool must repair.
        drop_after(polls, store.begin()).await;
        insert_revision(&pool, &format!("after ours {polls}")).await;
        drop_after(polls, pool.begin()).await;
        insert_revision(&pool, &format!("after theirs {polls}")).await;
    }
    assert_eq!(count_revisions(&database).await, 16);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_transaction_left_open_by_a_borrower_is_ended_before_the_next() {
    let database = Database::open_empty().await;
    let store = database.store().await;
    let pool = store.pool();
    // Every connection of the pool goes back inside a transaction that sqlx knows nothing of.
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut connection = pool.acquire().await.expect("a connection");
        sqlx::raw_sql("begin").execute(&mut *connection).await.expect("begun");
        held.push(connection);
    }
    drop(held);
    insert_revision(&pool, "after all").await;
    assert_eq!(count_revisions(&database).await, 1);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn the_server_ends_what_takes_too_long() {
    let database = Database::open_empty().await;
    let store = database.store().await;
    let limits = "select string_agg(setting || unit, ' ' order by name) from pg_settings
                  where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')";
    let limits: String = sqlx::query_scalar(limits).fetch_one(&store.pool()).await.expect("asked");
    assert_eq!(limits, "60000ms 10000ms 30000ms");

    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let mut holder = database.connect().await;
    execute(&mut holder, "begin; lock table run".to_owned()).await;
    let mut transaction = store.begin().await.expect("begin");
    execute(&mut transaction, "set local lock_timeout = '50ms'".to_owned()).await;
    let waited = record(&mut transaction, run, epoch, &Batch::default()).await;
    assert_eq!(waited.expect_err("locked").kind(), Kind::Busy);
    drop(transaction);
    holder.close().await.expect("closed");
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn every_code_of_the_server_is_sorted_by_what_helps() {
    let database = Database::open_empty().await;
    let mut connection = database.connect().await;
    let cases = [
        (Kind::Unreachable, "57P01 57P02 57P03 57P05 08006 08P01 53300 25P03"),
        (Kind::Busy, "57014 55P03 40P01 40001"),
        (Kind::NotWritable, "25006 53100 53200 53000 58030 58000 42501"),
        (Kind::Setup, "28000 28P01 3D000"),
        (Kind::Conflict, "23505 23P01 23503"),
        (Kind::Invalid, "42P01 42601 22P05 23514 XX000 XX001 P0001 25P02"),
    ];
    for (expected, codes) in cases {
        for code in codes.split(' ') {
            let raise = format!("do $$ begin raise exception 'test' using errcode = '{code}'; end $$");
            let raised = sqlx::raw_sql(sqlx::AssertSqlSafe(raise)).execute(&mut connection).await;
            assert_eq!(Error::from(raised.expect_err("raised")).kind(), expected, "{code}");
        }
    }
    connection.close().await.expect("closed");
    database.close().await;
}
