//! The frozen plan of one run: what happens where, in which order, with which limits; nothing is left to choose.
//!
//! Knows customer and job; does not know clocks, files or the state of a run.
//! Invariants: steps are in the order in which they run; in front of the first update step stand, for each backup step,
//! its verification and, right before the update, a second look at the backup (G3). The hash covers everything else in the plan.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::capacity::WatchedPath;
use super::id::{ContentHash, Name, OccurrenceId};
use super::inventory::{Connection, Locale};
use super::job::{BackupRule, Phase, Place, SecretReference, Which};
use super::packages::choose::DriftPolicy;
use super::probe::{HostProbe, Probe};
use super::review::Approval;

mod build;
pub mod may_start;
#[cfg(test)]
mod tests;

pub use build::{Choice, Refusal, build};

/// Position of a host in [`Plan::hosts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostIndex(pub usize);

/// Position of a step in [`Plan::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepIndex(pub usize);

/// Everything that a run will do, decided before it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whose hosts.
    pub customer: Name,
    /// The customer's name as it stands in letters.
    pub customer_name: String,
    /// Language of the report.
    pub locale: Locale,
    /// IANA time zone of the report.
    pub time_zone: String,
    /// Which recipe.
    pub job: Name,
    /// The recipe in one line.
    pub description: String,
    /// Revision of the inventory file.
    pub customer_revision: ContentHash,
    /// Revision of the job file.
    pub job_revision: ContentHash,
    /// G3, or the declared exception.
    pub backup: BackupRule,
    /// The batch in which more hosts than this fail is the last.
    pub max_failures: u32,
    /// How many hosts of a batch are in work at the same time; at least 1.
    pub parallel_hosts: usize,
    /// How long the watch over a host goes on when it is done with, in seconds.
    #[serde(default)]
    pub watch_after_s: u64,
    /// The window in which it has to begin; absent for a run by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<PlannedWindow>,
    /// What a named person allowed to be installed (G4); absent if the job installs no approved packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The hosts, in the order in which they are taken.
    pub hosts: Vec<PlannedHost>,
    /// Other machines on which steps run.
    pub delegates: Vec<PlannedHost>,
    /// Hosts batch by batch; every host is in exactly one.
    pub batches: Vec<Vec<HostIndex>>,
    /// The steps, the same for every host, in the order in which they run when all goes well;
    /// then those of `rollback`, then those of `release`, both in reverse order of what they take back.
    pub steps: Vec<PlannedStep>,
}

/// The dated window that a run was opened for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedWindow {
    /// Which occurrence.
    pub occurrence: OccurrenceId,
    /// The window's name in the inventory.
    pub window: Name,
    /// Nothing starts before.
    pub opens: Timestamp,
    /// Close − cutoff: no host is begun later.
    pub latest_start: Timestamp,
    /// What is expected to take longer is not begun; what is under way then is finished, and the overrun is recorded.
    pub closes: Timestamp,
}

/// A machine of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedHost {
    /// Its name in the inventory.
    pub name: Name,
    /// How it is reached.
    pub connection: Connection,
    /// Values for steps (`$VAR_…`).
    pub vars: BTreeMap<String, String>,
    /// How long it is expected to take, in seconds: from earlier runs, or as the job says. Absent: nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_s: Option<u64>,
    /// What it must do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<HostProbe>,
    /// The paths whose fill is measured before anything is touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capacity: Vec<WatchedPath>,
}

/// One step, ready to be carried out on each host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Phase, including the derived ones.
    pub phase: Phase,
    /// The name of the job's step that this belongs to.
    pub name: String,
    /// Which part of that step this is.
    pub part: Part,
    /// Where it runs.
    pub place: Place,
    /// What is done.
    pub task: Task,
    /// Values of the plan's own that the step gets in its environment (`TURNUS_PATH`, …).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Time limit in seconds, on the host.
    pub timeout_s: u64,
    /// The step that looked at the host's packages: what it chose is in this step's environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_by: Option<StepIndex>,
    /// Secrets by reference.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretReference>,
}

/// What a planned step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// POSIX shell text, run in a capsule.
    Script(String),
    /// A check from outside.
    Probe(Probe),
    /// All probes that the host has by the inventory.
    HostProbes {
        /// The step that looked before anything was done; none for that step itself.
        before: Option<StepIndex>,
    },
    /// Look at the host's packages, and choose what is to be installed. Changes nothing but the host's lists of what there is.
    Look {
        /// Which packages.
        which: Which,
        /// What becomes of a host whose list is not the approved one any more.
        drift: DriftPolicy,
        /// How many seconds others who are at work on the host's packages are waited for.
        lock_wait_s: u64,
    },
    /// Look at the host's packages again, and tell what came of that choice.
    Account {
        /// The step that chose.
        look: StepIndex,
    },
    /// Restart the host and wait for a new boot id.
    Reboot {
        /// Longest time in seconds until the host answers again.
        within_s: u64,
    },
}

impl Task {
    /// Whether it runs in a capsule, which keeps it from being started twice. What does not may be done again at any time.
    #[must_use]
    pub fn is_in_capsule(&self) -> bool {
        matches!(self, Self::Script(_) | Self::Reboot { .. })
    }
}

/// Which part of a declared step a planned step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "of")]
pub enum Part {
    /// The step itself.
    Run,
    /// The job's `verify` of that backup step, and turnus's own proof: path, bytes, checksum, age.
    Verify(StepIndex),
    /// Before anything is touched: what will the step install on this host?
    Look,
    /// Before anything is touched: is what the step will test in order now?
    Before,
    /// The versions that the step will replace are kept, so that it can be taken back.
    Keep,
    /// Right before the update: is the backup that this verification proved still there, unchanged in size?
    Recheck(StepIndex),
    /// The job's `rollback` of that update step.
    Rollback(StepIndex),
    /// After all: what did that update step install?
    Account(StepIndex),
    /// The job's `undo` of that step.
    Undo(StepIndex),
}

impl Part {
    /// The step that this part belongs to; none for the step itself.
    #[must_use]
    pub fn of(self) -> Option<StepIndex> {
        match self {
            Self::Run | Self::Look | Self::Before | Self::Keep => None,
            Self::Verify(of) | Self::Recheck(of) | Self::Rollback(of) | Self::Account(of) | Self::Undo(of) => Some(of),
        }
    }

    /// The word that tells the part from the step itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Look => "look",
            Self::Before => "before",
            Self::Keep => "keep",
            Self::Account(_) => "account",
            Self::Verify(_) => "verify",
            Self::Recheck(_) => "recheck",
            Self::Rollback(_) => "rollback",
            Self::Undo(_) => "undo",
        }
    }
}

impl PlannedStep {
    /// The step's name with its part: `archive mail`, `archive mail (verify)`.
    #[must_use]
    pub fn label(&self) -> String {
        match self.part {
            Part::Run => self.name.clone(),
            part => format!("{} ({})", self.name, part.as_str()),
        }
    }

    /// Whether the step is part of the way forward, rather than of rollback or release.
    #[must_use]
    pub fn is_forward(&self) -> bool {
        !matches!(self.phase, Phase::Rollback | Phase::Release)
    }
}

impl Plan {
    /// SHA-256 of the plan's JSON: two plans with the same hash do the same.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        // Strings, numbers and maps with text keys: serialising them to memory has no way to fail.
        ContentHash::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// The steps with their positions.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = (StepIndex, &PlannedStep)> {
        self.steps.iter().enumerate().map(|(index, step)| (StepIndex(index), step))
    }

    /// The first update step that can't be rolled back, if there is one.
    #[must_use]
    pub fn point_of_no_return(&self) -> Option<StepIndex> {
        let can_be_taken_back =
            |index| self.steps.iter().any(|step| step.phase == Phase::Rollback && step.part.of() == Some(index));
        self.steps()
            .find(|(index, step)| step.phase == Phase::Update && !can_be_taken_back(*index))
            .map(|(index, _)| index)
    }

    /// Whether the host may still be begun at `now`: not after the latest start, and not if it is expected to take longer than the
    /// window is open. What does not fit now will not fit later.
    #[must_use]
    pub fn has_time_for(&self, host: HostIndex, now: Timestamp) -> bool {
        let Some(window) = &self.window else { return true };
        let estimate_s = self.hosts.get(host.0).and_then(|host| host.estimate_s).unwrap_or(0);
        let left_s = window.closes.duration_since(now).as_secs_f64();
        now <= window.latest_start && estimate_s as f64 <= left_s
    }

    /// Position of the host of this name.
    #[must_use]
    pub fn find_host(&self, name: &Name) -> Option<HostIndex> {
        self.hosts.iter().position(|host| host.name == *name).map(HostIndex)
    }
}
