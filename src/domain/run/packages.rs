//! What steps of a run know of each other that look first and act later.

use super::state::{Run, StepRun};
use crate::domain::packages::PackagesRecord;
use crate::domain::packages::choose::Look;
use crate::domain::plan::{HostIndex, StepIndex, Task};
use crate::domain::probe::ProbeResult;

impl Run {
    /// What the host's probes found before anything was done, for the step that asks them afterwards; empty for every other.
    #[must_use]
    pub fn probes_before(&self, host: HostIndex, step: StepIndex) -> &[ProbeResult] {
        let found = || {
            let Task::HostProbes { before } = self.plan.steps.get(step.0)?.task else { return None };
            Some(&self.hosts.get(host.0)?.steps.get(before?.0).and_then(StepRun::result)?.probes)
        };
        found().map_or(&[], Vec::as_slice)
    }

    /// The choice that the step carries out, or accounts for; none if it has nothing to do with packages.
    #[must_use]
    pub fn choice_for(&self, host: HostIndex, step: StepIndex) -> Option<&Look> {
        let planned = self.plan.steps.get(step.0)?;
        let look = match planned.task {
            Task::Account { look } => look,
            _ => planned.chosen_by?,
        };
        let result = self.hosts.get(host.0)?.steps.get(look.0).and_then(StepRun::result)?;
        match result.packages.as_deref()? {
            PackagesRecord::Looked(look) => Some(look),
            PackagesRecord::Accounted(_) => None,
        }
    }
}
