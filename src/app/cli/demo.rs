//! `turnus demo`: a whole run on three hosts of its own.

mod conversation;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::context::{Context, read_record, read_run};
use super::exit::{Exit, Failure};
use super::report::{Around, ReportFormat, Told, render};
use super::run;
use crate::app::console::{print, say};
use crate::app::demo::{Break, Stage, shop};
use crate::edge::config;
use crate::edge::store::Store;
use crate::edge::store::run::RunNumber;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Let something go wrong: a new version that does not answer as it should
    #[arg(long = "break", value_enum)]
    breaks: Option<Break>,
    /// Where the HTML report goes
    #[arg(long, value_name = "FILE", default_value = "turnus-demo-report.html")]
    report: PathBuf,
    /// Agree on a date with the customer, keep it as the daemon does, and show what the customer is told: .eml and .html files go to DIR
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "turnus-demo-mails")]
    pub(super) mail: Option<PathBuf>,
    /// The demo's own shop; used by its hosts
    #[arg(long, hide = true, value_name = "DIR")]
    serve: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    if let Some(directory) = &arguments.serve {
        return shop::serve(directory).await.map(|()| Exit::Done).map_err(Failure::failed);
    }
    let began = Instant::now();
    // From here on an interruption is noted, and the hosts are taken down by who sees it.
    let mut interruptions = signal(SignalKind::interrupt()).map_err(Failure::unreachable)?;
    say("building three hosts on this machine: an sshd and a small shop on each");
    let stage = Stage::build(arguments.breaks).map_err(Failure::unreachable)?;
    let context = Context::load(stage.configuration())?;
    let store = tokio::select! {
        biased;
        Some(()) = interruptions.recv() => return Err(Failure::declined()),
        opened = context.open_store() => opened?,
    };
    let shown = show(&stage, &context, &store, (&arguments, &mut interruptions)).await;
    let answers = stage.answers().await;
    store.close().await?;
    let exit = shown?;
    print("\nthe shops now:");
    for (name, answer) in &answers {
        print(&format!("  {name}  {answer}"));
    }
    print(&format!("\nthe report for the customer: {}", arguments.report.display()));
    drop(stage);
    say(&format!("took {:.1} s; nothing is left running", began.elapsed().as_secs_f64()));
    judge(exit, arguments.breaks, &answers)
}

/// A run, by hand or in its time, and its report.
async fn show(
    stage: &Stage,
    context: &Context,
    store: &Store,
    (arguments, interruptions): (&Arguments, &mut Signal),
) -> Result<Exit, Failure> {
    let (exit, number) = match &arguments.mail {
        None => run_by_hand(context, store).await?,
        Some(mails) => conversation::hold(stage, store, mails, interruptions).await?,
    };
    write_report(context, store, number, &arguments.report).await?;
    Ok(exit)
}

async fn run_by_hand(context: &Context, store: &Store) -> Result<(Exit, RunNumber), Failure> {
    let wanted = run::Arguments::for_demo("demo", "shop-update", "@shops");
    let agreed = run::agree(context, &wanted).await?;
    run::execute(context, store, &wanted, agreed).await
}

async fn write_report(context: &Context, store: &Store, number: RunNumber, path: &Path) -> Result<(), Failure> {
    let stored = read_run(store, number.0).await?;
    let record = read_record(store, &stored).await?;
    let told = Told { stored: &stored, record: &record, answer: None };
    let html = render(&context.texts()?, &told, Around::default(), (ReportFormat::Html, None))?;
    config::write_file(path, html.as_bytes())
        .with_context(|| format!("can't write `{}`", path.display()))
        .map_err(Failure::usage)
}

/// The demo is good when it shows what it promises: all shops new; or, broken on purpose, all of them as they were.
fn judge(exit: Exit, breaks: Option<Break>, answers: &[(&str, String)]) -> Result<Exit, Failure> {
    if exit == Exit::Interrupted {
        return Ok(exit);
    }
    let wanted = match breaks {
        None => "shop 2.0: 241 orders",
        Some(Break::Smoke) => "shop 1.0: 240 orders",
    };
    let as_promised = answers.iter().all(|(_, answer)| answer == wanted);
    let failed_as_promised = (exit == Exit::Failed) == breaks.is_some();
    if as_promised && failed_as_promised {
        Ok(Exit::Done)
    } else {
        Err(Failure::failed(anyhow!("every shop should answer `{wanted}`")))
    }
}
