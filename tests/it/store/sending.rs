//! Taking messages to send them: each is one's alone, a late writer changes nothing, and what can't be delivered is told.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use turnus::domain::id::Name;
use turnus::domain::notification::{Delivery, Kind};
use turnus::edge::store::Store;
use turnus::edge::store::notification::attempt::{
    Attempt, Blame, mark_overtaken, mark_put_off, mark_sent, mark_undeliverable, renew,
};
use turnus::edge::store::notification::desk::{Answer, Overview, cancel, read_overview, retry};
use turnus::edge::store::notification::lease::{Claim, claim_due};
use turnus::edge::store::notification::{StoredNotification, find_notification};

use super::name;
use super::notification::{outbox, say, store_contacts};
use super::occurrence::{insert, on};
use crate::kit::database::Database;

/// Reminders of one date to one contact.
async fn store_reminders(store: &Store, count: usize) {
    store_contacts(store).await;
    let new = on("nordwind", "2027-03-26");
    insert(store, std::slice::from_ref(&new)).await;
    for lead in 1..=count {
        say(store, Kind::Reminder, new.id, Some(&format!("{lead}d"))).await;
    }
}

async fn claim(store: &Store, by: &str, limit: u32) -> Vec<StoredNotification> {
    claim_at(store, by, limit, Timestamp::now() + SignedDuration::from_secs(1)).await
}

async fn claim_at(store: &Store, by: &str, limit: u32, now: Timestamp) -> Vec<StoredNotification> {
    let claim = Claim { by, lease: Duration::from_secs(60), domain: "provider.example", now, limit };
    let mut transaction = store.begin().await.expect("begin");
    let taken = claim_due(&mut transaction, &claim).await.expect("taken");
    transaction.commit().await.expect("commit");
    taken.messages
}

async fn find(store: &Store, number: i64) -> StoredNotification {
    let mut connection = store.pool().acquire().await.expect("a connection");
    find_notification(&mut connection, number).await.expect("found").expect("there")
}

async fn let_leases_lapse(store: &Store) {
    let lapsed = "update notification set leased_until = clock_timestamp() - interval '1 ms' where state = 'leased'";
    sqlx::query(lapsed).execute(&store.pool()).await.expect("they lapse");
}

#[tokio::test]
async fn what_is_taken_is_taken_once_counted_and_named_for_good() {
    let database = Database::open().await;
    let store = database.store().await;
    store_reminders(&store, 3).await;
    let first = claim(&store, "one:1", 2).await;
    assert_eq!(first.iter().map(|message| message.number).collect::<Vec<_>>(), [1, 2], "the oldest first");
    let message = &first[0];
    assert_eq!((message.state, message.sending.attempts), (Delivery::Leased, 1));
    assert_eq!(message.sending.message_id, Some(format!("{}@provider.example", message.id)));
    let (by, until) = message.sending.lease.clone().expect("leased");
    let left_s = until.duration_since(Timestamp::now()).as_secs_f64();
    assert!(by == "one:1" && (50.0..=60.0).contains(&left_s), "{by} {left_s}");

    assert_eq!(claim(&store, "two:2", 10).await.iter().map(|message| message.number).collect::<Vec<_>>(), [3]);
    assert_eq!(claim(&store, "two:2", 10).await, []);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn what_was_put_off_is_left_until_then() {
    let database = Database::open().await;
    let store = database.store().await;
    store_reminders(&store, 1).await;
    let now = Timestamp::now() + SignedDuration::from_secs(1);
    let taken = claim_at(&store, "one:1", 1, now).await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    let later = now + SignedDuration::from_hours(1);
    let attempt = Attempt::of(&taken[0], "one:1");
    let put_off = mark_put_off(&mut connection, &attempt, ("451 later", Blame::Message), later).await;
    assert!(put_off.expect("written"));
    assert_eq!(claim_at(&store, "one:1", 1, later - SignedDuration::from_secs(1)).await, []);
    let again = claim_at(&store, "two:2", 1, later).await;
    let sending = &again[0].sending;
    assert_eq!((sending.attempts, sending.refusals, sending.last_error.as_deref()), (2, 1, Some("451 later")));
    assert_eq!(sending.message_id, taken[0].sending.message_id, "the same message");
    let attempt = Attempt::of(&again[0], "two:2");
    let put_off = mark_put_off(&mut connection, &attempt, ("no line", Blame::Outage), later).await;
    assert!(put_off.expect("written"));
    assert_eq!(find(&store, 1).await.sending.refusals, 1, "no fault of the message");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_lapsed_lease_is_taken_again_first_and_its_late_holder_changes_nothing() {
    let database = Database::open().await;
    let store = database.store().await;
    store_reminders(&store, 2).await;
    let lost = claim(&store, "one:1", 1).await;
    let_leases_lapse(&store).await;
    let taken = claim(&store, "one:1", 1).await;
    assert_eq!((taken[0].number, taken[0].sending.attempts), (1, 2), "even if the name is the same");
    assert_eq!(taken[0].sending.message_id, lost[0].sending.message_id);

    let before = find(&store, 1).await;
    let late = Attempt::of(&lost[0], "one:1");
    let other = Attempt { by: "two:2", ..Attempt::of(&taken[0], "") };
    let mut connection = store.pool().acquire().await.expect("a connection");
    let later = Timestamp::now();
    for attempt in [late, other] {
        let second = Duration::from_secs(1);
        assert!(!renew(&mut connection, &attempt, second).await.expect("asked"));
        assert!(!mark_sent(&mut connection, &attempt).await.expect("asked"));
        assert!(!mark_overtaken(&mut connection, &attempt, "why").await.expect("asked"));
        assert!(!mark_put_off(&mut connection, &attempt, ("why", Blame::Message), later).await.expect("asked"));
        assert!(!mark_undeliverable(&mut connection, &attempt, "why").await.expect("asked"));
    }
    assert_eq!(find(&store, 1).await, before);
    assert_eq!(outbox(&store).await.len(), 2, "the team is not told either");

    let attempt = Attempt::of(&taken[0], "one:1");
    assert!(renew(&mut connection, &attempt, Duration::from_secs(600)).await.expect("asked"));
    assert!(mark_sent(&mut connection, &attempt).await.expect("asked"));
    assert!(!mark_sent(&mut connection, &attempt).await.expect("asked"), "sent is sent");
    let sent = find(&store, 1).await;
    assert_eq!((sent.state, sent.sending.lease.clone(), sent.sending.last_error.clone()), (Delivery::Sent, None, None));
    assert!(sent.sending.ended_at.is_some());
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn of_three_that_take_at_once_each_message_is_one_s_alone() {
    let database = Database::open().await;
    let stores = [database.store().await, database.store().await, database.store().await].map(Arc::new);
    store_reminders(&stores[0], 60).await;
    let mut tasks = tokio::task::JoinSet::new();
    for (index, store) in stores.iter().cloned().enumerate() {
        tasks.spawn(async move {
            let mut numbers = Vec::new();
            loop {
                let taken = claim(&store, &format!("sender:{index}"), 3).await;
                if taken.is_empty() {
                    return numbers;
                }
                assert!(taken.iter().all(|message| message.sending.attempts == 1), "{taken:?}");
                numbers.extend(taken.iter().map(|message| message.number));
            }
        });
    }
    let mut all: Vec<i64> = tasks.join_all().await.into_iter().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (1..=60).collect::<Vec<_>>());
    for store in stores {
        Arc::into_inner(store).expect("nobody else has it").close().await.expect("closed");
    }
    database.close().await;
}

#[tokio::test]
async fn a_message_that_is_locked_is_passed_over() {
    let database = Database::open().await;
    let store = database.store().await;
    store_reminders(&store, 2).await;
    let mut other = store.begin().await.expect("begin");
    sqlx::query("select from notification where number = 1 for update").execute(&mut *other).await.expect("locked");
    let taken = claim(&store, "one:1", 10).await;
    assert_eq!(taken.iter().map(|message| message.number).collect::<Vec<_>>(), [2]);
    other.rollback().await.expect("rolled back");
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_message_that_can_not_be_read_is_put_off_with_its_error_and_holds_up_no_other() {
    let database = Database::open().await;
    let store = database.store().await;
    store_reminders(&store, 2).await;
    sqlx::query("update notification set locale = 'xx' where number = 1").execute(&store.pool()).await.expect("odd");
    let taken = claim(&store, "one:1", 10).await;
    assert_eq!(taken.iter().map(|message| message.number).collect::<Vec<_>>(), [2]);
    assert_eq!(claim(&store, "one:1", 10).await, [], "not at once again");
    let (state, error): (String, String) =
        sqlx::query_as("select state, last_error from notification where number = 1")
            .fetch_one(&store.pool())
            .await
            .expect("there");
    assert_eq!(state, "due");
    assert!(error.starts_with("cannot make sense of `notification.locale`"), "{error}");
    store.close().await.expect("closed");
    database.close().await;
}

/// Everything that is left in the outbox, as kind, recipient and state.
async fn states(store: &Store) -> Vec<(Kind, String, Delivery)> {
    let mut rows = outbox(store).await;
    rows.reverse();
    rows.into_iter().map(|row| (row.kind, row.recipient, row.state)).collect()
}

#[tokio::test]
async fn what_can_not_be_delivered_is_told_to_the_team_once_for_each_time_and_never_of_itself() {
    let database = Database::open().await;
    let store = database.store().await;
    store_reminders(&store, 1).await;
    let taken = claim(&store, "one:1", 1).await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    let attempt = Attempt::of(&taken[0], "one:1");
    assert!(mark_undeliverable(&mut connection, &attempt, "550 no such user").await.expect("written"));
    let it = "IT@nordwind.example".to_owned();
    let team = "team@provider.example".to_owned();
    let mut expected =
        vec![(Kind::Reminder, it.clone(), Delivery::Undeliverable), (Kind::Undeliverable, team.clone(), Delivery::Due)];
    assert_eq!(states(&store).await, expected);
    let told = &outbox(&store).await[0];
    let about = json!({"number": 1, "kind": "reminder", "recipient": it, "error": "550 no such user"});
    assert_eq!((&told.detail, told.customer.as_ref()), (&about, Some(&name("nordwind"))));

    let of_team = claim(&store, "one:1", 1).await;
    let attempt = Attempt::of(&of_team[0], "one:1");
    assert!(mark_undeliverable(&mut connection, &attempt, "550 no such user").await.expect("written"));
    expected[1].2 = Delivery::Undeliverable;
    assert_eq!(states(&store).await, expected, "nobody is told of what nobody could be told");

    let done = retry(&mut connection, 1).await.expect("asked");
    assert!(matches!(done, Answer::Done { from: Delivery::Undeliverable, .. }), "{done:?}");
    let again = claim(&store, "one:1", 1).await;
    let attempt = Attempt::of(&again[0], "one:1");
    assert!(mark_undeliverable(&mut connection, &attempt, "550 still none").await.expect("written"));
    expected.push((Kind::Undeliverable, team, Delivery::Due));
    assert_eq!(states(&store).await, expected, "another failure");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn the_team_is_not_written_to_about_its_own_address() {
    let database = Database::open().await;
    let store = database.store().await;
    store_contacts(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    say(&store, Kind::ReviewNeeded, new.id, None).await;
    let taken = claim(&store, "one:1", 1).await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    assert!(mark_undeliverable(&mut connection, &Attempt::of(&taken[0], "one:1"), "550").await.expect("written"));
    assert_eq!(outbox(&store).await.len(), 1);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn people_have_messages_tried_again_or_not_sent_unless_somebody_sends_them() {
    let database = Database::open().await;
    let store = database.store().await;
    store_reminders(&store, 3).await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    let put_off = "update notification set not_before = now() + interval '1 hour', refusals = 9, last_error = '451' where number = 1";
    sqlx::query(put_off).execute(&mut *connection).await.expect("put off");
    let nordwind: Name = name("nordwind");
    match retry(&mut connection, 1).await.expect("asked") {
        Answer::Done { customer, occurrence, from, readdressed } => {
            assert_eq!((customer, from, readdressed), (Some(nordwind), Delivery::Due, None));
            assert!(occurrence.is_some());
        }
        other => panic!("{other:?}"),
    }
    let due = find(&store, 1).await.sending;
    assert!(due.not_before <= Timestamp::now() && due.refusals == 0, "{due:?}");
    assert_eq!(due.last_error.as_deref(), Some("451"), "until it is known better");

    let done = cancel(&mut connection, 2, "cancelled by anna").await.expect("asked");
    assert!(matches!(done, Answer::Done { from: Delivery::Due, .. }), "{done:?}");
    let cancelled = find(&store, 2).await;
    assert_eq!(
        (cancelled.state, cancelled.sending.last_error.as_deref()),
        (Delivery::Cancelled, Some("cancelled by anna"))
    );
    assert!(cancelled.sending.ended_at.is_some());
    assert_eq!(retry(&mut connection, 2).await.expect("asked"), Answer::Not(Delivery::Cancelled));

    let taken = claim(&store, "one:1", 5).await;
    assert_eq!(taken.len(), 2);
    for number in [1, 3] {
        assert_eq!(retry(&mut connection, number).await.expect("asked"), Answer::Not(Delivery::Leased));
        assert_eq!(cancel(&mut connection, number, "x").await.expect("asked"), Answer::Not(Delivery::Leased));
    }
    assert_eq!(cancel(&mut connection, 99, "x").await.expect("asked"), Answer::NoSuchMessage);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn an_overview_counts_what_is_not_sent() {
    let database = Database::open().await;
    let store = database.store().await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    assert_eq!(read_overview(&mut connection).await.expect("asked"), Overview::default());
    store_reminders(&store, 5).await;
    let taken = claim(&store, "one:1", 3).await;
    mark_sent(&mut connection, &Attempt::of(&taken[0], "one:1")).await.expect("written");
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    let attempt = Attempt::of(&taken[1], "one:1");
    mark_put_off(&mut connection, &attempt, ("no line", Blame::Outage), later).await.expect("written");
    mark_undeliverable(&mut connection, &Attempt::of(&taken[2], "one:1"), "550").await.expect("written");
    let overview = read_overview(&mut connection).await.expect("asked");
    let expected = Overview {
        // Two never tried, one put off, one to the team.
        waiting: 4,
        waiting_since: overview.waiting_since,
        failing: 1,
        last_error: Some("no line".to_owned()),
        undeliverable: 1,
    };
    assert_eq!(overview, expected);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}
