//! `turnus resume [RUN]`: takes over a run whose controller is gone.

use anyhow::anyhow;
use clap::Args;

use super::Format;
use super::context::{Context, read_run};
use super::drive::{Surroundings, drive};
use super::exit::{Exit, Failure};
use super::show::moment;
use crate::app::console::say;
use crate::edge::store::Store;
use crate::edge::store::run::{Filter, RunRow, Show, list_lapsed_runs, list_runs};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Number of the run; may be left out if there is just one whose controller is gone
    run: Option<i64>,
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
    say(&format!("resuming run {number}: {} for {}", run.plan.job, run.plan.customer));
    let around = Surroundings { store, settings: &context.catalog.settings, state_dir: &context.state_dir };
    drive(&around, &run, None, arguments.format).await
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
