//! Makes the plan out of customer, job and chosen hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::{HostIndex, Part, Plan, PlannedHost, PlannedStep, StepIndex, Task};
use crate::domain::id::Name;
use crate::domain::inventory::{Customer, Host};
use crate::domain::job::{Action, BackupRule, BatchSize, Job, Phase, Place, Step};

const PROVE_BACKUP: &str = include_str!("prove_backup.sh");
const RECHECK_BACKUP: &str = include_str!("recheck_backup.sh");
const CHECK_DISK_FREE: &str = include_str!("check_disk_free.sh");

/// What the person or the calendar chose.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Host names and `@groups`; empty: the hosts of the customer's windows that name the job.
    pub hosts: Vec<String>,
    /// How many hosts are in work at the same time.
    pub parallel_hosts: usize,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither a host nor a group.
    #[error("customer `{customer}` has no host or group `{wanted}`")]
    NoSuchHost {
        /// Whose inventory was looked at.
        customer: Name,
        /// What was asked for.
        wanted: String,
    },
    /// No window tells which hosts.
    #[error("no window of customer `{customer}` names the job `{job}`, so it is not said which hosts are meant")]
    NoHostsNamed {
        /// Whose inventory was looked at.
        customer: Name,
        /// Which job.
        job: Name,
    },
    /// A step of the job runs on a host that the inventory does not have.
    #[error("step `{step}` runs on `{delegate}`, which customer `{customer}` does not have")]
    NoSuchDelegate {
        /// Whose inventory was looked at.
        customer: Name,
        /// Which step.
        step: String,
        /// The missing host.
        delegate: Name,
    },
}

/// Freezes what `job` does on the chosen hosts of `customer`.
///
/// # Errors
/// [`Refusal`] when a host, group or delegate does not exist, or when nothing says which hosts are meant.
pub fn build(customer: &Customer, job: &Job, choice: &Choice) -> Result<Plan, Refusal> {
    let hosts = chosen_hosts(customer, job, &choice.hosts)?;
    Ok(Plan {
        customer: customer.name.clone(),
        customer_name: customer.display_name.clone(),
        locale: customer.locale,
        time_zone: customer.time_zone.clone(),
        job: job.name.clone(),
        description: job.description.clone(),
        customer_revision: customer.revision.clone(),
        job_revision: job.revision.clone(),
        backup: job.backup.clone(),
        max_failures: job.max_failures,
        parallel_hosts: choice.parallel_hosts.max(1),
        batches: cut_batches(hosts.len(), &job.batch),
        delegates: delegates(customer, job)?,
        window: None,
        hosts: hosts.into_iter().map(planned_host).collect(),
        steps: plan_steps(job),
    })
}

fn chosen_hosts<'a>(customer: &'a Customer, job: &Job, wanted: &[String]) -> Result<Vec<&'a Host>, Refusal> {
    let mut names = BTreeSet::new();
    for name in wanted {
        let before = names.len();
        names.extend(customer.hosts.iter().filter(|host| matches_host(host, name)).map(|host| &host.name));
        let known = customer.hosts.iter().any(|host| matches_host(host, name));
        if names.len() == before && !known {
            return Err(Refusal::NoSuchHost { customer: customer.name.clone(), wanted: name.clone() });
        }
    }
    if wanted.is_empty() {
        names.extend(customer.windows.iter().filter(|window| window.job == job.name).flat_map(|window| &window.hosts));
    }
    if names.is_empty() {
        return Err(Refusal::NoHostsNamed { customer: customer.name.clone(), job: job.name.clone() });
    }
    Ok(customer.hosts.iter().filter(|host| names.contains(&host.name)).collect())
}

fn matches_host(host: &Host, wanted: &str) -> bool {
    match wanted.strip_prefix('@') {
        Some(group) => host.groups.iter().any(|name| name.as_str() == group),
        None => host.name.as_str() == wanted,
    }
}

fn delegates(customer: &Customer, job: &Job) -> Result<Vec<PlannedHost>, Refusal> {
    let mut found = BTreeMap::new();
    for step in &job.steps {
        let Place::Delegate(name) = &step.place else { continue };
        let host = customer.hosts.iter().find(|host| host.name == *name).ok_or_else(|| Refusal::NoSuchDelegate {
            customer: customer.name.clone(),
            step: step.name.clone(),
            delegate: name.clone(),
        })?;
        found.insert(name, planned_host(host));
    }
    Ok(found.into_values().collect())
}

fn planned_host(host: &Host) -> PlannedHost {
    PlannedHost {
        name: host.name.clone(),
        connection: host.connection.clone(),
        vars: host.vars.clone(),
        estimate_s: None,
    }
}

/// Cuts `total` hosts into batches; the last size repeats until every host is taken.
fn cut_batches(total: usize, sizes: &[BatchSize]) -> Vec<Vec<HostIndex>> {
    let mut batches = Vec::new();
    let mut taken = 0;
    let mut sizes = sizes.iter();
    let mut size = total;
    while taken < total {
        if let Some(next) = sizes.next() {
            size = match *next {
                BatchSize::Count(count) => count as usize,
                BatchSize::Percent(percent) => (total * percent as usize).div_ceil(100),
            }
            .max(1);
        }
        let end = taken.saturating_add(size).min(total);
        batches.push((taken..end).map(HostIndex).collect());
        taken = end;
    }
    batches
}

/// Lays the steps out in the order in which they run, so that carrying them out needs no decision but "did it succeed".
fn plan_steps(job: &Job) -> Vec<PlannedStep> {
    let mut layout = Layout { steps: Vec::new(), undo: Vec::new(), rollback: Vec::new() };
    let mut verifications = Vec::new();
    let updates = job.steps.iter().any(|step| step.phase == Phase::Update);
    for phase in [Phase::Preflight, Phase::Quiesce, Phase::Backup, Phase::Update, Phase::Smoke] {
        if phase == Phase::Update && updates && job.backup == BackupRule::Required {
            layout.add_rechecks(&verifications);
        }
        for step in job.steps.iter().filter(|step| step.phase == phase) {
            verifications.extend(layout.add_forward(step));
        }
    }
    layout.finish()
}

struct Layout<'a> {
    steps: Vec<PlannedStep>,
    undo: Vec<(StepIndex, &'a Step, &'a str)>,
    rollback: Vec<(StepIndex, &'a Step, &'a str)>,
}

impl<'a> Layout<'a> {
    /// Adds a declared step and, for a backup, its verification, whose position is returned.
    fn add_forward(&mut self, step: &'a Step) -> Option<(StepIndex, &'a Step)> {
        let index = StepIndex(self.steps.len());
        let (task, parameters) = task_of(&step.action);
        self.steps.push(PlannedStep { parameters, ..planned(step, step.phase, Part::Run, task) });
        self.undo.extend(step.undo.as_deref().map(|text| (index, step, text)));
        self.rollback.extend(step.rollback.as_deref().map(|text| (index, step, text)));
        let verify = step.verify.as_ref()?;
        let position = StepIndex(self.steps.len());
        let parameters = BTreeMap::from([
            ("TURNUS_VERIFY".to_owned(), verify.clone()),
            ("TURNUS_BACKUP_STEP".to_owned(), index.0.to_string()),
        ]);
        let proof = planned(step, step.phase, Part::Verify(index), Task::Script(PROVE_BACKUP.to_owned()));
        self.steps.push(PlannedStep { parameters, ..proof });
        Some((position, step))
    }

    fn add_rechecks(&mut self, verifications: &[(StepIndex, &Step)]) {
        for (verification, step) in verifications {
            let task = Task::Script(RECHECK_BACKUP.to_owned());
            self.steps.push(planned(step, Phase::Backup, Part::Recheck(*verification), task));
        }
    }

    fn finish(mut self) -> Vec<PlannedStep> {
        for (of, step, text) in self.rollback.into_iter().rev() {
            self.steps.push(planned(step, Phase::Rollback, Part::Rollback(of), Task::Script(text.to_owned())));
        }
        for (of, step, text) in self.undo.into_iter().rev() {
            self.steps.push(planned(step, Phase::Release, Part::Undo(of), Task::Script(text.to_owned())));
        }
        self.steps
    }
}

fn planned(step: &Step, phase: Phase, part: Part, task: Task) -> PlannedStep {
    PlannedStep {
        phase,
        name: step.name.clone(),
        part,
        place: step.place.clone(),
        task,
        parameters: BTreeMap::new(),
        timeout_s: step.timeout_s,
        secrets: step.secrets.clone(),
    }
}

fn task_of(action: &Action) -> (Task, BTreeMap<String, String>) {
    match action {
        Action::Script(text) => (Task::Script(text.clone()), BTreeMap::new()),
        Action::DiskFree { path, at_least_bytes } => {
            let parameters = BTreeMap::from([
                ("TURNUS_PATH".to_owned(), path.clone()),
                ("TURNUS_AT_LEAST_KIB".to_owned(), at_least_bytes.div_ceil(1024).to_string()),
            ]);
            (Task::Script(CHECK_DISK_FREE.to_owned()), parameters)
        }
        Action::Probe(probe) => (Task::Probe(probe.clone()), BTreeMap::new()),
        Action::Reboot { within_s } => (Task::Reboot { within_s: *within_s }, BTreeMap::new()),
    }
}
