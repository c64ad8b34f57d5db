//! `turnus outbox`: who is told what. Messages are made with their cause; sending them is another matter.

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Format;
use super::context::Context;
use super::dates::local;
use super::exit::{Exit, Failure};
use super::show::{moment, table};
use crate::app::console::{print, show};
use crate::domain::id::{Name, NotAName};
use crate::edge::store::notification::{NotificationFilter, StoredNotification, find_notification, list_notifications};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List messages, the latest first
    List(List),
    /// Show all that is known of a message
    Show {
        /// Number of the message
        number: i64,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Debug, Args)]
struct List {
    /// About this customer only
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Some(Command::Show { number, format }) => show_one(context, number, format).await,
        Some(Command::List(list)) => list_all(context, &list).await,
        None => list_all(context, &arguments.list).await,
    }
}

async fn list_all(context: &Context, wanted: &List) -> Result<Exit, Failure> {
    let customer: Option<Name> =
        wanted.customer.as_deref().map(str::parse).transpose().map_err(|error: NotAName| Failure::usage(error))?;
    let filter = NotificationFilter { customer: customer.as_ref(), occurrence: None, state: None, limit: wanted.limit };
    let store = context.open_store().await?;
    let listed = async { list_notifications(&mut *store.begin().await?, filter).await }.await;
    store.close().await?;
    let messages = listed?;
    match wanted.format {
        Format::Json => print(&Value::from_iter(messages.iter().map(object)).to_string()),
        Format::Table if messages.is_empty() => print("no messages"),
        Format::Table => {
            let mut rows = table(&["number", "kind", "customer", "about", "to", "state", "since"]);
            for message in &messages {
                rows.add_row([
                    message.number.to_string(),
                    message.kind.to_string(),
                    message.customer.as_ref().map(ToString::to_string).unwrap_or_default(),
                    about(message),
                    message.recipient.clone(),
                    message.state.to_string(),
                    moment(message.created_at),
                ]);
            }
            show(&rows.to_string());
        }
    }
    Ok(Exit::Done)
}

async fn show_one(context: &Context, number: i64, format: Format) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let found = async { find_notification(&mut *store.begin().await?, number).await }.await;
    store.close().await?;
    let message = found?
        .ok_or_else(|| Failure::usage(anyhow!("there is no message {number}")).hint("`turnus outbox` lists them"))?;
    match format {
        Format::Json => print(&object(&message).to_string()),
        Format::Table => {
            let mut rows = table(&[]);
            rows.add_row(["message", &message.number.to_string()]);
            rows.add_row(["kind", message.kind.as_str()]);
            rows.add_row(["customer", message.customer.as_ref().map_or("", Name::as_str)]);
            rows.add_row(["about", &about(&message)]);
            rows.add_row(["to", &format!("{} <{}>", message.recipient_name, message.recipient)]);
            rows.add_row(["language", &locale(&message)]);
            rows.add_row(["state", message.state.as_str()]);
            rows.add_row(["made", &moment(message.created_at)]);
            for (key, value) in message.detail.as_object().into_iter().flatten() {
                rows.add_row([key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)]);
            }
            show(&rows.to_string());
        }
    }
    Ok(Exit::Done)
}

fn about(message: &StoredNotification) -> String {
    let date = message.window.as_ref().zip(message.local_start);
    let date = date.map(|(window, start)| format!("{window} {}", local(start)));
    let run = message.run.map(|run| format!("run {run}"));
    date.into_iter().chain(run).collect::<Vec<_>>().join(", ")
}

fn locale(message: &StoredNotification) -> String {
    serde_json::to_value(message.locale).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn object(message: &StoredNotification) -> Value {
    json!({
        "number": message.number,
        "kind": message.kind,
        "customer": message.customer,
        "occurrence": message.occurrence,
        "window": message.window,
        "local_start": message.local_start,
        "run": message.run,
        "recipient": message.recipient,
        "recipient_name": message.recipient_name,
        "locale": message.locale,
        "detail": message.detail,
        "state": message.state,
        "created_at": message.created_at,
    })
}
