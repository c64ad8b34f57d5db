//! The command line: arguments in, exit status out. One child module per command.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::edge::config;

pub mod check;

/// Exit status: done.
pub const DONE: u8 = 0;
/// Exit status: wrong usage or invalid files.
pub const INVALID: u8 = 2;
/// Exit status: something needed is not reachable.
pub const UNREACHABLE: u8 = 3;

/// Maintenance windows for other people's servers: backup, update, smoke test, report.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Directory with turnus.toml, inventories/ and jobs/.
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell every mistake in the files, with place and remedy.
    Check {
        /// How the result is printed.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Runs the command that the arguments of the process name.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let result = match command {
        Command::Check { format } => check::run(&config, format),
    };
    ExitCode::from(result.unwrap_or_else(|error| complain(&error)))
}

/// Tells an error with its causes and, if there is one, a hint; gives the exit status that fits it.
fn complain(error: &anyhow::Error) -> u8 {
    eprintln!("error: {error:#}");
    let Some(config) = error.downcast_ref::<config::Error>() else { return UNREACHABLE };
    if let Some(hint) = config.hint() {
        eprintln!("\nhint: {hint}");
    }
    INVALID
}
