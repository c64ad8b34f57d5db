//! One thing that has to change about a window's dates, and what it takes to carry it out.
//!
//! Knows the date before and after; does not know how a change is found.
//! Invariant: whether a change needs a person's yes follows from the change alone.

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::{Ahead, Slot};

/// Why a date that the customer knows would get another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MoveCause {
    /// The rule does not give it any more, but another one nearby.
    NewRuleDate,
    /// The same date of the rule falls on another time: hour, shift, holiday, zone.
    NewTime,
    /// It begins as before and ends at another time.
    NewLength,
    /// The same local time is another instant: the data of its time zone have changed.
    ZoneData,
}

impl MoveCause {
    /// The cause that stands with the date that was left.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewRuleDate | Self::NewTime => "the files give another date",
            Self::NewLength => "the files give another length",
            Self::ZoneData => "the data of the time zone have changed",
        }
    }
}

/// One thing that has to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A date that is not stored yet, held or left out.
    Appear(Slot),
    /// A date that nobody was told of gets other terms; one that is left out stays so.
    Redate {
        /// As it is stored.
        from: Ahead,
        /// As it should be.
        to: Slot,
    },
    /// A date is left out from now on.
    Skip {
        /// As it is stored.
        from: Ahead,
        /// As it should be.
        to: Slot,
    },
    /// A date that was left out is held again.
    Reinstate {
        /// As it is stored.
        from: Ahead,
        /// As it should be.
        to: Slot,
    },
    /// A date that nobody was told of is gone: removed, or called off if others refer to it.
    Vanish {
        /// As it is stored.
        from: Ahead,
    },
    /// What the customer was not told of changes: job, cutoff, reminders, review, which date of the rule it is. Begin and end stay.
    Adjust {
        /// As it is stored.
        from: Ahead,
        /// As it should be.
        to: Slot,
    },
    /// A date that the customer knows gets another one.
    Move {
        /// As it is stored.
        from: Ahead,
        /// Its successor.
        to: Slot,
        /// Why.
        cause: MoveCause,
    },
    /// A date that the customer knows is gone.
    Cancel {
        /// As it is stored.
        from: Ahead,
    },
}

impl Change {
    /// Whether the customer counts on what this changes: then only a person's explicit yes carries it out.
    #[must_use]
    pub fn needs_consent(&self) -> bool {
        match self {
            Self::Move { .. } | Self::Cancel { .. } => true,
            Self::Skip { from, .. } => from.state.is_commitment(),
            Self::Appear(_)
            | Self::Redate { .. }
            | Self::Reinstate { .. }
            | Self::Vanish { .. }
            | Self::Adjust { .. } => false,
        }
    }

    /// The word in records and for programs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Appear(to) if to.skip.is_some() => "appear_skipped",
            Self::Appear(_) => "appear",
            Self::Redate { .. } => "redate",
            Self::Skip { .. } => "skip",
            Self::Reinstate { .. } => "reinstate",
            Self::Vanish { .. } => "vanish",
            Self::Adjust { .. } => "adjust",
            Self::Move { .. } => "move",
            Self::Cancel { .. } => "cancel",
        }
    }

    /// The stored date that it is about; none for one that appears.
    #[must_use]
    pub fn from(&self) -> Option<&Ahead> {
        match self {
            Self::Appear(_) => None,
            Self::Redate { from, .. }
            | Self::Skip { from, .. }
            | Self::Reinstate { from, .. }
            | Self::Vanish { from }
            | Self::Adjust { from, .. }
            | Self::Move { from, .. }
            | Self::Cancel { from } => Some(from),
        }
    }

    /// The date as it should be; none for one that goes.
    #[must_use]
    pub fn to(&self) -> Option<&Slot> {
        match self {
            Self::Appear(to)
            | Self::Redate { to, .. }
            | Self::Skip { to, .. }
            | Self::Reinstate { to, .. }
            | Self::Adjust { to, .. }
            | Self::Move { to, .. } => Some(to),
            Self::Vanish { .. } | Self::Cancel { .. } => None,
        }
    }

    /// By date, and for one date by kind: the order in which people read them.
    pub(super) fn order(&self) -> (Timestamp, DateTime) {
        let slot = self.from().map(|from| &from.slot).or(self.to());
        // Every change has one of the two.
        slot.map_or((Timestamp::MIN, DateTime::MIN), |slot| (slot.start, slot.recurrence_id))
    }
}
