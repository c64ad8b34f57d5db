//! `turnus calendar`: when what is, and the parts of the calendar as tools.

mod expand;
mod explain;
mod holidays;
mod import;
mod moment;

use std::path::Path;

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::{Exit, Failure};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say in words what is agreed on a window
    Explain(explain::Arguments),
    /// Expand a recurrence rule into dates; needs no files
    Expand(expand::Arguments),
    /// Read a calendar of another program; needs no other files
    Import(import::Arguments),
    /// List the public holidays of a region; needs no files
    Holidays(holidays::Arguments),
}

pub(super) fn run(directory: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let context = || Context::load(directory.to_owned());
    match &arguments.command {
        Command::Explain(arguments) => explain::run(&context()?, arguments),
        Command::Expand(arguments) => expand::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Holidays(arguments) => holidays::run(arguments),
    }
}
