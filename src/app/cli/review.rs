//! `turnus review`: what is pending on a customer's hosts, and what a person decides on it.

pub(super) mod collect;
pub(super) mod decide;
mod show;
pub(super) mod words;

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::calendar::named::{Named, find_ahead, find_all, list_window};
use super::context::Context;
use super::dates::moment;
use super::exit::{Exit, Failure};
use crate::domain::id::Name;
use crate::domain::inventory::Customer;
use crate::domain::job::Which;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::database_now;
use crate::edge::store::occurrence::{History, OccurrenceFilter, StoredOccurrence, list_occurrences};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at the hosts now, and keep what is pending there; changes nothing on them
    Collect(collect::Arguments),
    /// Show what is pending on which hosts, what has changed since the collection before, and what was decided
    Show(show::Arguments),
    /// Approve what may be installed: all of the newest list, or a part of it
    Approve(decide::Approve),
    /// Reject the newest list: nothing of it may be installed
    Reject(decide::Reject),
}

/// For whom, and for which date.
#[derive(Debug, Args)]
struct Subject {
    /// The customer
    customer: String,
    /// The date: the day on which it opens now, or the day that its rule gives. Without it: the next one whose job installs approved
    /// packages
    #[arg(long, value_name = "WINDOW@DATE")]
    occurrence: Option<Named>,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Collect(arguments) => collect::run(context, &arguments).await,
        Command::Show(arguments) => show::run(context, &arguments).await,
        Command::Approve(arguments) => decide::approve(context, arguments).await,
        Command::Reject(arguments) => decide::reject(context, arguments).await,
    }
}

/// Whether a date may be one that nobody can decide on any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Ahead,
    Any,
}

/// The date that is meant; none if the customer has none ahead whose job installs approved packages.
async fn find_subject(
    connection: &mut DatabaseConnection,
    context: &Context,
    subject: &Subject,
    standing: Standing,
) -> Result<Option<StoredOccurrence>, Failure> {
    let customer = &context.customer(&subject.customer)?.name;
    let Some(named) = &subject.occurrence else {
        return find_next(connection, customer, |row| installs_approved(context, &row.job)).await;
    };
    let mut rows = list_window(connection, customer, named).await?;
    match find_ahead(&rows, customer, named) {
        Ok(row) => Ok(Some(row.clone())),
        Err(failure) if standing == Standing::Ahead => Err(failure),
        Err(failure) => {
            let ids = find_all(&rows, named);
            rows.retain(|row| ids.contains(&row.id));
            rows.pop().map(Some).ok_or(failure)
        }
    }
}

/// The next date ahead that fits.
pub(super) async fn find_next(
    connection: &mut DatabaseConnection,
    customer: &Name,
    fits: impl Fn(&StoredOccurrence) -> bool,
) -> Result<Option<StoredOccurrence>, Failure> {
    let now = database_now(connection).await?;
    let filter = OccurrenceFilter {
        customer: Some(customer),
        window: None,
        from: Some(now),
        until: None,
        history: History::Without,
        limit: None,
    };
    let rows = list_occurrences(connection, filter).await?;
    Ok(rows.into_iter().find(|row| row.state.is_ahead() && fits(row)))
}

pub(super) fn installs_approved(context: &Context, job: &Name) -> bool {
    context.catalog.jobs.get(job).is_some_and(|job| job.installs() == Some(Which::Approved))
}

/// `nordwind quarterly, Fri 2027-03-26 14:00 +01:00`.
fn title(customer: &Customer, occurrence: Option<&StoredOccurrence>) -> String {
    match occurrence {
        Some(row) => format!("{} {}, {}", customer.name, row.window, moment(row.start, &row.time_zone)),
        None => customer.name.to_string(),
    }
}

/// ` --occurrence quarterly@2027-03-26`, to be copied; nothing if nobody named one.
fn option(subject: &Subject) -> String {
    subject.occurrence.as_ref().map(|named| format!(" --occurrence {named}")).unwrap_or_default()
}

/// There is nothing to be shown or decided on.
fn nothing_collected(subject: &Subject) -> Failure {
    Failure::usage(anyhow!("nothing has been collected for {}{}", subject.customer, option(subject))).hint(format!(
        "`turnus review collect {}{}`",
        subject.customer,
        option(subject)
    ))
}
