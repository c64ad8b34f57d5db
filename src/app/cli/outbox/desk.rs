//! `turnus outbox retry` and `cancel`: what people want done with messages, and who wanted it.

use anyhow::anyhow;
use serde_json::json;

use crate::app::cli::context::{Context, person};
use crate::app::cli::exit::{Exit, Failure};
use crate::app::console::{print, say};
use crate::domain::notification::Delivery;
use crate::edge::store::audit::{Entry, note};
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::notification::desk::{Answer, cancel, retry};
use crate::edge::store::{DatabaseConnection, Store};

/// What is wanted.
#[derive(Debug, Clone, Copy)]
enum Wish<'a> {
    Retry,
    Cancel { reason: Option<&'a str> },
}

pub(super) async fn retry_all(context: &Context, numbers: &[i64]) -> Result<Exit, Failure> {
    ask_for_all(context, numbers, Wish::Retry).await
}

pub(super) async fn cancel_all(context: &Context, numbers: &[i64], reason: Option<&str>) -> Result<Exit, Failure> {
    ask_for_all(context, numbers, Wish::Cancel { reason }).await
}

/// Each by itself: what can't be done for one is done for the others.
async fn ask_for_all(context: &Context, numbers: &[i64], wish: Wish<'_>) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let mut refused = 0;
    let mut asked = Ok(());
    for number in numbers {
        match ask(&store, *number, wish).await {
            Ok(Ok(done)) => print(&done),
            Ok(Err(refusal)) => {
                say(&refusal);
                refused += 1;
            }
            Err(error) => {
                asked = Err(error);
                break;
            }
        }
    }
    store.close().await?;
    asked?;
    match refused {
        0 => Ok(Exit::Done),
        _ => {
            Err(Failure::usage(anyhow!("{refused} of {} not done", numbers.len()))
                .hint("`turnus outbox` lists messages"))
        }
    }
}

async fn ask(store: &Store, number: i64, wish: Wish<'_>) -> Result<Result<String, String>, Failure> {
    let mut transaction = store.begin().await?;
    let by = person();
    let answer = match wish {
        Wish::Retry => retry(&mut transaction, number).await?,
        Wish::Cancel { reason } => cancel(&mut transaction, number, &why(&by, reason)).await?,
    };
    let told = match &answer {
        Answer::Done { from, readdressed, .. } => {
            record(&mut transaction, number, (&answer, *from), wish, &by).await?;
            Ok(match wish {
                Wish::Retry => {
                    let to = readdressed.as_ref().map(|address| format!(", to {address}")).unwrap_or_default();
                    format!("message {number} is due now{to}")
                }
                Wish::Cancel { .. } => format!("message {number} is not sent"),
            })
        }
        Answer::Not(Delivery::Leased) => Err(format!("message {number} is being sent")),
        Answer::Not(state) => Err(format!("message {number} is {state}")),
        Answer::NoSuchMessage => Err(format!("there is no message {number}")),
    };
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(told)
}

fn why(by: &str, reason: Option<&str>) -> String {
    reason.map_or_else(|| format!("cancelled by {by}"), |reason| format!("cancelled by {by}: {reason}"))
}

async fn record(
    connection: &mut DatabaseConnection,
    number: i64,
    (answer, from): (&Answer, Delivery),
    wish: Wish<'_>,
    by: &str,
) -> Result<(), StoreError> {
    let (customer, occurrence) = match answer {
        Answer::Done { customer, occurrence, .. } => (customer.as_ref(), *occurrence),
        Answer::Not(_) | Answer::NoSuchMessage => (None, None),
    };
    let (action, reason) = match wish {
        Wish::Retry => ("retry message", None),
        Wish::Cancel { reason } => ("cancel message", reason),
    };
    let detail = json!({"message": number, "from": from});
    note(connection, &Entry { actor: by, action, customer, occurrence, reason, detail: &detail }).await.map(drop)
}
