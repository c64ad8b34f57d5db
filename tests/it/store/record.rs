//! What a controller writes: all or nothing, for its epoch only, and twice is once.

use std::collections::BTreeMap;

use turnus::domain::id::{Epoch, RunId};
use turnus::domain::plan::{HostIndex, StepIndex};
use turnus::domain::run::event::RunState;
use turnus::domain::run::event::{Event, Facts, Fault, Outcome, RunResult, SkipCause, StepEnd, StepResult};
use turnus::edge::store::Store;
use turnus::edge::store::error::{Error, Kind};
use turnus::edge::store::event::{read_events, read_events_after};
use turnus::edge::store::lease::take_lease;
use turnus::edge::store::log::{LogChunk, find_log_end, read_log};
use turnus::edge::store::record::{Batch, record};
use turnus::edge::store::run::{RunNumber, find_run};

use super::{create, host_finished, let_lapse, plan_for, recorded, step_started, take, try_create, write};
use crate::kit::database::Database;

/// One of each kind, with the values that are hard to keep.
fn every_event() -> Vec<Event> {
    let (host, step) = (HostIndex(1), StepIndex(7));
    let facts: Facts = BTreeMap::from([
        ("path".to_owned(), "/var/backups/mail.tar".to_owned()),
        ("kind".to_owned(), "a key that is a column's name".to_owned()),
        ("odd".to_owned(), "zero \0, quote \", slash \\, bell \u{7}, ünïcode \u{1F980}, \u{feff}".to_owned()),
    ]);
    let fault = Fault { what: "cannot connect to `192.0.2.10`".to_owned(), hint: Some("is it on?".to_owned()) };
    let silent = Fault { what: String::new(), hint: None };
    let ends = [
        StepEnd::Succeeded,
        StepEnd::Failed { exit_status: 255 },
        StepEnd::TimedOut,
        StepEnd::Interrupted,
        StepEnd::Lost,
        StepEnd::NotMet { why: "expected 200, found 503".to_owned() },
        StepEnd::NotStarted { why: "no shell".to_owned() },
    ];
    let outcomes = [
        Outcome::Updated,
        Outcome::NothingToDo,
        Outcome::Skipped { cause: SkipCause::FailureLimit },
        Outcome::Unreachable { fault: fault.clone() },
        Outcome::FailedAndRolledBack { step },
        Outcome::Failed { step, cancelled: true },
        Outcome::Unknown { step },
    ];
    let mut events = vec![
        Event::LeaseTaken { epoch: Epoch(i64::MAX), controller: "wartung:4711".to_owned() },
        Event::BatchStarted { batch: 3 },
        Event::HostStarted { host },
        Event::HostReady { host, facts: facts.clone() },
        Event::HostUnreachable { host, fault: fault.clone() },
        Event::StepStarted { host, step },
        Event::StepOverdue { host, step },
        Event::StepUnknown { host, step, fault: silent },
        Event::CancelRequested { by: "SIGINT".to_owned() },
        Event::RunSuspended,
        Event::RunClosed { by: "anna".to_owned() },
        Event::RunFinished { result: RunResult::Cancelled },
    ];
    events.extend(ends.into_iter().map(|end| {
        let last_line = "done \0".to_owned();
        let result = StepResult {
            facts: facts.clone(),
            output_bytes: u64::MAX,
            omitted_bytes: 1 << 53,
            last_line,
            ..StepResult::of(end)
        };
        Event::StepFinished { host, step, result }
    }));
    events.extend(outcomes.into_iter().map(|outcome| Event::HostFinished { host, outcome }));
    events
}

#[tokio::test]
async fn every_event_comes_back_as_it_was_written() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01", "web01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let events: Vec<_> = (1..).zip(every_event()).map(|(seq, event)| recorded(seq, event)).collect();

    write(&store, run, epoch, &Batch { events: events.clone(), ..Batch::default() }).await.expect("written");
    let mut connection = store.pool().acquire().await.expect("a connection");
    assert_eq!(read_events(&mut connection, run).await.expect("read"), events);
    assert_eq!(read_events_after(&mut connection, run, 20).await.expect("read"), events[20..]);

    let asked = "select count(*) from run_event where run_id = $1 and host_index = 1 and step_index = 7 and kind = 'step_finished'";
    let finished: i64 = sqlx::query_scalar(asked).bind(run.0).fetch_one(&store.pool()).await.expect("counted");
    assert_eq!(finished, 7, "kind, host and step are columns");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_time_is_kept_in_microseconds() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let mut event = recorded(1, Event::RunSuspended);
    event.at = "2026-03-29T01:00:00.123456789Z".parse().expect("a time");
    let batch = Batch { events: vec![event], ..Batch::default() };

    write(&store, run, epoch, &batch).await.expect("written");
    write(&store, run, epoch, &batch).await.expect("the same event, although the stored one is shorter");
    let mut connection = store.pool().acquire().await.expect("a connection");
    let read = read_events(&mut connection, run).await.expect("read");
    assert_eq!(read[0].at.to_string(), "2026-03-29T01:00:00.123456Z");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

fn chunk(host: usize, step: usize, at_offset: u64, content: &[u8]) -> LogChunk {
    LogChunk { host: HostIndex(host), step: StepIndex(step), at_offset, content: content.to_vec() }
}

/// The last batch of a run of one host, with everything in it.
fn last_batch() -> Batch {
    Batch {
        events: vec![
            step_started(1, 0, 0),
            host_finished(2, 0, Outcome::Updated),
            recorded(3, Event::RunFinished { result: RunResult::Succeeded }),
        ],
        log: vec![chunk(0, 0, 0, b"all of it")],
        state: Some(RunState::Succeeded),
        started: vec![HostIndex(0)],
        hosts: vec![(HostIndex(0), Outcome::Updated)],
    }
}

async fn state_of(store: &Store, number: RunNumber) -> RunState {
    let mut connection = store.pool().acquire().await.expect("a connection");
    find_run(&mut connection, number).await.expect("found").expect("there").state
}

/// Rows of the run in all tables that a batch writes to.
async fn count_rows(store: &Store, run: RunId) -> i64 {
    let sql =
        "select (select count(*) from run_event where run_id = $1) + (select count(*) from step_log where run_id = $1)
                    + (select count(*) from host_run where run_id = $1 and state = 'finished')";
    sqlx::query_scalar(sql).bind(run.0).fetch_one(&store.pool()).await.expect("counted")
}

#[tokio::test]
async fn a_batch_written_twice_is_as_if_written_once() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, number) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");

    write(&store, run, epoch, &last_batch()).await.expect("written");
    let finished_at = "select finished_at from run";
    let first: jiff_sqlx::Timestamp = sqlx::query_scalar(finished_at).fetch_one(&store.pool()).await.expect("ended");
    write(&store, run, epoch, &last_batch()).await.expect("the answer to the first COMMIT was lost");
    let again: jiff_sqlx::Timestamp = sqlx::query_scalar(finished_at).fetch_one(&store.pool()).await.expect("ended");

    assert_eq!(count_rows(&store, run).await, 3 + 1 + 1);
    assert_eq!(state_of(&store, number).await, RunState::Succeeded);
    assert_eq!(first.to_jiff(), again.to_jiff());
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_batch_that_overlaps_what_is_there_adds_the_rest() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let first = Batch { events: vec![step_started(1, 0, 0)], log: vec![chunk(0, 0, 0, b"one")], ..Batch::default() };
    let mut more = first.clone();
    more.events.push(step_started(2, 0, 1));
    more.log.push(chunk(0, 0, 3, b"two"));

    write(&store, run, epoch, &first).await.expect("written");
    write(&store, run, epoch, &more).await.expect("written");
    assert_eq!(count_rows(&store, run).await, 4);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn another_event_at_the_same_place_is_a_conflict_and_nothing_is_written() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, number) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let there = Batch { events: vec![step_started(1, 0, 0)], ..Batch::default() };
    write(&store, run, epoch, &there).await.expect("written");

    let mut other = last_batch();
    other.events = vec![step_started(1, 0, 5), step_started(2, 0, 6)];
    let refused = write(&store, run, epoch, &other).await.expect_err("there is another event");
    assert!(matches!(&refused, Error::Conflict { constraint } if constraint == "run_event_pkey"), "{refused:?}");
    assert_eq!(count_rows(&store, run).await, 1);
    assert_eq!(state_of(&store, number).await, RunState::Running);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn of_two_writers_at_one_place_one_gets_through() {
    let database = Database::open().await;
    let (left, right) = (database.store().await, database.store().await);
    let (run, _) = create(&left, &["mail01"]).await;
    let epoch = take(&left, run, "one:1").await.expect("free");
    for seq in 1..=20 {
        let of = |step| Batch { events: vec![step_started(seq, 0, step)], ..Batch::default() };
        let (one, two) = (of(1), of(2));
        let outcomes = tokio::join!(write(&left, run, epoch, &one), write(&right, run, epoch, &two));
        let kinds = [outcomes.0.map_err(|error| error.kind()), outcomes.1.map_err(|error| error.kind())];
        assert!(kinds == [Ok(()), Err(Kind::Conflict)] || kinds == [Err(Kind::Conflict), Ok(())], "{kinds:?}");
    }
    left.close().await.expect("closed");
    right.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn an_older_epoch_writes_nothing() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, number) = create(&store, &["mail01"]).await;
    let old = take(&store, run, "one:1").await.expect("free");
    let_lapse(&store).await;
    let new = take(&store, run, "two:2").await.expect("lapsed");

    let fenced = write(&store, run, old, &last_batch()).await.expect_err("taken over");
    assert_eq!(fenced.kind(), Kind::Fenced);
    let ahead = write(&store, run, Epoch(new.0 + 1), &last_batch()).await.expect_err("never given");
    assert_eq!(ahead.kind(), Kind::Fenced);
    let foreign = write(&store, RunId(uuid::Uuid::now_v7()), new, &last_batch()).await.expect_err("no such run");
    assert_eq!(foreign.kind(), Kind::Fenced);
    assert_eq!(count_rows(&store, run).await, 0);
    assert_eq!(state_of(&store, number).await, RunState::Running);

    write(&store, run, new, &last_batch()).await.expect("the new one may");
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_take_over_waits_for_the_write_in_progress() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let old = take(&store, run, "one:1").await.expect("free");
    let_lapse(&store).await;

    let mut writing = store.begin().await.expect("begin");
    record(&mut writing, run, old, &Batch { events: vec![step_started(1, 0, 0)], ..Batch::default() })
        .await
        .expect("nobody has taken over yet");
    let taker = tokio::spawn({
        let pool = store.pool();
        async move {
            let mut connection = pool.acquire().await.expect("a connection");
            let taken = take_lease(&mut connection, run, "two:2").await.expect("asked");
            (taken, read_events(&mut connection, run).await.expect("read").len())
        }
    });
    let mut watcher = database.connect().await;
    let blocked =
        "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !sqlx::query_scalar::<_, bool>(blocked).fetch_one(&mut watcher).await.expect("asked") {
        assert!(std::time::Instant::now() < deadline && !taker.is_finished(), "the taker does not wait");
    }
    writing.commit().await.expect("commit");
    assert_eq!(taker.await.expect("taken"), (Some(Epoch(2)), 1), "it sees what was written before it");

    sqlx::Connection::close(watcher).await.expect("closed");
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_run_that_has_ended_takes_nothing_more_and_gives_its_hosts_free() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    write(&store, run, epoch, &last_batch()).await.expect("ended");

    for state in [None, Some(RunState::Running), Some(RunState::Failed)] {
        let late = Batch { events: vec![step_started(4, 0, 0)], state, ..Batch::default() };
        let refused = write(&store, run, epoch, &late).await.expect_err("it has ended");
        assert_eq!(refused.kind(), Kind::Fenced, "{state:?}");
    }
    try_create(&store, &plan_for("nordwind", &["mail01"]), None).await.expect("the host is free");
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_run_does_not_end_while_it_holds_a_host() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, number) = create(&store, &["mail01", "web01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");

    let refused = write(&store, run, epoch, &last_batch()).await.expect_err("web01 is open");
    assert!(matches!(refused, Error::HostsLeftOpen { open: 1 }), "{refused:?}");
    assert_eq!(state_of(&store, number).await, RunState::Running);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn output_is_read_from_any_place_and_in_pieces() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let any_bytes: Vec<u8> = (0..=255).collect();
    // 256 bytes, four more, a gap of 740, three more; and another step's.
    let log = vec![
        chunk(0, 2, 0, &any_bytes),
        chunk(0, 2, 256, b"more"),
        chunk(0, 2, 1000, b"end"),
        chunk(0, 3, 0, b"other step"),
    ];
    write(&store, run, epoch, &Batch { log, ..Batch::default() }).await.expect("written");
    // The same offset again: it stays as it was.
    let again = Batch { log: vec![chunk(0, 2, 256, b"mor")], ..Batch::default() };
    write(&store, run, epoch, &again).await.expect("written");

    let mut connection = store.pool().acquire().await.expect("a connection");
    let step = (HostIndex(0), StepIndex(2));
    let whole = [chunk(0, 2, 0, &any_bytes), chunk(0, 2, 256, b"more"), chunk(0, 2, 1000, b"end")];
    let cases: [(u64, u64, Vec<LogChunk>); 9] = [
        (0, u64::MAX, whole.to_vec()),
        (0, 1, whole[..1].to_vec()),
        (0, 257, whole[..2].to_vec()),
        (255, 1, vec![chunk(0, 2, 255, &[255])]),
        (258, 100, vec![chunk(0, 2, 258, b"re"), whole[2].clone()]),
        (260, 100, whole[2..].to_vec()),
        (999, 100, whole[2..].to_vec()),
        (1002, 100, vec![chunk(0, 2, 1002, b"d")]),
        (1003, 100, Vec::new()),
    ];
    for (from, limit, expected) in cases {
        let read = read_log(&mut connection, run, step, from, limit).await.expect("read");
        assert_eq!(read, expected, "from {from}, at most {limit}");
    }
    assert_eq!(find_log_end(&mut connection, run, step).await.expect("asked"), 1003);
    assert_eq!(find_log_end(&mut connection, run, (HostIndex(0), StepIndex(9))).await.expect("asked"), 0);
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn output_in_a_batch_keeps_to_offsets_that_a_file_can_have() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    for wrong in [chunk(0, 0, u64::MAX, b"x"), chunk(usize::MAX, 0, 0, b"x"), chunk(0, 0, 0, b"")] {
        let refused = write(&store, run, epoch, &Batch { log: vec![wrong], ..Batch::default() }).await;
        assert_eq!(refused.expect_err("it can't be stored").kind(), Kind::Invalid);
    }
    assert_eq!(count_rows(&store, run).await, 0);
    store.close().await.expect("closed");
    database.close().await;
}
