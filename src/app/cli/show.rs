//! `turnus show RUN`: hosts, steps, outcomes.

mod packages;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::{Context, read_record, read_run};
use super::exit::{Exit, Failure};
use super::{Format, accept};
use crate::app::acceptance::{acceptance, read_answer};
use crate::app::console::{print, show};
use crate::app::progress::{describe_outcome, event_object};
use crate::domain::plan::{HostIndex, StepIndex};
use crate::domain::run::event::RunState;
use crate::domain::run::event::{Outcome, Recorded, StepEnd};
use crate::domain::run::state::{HostRun, HostStage, Run, StepRun};
use crate::edge::store::Store;
use crate::edge::store::answer::StoredAnswer;
use crate::edge::store::run::StoredRun;

pub(super) async fn run(context: &Context, number: i64, format: Format) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let outcome = run_with(&store, number, format).await;
    store.close().await?;
    outcome
}

pub(super) async fn run_with(store: &Store, number: i64, format: Format) -> Result<Exit, Failure> {
    let stored = read_run(store, number).await?;
    let record = read_record(store, &stored).await?;
    let run = Run::replay(stored.plan.clone(), &record).map_err(Failure::failed)?;
    let answer = read_answer(store, &stored).await?;
    match format {
        Format::Json => print(&object(&stored, &run, &record, answer.as_ref()).to_string()),
        Format::Table => show(&describe(&stored, &run, answer.as_ref())),
    }
    Ok(Exit::Done)
}

fn object(stored: &StoredRun, run: &Run, record: &[Recorded], answer: Option<&StoredAnswer>) -> Value {
    let events: Vec<_> = record.iter().map(|recorded| event_object(run.plan(), recorded)).collect();
    json!({
        "number": stored.number,
        "id": stored.id,
        "customer": stored.plan.customer,
        "job": stored.plan.job,
        "state": stored.state,
        "plan_hash": stored.plan_hash,
        "reason": stored.reason,
        "started_by": stored.started_by,
        "created_at": stored.created_at,
        "finished_at": stored.finished_at,
        "epoch": stored.epoch,
        "driven_by": stored.lease.as_ref().filter(|lease| lease.alive).map(|lease| &lease.owner),
        "hosts": run.plan().hosts.iter().map(|host| &host.name).collect::<Vec<_>>(),
        "events": events,
        "acceptance": answer.map(acceptance),
    })
}

fn describe(stored: &StoredRun, run: &Run, answer: Option<&StoredAnswer>) -> String {
    let plan = run.plan();
    let mut text = format!(
        "run {}: {} for {} ({})\nstate      {}\nstarted    {} by {}\n",
        stored.number,
        plan.job,
        plan.customer_name,
        plan.customer,
        state(stored),
        moment(stored.created_at),
        stored.started_by,
    );
    if let Some(finished_at) = stored.finished_at {
        text += &format!("finished   {}\n", moment(finished_at));
    }
    if let Some(reason) = &stored.reason {
        text += &format!("reason     {reason}\n");
    }
    text += &format!("plan       {}\n", stored.plan_hash.short());
    if let Some(answer) = answer {
        text += &format!("answer     {}\n", accept::describe(answer));
    }
    if let Some(by) = run.cancelled_by() {
        text += &format!("cancelled  by {by}\n");
    }
    for (index, host) in run.hosts().iter().enumerate() {
        text += &format!("\n{}", describe_host(run, HostIndex(index), host));
    }
    text.trim_end().to_owned()
}

fn state(stored: &StoredRun) -> String {
    match &stored.lease {
        Some(lease) if lease.alive && stored.state == RunState::Running => {
            format!("running, driven by {}", lease.owner)
        }
        _ if stored.state == RunState::Running => format!("running, no controller; `turnus resume {}`", stored.number),
        _ if stored.state == RunState::Suspended => {
            format!("suspended; `turnus resume {0}` looks again, `turnus cancel {0}` closes it", stored.number)
        }
        _ => stored.state.to_string(),
    }
}

fn describe_host(run: &Run, index: HostIndex, host: &HostRun) -> String {
    let name = run.plan().hosts.get(index.0).map_or("?", |host| host.name.as_str());
    let stage = match &host.stage {
        HostStage::Waiting => "waiting".to_owned(),
        HostStage::Preparing => "connecting".to_owned(),
        HostStage::Unreached(fault) => format!("unreachable: {}", fault.what),
        HostStage::InWork => "in work".to_owned(),
        HostStage::Finished(Outcome::Unreachable { fault }) => format!("unreachable: {}", fault.what),
        HostStage::Finished(outcome) => describe_outcome(run.plan(), outcome),
    };
    let mut table = table(&[]);
    for (step, state) in host.steps.iter().enumerate().filter(|(_, state)| **state != StepRun::Pending) {
        let Some(planned) = run.plan().steps.get(StepIndex(step).0) else { continue };
        table.add_row([format!("  {}", step + 1), planned.phase.to_string(), planned.label(), describe_step(state)]);
    }
    format!("{name}: {stage}\n{table}\n")
}

fn describe_step(step: &StepRun) -> String {
    match step {
        StepRun::Pending => String::new(),
        StepRun::Started { started_at, overdue } => {
            let overdue = if *overdue { ", over its time limit" } else { "" };
            format!("under way since {}{overdue}", moment(*started_at))
        }
        StepRun::Unknown { fault, .. } => format!("unknown: {}", fault.what),
        StepRun::Finished { started_at, finished_at, result } => {
            let seconds = finished_at.duration_since(*started_at).as_secs_f64();
            let end = match &result.end {
                StepEnd::Succeeded => "ok".to_owned(),
                StepEnd::Failed { exit_status } => format!("exit status {exit_status}"),
                StepEnd::TimedOut => "over its time limit".to_owned(),
                StepEnd::Interrupted => "interrupted by a restart of the host".to_owned(),
                StepEnd::Lost => "gone without an exit status".to_owned(),
                StepEnd::NotMet { why } => why.clone(),
                StepEnd::Held { why } => format!("held back: {why}"),
                StepEnd::RedBefore { why } => format!("out of order before: {why}"),
                StepEnd::NotStarted { why } => format!("not begun: {why}"),
            };
            let found = result.packages.as_deref().map(|found| format!(": {}", packages::describe(found)));
            format!("{end}, {seconds:.1} s{}", found.unwrap_or_default())
        }
    }
}

/// A moment in the time zone of this machine, with its offset.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// What a terminal that does not know its width, or says 0, is taken for.
const USUAL_WIDTH: u16 = 80;
/// In less than this a table is a column of letters.
const NARROWEST: u16 = 40;

/// A table without lines, as wide as its content or the terminal.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if table.width().is_some_and(|width| width < NARROWEST) {
        table.set_width(USUAL_WIDTH);
    }
    if !header.is_empty() {
        table.set_header(header);
    }
    table
}
