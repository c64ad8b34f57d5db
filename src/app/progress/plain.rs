//! Events in words, one line each.

use jiff::Timestamp;

use crate::domain::plan::{HostIndex, Plan, StepIndex};
use crate::domain::run::event::{Event, Outcome, Recorded, RunResult, SkipCause, StepEnd, StepResult};
use crate::domain::run::state::{Run, StepRun};

/// Lines with the time since the first.
#[derive(Debug, Default)]
pub(super) struct Plain {
    began: Option<Timestamp>,
}

impl Plain {
    pub(super) fn event(&mut self, run: &Run, recorded: &Recorded) -> Option<String> {
        let began = *self.began.get_or_insert(recorded.at);
        describe(run, recorded).map(|line| format!("{}  {line}", elapsed(began, recorded.at)))
    }
}

/// Minutes and seconds since the first event: `+02:05`.
fn elapsed(began: Timestamp, at: Timestamp) -> String {
    let seconds = at.duration_since(began).as_secs().max(0);
    format!("+{:02}:{:02}", seconds / 60, seconds % 60)
}

/// The event in one line; none for events that only matter to the machine.
pub(super) fn describe(run: &Run, recorded: &Recorded) -> Option<String> {
    let plan = run.plan();
    let on_host = |host: HostIndex, text: String| Some(format!("{:<14}  {text}", host_name(plan, host)));
    match &recorded.event {
        Event::LeaseTaken { epoch, controller } if epoch.0 > 1 => Some(format!("taken over by {controller}")),
        Event::BatchStarted { batch } => Some(describe_batch(plan, *batch)),
        Event::HostUnreachable { host, fault } => on_host(*host, format!("unreachable: {}", fault.what)),
        Event::StepStarted { host, step } => on_host(*host, step_name(plan, *step)),
        Event::StepOverdue { host, step } => {
            let name = step_name(plan, *step);
            on_host(*host, format!("{name}: over its time limit with a package manager at work; waiting for it"))
        }
        Event::StepFinished { host, step, result } => {
            let text = format!("{}: {}{}", step_name(plan, *step), describe_end(result), took(run, *host, *step));
            on_host(*host, text)
        }
        Event::StepUnknown { host, step, fault } => {
            on_host(*host, format!("{}: unknown: {}", step_name(plan, *step), fault.what))
        }
        Event::HostFinished { host, outcome } => on_host(*host, format!("=> {}", describe_outcome(plan, outcome))),
        Event::CancelRequested { by } => Some(format!("cancelled by {by}; running steps finish, then release")),
        Event::WindowClosed => Some("the window has closed; hosts in work are finished, no other is begun".to_owned()),
        Event::RunSuspended => Some("suspended: some host can't be told; a person has to look".to_owned()),
        Event::RunFinished { result } => Some(describe_result(*result).to_owned()),
        Event::LeaseTaken { .. } | Event::HostStarted { .. } | Event::HostReady { .. } | Event::RunClosed { .. } => {
            None
        }
    }
}

fn describe_batch(plan: &Plan, batch: usize) -> String {
    let hosts = plan.batches.get(batch).map_or(0, Vec::len);
    let noun = if hosts == 1 { "host" } else { "hosts" };
    format!("batch {} of {}: {hosts} {noun}", batch + 1, plan.batches.len())
}

pub(super) fn host_name(plan: &Plan, host: HostIndex) -> &str {
    plan.hosts.get(host.0).map_or("?", |host| host.name.as_str())
}

/// `backup     archive mail (verify)`.
pub(super) fn step_name(plan: &Plan, step: StepIndex) -> String {
    plan.steps.get(step.0).map_or_else(String::new, |step| format!("{:<9}  {}", step.phase, step.label()))
}

fn describe_end(result: &StepResult) -> String {
    match &result.end {
        StepEnd::Succeeded => "ok".to_owned(),
        StepEnd::Failed { exit_status } => {
            format!("FAILED with exit status {exit_status}{}", quoted(&result.last_line))
        }
        StepEnd::TimedOut => format!("FAILED: over its time limit, ended{}", quoted(&result.last_line)),
        StepEnd::Interrupted => "FAILED: the host was restarted meanwhile".to_owned(),
        StepEnd::Lost => "FAILED: its process is gone and left no exit status".to_owned(),
        StepEnd::NotMet { why } => format!("FAILED: {why}"),
        StepEnd::Held { why } => format!("HELD BACK: {why}"),
        StepEnd::RedBefore { why } => format!("LEFT ALONE, out of order before: {why}"),
        StepEnd::NotStarted { why } => format!("FAILED, not begun: {why}"),
    }
}

fn quoted(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!(": {line}") }
}

fn took(run: &Run, host: HostIndex, step: StepIndex) -> String {
    match run.hosts().get(host.0).and_then(|host| host.steps.get(step.0)) {
        Some(StepRun::Finished { started_at, finished_at, .. }) => {
            format!(" ({:.1} s)", finished_at.duration_since(*started_at).as_secs_f64())
        }
        _ => String::new(),
    }
}

/// The outcome in a few words.
#[must_use]
pub fn describe_outcome(plan: &Plan, outcome: &Outcome) -> String {
    let at =
        |step: &StepIndex| plan.steps.get(step.0).map_or_else(String::new, |step| format!(" at `{}`", step.label()));
    match outcome {
        Outcome::Updated => "updated".to_owned(),
        Outcome::NothingToDo => "nothing to do".to_owned(),
        Outcome::Skipped { cause: SkipCause::FailureLimit } => "skipped: too many hosts failed before".to_owned(),
        Outcome::Skipped { cause: SkipCause::Cancelled } => "skipped: cancelled".to_owned(),
        Outcome::Skipped { cause: SkipCause::WindowEnding } => "skipped: window ending".to_owned(),
        Outcome::Skipped { cause: SkipCause::RedBefore } => "skipped: out of order before".to_owned(),
        Outcome::Skipped { cause: SkipCause::HeldBack } => "skipped: not as approved".to_owned(),
        Outcome::Unreachable { .. } => "unreachable".to_owned(),
        Outcome::FailedAndRolledBack { step } => format!("failed{} and rolled back", at(step)),
        Outcome::Failed { step, cancelled: true } => format!("cancelled{}", at(step).replace(" at", " before")),
        Outcome::Failed { step, cancelled: false } => format!("failed{}", at(step)),
        Outcome::Unknown { step } => format!("unknown since{}", at(step).replace(" at", "")),
    }
}

pub(super) fn describe_result(result: RunResult) -> &'static str {
    match result {
        RunResult::Succeeded => "succeeded",
        RunResult::Failed => "failed",
        RunResult::Cancelled => "cancelled",
    }
}
