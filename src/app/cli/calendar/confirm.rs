//! `turnus calendar confirm CUSTOMER WINDOW@DATE --by NAME`: keeps a customer's yes that was told by phone.

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::named::{Named, changed, customer_name, find_ahead, keep, list_window, reason};
use crate::app::cli::context::{Context, person};
use crate::app::cli::dates::moment;
use crate::app::cli::exit::{Exit, Failure};
use crate::app::console::print;
use crate::domain::answer::{Decision, MAX_NAME, Via, clean_remark};
use crate::domain::line::clean_line;
use crate::domain::occurrence::{OccurrenceEvent, OccurrenceState};
use crate::edge::store::Store;
use crate::edge::store::answer::{Answered, NewAnswer, Question, keep_answer};
use crate::edge::store::database_now;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::occurrence::change::{Change, change_occurrence};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The customer
    customer: String,
    /// The date: the day on which it opens now, or the day that its rule gives
    #[arg(value_name = "WINDOW@DATE")]
    date: Named,
    /// Who said yes
    #[arg(long, value_name = "NAME", value_parser = reason)]
    by: String,
    /// How, or on which condition
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let outcome = confirm(&store, arguments).await;
    store.close().await?;
    outcome
}

async fn confirm(store: &Store, arguments: &Arguments) -> Result<Exit, Failure> {
    let customer = customer_name(&arguments.customer)?;
    let remark = arguments.reason.as_deref().map(clean_remark).transpose().map_err(Failure::usage)?.flatten();
    let (by, entered_by) = (clean_line(arguments.by.as_bytes(), MAX_NAME), person());
    let mut transaction = store.begin().await?;
    let now = database_now(&mut transaction).await?;
    let rows = list_window(&mut transaction, &customer, &arguments.date).await?;
    let row = find_ahead(&rows, &customer, &arguments.date)?;
    if row.state == OccurrenceState::Confirmed {
        let by = row.confirmed_by.as_deref().unwrap_or("somebody");
        return Err(Failure::usage(anyhow!("`{}` is confirmed already, by {by}", arguments.date)));
    }
    let (from, event) = (row.state, OccurrenceEvent::Confirm);
    let step = Change { id: row.id, from, event, cause: None, by: Some(&by), now };
    if !change_occurrence(&mut transaction, &step).await? {
        return Err(changed());
    }
    let answer = NewAnswer {
        question: Question::Date { occurrence: row.id, sequence: row.sequence },
        customer: &customer,
        decision: Decision::Confirmed,
        wish: None,
        remark: remark.as_deref(),
        said_by: Some(&by),
        entered_by: Some(&entered_by),
        at: now,
        via: Via::Phone,
        link: None,
    };
    if let Answered::Before(_) = keep_answer(&mut transaction, &answer).await? {
        // Another date was asked for, and then this one is right after all: what was said first stands beside it.
        let detail = json!({ "by": by, "via": Via::Phone });
        keep(&mut transaction, row, "confirm occurrence", remark.as_deref(), &detail).await?;
    }
    transaction.commit().await.map_err(StoreError::from)?;
    let at = moment(row.start, &row.time_zone);
    print(&format!("{customer} {}: {at} is confirmed by {by}", row.window));
    Ok(Exit::Done)
}
