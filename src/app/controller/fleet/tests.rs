//! Machines that forget, and machines that several hosts need.

use std::sync::Arc;

use super::{Fleet, Location};
use crate::domain::id::{Epoch, RunId};
use crate::domain::plan::{Choice, HostIndex, Plan, StepIndex, build};
use crate::domain::{inventory, job};
use crate::edge::remote::scripted::Fleet as ModelFleet;
use crate::edge::remote::{Error, Remote};

const INVENTORY: &str = r#"
[customer]
name = "Nordwind"
locale = "de"
time_zone = "Europe/Berlin"
[[host]]
name = "store"
address = "store.example"
[[host]]
name = "web"
address = "web.example"
"#;

const JOB: &str = r#"
description = "x"
[[step]]
phase = "preflight"
name  = "snapshot"
on    = "store"
run   = "true"
[[step]]
phase = "preflight"
name  = "ask"
probe = { http = { url = "http://$ADDRESS/" } }
"#;

fn plan() -> Plan {
    let customer = inventory::parse::parse(INVENTORY, "inventories/nordwind.toml").unwrap();
    let job = job::parse::parse(JOB, "jobs/snapshots.toml").unwrap();
    build(&customer, &job, &Choice { hosts: vec!["store".to_owned(), "web".to_owned()], parallel_hosts: 2 }).unwrap()
}

fn fleet(model: &ModelFleet) -> Fleet {
    let connect = |location: &Location| {
        let name = match location {
            Location::Host(name) => name.as_str(),
            Location::Controller => "controller",
        };
        Arc::new(Remote::Scripted(model.host(name)))
    };
    Fleet::new(RunId(uuid::Uuid::nil()), Epoch(2), Arc::new(plan()), connect)
}

#[tokio::test]
async fn a_machine_that_forgot_a_started_step_gets_no_fresh_record() {
    let fleet = fleet(&ModelFleet::default());
    let (store, web) = (HostIndex(0), HostIndex(1));
    // A step of `web` is recorded as started on `store`, which has lost its disk since; `store` itself is still to be prepared.
    fleet.note_started(web, StepIndex(0));
    let Err((location, error)) = fleet.prepare(store).await else { panic!("`store` got a fresh record") };
    assert!(matches!(error, Error::Vanished { .. }), "{error}");
    assert_eq!(location, Location::Host("store".parse().unwrap()));
}

#[tokio::test]
async fn a_probe_leaves_no_record_anywhere() {
    let fleet = fleet(&ModelFleet::default());
    fleet.note_started(HostIndex(1), StepIndex(1));
    assert!(fleet.prepare(HostIndex(0)).await.is_ok());
}
