//! `turnus calendar`: which windows open when; what a person does about a date; and the parts of the calendar as tools.

mod call_off;
mod confirm;
mod expand;
mod explain;
mod history;
mod holidays;
mod import;
mod moment;
pub(super) mod named;
mod preview;
mod reschedule;

use std::path::Path;

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::{Exit, Failure};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    preview: preview::Arguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Give a date another time; if the customer knows of it, it is told
    Move(reschedule::Arguments),
    /// Call a date off; if the customer knows of it, it is told
    Cancel(call_off::Arguments),
    /// Keep that the customer has said yes to a date
    Confirm(confirm::Arguments),
    /// Show who did what to a customer's calendar, and why
    History(history::Arguments),
    /// Say in words what is agreed on a window
    Explain(explain::Arguments),
    /// Expand a recurrence rule into dates; needs no files
    Expand(expand::Arguments),
    /// Read a calendar of another program; needs no other files
    Import(import::Arguments),
    /// List the public holidays of a region; needs no files
    Holidays(holidays::Arguments),
}

pub(super) async fn run(directory: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let context = || Context::load(directory.to_owned());
    match &arguments.command {
        None => preview::run(&context()?, &arguments.preview).await,
        Some(Command::Move(arguments)) => reschedule::run(&context()?, arguments).await,
        Some(Command::Cancel(arguments)) => call_off::run(&context()?, arguments).await,
        Some(Command::Confirm(arguments)) => confirm::run(&context()?, arguments).await,
        Some(Command::History(arguments)) => history::run(&context()?, arguments).await,
        Some(Command::Explain(arguments)) => explain::run(&context()?, arguments),
        Some(Command::Expand(arguments)) => expand::run(arguments),
        Some(Command::Import(arguments)) => import::run(arguments),
        Some(Command::Holidays(arguments)) => holidays::run(arguments),
    }
}
