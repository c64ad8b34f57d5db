//! What the end of a run tells, whom, and what the next report tells of what was told by no message of its own.

use serde_json::json;
use turnus::domain::id::{Epoch, RunId};
use turnus::domain::notification::Kind;
use turnus::domain::report::meanwhile::{Meanwhile, QuietDate, Undelivered};
use turnus::domain::run::event::{Event, Fault, Outcome, RunResult};
use turnus::edge::store::Store;
use turnus::edge::store::record::{Batch, record};
use turnus::edge::store::run::{RunNumber, StoredRun, find_run};

use super::notification::{outbox, store_contacts};
use super::occurrence::{insert, on, open, the_end};
use super::{create, host_finished, name, recorded, store_revisions, take, write};
use crate::kit::database::{Database, execute};

/// The end of a run with one host.
fn ends(outcome: Outcome, result: RunResult) -> Batch {
    let events = vec![
        recorded(1, Event::LeaseTaken { epoch: Epoch(1), controller: "one:1".to_owned() }),
        host_finished(2, 0, outcome),
        recorded(3, Event::RunFinished { result }),
    ];
    Batch::of(events, Vec::new())
}

fn updated() -> Batch {
    ends(Outcome::Updated, RunResult::Succeeded)
}

/// What was told, kind by kind, to whom.
async fn told(store: &Store) -> Vec<(Kind, String)> {
    let mut told: Vec<_> = outbox(store).await.into_iter().map(|row| (row.kind, row.recipient)).collect();
    told.sort_unstable();
    told
}

async fn run_of(store: &Store, number: RunNumber) -> StoredRun {
    let mut connection = store.pool().acquire().await.expect("a connection");
    find_run(&mut connection, number).await.expect("found").expect("there")
}

/// Opens a date of nordwind and ends its run so.
async fn hold(store: &Store, day: &str, end: &Batch) -> (RunId, RunNumber) {
    let new = on("nordwind", day);
    insert(store, std::slice::from_ref(&new)).await;
    let (run, number, epoch) = open(store, new.id, "mail01").await.expect("opened");
    write(store, run, epoch, end).await.expect("written");
    (run, number)
}

const IT: &str = "IT@nordwind.example";
const CHEF: &str = "chef@nordwind.example";
const TEAM: &str = "team@provider.example";

fn to(kind: Kind, recipients: &[&str]) -> Vec<(Kind, String)> {
    recipients.iter().map(|recipient| (kind, (*recipient).to_owned())).collect()
}

#[tokio::test]
async fn the_end_of_a_run_is_told_with_it_once() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    store_contacts(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let (run, number, epoch) = open(&store, new.id, "mail01").await.expect("opened");

    let mut transaction = store.begin().await.expect("begin");
    record(&mut transaction, run, epoch, &updated()).await.expect("written");
    transaction.rollback().await.expect("rolled back");
    assert_eq!(outbox(&store).await, [], "not before the end is stored");

    for _ in 0..2 {
        write(&store, run, epoch, &updated()).await.expect("written, and written again");
    }
    let rows = outbox(&store).await;
    let about: Vec<_> = rows.iter().map(|row| (row.kind, row.occurrence, row.sequence, row.run, &row.detail)).collect();
    let nothing = json!({});
    let finished = (Kind::Finished, Some(new.id), Some(0), Some(number), &nothing);
    assert_eq!(about, [finished, finished], "the two that get reports");
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn who_gets_reports_hears_of_a_failure_and_so_does_the_team() {
    let database = Database::open().await;
    let store = database.store().await;
    store_contacts(&store).await;
    for result in [RunResult::Failed, RunResult::Cancelled] {
        let (run, number) = create(&store, &["mail01"]).await;
        let epoch = take(&store, run, "one:1").await.expect("free");
        write(&store, run, epoch, &the_end(result)).await.expect("written");
        let mut rows = outbox(&store).await;
        rows.retain(|row| row.run == Some(number));
        let mut about: Vec<_> = rows.iter().map(|row| (row.kind, row.recipient.as_str(), row.occurrence)).collect();
        about.sort_unstable();
        let expected = [(Kind::Failed, IT, None), (Kind::Failed, CHEF, None), (Kind::RunFailed, TEAM, None)];
        assert_eq!(about, expected, "{result:?}");
    }
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_run_by_hand_is_told_of_even_if_nothing_was_to_be_done() {
    let database = Database::open().await;
    let store = database.store().await;
    store_contacts(&store).await;
    let (run, number) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    write(&store, run, epoch, &the_end(RunResult::Succeeded)).await.expect("written");
    assert_eq!(told(&store).await, to(Kind::Finished, &[IT, CHEF]));
    assert!(!run_of(&store, number).await.quiet);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn the_team_hears_of_a_run_that_waits_for_a_person_each_time_it_comes_to_that() {
    let database = Database::open().await;
    let store = database.store().await;
    store_contacts(&store).await;
    let (run, _) = create(&store, &["mail01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let suspended = Batch::of(vec![recorded(1, Event::RunSuspended)], Vec::new());
    for _ in 0..2 {
        write(&store, run, epoch, &suspended).await.expect("written, and written again");
    }
    assert_eq!(told(&store).await, to(Kind::RunFailed, &[TEAM]));
    assert_eq!(outbox(&store).await[0].detail, json!({"suspended": true}));
    super::let_lapse(&store).await;
    let epoch = take(&store, run, "two:2").await.expect("free");
    let resumed = Event::LeaseTaken { epoch, controller: "two:2".to_owned() };
    let again = Batch::of(vec![recorded(2, resumed), recorded(3, Event::RunSuspended)], Vec::new());
    write(&store, run, epoch, &again).await.expect("written");
    assert_eq!(told(&store).await, to(Kind::RunFailed, &[TEAM, TEAM]));
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_date_on_which_nothing_was_to_be_done_is_told_by_the_next_report_only() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    store_contacts(&store).await;
    let (_, first) = hold(&store, "2027-03-26", &the_end(RunResult::Succeeded)).await;
    let (_, second) = hold(&store, "2027-04-30", &the_end(RunResult::Succeeded)).await;
    assert_eq!(told(&store).await, [], "nobody hears of them");
    assert!(run_of(&store, first).await.quiet);
    let (_, third) = hold(&store, "2027-05-28", &updated()).await;
    assert_eq!(told(&store).await, to(Kind::Finished, &[IT, CHEF]));
    let quiet = |number: RunNumber, opens_at: &str| QuietDate {
        run_number: number.0,
        window: name("quarterly"),
        opens_at: opens_at.parse().expect("an instant"),
    };
    let expected = vec![quiet(first, "2027-03-26T13:00:00Z"), quiet(second, "2027-04-30T13:00:00Z")];
    let third = run_of(&store, third).await;
    assert_eq!((third.quiet, third.meanwhile.quiet), (false, expected));
    let (_, fourth) = hold(&store, "2027-06-25", &updated()).await;
    assert_eq!(run_of(&store, fourth).await.meanwhile, Meanwhile::default(), "told once");
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn whoever_was_told_of_the_beginning_is_told_of_the_end() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    store_contacts(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let (run, number, epoch) = open(&store, new.id, "mail01").await.expect("opened");
    assert_eq!(super::notification::say(&store, Kind::Started, new.id, None).await, 1);
    let sent = "update notification set state = 'sent', ended_at = now()";
    execute(&mut database.connect().await, sent.to_owned()).await;
    write(&store, run, epoch, &the_end(RunResult::Succeeded)).await.expect("written");
    let expected = [to(Kind::Started, &[CHEF]), to(Kind::Finished, &[IT, CHEF])].concat();
    assert_eq!(told(&store).await, expected);
    assert!(!run_of(&store, number).await.quiet);
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_job_that_updates_nothing_is_reported_whatever_it_finds() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    store_contacts(&store).await;
    let new = on("nordwind", "2027-03-26");
    insert(&store, std::slice::from_ref(&new)).await;
    let (run, _, epoch) = open(&store, new.id, "mail01").await.expect("opened");
    let a_look = "update run set plan = replace(plan::text, '\"phase\":\"update\"', '\"phase\":\"preflight\"')::json";
    sqlx::query(a_look).execute(&store.pool()).await.expect("another job");
    write(&store, run, epoch, &the_end(RunResult::Succeeded)).await.expect("written");
    assert_eq!(told(&store).await, to(Kind::Finished, &[IT, CHEF]));
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn a_host_that_was_left_out_makes_a_date_worth_telling() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    store_contacts(&store).await;
    let fault = Fault { what: "no line".to_owned(), hint: None };
    let unreachable = Outcome::Unreachable { fault };
    hold(&store, "2027-03-26", &ends(unreachable, RunResult::Failed)).await;
    assert_eq!(told(&store).await, [to(Kind::Failed, &[IT, CHEF]), to(Kind::RunFailed, &[TEAM])].concat());
    store.close().await.expect("closed");
    database.close().await;
}

#[tokio::test]
async fn messages_that_could_not_be_delivered_are_open_points_of_the_next_report() {
    let database = Database::open().await;
    let store = database.store().await;
    store_revisions(&store).await;
    store_contacts(&store).await;
    let (_, first) = hold(&store, "2027-03-26", &updated()).await;
    let given_up = "update notification set state = 'undeliverable', ended_at = clock_timestamp()
                    where recipient = 'chef@nordwind.example'";
    sqlx::query(given_up).execute(&store.pool()).await.expect("given up");
    let of_team = "insert into notification (kind, customer, recipient, recipient_name, locale, dedupe_key, state, ended_at)
                   values ('review_needed', 'nordwind', 'old@provider.example', 'x', 'de', '1', 'undeliverable', clock_timestamp()),
                          ('missed', 'nordwind', 'team@provider.example', 'x', 'de', '2', 'undeliverable', clock_timestamp()),
                          ('missed', 'suedstern', 'it@suedstern.example', 'x', 'de', '3', 'undeliverable', clock_timestamp())";
    sqlx::query(of_team).execute(&store.pool()).await.expect("given up");
    let number = outbox(&store).await.iter().find(|row| row.recipient == CHEF).expect("told").number;

    let (_, second) = hold(&store, "2027-04-30", &updated()).await;
    let lost = [Undelivered { number, message: Kind::Finished, recipient: CHEF.to_owned() }];
    assert_eq!(run_of(&store, second).await.meanwhile.undelivered, lost);
    assert_eq!(run_of(&store, first).await.meanwhile, Meanwhile::default(), "what was written stays as it was");
    let later = "update notification set state = 'due', ended_at = null where state = 'undeliverable'";
    sqlx::query(later).execute(&store.pool()).await.expect("tried again");
    assert_eq!(run_of(&store, second).await.meanwhile.undelivered, lost, "likewise");
    let (_, third) = hold(&store, "2027-05-28", &updated()).await;
    assert_eq!(run_of(&store, third).await.meanwhile, Meanwhile::default());
    store.close().await.expect("closed");
    database.close().await;
}
