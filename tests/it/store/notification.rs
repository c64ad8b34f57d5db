//! Who is told what: once per recipient, in the transaction of the cause, and only who asked for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use turnus::domain::id::OccurrenceId;
use turnus::domain::inventory::{CalendarEntry, Locale, Receives};
use turnus::domain::notification::{Delivery, Kind};
use turnus::domain::occurrence::{OccurrenceEvent, OccurrenceState};
use turnus::domain::run::event::RunResult;
use turnus::edge::store::Store;
use turnus::edge::store::applied::contact::{ContactRow, list_receivers, replace_all_contacts};
use turnus::edge::store::notification::{
    Message, NotificationFilter, Sending, StoredNotification, find_notification, list_notifications, tell, withdraw,
};
use turnus::edge::store::occurrence::insert::reinstate;
use turnus::edge::store::record::record;

use super::occurrence::{insert, on, open, step, the_end};
use super::{name, store_revisions};
use crate::kit::database::{Database, execute};

pub(super) fn contact(email: &str, receives: &[Receives]) -> ContactRow {
    ContactRow {
        name: "IT-Leitung".to_owned(),
        email: email.to_owned(),
        locale: Locale::De,
        receives: receives.to_vec(),
        calendar: CalendarEntry::Publish,
    }
}

/// Two contacts of nordwind, one of another customer, one of the team.
pub(super) async fn store_contacts(store: &Store) {
    let mut transaction = store.begin().await.expect("begin");
    let nordwind = vec![
        ContactRow {
            calendar: CalendarEntry::Request,
            ..contact("IT@nordwind.example", &[Receives::Announcement, Receives::Report])
        },
        contact("chef@nordwind.example", &[Receives::Report, Receives::Start]),
    ];
    let other = vec![contact("it@suedstern.example", &[Receives::Announcement, Receives::Report])];
    let team = vec![ContactRow { locale: Locale::En, ..contact("team@provider.example", &[]) }];
    let all = [(Some(&name("nordwind")), nordwind), (Some(&name("suedstern")), other), (None, team)];
    replace_all_contacts(&mut transaction, &all).await.expect("stored");
    transaction.commit().await.expect("commit");
}

pub(super) async fn say(store: &Store, kind: Kind, occurrence: OccurrenceId, lead: Option<&str>) -> u64 {
    let mut connection = store.pool().acquire().await.expect("a connection");
    tell(&mut connection, &Message { kind, occurrence, lead, detail: &json!({}) }).await.expect("told")
}

/// All messages, the latest first.
pub(super) async fn outbox(store: &Store) -> Vec<StoredNotification> {
    let mut connection = store.pool().acquire().await.expect("a connection");
    let all = NotificationFilter { customer: None, occurrence: None, state: None, limit: 1000 };
    list_notifications(&mut connection, all).await.expect("listed")
}

#[tokio::test]
async fn each_kind_goes_to_those_who_asked_for_it() {
    let database = Database::open().await;
    let store = database.store().await;
    store_contacts(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let (announcements, team) = ("IT@nordwind.example", "team@provider.example");
    let cases = [
        (Kind::Announcement, vec![announcements]),
        (Kind::Reminder, vec![announcements]),
        (Kind::Moved, vec![announcements]),
        (Kind::Cancelled, vec![announcements]),
        (Kind::Started, vec!["chef@nordwind.example"]),
        (Kind::Finished, vec![announcements, "chef@nordwind.example"]),
        (Kind::Failed, vec![announcements, "chef@nordwind.example"]),
        (Kind::AcceptanceReminder, vec![announcements, "chef@nordwind.example"]),
        (Kind::PeriodReport, vec![announcements, "chef@nordwind.example"]),
        (Kind::Missed, vec![announcements, team]),
        (Kind::ReviewNeeded, vec![team]),
        (Kind::ReviewReminder, vec![team]),
        (Kind::RunFailed, vec![team]),
        (Kind::Undeliverable, vec![team]),
        (Kind::Answer, vec![team]),
    ];
    for (kind, expected) in cases {
        assert_eq!(say(&store, kind, new.id, None).await, expected.len() as u64, "{kind}");
        let sent = outbox(&store).await;
        let mut recipients: Vec<_> =
            sent.iter().filter(|row| row.kind == kind).map(|row| row.recipient.as_str()).collect();
        recipients.sort_unstable();
        assert_eq!(recipients, expected, "{kind}");
    }
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_message_knows_what_it_is_about() {
    let database = Database::open().await;
    let store = database.store().await;
    store_contacts(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let detail = json!({"lead": "2d", "odd": "zero \0, ünïcode"});
    let mut connection = store.pool().acquire().await.expect("a connection");
    let message = Message { kind: Kind::Reminder, occurrence: new.id, lead: Some("2d"), detail: &detail };
    tell(&mut connection, &message).await.expect("told");

    let listed = outbox(&store).await;
    let [row] = listed.as_slice() else { panic!("{listed:?}") };
    let expected = StoredNotification {
        id: row.id,
        number: row.number,
        kind: Kind::Reminder,
        customer: Some(name("nordwind")),
        occurrence: Some(new.id),
        sequence: Some(0),
        window: Some(name("quarterly")),
        local_start: Some(new.local_start),
        run: None,
        recipient: "IT@nordwind.example".to_owned(),
        recipient_name: "IT-Leitung".to_owned(),
        locale: Locale::De,
        calendar: CalendarEntry::Request,
        detail,
        state: Delivery::Due,
        created_at: row.created_at,
        sending: Sending {
            attempts: 0,
            refusals: 0,
            not_before: row.sending.not_before,
            lease: None,
            message_id: None,
            last_error: None,
            ended_at: None,
        },
    };
    assert_eq!(*row, expected);
    assert_eq!(find_notification(&mut connection, row.number).await.expect("found"), Some(expected));
    assert_eq!(find_notification(&mut connection, row.number + 1).await.expect("asked"), None);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn each_message_comes_once_and_another_lead_is_another_message() {
    let database = Database::open().await;
    let store = database.store().await;
    store_contacts(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    assert_eq!(say(&store, Kind::Reminder, new.id, Some("2d")).await, 1);
    assert_eq!(say(&store, Kind::Reminder, new.id, Some("2d")).await, 0);
    assert_eq!(say(&store, Kind::Reminder, new.id, Some("1h")).await, 1);

    let mut connection = store.pool().acquire().await.expect("a connection");
    let renamed = vec![contact("it@NORDWIND.example", &[Receives::Announcement])];
    replace_all_contacts(&mut connection, &[(Some(&name("nordwind")), renamed)]).await.expect("stored");
    assert_eq!(say(&store, Kind::Reminder, new.id, Some("2d")).await, 0, "the same mailbox");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn of_three_that_tell_the_same_at_once_one_does() {
    let database = Database::open().await;
    let stores = [database.store().await, database.store().await, database.store().await].map(Arc::new);
    store_contacts(&stores[0]).await;
    let new = on("nordwind", "2027-03-26");
    insert(&stores[0], std::slice::from_ref(&new)).await;
    for round in 1..=20 {
        let lead = format!("{round}d");
        let told = tokio::join!(
            say(&stores[0], Kind::Reminder, new.id, Some(&lead)),
            say(&stores[1], Kind::Reminder, new.id, Some(&lead)),
            say(&stores[2], Kind::Reminder, new.id, Some(&lead)),
        );
        assert_eq!(told.0 + told.1 + told.2, 1);
    }
    assert_eq!(outbox(&stores[0]).await.len(), 20);
    for store in stores {
        Arc::into_inner(store).expect("nobody else has it").close().await.expect("closed");
    }
    database.close().await;
}

#[tokio::test]
async fn a_date_that_comes_back_is_announced_anew() {
    let database = Database::open().await;
    let store = database.store().await;
    store_contacts(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    assert_eq!(say(&store, Kind::Announcement, new.id, None).await, 1);
    step(&store, new.id, OccurrenceState::Planned, OccurrenceEvent::Skip).await.expect("skipped");
    let mut connection = store.pool().acquire().await.expect("a connection");
    reinstate(&mut connection, OccurrenceState::Skipped, std::slice::from_ref(&new)).await.expect("taken back");
    assert_eq!(say(&store, Kind::Announcement, new.id, None).await, 1);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_message_is_gone_with_its_cause() {
    let database = Database::open().await;
    let store = database.store().await;
    store_contacts(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let mut transaction = store.begin().await.expect("begin");
    let message = Message { kind: Kind::Announcement, occurrence: new.id, lead: None, detail: &json!({}) };
    assert_eq!(tell(&mut transaction, &message).await.expect("told"), 1);
    transaction.rollback().await.expect("rolled back");
    assert_eq!(outbox(&store).await, []);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn what_was_to_be_told_beforehand_is_withdrawn_unless_it_is_sent() {
    let database = Database::open().await;
    let store = database.store().await;
    store_contacts(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    say(&store, Kind::Announcement, new.id, None).await;
    let sent = "update notification set state = 'sent', ended_at = now()";
    sqlx::query(sent).execute(&store.pool()).await.expect("sent");
    say(&store, Kind::Reminder, new.id, Some("2d")).await;
    say(&store, Kind::Cancelled, new.id, None).await;

    let mut connection = store.pool().acquire().await.expect("a connection");
    assert_eq!(withdraw(&mut connection, new.id).await.expect("withdrawn"), 1);
    assert_eq!(withdraw(&mut connection, new.id).await.expect("asked"), 0);
    let states: Vec<_> = outbox(&store).await.iter().map(|row| (row.kind, row.state)).collect();
    let expected =
        [(Kind::Cancelled, Delivery::Due), (Kind::Reminder, Delivery::Cancelled), (Kind::Announcement, Delivery::Sent)];
    assert_eq!(states, expected);
    let due = NotificationFilter {
        customer: Some(&name("nordwind")),
        occurrence: Some(new.id),
        state: Some(Delivery::Due),
        limit: 10,
    };
    assert_eq!(list_notifications(&mut connection, due).await.expect("listed").len(), 1);
    let others = NotificationFilter { customer: Some(&name("suedstern")), ..due };
    assert_eq!(list_notifications(&mut connection, others).await.expect("listed"), []);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn contacts_are_replaced_as_a_whole_and_an_address_is_there_once() {
    let database = Database::open().await;
    let store = database.store().await;
    store_contacts(&store).await;
    let twice = vec![
        contact("it@nordwind.example", &[Receives::Report]),
        contact("IT@nordwind.example", &[Receives::Announcement]),
    ];
    let mut connection = store.pool().acquire().await.expect("a connection");
    let (nordwind, suedstern) = (name("nordwind"), name("suedstern"));
    let replaced = [(Some(&nordwind), twice), (Some(&suedstern), Vec::new())];
    replace_all_contacts(&mut connection, &replaced).await.expect("stored");
    let receivers = list_receivers(&mut connection, &[nordwind.clone(), suedstern]).await.expect("listed");
    let expected = BTreeMap::from([(nordwind, vec!["it@nordwind.example".to_owned()])]);
    assert_eq!(receivers, expected);
    let left: Vec<(Option<String>, String, Vec<String>)> =
        sqlx::query_as("select customer, email, receives from contact order by email")
            .fetch_all(&mut *connection)
            .await
            .expect("listed");
    let both = vec!["report".to_owned(), "announcement".to_owned()];
    assert_eq!(
        left,
        [
            (Some("nordwind".to_owned()), "it@nordwind.example".to_owned(), both),
            (None, "team@provider.example".to_owned(), vec!["team".to_owned()]),
        ]
    );
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn telling_one_customer_does_not_read_the_contacts_of_all() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    store_contacts(&store).await;
    let mut outside = database.connect().await;
    let many = "insert into contact (customer, name, email, locale, receives)
                select 'customer-' || n, 'x', 'it@customer-' || n || '.example', 'en', array['announcement', 'report']
                from generate_series(1, 20000) n;
                analyze contact";
    execute(&mut outside, many.to_owned()).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let (run, _, epoch) = open(&store, new.id, "mail01").await.expect("opened");

    let mut transaction = store.begin().await.expect("begin");
    let message = Message { kind: Kind::Missed, occurrence: new.id, lead: None, detail: &json!({}) };
    tell(&mut transaction, &message).await.expect("told");
    let end = the_end(RunResult::Failed);
    record(&mut transaction, run, epoch, &end).await.expect("written");
    let scans = "select seq_scan from pg_stat_xact_user_tables where relname = 'contact'";
    let scans: i64 = sqlx::query_scalar(scans).fetch_one(&mut *transaction).await.expect("counted");
    assert_eq!(scans, 0);
    drop((transaction, outside));
    store.close().await.expect("closed");
    database.close().await;
}
