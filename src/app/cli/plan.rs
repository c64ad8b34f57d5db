//! `turnus plan CUSTOMER JOB`: what a run would do, down to the last step; with `--rehearse`, done on a model fleet.

mod packages;

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::show::table;
use super::trust::target_of;
use crate::app::console::{print, show};
use crate::app::controller::hosts::fill_in_defaults;
use crate::app::progress::Progress;
use crate::app::rehearsal::rehearse;
use crate::domain::id::Name;
use crate::domain::job::{BackupRule, Place, Which};
use crate::domain::plan::{Choice, Plan, PlannedHost, PlannedStep, Refusal, Task, build};
use crate::edge::remote::{Choice as Transport, Error as RemoteError, choose_transports};
use crate::edge::store::estimate::host_estimates;

/// Which job on which hosts.
#[derive(Debug, Clone, Args)]
pub(super) struct Selection {
    /// The customer: the name of its file in inventories/
    pub(super) customer: String,
    /// The job: the name of its file in jobs/
    pub(super) job: String,
    /// A host, or @group; may be given several times. Without it: the hosts of the windows that name the job
    #[arg(long = "host", value_name = "HOST|@GROUP")]
    pub(super) hosts: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    what: Selection,
    /// Carry the plan out on a model fleet in memory, and show what happens in which order
    #[arg(long)]
    rehearse: bool,
    /// In the rehearsal, let this step fail (on all hosts, or on one)
    #[arg(long = "fail", value_name = "[HOST:]STEP", requires = "rehearse")]
    failing: Vec<String>,
    /// Show how long each host took in earlier runs: that decides whether it still fits into a window
    #[arg(long, conflicts_with = "rehearse")]
    estimate: bool,
    /// Show what would be installed by what was approved, or found pending last, and where there is no way back
    #[arg(long, conflicts_with = "rehearse")]
    packages: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    let plan = make(context, &arguments.what)?;
    if arguments.rehearse {
        let mut progress = match arguments.format {
            Format::Table => Progress::plain(),
            Format::Json => Progress::for_programs(),
        };
        let rehearsed = rehearse(&plan, &arguments.failing, &mut progress).await;
        progress.finish().await;
        let good = rehearsed.map_err(Failure::usage)?;
        return Ok(if good { Exit::Done } else { Exit::Failed });
    }
    let expected = match arguments.estimate {
        true => Some(expect(context, &plan).await?),
        false => None,
    };
    let known = match arguments.packages {
        true => Some(packages::find(context, &plan).await?),
        false => None,
    };
    let transports = transports(context, &plan).await?;
    match arguments.format {
        Format::Table => {
            let expected = expected.as_deref().map(describe_expected);
            let parts = [
                Some(describe(&plan)),
                Some(describe_transports(&transports)),
                expected,
                known.as_ref().map(packages::describe),
            ];
            show(&parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n"));
        }
        Format::Json => print(&object(&plan, &transports, expected.as_deref(), known.as_ref()).to_string()),
    }
    Ok(Exit::Done)
}

/// What was not asked for is not there.
fn object(
    plan: &Plan,
    transports: &[Reached<'_>],
    expected: Option<&[Expected<'_>]>,
    known: Option<&packages::Known>,
) -> Value {
    let mut object = json!({ "hash": plan.hash(), "plan": plan, "transports": transports });
    if let Some(map) = object.as_object_mut() {
        map.extend(expected.map(|hosts| ("estimates".to_owned(), json!(hosts))));
        map.extend(known.map(|known| ("packages".to_owned(), json!(known))));
    }
    object
}

/// How a host is reached.
#[derive(Debug, Serialize)]
struct Reached<'p> {
    host: &'p Name,
    /// `builtin` or `openssh`; none if the configuration can't be used.
    transport: Option<&'static str>,
    /// In words.
    reason: String,
}

/// The plan itself does not say it: it is a matter of the machine on which the run goes on.
async fn transports<'p>(context: &Context, plan: &'p Plan) -> Result<Vec<Reached<'p>>, Failure> {
    let target = |host: &PlannedHost| target_of(context, host.name.to_string(), host.connection.clone());
    let targets = plan.hosts.iter().map(target).collect::<Result<Vec<_>, _>>()?;
    let choices = choose_transports(&targets).await;
    let reached = |(host, choice): (&'p PlannedHost, Result<_, RemoteError>)| match choice {
        Ok(Transport { is_builtin, reason, .. }) => {
            Reached { host: &host.name, transport: Some(if is_builtin { "builtin" } else { "openssh" }), reason }
        }
        Err(error) => Reached { host: &host.name, transport: None, reason: error.to_string() },
    };
    Ok(plan.hosts.iter().zip(choices).map(reached).collect())
}

/// Hosts with the same answer stand in one line.
fn describe_transports(reached: &[Reached<'_>]) -> String {
    let mut alike: BTreeMap<(Option<&str>, &str), Vec<&str>> = BTreeMap::new();
    for host in reached {
        alike.entry((host.transport, &host.reason)).or_default().push(host.host.as_str());
    }
    let line = |((transport, reason), hosts): (&(Option<&str>, &str), &Vec<&str>)| {
        let by = match transport {
            Some("builtin") => "by the built-in ssh",
            Some(_) => "by OpenSSH",
            None => "NOT",
        };
        format!("reached {by} ({reason}): {}", hosts.join(", "))
    };
    alike.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// How long a host is expected to take.
#[derive(Debug, Serialize)]
struct Expected<'p> {
    host: &'p Name,
    /// Half of the earlier runs took no longer; none before the first.
    median_s: Option<u64>,
    /// What counts: nine in ten took no longer; before the first, what the job says of itself; 0 if it says nothing.
    p90_s: u64,
    /// How many runs that is known from.
    runs: u32,
}

async fn expect<'p>(context: &Context, plan: &'p Plan) -> Result<Vec<Expected<'p>>, Failure> {
    let names: Vec<Name> = plan.hosts.iter().map(|host| host.name.clone()).collect();
    let store = context.open_store().await?;
    let mut transaction = store.begin().await?;
    let known = host_estimates(&mut transaction, &plan.customer, &plan.job, &names).await;
    drop(transaction);
    store.close().await?;
    let (known, given_s) = (known?, context.job(plan.job.as_str())?.given_estimate_s());
    let expected = |host: &'p PlannedHost| match known.get(&host.name) {
        Some(known) => {
            Expected { host: &host.name, median_s: Some(known.median_s), p90_s: known.p90_s, runs: known.runs }
        }
        None => Expected { host: &host.name, median_s: None, p90_s: given_s, runs: 0 },
    };
    Ok(plan.hosts.iter().map(expected).collect())
}

fn describe_expected(expected: &[Expected<'_>]) -> String {
    let mut rows = table(&["host", "half the runs", "nine in ten", "known from"]);
    for host in expected {
        let from = match (host.runs, host.p90_s) {
            (0, 0) => "not known".to_owned(),
            (0, _) => "the job's steps".to_owned(),
            (1, _) => "1 run".to_owned(),
            (runs, _) => format!("{runs} runs"),
        };
        let at_most = if host.p90_s == 0 && host.runs == 0 { String::new() } else { in_words(host.p90_s) };
        rows.add_row([host.host.to_string(), host.median_s.map(in_words).unwrap_or_default(), at_most, from]);
    }
    rows.to_string()
}

/// Builds the plan.
pub(super) fn make(context: &Context, what: &Selection) -> Result<Plan, Failure> {
    let customer = context.customer(&what.customer)?;
    let job = context.job(&what.job)?;
    let choice = Choice {
        hosts: what.hosts.clone(),
        parallel_hosts: usize::from(context.catalog.settings.limits.parallel_hosts),
    };
    let mut plan = build(customer, job, &choice).map_err(|refusal| {
        let hint = match &refusal {
            Refusal::NoSuchHost { .. } => {
                let names: Vec<_> = customer.hosts.iter().map(|host| host.name.as_str()).collect();
                format!("its hosts are: {}", names.join(", "))
            }
            Refusal::NoHostsNamed { .. } => "say which: --host NAME, or --host @GROUP".to_owned(),
            Refusal::NoSuchDelegate { .. } => "add that host to the inventory, or change `on` in the job".to_owned(),
        };
        Failure::usage(refusal).hint(hint)
    })?;
    for host in plan.hosts.iter_mut().chain(&mut plan.delegates) {
        fill_in_defaults(&mut host.connection, &context.catalog.settings.ssh);
    }
    Ok(plan)
}

/// The plan in words.
pub(super) fn describe(plan: &Plan) -> String {
    let mut lines = vec![
        format!("{} for {} ({})", plan.job, plan.customer_name, plan.customer),
        format!("{}, plan {}", plan.description, plan.hash().short()),
        String::new(),
    ];
    lines.extend(describe_batches(plan));
    if let BackupRule::None { reason } = &plan.backup {
        lines.push(format!("no backup: {reason}"));
    }
    lines.push(String::new());
    lines.push("on each host, in this order:".to_owned());
    let point = plan.point_of_no_return();
    for (index, step) in plan.steps() {
        let mark = if point == Some(index) { "   <- point of no return" } else { "" };
        lines.push(format!("  {:>3}  {}{mark}", index.0 + 1, describe_step(step)));
    }
    lines.join("\n")
}

fn describe_batches(plan: &Plan) -> Vec<String> {
    let name = |index: &crate::domain::plan::HostIndex| plan.hosts.get(index.0).map_or("?", |host| host.name.as_str());
    let batch = |(index, batch): (usize, &Vec<_>)| {
        let names: Vec<_> = batch.iter().map(name).collect();
        format!("batch {}: {}", index + 1, names.join(", "))
    };
    let mut lines: Vec<_> = plan.batches.iter().enumerate().map(batch).collect();
    lines.push(format!(
        "{} hosts at a time; the batch in which more than {} failed is the last",
        plan.parallel_hosts, plan.max_failures
    ));
    lines
}

fn describe_step(step: &PlannedStep) -> String {
    let place = match &step.place {
        Place::Host => String::new(),
        Place::Delegate(name) => format!("on {name}, "),
        Place::Controller => "on the controller, ".to_owned(),
    };
    let what = match &step.task {
        Task::Script(_) => String::new(),
        Task::Probe(probe) => format!("{}, ", probe.check.subject()),
        Task::HostProbes { .. } => "the host's probes, ".to_owned(),
        Task::Look { which: Which::Approved, .. } => "the approved packages, ".to_owned(),
        Task::Look { which: Which::All, .. } => "all pending packages, ".to_owned(),
        Task::Account { .. } => "what was installed, ".to_owned(),
        Task::Reboot { .. } => "reboot, ".to_owned(),
    };
    let limit = in_words(step.timeout_s);
    format!("{:<9}  {:<40}  {place}{what}at most {limit}", step.phase, step.label())
}

fn in_words(seconds: u64) -> String {
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, 0) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
