//! A database of an older release: opened, brought up to date, and nothing of it lost.

use std::path::Path;

use sqlx::migrate::Migrator;
use turnus::domain::id::{Epoch, RunId};
use turnus::domain::run::event::{Event, Outcome, RunResult, RunState};
use turnus::edge::store::event::read_events;
use turnus::edge::store::record::Batch;
use turnus::edge::store::run::{Filter, Show, find_run, list_runs};

use super::{host_finished, plan_for, recorded, take, write};
use crate::kit::database::{Database, execute};

/// The first release: what a run by hand needs.
const FIRST_RELEASE: usize = 5;

/// The schema as the first release left it, with its migrations noted as that release noted them.
async fn open_first_release(database: &Database) {
    let older = tempfile::tempdir().expect("a directory");
    let migrations = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"));
    let mut files: Vec<_> =
        std::fs::read_dir(migrations).expect("readable").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    for file in &files[..FIRST_RELEASE] {
        std::fs::copy(file, older.path().join(file.file_name().expect("a name"))).expect("copied");
    }
    let mut connection = database.connect().await;
    let migrator = Migrator::new(older.path()).await.expect("migrations");
    migrator.run(&mut connection).await.expect("an empty database takes the schema");
}

/// An ended run and one under way, written as that release wrote them.
async fn fill(database: &Database) -> [RunId; 2] {
    let runs = [RunId(uuid::Uuid::now_v7()), RunId(uuid::Uuid::now_v7())];
    let plan = plan_for("nordwind", &["mail01"]);
    let plan_json = serde_json::to_string(&plan).expect("text").replace('\'', "''");
    let hash = plan.hash();
    let (customer_revision, job_revision) = (plan.customer_revision.as_str(), plan.job_revision.as_str());
    let sql = format!(
        "insert into revision (hash, kind, name, content)
             values ('{customer_revision}', 'inventory', 'nordwind', 'inventory'), ('{job_revision}', 'job', 'job', 'job');
         insert into run (id, customer, job, plan, plan_hash, customer_revision, job_revision, reason, started_by, state, finished_at)
             select id, 'nordwind', 'debian-quarterly', '{plan_json}', '{hash}', '{customer_revision}', '{job_revision}', 'test', 'anna',
                    state, case state when 'succeeded' then now() end
             from (values ('{0}'::uuid, 'succeeded'), ('{1}'::uuid, 'running')) as run (id, state);
         insert into host_run (run_id, host_index, customer, host, state, outcome, finished_at)
             values ('{0}', 0, 'nordwind', 'mail01', 'finished', 'nothing_to_do', now()),
                    ('{1}', 0, 'nordwind', 'mail01', 'open', null, null);
         insert into run_event (run_id, seq, at, kind, detail)
             values ('{0}', 1, now(), 'lease_taken', '{{\"epoch\":1,\"controller\":\"one:1\"}}'),
                    ('{1}', 1, now(), 'lease_taken', '{{\"epoch\":1,\"controller\":\"one:1\"}}');
         update run set epoch = 1",
        runs[0],
        runs[1],
        hash = hash.as_str(),
    );
    let mut connection = database.connect().await;
    execute(&mut connection, sql).await;
    runs
}

#[tokio::test]
async fn a_database_of_the_first_release_opens_and_keeps_its_runs() {
    let database = Database::open_empty().await;
    open_first_release(&database).await;
    let [ended, open] = fill(&database).await;

    let store = database.store().await;
    let mut connection = store.pool().acquire().await.expect("a connection");
    let filter = Filter { customer: None, show: Show::All, limit: 10 };
    let listed = list_runs(&mut connection, filter).await.expect("listed");
    let states: Vec<_> = listed.iter().map(|row| (row.id, row.state)).collect();
    assert_eq!(states, [(open, RunState::Running), (ended, RunState::Succeeded)]);
    let run = find_run(&mut connection, listed[1].number).await.expect("found").expect("there");
    assert_eq!((run.occurrence, run.plan), (None, plan_for("nordwind", &["mail01"])));
    let taken = Event::LeaseTaken { epoch: Epoch(1), controller: "one:1".to_owned() };
    assert_eq!(read_events(&mut connection, ended).await.expect("read")[0].event, taken);

    // The one under way is carried on and ended by this release.
    let epoch = take(&store, open, "two:2").await.expect("its controller is gone");
    assert_eq!(epoch, Epoch(2));
    let end = Batch::of(
        vec![
            host_finished(2, 0, Outcome::NothingToDo),
            recorded(3, Event::RunFinished { result: RunResult::Succeeded }),
        ],
        Vec::new(),
    );
    write(&store, open, epoch, &end).await.expect("written");
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}
