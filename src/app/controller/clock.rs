//! The database's clock, carried on by this machine's monotonic one between two looks at it.
//!
//! The wall clock of a controller may be wrong, or jump; what decides whether something may begin is the database's, the same for
//! all controllers. Invariant: it never goes backwards.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock that follows the database's.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    at: Timestamp,
    since: Instant,
}

impl Clock {
    /// The database said `at` when it was asked at `asked`. The time on the way counts as passed: rather late than early.
    #[must_use]
    pub fn set(at: Timestamp, asked: Instant) -> Self {
        Self { at, since: asked }
    }

    /// What the database's clock shows now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.since.elapsed()).unwrap_or(SignedDuration::MAX);
        self.at.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// What it showed, or would have shown, at `instant`, which has been.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Timestamp {
        let ago = SignedDuration::try_from(instant.elapsed()).unwrap_or(SignedDuration::MAX);
        self.now().checked_sub(ago).unwrap_or(Timestamp::MIN)
    }

    /// Follows what the database says when it is asked again.
    pub fn follow(&mut self, at: Timestamp, asked: Instant) {
        let fresh = Self::set(at, asked);
        if fresh.now() >= self.now() {
            *self = fresh;
        }
    }

    /// How long ago `instant` was; nothing if it is still to come.
    #[must_use]
    pub fn since(&self, instant: Timestamp) -> Duration {
        Duration::try_from(self.now().duration_since(instant)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
