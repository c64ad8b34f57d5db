//! `turnus runs`: the list of runs.

use clap::Args;
use serde_json::{Value, json};

use super::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::show::{moment, table};
use crate::app::console;
use crate::domain::run::event::RunState;
use crate::edge::store::run::{Filter, RunRow, Show, list_runs};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Of this customer only
    customer: Option<String>,
    /// Only those that have not ended
    #[arg(long)]
    open: bool,
    /// At most so many
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    // A customer whose file is gone still has its runs.
    let customer = arguments
        .customer
        .map(|name| name.parse())
        .transpose()
        .map_err(|error: crate::domain::id::NotAName| Failure::usage(error))?;
    let show = if arguments.open { Show::Open } else { Show::All };
    let store = context.open_store().await?;
    let listed = async {
        let mut transaction = store.begin().await?;
        list_runs(&mut transaction, Filter { customer: customer.as_ref(), show, limit: arguments.limit }).await
    }
    .await;
    store.close().await?;
    let rows = listed?;
    match arguments.format {
        Format::Json => console::print(&Value::from_iter(rows.iter().map(object)).to_string()),
        Format::Table if rows.is_empty() => console::print("no runs"),
        Format::Table => {
            let mut table = table(&["run", "customer", "job", "state", "started", "by"]);
            for row in &rows {
                table.add_row([
                    row.number.to_string(),
                    row.customer.to_string(),
                    row.job.to_string(),
                    state(row),
                    moment(row.created_at),
                    row.started_by.clone(),
                ]);
            }
            console::show(&table.to_string());
        }
    }
    Ok(Exit::Done)
}

fn is_driven(row: &RunRow) -> bool {
    row.lease.as_ref().is_some_and(|lease| lease.alive)
}

fn state(row: &RunRow) -> String {
    if row.state == RunState::Running && !is_driven(row) {
        "running, no controller".to_owned()
    } else {
        row.state.to_string()
    }
}

fn object(row: &RunRow) -> Value {
    json!({
        "number": row.number,
        "id": row.id,
        "customer": row.customer,
        "job": row.job,
        "state": row.state,
        "driven_by": row.lease.as_ref().filter(|lease| lease.alive).map(|lease| &lease.owner),
        "started_by": row.started_by,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
    })
}
