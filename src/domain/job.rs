//! How a round is done: a recipe of ordered steps, each in one phase. One file each.
//!
//! Knows what a job may say; does not know hosts or how a step is carried out.
//! Invariant: a [`Job`] in hand holds to G3: if it updates, a verified backup comes before, or it says why not.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::{ContentHash, Name};
use super::packages::choose::DriftPolicy;
use super::probe::Probe;

pub mod parse;
pub(in crate::domain) mod secret;

/// The part of a run that a step belongs to. The first five are what a job declares, in this order;
/// `rollback` and `release` are derived from undo steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Read-only checks: may this host be touched at all?
    Preflight,
    /// Stop what must not run meanwhile.
    Quiesce,
    /// Save, then verify what was saved.
    Backup,
    /// Change the host.
    Update,
    /// Does the service really work?
    Smoke,
    /// After a failure in update or smoke: take back what can be taken back.
    Rollback,
    /// Start again what was stopped, whatever happened.
    Release,
}

impl Phase {
    /// The word used in files, tables and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Quiesce => "quiesce",
            Self::Backup => "backup",
            Self::Update => "update",
            Self::Smoke => "smoke",
            Self::Rollback => "rollback",
            Self::Release => "release",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The file's stem; what people type.
    pub name: Name,
    /// One line for people.
    pub description: String,
    /// How many hosts at a time; the last entry repeats until all hosts are taken.
    pub batch: Vec<BatchSize>,
    /// The batch in which more hosts than this fail is the last.
    pub max_failures: u32,
    /// Whether updates need a verified backup.
    pub backup: BackupRule,
    /// In order of phases; within a phase in the order of the file.
    pub steps: Vec<Step>,
    /// Hash of the file: the revision that runs are made from.
    pub revision: ContentHash,
}

impl Job {
    /// Which packages the job installs by itself, if it installs any.
    #[must_use]
    pub fn installs(&self) -> Option<Which> {
        let of = |step: &Step| match &step.action {
            Action::Packages(packages) => Some(packages.which),
            _ => None,
        };
        self.steps.iter().find_map(of)
    }

    /// The steps that install packages and take nothing back: on every host that is changed by one it is a point of no return.
    pub fn one_way_packages(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| matches!(step.action, Action::Packages(_)) && step.rollback.is_none())
    }

    /// How many seconds others who are at work on a host's packages are waited for; 0 if the job installs none.
    #[must_use]
    pub fn lock_wait_s(&self) -> u64 {
        let of = |step: &Step| match &step.action {
            Action::Packages(packages) => Some(packages.lock_wait_s),
            _ => None,
        };
        self.steps.iter().filter_map(of).max().unwrap_or(0)
    }

    /// How long a host is expected to take by the job's own word, in seconds: the sum of what its steps say; 0 if none says anything.
    #[must_use]
    pub fn given_estimate_s(&self) -> u64 {
        self.steps.iter().filter_map(|step| step.estimate_s).sum()
    }
}

/// How many hosts a batch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// So many hosts; at least 1.
    Count(u32),
    /// So many per cent of all hosts of the run (1 to 100), rounded up.
    Percent(u32),
}

/// Guarantee G3, or the declared exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupRule {
    /// Every update step waits for every backup step of its host to be verified.
    Required,
    /// `backup = "none"` with this `backup_reason`, which the report shows.
    None {
        /// Why there is no backup.
        reason: String,
    },
}

/// One command or built-in action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// One of the five declared phases.
    pub phase: Phase,
    /// Unique within the job.
    pub name: String,
    /// Where it runs.
    pub place: Place,
    /// What is done.
    pub action: Action,
    /// Shell text that takes the step back in `release`, whatever happened.
    pub undo: Option<String>,
    /// What takes an update step back after a failure in update or smoke.
    /// An update step without it is a point of no return.
    pub rollback: Option<Rollback>,
    /// Shell text that proves a backup step good; exit status 0 is proof.
    pub verify: Option<String>,
    /// Time limit in seconds, on the host; applies to each of run, verify, undo and rollback.
    pub timeout_s: u64,
    /// How long it usually takes on a host, in seconds, as far as somebody said: what counts until there are earlier runs.
    pub estimate_s: Option<u64>,
    /// Secrets by reference; key `db_password` reaches the step as `$SECRET_DB_PASSWORD`.
    pub secrets: BTreeMap<String, SecretReference>,
}

/// What takes an update step back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollback {
    /// Shell text.
    Script(String),
    /// `rollback = "packages"`: the versions that were installed before are installed again, where they can still be had.
    Packages,
}

/// Where a step runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On the host that the run is about.
    Host,
    /// On another host of the same inventory (a hypervisor, a backup server).
    Delegate(Name),
    /// On the machine that runs turnus.
    Controller,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// POSIX shell text (`run`).
    Script(String),
    /// Free space on the file system that holds `path`.
    DiskFree {
        /// Absolute path on the machine where the step runs.
        path: String,
        /// Smallest free space in bytes.
        at_least_bytes: u64,
    },
    /// A check from outside; runs on the controller.
    Probe(Probe),
    /// All probes that the host has by the inventory (`probes = "all"`), before anything is done and after.
    HostProbes,
    /// Pending packages, through the host's package manager.
    Packages(PackagesAction),
    /// Restart the host and wait for a new boot id.
    Reboot {
        /// Longest time in seconds until the host answers again.
        within_s: u64,
    },
}

/// Which packages are installed, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackagesAction {
    /// Which.
    pub which: Which,
    /// What becomes of configuration files that were changed on the host and have a new version in the package.
    pub conffiles: Conffiles,
    /// What becomes of a host whose list is not the approved one any more.
    pub drift: DriftPolicy,
    /// How many seconds others who are at work on the host's packages are waited for.
    pub lock_wait_s: u64,
}

/// Which pending packages are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Those that a named person approved (G4).
    Approved,
    /// All: only in jobs that are run by hand.
    All,
}

/// What becomes of configuration files that were changed on the host and have a new version in the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conffiles {
    /// The host's stays; the report lists it.
    Keep,
    /// The package's takes its place.
    Replace,
}

impl Conffiles {
    /// The word in files and on hosts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Replace => "replace",
        }
    }
}

/// Where a secret comes from. Its value is read when a step starts, and never stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretReference {
    /// An environment variable of the controller.
    Env(String),
    /// A file on the controller; a final line break is removed.
    File(String),
    /// Standard output of a command on the controller, run without a shell; a final line break is removed.
    Command(Vec<String>),
}
