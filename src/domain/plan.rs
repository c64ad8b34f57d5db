//! The frozen plan of one run: what happens where, in which order, with which limits; nothing is left to choose.
//!
//! Knows customer and job; does not know time, files or the state of a run.
//! Invariants: steps are in the order in which they run; in front of the first update step stand, for each backup step,
//! its verification and, right before the update, a second look at the backup (G3). The hash covers everything else in the plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::{ContentHash, Name};
use super::inventory::{Connection, Locale};
use super::job::{Action, BackupRule, Phase, Place, SecretReference};

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

/// A machine of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedHost {
    /// Its name in the inventory.
    pub name: Name,
    /// How it is reached.
    pub connection: Connection,
    /// Values for steps (`$VAR_…`).
    pub vars: BTreeMap<String, String>,
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
    pub action: Action,
    /// Time limit in seconds, on the host.
    pub timeout_s: u64,
    /// Secrets by reference.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretReference>,
}

/// Which part of a declared step a planned step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "of")]
pub enum Part {
    /// The step itself.
    Run,
    /// The job's `verify` of that backup step, and turnus's own proof: path, bytes, checksum, age.
    Verify(StepIndex),
    /// Right before the update: is the proven backup still there, unchanged in size?
    Recheck(StepIndex),
    /// The job's `rollback` of that update step.
    Rollback(StepIndex),
    /// The job's `undo` of that step.
    Undo(StepIndex),
}
