//! The store on a real Postgres: every function, every race, every way in which the server can go away.

#![expect(clippy::expect_used, reason = "a test may fail by panic")]

mod applied;
mod audit;
mod claims;
mod cluster;
mod controller;
mod ending;
mod estimate;
mod fault;
mod lease;
mod listen;
mod notification;
pub(crate) mod occurrence;
mod process;
mod record;
mod review;
mod run;
mod schema;
mod sending;
mod upgrade;

use std::collections::BTreeMap;

use turnus::domain::id::{ContentHash, Epoch, Name, RunId};
use turnus::domain::inventory::{Connection, Locale};
use turnus::domain::job::{BackupRule, Phase, Place};
use turnus::domain::plan::{HostIndex, Part, Plan, PlannedHost, PlannedStep, StepIndex, Task};
use turnus::domain::run::event::{Event, Outcome, Recorded};
use turnus::edge::store::Store;
use turnus::edge::store::error::Error;
use turnus::edge::store::lease::take_lease;
use turnus::edge::store::record::{Batch, record};
use turnus::edge::store::revision::{Revision, RevisionKind, store_revision};
use turnus::edge::store::run::RunNumber;
use turnus::edge::store::run::create::{Created, NewRun, create_run};

pub(crate) fn name(text: &str) -> Name {
    text.parse().expect("a valid name")
}

fn plan_for(customer: &str, hosts: &[&str]) -> Plan {
    Plan {
        customer: name(customer),
        customer_name: "Nordwind Logistik GmbH".to_owned(),
        locale: Locale::De,
        time_zone: "Europe/Berlin".to_owned(),
        job: name("debian-quarterly"),
        description: "Quarterly update".to_owned(),
        customer_revision: ContentHash::of(b"inventory"),
        job_revision: ContentHash::of(b"job"),
        backup: BackupRule::None { reason: "a \"test\" with ünusual text".to_owned() },
        max_failures: 0,
        watch_after_s: 0,
        parallel_hosts: 2,
        window: None,
        approval: None,
        hosts: hosts.iter().map(|host| planned_host(host)).collect(),
        delegates: Vec::new(),
        batches: vec![(0..hosts.len()).map(HostIndex).collect()],
        steps: vec![PlannedStep {
            phase: Phase::Update,
            name: "packages".to_owned(),
            part: Part::Run,
            place: Place::Host,
            task: Task::Script("apt-get upgrade".to_owned()),
            parameters: BTreeMap::new(),
            timeout_s: 3600,
            chosen_by: None,
            secrets: BTreeMap::new(),
        }],
    }
}

fn planned_host(host: &str) -> PlannedHost {
    let connection = Connection {
        address: "192.0.2.10".to_owned(),
        port: Some(2222),
        user: None,
        identity_file: None,
        proxy_jump: Vec::new(),
        known_hosts: None,
        elevate: true,
        state_dir: None,
        transport: None,
    };
    PlannedHost {
        probes: Vec::new(),
        name: name(host),
        connection,
        vars: BTreeMap::from([("data_dir".to_owned(), "/var/vmail".to_owned())]),
        estimate_s: None,
        capacity: Vec::new(),
    }
}

/// Stores the revisions that all plans here are made from.
async fn store_revisions(store: &Store) {
    let mut transaction = store.begin().await.expect("begin");
    for (kind, content) in [(RevisionKind::Inventory, "inventory"), (RevisionKind::Job, "job")] {
        let hash = ContentHash::of(content.as_bytes());
        let revision = Revision { hash: &hash, kind, name: "nordwind", content };
        store_revision(&mut transaction, &revision).await.expect("the revision is stored");
    }
    transaction.commit().await.expect("commit");
}

/// Tries to create a run in a transaction of its own.
async fn try_create(store: &Store, plan: &Plan, key: Option<&str>) -> Result<(RunId, Created), Error> {
    let id = RunId(uuid::Uuid::now_v7());
    let plan_hash = ContentHash::of(b"plan");
    let new = NewRun {
        id,
        plan,
        plan_hash: &plan_hash,
        reason: Some("test"),
        started_by: "anna",
        idempotency_key: key,
        occurrence: None,
        lease: None,
    };
    let mut transaction = store.begin().await?;
    let created = create_run(&mut transaction, &new).await?;
    transaction.commit().await?;
    Ok((id, created))
}

/// A run of `nordwind` on `hosts`.
pub(crate) async fn create(store: &Store, hosts: &[&str]) -> (RunId, RunNumber) {
    store_revisions(store).await;
    match try_create(store, &plan_for("nordwind", hosts), None).await.expect("the run is created") {
        (id, Created::New { number, .. }) => (id, number),
        (_, existing) => panic!("a run without a key is new, not {existing:?}"),
    }
}

pub(crate) async fn take(store: &Store, run: RunId, controller: &str) -> Option<Epoch> {
    let mut connection = store.pool().acquire().await.expect("a connection");
    take_lease(&mut connection, run, controller).await.expect("the lease can be asked for")
}

/// Lets the lease of every run lapse.
async fn let_lapse(store: &Store) {
    let lapsed = "update run set lease_until = clock_timestamp() - interval '1 ms' where lease_until is not null";
    sqlx::query(lapsed).execute(&store.pool()).await.expect("the lease lapses");
}

/// Writes `batch` in a transaction of its own.
pub(crate) async fn write(store: &Store, run: RunId, epoch: Epoch, batch: &Batch) -> Result<(), Error> {
    let mut transaction = store.begin().await?;
    record(&mut transaction, run, epoch, batch).await?;
    transaction.commit().await?;
    Ok(())
}

fn recorded(seq: i64, event: Event) -> Recorded {
    let at = jiff::Timestamp::from_microsecond(1_770_000_000_000_000 + seq).expect("in range");
    Recorded { seq, at, event }
}

fn step_started(seq: i64, host: usize, step: usize) -> Recorded {
    recorded(seq, Event::StepStarted { host: HostIndex(host), step: StepIndex(step) })
}

fn host_finished(seq: i64, host: usize, outcome: Outcome) -> Recorded {
    recorded(seq, Event::HostFinished { host: HostIndex(host), outcome })
}
