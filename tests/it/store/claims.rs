//! What is due is handed to one controller, found without reading what is not due, and becomes one run however many want it.

use std::sync::Arc;

use turnus::domain::id::{OccurrenceId, RunId};
use turnus::domain::occurrence::{OccurrenceEvent, OccurrenceState};
use turnus::edge::store::Store;
use turnus::edge::store::applied::list_to_extend;
use turnus::edge::store::error::Error;
use turnus::edge::store::limit::{Running, count_running, lock_openings};
use turnus::edge::store::occurrence::change::open_occurrence;
use turnus::edge::store::occurrence::claim::{
    claim_notices, claim_occurrence, claim_reviews, list_due, set_next_notice, set_review,
};
use turnus::edge::store::run::create::{Created, NewRun, create_run};
use turnus::edge::store::run::list_lapsed_runs;

use super::occurrence::{before, find, insert, instant, on, open, step};
use super::{name, plan_for, store_revisions, try_create};
use crate::kit::database::{Database, execute};

#[tokio::test]
async fn what_has_begun_is_due_until_it_is_dealt_with_the_earliest_first() {
    let database = Database::open().await;
    let store = database.store().await;
    let dates = [on("nordwind", "2027-03-27"), on("nordwind", "2027-03-26"), on("nordwind", "2027-03-28")];
    insert(&store, &dates).await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    let mut due = async |now: &str, limit| list_due(&mut connection, instant(now), limit).await.expect("listed");
    assert_eq!(due("2027-03-26T12:59:59.999999Z", 9).await, []);
    assert_eq!(due("2027-03-26T13:00:00Z", 9).await, [dates[1].id]);
    assert_eq!(due("2028-01-01T00:00:00Z", 2).await, [dates[1].id, dates[0].id]);

    step(&store, dates[1].id, OccurrenceState::Planned, OccurrenceEvent::Miss).await.expect("missed");
    let left = list_due(&mut connection, instant("2028-01-01T00:00:00Z"), 9).await.expect("listed");
    assert_eq!(left, [dates[0].id, dates[2].id]);
    assert_eq!(claim_occurrence(&mut connection, dates[1].id).await.expect("asked"), None, "it is not ahead");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn what_one_controller_is_at_is_passed_over_by_the_other() {
    let database = Database::open().await;
    let (left, right) = (database.store().await, database.store().await);
    let dates: Vec<_> = (1..=10).map(|day| on("nordwind", &format!("2027-03-{day:02}"))).collect();
    insert(&left, &dates).await;
    let notice = dates[9].next_notice.expect("set");

    let mut one = left.begin().await.expect("begin");
    let mut other = right.begin().await.expect("begin");
    let first = claim_notices(&mut one, notice, 4).await.expect("claimed");
    let second = claim_notices(&mut other, notice, 100).await.expect("claimed");
    assert_eq!((first.len(), second.len()), (4, 6), "without waiting");
    assert_eq!(claim_occurrence(&mut other, first[0].id).await.expect("asked"), None, "held by the first");
    one.rollback().await.expect("rolled back");
    assert!(claim_occurrence(&mut other, first[0].id).await.expect("asked").is_some(), "given back as it was");
    drop(other);
    left.close().await.expect("closed");
    right.close().await.expect("closed");
    database.close().await;
}

/// Tries to open an occurrence as a daemon does: what somebody else is at, or has opened, is left alone.
async fn try_open(store: Arc<Store>, id: OccurrenceId, host: &str, controller: &str) -> Result<bool, Error> {
    let now = instant("2027-03-26T13:00:01Z");
    let mut transaction = store.begin().await?;
    let Some(occurrence) = claim_occurrence(&mut transaction, id).await? else { return Ok(false) };
    lock_openings(&mut transaction).await?;
    let plan = plan_for(occurrence.customer.as_str(), &[host]);
    let plan_hash = plan.hash();
    let new = NewRun {
        id: RunId(uuid::Uuid::now_v7()),
        plan: &plan,
        plan_hash: &plan_hash,
        reason: None,
        started_by: controller,
        idempotency_key: None,
        occurrence: Some(id),
        lease: Some(controller),
    };
    let created = create_run(&mut transaction, &new).await?;
    assert!(matches!(created, Created::New { epoch: Some(_), .. }), "{created:?}");
    assert!(open_occurrence(&mut transaction, id, new.id, now).await?);
    transaction.commit().await?;
    Ok(true)
}

#[tokio::test]
async fn of_three_controllers_that_race_for_an_occurrence_one_starts_its_run() {
    let database = Database::open().await;
    let stores = [database.store().await, database.store().await, database.store().await].map(Arc::new);
    store_revisions(&stores[0]).await;
    for round in 1..=20 {
        let new = on("nordwind", &format!("2027-03-{round:02}"));
        insert(&stores[0], std::slice::from_ref(&new)).await;
        let host = format!("host{round}");
        let opened = tokio::join!(
            try_open(stores[0].clone(), new.id, &host, "one:1"),
            try_open(stores[1].clone(), new.id, &host, "two:2"),
            try_open(stores[2].clone(), new.id, &host, "three:3"),
        );
        let opened = [opened.0, opened.1, opened.2].map(|opened| opened.expect("nobody fails"));
        assert_eq!(opened.iter().filter(|opened| **opened).count(), 1, "{opened:?}");
        assert_eq!(find(&stores[0], new.id).await.state, OccurrenceState::Open);
    }
    let runs: i64 = sqlx::query_scalar("select count(*) from run where occurrence is not null and epoch = 1")
        .fetch_one(&stores[0].pool())
        .await
        .expect("counted");
    assert_eq!(runs, 20);
    for store in stores {
        Arc::into_inner(store).expect("nobody else has it").close().await.expect("closed");
    }
    database.close().await;
}

#[tokio::test]
async fn without_the_lock_the_key_decides_between_two_runs_of_an_occurrence() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let opened = tokio::join!(open(&store, new.id, "mail01"), open(&store, new.id, "web01"));
    let opened = [opened.0, opened.1];
    assert_eq!(opened.iter().filter(|opened| opened.is_ok()).count(), 1, "{opened:?}");
    let runs: i64 = sqlx::query_scalar("select count(*) from run").fetch_one(&store.pool()).await.expect("counted");
    assert_eq!(runs, 1, "the other left nothing behind");
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn an_occurrence_that_makes_no_sense_does_not_keep_the_others_from_being_due() {
    let database = Database::open().await;
    let store = database.store().await;
    let (broken, sound) = (on("nordwind", "2027-03-26"), on("suedstern", "2027-03-27"));
    insert(&store, &[broken.clone(), sound.clone()]).await;
    let mut outside = database.connect().await;
    let break_it = "update occurrence set reasons = '[{\"why\": \"from the future\"}]' where customer = 'nordwind'";
    execute(&mut outside, break_it.to_owned()).await;

    let now = instant("2028-01-01T00:00:00Z");
    let mut transaction = store.begin().await.expect("begin");
    assert_eq!(list_due(&mut transaction, now, 9).await.expect("listed"), [broken.id, sound.id]);
    let notice = sound.next_notice.expect("set");
    let claimed = claim_notices(&mut transaction, notice, 9).await.expect("claimed");
    assert_eq!(claimed.iter().map(|row| row.id).collect::<Vec<_>>(), [sound.id]);
    let alone = claim_occurrence(&mut transaction, broken.id).await.expect_err("it can't be read");
    assert!(matches!(alone, Error::Unreadable { what: "occurrence.reasons", .. }), "{alone:?}");
    drop((transaction, outside));
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn notices_and_reviews_are_due_until_they_are_set_anew() {
    let database = Database::open().await;
    let store = database.store().await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let (notice, review) = (new.next_notice.expect("set"), new.review.expect("set"));
    let moment = jiff::SignedDuration::from_micros(1);
    let mut transaction = store.begin().await.expect("begin");
    assert_eq!(claim_notices(&mut transaction, notice - moment, 9).await.expect("claimed").len(), 0);
    assert_eq!(claim_notices(&mut transaction, notice, 9).await.expect("claimed").len(), 1);
    set_next_notice(&mut transaction, new.id, Some(notice + moment)).await.expect("set");
    assert_eq!(claim_notices(&mut transaction, notice, 9).await.expect("claimed").len(), 0);
    assert_eq!(claim_notices(&mut transaction, notice + moment, 9).await.expect("claimed").len(), 1);
    set_next_notice(&mut transaction, new.id, None).await.expect("set");
    assert_eq!(claim_notices(&mut transaction, new.start - moment, 9).await.expect("claimed").len(), 0);

    assert_eq!(claim_reviews(&mut transaction, review - moment, 9).await.expect("claimed").len(), 0);
    assert_eq!(claim_reviews(&mut transaction, review, 9).await.expect("claimed").len(), 1);
    set_review(&mut transaction, new.id, None).await.expect("set");
    assert_eq!(claim_reviews(&mut transaction, new.start - moment, 9).await.expect("claimed").len(), 0);
    transaction.commit().await.expect("commit");
    store.close().await.expect("closed");
    database.close().await;
}

/// 10,000 customers with four windows each, published, dated and told; none of it due.
async fn fill(database: &Database) {
    let mut connection = database.connect().await;
    let fill = "
        insert into revision (hash, kind, name, content) values (repeat('a', 64), 'inventory', 'x', 'x');
        insert into applied (kind, name, revision, applied_by, materialised_until)
            select 'inventory', 'customer-' || n, repeat('a', 64), 'anna', timestamptz '2028-01-01' from generate_series(1, 10000) n;
        insert into occurrence (id, customer, window_name, recurrence_id, job, time_zone, local_start, start_at, latest_start_at, end_at,
                                reasons, next_notice_at, review_at)
            select gen_random_uuid(), 'customer-' || n % 10000, 'window-' || n / 10000, at at time zone 'UTC', 'job', 'UTC',
                   at at time zone 'UTC', at, at + interval '3 h', at + interval '4 h', '[]', at - interval '14 d', at - interval '3 d'
            from (select n, timestamptz '2027-03-01' + n * interval '1 min' as at from generate_series(1, 40000) n) as dated;
        insert into run (id, customer, job, plan, plan_hash, customer_revision, job_revision, started_by, state, finished_at)
            select gen_random_uuid(), 'customer-' || n, 'job', '{}', repeat('a', 64), repeat('a', 64), repeat('a', 64), 'anna',
                   'succeeded', now()
            from generate_series(1, 10000) n;
        analyze";
    execute(&mut connection, fill.to_owned()).await;
}

#[tokio::test]
async fn a_tick_with_nothing_due_reads_no_table() {
    let database = Database::open().await;
    let store = database.store().await;
    fill(&database).await;
    let mut transaction = store.begin().await.expect("begin");
    // More often than the server plans for the very values.
    for _ in 0..10 {
        assert_eq!(list_due(&mut transaction, before(), 50).await.expect("asked"), []);
        assert_eq!(claim_notices(&mut transaction, before(), 50).await.expect("asked"), []);
        assert_eq!(claim_reviews(&mut transaction, before(), 50).await.expect("asked"), []);
        assert_eq!(list_to_extend(&mut transaction, before(), 50).await.expect("asked"), []);
        assert_eq!(list_lapsed_runs(&mut transaction).await.expect("asked"), []);
        let running = count_running(&mut transaction, &name("customer-1")).await.expect("asked");
        assert_eq!(running, Running { all: 0, of_customer: 0 });
    }
    let read: Vec<(String, i64, i64, bool)> = sqlx::query_as(
        "select relname::text, seq_scan, seq_tup_read + coalesce(idx_tup_fetch, 0), idx_scan > 0 from pg_stat_xact_user_tables
         where relname in ('occurrence', 'applied', 'run') order by relname",
    )
    .fetch_all(&mut *transaction)
    .await
    .expect("counted");
    let nothing = |table: &str| (table.to_owned(), 0, 0, true);
    assert_eq!(
        read,
        [nothing("applied"), nothing("occurrence"), nothing("run")],
        "sequential scans, rows read, index used"
    );
    drop(transaction);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn runs_under_way_are_counted_by_one_controller_at_a_time() {
    let database = Database::open().await;
    let (left, right) = (database.store().await, database.store().await);
    store_revisions(&left).await;
    for customer in ["nordwind", "suedstern"] {
        try_create(&left, &plan_for(customer, &["mail01"]), None).await.expect("created");
    }
    let mut holder = left.begin().await.expect("begin");
    lock_openings(&mut holder).await.expect("free");
    let running = count_running(&mut holder, &name("nordwind")).await.expect("counted");
    assert_eq!(running, Running { all: 2, of_customer: 1 });

    let mut waiting = right.begin().await.expect("begin");
    execute(&mut waiting, "set local lock_timeout = '50ms'".to_owned()).await;
    lock_openings(&mut waiting).await.expect_err("another is counting");
    drop(waiting);
    holder.rollback().await.expect("rolled back");
    let mut next = right.begin().await.expect("begin");
    lock_openings(&mut next).await.expect("free again");
    drop(next);
    left.close().await.expect("closed");
    right.close().await.expect("closed");
    database.close().await;
}
