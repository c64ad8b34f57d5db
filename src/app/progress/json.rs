//! One JSON object a line: every event as it is stored, with names in place of positions, and output as it comes.

use serde_json::{Value, json};

use super::plain::host_name;
use crate::app::console::print;
use crate::domain::id::RunId;
use crate::domain::plan::{HostIndex, Plan, StepIndex};
use crate::domain::run::event::Recorded;
use crate::domain::run::state::Run;

/// Lines on stdout.
#[derive(Debug)]
pub struct Json;

impl Json {
    pub(super) fn begin(&self, number: i64, id: RunId) {
        print(&json!({"kind": "run", "run_number": number, "run_id": id}).to_string());
    }

    pub(super) fn event(&self, run: &Run, recorded: &Recorded) {
        print(&event_object(run.plan(), recorded).to_string());
    }

    pub(super) fn output(&self, run: &Run, host: HostIndex, step: StepIndex, bytes: &[u8]) {
        let plan = run.plan();
        let text = String::from_utf8_lossy(bytes);
        print(
            &json!({"kind": "output", "host": host_name(plan, host), "step": step_object(plan, step), "text": text})
                .to_string(),
        );
    }

    pub(super) fn notice(&self, text: &str) {
        print(&json!({"kind": "notice", "text": text}).to_string());
    }
}

/// An event of the record as programs read it.
#[must_use]
pub fn event_object(plan: &Plan, recorded: &Recorded) -> Value {
    let mut object = serde_json::to_value(recorded).unwrap_or_default();
    if let Some(host) = recorded.event.host() {
        object["host"] = Value::from(host_name(plan, host));
    }
    if let Some(step) = recorded.event.step() {
        object["step"] = step_object(plan, step);
    }
    // The outcome names the step that decided it.
    if let Some(step) = object["outcome"]["step"].as_u64().and_then(|step| usize::try_from(step).ok()) {
        object["outcome"]["step"] = step_object(plan, StepIndex(step));
    }
    object
}

fn step_object(plan: &Plan, step: StepIndex) -> Value {
    let planned = plan.steps.get(step.0);
    json!({
        "index": step.0,
        "phase": planned.map(|step| step.phase),
        "name": planned.map(|step| &step.name),
        "part": planned.map(|step| step.part.as_str()),
    })
}
