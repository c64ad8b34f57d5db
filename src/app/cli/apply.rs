//! `turnus apply`: shows what changes in the calendar, and publishes it after a yes.

mod words;

use anyhow::anyhow;
use clap::Args;
use jiff::Timestamp;

use super::Format;
use super::check::count;
use super::context::{AppliedFile, Context, person};
use super::exit::{Exit, Failure};
use crate::app::calendar::horizon;
use crate::app::calendar::proposal::{Proposal, ProposalError, Published, propose};
use crate::app::calendar::publish::{Act, PublishError, publish};
use crate::app::console::{confirms, print, say, show};
use crate::domain::problem::Problems;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::applied::clear_faults;
use crate::edge::store::applied::publish::lock_publishing;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::{Store, database_now};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Don't ask: yes to all that is shown, and to announced dates that move or go; their customers are told
    #[arg(long)]
    yes: bool,
    /// Refuse the whole if a date that a customer has been told of would move or go
    #[arg(long)]
    keep_announced: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let outcome = apply(context, &store, &arguments).await;
    store.close().await?;
    outcome
}

/// Publishes all that is in the files, without asking.
pub(super) async fn publish_all(context: &Context, store: &Store) -> Result<(), Failure> {
    let unasked = Arguments { yes: true, keep_announced: false, format: Format::Table };
    apply(context, store, &unasked).await.map(|_| ())
}

async fn apply(context: &Context, store: &Store, arguments: &Arguments) -> Result<Exit, Failure> {
    let files = context.applied_files();
    let mut transaction = store.begin().await?;
    if arguments.yes {
        lock_publishing(&mut transaction).await?;
    }
    let mut now = database_now(&mut transaction).await?;
    let proposal = look(&mut transaction, context, &files, now).await?;
    if proposal.is_empty() {
        // The files were just found to be usable.
        let cleared = clear_faults(&mut transaction).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        if cleared > 0 {
            say(&format!(
                "{} could not be used by the daemons, which try again",
                count(usize::try_from(cleared).unwrap_or(usize::MAX), "customer")
            ));
        }
        tell(&proposal, arguments.format, "nothing to change", false);
        return Ok(Exit::Done);
    }
    if arguments.format == Format::Table {
        show(&words::describe(&proposal));
    }
    if arguments.yes {
        settle(&proposal, arguments).await?;
    } else {
        // Nobody else waits while a person thinks.
        transaction.rollback().await.map_err(StoreError::from)?;
        settle(&proposal, arguments).await?;
        transaction = store.begin().await?;
        lock_publishing(&mut transaction).await?;
        if look(&mut transaction, context, &files, now).await? != proposal {
            return Err(changed());
        }
        now = database_now(&mut transaction).await?;
    }
    let revisions: Vec<_> = files.iter().map(AppliedFile::revision).collect();
    let act = Act { by: &person(), now };
    publish(&mut transaction, &proposal, &context.catalog, &revisions, act).await.map_err(explain)?;
    transaction.commit().await.map_err(StoreError::from)?;
    tell(&proposal, arguments.format, "applied", true);
    Ok(Exit::Done)
}

fn tell(proposal: &Proposal, format: Format, words: &str, is_applied: bool) {
    match format {
        Format::Table => print(words),
        Format::Json => print(&words::object(proposal, is_applied).to_string()),
    }
}

async fn look(
    connection: &mut DatabaseConnection,
    context: &Context,
    files: &[AppliedFile<'_>],
    now: Timestamp,
) -> Result<Proposal, Failure> {
    let published: Vec<Published> = files.iter().map(|file| file.published.clone()).collect();
    propose(connection, &context.catalog, &published, horizon(now)).await.map_err(|error| match error {
        ProposalError::Store(error) => error.into(),
        ProposalError::Files(problems) => {
            say(&Problems(problems).to_string());
            Failure::usage(anyhow!("the files can't be applied")).hint("`turnus check` shows each with its line")
        }
    })
}

/// Refusals go with all that programs may want to know of them.
async fn settle(proposal: &Proposal, arguments: &Arguments) -> Result<(), Failure> {
    let settled = match (refuse_to_move(proposal, arguments), arguments.yes) {
        (Err(refusal), _) => Err(refusal),
        (Ok(()), true) => Ok(()),
        (Ok(()), false) => asked(proposal, arguments).await,
    };
    if settled.is_err() && arguments.format == Format::Json {
        print(&words::object(proposal, false).to_string());
    }
    settled
}

fn would(proposal: &Proposal) -> String {
    format!("{} would move or go", count(proposal.commitments().count(), "announced date"))
}

fn refuse_to_move(proposal: &Proposal, arguments: &Arguments) -> Result<(), Failure> {
    if proposal.commitments().next().is_none() || !arguments.keep_announced {
        return Ok(());
    }
    if arguments.format == Format::Json {
        say(&words::describe_commitments(proposal));
    }
    Err(Failure::usage(anyhow!("{}; nothing was applied", would(proposal)))
        .hint("without --keep-announced it is done, and the customers are told"))
}

/// A yes to the whole, and another one to what customers have been told otherwise.
async fn asked(proposal: &Proposal, arguments: &Arguments) -> Result<(), Failure> {
    let nobody =
        || Failure::usage(anyhow!("without a terminal nobody can be asked whether to apply this")).hint("--yes");
    if arguments.format == Format::Json {
        say(&words::describe(proposal));
    }
    if !confirmed("Apply this?".to_owned()).await.ok_or_else(nobody)? {
        return Err(Failure::declined());
    }
    if proposal.commitments().next().is_some() {
        let question = format!("{}, and their customers would be told. Really?", would(proposal));
        if !confirmed(question).await.ok_or_else(nobody)? {
            return Err(Failure::declined());
        }
    }
    Ok(())
}

/// Asks on a thread of its own, so that Ctrl-C leaves the database in order.
async fn confirmed(question: String) -> Option<bool> {
    tokio::task::spawn_blocking(move || confirms(&question)).await.unwrap_or_default()
}

fn explain(error: PublishError) -> Failure {
    match error {
        PublishError::Store(error) => error.into(),
        PublishError::Changed => changed(),
    }
}

/// Somebody else, or the daemon, was at the same dates.
fn changed() -> Failure {
    Failure::usage(anyhow!("the calendar has changed meanwhile; nothing was applied"))
        .hint("`turnus apply` shows what is left to do")
}
