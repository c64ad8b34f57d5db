//! Who is told what, and what has become of it. Knows the kinds of messages; does not know how they are worded or sent.

use serde::{Deserialize, Serialize};

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An occurrence is coming: the first that the customer hears of it.
    Announcement,
    /// It comes soon.
    Reminder,
    /// It has another date.
    Moved,
    /// It does not take place.
    Cancelled,
    /// It has begun.
    Started,
    /// Its run has ended well.
    Finished,
    /// Its run has ended otherwise.
    Failed,
    /// It could not begin.
    Missed,
    /// The report still waits for the customer's answer.
    AcceptanceReminder,
    /// What a month, quarter or year was like.
    PeriodReport,
    /// For the team: pending updates of an occurrence want a decision.
    ReviewNeeded,
    /// For the team: nobody has decided yet, and the occurrence comes soon.
    ReviewReminder,
    /// For the team: a run has not ended well.
    RunFailed,
    /// For the team: a message can't be delivered.
    Undeliverable,
    /// For the team: what a customer says to a date or a report.
    Answer,
}

impl Kind {
    /// All kinds: first what customers get, then what the team gets.
    pub const ALL: [Self; 15] = [
        Self::Announcement,
        Self::Reminder,
        Self::Moved,
        Self::Cancelled,
        Self::Started,
        Self::Finished,
        Self::Failed,
        Self::Missed,
        Self::AcceptanceReminder,
        Self::PeriodReport,
        Self::ReviewNeeded,
        Self::ReviewReminder,
        Self::RunFailed,
        Self::Undeliverable,
        Self::Answer,
    ];

    /// The word in tables and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announcement => "announcement",
            Self::Reminder => "reminder",
            Self::Moved => "moved",
            Self::Cancelled => "cancelled",
            Self::Started => "started",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Missed => "missed",
            Self::AcceptanceReminder => "acceptance_reminder",
            Self::PeriodReport => "period_report",
            Self::ReviewNeeded => "review_needed",
            Self::ReviewReminder => "review_reminder",
            Self::RunFailed => "run_failed",
            Self::Undeliverable => "undeliverable",
            Self::Answer => "answer",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// To be sent.
    Due,
    /// Somebody is sending it.
    Leased,
    /// The mail server has taken it.
    Sent,
    /// It can't be delivered.
    Undeliverable,
    /// Overtaken by events before it was sent.
    Cancelled,
}

impl Delivery {
    /// The word in tables and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Leased => "leased",
            Self::Sent => "sent",
            Self::Undeliverable => "undeliverable",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
