//! Makes the plan out of customer, job and chosen hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::{HostIndex, Part, Plan, PlannedHost, PlannedStep, StepIndex, Task};
use crate::domain::id::Name;
use crate::domain::inventory::{Customer, Host};
use crate::domain::job::{Action, BackupRule, BatchSize, Job, PackagesAction, Phase, Place, Rollback, Step};
use crate::domain::packages::script;

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
        watch_after_s: job.watch_after_s,
        batches: cut_batches(hosts.len(), &job.batch),
        delegates: delegates(customer, job, &hosts)?,
        window: None,
        approval: None,
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

/// The hosts on which steps run, and those from which the probes of `hosts` look.
fn delegates(customer: &Customer, job: &Job, hosts: &[&Host]) -> Result<Vec<PlannedHost>, Refusal> {
    let named = |name: &Name| customer.hosts.iter().find(|host| host.name == *name);
    let asks_hosts = job.steps.iter().any(|step| step.action == Action::HostProbes);
    let probes = hosts.iter().flat_map(|host| &host.probes).filter(|probe| asks_hosts || probe.watch.is_some());
    let lookouts = probes.filter_map(|probe| named(probe.from.as_ref()?));
    let mut found: BTreeMap<_, _> = lookouts.map(|host| (&host.name, planned_host(host))).collect();
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
        probes: host.probes.clone(),
        capacity: host.capacity.clone(),
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
    let mut layout = Layout::default();
    let mut verifications = Vec::new();
    let of_phase = |phase| job.steps.iter().filter(move |step| step.phase == phase);
    let updates = of_phase(Phase::Update).next().is_some();
    for phase in [Phase::Preflight, Phase::Quiesce, Phase::Backup, Phase::Update, Phase::Smoke] {
        if phase == Phase::Update && updates && job.backup == BackupRule::Required {
            layout.add_rechecks(&verifications);
        }
        for step in of_phase(phase) {
            verifications.extend(layout.add_forward(step));
        }
        match phase {
            Phase::Preflight => {
                of_phase(Phase::Update).for_each(|step| layout.add_look(step));
                of_phase(Phase::Smoke).for_each(|step| layout.add_before(step));
            }
            Phase::Backup => of_phase(Phase::Update).for_each(|step| layout.add_keep(step)),
            _ => {}
        }
    }
    layout.finish()
}

#[derive(Default)]
struct Layout<'a> {
    steps: Vec<PlannedStep>,
    /// For each step that installs packages, by its name, the position of its look.
    looks: BTreeMap<&'a str, StepIndex>,
    /// For each step that asks the hosts' probes, by its name, the position of the step that asks them before.
    befores: BTreeMap<&'a str, StepIndex>,
    undo: Vec<(StepIndex, &'a Step, &'a str)>,
    rollback: Vec<(StepIndex, &'a Step, &'a Rollback)>,
    /// The steps that install packages.
    installs: Vec<(StepIndex, &'a Step)>,
}

impl<'a> Layout<'a> {
    /// Adds a declared step and, for a backup, its verification, whose position is returned.
    fn add_forward(&mut self, step: &'a Step) -> Option<(StepIndex, &'a Step)> {
        let index = StepIndex(self.steps.len());
        let (mut task, parameters) = task_of(&step.action);
        if let Task::HostProbes { before } = &mut task {
            *before = self.befores.get(step.name.as_str()).copied();
        }
        let chosen_by = self.looks.get(step.name.as_str()).copied();
        self.steps.push(PlannedStep { parameters, chosen_by, ..planned(step, step.phase, Part::Run, task) });
        self.installs.extend(chosen_by.map(|_| (index, step)));
        self.undo.extend(step.undo.as_deref().map(|text| (index, step, text)));
        self.rollback.extend(step.rollback.as_ref().map(|rollback| (index, step, rollback)));
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

    /// A step that installs packages looks at them before anything is touched.
    fn add_look(&mut self, step: &'a Step) {
        let Action::Packages(PackagesAction { which, drift, lock_wait_s, .. }) = step.action else { return };
        self.looks.insert(&step.name, StepIndex(self.steps.len()));
        let task = Task::Look { which, drift, lock_wait_s };
        self.steps.push(planned(step, Phase::Preflight, Part::Look, task));
    }

    /// A service that is out of order before anything was done is not blamed on the update.
    fn add_before(&mut self, step: &'a Step) {
        if step.action == Action::HostProbes {
            self.befores.insert(&step.name, StepIndex(self.steps.len()));
            self.steps.push(planned(step, Phase::Preflight, Part::Before, Task::HostProbes { before: None }));
        }
    }

    /// What `rollback = "packages"` will want is fetched while it is still to be had.
    fn add_keep(&mut self, step: &'a Step) {
        let Some(chosen_by) = self.looks.get(step.name.as_str()).copied() else { return };
        if step.rollback == Some(Rollback::Packages) {
            let keep = planned(step, Phase::Backup, Part::Keep, Task::Script(script::keep()));
            self.steps.push(PlannedStep { chosen_by: Some(chosen_by), ..keep });
        }
    }

    fn finish(mut self) -> Vec<PlannedStep> {
        for (of, step, rollback) in self.rollback.into_iter().rev() {
            let (text, chosen_by) = match rollback {
                Rollback::Script(text) => (text.clone(), None),
                Rollback::Packages => (script::restore(), self.looks.get(step.name.as_str()).copied()),
            };
            let taken_back = planned(step, Phase::Rollback, Part::Rollback(of), Task::Script(text));
            self.steps.push(PlannedStep { chosen_by, ..taken_back });
        }
        for (of, step, text) in self.undo.into_iter().rev() {
            self.steps.push(planned(step, Phase::Release, Part::Undo(of), Task::Script(text.to_owned())));
        }
        for (of, step) in self.installs {
            if let Some(look) = self.looks.get(step.name.as_str()).copied() {
                self.steps.push(planned(step, Phase::Release, Part::Account(of), Task::Account { look }));
            }
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
        chosen_by: None,
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
        Action::HostProbes => (Task::HostProbes { before: None }, BTreeMap::new()),
        Action::Packages(packages) => {
            let parameters = BTreeMap::from([
                ("TURNUS_CONFFILES".to_owned(), packages.conffiles.as_str().to_owned()),
                ("TURNUS_LOCK_WAIT_S".to_owned(), packages.lock_wait_s.to_string()),
            ]);
            (Task::Script(script::install()), parameters)
        }
        Action::Reboot { within_s } => (Task::Reboot { within_s: *within_s }, BTreeMap::new()),
    }
}
