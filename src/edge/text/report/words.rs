//! Words for steps, causes and outcomes.

use serde::Serialize;

use super::super::Error;
use super::super::reader::Reader;
use crate::domain::id::Name;
use crate::domain::job::Place;
use crate::domain::report::host::{HostOutcome, PhaseReport, PhaseState};
use crate::domain::report::step::{Cause, StepReference};

/// Names that are told in one line; the JSON has all of them.
pub(super) const NAMES_SHOWN: usize = 20;

/// Names in a row, and by the text of `key` how many more of `count` there are.
pub(in crate::edge::text) fn names_in_line(
    key: &str,
    names: &[impl AsRef<str>],
    count: usize,
    reader: &Reader<'_>,
) -> Result<String, Error> {
    let shown: Vec<_> = names.iter().take(NAMES_SHOWN).map(AsRef::as_ref).collect();
    let more = count.saturating_sub(shown.len());
    let shown = shown.join(", ");
    if more == 0 { Ok(shown) } else { reader.count(key, more, &[("names", &shown)]) }
}

/// How many of each there are, as one sentence; nothing if there are none at all.
pub(in crate::edge::text) fn counts_in_line(
    all: &[(&str, usize)],
    values: &[(&str, &str)],
    reader: &Reader<'_>,
) -> Result<Option<String>, Error> {
    let some = all.iter().filter(|(_, count)| *count > 0);
    let texts: Vec<String> = some.map(|(key, count)| reader.count(key, *count, values)).collect::<Result<_, _>>()?;
    Ok((!texts.is_empty()).then(|| format!("{}.", texts.join(", "))))
}

/// The word by which the report's JSON calls `value`: texts are found by it, and pages style by it.
pub(in crate::edge::text) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(tagged) => tagged.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned(),
        Err(_) => String::new(),
    }
}

/// The step's name in quotation marks, with the part of it that is meant.
pub(super) fn step_name(reader: &Reader<'_>, step: &StepReference) -> Result<String, Error> {
    reader.text(&format!("report.step.{}", step.part), &[("name", &step.name)])
}

/// The machine on which a step of `host` runs.
pub(super) fn place(reader: &Reader<'_>, place: &Place, host: &Name) -> Result<String, Error> {
    match place {
        Place::Host => Ok(host.to_string()),
        Place::Delegate(delegate) => Ok(delegate.to_string()),
        Place::Controller => reader.plain("report.controller"),
    }
}

/// Why a step did not end well, as a clause.
pub(super) fn cause_clause(reader: &Reader<'_>, cause: Cause) -> Result<String, Error> {
    let exit_status = match cause {
        Cause::ExitStatus { exit_status } => exit_status.to_string(),
        _ => String::new(),
    };
    reader.text(&format!("report.cause.{}", word(&cause)), &[("exit_status", &exit_status)])
}

/// What became of a host, in a sentence for customers.
pub(in crate::edge::text) fn outcome_sentence(reader: &Reader<'_>, outcome: &HostOutcome) -> Result<String, Error> {
    let kind = word(&outcome.kind);
    let (key, cause) = match outcome.cause {
        None if outcome.step.is_some() => (format!("report.sentence.{kind}_step"), String::new()),
        Some(
            cause @ (Cause::FailureLimit | Cause::LostSight | Cause::WindowEnding | Cause::HeldBack | Cause::RedBefore),
        ) => (format!("report.sentence.{kind}_{}", word(&cause)), String::new()),
        Some(Cause::Cancelled) if outcome.step.is_none() => {
            (format!("report.sentence.{kind}_cancelled"), String::new())
        }
        None | Some(Cause::Cancelled | Cause::Unreachable | Cause::NotKnown) => {
            (format!("report.sentence.{kind}"), String::new())
        }
        Some(cause) => (format!("report.sentence.{kind}"), cause_clause(reader, cause)?),
    };
    let step = outcome.step.as_ref().map(|step| step_name(reader, step)).transpose()?.unwrap_or_default();
    reader.text(&key, &[("step", &step), ("cause", &cause)])
}

/// A phase with its length and, unless it went well, its state.
pub(in crate::edge::text) fn phase_line(reader: &Reader<'_>, phase: &PhaseReport) -> Result<String, Error> {
    let name = reader.plain(&format!("report.phase.{}", phase.phase))?;
    let duration = phase.duration_ms.map(|duration| reader.duration(duration)).transpose()?;
    if phase.state == PhaseState::Succeeded {
        let duration = duration.unwrap_or_default();
        return reader.text("report.phase_line.succeeded", &[("phase", &name), ("duration", &duration)]);
    }
    let state = reader.plain(&format!("report.phase_state.{}", word(&phase.state)))?;
    match duration {
        Some(duration) => {
            let values = [("phase", &*name), ("duration", &*duration), ("state", &*state)];
            reader.text("report.phase_line.ended", &values)
        }
        None => reader.text("report.phase_line.open", &[("phase", &name), ("state", &state)]),
    }
}
