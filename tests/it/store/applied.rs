//! What is published: replaced by another content only, kept as it was written, extended in order.

use jiff::Timestamp;
use turnus::domain::id::ContentHash;
use turnus::edge::store::Store;
use turnus::edge::store::applied::{
    Applied, find_applied, list_applied, list_to_extend, read_applied_mark, remove_applied, set_fault,
    set_materialised, store_applied,
};
use turnus::edge::store::error::Error;
use turnus::edge::store::revision::{Revision, RevisionKind, store_revision};

use super::name;
use super::occurrence::instant;
use crate::kit::database::Database;

async fn apply(store: &Store, kind: RevisionKind, stem: &str, content: &str) -> Result<bool, Error> {
    let hash = ContentHash::of(content.as_bytes());
    let mut transaction = store.begin().await?;
    store_revision(&mut transaction, &Revision { hash: &hash, kind, name: stem, content }).await?;
    let stored = store_applied(&mut transaction, kind, stem, &hash, "anna").await?;
    transaction.commit().await?;
    Ok(stored)
}

async fn find(store: &Store, kind: RevisionKind, stem: &str) -> Option<Applied> {
    let mut connection = store.pool().acquire().await.expect("a connection");
    find_applied(&mut connection, kind, stem).await.expect("asked")
}

#[tokio::test]
async fn the_same_content_again_changes_nothing_and_another_starts_afresh() {
    let database = Database::open().await;
    let store = database.store().await;
    let kind = RevisionKind::Inventory;
    let mut connection = store.pool().acquire().await.expect("a connection");
    let nothing = read_applied_mark(&mut connection).await.expect("asked");
    assert!(apply(&store, kind, "nordwind", "one").await.expect("applied"));
    let first = read_applied_mark(&mut connection).await.expect("asked");
    assert_ne!(first, nothing);

    let until = instant("2028-01-01T00:00:00Z");
    set_materialised(&mut connection, &name("nordwind"), until).await.expect("set");
    set_fault(&mut connection, &name("nordwind"), Some("no job `x`")).await.expect("set");
    assert!(!apply(&store, kind, "nordwind", "one").await.expect("asked"));
    let there = find(&store, kind, "nordwind").await.expect("there");
    assert_eq!((there.materialised_until, there.fault.as_deref()), (Some(until), Some("no job `x`")));
    assert_eq!((there.content.as_str(), there.applied_by.as_str()), ("one", "anna"));
    assert_eq!(read_applied_mark(&mut connection).await.expect("asked"), first);

    assert!(apply(&store, kind, "nordwind", "two").await.expect("applied"));
    let fresh = find(&store, kind, "nordwind").await.expect("there");
    assert_eq!((fresh.materialised_until, fresh.fault, fresh.content.as_str()), (None, None, "two"));
    assert_eq!(fresh.hash, ContentHash::of(b"two"));
    assert_ne!(read_applied_mark(&mut connection).await.expect("asked"), first);

    assert!(remove_applied(&mut connection, kind, "nordwind").await.expect("removed"));
    assert!(!remove_applied(&mut connection, kind, "nordwind").await.expect("asked"));
    assert_eq!(read_applied_mark(&mut connection).await.expect("asked"), nothing);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn the_catalog_is_listed_by_kind_and_name_and_a_stem_may_be_of_each() {
    let database = Database::open().await;
    let store = database.store().await;
    use RevisionKind::{Calendar, Inventory, Job, Settings};
    for (kind, stem) in [(Job, "b"), (Settings, "turnus"), (Inventory, "b"), (Calendar, "b"), (Inventory, "a")] {
        assert!(apply(&store, kind, stem, &format!("{} {stem}", kind.as_str())).await.expect("applied"));
    }
    let mut connection = store.pool().acquire().await.expect("a connection");
    let listed = list_applied(&mut connection).await.expect("listed");
    let listed: Vec<_> = listed.iter().map(|row| (row.kind, row.name.as_str(), row.content.as_str())).collect();
    let expected = [
        (Calendar, "b", "calendar b"),
        (Inventory, "a", "inventory a"),
        (Inventory, "b", "inventory b"),
        (Job, "b", "job b"),
        (Settings, "turnus", "settings turnus"),
    ];
    assert_eq!(listed, expected);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_large_content_comes_back_and_one_with_nul_is_refused_by_name() {
    let database = Database::open().await;
    let store = database.store().await;
    let large: String = "# ünïcode \u{1F980} and a line\r\n".chars().cycle().take(1 << 20).collect();
    assert!(apply(&store, RevisionKind::Calendar, "large", &large).await.expect("applied"));
    let stored = find(&store, RevisionKind::Calendar, "large").await.expect("there");
    assert!(stored.content == large, "byte for byte");

    let refused = apply(&store, RevisionKind::Calendar, "nul", "BEGIN:VCALENDAR\0").await.expect_err("no text");
    assert!(matches!(refused, Error::Unreadable { what: "revision.content", .. }), "{refused:?}");
    assert_eq!(find(&store, RevisionKind::Calendar, "nul").await, None);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_revision_that_is_not_stored_can_not_be_published() {
    let database = Database::open().await;
    let store = database.store().await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    let unknown = ContentHash::of(b"unknown");
    let refused = store_applied(&mut connection, RevisionKind::Job, "x", &unknown, "anna").await;
    let refused = refused.expect_err("there is no such revision");
    assert!(matches!(&refused, Error::Conflict { constraint } if constraint == "applied_revision_fkey"), "{refused:?}");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn those_without_dates_are_extended_first_and_broken_ones_not_at_all() {
    let database = Database::open().await;
    let store = database.store().await;
    let until = |day: &str| -> Option<Timestamp> { Some(instant(&format!("2027-{day}T00:00:00Z"))) };
    let customers = [
        ("broken", until("01-01"), Some("no job `x`")),
        ("far", until("12-01"), None),
        ("fresh", None, None),
        ("later", until("03-02"), None),
        ("soon", until("03-01"), None),
    ];
    let mut connection = store.pool().acquire().await.expect("a connection");
    for (customer, until, fault) in customers {
        apply(&store, RevisionKind::Inventory, customer, customer).await.expect("applied");
        if let Some(until) = until {
            set_materialised(&mut connection, &name(customer), until).await.expect("set");
        }
        set_fault(&mut connection, &name(customer), fault).await.expect("set");
    }
    apply(&store, RevisionKind::Job, "job", "job").await.expect("applied");
    let before = instant("2027-06-01T00:00:00Z");
    let extend = ["fresh", "soon", "later"].map(name);
    assert_eq!(list_to_extend(&mut connection, before, 10).await.expect("listed"), extend);
    assert_eq!(list_to_extend(&mut connection, before, 2).await.expect("listed"), extend[..2]);
    set_fault(&mut connection, &name("broken"), None).await.expect("mended");
    assert_eq!(list_to_extend(&mut connection, before, 10).await.expect("listed").len(), 4);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}
