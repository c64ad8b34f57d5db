//! The closed set of facts that a run's record consists of. Append-only: what is here was committed before it was acted upon.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::Epoch;
use crate::domain::packages::PackagesRecord;
use crate::domain::plan::{HostIndex, StepIndex};
use crate::domain::probe::ProbeResult;

/// `key=value` lines that a step wrote to `$TURNUS_OUTPUT`.
pub type Facts = BTreeMap<String, String>;

/// One line of a run's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Position in the record, from 1, without gaps.
    pub seq: i64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A controller got the right to drive the run: at its start, and at each take-over.
    LeaseTaken {
        /// Grows with each.
        epoch: Epoch,
        /// Which controller (`machine:pid`).
        controller: String,
    },
    /// A batch begins.
    BatchStarted {
        /// Position in [`crate::domain::plan::Plan::batches`].
        batch: usize,
    },
    /// A host is taken into work: it will be connected and prepared.
    HostStarted {
        /// Which host.
        host: HostIndex,
    },
    /// The host, and every place that its steps need, can be reached and is fenced for this epoch.
    HostReady {
        /// Which host.
        host: HostIndex,
        /// What was found (`os`, `kernel`, `boot_id`, …).
        facts: Facts,
    },
    /// The host, or a place that its steps need, could not be reached or prepared. Nothing was done to it.
    HostUnreachable {
        /// Which host.
        host: HostIndex,
        /// What failed.
        fault: Fault,
    },
    /// The command is about to go out. Recorded before the effect.
    StepStarted {
        /// Which host.
        host: HostIndex,
        /// Which step.
        step: StepIndex,
    },
    /// The time limit passed, and the step could not be ended because a package manager is at work; it is waited for.
    StepOverdue {
        /// Which host.
        host: HostIndex,
        /// Which step.
        step: StepIndex,
    },
    /// The step has ended, one way or the other.
    StepFinished {
        /// Which host.
        host: HostIndex,
        /// Which step.
        step: StepIndex,
        /// How it ended.
        result: StepResult,
    },
    /// It can't be told whether the step has ended or how. Left only by looking at its capsule again, or by a person.
    StepUnknown {
        /// Which host.
        host: HostIndex,
        /// Which step.
        step: StepIndex,
        /// Why it can't be told.
        fault: Fault,
    },
    /// The host is done with.
    HostFinished {
        /// Which host.
        host: HostIndex,
        /// How it came out.
        outcome: Outcome,
    },
    /// Somebody asked to stop: running steps finish, then release.
    CancelRequested {
        /// Who, or which signal.
        by: String,
    },
    /// The run's window closed while hosts were in work: they are finished, no other is begun.
    WindowClosed,
    /// Nothing more can be done without a person: some host is unknown. The run stays open.
    RunSuspended,
    /// A person closed a suspended run; unknown hosts stay unknown for good.
    RunClosed {
        /// Who.
        by: String,
    },
    /// The end.
    RunFinished {
        /// How it came out.
        result: RunResult,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepResult {
    /// Success, or which failure.
    pub end: StepEnd,
    /// What it wrote to `$TURNUS_OUTPUT`.
    #[serde(default, skip_serializing_if = "Facts::is_empty")]
    pub facts: Facts,
    /// What it found out about packages, if that was its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Box<PackagesRecord>>,
    /// What the host's probes found, if that was its task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeResult>,
    /// Bytes of output in all.
    #[serde(default)]
    pub output_bytes: u64,
    /// Bytes of output that were left out of the middle of the stored log.
    #[serde(default)]
    pub omitted_bytes: u64,
    /// The last line of output that is not empty, cleaned of control sequences, at most 200 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_line: String,
}

impl StepResult {
    /// A step that ended so, and of which there is nothing more to tell.
    #[must_use]
    pub fn of(end: StepEnd) -> Self {
        let facts = Facts::new();
        Self {
            end,
            facts,
            packages: None,
            probes: Vec::new(),
            output_bytes: 0,
            omitted_bytes: 0,
            last_line: String::new(),
        }
    }
}

/// The ways in which a step ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum StepEnd {
    /// Exit status 0, or what the built-in action asked for.
    Succeeded,
    /// Exit status other than 0 (128 + signal, as a shell reports it).
    Failed {
        /// 1 to 255.
        exit_status: i32,
    },
    /// Ended because its time limit passed; its process group is gone.
    TimedOut,
    /// The host was restarted while the step ran.
    Interrupted,
    /// The step's process is gone and left no exit status (killed from outside).
    Lost,
    /// A built-in action found something other than what was asked for.
    NotMet {
        /// Expected and found.
        why: String,
    },
    /// The host is held back: what would be done there is not what was approved.
    Held {
        /// The difference.
        why: String,
    },
    /// The host is left alone: something was out of order there before anything was done.
    RedBefore {
        /// What.
        why: String,
    },
    /// The step could not be begun (a secret that can't be read, no shell on the host).
    NotStarted {
        /// Why.
        why: String,
    },
}

/// Something that went wrong between turnus and a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What failed, with values.
    pub what: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Guarantee G7: what became of a host. From best to worst.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Every step ended well and something was changed.
    Updated,
    /// Every step ended well and there was nothing to change.
    NothingToDo,
    /// Not touched.
    Skipped {
        /// Why.
        cause: SkipCause,
    },
    /// Could not be reached before anything was done.
    Unreachable {
        /// What failed.
        fault: Fault,
    },
    /// A step failed; every update step that had begun was taken back.
    FailedAndRolledBack {
        /// The first step that failed.
        step: StepIndex,
    },
    /// A step failed.
    Failed {
        /// The first step that failed, or the first that was not begun because the run was cancelled.
        step: StepIndex,
        /// Whether the run was cancelled rather than that the step failed.
        #[serde(default)]
        cancelled: bool,
    },
    /// It can't be told.
    Unknown {
        /// The step that can't be told.
        step: StepIndex,
    },
}

impl Outcome {
    /// Updated, or nothing to do.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Updated | Self::NothingToDo)
    }

    /// Left out although nobody had asked for it: for every cause but a cancel.
    #[must_use]
    pub fn is_left_to_do(&self) -> bool {
        matches!(self, Self::Skipped { cause } if *cause != SkipCause::Cancelled)
    }

    /// Counts for `max_failures`: anything but good, skipped, or cut short by a cancel.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::Updated | Self::NothingToDo | Self::Skipped { .. } | Self::Failed { cancelled: true, .. })
    }
}

/// Why a host was not touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipCause {
    /// More hosts than `max_failures` failed in a batch before.
    FailureLimit,
    /// The run was cancelled first.
    Cancelled,
    /// There was not enough time left in the window.
    WindowEnding,
    /// What would be installed is not what was approved.
    HeldBack,
    /// One of its probes was red before anything was done.
    RedBefore,
}

/// How a run came out: as good as its worst host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// Every host is updated or had nothing to do.
    Succeeded,
    /// Some host is not.
    Failed,
    /// It was cancelled before its end.
    Cancelled,
}

impl Event {
    /// The host that it is about, if it is about one.
    #[must_use]
    pub fn host(&self) -> Option<HostIndex> {
        match self {
            Self::HostStarted { host }
            | Self::HostReady { host, .. }
            | Self::HostUnreachable { host, .. }
            | Self::StepStarted { host, .. }
            | Self::StepOverdue { host, .. }
            | Self::StepFinished { host, .. }
            | Self::StepUnknown { host, .. }
            | Self::HostFinished { host, .. } => Some(*host),
            _ => None,
        }
    }

    /// The step that it is about, if it is about one.
    #[must_use]
    pub fn step(&self) -> Option<StepIndex> {
        match self {
            Self::StepStarted { step, .. }
            | Self::StepOverdue { step, .. }
            | Self::StepFinished { step, .. }
            | Self::StepUnknown { step, .. } => Some(*step),
            _ => None,
        }
    }
}

/// Where a run stands, in one word: what lists, reports and the cached column say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Driven, or waiting for somebody to take over.
    Running,
    /// Waiting for a person: some host is unknown.
    Suspended,
    /// Ended well.
    Succeeded,
    /// Ended otherwise.
    Failed,
    /// Ended by request.
    Cancelled,
}

impl RunState {
    /// The word used in tables and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the run has not ended.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Suspended)
    }
}

impl std::fmt::Display for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<RunResult> for RunState {
    fn from(result: RunResult) -> Self {
        match result {
            RunResult::Succeeded => Self::Succeeded,
            RunResult::Failed => Self::Failed,
            RunResult::Cancelled => Self::Cancelled,
        }
    }
}
