//! The life of one dated instance of a window: planned → announced → confirmed → open → done, or one of the other ends.
//!
//! Knows which state may follow which; does not know clocks or who asks. Invariant: a state that is an end is never left, but for
//! `skipped` and `cancelled`, which the files that caused them may take back while the date lies ahead.

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// Where an occurrence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OccurrenceState {
    /// Dated; nobody has been told.
    Planned,
    /// The customer has been told: a commitment.
    Announced,
    /// The customer has said yes.
    Confirmed,
    /// Its run is under way.
    Open,
    /// Its run has ended, well or not.
    Done,
    /// It did not begin within its window.
    Missed,
    /// A holiday or a freeze left it out.
    Skipped,
    /// A person, or a change of the files, called it off.
    Cancelled,
    /// It has another date: another occurrence, which follows it.
    Moved,
}

/// What can happen to an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OccurrenceEvent {
    /// The customer is told.
    Announce,
    /// The customer says yes.
    Confirm,
    /// Its run is created.
    Open,
    /// Its run has ended.
    Finish,
    /// The latest start has passed.
    Miss,
    /// A holiday or freeze came over it.
    Skip,
    /// The holiday or freeze is gone, or the files that called it off give the date again.
    Reinstate,
    /// It is called off.
    Cancel,
    /// It gets another date.
    Move,
}

/// Something that can't happen in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an occurrence that is {state} can't {event}")]
pub struct IllegalStep {
    /// Where it stands.
    pub state: OccurrenceState,
    /// What was asked for.
    pub event: OccurrenceEvent,
}

impl OccurrenceState {
    /// The state after `event`.
    ///
    /// # Errors
    /// [`IllegalStep`] if it can't happen now.
    pub fn next(self, event: OccurrenceEvent) -> Result<Self, IllegalStep> {
        use self::OccurrenceEvent as E;
        Ok(match (self, event) {
            (Self::Planned, E::Announce) => Self::Announced,
            (Self::Planned | Self::Announced, E::Confirm) => Self::Confirmed,
            (Self::Planned | Self::Announced | Self::Confirmed, E::Open) => Self::Open,
            (Self::Planned | Self::Announced | Self::Confirmed, E::Miss) => Self::Missed,
            (Self::Planned | Self::Announced | Self::Confirmed, E::Skip) => Self::Skipped,
            (Self::Planned | Self::Announced | Self::Confirmed, E::Cancel) => Self::Cancelled,
            (Self::Planned | Self::Announced | Self::Confirmed, E::Move) => Self::Moved,
            (Self::Skipped | Self::Cancelled, E::Reinstate) => Self::Planned,
            (Self::Open, E::Finish) => Self::Done,
            (state, event) => return Err(IllegalStep { state, event }),
        })
    }

    /// Whether it may still begin.
    #[must_use]
    pub fn is_ahead(self) -> bool {
        matches!(self, Self::Planned | Self::Announced | Self::Confirmed)
    }

    /// Whether the customer counts on it.
    #[must_use]
    pub fn is_commitment(self) -> bool {
        matches!(self, Self::Announced | Self::Confirmed)
    }

    /// The word in tables and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Announced => "announced",
            Self::Confirmed => "confirmed",
            Self::Open => "open",
            Self::Done => "done",
            Self::Missed => "missed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Moved => "moved",
        }
    }
}

impl std::fmt::Display for OccurrenceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::fmt::Display for OccurrenceEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Announce => "be announced",
            Self::Confirm => "be confirmed",
            Self::Open => "be opened",
            Self::Finish => "be finished",
            Self::Miss => "be missed",
            Self::Skip => "be skipped",
            Self::Reinstate => "be reinstated",
            Self::Cancel => "be cancelled",
            Self::Move => "be moved",
        })
    }
}
