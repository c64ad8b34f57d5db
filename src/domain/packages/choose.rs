//! Which of the pending changes a run makes: those that were approved, as far as they are still to be had as they were approved.
//!
//! Knows the approved and the fresh list; does not know who approved. Invariant: what is chosen was approved, in that version and
//! from that repository (G4).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Change, ChangeKind, Held, PackageManager, Survey};

/// What a run may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approved<'a> {
    /// Whatever is pending: only for runs by hand.
    All,
    /// These changes.
    These(&'a [Change]),
}

/// What becomes of a host whose list is not the approved one any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftPolicy {
    /// It is held back as a whole.
    Hold,
    /// What was approved is installed where that is possible without anything that was not; else the host is held back.
    #[default]
    InstallApprovedOnly,
}

/// A change that is not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Which; as it was approved, if it was.
    pub change: Change,
    /// Why not.
    pub cause: LeftCause,
}

/// Why a change is not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum LeftCause {
    /// Nobody approved it.
    NotApproved,
    /// It was approved, and is not pending any more: done meanwhile, or withdrawn.
    Gone,
    /// Another version has taken the place of the approved one, or the package would now be treated otherwise.
    Replaced {
        /// What would happen now.
        by: Change,
    },
    /// The approved version now comes from somewhere else.
    OtherRepository {
        /// From where.
        repository: String,
    },
    /// It can't be had without something that was not approved.
    Needs {
        /// What that is.
        others: Vec<Change>,
    },
    /// The package manager would not make this change.
    Refused,
}

impl LeftCause {
    /// Whether the host's list has become another than the approved one.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        matches!(self, Self::Replaced { .. } | Self::OtherRepository { .. } | Self::Needs { .. } | Self::Refused)
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, cause } = self;
        match cause {
            LeftCause::NotApproved => write!(f, "{change}: not approved"),
            LeftCause::Gone => write!(f, "{change}: not pending any more"),
            LeftCause::Replaced { by } => write!(f, "{change}: now it would be {by}"),
            LeftCause::OtherRepository { repository } => write!(f, "{change}: now it comes from {repository}"),
            LeftCause::Needs { others } => {
                let others: Vec<_> = others.iter().map(ToString::to_string).collect();
                write!(f, "{change}: needs what was not approved ({})", others.join(", "))
            }
            LeftCause::Refused => write!(f, "{change}: the package manager does not offer it any more"),
        }
    }
}

/// What a run is going to do to the packages of a host, decided before anything is touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The host's package manager.
    pub manager: PackageManager,
    /// What will be changed, sorted.
    pub chosen: Vec<Change>,
    /// What will not, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
    /// What the host itself holds back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// Checksum of what the package manager says that it would do; the host compares it right before it does it.
    pub transaction: String,
    /// Chosen packages whose old version can't be had again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_way_back: Vec<super::Package>,
    /// What the team should know of the host's package manager.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Divides what is pending, and what was approved, into what is to be done and what is left.
#[must_use]
pub fn choose(survey: &Survey, approved: Approved<'_>) -> (Vec<Change>, Vec<Left>) {
    let Approved::These(approved) = approved else { return (survey.pending.clone(), Vec::new()) };
    let (mut chosen, mut left) = (Vec::new(), Vec::new());
    for wanted in approved {
        match survey.pending.iter().find(|pending| pending.package == wanted.package) {
            None => left.push(Left { change: wanted.clone(), cause: LeftCause::Gone }),
            Some(pending) => match difference(wanted, pending) {
                None => chosen.push(pending.clone()),
                Some(cause) => left.push(Left { change: wanted.clone(), cause }),
            },
        }
    }
    let is_approved = |pending: &&Change| approved.iter().any(|wanted| wanted.package == pending.package);
    let others = survey.pending.iter().filter(|pending| !is_approved(pending));
    left.extend(others.map(|change| Left { change: change.clone(), cause: LeftCause::NotApproved }));
    (chosen, left)
}

/// What is pending for a package may be another change than the one that was approved.
fn difference(wanted: &Change, pending: &Change) -> Option<LeftCause> {
    if !wanted.does_the_same_as(pending) {
        return Some(LeftCause::Replaced { by: pending.clone() });
    }
    let other = pending.repository.as_ref().filter(|_| pending.repository != wanted.repository);
    other.map(|repository| LeftCause::OtherRepository { repository: repository.clone() })
}

/// The approved changes in whose place a newer or older version is pending now: the package manager may still offer the approved one.
#[must_use]
pub fn find_outrun(left: &[Left]) -> Vec<Change> {
    let is_outrun = |left: &&Left| match &left.cause {
        LeftCause::Replaced { by } => by.kind == left.change.kind && by.to.is_some(),
        _ => false,
    };
    left.iter().filter(is_outrun).map(|left| left.change.clone()).collect()
}

/// The approved change as this transaction would make it; none if it is not in there as it was approved.
#[must_use]
pub fn find_as_approved(transaction: &[Change], wanted: &Change) -> Option<Change> {
    transaction.iter().find(|change| difference(wanted, change).is_none()).cloned()
}

/// What a transaction would do besides what was chosen or approved: nothing of it may happen.
#[must_use]
pub fn find_unapproved(transaction: &[Change], chosen: &[Change], approved: Approved<'_>) -> Vec<Change> {
    let Approved::These(approved) = approved else { return Vec::new() };
    let is_known = |change: &&Change| chosen.iter().chain(approved).any(|known| known.does_the_same_as(change));
    transaction.iter().filter(|change| !is_known(change)).cloned().collect()
}

/// What was chosen and the transaction would not do.
#[must_use]
pub fn find_refused(transaction: &[Change], chosen: &[Change]) -> Vec<Change> {
    let is_done = |change: &&Change| transaction.iter().any(|done| done.does_the_same_as(change));
    chosen.iter().filter(|change| !is_done(change)).cloned().collect()
}

/// Why the host is held back, if it is. `chosen` is what could be installed without anything unapproved.
#[must_use]
pub fn hold(policy: DriftPolicy, chosen: &[Change], left: &[Left]) -> Option<String> {
    let drifts: Vec<&Left> = left.iter().filter(|left| left.cause.is_drift()).collect();
    let is_held = match policy {
        DriftPolicy::Hold => !drifts.is_empty(),
        DriftPolicy::InstallApprovedOnly => !drifts.is_empty() && chosen.is_empty(),
    };
    // Removals and new packages come first: they are what a person has to look at.
    let mut drifts = drifts;
    drifts.sort_by_key(|left| match &left.cause {
        LeftCause::Replaced { by } => by.kind,
        LeftCause::Needs { others } => others.iter().map(|other| other.kind).min().unwrap_or(ChangeKind::Upgrade),
        _ => ChangeKind::Upgrade,
    });
    is_held.then(|| {
        let told: Vec<String> = drifts.iter().map(ToString::to_string).collect();
        format!("the list is not the approved one any more: {}", told.join("; "))
    })
}
