//! `turnus outbox`: who is told what, and what has become of it.

mod desk;
mod send;

use std::path::Path;

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Format;
use super::context::Context;
use super::dates::local;
use super::exit::{Exit, Failure};
use super::show::{moment, table};
use crate::app::console::{print, show};
use crate::domain::id::{Name, NotAName};
use crate::domain::line::clean_line;
use crate::domain::notification::Delivery;
use crate::edge::store::notification::{
    NotificationFilter, Sending, StoredNotification, find_notification, list_notifications,
};

/// Longest text of a message's detail that is shown to people, in characters; programs get all of it.
const SHOWN_CHARS: usize = 1000;

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
    /// Have messages sent now that wait or can't be delivered
    Retry {
        /// Numbers of the messages
        #[arg(required = true)]
        numbers: Vec<i64>,
    },
    /// Have messages not sent that wait or can't be delivered
    Cancel {
        /// Numbers of the messages
        #[arg(required = true)]
        numbers: Vec<i64>,
        /// Why, for the record
        #[arg(long)]
        reason: Option<String>,
    },
    /// Send what is due, once: for machines without the daemon
    Send {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// A state, as people type it.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum StateArgument {
    Due,
    Leased,
    Sent,
    Undeliverable,
    Cancelled,
}

impl From<StateArgument> for Delivery {
    fn from(argument: StateArgument) -> Self {
        match argument {
            StateArgument::Due => Self::Due,
            StateArgument::Leased => Self::Leased,
            StateArgument::Sent => Self::Sent,
            StateArgument::Undeliverable => Self::Undeliverable,
            StateArgument::Cancelled => Self::Cancelled,
        }
    }
}

#[derive(Debug, Args)]
struct List {
    /// About this customer only
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
    /// In this state only
    #[arg(long, value_enum)]
    state: Option<StateArgument>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(context: &Context, directory: &Path, arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Some(Command::Show { number, format }) => show_one(context, number, format).await,
        Some(Command::Retry { numbers }) => desk::retry_all(context, &numbers).await,
        Some(Command::Cancel { numbers, reason }) => desk::cancel_all(context, &numbers, reason.as_deref()).await,
        Some(Command::Send { format }) => send::send_due(context, directory, format).await,
        Some(Command::List(list)) => list_all(context, &list).await,
        None => list_all(context, &arguments.list).await,
    }
}

async fn list_all(context: &Context, wanted: &List) -> Result<Exit, Failure> {
    let customer: Option<Name> =
        wanted.customer.as_deref().map(str::parse).transpose().map_err(|error: NotAName| Failure::usage(error))?;
    let state = wanted.state.map(Delivery::from);
    let filter = NotificationFilter { customer: customer.as_ref(), occurrence: None, state, limit: wanted.limit };
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
            sending(&message).into_iter().for_each(|row| {
                rows.add_row(row);
            });
            for (key, value) in message.detail.as_object().into_iter().flatten() {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                rows.add_row([clean_line(key.as_bytes(), SHOWN_CHARS), clean_line(value.as_bytes(), SHOWN_CHARS)]);
            }
            show(&rows.to_string());
        }
    }
    Ok(Exit::Done)
}

/// What has come of the attempts to send it.
fn sending(message: &StoredNotification) -> Vec<[String; 2]> {
    let Sending { attempts, not_before, lease, message_id, last_error, ended_at, .. } = &message.sending;
    let row = |label: &str, value: String| [label.to_owned(), value];
    let mut rows = vec![row("attempts", attempts.to_string())];
    match (message.state, lease, ended_at) {
        (Delivery::Leased, Some((by, until)), _) => {
            rows.push(row("being sent", format!("by {by}, until {}", moment(*until))))
        }
        (Delivery::Due, ..) => rows.push(row("next attempt", moment(*not_before))),
        (state, _, Some(at)) => rows.push(row(state.as_str(), moment(*at))),
        _ => {}
    }
    rows.extend(
        last_error
            .clone()
            .map(|error| row(if message.state == Delivery::Cancelled { "why" } else { "last error" }, error)),
    );
    rows.extend(message_id.clone().map(|id| row("Message-ID", id)));
    rows
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
        "attempts": message.sending.attempts,
        "not_before": message.sending.not_before,
        "leased_by": message.sending.lease.as_ref().map(|(by, _)| by),
        "leased_until": message.sending.lease.as_ref().map(|(_, until)| until),
        "message_id": message.sending.message_id,
        "last_error": message.sending.last_error,
        "ended_at": message.sending.ended_at,
    })
}
