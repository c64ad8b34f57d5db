//! Reports of runs that never were.

use jiff::Timestamp;

use super::{Scene, later, name};
use crate::domain::id::{ContentHash, Name, RunId};
use crate::domain::job::{Phase, Place};
use crate::domain::plan::StepIndex;
use crate::domain::report::host::{
    Annex, BackupProof, HostOutcome, HostReport, Interruption, OutcomeKind, PhaseReport, PhaseState,
};
use crate::domain::report::open_point::OpenPoint;
use crate::domain::report::packages::PackageCounts;
use crate::domain::report::step::{Cause, StepReference, StepState};
use crate::domain::report::{BackupPromise, Counts, Report, WindowReport};
use crate::domain::run::event::RunState;

/// Phases of a host that comes out well, with their lengths in seconds.
const COURSE: [(Phase, i64); 6] = [
    (Phase::Preflight, 8),
    (Phase::Quiesce, 6),
    (Phase::Backup, 283),
    (Phase::Update, 95),
    (Phase::Smoke, 34),
    (Phase::Release, 7),
];

/// Every host was updated.
pub(super) fn succeeded(scene: &Scene) -> Report {
    let hosts = hosts(scene, |_| OutcomeKind::Updated);
    let packages = PackageCounts { installed: 42, security: 7, not_installed: 0 };
    Report { packages: Some(packages), ..report(scene, RunState::Succeeded, hosts, Vec::new()) }
}

/// There was nothing to do anywhere.
pub(super) fn nothing_to_do(scene: &Scene) -> Report {
    report(scene, RunState::Succeeded, hosts(scene, |_| OutcomeKind::NothingToDo), Vec::new())
}

/// The last host failed, and was brought back.
pub(super) fn failed(scene: &Scene) -> Report {
    let last = scene.date.hosts.len().saturating_sub(1);
    let kind = |index: usize| if index == last { OutcomeKind::FailedAndRolledBack } else { OutcomeKind::Updated };
    let hosts = hosts(scene, kind);
    let outstanding =
        hosts.last().map(|host| OpenPoint::MaintenanceOutstanding { host: host.name.clone(), step: tested() });
    report(scene, RunState::Failed, hosts, outstanding.into_iter().collect())
}

/// The other ways in which a run can end.
pub(super) fn endings(scene: &Scene) -> Vec<Report> {
    let host = || scene.date.hosts.first().cloned().unwrap_or_else(|| name("server"));
    let of =
        |kind: OutcomeKind, points: Vec<OpenPoint>| report(scene, RunState::Failed, hosts(scene, |_| kind), points);
    let not_released = |state| vec![OpenPoint::NotReleased { host: host(), step: stopped(), state }];
    let mut untouched = of(OutcomeKind::Unreachable, vec![OpenPoint::HostUnreachable { host: host() }]);
    for host in &mut untouched.hosts {
        host.interruption = None;
        host.phases.clear();
    }
    let unknown =
        OpenPoint::HostUnknown { host: host(), step: Some(tested()), commands: vec!["turnus resume 7".to_owned()] };
    vec![
        of(OutcomeKind::Failed, not_released(StepState::Failed)),
        of(OutcomeKind::Failed, not_released(StepState::Unknown)),
        untouched,
        report(scene, RunState::Suspended, hosts(scene, |_| OutcomeKind::Unknown), vec![unknown]),
        report(scene, RunState::Cancelled, hosts(scene, |_| OutcomeKind::Cancelled), Vec::new()),
    ]
}

fn report(scene: &Scene, state: RunState, hosts: Vec<HostReport>, open_points: Vec<OpenPoint>) -> Report {
    let finished_at = hosts.iter().filter_map(|host| host.finished_at).max();
    let started_at = scene.date.opens_at;
    Report {
        format_version: 1,
        run_number: 7,
        run_id: RunId(uuid::Uuid::from_u128(0x0195_d7f0_0000_7000_8000_0000_0000_0007)),
        customer: scene.customer.clone(),
        customer_name: scene.customer_name.clone(),
        locale: scene.locale,
        time_zone: scene.time_zone.clone(),
        job: name("sample"),
        description: scene.date.description.clone(),
        plan_hash: ContentHash::of(b"plan"),
        customer_revision: ContentHash::of(b"inventory"),
        job_revision: ContentHash::of(b"job"),
        backup: BackupPromise::Required,
        approval: None,
        packages: None,
        started_by: "turnus".to_owned(),
        reason: None,
        controllers: vec!["turnus".to_owned()],
        cancelled_by: None,
        window: Some(WindowReport {
            name: scene.date.window.clone(),
            opens_at: scene.date.opens_at,
            latest_start_at: scene.date.closes_at,
            closes_at: scene.date.closes_at,
            overrun_ms: None,
        }),
        started_at: Some(started_at),
        finished_at,
        recorded_until: finished_at,
        duration_ms: finished_at.map(|end| milliseconds(started_at, end)),
        state,
        worst_outcome: hosts.iter().map(|host| host.outcome.kind).max(),
        counts: counts(&hosts),
        quiet_dates: Vec::new(),
        open_points,
        hosts,
        acceptance: None,
        capacity: Vec::new(),
        next: None,
    }
}

fn counts(hosts: &[HostReport]) -> Counts {
    let of = |kind: OutcomeKind| hosts.iter().filter(|host| host.outcome.kind == kind).count();
    Counts {
        hosts: hosts.len(),
        updated: of(OutcomeKind::Updated),
        nothing_to_do: of(OutcomeKind::NothingToDo),
        cancelled: of(OutcomeKind::Cancelled),
        unreachable: of(OutcomeKind::Unreachable),
        failed_and_rolled_back: of(OutcomeKind::FailedAndRolledBack),
        failed: of(OutcomeKind::Failed),
        unknown: of(OutcomeKind::Unknown),
        ..Counts::default()
    }
}

/// One after the other.
fn hosts(scene: &Scene, kind: impl Fn(usize) -> OutcomeKind) -> Vec<HostReport> {
    let mut from = scene.date.opens_at;
    let hosts = scene.date.hosts.iter().enumerate().map(|(index, name)| {
        let report = host(name, index + 1, kind(index), from);
        from = report.finished_at.unwrap_or(from);
        report
    });
    hosts.collect()
}

fn host(name: &Name, batch: usize, kind: OutcomeKind, started_at: Timestamp) -> HostReport {
    let phases = phases(kind, started_at);
    let finished_at = phases.last().and_then(|phase| phase.to).unwrap_or(started_at);
    let start_of = |wanted: Phase| phases.iter().find(|phase| phase.phase == wanted).map(|phase| phase.from);
    let (stopped_at, backup_at) = (start_of(Phase::Quiesce), start_of(Phase::Update));
    let well = matches!(kind, OutcomeKind::Updated | OutcomeKind::NothingToDo);
    HostReport {
        name: name.clone(),
        batch,
        outcome: HostOutcome { kind, step: (!well).then(tested), cause: cause(kind) },
        started_at: Some(started_at),
        finished_at: Some(finished_at),
        duration_ms: Some(milliseconds(started_at, finished_at)),
        interruption: stopped_at.map(|from| Interruption {
            from,
            to: Some(finished_at),
            duration_ms: Some(milliseconds(from, finished_at)),
        }),
        restarts: Vec::new(),
        changes: Vec::new(),
        packages: Vec::new(),
        probes: Vec::new(),
        watches: Vec::new(),
        backups: backup_at.into_iter().map(|verified_at| proof(name, verified_at)).collect(),
        point_of_no_return: None,
        rolled_back: Vec::new(),
        released: Vec::new(),
        steps: Vec::new(),
        annex: Annex::default(),
        phases,
    }
}

fn phases(kind: OutcomeKind, started_at: Timestamp) -> Vec<PhaseReport> {
    let fails = kind == OutcomeKind::FailedAndRolledBack;
    let course = COURSE.iter().copied().flat_map(|(phase, length_s)| {
        let rollback = (phase == Phase::Smoke && fails).then_some((Phase::Rollback, 80));
        std::iter::once((phase, length_s)).chain(rollback)
    });
    let mut from = started_at;
    let phases = course.map(|(phase, length_s)| {
        let to = later(from, length_s);
        let state = if fails && phase == Phase::Smoke { PhaseState::Failed } else { PhaseState::Succeeded };
        let report = PhaseReport { phase, from, to: Some(to), duration_ms: Some(milliseconds(from, to)), state };
        from = to;
        report
    });
    phases.collect()
}

fn cause(kind: OutcomeKind) -> Option<Cause> {
    match kind {
        OutcomeKind::Updated | OutcomeKind::NothingToDo => None,
        OutcomeKind::Unreachable => Some(Cause::Unreachable),
        OutcomeKind::Cancelled => Some(Cause::Cancelled),
        OutcomeKind::Unknown => Some(Cause::NotKnown),
        _ => Some(Cause::NotMet),
    }
}

fn proof(host: &Name, verified_at: Timestamp) -> BackupProof {
    BackupProof {
        step: reference(Phase::Backup, "archive data", "verify"),
        place: Place::Host,
        path: format!("/var/backups/{host}.tar"),
        bytes: Some(12_582_912),
        checksum: String::new(),
        verified_at,
        rechecked_at: None,
    }
}

fn tested() -> StepReference {
    reference(Phase::Smoke, "service answers", "run")
}

fn stopped() -> StepReference {
    reference(Phase::Quiesce, "stop service", "undo")
}

fn reference(phase: Phase, name: &str, part: &'static str) -> StepReference {
    StepReference { index: StepIndex(0), phase, name: name.to_owned(), part }
}

fn milliseconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}
