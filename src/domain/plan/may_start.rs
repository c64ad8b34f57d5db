//! Whether an occurrence that is due may begin now, waits for something, or is missed.
//!
//! Knows all that stands against a beginning; does not know where the answers come from. Invariant: nothing begins before its
//! opening, after its latest start, or in a freeze (G2).

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::{Part, Plan};
use crate::domain::calendar::FreezeSpan;
use crate::domain::id::Name;
use crate::domain::job::{BackupRule, Phase};

/// Whoever looked no longer than this before the latest start knew why it did not begin.
const RECENT: SignedDuration = SignedDuration::from_mins(1);

/// What stands against a beginning. Its text is kept with the occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Nobody looked at the occurrence while it could have begun.
    ControllerNotRunning,
    /// What was applied for the customer can't be used.
    Unusable {
        /// Why not.
        why: String,
    },
    /// The window names a job that was not applied.
    NoJob {
        /// Which.
        job: Name,
    },
    /// No plan can be made.
    PlanRefused {
        /// Why not.
        why: String,
    },
    /// Some of the window lies in a freeze.
    Frozen {
        /// The freeze's reason.
        reason: String,
    },
    /// The customer has yet to be told.
    NotAnnounced,
    /// Nobody has decided on the pending updates (G4).
    NotApproved,
    /// Somebody has, against them.
    Rejected {
        /// Who.
        by: String,
    },
    /// A host is in a run that has not ended.
    HostBusy {
        /// Which host.
        host: Name,
        /// Number of the run.
        run: i64,
    },
    /// As many runs are under way as there may be.
    RunsUnderWay {
        /// How many.
        running: u32,
        /// How many there may be.
        limit: u32,
    },
    /// As many runs of this customer are under way as there may be.
    RunsOfCustomer {
        /// How many.
        running: u32,
        /// How many there may be.
        limit: u32,
    },
}

impl Cause {
    /// Whether the occurrence is missed at once: to decide, there was time before it opened.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::NotApproved | Self::Rejected { .. })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControllerNotRunning => f.write_str("controller not running"),
            Self::Unusable { why } => write!(f, "what was applied can't be used: {why}"),
            Self::NoJob { job } => write!(f, "no job {job}"),
            Self::PlanRefused { why } => write!(f, "the plan was refused: {why}"),
            Self::Frozen { reason } => write!(f, "frozen: {reason}"),
            Self::NotAnnounced => f.write_str("not announced"),
            Self::NotApproved => f.write_str("not approved"),
            Self::Rejected { by } => write!(f, "rejected by {by}"),
            Self::HostBusy { host, run } => write!(f, "host {host} is in run {run}"),
            Self::RunsUnderWay { running, limit } => {
                write!(f, "{} under way (limit {limit})", runs(*running, ""))
            }
            Self::RunsOfCustomer { running, limit } => {
                write!(f, "{} under way (limit {limit})", runs(*running, " of the customer"))
            }
        }
    }
}

fn runs(count: u32, whose: &str) -> String {
    if count == 1 { format!("1 run{whose} is") } else { format!("{count} runs{whose} are") }
}

/// The span in which an occurrence may begin, and what it waited for when it was last looked at.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a> {
    /// The opening.
    pub start: Timestamp,
    /// The last instant at which it may begin.
    pub latest_start: Timestamp,
    /// The close.
    pub end: Timestamp,
    /// Absent: nobody has looked at it since it became due.
    pub last_cause: Option<&'a str>,
    /// When somebody last did.
    pub looked_at: Option<Timestamp>,
}

/// Whether something that has to come first has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// It need not come.
    NotNeeded,
    /// It has come.
    Met,
    /// It has not.
    Missing,
}

/// What a person has said of the pending updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Review<'a> {
    /// Nothing is to be decided: the job installs nothing that is approved, or nothing is pending.
    NotNeeded,
    /// What the plan carries.
    Approved,
    /// Nothing yet.
    Missing,
    /// That none is to be installed.
    Rejected {
        /// Who.
        by: &'a str,
    },
}

/// How many runs there are, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Under way on all controllers.
    pub running: u32,
    /// `limits.parallel_runs`
    pub limit: u32,
    /// Of these, the customer's.
    pub running_of_customer: u32,
    /// `limits.parallel_runs_per_customer`
    pub limit_per_customer: u32,
}

/// All that bears on whether an occurrence may begin.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// What would be done, or why that can't be said.
    pub plan: Result<&'a Plan, Cause>,
    /// Spans in which nothing begins for this customer.
    pub freezes: &'a [FreezeSpan],
    /// Whether the customer has been told.
    pub announcement: Precondition,
    /// Whether a person has approved the pending updates.
    pub review: Review<'a>,
    /// A host of the plan that is in an unfinished run, and that run.
    pub busy: Option<(&'a Name, i64)>,
    /// Runs under way.
    pub load: Load,
}

/// What is to be done about an occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has not opened.
    TooEarly,
    /// Something stands against it that may go away.
    Wait(Cause),
    /// It begins.
    Begin,
    /// It did not begin in time, or may not begin at all; the text says why.
    Missed(String),
}

/// Decides without a look at anything but the time, if the time alone decides.
#[must_use]
pub fn judge_time(slot: &Slot<'_>, now: Timestamp) -> Option<Verdict> {
    if now < slot.start {
        return Some(Verdict::TooEarly);
    }
    (now > slot.latest_start).then(|| {
        // What it waited for long before the end says nothing of why it did not begin later.
        let is_recent = |looked_at: Timestamp| slot.latest_start.duration_since(looked_at) <= RECENT;
        let cause = slot.last_cause.filter(|_| slot.looked_at.is_some_and(is_recent)).map(str::to_owned);
        Verdict::Missed(cause.unwrap_or_else(|| Cause::ControllerNotRunning.to_string()))
    })
}

/// Decides what is to be done about an occurrence at `now`.
#[must_use]
pub fn judge(slot: &Slot<'_>, situation: &Situation<'_>, now: Timestamp) -> Verdict {
    judge_time(slot, now).unwrap_or_else(|| match may_start(slot, situation) {
        Ok(()) => Verdict::Begin,
        Err(cause) if cause.is_final() => Verdict::Missed(cause.to_string()),
        Err(cause) => Verdict::Wait(cause),
    })
}

/// Whether anything but the time stands against a beginning. Causes that a person has to deal with come before those that pass by
/// themselves.
///
/// # Errors
/// The first [`Cause`] that does.
pub fn may_start(slot: &Slot<'_>, situation: &Situation<'_>) -> Result<(), Cause> {
    let plan = situation.plan.as_ref().map_err(Clone::clone)?;
    check_backup(plan)?;
    if let Some(freeze) = situation.freezes.iter().find(|freeze| freeze.from < slot.end && slot.start < freeze.until) {
        return Err(Cause::Frozen { reason: freeze.reason.clone() });
    }
    match situation.review {
        Review::NotNeeded | Review::Approved => {}
        Review::Missing => return Err(Cause::NotApproved),
        Review::Rejected { by } => return Err(Cause::Rejected { by: by.to_owned() }),
    }
    if situation.announcement == Precondition::Missing {
        return Err(Cause::NotAnnounced);
    }
    if let Some((host, run)) = situation.busy {
        return Err(Cause::HostBusy { host: host.clone(), run });
    }
    check_load(situation.load)
}

/// G3: the job's own check sees to it already; this refuses should a plan without proof ever come this far.
fn check_backup(plan: &Plan) -> Result<(), Cause> {
    let updates = plan.steps.iter().any(|step| step.phase == Phase::Update);
    let proven = plan.steps.iter().any(|step| matches!(step.part, Part::Verify(_)));
    if updates && !proven && plan.backup == BackupRule::Required {
        return Err(Cause::PlanRefused { why: "it has no verified backup".to_owned() });
    }
    Ok(())
}

fn check_load(load: Load) -> Result<(), Cause> {
    if load.running >= load.limit {
        return Err(Cause::RunsUnderWay { running: load.running, limit: load.limit });
    }
    if load.running_of_customer >= load.limit_per_customer {
        let (running, limit) = (load.running_of_customer, load.limit_per_customer);
        return Err(Cause::RunsOfCustomer { running, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
