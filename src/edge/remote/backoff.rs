//! Waiting longer each time, and never in step with others.

use std::time::Duration;

use uuid::Uuid;

/// Doubles from a first to a longest wait; each wait is shortened by chance to between half and all of it.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// Waits, and doubles the next wait.
    pub(super) async fn wait(&mut self) {
        let chance = Uuid::now_v7().as_bytes()[15];
        let wait = self.next.mul_f64(0.5 + f64::from(chance) / 512.0);
        self.next = (self.next * 2).min(self.longest);
        tokio::time::sleep(wait).await;
    }
}
