//! Machines that forget, and machines that several hosts need.

use std::sync::Arc;

use super::{Fleet, Location};
use crate::domain::id::{Epoch, RunId};
use crate::domain::plan::{Choice, HostIndex, Plan, StepIndex, build};
use crate::domain::{inventory, job};
use crate::edge::remote::scripted::{Fleet as ModelFleet, LineFault};
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
[[host]]
name = "mail"
address = "mail.example"
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
    build(&customer, &job, &Choice { hosts: ["store", "web", "mail"].map(str::to_owned).to_vec(), parallel_hosts: 3 })
        .unwrap()
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

#[tokio::test(start_paused = true)]
async fn hosts_that_need_the_same_unreachable_machine_wait_for_one_series_of_tries() {
    let model = ModelFleet::default();
    for _ in 0..3 {
        model.add_fault("store", None, LineFault::Refused);
    }
    let fleet = fleet(&model);
    let (web, mail) = tokio::join!(fleet.prepare(HostIndex(1)), fleet.prepare(HostIndex(2)));
    for prepared in [web, mail] {
        let Err((location, error)) = prepared else { panic!("tried again") };
        assert_eq!(location, Location::Host("store".parse().unwrap()));
        assert!(matches!(error, Error::CannotConnect { .. }), "{error}");
    }
    assert!(fleet.prepare(HostIndex(1)).await.is_ok(), "whoever comes later tries again");
}
