//! `turnus cancel RUN`: what the first Ctrl-C does, from elsewhere. A suspended run, which nobody drives, is closed.

use anyhow::anyhow;
use jiff::Timestamp;

use super::context::{Context, person, read_record, read_run};
use super::exit::{Exit, Failure};
use crate::app::console::print;
use crate::domain::run::event::Event;
use crate::domain::run::event::RunState;
use crate::domain::run::machine::Machine;
use crate::domain::run::state::Run;
use crate::edge::config;
use crate::edge::store::Store;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::lease::{release_lease, take_lease};
use crate::edge::store::record::{Batch, record};
use crate::edge::store::run::{CancelAnswer, RunNumber, StoredRun, request_cancel};

pub(super) async fn run(context: &Context, number: i64) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let outcome = cancel(&store, number).await;
    store.close().await?;
    outcome
}

async fn cancel(store: &Store, number: i64) -> Result<Exit, Failure> {
    let run = read_run(store, number).await?;
    if run.state == RunState::Suspended {
        return close(store, &run).await;
    }
    let mut transaction = store.begin().await?;
    let answer = request_cancel(&mut transaction, RunNumber(number), &person()).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    let is_driven = run.lease.is_some_and(|lease| lease.alive);
    match answer {
        CancelAnswer::HasEnded(state) => Err(Failure::usage(anyhow!("run {number} has ended already: {state}"))),
        CancelAnswer::NoSuchRun => Err(Failure::usage(anyhow!("there is no run {number}"))),
        CancelAnswer::Requested | CancelAnswer::AlreadyRequested if is_driven => {
            print(&format!("run {number} is being cancelled: running steps finish, then its hosts are released"));
            Ok(Exit::Done)
        }
        CancelAnswer::Requested | CancelAnswer::AlreadyRequested => {
            print(&format!("run {number} will be cancelled, but no controller drives it now"));
            print(&format!(
                "\nhint: `turnus resume {number}` lets running steps finish, releases its hosts and ends it"
            ));
            Ok(Exit::Done)
        }
    }
}

/// Ends a suspended run as it is: what is unknown stays unknown.
async fn close(store: &Store, run: &StoredRun) -> Result<Exit, Failure> {
    let events = read_record(store, run).await?;
    let mut machine = Machine::new(Run::replay(run.plan.clone(), &events).map_err(Failure::failed)?);
    let decision = machine.handle(Event::RunClosed { by: person() }, Timestamp::now()).map_err(Failure::failed)?;
    let mut transaction = store.begin().await?;
    let epoch = take_lease(&mut transaction, run.id, &config::controller_name()).await?;
    let epoch = epoch.ok_or_else(|| Failure::usage(anyhow!("somebody else has just taken run {}", run.number)))?;
    record(&mut transaction, run.id, epoch, &Batch::of(decision.record, Vec::new())).await?;
    release_lease(&mut transaction, run.id, epoch).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    print(&format!("run {} is closed; its unknown hosts stay unknown, and are free for other runs", run.number));
    Ok(Exit::Done)
}
