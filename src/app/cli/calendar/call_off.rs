//! `turnus calendar cancel CUSTOMER WINDOW@DATE`: calls a date off.

use clap::Args;
use serde_json::json;

use super::named::{Named, act, customer_name, explain, find_ahead, keep, list_window, reason};
use crate::app::calendar::proposal::ahead;
use crate::app::calendar::publish::call_off;
use crate::app::cli::context::{Context, person};
use crate::app::cli::dates::moment;
use crate::app::cli::exit::{Exit, Failure};
use crate::app::console::{print, say};
use crate::edge::store::Store;
use crate::edge::store::database_now;
use crate::edge::store::error::Error as StoreError;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The customer
    customer: String,
    /// The date: the day on which it opens now, or the day that its rule gives
    #[arg(value_name = "WINDOW@DATE")]
    date: Named,
    /// Why; kept, and part of what the customer is told
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let outcome = cancel(&store, arguments).await;
    store.close().await?;
    outcome
}

async fn cancel(store: &Store, arguments: &Arguments) -> Result<Exit, Failure> {
    let customer = customer_name(&arguments.customer)?;
    let mut transaction = store.begin().await?;
    let now = database_now(&mut transaction).await?;
    let rows = list_window(&mut transaction, &customer, &arguments.date).await?;
    let row = find_ahead(&rows, &customer, &arguments.date)?;
    let by = person();
    let cause = format!("cancelled by {by}: {}", arguments.reason);
    call_off(&mut transaction, &ahead(row.clone(), false), &cause, act(&by, now)).await.map_err(explain)?;
    let detail = json!({ "from": row.local_start });
    keep(&mut transaction, row, "cancel occurrence", Some(&arguments.reason), &detail).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    print(&format!("{customer} {}: {} is called off", row.window, moment(row.start, &row.time_zone)));
    say(match row.state.is_commitment() {
        true => "the customer knew of the date, and is told",
        false => "nobody had been told of it",
    });
    Ok(Exit::Done)
}
