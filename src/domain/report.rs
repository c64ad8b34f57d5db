//! The written result of a run: the one view that mail, page and terminal render.
//!
//! Knows the record of a run; does not know languages, time zones' rules or layout. Its JSON is the contract of
//! `turnus report --format json`: snake_case names, units in the names, instants in RFC 3339 UTC.
//! Invariants: it says what the record says and guesses nothing (G6, G7), for unfinished runs as well; every text in it is
//! one harmless line; what a customer reads is structured, and texts of faults stand apart in the annex.

use jiff::Timestamp;
use serde::Serialize;

use super::id::{ContentHash, Name, RunId};
use super::inventory::Locale;
use super::job::BackupRule;
use super::line::clean_line;
use super::plan::HostIndex;
use super::review::{Approval, Selection};
use super::run::event::{Facts, RunState};
use super::run::state::{Run, RunStage};

pub mod acceptance;
pub mod capacity;
pub mod host;
pub mod meanwhile;
pub mod open_point;
pub mod packages;
pub mod probes;
#[cfg(test)]
pub(crate) mod samples;
pub mod step;
#[cfg(test)]
mod tests;
pub mod watch;

use acceptance::AcceptanceReport;
use capacity::HostCapacity;
use host::{HostReport, OutcomeKind};
use meanwhile::{Meanwhile, QuietDate};
use open_point::OpenPoint;
use packages::PackageCounts;

/// Longest text that a report takes over, in characters; the record has the rest.
const TEXT_CHARS: usize = 500;

/// What a report is made from.
#[derive(Debug, Clone)]
pub struct RunRecord<'a> {
    /// The number that people use.
    pub number: i64,
    /// Identity of the run.
    pub id: RunId,
    /// The record, folded.
    pub run: &'a Run,
    /// Who started it.
    pub started_by: String,
    /// Why it was started, if somebody said so.
    pub reason: Option<String>,
    /// What came between the report before and this one.
    pub meanwhile: Meanwhile,
}

/// The written result of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this contract; grows when a field changes its meaning or goes.
    pub format_version: u32,
    /// The number that people use.
    pub run_number: i64,
    /// Identity of the run.
    pub run_id: RunId,
    /// Whose hosts.
    pub customer: Name,
    /// The customer's name as it stands in letters.
    pub customer_name: String,
    /// The customer's language.
    pub locale: Locale,
    /// The customer's IANA time zone.
    pub time_zone: String,
    /// Which recipe.
    pub job: Name,
    /// The recipe in one line.
    pub description: String,
    /// SHA-256 of the plan.
    pub plan_hash: ContentHash,
    /// Revision of the inventory file.
    pub customer_revision: ContentHash,
    /// Revision of the job file.
    pub job_revision: ContentHash,
    /// Whether updates had to wait for a verified backup.
    pub backup: BackupPromise,
    /// Who allowed which packages to be installed; absent if the job installs none that have to be approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalReport>,
    /// Packages of all hosts; absent if no host's were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<PackageCounts>,
    /// Who started the run.
    pub started_by: String,
    /// Why it was started, if somebody said so.
    pub reason: Option<String>,
    /// Every controller that drove the run, in order; more than one means take-overs.
    pub controllers: Vec<String>,
    /// Who asked to stop, if somebody did.
    pub cancelled_by: Option<String>,
    /// The window that it was opened for; absent for a run by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowReport>,
    /// When the first controller took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The latest instant of which the report tells.
    pub recorded_until: Option<Timestamp>,
    /// From start to end; absent while it goes on.
    pub duration_ms: Option<u64>,
    /// Where the run stands.
    pub state: RunState,
    /// The outcome of the host that came out worst: a run is as good as that. Absent while every host is still to come.
    pub worst_outcome: Option<OutcomeKind>,
    /// How many hosts came out how.
    pub counts: Counts,
    /// Dates since the report before on which nothing was to be done, and of which nobody was told; absent if there were none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quiet_dates: Vec<QuietDate>,
    /// When the same job comes next; set by whoever knows the calendar, which the record does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NextDate>,
    /// How full the watched paths of its hosts are; set by whoever knows what was measured, which the record does not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capacity: Vec<HostCapacity>,
    /// What is left for somebody to do or to know.
    pub open_points: Vec<OpenPoint>,
    /// The hosts, in the order in which they were taken.
    pub hosts: Vec<HostReport>,
    /// What the customer says to it; absent as long as there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<AcceptanceReport>,
}

/// A named person's decision on the pending updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalReport {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What was said with it.
    pub note: Option<String>,
    /// SHA-256 of exactly the list that was decided on.
    pub list: ContentHash,
    /// What was chosen of the list.
    pub selection: Selection,
}

/// The window that a run was opened for, and whether it was enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowReport {
    /// Its name in the inventory.
    pub name: Name,
    /// Its opening.
    pub opens_at: Timestamp,
    /// No host was begun later.
    pub latest_start_at: Timestamp,
    /// Its close.
    pub closes_at: Timestamp,
    /// For how long after the close hosts were still in work; absent if none was, or as long as some are.
    pub overrun_ms: Option<u64>,
}

/// A date that is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextDate {
    /// Its window.
    pub window: Name,
    /// Its opening.
    pub opens_at: Timestamp,
    /// Its close.
    pub closes_at: Timestamp,
}

/// Guarantee G3, or the declared exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum BackupPromise {
    /// No update without a verified backup.
    Required,
    /// No backup, as the job declares.
    None {
        /// Why not.
        reason: String,
    },
}

/// Number of hosts by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All hosts of the run.
    pub hosts: usize,
    /// [`OutcomeKind::Updated`]
    pub updated: usize,
    /// [`OutcomeKind::NothingToDo`]
    pub nothing_to_do: usize,
    /// [`OutcomeKind::Waiting`]
    pub waiting: usize,
    /// [`OutcomeKind::InWork`]
    pub in_work: usize,
    /// [`OutcomeKind::Skipped`]
    pub skipped: usize,
    /// Of those that were skipped, the ones that were held back: what was pending there was not what was approved any more.
    pub held_back: usize,
    /// [`OutcomeKind::Cancelled`]
    pub cancelled: usize,
    /// [`OutcomeKind::Unreachable`]
    pub unreachable: usize,
    /// [`OutcomeKind::FailedAndRolledBack`]
    pub failed_and_rolled_back: usize,
    /// [`OutcomeKind::Failed`]
    pub failed: usize,
    /// [`OutcomeKind::Unknown`]
    pub unknown: usize,
}

/// Writes the report of a run, finished or not.
#[must_use]
pub fn from_record(record: &RunRecord<'_>) -> Report {
    let run = record.run;
    let plan = run.plan();
    let hosts: Vec<_> = (0..run.hosts().len()).filter_map(|index| host::write(run, HostIndex(index))).collect();
    let state = state_of(run.stage());
    Report {
        format_version: 1,
        run_number: record.number,
        run_id: record.id,
        customer: plan.customer.clone(),
        customer_name: clean(&plan.customer_name),
        locale: plan.locale,
        time_zone: clean(&plan.time_zone),
        job: plan.job.clone(),
        description: clean(&plan.description),
        plan_hash: plan.hash(),
        customer_revision: plan.customer_revision.clone(),
        job_revision: plan.job_revision.clone(),
        backup: promise(&plan.backup),
        approval: plan.approval.as_ref().map(approval),
        packages: PackageCounts::of(hosts.iter().flat_map(|host| &host.packages)),
        started_by: clean(&record.started_by),
        reason: record.reason.as_deref().map(clean),
        controllers: run.controllers().iter().map(|controller| clean(controller)).collect(),
        cancelled_by: run.cancelled_by().map(clean),
        window: window(run),
        started_at: run.started_at(),
        finished_at: run.finished_at(),
        recorded_until: recorded_until(run, &hosts),
        duration_ms: elapsed_ms(run.started_at(), run.finished_at()),
        state,
        worst_outcome: hosts.iter().map(|host| host.outcome.kind).max(),
        counts: Counts::of(&hosts),
        quiet_dates: record.meanwhile.quiet.clone(),
        next: None,
        capacity: Vec::new(),
        open_points: open_point::collect(record, state, &hosts),
        hosts,
        acceptance: None,
    }
}

fn state_of(stage: RunStage) -> RunState {
    match stage {
        RunStage::Open | RunStage::Closing => RunState::Running,
        RunStage::Suspended => RunState::Suspended,
        RunStage::Finished(result) => result.into(),
    }
}

fn approval(approval: &Approval) -> ApprovalReport {
    let clean_all = |names: &[String]| names.iter().map(|name| clean(name)).collect();
    ApprovalReport {
        by: clean(&approval.by),
        at: approval.at,
        note: approval.note.as_deref().map(clean),
        list: approval.list.clone(),
        selection: Selection {
            only: clean_all(&approval.selection.only),
            except: clean_all(&approval.selection.except),
            ..approval.selection.clone()
        },
    }
}

fn window(run: &Run) -> Option<WindowReport> {
    let window = run.plan().window.as_ref()?;
    let ended = run.hosts().iter().filter_map(|host| host.finished_at).max().filter(|_| run.finished_at().is_some());
    Some(WindowReport {
        name: window.window.clone(),
        opens_at: window.opens,
        latest_start_at: window.latest_start,
        closes_at: window.closes,
        overrun_ms: run.window_closed_at().and_then(|_| elapsed_ms(Some(window.closes), ended)),
    })
}

fn promise(rule: &BackupRule) -> BackupPromise {
    match rule {
        BackupRule::Required => BackupPromise::Required,
        BackupRule::None { reason } => BackupPromise::None { reason: clean(reason) },
    }
}

/// The fold does not keep the time of every event; the latest that it keeps is near enough to say "as of".
fn recorded_until(run: &Run, hosts: &[HostReport]) -> Option<Timestamp> {
    let of_hosts = hosts.iter().flat_map(|host| [host.started_at, host.finished_at]);
    let of_steps = hosts.iter().flat_map(|host| &host.steps).flat_map(|step| [step.started_at, step.finished_at]);
    of_hosts.chain(of_steps).chain([run.started_at(), run.finished_at()]).flatten().max()
}

impl Counts {
    fn of(hosts: &[HostReport]) -> Self {
        let mut counts = Self { hosts: hosts.len(), ..Self::default() };
        for host in hosts {
            *counts.slot(host.outcome.kind) += 1;
            counts.held_back += usize::from(host.outcome.is_held_back());
        }
        counts
    }

    fn slot(&mut self, kind: OutcomeKind) -> &mut usize {
        match kind {
            OutcomeKind::Updated => &mut self.updated,
            OutcomeKind::NothingToDo => &mut self.nothing_to_do,
            OutcomeKind::Waiting => &mut self.waiting,
            OutcomeKind::InWork => &mut self.in_work,
            OutcomeKind::Skipped => &mut self.skipped,
            OutcomeKind::Cancelled => &mut self.cancelled,
            OutcomeKind::Unreachable => &mut self.unreachable,
            OutcomeKind::FailedAndRolledBack => &mut self.failed_and_rolled_back,
            OutcomeKind::Failed => &mut self.failed,
            OutcomeKind::Unknown => &mut self.unknown,
        }
    }
}

fn clean(text: &str) -> String {
    clean_line(text.as_bytes(), TEXT_CHARS)
}

fn clean_facts(facts: &Facts) -> Facts {
    facts.iter().map(|(key, value)| (clean(key), clean(value))).collect()
}

/// Never negative, though two controllers' clocks may differ.
fn elapsed_ms(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<u64> {
    Some(u64::try_from(to?.duration_since(from?).as_millis()).unwrap_or(0))
}
