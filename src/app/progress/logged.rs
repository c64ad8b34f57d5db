//! Events as lines of the daemon's log, with fields to search by. Output of hosts stays in the record.

use super::plain::{describe, host_name};
use crate::domain::run::event::{Event, Recorded};
use crate::domain::run::state::Run;

/// Which run the lines are about.
#[derive(Debug)]
pub(super) struct Logged {
    pub(super) number: i64,
}

impl Logged {
    pub(super) fn event(&self, run: &Run, recorded: &Recorded) {
        let plan = run.plan();
        let (run_number, customer) = (self.number, plan.customer.as_str());
        let host = recorded.event.host().map(|host| host_name(plan, host));
        let Some(text) = describe(run, recorded) else { return };
        match &recorded.event {
            Event::StepStarted { .. } | Event::StepFinished { .. } => {
                tracing::debug!(run_number, customer, host, "{text}")
            }
            Event::HostUnreachable { .. }
            | Event::StepOverdue { .. }
            | Event::StepUnknown { .. }
            | Event::WatchChanged { met: false, .. }
            | Event::DowntimeExceeded { .. }
            | Event::RunSuspended => {
                tracing::warn!(run_number, customer, host, "{text}");
            }
            _ => tracing::info!(run_number, customer, host, "{text}"),
        }
    }

    pub(super) fn notice(&self, text: &str) {
        tracing::warn!(run_number = self.number, "{text}");
    }
}
