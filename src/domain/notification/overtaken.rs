//! What was to be told and is not worth telling any more: overtaken by the events that it is about. Never sent late.

use jiff::Timestamp;

use super::Kind;
use crate::domain::occurrence::OccurrenceState;

/// How the occurrence stands that a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Where it stands now.
    pub state: OccurrenceState,
    /// When it opens.
    pub opens: Timestamp,
    /// Its sequence now.
    pub sequence: u32,
    /// Its sequence when the message was made: called off and held again, it is another promise with messages of its own.
    pub told_sequence: u32,
}

/// Why a message about an occurrence would come too late at `now`, in a few words for the provider's people; `None`: it is worth
/// telling. What tells of something that has happened (an end, a report, an answer) never comes too late.
#[must_use]
pub fn overtaken_by(kind: Kind, about: &About, now: Timestamp) -> Option<&'static str> {
    match kind {
        Kind::Announcement | Kind::Reminder | Kind::Moved | Kind::ReviewNeeded | Kind::ReviewReminder => {
            if about.sequence != about.told_sequence {
                return Some("the date was called off or moved meanwhile");
            }
            match about.state {
                OccurrenceState::Planned | OccurrenceState::Announced | OccurrenceState::Confirmed => {
                    (about.opens <= now).then_some("the window has opened meanwhile")
                }
                OccurrenceState::Open | OccurrenceState::Done => Some("the maintenance has begun meanwhile"),
                OccurrenceState::Missed
                | OccurrenceState::Skipped
                | OccurrenceState::Cancelled
                | OccurrenceState::Moved => Some("the date does not hold any more"),
            }
        }
        // It is announced anew.
        Kind::Cancelled => about.state.is_ahead().then_some("the date holds again"),
        Kind::Started => (about.state != OccurrenceState::Open).then_some("the maintenance has ended meanwhile"),
        Kind::Finished
        | Kind::Failed
        | Kind::Missed
        | Kind::AcceptanceReminder
        | Kind::PeriodReport
        | Kind::RunFailed
        | Kind::Undeliverable
        | Kind::Answer
        | Kind::CapacityShort => None,
    }
}
