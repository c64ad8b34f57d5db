//! What a run leaves for somebody to do or to know.

use serde::Serialize;

use super::host::{HostReport, OutcomeKind};
use super::packages::PackagesReport;
use super::step::{Cause, StepReference, StepReport, StepState};
use super::{RunRecord, clean};
use crate::domain::id::Name;
use crate::domain::job::{BackupRule, Phase};
use crate::domain::notification::Kind;
use crate::domain::plan::{Part, Plan, StepIndex};
use crate::domain::run::event::RunState;

/// Something that is left, the most urgent kind first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OpenPoint {
    /// It can't be told how a step ended; somebody has to look.
    HostUnknown {
        /// Which host.
        host: Name,
        /// Which step.
        step: Option<StepReference>,
        /// How to go on; empty unless the run is suspended.
        commands: Vec<String>,
    },
    /// What a step stopped was not started again.
    NotReleased {
        /// Which host.
        host: Name,
        /// The step whose undo did not end well.
        step: StepReference,
        /// How the undo went: failed or unknown.
        state: StepState,
    },
    /// An update step that has a rollback was not taken back.
    NotRolledBack {
        /// Which host.
        host: Name,
        /// The update step.
        step: StepReference,
        /// How the rollback went: failed or not run.
        state: StepState,
    },
    /// Something failed after an update step that can't be taken back had begun.
    CannotBeRolledBack {
        /// Which host.
        host: Name,
        /// The update step.
        step: StepReference,
    },
    /// turnus lost sight of the host during a step, and did not run the steps after it.
    LostSight {
        /// Which host.
        host: Name,
        /// During which step.
        step: StepReference,
    },
    /// A step is over its time limit and is waited for.
    StepOverdue {
        /// Which host.
        host: Name,
        /// Which step.
        step: StepReference,
    },
    /// A watched service was not seen to be back.
    ServiceNotBack {
        /// Which host.
        host: Name,
        /// The probe's name.
        service: String,
    },
    /// The maintenance of the host has to be made up for: it failed before anything was changed, or was taken back.
    MaintenanceOutstanding {
        /// Which host.
        host: Name,
        /// The step that failed.
        step: StepReference,
    },
    /// The run was cancelled before the host was through.
    CutShort {
        /// Which host.
        host: Name,
        /// The first step that was not run.
        step: StepReference,
    },
    /// The host could not be reached.
    HostUnreachable {
        /// Which host.
        host: Name,
    },
    /// The host was left out.
    HostSkipped {
        /// Which host.
        host: Name,
        /// Why.
        cause: Cause,
    },
    /// What would be installed is not what was approved any more: it has to be reviewed again.
    ReviewAgain {
        /// Which host.
        host: Name,
    },
    /// It is not known which packages are installed.
    PackagesNotKnown {
        /// Which host.
        host: Name,
    },
    /// Approved packages were not installed.
    PackagesOutstanding {
        /// Which host.
        host: Name,
        /// How many.
        count: usize,
    },
    /// The host has to be restarted for its updates to take effect.
    RebootNeeded {
        /// Which host.
        host: Name,
    },
    /// Services still run what was replaced; they have to be restarted.
    StaleServices {
        /// Which host.
        host: Name,
        /// Which.
        services: Vec<String>,
    },
    /// Messages to a customer's address could not be delivered.
    MessageUndelivered {
        /// The address.
        recipient: String,
        /// What the message was.
        message: Kind,
    },
    /// The job declares that there is no backup.
    NoBackup {
        /// Why not.
        reason: String,
    },
}

impl OpenPoint {
    fn urgency(&self) -> u8 {
        match self {
            Self::HostUnknown { .. } => 0,
            Self::NotReleased { .. } => 1,
            Self::NotRolledBack { .. } => 2,
            Self::CannotBeRolledBack { .. } => 3,
            Self::LostSight { .. } => 4,
            Self::StepOverdue { .. } => 5,
            Self::ServiceNotBack { .. } => 4,
            Self::MaintenanceOutstanding { .. } => 6,
            Self::CutShort { .. } => 7,
            Self::HostUnreachable { .. } => 8,
            Self::HostSkipped { .. } => 9,
            Self::PackagesNotKnown { .. } => 7,
            Self::ReviewAgain { .. } => 10,
            Self::PackagesOutstanding { .. } => 11,
            Self::RebootNeeded { .. } => 12,
            Self::StaleServices { .. } => 13,
            Self::MessageUndelivered { .. } => 14,
            Self::NoBackup { .. } => 15,
        }
    }
}

/// Collects what is left, the most urgent first; of the same urgency in the order of the hosts.
pub(super) fn collect(record: &RunRecord<'_>, state: RunState, hosts: &[HostReport]) -> Vec<OpenPoint> {
    let plan = record.run.plan();
    let mut points: Vec<_> = hosts
        .iter()
        .flat_map(|host| {
            let by_outcome = by_outcome(plan, host, || commands(record.number, state));
            by_outcome
                .into_iter()
                .chain(not_released(plan, host))
                .chain(not_rolled_back(plan, host))
                .chain(overdue(host))
                .chain(not_back(host))
                .chain(host.packages.iter().flat_map(|packages| packages_left(host, packages)))
        })
        .collect();
    let undelivered = record.meanwhile.undelivered.iter();
    points.extend(
        undelivered
            .map(|lost| OpenPoint::MessageUndelivered { recipient: clean(&lost.recipient), message: lost.message }),
    );
    if let BackupRule::None { reason } = &plan.backup {
        points.push(OpenPoint::NoBackup { reason: clean(reason) });
    }
    points.sort_by_key(OpenPoint::urgency);
    points
}

fn commands(number: i64, state: RunState) -> Vec<String> {
    match state {
        RunState::Suspended => vec![format!("turnus resume {number}"), format!("turnus cancel {number}")],
        _ => Vec::new(),
    }
}

/// The point that the host's outcome itself makes.
fn by_outcome(plan: &Plan, host: &HostReport, commands: impl FnOnce() -> Vec<String>) -> Option<OpenPoint> {
    let name = host.name.clone();
    let step = host.outcome.step.clone();
    match (host.outcome.kind, host.outcome.cause) {
        (OutcomeKind::Unknown, _) => Some(OpenPoint::HostUnknown { host: name, step, commands: commands() }),
        (OutcomeKind::Unreachable, _) => Some(OpenPoint::HostUnreachable { host: name }),
        (OutcomeKind::Skipped, Some(Cause::HeldBack)) => Some(OpenPoint::ReviewAgain { host: name }),
        (OutcomeKind::Skipped, cause) => Some(OpenPoint::HostSkipped { host: name, cause: cause? }),
        (OutcomeKind::Cancelled, _) => Some(OpenPoint::CutShort { host: name, step: step? }),
        (OutcomeKind::FailedAndRolledBack, _) => Some(OpenPoint::MaintenanceOutstanding { host: name, step: step? }),
        (OutcomeKind::Failed, Some(Cause::LostSight)) => Some(OpenPoint::LostSight { host: name, step: step? }),
        (OutcomeKind::Failed, _) if step.as_ref()?.phase == Phase::Release => {
            let first_left_out = forward(plan, host).find(|step| step.state == StepState::NotRun)?;
            Some(OpenPoint::CutShort { host: name, step: first_left_out.step.clone() })
        }
        (OutcomeKind::Failed, _) if begun_updates(host).next().is_none() => {
            Some(OpenPoint::MaintenanceOutstanding { host: name, step: step? })
        }
        _ => None,
    }
}

fn not_released(plan: &Plan, host: &HostReport) -> Vec<OpenPoint> {
    let point = |undo: &StepReport| {
        let Part::Undo(of) = part(plan, undo)? else { return None };
        let stopped = begun(host, of)?;
        let left = matches!(undo.state, StepState::Failed | StepState::Unknown);
        left.then(|| OpenPoint::NotReleased { host: host.name.clone(), step: stopped.step.clone(), state: undo.state })
    };
    host.steps.iter().filter_map(point).collect()
}

/// Updates that are not back where they were: their rollback failed, or the host failed on its way forward and there was none.
/// A rollback that can't be told is what makes the host unknown.
fn not_rolled_back(plan: &Plan, host: &HostReport) -> Vec<OpenPoint> {
    let failed_forward = host.outcome.kind == OutcomeKind::Failed
        && host.outcome.step.as_ref().is_some_and(|step| !matches!(step.phase, Phase::Rollback | Phase::Release));
    let point = |update: &StepReport| {
        let rollback = host.steps.iter().find(|step| part(plan, step) == Some(Part::Rollback(update.step.index)));
        let (host, step) = (host.name.clone(), update.step.clone());
        match rollback.map(|rollback| rollback.state) {
            Some(state @ StepState::Failed) => Some(OpenPoint::NotRolledBack { host, step, state }),
            Some(state @ StepState::NotRun) if failed_forward => Some(OpenPoint::NotRolledBack { host, step, state }),
            None if failed_forward => Some(OpenPoint::CannotBeRolledBack { host, step }),
            _ => None,
        }
    };
    begun_updates(host).filter_map(point).collect()
}

fn overdue(host: &HostReport) -> impl Iterator<Item = OpenPoint> {
    let overdue = host.steps.iter().filter(|step| step.state == StepState::Overdue);
    overdue.map(|step| OpenPoint::StepOverdue { host: host.name.clone(), step: step.step.clone() })
}

/// While the host is in work its services may well be away.
fn not_back(host: &HostReport) -> impl Iterator<Item = OpenPoint> {
    let is_over = host.outcome.kind != OutcomeKind::InWork;
    let watches = host.watches.iter().filter(move |watch| is_over && watch.is_down_at_the_end());
    watches.map(|watch| OpenPoint::ServiceNotBack { host: host.name.clone(), service: watch.name.clone() })
}

/// What is left of a host's packages. Of a host that was held back, and of one that can't be told, the outcome says it already.
fn packages_left(host: &HostReport, packages: &PackagesReport) -> Vec<OpenPoint> {
    let name = || host.name.clone();
    let is_told = matches!(host.outcome.kind, OutcomeKind::Skipped | OutcomeKind::InWork | OutcomeKind::Unknown);
    // What failed or was taken back has to be made up for as a whole.
    let is_through = matches!(host.outcome.kind, OutcomeKind::Updated | OutcomeKind::NothingToDo);
    let count = packages.outstanding();
    let services = packages.stale_services.clone();
    let points = [
        (packages.is_open && !is_told).then(|| OpenPoint::PackagesNotKnown { host: name() }),
        (is_through && count > 0).then(|| OpenPoint::PackagesOutstanding { host: name(), count }),
        (packages.reboot_needed == Some(true)).then(|| OpenPoint::RebootNeeded { host: name() }),
        (!services.is_empty()).then(|| OpenPoint::StaleServices { host: name(), services }),
    ];
    points.into_iter().flatten().collect()
}

fn begun_updates(host: &HostReport) -> impl Iterator<Item = &StepReport> {
    host.steps.iter().filter(|step| step.step.phase == Phase::Update && step.started_at.is_some())
}

fn begun(host: &HostReport, index: StepIndex) -> Option<&StepReport> {
    host.steps.get(index.0).filter(|step| step.started_at.is_some())
}

fn part(plan: &Plan, step: &StepReport) -> Option<Part> {
    plan.steps.get(step.step.index.0).map(|planned| planned.part)
}

fn forward<'a>(plan: &Plan, host: &'a HostReport) -> impl Iterator<Item = &'a StepReport> {
    plan.steps.iter().zip(&host.steps).filter(|(planned, _)| planned.is_forward()).map(|(_, step)| step)
}
