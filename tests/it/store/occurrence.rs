//! Dates as rows: there once, changed only by who sees them as they are, moved in a chain.

use jiff::Timestamp;
use jiff::civil::DateTime;
use turnus::domain::calendar::{DstNote, Reason};
use turnus::domain::id::{Epoch, OccurrenceId, RunId};
use turnus::domain::occurrence::{OccurrenceEvent, OccurrenceState};
use turnus::domain::plan::HostIndex;
use turnus::domain::run::event::{Event, Outcome, RunResult};
use turnus::edge::store::Store;
use turnus::edge::store::error::{Error, Kind};
use turnus::edge::store::notification::{Message, tell};
use turnus::edge::store::occurrence::adjust::{Adjusted, adjust, list_mentioned};
use turnus::edge::store::occurrence::change::{Change, change_occurrence, open_occurrence, set_waiting};
use turnus::edge::store::occurrence::insert::{
    NewOccurrence, delete_planned, insert_occurrences, redate_planned, reinstate,
};
use turnus::edge::store::occurrence::{
    History, OccurrenceFilter, StoredOccurrence, find_occurrence, list_ahead, list_around, list_occurrences,
    list_origins,
};
use turnus::edge::store::record::Batch;
use turnus::edge::store::run::create::{Created, NewRun, create_run};
use turnus::edge::store::run::{RunNumber, find_run};

use super::{host_finished, name, plan_for, recorded, store_revisions, take, write};
use crate::kit::database::Database;

pub(super) fn instant(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// Four hours from 14:00 in Berlin, in winter: 13:00 UTC.
pub(super) fn on(customer: &str, day: &str) -> NewOccurrence {
    let local: DateTime = format!("{day}T14:00:00").parse().expect("a local time");
    let start = instant(&format!("{day}T13:00:00Z"));
    NewOccurrence {
        id: OccurrenceId(uuid::Uuid::now_v7()),
        customer: name(customer),
        window: name("quarterly"),
        recurrence_id: local,
        sequence: 0,
        moved_from: None,
        chosen_by: None,
        job: name("debian-quarterly"),
        time_zone: "Europe/Berlin".to_owned(),
        local_start: local,
        start,
        latest_start: start + jiff::SignedDuration::from_mins(195),
        end: start + jiff::SignedDuration::from_hours(4),
        reasons: vec![Reason::ByRule],
        skip: None,
        next_notice: Some(start - jiff::SignedDuration::from_hours(14 * 24)),
        review: Some(start - jiff::SignedDuration::from_hours(3 * 24)),
    }
}

/// When nothing of the dates here has begun.
pub(super) fn before() -> Timestamp {
    instant("2027-01-01T00:00:00Z")
}

pub(super) async fn insert(store: &Store, new: &[NewOccurrence]) -> u64 {
    let mut connection = store.pool().acquire().await.expect("a connection");
    insert_occurrences(&mut connection, new).await.expect("stored")
}

pub(crate) async fn find(store: &Store, id: OccurrenceId) -> StoredOccurrence {
    let mut connection = store.pool().acquire().await.expect("a connection");
    find_occurrence(&mut connection, id).await.expect("found").expect("there")
}

/// A step in a transaction of its own, with what it needs.
pub(super) async fn step(
    store: &Store,
    id: OccurrenceId,
    from: OccurrenceState,
    event: OccurrenceEvent,
) -> Result<bool, Error> {
    let mut connection = store.pool().acquire().await.expect("a connection");
    let ends = matches!(
        event,
        OccurrenceEvent::Miss | OccurrenceEvent::Skip | OccurrenceEvent::Cancel | OccurrenceEvent::Move
    );
    let cause = ends.then_some("because");
    let by = (event == OccurrenceEvent::Confirm).then_some("Frau Petersen");
    change_occurrence(&mut connection, &Change { id, from, event, cause, by, now: before() }).await
}

/// Creates the run of an occurrence with its lease, and opens it: as a controller does, in one transaction.
pub(super) async fn open(store: &Store, id: OccurrenceId, host: &str) -> Result<(RunId, RunNumber, Epoch), Error> {
    let occurrence = find(store, id).await;
    let mut plan = plan_for(occurrence.customer.as_str(), &[host]);
    plan.job = occurrence.job;
    let run = RunId(uuid::Uuid::now_v7());
    let plan_hash = plan.hash();
    let new = NewRun {
        id: run,
        plan: &plan,
        plan_hash: &plan_hash,
        reason: None,
        started_by: "one:1",
        idempotency_key: None,
        occurrence: Some(id),
        lease: Some("one:1"),
    };
    let mut transaction = store.begin().await?;
    let created = create_run(&mut transaction, &new).await?;
    let Created::New { number, epoch: Some(epoch) } = created else { panic!("{created:?}") };
    assert!(open_occurrence(&mut transaction, id, run, instant("2027-03-26T13:00:01Z")).await?, "it is ahead");
    transaction.commit().await?;
    Ok((run, number, epoch))
}

/// What ends a run of one host.
pub(super) fn the_end(result: RunResult) -> Batch {
    let events = vec![
        recorded(1, Event::LeaseTaken { epoch: Epoch(1), controller: "one:1".to_owned() }),
        recorded(2, Event::HostStarted { host: HostIndex(0) }),
        host_finished(3, 0, Outcome::NothingToDo),
        recorded(4, Event::RunFinished { result }),
    ];
    Batch::of(events, Vec::new())
}

#[tokio::test]
async fn what_is_stored_comes_back_as_it_was() {
    let database = Database::open().await;
    let store = database.store().await;
    let odd = "zero \0, quote \", slash \\, ünïcode \u{1F980}".to_owned();
    let from = "2027-03-25T14:00:00".parse().expect("a local time");
    let mut new = on("nordwind", "2027-03-26");
    new.reasons = vec![
        Reason::ByDate,
        Reason::Shifted { from: "2027-03-23".parse().expect("a day"), by: "+3d".to_owned() },
        Reason::MovedForHoliday { from: "2027-03-25".parse().expect("a day"), holiday: odd.clone() },
        Reason::KeptOnHoliday { holiday: "Karfreitag".to_owned() },
        Reason::Dst { note: DstNote::Gap },
        Reason::MovedByPerson { from, by: "anna".to_owned(), reason: odd },
    ];
    new.chosen_by = Some("anna".to_owned());
    new.sequence = 7;
    assert_eq!(insert(&store, std::slice::from_ref(&new)).await, 1);

    let expected = StoredOccurrence {
        id: new.id,
        customer: new.customer,
        window: new.window,
        recurrence_id: new.recurrence_id,
        sequence: 7,
        moved_from: None,
        chosen_by: new.chosen_by,
        job: new.job,
        time_zone: new.time_zone,
        local_start: new.local_start,
        start: new.start,
        latest_start: new.latest_start,
        end: new.end,
        reasons: new.reasons,
        state: OccurrenceState::Planned,
        cause: None,
        looked_at: None,
        next_notice: new.next_notice,
        review: new.review,
        announced_at: None,
        confirmed_at: None,
        confirmed_by: None,
        opened_at: None,
        finished_at: None,
        run: None,
    };
    assert_eq!(find(&store, new.id).await, expected);
    let mut connection = store.pool().acquire().await.expect("a connection");
    let unknown = OccurrenceId(uuid::Uuid::now_v7());
    assert_eq!(find_occurrence(&mut connection, unknown).await.expect("asked"), None);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_skipped_date_is_stored_with_its_cause_and_nobody_is_told() {
    let database = Database::open().await;
    let store = database.store().await;
    let mut new = on("nordwind", "2027-03-26");
    new.skip = Some("frozen: Jahresabschluss".to_owned());
    insert(&store, std::slice::from_ref(&new)).await;
    let stored = find(&store, new.id).await;
    assert_eq!((stored.state, stored.cause.as_deref()), (OccurrenceState::Skipped, Some("frozen: Jahresabschluss")));
    assert!(stored.finished_at.is_some());
    assert_eq!((stored.next_notice, stored.review), (None, None));
    store.close().await.expect("closed");
    database.close().await;
}

/// Brings a new occurrence into `state` by the shortest way.
async fn in_state(store: &Store, state: OccurrenceState, day: u32) -> OccurrenceId {
    use {OccurrenceEvent as E, OccurrenceState as S};
    let day = format!("2027-{:02}-{:02}", 1 + day / 28, 1 + day % 28);
    let mut new = on("nordwind", &day);
    new.window = name(&format!("window-{state}"));
    insert(store, std::slice::from_ref(&new)).await;
    let way: &[(S, E)] = match state {
        S::Planned => &[],
        S::Announced => &[(S::Planned, E::Announce)],
        S::Confirmed => &[(S::Planned, E::Announce), (S::Announced, E::Confirm)],
        S::Open => &[(S::Planned, E::Open)],
        S::Done => &[(S::Planned, E::Open), (S::Open, E::Finish)],
        S::Missed => &[(S::Planned, E::Miss)],
        S::Skipped => &[(S::Planned, E::Skip)],
        S::Cancelled => &[(S::Planned, E::Cancel)],
        S::Moved => &[(S::Planned, E::Move)],
    };
    for (from, event) in way {
        assert!(step(store, new.id, *from, *event).await.expect("a legal step"), "{state}");
    }
    new.id
}

const STATES: [OccurrenceState; 9] = {
    use OccurrenceState as S;
    [S::Planned, S::Announced, S::Confirmed, S::Open, S::Done, S::Missed, S::Skipped, S::Cancelled, S::Moved]
};
const EVENTS: [OccurrenceEvent; 9] = {
    use OccurrenceEvent as E;
    [E::Announce, E::Confirm, E::Open, E::Finish, E::Miss, E::Skip, E::Reinstate, E::Cancel, E::Move]
};

#[tokio::test]
async fn every_step_from_every_state_is_taken_whole_or_refused_whole() {
    let database = Database::open().await;
    let store = database.store().await;
    let mut day = 0;
    for state in STATES {
        for event in EVENTS {
            day += 1;
            let id = in_state(&store, state, day).await;
            let there = find(&store, id).await;
            assert_eq!(there.state, state);
            let taken = step(&store, id, state, event).await;
            let after = find(&store, id).await;
            match state.next(event) {
                Ok(next) => {
                    assert!(taken.expect("the tables agree"), "{state} {event}");
                    check_times(&there, &after, next);
                }
                Err(_) => {
                    assert!(matches!(taken, Err(Error::IllegalStep(_))), "{state} {event}: {taken:?}");
                    assert_eq!(after, there, "{state} {event}");
                }
            }
        }
    }
    store.close().await.expect("closed");
    database.close().await;
}

fn check_times(there: &StoredOccurrence, after: &StoredOccurrence, next: OccurrenceState) {
    use OccurrenceState as S;
    let step = format!("{} -> {next}", there.state);
    assert_eq!(after.state, next, "{step}");
    let ended = matches!(next, S::Done | S::Missed | S::Skipped | S::Cancelled | S::Moved);
    assert_eq!(after.finished_at, ended.then(before), "{step}");
    assert_eq!(after.cause.is_some(), ended && next != S::Done, "{step}");
    // Calendars take in that a date is called off only if its sequence grows.
    let is_news = matches!(next, S::Cancelled | S::Skipped | S::Planned);
    assert_eq!(after.sequence, there.sequence + u32::from(is_news), "{step}");
    assert_eq!(after.opened_at.is_some(), matches!(next, S::Open | S::Done), "{step}");
    assert_eq!(after.next_notice.is_some(), next.is_ahead() && there.next_notice.is_some(), "{step}");
    assert_eq!(after.review.is_some(), next.is_ahead() && there.review.is_some(), "{step}");
    match next {
        S::Announced => assert_eq!(after.announced_at, Some(before()), "{step}"),
        S::Confirmed => {
            assert_eq!((after.confirmed_at, after.confirmed_by.as_deref()), (Some(before()), Some("Frau Petersen")));
        }
        S::Planned => assert_eq!((after.announced_at, after.confirmed_at), (None, None)),
        _ => assert_eq!((after.announced_at, after.confirmed_at), (there.announced_at, there.confirmed_at), "{step}"),
    }
}

#[tokio::test]
async fn who_sees_it_elsewhere_changes_nothing() {
    let database = Database::open().await;
    let store = database.store().await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let there = find(&store, new.id).await;
    let refused = step(&store, new.id, OccurrenceState::Announced, OccurrenceEvent::Cancel).await;
    assert!(!refused.expect("asked"));
    assert_eq!(find(&store, new.id).await, there);
    let nobody = OccurrenceId(uuid::Uuid::now_v7());
    assert!(!step(&store, nobody, OccurrenceState::Planned, OccurrenceEvent::Cancel).await.expect("asked"));
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn of_three_that_take_different_steps_at_once_one_gets_through() {
    let database = Database::open().await;
    let (left, middle, right) = (database.store().await, database.store().await, database.store().await);
    for round in 1..=20 {
        let new = on("nordwind", &format!("2027-03-{round:02}"));
        insert(&left, std::slice::from_ref(&new)).await;
        let planned = OccurrenceState::Planned;
        let taken = tokio::join!(
            step(&left, new.id, planned, OccurrenceEvent::Announce),
            step(&middle, new.id, planned, OccurrenceEvent::Cancel),
            step(&right, new.id, planned, OccurrenceEvent::Move),
        );
        let taken = [taken.0, taken.1, taken.2].map(|taken| taken.expect("asked"));
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{taken:?}");
    }
    for store in [left, middle, right] {
        store.close().await.expect("closed");
    }
    database.close().await;
}

#[tokio::test]
async fn a_date_is_there_once_unless_it_was_moved_away() {
    let database = Database::open().await;
    let store = database.store().await;
    let first = on("nordwind", "2027-03-26");
    assert_eq!(insert(&store, std::slice::from_ref(&first)).await, 1);
    assert_eq!(insert(&store, &[on("nordwind", "2027-03-26")]).await, 0, "left alone");
    assert_eq!(insert(&store, &[on("nordwind", "2027-03-26"), on("suedstern", "2027-03-26")]).await, 1);

    step(&store, first.id, OccurrenceState::Planned, OccurrenceEvent::Cancel).await.expect("called off");
    assert_eq!(insert(&store, &[on("nordwind", "2027-03-26")]).await, 0, "what was called off does not come back");

    let other = on("nordwind", "2027-06-25");
    insert(&store, std::slice::from_ref(&other)).await;
    step(&store, other.id, OccurrenceState::Planned, OccurrenceEvent::Move).await.expect("moved away");
    let twice = [on("nordwind", "2027-06-25"), on("nordwind", "2027-06-25")];
    assert_eq!(insert(&store, &twice).await, 1, "its place is free, once");
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn of_two_that_insert_the_same_date_one_does() {
    let database = Database::open().await;
    let (left, right) = (database.store().await, database.store().await);
    let days: Vec<String> = (1..=28).map(|day| format!("2027-02-{day:02}")).collect();
    let dates = || days.iter().map(|day| on("nordwind", day)).collect::<Vec<_>>();
    let (one, other) = (dates(), dates());
    let inserted = tokio::join!(insert(&left, &one), insert(&right, &other));
    assert_eq!(inserted.0 + inserted.1, 28);
    left.close().await.expect("closed");
    right.close().await.expect("closed");
    database.close().await;
}

/// Moves `from` to `day` as a person does. Returns the new identity.
async fn move_to(store: &Store, from: OccurrenceId, day: &str) -> Result<OccurrenceId, Error> {
    let there = find(store, from).await;
    let successor = NewOccurrence {
        recurrence_id: there.recurrence_id,
        sequence: there.sequence + 1,
        moved_from: Some(from),
        chosen_by: Some("anna".to_owned()),
        ..on("nordwind", day)
    };
    let mut transaction = store.begin().await?;
    let change = Change {
        id: from,
        from: there.state,
        event: OccurrenceEvent::Move,
        cause: Some("the customer asked"),
        by: None,
        now: before(),
    };
    change_occurrence(&mut transaction, &change).await?;
    insert_occurrences(&mut transaction, std::slice::from_ref(&successor)).await?;
    transaction.commit().await?;
    Ok(successor.id)
}

#[tokio::test]
async fn a_date_that_moves_twice_leaves_a_chain() {
    let database = Database::open().await;
    let store = database.store().await;
    let first = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&first)).await;
    step(&store, first.id, OccurrenceState::Planned, OccurrenceEvent::Announce).await.expect("announced");
    let second = move_to(&store, first.id, "2027-03-24").await.expect("moved");
    let third = move_to(&store, second, "2027-03-22").await.expect("moved again");

    let last = find(&store, third).await;
    assert_eq!((last.sequence, last.moved_from, last.recurrence_id), (2, Some(second), first.recurrence_id));
    assert_eq!(find(&store, second).await.moved_from, Some(first.id));
    assert_eq!(find(&store, first.id).await.state, OccurrenceState::Moved);
    let origins = list_origins(&mut store.begin().await.expect("begun"), &[first.id, second, third]).await;
    assert_eq!(origins.expect("listed"), [(second, first.id), (third, first.id)].into());
    assert_eq!(insert(&store, &[on("nordwind", "2027-03-26")]).await, 0, "its date lives on elsewhere");

    // The place of what has moved can't be taken a second time.
    let mut connection = store.pool().acquire().await.expect("a connection");
    let fork = NewOccurrence { moved_from: Some(second), sequence: 2, ..on("nordwind", "2027-03-23") };
    let refused = insert_occurrences(&mut connection, &[fork]).await.expect_err("there is a successor");
    assert!(
        matches!(&refused, Error::Conflict { constraint } if constraint == "occurrence_moved_from_key"),
        "{refused:?}"
    );
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn what_nobody_was_told_of_is_redated_and_removed_and_a_commitment_is_left_alone() {
    let database = Database::open().await;
    let store = database.store().await;
    let planned = on("nordwind", "2027-03-26");
    let announced = on("nordwind", "2027-06-25");
    let gone = on("nordwind", "2027-09-24");
    insert(&store, &[planned.clone(), announced.clone(), gone.clone()]).await;
    step(&store, announced.id, OccurrenceState::Planned, OccurrenceEvent::Announce).await.expect("announced");
    let untouched = find(&store, announced.id).await;

    let later = |row: &NewOccurrence| NewOccurrence {
        start: row.start + jiff::SignedDuration::from_hours(1),
        latest_start: row.latest_start + jiff::SignedDuration::from_hours(1),
        end: row.end + jiff::SignedDuration::from_hours(1),
        job: name("other"),
        ..row.clone()
    };
    let mut connection = store.pool().acquire().await.expect("a connection");
    let mut frozen = later(&gone);
    frozen.skip = Some("frozen: move".to_owned());
    let changed = [later(&planned), later(&announced), frozen];
    assert_eq!(redate_planned(&mut connection, &changed).await.expect("redated"), 2);
    assert_eq!(find(&store, announced.id).await, untouched);
    let redated = find(&store, planned.id).await;
    assert_eq!((redated.start, redated.job, redated.sequence), (changed[0].start, name("other"), 1));
    assert_eq!(find(&store, gone.id).await.state, OccurrenceState::Skipped);

    let ids = [planned.id, announced.id, gone.id];
    assert_eq!(delete_planned(&mut connection, &ids).await.expect("removed"), 2);
    assert_eq!(find(&store, announced.id).await, untouched);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn what_is_done_at_a_date_changes_without_the_date_as_long_as_it_is_ahead() {
    let database = Database::open().await;
    let store = database.store().await;
    let (announced, moved, done) =
        (on("nordwind", "2027-03-26"), on("nordwind", "2027-06-25"), on("nordwind", "2027-09-24"));
    insert(&store, &[announced.clone(), moved.clone(), done.clone()]).await;
    step(&store, announced.id, OccurrenceState::Planned, OccurrenceEvent::Announce).await.expect("announced");
    step(&store, done.id, OccurrenceState::Planned, OccurrenceEvent::Miss).await.expect("missed");
    let there = [find(&store, moved.id).await, find(&store, done.id).await];

    let hour = jiff::SignedDuration::from_hours(1);
    let other = |row: &NewOccurrence| NewOccurrence {
        job: name("other"),
        latest_start: row.latest_start - hour,
        next_notice: None,
        ..row.clone()
    };
    let changed = [other(&announced), NewOccurrence { start: moved.start - hour, ..other(&moved) }, other(&done)];
    let seen = |row: NewOccurrence, seen_state: OccurrenceState| {
        let seen_notice =
            [&announced, &moved, &done].into_iter().find(|new| new.id == row.id).and_then(|new| new.next_notice);
        Adjusted { row, seen_state, seen_notice }
    };
    let mut connection = store.pool().acquire().await.expect("a connection");
    // Seen before it was announced: what it says of notices is out of date.
    let stale = changed.clone().map(|row| seen(row, OccurrenceState::Planned));
    assert_eq!(adjust(&mut connection, &stale).await.expect("adjusted"), 0);
    let mut stale = seen(changed[0].clone(), OccurrenceState::Announced);
    stale.seen_notice = Some(before());
    assert_eq!(adjust(&mut connection, &[stale]).await.expect("adjusted"), 0);
    let changed = changed.map(|row| seen(row, OccurrenceState::Announced));
    assert_eq!(adjust(&mut connection, &changed).await.expect("adjusted"), 1);
    let adjusted = find(&store, announced.id).await;
    assert_eq!((adjusted.job, adjusted.latest_start), (name("other"), announced.latest_start - hour));
    assert_eq!(
        (adjusted.state, adjusted.start, adjusted.next_notice),
        (OccurrenceState::Announced, announced.start, None)
    );
    assert_eq!(adjusted.announced_at, Some(before()));
    assert_eq!([find(&store, moved.id).await, find(&store, done.id).await], there, "another date, or an end");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_date_that_a_message_names_is_not_removed() {
    let database = Database::open().await;
    let store = database.store().await;
    let (named, other) = (on("nordwind", "2027-03-26"), on("nordwind", "2027-06-25"));
    insert(&store, &[named.clone(), other.clone()]).await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    let contact = "insert into contact (customer, name, email, locale, receives) values (null, 'x', 'team@provider.example', 'en', '{team}')";
    sqlx::query(contact).execute(&mut *connection).await.expect("stored");
    let kind = turnus::domain::notification::Kind::ReviewNeeded;
    let message = Message { kind, occurrence: named.id, lead: None, detail: &serde_json::json!({}) };
    assert_eq!(tell(&mut connection, &message).await.expect("told"), 1);

    let (nordwind, suedstern) = ([name("nordwind")], [name("suedstern")]);
    for (customers, expected) in
        [(None, vec![named.id]), (Some(&nordwind[..]), vec![named.id]), (Some(&suedstern[..]), vec![])]
    {
        let mentioned = list_mentioned(&mut connection, customers).await.expect("listed");
        assert_eq!(mentioned.into_iter().collect::<Vec<_>>(), expected, "{customers:?}");
    }
    assert_eq!(delete_planned(&mut connection, &[named.id, other.id]).await.expect("removed"), 1);
    assert_eq!(find(&store, named.id).await.state, OccurrenceState::Planned);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_skipped_date_comes_back_as_one_that_nobody_has_heard_of() {
    let database = Database::open().await;
    let store = database.store().await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    step(&store, new.id, OccurrenceState::Planned, OccurrenceEvent::Announce).await.expect("announced");
    step(&store, new.id, OccurrenceState::Announced, OccurrenceEvent::Skip).await.expect("skipped");

    let mut connection = store.pool().acquire().await.expect("a connection");
    assert_eq!(redate_planned(&mut connection, std::slice::from_ref(&new)).await.expect("asked"), 0);
    let still = NewOccurrence { skip: Some("frozen: longer".to_owned()), ..new.clone() };
    assert_eq!(reinstate(&mut connection, OccurrenceState::Skipped, &[still]).await.expect("asked"), 1);
    let skipped = find(&store, new.id).await;
    assert_eq!((skipped.cause.as_deref(), skipped.sequence), (Some("frozen: longer"), 1));
    assert!(skipped.announced_at.is_some(), "the customer was told once");
    assert_eq!(delete_planned(&mut connection, &[new.id]).await.expect("asked"), 0, "it stays on record");

    assert_eq!(
        reinstate(&mut connection, OccurrenceState::Skipped, std::slice::from_ref(&new)).await.expect("asked"),
        1
    );
    let back = find(&store, new.id).await;
    assert_eq!((back.state, back.sequence, back.announced_at), (OccurrenceState::Planned, 2, None));
    assert_eq!((back.cause, back.finished_at, back.next_notice), (None, None, new.next_notice));
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_hundred_thousand_dates_go_in_at_once() {
    let database = Database::open().await;
    let store = database.store().await;
    let template = on("nordwind", "2027-03-26");
    let dates: Vec<NewOccurrence> = (0..100_000i64)
        .map(|minutes| NewOccurrence {
            id: OccurrenceId(uuid::Uuid::now_v7()),
            recurrence_id: template.recurrence_id + jiff::SignedDuration::from_mins(minutes),
            ..template.clone()
        })
        .collect();
    assert_eq!(insert(&store, &dates).await, 100_000);
    assert_eq!(insert(&store, &dates[99_999..]).await, 0);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn lists_show_what_was_asked_for_in_order() {
    let database = Database::open().await;
    let store = database.store().await;
    let mut monthly = on("nordwind", "2027-03-10");
    monthly.window = name("monthly");
    let dates = [on("nordwind", "2027-06-25"), on("nordwind", "2027-03-26"), monthly, on("suedstern", "2027-03-26")];
    insert(&store, &dates).await;
    let moved = move_to(&store, dates[0].id, "2027-06-24").await.expect("moved");

    let everything = OccurrenceFilter {
        customer: None,
        window: None,
        from: None,
        until: None,
        history: History::Without,
        limit: None,
    };
    let (nordwind, quarterly) = (name("nordwind"), name("quarterly"));
    let from = Some(instant("2027-03-26T13:00:00Z"));
    let cases = [
        (everything, vec![dates[2].id, dates[1].id, dates[3].id, moved]),
        (
            OccurrenceFilter { history: History::With, ..everything },
            vec![dates[2].id, dates[1].id, dates[3].id, moved, dates[0].id],
        ),
        (OccurrenceFilter { customer: Some(&nordwind), ..everything }, vec![dates[2].id, dates[1].id, moved]),
        (OccurrenceFilter { window: Some(&quarterly), ..everything }, vec![dates[1].id, dates[3].id, moved]),
        (OccurrenceFilter { from, ..everything }, vec![dates[1].id, dates[3].id, moved]),
        (OccurrenceFilter { until: from, ..everything }, vec![dates[2].id]),
        (OccurrenceFilter { limit: Some(1), ..everything }, vec![dates[2].id]),
    ];
    let mut connection = store.pool().acquire().await.expect("a connection");
    for (filter, expected) in cases {
        let listed = list_occurrences(&mut connection, filter).await.expect("listed");
        assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), expected, "{filter:?}");
    }
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn the_dates_that_are_taken_are_those_ahead_and_those_brought_forward() {
    let database = Database::open().await;
    let store = database.store().await;
    let now = instant("2027-03-26T12:00:00Z");
    let past = on("nordwind", "2026-11-27");
    let ahead = on("nordwind", "2027-03-26");
    let cancelled = on("nordwind", "2027-04-30");
    let mut brought_forward = on("nordwind", "2027-03-20");
    brought_forward.recurrence_id = "2027-04-02T14:00:00".parse().expect("a local time");
    let moved = on("nordwind", "2027-05-28");
    let other = on("suedstern", "2027-03-26");
    let dates = [&past, &ahead, &cancelled, &brought_forward, &moved, &other].map(Clone::clone);
    insert(&store, &dates).await;
    step(&store, cancelled.id, OccurrenceState::Planned, OccurrenceEvent::Cancel).await.expect("called off");
    step(&store, moved.id, OccurrenceState::Planned, OccurrenceEvent::Move).await.expect("moved");

    let mut connection = store.pool().acquire().await.expect("a connection");
    let listed = list_ahead(&mut connection, Some(&[name("nordwind")]), now).await.expect("listed");
    let ids: Vec<_> = listed.iter().map(|row| row.id).collect();
    assert_eq!(ids, [brought_forward.id, ahead.id, cancelled.id]);
    assert_eq!(list_ahead(&mut connection, None, now).await.expect("listed").len(), 4);
    assert_eq!(list_ahead(&mut connection, Some(&[]), now).await.expect("listed"), []);

    let (from, until) = (instant("2027-07-12T00:00:00Z"), instant("2027-07-19T00:00:00Z"));
    let around = list_around(&mut connection, from, until).await.expect("listed");
    assert_eq!(around.iter().map(|row| row.id).collect::<Vec<_>>(), [], "all are further away, or moved");
    let around = list_around(&mut connection, from - jiff::SignedDuration::from_hours(24 * 10), until).await;
    assert_eq!(around.expect("listed").iter().map(|row| row.id).collect::<Vec<_>>(), [cancelled.id]);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn what_a_due_occurrence_waits_for_is_noted_as_long_as_it_waits() {
    let database = Database::open().await;
    let store = database.store().await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    for _ in 0..2 {
        assert!(set_waiting(&mut connection, new.id, Some("host mail01 is in run 7"), before()).await.expect("noted"));
    }
    assert_eq!(find(&store, new.id).await.cause.as_deref(), Some("host mail01 is in run 7"));
    step(&store, new.id, OccurrenceState::Planned, OccurrenceEvent::Open).await.expect("opened");
    assert_eq!(find(&store, new.id).await.cause, None);
    assert!(!set_waiting(&mut connection, new.id, Some("something else"), before()).await.expect("asked"));
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn an_occurrence_opens_with_its_run_and_closes_with_it() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let (run, number, epoch) = open(&store, new.id, "mail01").await.expect("opened");

    let opened = find(&store, new.id).await;
    assert_eq!((opened.state, opened.run), (OccurrenceState::Open, Some(number)));
    assert_eq!(opened.opened_at, Some(instant("2027-03-26T13:00:01Z")));
    let mut connection = store.pool().acquire().await.expect("a connection");
    let stored = find_run(&mut connection, number).await.expect("found").expect("there");
    assert_eq!((stored.occurrence, stored.epoch), (Some(new.id), Epoch(1)));
    assert_eq!(stored.lease.map(|lease| (lease.owner, lease.alive)), Some(("one:1".to_owned(), true)));
    assert_eq!(take(&store, run, "two:2").await, None, "there is no moment at which another could take it");

    let suspended = Batch::of(vec![recorded(1, Event::RunSuspended)], Vec::new());
    write(&store, run, epoch, &suspended).await.expect("written");
    assert_eq!(find(&store, new.id).await.state, OccurrenceState::Open, "a suspended run has not ended");
    let mut end = the_end(RunResult::Failed);
    end.events.remove(0);
    write(&store, run, epoch, &end).await.expect("written");
    let closed = find(&store, new.id).await;
    assert_eq!(closed.state, OccurrenceState::Done);
    let ended = find_run(&mut connection, number).await.expect("found").expect("there");
    assert_eq!(closed.finished_at, ended.finished_at);

    write(&store, run, epoch, &end).await.expect("the answer to the first COMMIT was lost");
    assert_eq!(find(&store, new.id).await, closed);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_run_that_is_not_written_leaves_its_occurrence_open() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let (run, _, epoch) = open(&store, new.id, "mail01").await.expect("opened");
    let fenced = write(&store, run, Epoch(epoch.0 + 1), &the_end(RunResult::Succeeded)).await;
    assert!(matches!(fenced, Err(Error::Fenced)), "{fenced:?}");
    assert_eq!(find(&store, new.id).await.state, OccurrenceState::Open);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn an_occurrence_has_one_run_and_a_run_opens_its_own_occurrence() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    let (one, other) = (on("nordwind", "2027-03-26"), on("nordwind", "2027-06-25"));
    insert(&store, &[one.clone(), other.clone()]).await;
    let (run, ..) = open(&store, one.id, "mail01").await.expect("opened");
    let refused = open(&store, one.id, "web01").await.expect_err("it has a run");
    assert!(matches!(&refused, Error::Conflict { constraint } if constraint == "run_occurrence_key"), "{refused:?}");
    assert_eq!(refused.kind(), Kind::Conflict);

    let mut connection = store.pool().acquire().await.expect("a connection");
    assert!(!open_occurrence(&mut connection, other.id, run, before()).await.expect("asked"), "another's run");
    assert_eq!(find(&store, other.id).await.state, OccurrenceState::Planned);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn the_tables_refuse_occurrences_that_make_no_sense() {
    let database = Database::open().await;
    let store = database.store().await;
    insert(&store, &[on("nordwind", "2027-03-26")]).await;
    let cases = [
        ("update occurrence set end_at = start_at, latest_start_at = start_at", "window_has_length"),
        ("update occurrence set latest_start_at = start_at - interval '1 s'", "window_has_length"),
        ("update occurrence set latest_start_at = end_at + interval '1 s'", "window_has_length"),
        ("update occurrence set confirmed_at = now()", "confirmation_is_whole"),
        ("update occurrence set confirmed_by = 'anna'", "confirmation_is_whole"),
        ("update occurrence set state = 'open'", "opened_iff_open_or_done"),
        ("update occurrence set opened_at = now()", "opened_iff_open_or_done"),
        ("update occurrence set state = 'done', finished_at = now()", "opened_iff_open_or_done"),
        ("update occurrence set state = 'missed', cause = 'x'", "finished_iff_ended"),
        ("update occurrence set finished_at = now()", "finished_iff_ended"),
        ("update occurrence set state = 'moved', finished_at = now()", "end_has_cause"),
        ("update occurrence set state = 'late'", "occurrence_state_check"),
        ("update occurrence set sequence = -1", "occurrence_sequence_check"),
    ];
    for (sql, constraint) in cases {
        let refused = sqlx::raw_sql(sql).execute(&store.pool()).await.expect_err(sql);
        let refused = refused.into_database_error().expect("the database refuses");
        assert_eq!(refused.constraint(), Some(constraint), "{sql}");
    }
    store.close().await.expect("closed");
    database.close().await;
}
