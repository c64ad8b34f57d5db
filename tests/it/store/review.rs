//! What was collected, and what people decided on it: kept as it was, one standing decision for a date, whoever races.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use turnus::domain::id::OccurrenceId;
use turnus::domain::occurrence::{OccurrenceEvent, OccurrenceState};
use turnus::domain::packages::{
    Change, ChangeKind, Held, HeldCause, Installed, Obstacle, Package, PackageManager, Survey,
};
use turnus::domain::review::{Approval, Collection, Finding, Selection, Verdict};
use turnus::edge::store::Store;
use turnus::edge::store::audit::{AuditFilter, list_audit};
use turnus::edge::store::database_now;
use turnus::edge::store::occurrence::adjust::list_mentioned;
use turnus::edge::store::occurrence::claim::{
    claim_reviews, finish_review, give_back_review, set_review, take_review_reminders,
};
use turnus::edge::store::occurrence::insert::delete_planned;
use turnus::edge::store::review::decision::{
    About, Decided, DecisionNumber, NewDecision, Review, decide, find_review, find_standing, list_decisions,
};
use turnus::edge::store::review::{
    CollectionNumber, NewCollection, find_before, find_collection, find_newest_for, find_newest_of, store_collection,
};

use super::occurrence::{find, insert, instant, on, open, step};
use super::{create, name, store_revisions};
use crate::kit::database::Database;

fn change(package: &str, to: &str, security: bool) -> Change {
    Change {
        package: Package { name: package.to_owned(), architecture: "amd64".to_owned() },
        kind: ChangeKind::Upgrade,
        from: Some("1".to_owned()),
        to: Some(to.to_owned()),
        repository: Some("Debian/stable".to_owned()),
        security,
        size_bytes: Some(4711),
    }
}

fn surveyed(pending: Vec<Change>) -> Finding {
    let package = |name: &str| Package { name: name.to_owned(), architecture: "all".to_owned() };
    Finding::Surveyed(Survey {
        manager: PackageManager::Apt,
        pending,
        held: vec![Held {
            package: package("linux"),
            installed: "6.1".to_owned(),
            candidate: None,
            cause: HeldCause::Hold,
        }],
        installed: Installed::new(),
        reboot_needed: Some(true),
        stale_services: vec!["cron.service".to_owned()],
        without_way_back: vec![package("openssl")],
        warnings: vec!["odd \0 \u{1b}[31m ünïcode".to_owned()],
    })
}

fn found(version: &str) -> Collection {
    let locked = Obstacle::Locked { holder: "apt-get (4711)".to_owned(), waited_s: 5 };
    let hosts = BTreeMap::from([
        (name("web01"), surveyed(vec![change("nginx", version, false), change("openssl", "3.1", true)])),
        (name("web02"), Finding::Unreachable { what: "no route".to_owned(), hint: Some("look".to_owned()) }),
        (name("web03"), Finding::Obstructed(locked)),
    ]);
    Collection { hosts }
}

async fn keep(
    store: &Store,
    customer: &str,
    occurrence: Option<OccurrenceId>,
    findings: &Collection,
) -> CollectionNumber {
    let mut connection = store.pool().acquire().await.expect("a connection");
    let customer = name(customer);
    let new = NewCollection { customer: &customer, occurrence, by: "one:1", findings };
    store_collection(&mut connection, &new).await.expect("stored")
}

fn approval(findings: &Collection, by: &str, at: Timestamp, verdict: Verdict) -> Approval {
    let selection = Selection { security: true, except: vec!["nginx".to_owned()], ..Selection::default() };
    let changes = match verdict {
        Verdict::Approve => selection.choose(findings).expect("all names are in the list"),
        Verdict::Reject => BTreeMap::new(),
    };
    Approval { list: findings.hash(), by: by.to_owned(), at, note: Some("ünïcode \"".to_owned()), selection, changes }
}

/// Decides in a transaction of its own, as a command does.
async fn say(
    store: &Store,
    about: About,
    collection: CollectionNumber,
    (verdict, by): (Verdict, &str),
    replaces: Option<DecisionNumber>,
) -> Decided {
    let mut transaction = store.begin().await.expect("begin");
    let stored = find_collection(&mut transaction, collection).await.expect("asked").expect("there");
    let at = database_now(&mut transaction).await.expect("told");
    let approval = approval(&stored.findings, by, at, verdict);
    let customer = &stored.customer;
    let new = NewDecision { collection, customer, about, verdict, approval: &approval, entered_by: "root", replaces };
    let decided = decide(&mut transaction, &new).await.expect("nobody fails");
    match decided {
        Decided::Kept(_) => transaction.commit().await.expect("commit"),
        _ => transaction.rollback().await.expect("rolled back"),
    }
    decided
}

fn kept(decided: Decided) -> DecisionNumber {
    match decided {
        Decided::Kept(number) => number,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_found_comes_back_as_it_was_and_the_newest_counts() {
    let database = Database::open().await;
    let store = database.store().await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let for_customer = keep(&store, "nordwind", None, &found("2")).await;
    let first = keep(&store, "nordwind", Some(new.id), &found("2")).await;
    let other = keep(&store, "suedstern", None, &found("9")).await;
    let later = keep(&store, "nordwind", None, &found("3")).await;
    let second = keep(&store, "nordwind", Some(new.id), &found("4")).await;

    let mut connection = store.pool().acquire().await.expect("a connection");
    let newest = find_newest_for(&mut connection, new.id).await.expect("asked").expect("there");
    assert_eq!((newest.number, &newest.findings, &newest.list), (second, &found("4"), &found("4").hash()));
    assert_eq!(
        (newest.customer.as_str(), newest.occurrence, newest.collected_by.as_str()),
        ("nordwind", Some(new.id), "one:1")
    );
    let of_other = find_newest_of(&mut connection, &name("suedstern")).await.expect("asked").expect("there");
    assert_eq!(of_other.number, other);
    let mut before = async |number| {
        let later = find_collection(&mut connection, number).await.expect("asked").expect("there");
        find_before(&mut connection, &later).await.expect("asked").map(|before| before.number)
    };
    assert_eq!(before(second).await, Some(first), "of the same date, although there is a later one");
    assert_eq!(before(first).await, Some(for_customer), "the customer's, for want of one of the date");
    assert_eq!(before(later).await, Some(for_customer));
    assert_eq!(before(for_customer).await, None);
    assert_eq!(before(other).await, None, "nobody else's");
    let refused = sqlx::query("update collection set collected_by = 'x'").execute(&mut *connection).await;
    assert!(refused.is_err(), "what was found stays as it was found");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_decision_is_kept_whole_with_its_line_in_the_audit_trail() {
    let database = Database::open().await;
    let store = database.store().await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    assert_eq!(find_review(&mut connection, new.id).await.expect("asked"), Review::NotCollected);
    let collection = keep(&store, "nordwind", Some(new.id), &found("2")).await;
    let Review::Undecided(newest) = find_review(&mut connection, new.id).await.expect("asked") else {
        panic!("nobody has decided")
    };
    assert_eq!(newest.number, collection);

    let about = About::Occurrence(new.id);
    let number = kept(say(&store, about, collection, (Verdict::Approve, "anna"), None).await);
    let standing = find_standing(&mut connection, new.id).await.expect("asked").expect("there");
    let expected = approval(&found("2"), "anna", standing.at, Verdict::Approve);
    assert_eq!(standing.approval(), Some(expected.clone()));
    assert_eq!((standing.number, standing.collection, standing.verdict), (number, collection, Verdict::Approve));
    let names: Vec<_> = expected.of(&name("web01")).iter().map(|change| change.package.name.as_str()).collect();
    assert_eq!(names, ["openssl"]);
    assert_eq!(find_review(&mut connection, new.id).await.expect("asked"), Review::Decided(standing));

    let filter = AuditFilter { customer: None, occurrence: Some(new.id), limit: 10 };
    let lines = list_audit(&mut connection, filter).await.expect("listed");
    let told: Vec<_> = lines.iter().map(|line| (line.actor.as_str(), line.action.as_str())).collect();
    assert_eq!(told, [("anna", "approve updates")]);
    assert_eq!(lines[0].reason.as_deref(), Some("ünïcode \""));
    assert_eq!((&lines[0].detail["changes"], &lines[0].detail["entered_by"]), (&1.into(), &"root".into()));
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_second_decision_is_refused_unless_it_replaces_the_first_which_stays_as_history() {
    let database = Database::open().await;
    let store = database.store().await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let collection = keep(&store, "nordwind", Some(new.id), &found("2")).await;
    let about = About::Occurrence(new.id);
    let first = kept(say(&store, about, collection, (Verdict::Approve, "anna"), None).await);
    assert_eq!(say(&store, about, collection, (Verdict::Reject, "bert"), None).await, Decided::AlreadyDecided);
    let second = kept(say(&store, about, collection, (Verdict::Reject, "bert"), Some(first)).await);
    let too_late = say(&store, about, collection, (Verdict::Approve, "anna"), Some(first)).await;
    assert_eq!(too_late, Decided::AlreadyDecided, "the first does not stand any more");

    let mut connection = store.pool().acquire().await.expect("a connection");
    let standing = find_standing(&mut connection, new.id).await.expect("asked").expect("there");
    assert_eq!((standing.number, standing.replaces, standing.approval()), (second, Some(first), None));
    let all = list_decisions(&mut connection, new.id).await.expect("listed");
    let history: Vec<_> = all.iter().map(|row| (row.number, row.by.as_str(), row.replaced_at.is_some())).collect();
    assert_eq!(history, [(second, "bert", false), (first, "anna", true)]);
    let filter = AuditFilter { customer: None, occurrence: Some(new.id), limit: 10 };
    assert_eq!(list_audit(&mut connection, filter).await.expect("listed").len(), 2, "none for what was refused");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn of_two_people_who_decide_at_the_same_time_one_does() {
    let database = Database::open().await;
    let (left, right) = (database.store().await, database.store().await);
    for round in 1..=20 {
        let new = on("nordwind", &format!("2027-03-{round:02}"));
        insert(&left, std::slice::from_ref(&new)).await;
        let collection = keep(&left, "nordwind", Some(new.id), &found("2")).await;
        let about = About::Occurrence(new.id);
        let race = async |replaces| {
            let both = tokio::join!(
                say(&left, about, collection, (Verdict::Approve, "anna"), replaces),
                say(&right, about, collection, (Verdict::Reject, "bert"), replaces),
            );
            match both {
                (Decided::Kept(number), Decided::AlreadyDecided) | (Decided::AlreadyDecided, Decided::Kept(number)) => {
                    number
                }
                other => panic!("round {round}: {other:?}"),
            }
        };
        let first = race(None).await;
        let second = race(Some(first)).await;
        let mut connection = left.pool().acquire().await.expect("a connection");
        let standing = find_standing(&mut connection, new.id).await.expect("asked").expect("there");
        assert_eq!(standing.number, second);
        assert_eq!(list_decisions(&mut connection, new.id).await.expect("listed").len(), 2);
    }
    left.close().await.expect("closed");
    right.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn nobody_decides_on_what_has_begun_or_ended() {
    let database = Database::open().await;
    let store = Arc::new(database.store().await);
    store_revisions(&store).await;
    let dates = [on("nordwind", "2027-03-26"), on("nordwind", "2027-03-27")];
    insert(&store, &dates).await;
    open(&store, dates[0].id, "web01").await.expect("opened");
    step(&store, dates[1].id, OccurrenceState::Planned, OccurrenceEvent::Cancel).await.expect("called off");
    for date in &dates {
        let collection = keep(&store, "nordwind", Some(date.id), &found("2")).await;
        let decided = say(&store, About::Occurrence(date.id), collection, (Verdict::Approve, "anna"), None).await;
        assert_eq!(decided, Decided::NotAhead);
    }
    Arc::into_inner(store).expect("nobody else").close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn an_opening_and_a_decision_wait_for_each_other() {
    let database = Database::open().await;
    let store = database.store().await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let collection = keep(&store, "nordwind", Some(new.id), &found("2")).await;
    // Whoever decides has not committed yet: the opener passes the date over, and looks again.
    let mut deciding = store.begin().await.expect("begin");
    let at = database_now(&mut deciding).await.expect("told");
    let (customer, approval) = (name("nordwind"), approval(&found("2"), "anna", at, Verdict::Approve));
    let about = About::Occurrence(new.id);
    let decision = NewDecision {
        collection,
        customer: &customer,
        about,
        verdict: Verdict::Approve,
        approval: &approval,
        entered_by: "root",
        replaces: None,
    };
    kept(decide(&mut deciding, &decision).await.expect("decided"));
    let mut opening = store.begin().await.expect("begin");
    let claim = turnus::edge::store::occurrence::claim::claim_occurrence;
    assert_eq!(claim(&mut opening, new.id).await.expect("asked"), None);
    deciding.commit().await.expect("commit");
    assert!(claim(&mut opening, new.id).await.expect("asked").is_some());
    assert!(matches!(find_review(&mut opening, new.id).await.expect("asked"), Review::Decided(_)));
    drop(opening);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_run_by_hand_has_its_own_decision() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["web01"]).await;
    let collection = keep(&store, "nordwind", None, &found("2")).await;
    kept(say(&store, About::Run(run), collection, (Verdict::Approve, "anna"), None).await);
    let again = say(&store, About::Run(run), collection, (Verdict::Approve, "anna"), None).await;
    assert_eq!(again, Decided::AlreadyDecided);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_review_is_finished_by_whoever_has_taken_it_last() {
    let database = Database::open().await;
    let store = database.store().await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    let (due, now) = (new.review.expect("set"), new.review.expect("set"));
    assert_eq!(claim_reviews(&mut connection, now, 9).await.expect("claimed").len(), 1);
    let leased = now + jiff::SignedDuration::from_mins(30);
    set_review(&mut connection, new.id, Some(leased)).await.expect("put off");
    assert_eq!(claim_reviews(&mut connection, now, 9).await.expect("claimed"), [], "somebody is at it");
    // The first one died; another takes it over, and the first comes back.
    let later = leased + jiff::SignedDuration::from_mins(30);
    assert_eq!(claim_reviews(&mut connection, leased, 9).await.expect("claimed").len(), 1);
    set_review(&mut connection, new.id, Some(later)).await.expect("put off");
    let reminder = instant("2027-03-25T13:00:00Z");
    assert!(!finish_review(&mut connection, new.id, leased, Some(reminder)).await.expect("asked"));
    assert!(!give_back_review(&mut connection, new.id, leased, due).await.expect("asked"));
    assert!(finish_review(&mut connection, new.id, later, Some(reminder)).await.expect("asked"));
    assert_eq!(find(&store, new.id).await.review, None);

    let before = reminder - jiff::SignedDuration::from_secs(1);
    let mut take = async |now| take_review_reminders(&mut connection, now, 9).await.expect("taken");
    assert_eq!(take(before).await, []);
    assert_eq!(take(new.start).await, [], "it has begun: nobody can decide any more");
    assert_eq!(take(reminder).await, [new.id]);
    assert_eq!(take(reminder).await, [], "once");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_date_whose_updates_were_collected_is_not_deleted() {
    let database = Database::open().await;
    let store = database.store().await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    keep(&store, "nordwind", Some(new.id), &found("2")).await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    assert_eq!(delete_planned(&mut connection, &[new.id]).await.expect("asked"), 0);
    assert!(list_mentioned(&mut connection, None).await.expect("listed").contains(&new.id));
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn the_schema_refuses_decisions_that_make_no_sense() {
    let database = Database::open().await;
    let store = database.store().await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let collection = keep(&store, "nordwind", Some(new.id), &found("2")).await;
    let mut connection = database.connect().await;
    let hash = found("2").hash();
    let mut refused = async |columns: &str, values: &str| {
        let sql = format!(
            "insert into decision (collection, verdict, decided_by, list_hash, {columns})
             values ({collection}, {values})",
        );
        let sql = sql.replace("HASH", &format!("'{}'", hash.as_str())).replace("DATE", &format!("'{}'", new.id.0));
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.is_err()
    };
    assert!(refused("note", "'approve', 'anna', HASH, 'about nothing'").await);
    assert!(refused("occurrence", "'perhaps', 'anna', HASH, DATE").await);
    assert!(refused("occurrence", "'approve', '', HASH, DATE").await);
    assert!(refused("occurrence", "'approve', 'anna', 'abc', DATE").await);
    assert!(refused("occurrence, changes", "'reject', 'anna', HASH, DATE, '{\"web01\": []}'").await);
    assert!(!refused("occurrence", "'reject', 'anna', HASH, DATE").await);
    store.close().await.expect("closed");
    database.close().await;
}
