//! `turnus log RUN`: what steps printed, as bytes to a pipe, cleaned for a terminal.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use super::context::{Context, read_record, read_run};
use super::exit::{Exit, Failure};
use crate::app::console::{print, print_bytes};
use crate::domain::line::clean_line;
use crate::domain::plan::{HostIndex, Plan, StepIndex};
use crate::domain::run::state::{Run, StepRun};
use crate::edge::store::Store;
use crate::edge::store::log::{LogChunk, read_log};
use crate::edge::store::run::StoredRun;

/// One read from the database.
const READ_BYTES: u64 = 1024 * 1024;
/// A follower asks again so often.
const FOLLOW_EVERY: Duration = Duration::from_millis(300);
const LINE_CHARS: usize = 10_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Number of the run
    run: i64,
    /// Of this host only
    #[arg(long)]
    host: Option<String>,
    /// Of this step only: its name, or its number in `turnus show`
    #[arg(long)]
    step: Option<String>,
    /// Go on until the run ends
    #[arg(long)]
    follow: bool,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let outcome = show(&store, &arguments).await;
    store.close().await?;
    outcome
}

async fn show(store: &Store, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut printer = Printer::new(read_run(store, arguments.run).await?, arguments)?;
    loop {
        let stored = read_run(store, arguments.run).await?;
        let record = read_record(store, &stored).await?;
        let run = Run::replay(stored.plan.clone(), &record).map_err(Failure::failed)?;
        printer.print_new(store, &run).await?;
        if !arguments.follow || !stored.state.is_open() || !printer.is_read {
            printer.finish_line();
            return Ok(Exit::Done);
        }
        tokio::time::sleep(FOLLOW_EVERY).await;
    }
}

/// Prints output that has not been printed yet, with a heading wherever another step goes on.
struct Printer {
    run: StoredRun,
    host: Option<HostIndex>,
    steps: Vec<StepIndex>,
    printed: BTreeMap<(HostIndex, StepIndex), u64>,
    heading: Option<(HostIndex, StepIndex)>,
    /// On a terminal, a line that has not ended yet.
    partial: Option<Vec<u8>>,
    /// False once the reader has gone (`| head`): then there is nobody to go on for.
    is_read: bool,
}

impl Printer {
    fn new(run: StoredRun, arguments: &Arguments) -> Result<Self, Failure> {
        let host = arguments.host.as_deref().map(|name| find_host(&run.plan, name)).transpose()?;
        let steps = find_steps(&run.plan, arguments.step.as_deref())?;
        let partial = std::io::stdout().is_terminal().then(Vec::new);
        Ok(Self { run, host, steps, printed: BTreeMap::new(), heading: None, partial, is_read: true })
    }

    async fn print_new(&mut self, store: &Store, run: &Run) -> Result<(), Failure> {
        for (host, host_run) in run.hosts().iter().enumerate().map(|(index, host)| (HostIndex(index), host)) {
            if self.host.is_some_and(|wanted| wanted != host) {
                continue;
            }
            for step in self.steps.clone() {
                if host_run.steps.get(step.0).is_some_and(|step| *step != StepRun::Pending) {
                    self.print_step(store, host, step).await?;
                }
            }
        }
        Ok(())
    }

    async fn print_step(&mut self, store: &Store, host: HostIndex, step: StepIndex) -> Result<(), Failure> {
        loop {
            let from = self.printed.get(&(host, step)).copied().unwrap_or(0);
            let mut transaction = store.begin().await?;
            let chunks = read_log(&mut transaction, self.run.id, (host, step), from, READ_BYTES).await?;
            drop(transaction);
            if chunks.is_empty() {
                return Ok(());
            }
            for chunk in chunks {
                self.print_chunk(&chunk);
            }
        }
    }

    fn print_chunk(&mut self, chunk: &LogChunk) {
        let key = (chunk.host, chunk.step);
        if self.heading != Some(key) {
            self.finish_line();
            self.print_heading(key);
        }
        let from = self.printed.get(&key).copied().unwrap_or(0);
        if chunk.at_offset > from {
            self.finish_line();
            print(&format!("[… {} bytes left out …]", chunk.at_offset - from));
        }
        self.write(&chunk.content);
        self.printed.insert(key, chunk.at_offset + chunk.content.len() as u64);
    }

    /// Only where there is a choice: the output of one step on one host is data, and stays pure.
    fn print_heading(&mut self, key: (HostIndex, StepIndex)) {
        let is_first = self.heading.is_none();
        self.heading = Some(key);
        if self.steps.len() == 1 && (self.host.is_some() || self.run.plan.hosts.len() == 1) {
            return;
        }
        let host = self.run.plan.hosts.get(key.0.0).map_or("?", |host| host.name.as_str());
        let step = self.run.plan.steps.get(key.1.0).map(|step| format!("{} · {}", step.phase, step.label()));
        let gap = if is_first { "" } else { "\n" };
        print(&format!("{gap}== {host} · {}", step.unwrap_or_default()));
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(partial) = &mut self.partial else {
            self.is_read &= print_bytes(bytes);
            return;
        };
        partial.extend_from_slice(bytes);
        while let Some(end) = partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = partial.drain(..=end).collect();
            print(&clean_line(line.trim_ascii_end(), LINE_CHARS));
        }
    }

    fn finish_line(&mut self) {
        if let Some(partial) = &mut self.partial
            && !partial.is_empty()
        {
            print(&clean_line(partial, LINE_CHARS));
            partial.clear();
        }
    }
}

fn find_host(plan: &Plan, name: &str) -> Result<HostIndex, Failure> {
    let found = plan.hosts.iter().position(|host| host.name.as_str() == name).map(HostIndex);
    found.ok_or_else(|| {
        let names: Vec<_> = plan.hosts.iter().map(|host| host.name.as_str()).collect();
        Failure::usage(anyhow!("the run has no host `{name}`")).hint(format!("its hosts are: {}", names.join(", ")))
    })
}

fn find_steps(plan: &Plan, wanted: Option<&str>) -> Result<Vec<StepIndex>, Failure> {
    let Some(wanted) = wanted else { return Ok(plan.steps().map(|(index, _)| index).collect()) };
    let number = wanted.parse::<usize>().ok();
    let matches =
        |index: StepIndex, name: &str, label: &str| name == wanted || label == wanted || number == Some(index.0 + 1);
    let found: Vec<_> = plan
        .steps()
        .filter(|(index, step)| matches(*index, &step.name, &step.label()))
        .map(|(index, _)| index)
        .collect();
    if found.is_empty() {
        let names: Vec<_> = plan.steps().map(|(_, step)| step.label()).collect();
        return Err(Failure::usage(anyhow!("the run has no step `{wanted}`"))
            .hint(format!("its steps are: {}", names.join(", "))));
    }
    Ok(found)
}
