//! One JSON object a line: every event as it is stored, with names in place of positions, and output as it comes.

use serde_json::{Value, json};

use super::plain::host_name;
use super::writer::{Piece, Writer};
use crate::domain::id::RunId;
use crate::domain::plan::{HostIndex, Plan, StepIndex};
use crate::domain::run::event::Recorded;
use crate::domain::run::state::Run;

/// Lines on stdout.
#[derive(Debug, Default)]
pub(super) struct Json {
    /// Pieces of output that were left out, because too much was waiting for the reader.
    left_out: usize,
}

impl Json {
    pub(super) fn begin(&self, writer: &Writer, number: i64, id: RunId) {
        write(writer, &json!({"kind": "run", "run_number": number, "run_id": id}));
    }

    pub(super) fn event(&mut self, writer: &Writer, run: &Run, recorded: &Recorded) {
        self.tell_left_out(writer);
        write(writer, &event_object(run.plan(), recorded));
    }

    pub(super) fn output(&mut self, writer: &Writer, run: &Run, (host, step): (HostIndex, StepIndex), bytes: &[u8]) {
        let plan = run.plan();
        let text = String::from_utf8_lossy(bytes);
        let object =
            json!({"kind": "output", "host": host_name(plan, host), "step": step_object(plan, step), "text": text});
        if !writer.offer(Piece::Print(object.to_string())) {
            self.left_out += 1;
        }
    }

    pub(super) fn notice(&self, writer: &Writer, text: &str) {
        write(writer, &json!({"kind": "notice", "text": text}));
    }

    fn tell_left_out(&mut self, writer: &Writer) {
        match std::mem::take(&mut self.left_out) {
            0 => {}
            count => self.notice(
                writer,
                &format!(
                    "{count} pieces of output are left out here, because they were not read; `turnus log` has them"
                ),
            ),
        }
    }
}

fn write(writer: &Writer, object: &Value) {
    writer.write(Piece::Print(object.to_string()));
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
