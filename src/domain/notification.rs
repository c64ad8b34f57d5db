//! Who is told what, and what has become of it: due → leased → sent, or one of the other ends.
//!
//! Knows the kinds of messages, which state may follow which, how long a refused message waits ([`patience`]) and what comes too late to
//! be told ([`overtaken`]); does not know clocks, how messages are worded, or how they are sent. Invariant: what was sent stays sent.

use serde::{Deserialize, Serialize};

use super::inventory::Receives;

pub mod overtaken;
pub mod patience;
#[cfg(test)]
mod tests;

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
    /// For the team: a watched path of a host is full, or will be before long.
    CapacityShort,
}

impl Kind {
    /// All kinds: first what customers get, then what the team gets.
    pub const ALL: [Self; 16] = [
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
        Self::CapacityShort,
    ];

    /// Who gets it.
    #[must_use]
    pub fn audience(self) -> Audience {
        let (contacts, team) = match self {
            Self::Announcement | Self::Reminder | Self::Moved | Self::Cancelled => {
                (Some(Receives::Announcement), Team::NotTold)
            }
            Self::Started => (Some(Receives::Start), Team::NotTold),
            Self::Missed => (Some(Receives::Announcement), Team::Told),
            Self::Finished | Self::Failed | Self::AcceptanceReminder | Self::PeriodReport => {
                (Some(Receives::Report), Team::NotTold)
            }
            Self::ReviewNeeded
            | Self::ReviewReminder
            | Self::RunFailed
            | Self::Undeliverable
            | Self::Answer
            | Self::CapacityShort => (None, Team::Told),
        };
        Audience { contacts, team }
    }

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
            Self::CapacityShort => "capacity_short",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who gets messages of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience {
    /// The customer's contacts that receive this; `None`: none of them.
    pub contacts: Option<Receives>,
    /// The provider's own people.
    pub team: Team,
}

/// Whether the provider's own people get a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Team {
    /// They do.
    Told,
    /// They don't.
    NotTold,
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

/// What can happen to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// Somebody takes it to send it; also what another had taken who is gone.
    Take,
    /// The mail server takes it.
    Send,
    /// It could not be sent, and may be later.
    PutOff,
    /// It can't be delivered.
    GiveUp,
    /// It would come too late, or its cause is gone; or a person does not want it to be sent.
    Cancel,
    /// A person wants it to be sent now.
    Retry,
}

/// Something that can't happen in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message that is {state} can't {event}")]
pub struct IllegalStep {
    /// Where it stands.
    pub state: Delivery,
    /// What was asked for.
    pub event: DeliveryEvent,
}

impl Delivery {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Due, Self::Leased, Self::Sent, Self::Undeliverable, Self::Cancelled];

    /// The state after `event`.
    ///
    /// # Errors
    /// [`IllegalStep`] if it can't happen now.
    pub fn next(self, event: DeliveryEvent) -> Result<Self, IllegalStep> {
        use self::DeliveryEvent as E;
        Ok(match (self, event) {
            (Self::Due | Self::Leased, E::Take) => Self::Leased,
            (Self::Leased, E::Send) => Self::Sent,
            (Self::Leased, E::PutOff) => Self::Due,
            (Self::Leased, E::GiveUp) => Self::Undeliverable,
            (Self::Due | Self::Leased | Self::Undeliverable, E::Cancel) => Self::Cancelled,
            (Self::Due | Self::Undeliverable, E::Retry) => Self::Due,
            (state, event) => return Err(IllegalStep { state, event }),
        })
    }

    /// Whether nothing more becomes of it by itself.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Sent | Self::Undeliverable | Self::Cancelled)
    }

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

impl std::fmt::Display for DeliveryEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Take => "be taken",
            Self::Send => "be sent",
            Self::PutOff => "be put off",
            Self::GiveUp => "be given up",
            Self::Cancel => "be cancelled",
            Self::Retry => "be tried again",
        })
    }
}
