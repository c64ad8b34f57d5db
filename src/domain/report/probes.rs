//! What a host's probes found before anything was done, and after.

use serde::Serialize;

use super::clean;
use super::step::HostRecord;
use crate::domain::plan::Task;
use crate::domain::probe::ProbeResult;

/// One probe of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbeReport {
    /// As in the inventory.
    pub name: String,
    /// Before anything was done; absent if it was not asked.
    pub before: Option<ProbeFinding>,
    /// When all was done; absent if it was not asked.
    pub after: Option<ProbeFinding>,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbeFinding {
    /// Whether the answer was right.
    pub met: bool,
    /// What was asked, expected and found.
    pub what: String,
    /// From the first try to the end of the last, in milliseconds.
    pub took_ms: u64,
}

/// Both findings of each probe, in the order of the inventory.
pub(super) fn write(record: &HostRecord<'_>) -> Vec<ProbeReport> {
    let mut probes: Vec<ProbeReport> = Vec::new();
    for (_, planned, step) in record.steps() {
        let Task::HostProbes { before } = planned.task else { continue };
        for result in step.result().into_iter().flat_map(|result| &result.probes) {
            let name = clean(&result.name);
            let at = probes.iter().position(|probe| probe.name == name).unwrap_or_else(|| {
                probes.push(ProbeReport { name, before: None, after: None });
                probes.len() - 1
            });
            let Some(probe) = probes.get_mut(at) else { continue };
            // Should a job ask more than once, the first look before and the last one after count.
            match before {
                None => probe.before = probe.before.take().or_else(|| Some(finding(result))),
                Some(_) => probe.after = Some(finding(result)),
            }
        }
    }
    probes
}

fn finding(result: &ProbeResult) -> ProbeFinding {
    ProbeFinding { met: result.met, what: clean(&result.what), took_ms: result.took_ms }
}
