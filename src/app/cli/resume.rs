//! `turnus resume [RUN]`: takes over a run whose controller is gone.

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::Format;
use super::context::{Context, person, read_run};
use super::drive::{Surroundings, drive};
use super::exit::{Exit, Failure};
use super::show::moment;
use crate::app::console::say;
use crate::domain::id::Epoch;
use crate::edge::config;
use crate::edge::store::audit::{Entry, note};
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::lease::take_lease;
use crate::edge::store::run::{Filter, RunRow, Show, StoredRun, list_lapsed_runs, list_runs};
use crate::edge::store::{Store, database_now};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Number of the run; may be left out if there is just one whose controller is gone
    run: Option<i64>,
    /// Why still, after the run's window has closed; kept in the audit trail
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// `json`: every event as one JSON object a line while the run goes on, the report as the last
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    let store = context.open_store_to_drive().await?;
    let outcome = resume(context, &store, &arguments).await;
    store.close().await?;
    outcome
}

async fn resume(context: &Context, store: &Store, arguments: &Arguments) -> Result<Exit, Failure> {
    let number = match arguments.run {
        Some(number) => number,
        None => the_only_one(store).await?,
    };
    let run = read_run(store, number).await?;
    if !run.state.is_open() {
        return Err(Failure::usage(anyhow!("run {number} has ended: {}", run.state))
            .hint(format!("`turnus report {number}` shows what came of it")));
    }
    let reason = arguments.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    if reason.is_none() {
        expect_open_window(store, &run).await?;
    }
    say(&format!("resuming run {number}: {} for {}", run.plan.job, run.plan.customer));
    let around = Surroundings { store, context };
    let epoch = match reason {
        Some(reason) => take_with_reason(store, &run, reason).await?,
        None => None,
    };
    drive(&around, &run, epoch, arguments.format).await
}

/// G2: what goes forward by hand outside of a window needs a reason. A run that somebody wants to end does not go forward.
async fn expect_open_window(store: &Store, run: &StoredRun) -> Result<(), Failure> {
    let Some(window) = &run.plan.window else { return Ok(()) };
    let mut transaction = store.begin().await?;
    if database_now(&mut transaction).await? < window.closes || run.cancel_request.is_some() {
        return Ok(());
    }
    let closed = moment(window.closes);
    Err(Failure::usage(anyhow!("the window of run {} closed at {closed}; to go on with it needs a reason", run.number))
        .hint(format!("--reason \"…\"; or `turnus cancel {}` ends it", run.number)))
}

/// The lease and the reason belong together. None if somebody else drives the run.
async fn take_with_reason(store: &Store, run: &StoredRun, reason: &str) -> Result<Option<Epoch>, Failure> {
    let mut transaction = store.begin().await?;
    let Some(epoch) = take_lease(&mut transaction, run.id, &config::controller_name()).await? else { return Ok(None) };
    let detail = json!({ "run": run.number, "job": run.plan.job });
    let entry = Entry {
        actor: &person(),
        action: "resume run",
        customer: Some(&run.plan.customer),
        occurrence: run.occurrence,
        reason: Some(reason),
        detail: &detail,
    };
    note(&mut transaction, &entry).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Some(epoch))
}

async fn the_only_one(store: &Store) -> Result<i64, Failure> {
    let mut transaction = store.begin().await?;
    let lapsed = list_lapsed_runs(&mut transaction).await?;
    match lapsed.as_slice() {
        [only] => Ok(only.number.0),
        [] => Err(nothing_to_resume(store).await?),
        several => Err(Failure::usage(anyhow!("there are {} runs whose controller is gone", several.len()))
            .hint(format!("say which one: {}", several.iter().map(in_words).collect::<Vec<_>>().join(", ")))),
    }
}

/// After a kill the lease goes on for up to half a minute: nobody can know yet that its controller is gone.
async fn nothing_to_resume(store: &Store) -> Result<Failure, Failure> {
    let mut transaction = store.begin().await?;
    let open = list_runs(&mut transaction, Filter { customer: None, show: Show::Open, limit: 20 }).await?;
    let leases = open.iter().filter_map(|row| row.lease.as_ref().map(|lease| (row, lease)));
    let driven: Vec<_> = leases
        .map(|(row, lease)| {
            format!("run {} is driven by {} until {} at least", row.number, lease.owner, moment(lease.until))
        })
        .collect();
    let failure = Failure::usage(anyhow!("there is no run whose controller is gone"));
    Ok(if driven.is_empty() { failure.hint("`turnus runs` lists all") } else { failure.hint(driven.join("; ")) })
}

fn in_words(row: &RunRow) -> String {
    format!("{} ({} for {})", row.number, row.job, row.customer)
}
