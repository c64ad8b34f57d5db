//! How long hosts took before.

use std::collections::BTreeMap;

use turnus::domain::id::Epoch;
use turnus::domain::plan::HostIndex;
use turnus::domain::run::event::{Event, Outcome, RunResult};
use turnus::edge::store::estimate::{Estimate, host_estimates};
use turnus::edge::store::record::Batch;

use super::{create, host_finished, name, recorded, take, write};
use crate::kit::database::{Database, execute};

#[tokio::test]
async fn a_host_is_started_when_it_is_taken_into_work_and_only_once() {
    let database = Database::open().await;
    let store = database.store().await;
    let (run, _) = create(&store, &["mail01", "web01"]).await;
    let epoch = take(&store, run, "one:1").await.expect("free");
    let started = "select started_at is not null from host_run order by host_index";
    let begin = Batch::of(vec![recorded(1, Event::HostStarted { host: HostIndex(1) })], Vec::new());
    write(&store, run, epoch, &begin).await.expect("written");
    let hosts: Vec<bool> = sqlx::query_scalar(started).fetch_all(&store.pool()).await.expect("listed");
    assert_eq!(hosts, [false, true]);

    let at = "select started_at from host_run where host_index = 1";
    let first: jiff_sqlx::Timestamp = sqlx::query_scalar(at).fetch_one(&store.pool()).await.expect("started");
    write(&store, run, epoch, &begin).await.expect("the answer to the first COMMIT was lost");
    let again: jiff_sqlx::Timestamp = sqlx::query_scalar(at).fetch_one(&store.pool()).await.expect("started");
    assert_eq!(first.to_jiff(), again.to_jiff());

    let end = Batch::of(
        vec![
            host_finished(2, 0, Outcome::NothingToDo),
            host_finished(3, 1, Outcome::Updated),
            recorded(4, Event::RunFinished { result: RunResult::Succeeded }),
        ],
        Vec::new(),
    );
    write(&store, run, epoch, &end).await.expect("written");
    let took = "select finished_at > started_at from host_run where host_index = 1";
    let took: bool = sqlx::query_scalar(took).fetch_one(&store.pool()).await.expect("asked");
    assert!(took && epoch == Epoch(1));
    store.close().await.expect("closed");
    database.close().await;
}

/// Ended host runs of `mail01`, one a day, the latest at the end; `seconds` each.
async fn earlier(database: &Database, job: &str, outcome: &str, seconds: &str) {
    let sql = format!(
        "insert into revision (hash, kind, name, content) values (repeat('a', 64), 'job', 'x', 'x') on conflict do nothing;
         with took as (select position, second from unnest(array[{seconds}]::float8[]) with ordinality as took (second, position)),
         ended as (
             insert into run (id, customer, job, plan, plan_hash, customer_revision, job_revision, started_by, state, finished_at, reason)
             select gen_random_uuid(), 'nordwind', '{job}', '{{}}', repeat('a', 64), repeat('a', 64), repeat('a', 64), 'anna',
                    'succeeded', now(), position
             from took returning id, reason)
         insert into host_run (run_id, host_index, customer, host, state, outcome, started_at, finished_at)
         select id, 0, 'nordwind', 'mail01', 'finished', '{outcome}', day, day + make_interval(secs => second)
         from ended join took on position = reason::bigint
         cross join lateral (select timestamptz '2027-01-01' + position * interval '1 d' as day) as days"
    );
    let mut connection = database.connect().await;
    execute(&mut connection, sql).await;
}

#[tokio::test]
async fn an_estimate_is_made_from_the_latest_runs_that_went_well() {
    let database = Database::open().await;
    let store = database.store().await;
    // The first five are too long ago to count; the others take 10, 20 … 200 seconds.
    let long = (0..5).map(|_| 9000).chain((1..=20).map(|tens| tens * 10));
    let long = long.map(|seconds| seconds.to_string()).collect::<Vec<_>>().join(",");
    earlier(&database, "quarterly", "updated", &long).await;
    earlier(&database, "quarterly", "failed", "5000").await;
    earlier(&database, "monthly", "nothing_to_do", "0.5").await;

    let mut connection = store.pool().acquire().await.expect("a connection");
    let hosts = ["mail01", "web01", "mail01"].map(name);
    let mut ask = async |job: &str| {
        host_estimates(&mut connection, &name("nordwind"), &name(job), &hosts).await.expect("estimated")
    };
    let expected = Estimate { median_s: 100, p90_s: 180, runs: 20 };
    assert_eq!(ask("quarterly").await, BTreeMap::from([(name("mail01"), expected)]));
    let expected = Estimate { median_s: 1, p90_s: 1, runs: 1 };
    assert_eq!(ask("monthly").await, BTreeMap::from([(name("mail01"), expected)]));
    assert_eq!(ask("yearly").await, BTreeMap::new());
    drop(connection);
    store.close().await.expect("closed");
    database.close().await;
}
