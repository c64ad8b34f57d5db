//! What the steps of a run that have to do with packages know of each other.

use super::state::{Run, StepRun};
use crate::domain::packages::PackagesRecord;
use crate::domain::packages::choose::Look;
use crate::domain::plan::{HostIndex, StepIndex, Task};

impl Run {
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
