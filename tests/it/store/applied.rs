//! What is published: replaced by another content only, kept as it was written, extended in order.

use jiff::Timestamp;
use turnus::domain::id::ContentHash;
use turnus::edge::store::Store;
use turnus::edge::store::applied::publish::{list_published, publish_all, remove_all, set_all_materialised};
use turnus::edge::store::applied::{Applied, find_applied, list_to_extend, set_fault};
use turnus::edge::store::error::Error;
use turnus::edge::store::revision::{Revision, RevisionKind};

use super::name;
use super::occurrence::instant;
use crate::kit::database::Database;

async fn apply(store: &Store, kind: RevisionKind, stem: &str, content: &str) -> Result<u64, Error> {
    let hash = ContentHash::of(content.as_bytes());
    let mut transaction = store.begin().await?;
    let published =
        publish_all(&mut transaction, &[Revision { hash: &hash, kind, name: stem, content }], "anna").await?;
    transaction.commit().await?;
    Ok(published)
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
    let nordwind = name("nordwind");
    let mut connection = store.pool().acquire().await.expect("a connection");
    assert_eq!(apply(&store, kind, "nordwind", "one").await.expect("applied"), 1);
    let until = instant("2028-01-01T00:00:00Z");
    set_all_materialised(&mut connection, &[&nordwind], until).await.expect("set");
    set_fault(&mut connection, &nordwind, Some("no job `x`")).await.expect("set");
    assert_eq!(apply(&store, kind, "nordwind", "one").await.expect("asked"), 0);
    let there = find(&store, kind, "nordwind").await.expect("there");
    assert_eq!((there.materialised_until, there.fault.as_deref()), (Some(until), Some("no job `x`")));
    assert_eq!((there.content.as_str(), there.applied_by.as_str()), ("one", "anna"));

    assert_eq!(apply(&store, kind, "nordwind", "two").await.expect("applied"), 1);
    let fresh = find(&store, kind, "nordwind").await.expect("there");
    assert_eq!((fresh.materialised_until, fresh.fault, fresh.content.as_str()), (None, None, "two"));
    assert_eq!(fresh.hash, ContentHash::of(b"two"));

    assert_eq!(remove_all(&mut connection, RevisionKind::Job, &["nordwind"]).await.expect("asked"), 0);
    assert_eq!(remove_all(&mut connection, kind, &["nordwind", "nobody"]).await.expect("removed"), 1);
    assert_eq!(find(&store, kind, "nordwind").await, None);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn the_catalog_is_listed_by_kind_and_name_and_a_stem_may_be_of_each() {
    let database = Database::open().await;
    let store = database.store().await;
    use RevisionKind::{Calendar, Inventory, Job, Settings};
    let files = [(Job, "b"), (Settings, "turnus"), (Inventory, "b"), (Calendar, "b"), (Inventory, "a")];
    let contents = files.map(|(kind, stem)| format!("{} {stem}", kind.as_str()));
    let hashes = contents.each_ref().map(|content| ContentHash::of(content.as_bytes()));
    let revisions: Vec<_> = files
        .iter()
        .zip(&contents)
        .zip(&hashes)
        .map(|(((kind, name), content), hash)| Revision { hash, kind: *kind, name, content })
        .collect();
    let mut connection = store.pool().acquire().await.expect("a connection");
    assert_eq!(publish_all(&mut connection, &revisions, "anna").await.expect("published"), 5);
    assert_eq!(publish_all(&mut connection, &revisions, "ben").await.expect("asked"), 0);
    assert_eq!(publish_all(&mut connection, &[], "ben").await.expect("asked"), 0);
    let listed = list_published(&mut connection).await.expect("listed");
    let listed: Vec<_> = listed.iter().map(|(kind, name, hash)| (*kind, name.as_str(), hash)).collect();
    let expected = [
        (Calendar, "b", &hashes[3]),
        (Inventory, "a", &hashes[4]),
        (Inventory, "b", &hashes[2]),
        (Job, "b", &hashes[0]),
        (Settings, "turnus", &hashes[1]),
    ];
    assert_eq!(listed, expected);
    for ((kind, stem), content) in files.iter().zip(&contents) {
        assert_eq!(find(&store, *kind, stem).await.expect("there").content, *content);
    }
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_large_content_comes_back_and_one_with_nul_is_refused_by_name() {
    let database = Database::open().await;
    let store = database.store().await;
    let large: String = "# ünïcode \u{1F980} and a line\r\n".chars().cycle().take(1 << 20).collect();
    assert_eq!(apply(&store, RevisionKind::Calendar, "large", &large).await.expect("applied"), 1);
    let stored = find(&store, RevisionKind::Calendar, "large").await.expect("there");
    assert!(stored.content == large, "byte for byte");

    let refused = apply(&store, RevisionKind::Calendar, "nul", "BEGIN:VCALENDAR\0").await.expect_err("no text");
    assert!(matches!(refused, Error::Unreadable { what: "revision.content", .. }), "{refused:?}");
    assert_eq!(find(&store, RevisionKind::Calendar, "nul").await, None);
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
            set_all_materialised(&mut connection, &[&name(customer)], until).await.expect("set");
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
    set_fault(&mut connection, &name("broken"), Some("no job `x`")).await.expect("set");
    // Somebody applies what was missing elsewhere.
    set_all_materialised(&mut connection, &[&name("broken")], instant("2027-01-02T00:00:00Z")).await.expect("set");
    assert_eq!(list_to_extend(&mut connection, before, 10).await.expect("listed").len(), 4);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}
