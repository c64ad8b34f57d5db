//! Runs are created whole, once, and hold their hosts alone.

use turnus::domain::id::{ContentHash, RunId};
use turnus::domain::plan::HostIndex;
use turnus::domain::run::event::Outcome;
use turnus::domain::run::event::RunState;
use turnus::edge::store::error::{Error, Kind};
use turnus::edge::store::record::Batch;
use turnus::edge::store::run::create::{Created, NewRun, create_run};
use turnus::edge::store::run::{
    CancelAnswer, Filter, RunNumber, Show, find_run, list_lapsed_runs, list_runs, request_cancel,
};

use super::{create, let_lapse, name, plan_for, store_revisions, take, try_create, write};
use crate::kit::database::Database;

#[tokio::test]
async fn a_run_comes_back_as_it_was_stored() {
    let database = Database::open().await;
    let store = database.store().await;
    let (id, number) = create(&store, &["mail01", "web01"]).await;

    let mut connection = store.pool().acquire().await.expect("a connection");
    let found = find_run(&mut connection, number).await.expect("found").expect("there");
    assert_eq!(found.id, id);
    assert_eq!(found.plan, plan_for("nordwind", &["mail01", "web01"]));
    assert_eq!(found.plan_hash, ContentHash::of(b"plan"));
    assert_eq!((found.reason.as_deref(), found.started_by.as_str()), (Some("test"), "anna"));
    assert_eq!((found.state, found.epoch.0), (RunState::Running, 0));
    assert_eq!((found.finished_at, found.lease, found.cancel_request), (None, None, None));
    assert_eq!(find_run(&mut connection, RunNumber(number.0 + 1)).await.expect("asked"), None);

    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn the_same_request_twice_is_one_run() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    let plan = plan_for("nordwind", &["mail01"]);

    let (first, created) = try_create(&store, &plan, Some("request-1")).await.expect("created");
    let Created::New { number, .. } = created else { panic!("{created:?}") };
    let (_, again) = try_create(&store, &plan, Some("request-1")).await.expect("answered");
    assert_eq!(again, Created::Existing { id: first, number });

    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_host_in_an_unfinished_run_is_refused_with_host_and_run() {
    let database = Database::open().await;
    let store = database.store().await;
    let (_, number) = create(&store, &["mail01", "web01"]).await;

    let refused = try_create(&store, &plan_for("nordwind", &["app01", "web01", "mail01"]), None).await;
    let refused = refused.expect_err("two hosts are busy");
    assert_eq!(refused.kind(), Kind::Conflict);
    assert_eq!(refused.to_string(), format!("host `mail01` of `nordwind` is in run {number}, which has not ended"));
    // Nothing of the refused run is left: its free host can be taken.
    try_create(&store, &plan_for("nordwind", &["app01"]), None).await.expect("app01 is free");
    // The same name at another customer is another host.
    try_create(&store, &plan_for("suedwind", &["mail01"]), None).await.expect("another mail01");

    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_refused_run_leaves_the_callers_transaction_usable() {
    let database = Database::open().await;
    let store = database.store().await;
    create(&store, &["mail01"]).await;

    let plan = plan_for("nordwind", &["app01", "mail01"]);
    let hash = ContentHash::of(b"plan");
    let new = NewRun {
        id: RunId(uuid::Uuid::now_v7()),
        plan: &plan,
        plan_hash: &hash,
        reason: None,
        started_by: "anna",
        idempotency_key: None,
        occurrence: None,
        lease: None,
    };
    let mut transaction = store.begin().await.expect("begin");
    let refused = create_run(&mut transaction, &new).await;
    assert!(matches!(refused, Err(Error::HostBusy { .. })), "{refused:?}");
    let all = Filter { customer: None, show: Show::All, limit: 10 };
    assert_eq!(list_runs(&mut transaction, all).await.expect("still usable").len(), 1);
    transaction.commit().await.expect("commit");

    let held: i64 =
        sqlx::query_scalar("select count(*) from host_run").fetch_one(&store.pool()).await.expect("counted");
    assert_eq!(held, 1);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn of_two_that_want_one_host_one_gets_it() {
    let database = Database::open().await;
    let (left, right) = (database.store().await, database.store().await);
    store_revisions(&left).await;
    for round in 0..20 {
        let (shared, one, other) = (format!("shared{round}"), format!("a{round}"), format!("z{round}"));
        // In opposite order: that must not become a deadlock.
        let left_plan = plan_for("nordwind", &[&one, &shared, &other]);
        let right_plan = plan_for("nordwind", &[&other, &shared, &one]);
        let outcomes = tokio::join!(try_create(&left, &left_plan, None), try_create(&right, &right_plan, None));
        let outcomes = [outcomes.0, outcomes.1];
        let won = outcomes.iter().filter(|outcome| matches!(outcome, Ok((_, Created::New { .. })))).count();
        let lost = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::HostBusy { .. }))).count();
        assert_eq!((won, lost), (1, 1), "{outcomes:?}");
    }
    left.close().await.expect("closed");
    right.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn of_two_with_one_key_both_get_the_same_run() {
    let database = Database::open().await;
    let (left, right) = (database.store().await, database.store().await);
    store_revisions(&left).await;
    for round in 0..20 {
        let host = format!("web{round}");
        let plan = plan_for("nordwind", &[&host]);
        let key = format!("key-{round}");
        let outcomes = tokio::join!(try_create(&left, &plan, Some(&key)), try_create(&right, &plan, Some(&key)));
        let outcomes = [outcomes.0.expect("answered"), outcomes.1.expect("answered")];
        let new = outcomes.iter().find_map(|(id, created)| match created {
            Created::New { number, .. } => Some((*id, *number)),
            Created::Existing { .. } => None,
        });
        let (id, number) = new.expect("one of them made it");
        let existing = Created::Existing { id, number };
        assert_eq!(outcomes.iter().filter(|(_, created)| *created == existing).count(), 1, "{outcomes:?}");
    }
    left.close().await.expect("closed");
    right.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn lists_filter_by_customer_and_state() {
    let database = Database::open().await;
    let store = database.store().await;
    let (first, first_number) = create(&store, &["mail01"]).await;
    let (_, second_number) = create(&store, &["web01"]).await;
    let (_, third) = try_create(&store, &plan_for("suedwind", &["db01"]), None).await.expect("created");
    let Created::New { number: third_number, .. } = third else { panic!("{third:?}") };
    let epoch = take(&store, first, "one:1").await.expect("free");
    let last =
        Batch { state: Some(RunState::Succeeded), hosts: vec![(HostIndex(0), Outcome::Updated)], ..Batch::default() };
    write(&store, first, epoch, &last).await.expect("finished");

    let mut connection = store.pool().acquire().await.expect("a connection");
    let (nordwind, all) = (name("nordwind"), Filter { customer: None, show: Show::All, limit: 10 });
    let cases = [
        (all, vec![third_number, second_number, first_number]),
        (Filter { limit: 2, ..all }, vec![third_number, second_number]),
        (Filter { show: Show::Open, ..all }, vec![third_number, second_number]),
        (Filter { customer: Some(&nordwind), ..all }, vec![second_number, first_number]),
        (Filter { customer: Some(&nordwind), show: Show::Open, limit: 10 }, vec![second_number]),
    ];
    for (filter, expected) in cases {
        let rows = list_runs(&mut connection, filter).await.expect("listed");
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), expected, "{filter:?}");
    }
    let ended = list_runs(&mut connection, all).await.expect("listed").pop().expect("the first");
    assert!(ended.finished_at.is_some_and(|finished_at| finished_at >= ended.created_at), "{ended:?}");
    assert_eq!((ended.state, ended.customer, ended.job), (RunState::Succeeded, nordwind, name("debian-quarterly")));

    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn lapsed_are_running_runs_without_a_living_lease() {
    let database = Database::open().await;
    let store = database.store().await;
    let (driven, driven_number) = create(&store, &["web01"]).await;
    let (_, never_driven) = create(&store, &["web02"]).await;
    let (waiting, _) = create(&store, &["web03"]).await;
    take(&store, driven, "one:1").await.expect("free");
    let epoch = take(&store, waiting, "one:1").await.expect("free");
    let suspend = Batch { state: Some(RunState::Suspended), ..Batch::default() };
    write(&store, waiting, epoch, &suspend).await.expect("suspended");

    let mut connection = store.pool().acquire().await.expect("a connection");
    let lapsed = list_lapsed_runs(&mut connection).await.expect("listed");
    assert_eq!(lapsed.iter().map(|row| row.number).collect::<Vec<_>>(), [never_driven]);
    let_lapse(&store).await;
    let lapsed = list_lapsed_runs(&mut connection).await.expect("listed");
    assert_eq!(lapsed.iter().map(|row| row.number).collect::<Vec<_>>(), [driven_number, never_driven]);
    let lease = lapsed[0].lease.clone().expect("it had one");
    assert_eq!((lease.owner.as_str(), lease.alive), ("one:1", false));

    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_wish_to_stop_is_noted_once_and_told_to_listeners() {
    let database = Database::open().await;
    let store = database.store().await;
    let (id, number) = create(&store, &["mail01"]).await;
    let mut listener = sqlx::postgres::PgListener::connect(&database.url()).await.expect("listening");
    listener.listen("turnus_run").await.expect("listening");

    let mut connection = store.pool().acquire().await.expect("a connection");
    assert_eq!(request_cancel(&mut connection, number, "ben").await.expect("asked"), CancelAnswer::Requested);
    assert_eq!(request_cancel(&mut connection, number, "eve").await.expect("asked"), CancelAnswer::AlreadyRequested);
    let unknown = request_cancel(&mut connection, RunNumber(number.0 + 1), "ben").await.expect("asked");
    assert_eq!(unknown, CancelAnswer::NoSuchRun);

    let told = tokio::time::timeout(std::time::Duration::from_secs(60), listener.recv()).await;
    assert_eq!(told.expect("in time").expect("told").payload(), id.to_string());
    let request = find_run(&mut connection, number).await.expect("found").expect("there").cancel_request;
    assert_eq!(request.expect("noted").by, "ben");

    let epoch = take(&store, id, "one:1").await.expect("free");
    let last = Batch {
        state: Some(RunState::Cancelled),
        hosts: vec![(HostIndex(0), Outcome::NothingToDo)],
        ..Batch::default()
    };
    write(&store, id, epoch, &last).await.expect("ended");
    let late = request_cancel(&mut connection, number, "ben").await.expect("asked");
    assert_eq!(late, CancelAnswer::HasEnded(RunState::Cancelled));

    drop((connection, listener));
    store.close().await.expect("closed");
    database.close().await;
}
