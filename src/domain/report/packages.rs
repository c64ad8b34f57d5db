//! What a run did to the packages of a host: what is in effect, what is not and why, and what is left to know.

use serde::Serialize;

use super::step::{HostRecord, StepReference};
use super::{clean, clean_facts};
use crate::domain::packages::account::{Account, NotInstalled};
use crate::domain::packages::choose::{Left, LeftCause, Look};
use crate::domain::packages::{Change, Held, Package, PackageManager, PackagesRecord};
use crate::domain::plan::{Part, StepIndex};
use crate::domain::run::event::Facts;
use crate::domain::run::state::StepRun;

/// What a step that installs packages did on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackagesReport {
    /// The step that installs.
    pub step: StepReference,
    /// The host's package manager.
    pub manager: PackageManager,
    /// Whether something was to be changed and it is not known what is installed now: then all of `chosen` is open.
    pub is_open: bool,
    /// What was to be done.
    pub chosen: Vec<Change>,
    /// What is in effect, as the host was seen after all.
    pub installed: Vec<Change>,
    /// What was to be done and is not in effect.
    pub not_installed: Vec<NotInstalled>,
    /// What was left out from the beginning, and why.
    pub left: Vec<Left>,
    /// What the host itself holds back.
    pub held: Vec<Held>,
    /// What became available while the run was under way.
    pub newly_available: Vec<Change>,
    /// Whether the host wants a restart; absent if it can't be told.
    pub reboot_needed: Option<bool>,
    /// Units that still run what has been replaced.
    pub stale_services: Vec<String>,
    /// Configuration files that had been changed on the host and have a new version in a package; the host names no more than 50.
    pub conffiles: Vec<String>,
    /// How many such files there are in all.
    pub conffile_count: usize,
    /// What became of them: `keep` or `replace`.
    pub conffile_policy: Option<String>,
    /// What can't be taken back, as the version of before is not to be had any more.
    pub without_way_back: Vec<Package>,
    /// What the team should know of the host's package manager.
    pub warnings: Vec<String>,
}

/// Packages of all hosts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PackageCounts {
    /// Changes in effect.
    pub installed: usize,
    /// Of these, for security.
    pub security: usize,
    /// Approved, or to be done, and not in effect.
    pub not_installed: usize,
}

impl PackageCounts {
    /// Adds up what hosts report; none if no host's packages were looked at.
    pub(super) fn of<'a>(reports: impl IntoIterator<Item = &'a PackagesReport>) -> Option<Self> {
        reports.into_iter().fold(None, |counts: Option<Self>, report| {
            let mut counts = counts.unwrap_or_default();
            counts.installed += report.installed.len();
            counts.security += report.installed.iter().filter(|change| change.security).count();
            counts.not_installed += report.outstanding();
            Some(counts)
        })
    }
}

impl PackagesReport {
    /// How many changes somebody wanted that are known not to be in effect.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        let wanted = |left: &&Left| !matches!(left.cause, LeftCause::NotApproved | LeftCause::Gone);
        self.not_installed.len() + self.left.iter().filter(wanted).count()
    }
}

/// One for each step that looked at the packages of the host.
pub(super) fn write(record: &HostRecord<'_>) -> Vec<PackagesReport> {
    record.begun().filter_map(|(index, _, step)| write_one(record, index, step)).collect()
}

fn write_one(record: &HostRecord<'_>, index: StepIndex, step: &StepRun) -> Option<PackagesReport> {
    let Some(PackagesRecord::Looked(look)) = step.result()?.packages.as_deref() else { return None };
    let installs =
        record.steps().find(|(_, planned, _)| planned.part == Part::Run && planned.chosen_by == Some(index))?;
    let (install, _, installing) = installs;
    let account = record.steps().find(|(_, planned, _)| planned.part == Part::Account(install));
    let account = account.and_then(|(_, _, step)| match step.result()?.packages.as_deref()? {
        PackagesRecord::Accounted(account) => Some(account),
        PackagesRecord::Looked(_) => None,
    });
    let facts = installing.result().map(|result| clean_facts(&result.facts)).unwrap_or_default();
    let has_begun = *installing != StepRun::Pending;
    Some(describe(record.reference(install)?, look, (account, has_begun), &facts))
}

fn describe(
    step: StepReference,
    look: &Look,
    (account, has_begun): (Option<&Account>, bool),
    facts: &Facts,
) -> PackagesReport {
    // Nothing was begun: all that was chosen is as it was.
    let untouched =
        || look.chosen.iter().map(|change| NotInstalled { change: change.clone(), now: change.from.clone() });
    let not_installed = match account {
        Some(account) => account.not_installed.clone(),
        None if has_begun => Vec::new(),
        None => untouched().collect(),
    };
    let conffiles: Vec<_> = (1..).map_while(|number| facts.get(&format!("conffile_{number}")).cloned()).collect();
    let conffile_count = facts.get("conffiles").and_then(|count| count.parse().ok()).unwrap_or_default();
    PackagesReport {
        step,
        manager: look.manager,
        is_open: has_begun && account.is_none() && !look.chosen.is_empty(),
        chosen: look.chosen.iter().map(clean_change).collect(),
        installed: account.map(|account| account.installed.iter().map(clean_change).collect()).unwrap_or_default(),
        not_installed: not_installed.iter().map(clean_not_installed).collect(),
        left: look.left.iter().map(clean_left).collect(),
        held: look.held.iter().map(clean_held).collect(),
        newly_available: account
            .map(|account| account.newly_available.iter().map(clean_change).collect())
            .unwrap_or_default(),
        reboot_needed: account.and_then(|account| account.reboot_needed),
        stale_services: account.map(|account| clean_all(&account.stale_services)).unwrap_or_default(),
        conffile_count: conffiles.len().max(conffile_count),
        conffiles,
        conffile_policy: facts.get("conffile_policy").cloned(),
        without_way_back: look.without_way_back.iter().map(clean_package).collect(),
        warnings: clean_all(&look.warnings),
    }
}

fn clean_all(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| clean(text)).collect()
}

fn clean_package(package: &Package) -> Package {
    Package { name: clean(&package.name), architecture: clean(&package.architecture) }
}

fn clean_change(change: &Change) -> Change {
    Change {
        package: clean_package(&change.package),
        from: change.from.as_deref().map(clean),
        to: change.to.as_deref().map(clean),
        repository: change.repository.as_deref().map(clean),
        ..*change
    }
}

fn clean_not_installed(missing: &NotInstalled) -> NotInstalled {
    NotInstalled { change: clean_change(&missing.change), now: missing.now.as_deref().map(clean) }
}

fn clean_left(left: &Left) -> Left {
    let cause = match &left.cause {
        LeftCause::Replaced { by } => LeftCause::Replaced { by: clean_change(by) },
        LeftCause::OtherRepository { repository } => LeftCause::OtherRepository { repository: clean(repository) },
        LeftCause::Needs { others } => LeftCause::Needs { others: others.iter().map(clean_change).collect() },
        cause @ (LeftCause::NotApproved | LeftCause::Gone | LeftCause::Refused) => cause.clone(),
    };
    Left { change: clean_change(&left.change), cause }
}

fn clean_held(held: &Held) -> Held {
    Held {
        package: clean_package(&held.package),
        installed: clean(&held.installed),
        candidate: held.candidate.as_deref().map(clean),
        cause: held.cause,
    }
}
