//! Who did what: kept, listed, and never changed.

use serde_json::json;
use turnus::domain::id::OccurrenceId;
use turnus::edge::store::audit::{AuditFilter, Entry, list_audit, note, note_all};

use super::name;
use crate::kit::database::Database;

#[tokio::test]
async fn what_was_done_is_listed_the_latest_first() {
    let database = Database::open().await;
    let store = database.store().await;
    let (nordwind, suedstern) = (name("nordwind"), name("suedstern"));
    let occurrence = OccurrenceId(uuid::Uuid::now_v7());
    let detail = json!({"to": "2027-03-24T14:00:00", "odd": "zero \0"});
    let moved = Entry {
        actor: "anna",
        action: "move occurrence",
        customer: Some(&nordwind),
        occurrence: Some(occurrence),
        reason: Some("the customer asked"),
        detail: &detail,
    };
    let nothing = json!({});
    let applied = Entry {
        actor: "one:1",
        action: "apply",
        customer: Some(&suedstern),
        occurrence: None,
        reason: None,
        detail: &nothing,
    };
    let mut connection = store.pool().acquire().await.expect("a connection");
    let first = note(&mut connection, &moved).await.expect("kept");
    let second = note(&mut connection, &applied).await.expect("kept");
    assert!(first < second);

    let all = AuditFilter { customer: None, occurrence: None, limit: 10 };
    let listed = list_audit(&mut connection, all).await.expect("listed");
    assert_eq!(listed.iter().map(|entry| entry.number).collect::<Vec<_>>(), [second, first]);
    let entry = &listed[1];
    assert_eq!((entry.actor.as_str(), entry.action.as_str()), ("anna", "move occurrence"));
    assert_eq!((&entry.customer, entry.occurrence), (&Some(nordwind.clone()), Some(occurrence)));
    assert_eq!((entry.reason.as_deref(), &entry.detail), (Some("the customer asked"), &detail));
    let cases = [
        (AuditFilter { customer: Some(&nordwind), ..all }, first),
        (AuditFilter { occurrence: Some(occurrence), ..all }, first),
        (AuditFilter { limit: 1, ..all }, second),
    ];
    for (filter, expected) in cases {
        let listed = list_audit(&mut connection, filter).await.expect("listed");
        assert_eq!(listed.iter().map(|entry| entry.number).collect::<Vec<_>>(), [expected], "{filter:?}");
    }

    note_all(&mut connection, &[applied, moved]).await.expect("kept");
    note_all(&mut connection, &[]).await.expect("nothing to keep");
    let listed = list_audit(&mut connection, all).await.expect("listed");
    let again: Vec<_> =
        listed.iter().map(|entry| (entry.action.as_str(), entry.reason.as_deref(), &entry.detail)).collect();
    let moved = ("move occurrence", Some("the customer asked"), &detail);
    let applied = ("apply", None, &nothing);
    assert_eq!(again, [moved, applied, applied, moved], "in the order in which they were given");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn what_was_done_can_not_be_changed() {
    let database = Database::open().await;
    let store = database.store().await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    let detail = json!({});
    let entry =
        Entry { actor: "anna", action: "apply", customer: None, occurrence: None, reason: None, detail: &detail };
    note(&mut connection, &entry).await.expect("kept");
    for sql in ["update audit set actor = 'ben'", "delete from audit", "truncate audit"] {
        let refused = sqlx::raw_sql(sql).execute(&store.pool()).await.expect_err("append-only");
        assert!(refused.to_string().contains("audit is append-only"), "{sql}: {refused}");
    }
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}
