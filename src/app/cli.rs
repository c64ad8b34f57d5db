//! The command line: arguments in, exit status out. One file per command.
//!
//! Knows how people ask; every answer comes from elsewhere. Errors are printed here, once, with their whole chain.

#![expect(clippy::disallowed_methods, reason = "a role that a process plays has the clock, and names new runs")]

mod accept;
mod apply;
mod calendar;
mod cancel;
mod capacity;
mod check;
mod context;
mod dates;
mod demo;
mod detach;
mod doctor;
mod drive;
mod exit;
mod log;
mod logging;
mod mail;
mod outbox;
mod plan;
mod report;
mod resume;
mod review;
mod run;
mod runs;
mod serve;
mod show;
mod trust;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use self::context::Context;
use self::exit::{Exit, Failure};
use self::serve::LogFormat;
use super::console::say;

/// Keeps the maintenance promises that an IT service provider makes to its customers.
#[derive(Debug, Parser)]
#[command(name = "turnus", version, max_term_width = 100)]
struct Arguments {
    /// Directory with inventories/, jobs/ and turnus.toml
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

/// How data are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check all files and report every mistake with file, line and remedy
    Check {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show what the files change in the calendar, and publish it after a yes
    Apply(apply::Arguments),
    /// Show which windows open when, and why; move, cancel or confirm a date; rules, calendars and holidays as tools
    Calendar(calendar::Arguments),
    /// Say what turnus finds on this machine and what is missing; or how a host is reached, and whether that works
    Doctor {
        /// The host, as HOST or CUSTOMER/HOST
        host: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show the fingerprints of a host's keys, and store them after a yes
    Trust(trust::Arguments),
    /// Show what a run would do: hosts, batches, steps, time limits
    Plan(plan::Arguments),
    /// Execute a job on a customer's hosts now
    Run(run::Arguments),
    /// Take over a run whose controller is gone, and carry on
    Resume(resume::Arguments),
    /// Let running steps of a run finish, release its hosts, and end it; close a suspended run
    Cancel {
        /// Number of the run
        run: i64,
    },
    /// List runs, newest first
    Runs(runs::Arguments),
    /// Show a run: hosts, steps, outcomes
    Show {
        /// Number of the run
        run: i64,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show what the steps of a run printed
    Log(log::Arguments),
    /// List who is told what
    Outbox(outbox::Arguments),
    /// Show how a mail would look
    Mail(mail::Arguments),
    /// Write the report of a run
    Report(report::Arguments),
    /// Keep a customer's answer to a report that was told by phone
    Accept(accept::Arguments),
    /// Look at pending updates, and decide what may be installed
    Review(review::Arguments),
    /// Show how full the disks of hosts are, and when they will be full
    Capacity(capacity::Arguments),
    /// Keep the calendar: open what is due, drive its runs, tell people; until it is told to stop
    Serve(serve::Arguments),
    /// Try turnus on three real sshd hosts of its own, on this machine
    Demo(demo::Arguments),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = match &arguments.command {
        Command::Serve(arguments) => Some(logging::begin_for_daemon(arguments.log)),
        Command::Demo(arguments) if arguments.mail.is_some() => Some(logging::begin_for_daemon(LogFormat::Text)),
        _ => {
            logging::begin();
            None
        }
    };
    // Fails only if a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("turnus: can't start: {error}"));
            return Exit::Unreachable.into();
        }
    };
    let outcome = runtime.block_on(async {
        // Commands that drive runs settle for themselves what an interruption means.
        let drives =
            matches!(arguments.command, Command::Run(_) | Command::Resume(_) | Command::Demo(_) | Command::Serve(_));
        tokio::select! {
            outcome = execute(arguments) => outcome,
            // What the command holds is dropped, and with it the use of the private database, which then stops.
            Ok(()) = tokio::signal::ctrl_c(), if !drives => Ok(Exit::Interrupted),
        }
    });
    // A thread that waits for a terminal must not keep the process.
    runtime.shutdown_background();
    if let Some(log) = log {
        log.finish();
    }
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => failure.print().into(),
    }
}

async fn execute(arguments: Arguments) -> Result<Exit, Failure> {
    let directory = arguments.config;
    let context = || Context::load(directory.clone());
    let record = || Context::load_for_the_record(directory.clone());
    match arguments.command {
        Command::Check { format } => check::run(&directory, format),
        Command::Apply(arguments) => apply::run(&context()?, arguments).await,
        Command::Calendar(arguments) => calendar::run(&directory, &arguments).await,
        Command::Doctor { host: Some(host), format } => doctor::host::run(&context()?, &host, format).await,
        Command::Doctor { host: None, format } => doctor::run(&directory, format).await,
        Command::Trust(arguments) => trust::run(&context()?, arguments).await,
        Command::Plan(arguments) => plan::run(&context()?, arguments).await,
        Command::Run(arguments) => run::run(&context()?, arguments).await,
        Command::Resume(arguments) => resume::run(&record()?, arguments).await,
        Command::Cancel { run } => cancel::run(&record()?, run).await,
        Command::Runs(arguments) => runs::run(&record()?, arguments).await,
        Command::Show { run, format } => show::run(&record()?, run, format).await,
        Command::Log(arguments) => log::run(&record()?, arguments).await,
        Command::Outbox(arguments) => outbox::run(&record()?, &directory, arguments).await,
        Command::Mail(arguments) => mail::run(&context()?, &directory, &arguments),
        Command::Report(arguments) => {
            // The report of a run needs the database only, as it may be wanted in an emergency; a customer stands in the files.
            let context = if arguments.is_about_a_period() { context()? } else { record()? };
            report::run(&context, arguments).await
        }
        Command::Accept(arguments) => accept::run(&record()?, &arguments).await,
        Command::Review(arguments) => review::run(&context()?, arguments).await,
        Command::Capacity(arguments) => capacity::run(&context()?, arguments).await,
        Command::Serve(_) => serve::run(&directory).await,
        Command::Demo(arguments) => demo::run(arguments).await,
    }
}
