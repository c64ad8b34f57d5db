//! `turnus review show CUSTOMER`: the newest list, and what was decided on it.

use clap::Args;

use super::{Standing, Subject, find_subject, nothing_collected, option, title, words};
use crate::app::cli::Format;
use crate::app::cli::context::Context;
use crate::app::cli::exit::{Exit, Failure};
use crate::app::console::{print, show};
use crate::edge::store::Store;
use crate::edge::store::review::decision::list_decisions;
use crate::edge::store::review::{find_before, find_newest_for, find_newest_of};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let outcome = show_newest(context, &store, arguments).await;
    store.close().await?;
    outcome
}

async fn show_newest(context: &Context, store: &Store, arguments: &Arguments) -> Result<Exit, Failure> {
    let subject = &arguments.subject;
    let customer = context.customer(&subject.customer)?;
    let mut transaction = store.begin().await?;
    let occurrence = find_subject(&mut transaction, context, subject, Standing::Any).await?;
    let newest = match &occurrence {
        Some(occurrence) => find_newest_for(&mut transaction, occurrence.id).await?,
        None => find_newest_of(&mut transaction, &customer.name).await?,
    };
    let newest = newest.ok_or_else(|| nothing_collected(subject))?;
    let before = find_before(&mut transaction, &newest).await?;
    let history = match &occurrence {
        Some(occurrence) => list_decisions(&mut transaction, occurrence.id).await?,
        None => Vec::new(),
    };
    let shown = words::Shown {
        title: title(customer, occurrence.as_ref()),
        option: option(subject),
        occurrence: occurrence.as_ref(),
        collection: &newest,
        before: before.as_ref(),
        standing: history.iter().find(|decision| decision.replaced_at.is_none()),
        history: &history,
    };
    match arguments.format {
        Format::Json => print(&words::object(&shown).to_string()),
        Format::Table => show(&words::describe(&shown)),
    }
    Ok(Exit::Done)
}
