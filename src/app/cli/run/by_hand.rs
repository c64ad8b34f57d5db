//! What a run by hand needs besides a yes: outside of a window a reason (G2); and its line in the audit trail.

use anyhow::anyhow;
use serde_json::json;

use crate::app::calendar::opening::{ByHand, stand};
use crate::app::cli::context::{Context, person};
use crate::app::cli::dates::moment;
use crate::app::cli::exit::Failure;
use crate::app::console::{ask, say};
use crate::domain::plan::Plan;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::audit::{Entry, note};
use crate::edge::store::database_now;
use crate::edge::store::occurrence::{History, OccurrenceFilter, list_occurrences};
use crate::edge::store::run::RunNumber;

/// Whether there is a person who wants to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MayAsk {
    Yes,
    No,
}

/// The reason that was given, or that a person says. Outside of a window there has to be one.
pub(super) async fn settle_reason(
    context: &Context,
    plan: &Plan,
    given: Option<&str>,
    may_ask: MayAsk,
) -> Result<Option<String>, Failure> {
    let given = given.map(str::trim).filter(|reason| !reason.is_empty());
    if let Some(reason) = given {
        return Ok(Some(reason.to_owned()));
    }
    let standing = look(context, plan).await?;
    match &standing {
        ByHand::Inside { window, .. } => say(&format!("the window {window} of {} is open", plan.customer)),
        ByHand::Frozen(freeze) => {
            let until = moment(freeze.until, &plan.time_zone);
            say(&format!("{} is in a freeze until {until}: {}", plan.customer, freeze.reason));
        }
        ByHand::Outside => say(&format!("no window of {} for {} is open", plan.customer, plan.job)),
    }
    let said = if may_ask == MayAsk::Yes { ask("Reason for this run:").ok() } else { None };
    let said = said.filter(|reason| !reason.is_empty());
    if said.is_none() {
        refuse(&standing)?;
    }
    Ok(said)
}

/// Without a reason, only what is inside of a window may begin.
fn refuse(standing: &ByHand) -> Result<(), Failure> {
    let what = match standing {
        ByHand::Inside { .. } => return Ok(()),
        ByHand::Frozen(_) => "a run in a freeze needs a reason",
        ByHand::Outside => "a run outside of its windows needs a reason",
    };
    Err(Failure::usage(anyhow!(what)).hint("--reason \"…\""))
}

/// The database is closed again: whoever leaves at a question leaves nothing running.
pub(super) async fn look(context: &Context, plan: &Plan) -> Result<ByHand, Failure> {
    let store = context.open_store_to_drive().await?;
    let standing = async {
        let mut transaction = store.begin().await?;
        read_standing(&mut transaction, context, plan).await
    }
    .await;
    store.close().await?;
    standing
}

async fn read_standing(connection: &mut DatabaseConnection, context: &Context, plan: &Plan) -> Result<ByHand, Failure> {
    let customer = context.customer(plan.customer.as_str())?;
    let now = database_now(connection).await?;
    let filter = OccurrenceFilter {
        customer: Some(&customer.name),
        window: None,
        from: None,
        until: None,
        history: History::Without,
        limit: None,
    };
    let stored = list_occurrences(connection, filter).await?;
    let hosts: Vec<_> = plan.hosts.iter().map(|host| &host.name).collect();
    stand(&context.catalog, customer, (&plan.job, &hosts), stored, now).map_err(|problems| {
        say(&problems.to_string());
        Failure::usage(anyhow!("the calendars can't be used")).hint("`turnus check` shows each mistake with its line")
    })
}

/// Keeps that the run was begun by hand, inside of a window or not. A window may have closed while a person was thinking.
pub(super) async fn keep(
    connection: &mut DatabaseConnection,
    context: &Context,
    (plan, number): (&Plan, RunNumber),
    reason: Option<&str>,
) -> Result<(), Failure> {
    let standing = read_standing(connection, context, plan).await?;
    if reason.is_none() {
        refuse(&standing)?;
    }
    let (window, occurrence, stands) = match standing {
        ByHand::Inside { window, occurrence } => (Some(window), occurrence, "inside"),
        ByHand::Frozen(_) => (None, None, "in_freeze"),
        ByHand::Outside => (None, None, "outside"),
    };
    let detail = json!({ "run": number, "job": plan.job, "window": window, "stands": stands });
    let entry = Entry {
        actor: &person(),
        action: "run by hand",
        customer: Some(&plan.customer),
        occurrence,
        reason,
        detail: &detail,
    };
    note(connection, &entry).await?;
    Ok(())
}
