//! One host in the reader's words.

use jiff::Timestamp;
use serde::Serialize;

use super::super::Error;
use super::super::reader::Reader;
use super::packages::{self, PackagesView};
use super::words::{cause_clause, outcome_sentence, phase_line, place, step_name, word};
use super::{Row, labelled};
use crate::domain::job::Phase;
use crate::domain::report::host::{BackupProof, Change, HostReport, Note, OutcomeKind, PhaseReport, TakenBack};
use crate::domain::report::probes::{ProbeFinding, ProbeReport};
use crate::domain::report::step::{StepReference, StepReport, StepState};
use crate::domain::report::{BackupPromise, Report};
use crate::domain::run::event::Facts;

#[cfg(test)]
mod tests;

/// Facts of a change that are shown; the JSON has all of them.
const FACTS_SHOWN: usize = 12;

/// What the templates fill one host with.
#[derive(Debug, Serialize)]
pub(super) struct HostView {
    anchor: String,
    name: String,
    outcome: String,
    outcome_label: String,
    sentence: String,
    /// Whether any step has begun: if not, there is nothing to show but the sentence.
    begun: bool,
    rows: Vec<Row>,
    changes: Vec<ChangeView>,
    packages: Vec<PackagesView>,
    backups: Vec<BackupView>,
    backup_note: Option<String>,
    checks: Vec<LineView>,
    probes: Vec<ProbeView>,
    taken_back_heading: String,
    taken_back: Vec<LineView>,
    phases: Vec<PhaseView>,
    /// All phases in one line.
    course: String,
    steps: Vec<StepView>,
    facts: Option<String>,
    notes: Vec<NoteView>,
}

#[derive(Debug, Serialize)]
struct ChangeView {
    step: String,
    effect: String,
    effect_label: String,
    detail: String,
    /// All of it in one line.
    line: String,
}

#[derive(Debug, Serialize)]
struct BackupView {
    step: String,
    place: String,
    path: String,
    size: String,
    checksum: String,
    verified: String,
    rechecked: Option<String>,
    /// Step, place and path in one line.
    line: String,
    /// Both times in one line.
    times: String,
}

/// Something with a state and a time.
#[derive(Debug, Serialize)]
struct LineView {
    label: String,
    state: String,
    /// All but the label in one line.
    line: String,
}

#[derive(Debug, Serialize)]
struct ProbeView {
    name: String,
    before: ProbeCell,
    after: ProbeCell,
    /// All of it in one line.
    line: String,
}

#[derive(Debug, Serialize)]
struct ProbeCell {
    state: &'static str,
    label: String,
}

#[derive(Debug, Serialize)]
struct PhaseView {
    phase: String,
    state: String,
    /// Name, length and, unless it went well, state.
    line: String,
}

#[derive(Debug, Serialize)]
struct StepView {
    clock: String,
    phase: String,
    step: String,
    place: String,
    duration: String,
    state: String,
    state_label: String,
    exit_status: String,
    cause: Option<String>,
    output: Option<String>,
    last_line: String,
}

#[derive(Debug, Serialize)]
struct NoteView {
    line: String,
    hint: Option<String>,
}

/// Where a page has the host of this position.
pub(super) fn anchor(index: usize) -> String {
    format!("host-{}", index + 1)
}

pub(super) fn views(report: &Report, reader: &Reader<'_>) -> Result<Vec<HostView>, Error> {
    report.hosts.iter().enumerate().map(|(index, host)| view(report, index, host, reader)).collect()
}

fn view(report: &Report, index: usize, host: &HostReport, reader: &Reader<'_>) -> Result<HostView, Error> {
    let outcome = word(&host.outcome.kind);
    let phases = collect(&host.phases, |phase| phase_view(phase, reader))?;
    Ok(HostView {
        anchor: anchor(index),
        name: host.name.to_string(),
        outcome_label: reader.plain(&format!("report.outcome.{outcome}"))?,
        outcome,
        sentence: outcome_sentence(reader, &host.outcome)?,
        begun: !host.phases.is_empty(),
        rows: rows(host, reader)?,
        changes: collect(&host.changes, |change| change_view(change, reader))?,
        packages: packages::views(host, reader)?,
        backups: collect(&host.backups, |proof| backup_view(host, proof, reader))?,
        backup_note: backup_note(report, host, reader)?,
        checks: checks(host, reader)?,
        probes: collect(&host.probes, |probe| probe_view(probe, reader))?,
        taken_back_heading: reader.plain(match host.rolled_back.as_slice() {
            [] => "report.heading.released",
            _ => "report.heading.taken_back",
        })?,
        taken_back: taken_back(host, reader)?,
        course: phases.iter().map(|phase| phase.line.as_str()).collect::<Vec<_>>().join(", "),
        phases,
        steps: collect(host.steps.iter().filter(|step| is_told(step)), |step| step_view(host, step, reader))?,
        facts: (!host.annex.facts.is_empty()).then(|| pairs(&host.annex.facts, reader)).transpose()?,
        notes: notes(host, reader)?,
    })
}

fn collect<T, V>(all: impl IntoIterator<Item = T>, view: impl FnMut(T) -> Result<V, Error>) -> Result<Vec<V>, Error> {
    all.into_iter().map(view).collect()
}

fn rows(host: &HostReport, reader: &Reader<'_>) -> Result<Vec<Row>, Error> {
    if host.phases.is_empty() {
        return Ok(Vec::new());
    }
    let values = [
        ("report.label.span", host.started_at.map(|from| reader.span(from, host.finished_at)).transpose()?),
        ("report.label.duration", host.duration_ms.map(|duration| reader.duration(duration)).transpose()?),
        ("report.label.interruption", interruption(host, reader)?),
        ("report.label.reboot", restart(host, reader)?),
        ("report.label.point_of_no_return", point_of_no_return(host, reader)?),
    ];
    labelled(reader, values)
}

fn interruption(host: &HostReport, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let Some(interruption) = &host.interruption else { return Ok(None) };
    let text = match interruption.duration_ms {
        Some(duration_ms) => {
            let duration = reader.duration(duration_ms)?;
            let span = reader.span(interruption.from, interruption.to)?;
            reader.text("report.interruption.over", &[("duration", &duration), ("span", &span)])
        }
        None if host.outcome.kind == OutcomeKind::InWork => reader.span(interruption.from, None),
        None => reader.text("report.interruption.open", &[("from", &reader.moment(interruption.from)?)]),
    };
    text.map(Some)
}

/// Whether it was restarted, and whether it still has to be.
fn restart(host: &HostReport, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    if host.restarts.is_empty() && !host.steps.iter().any(|step| step.step.phase == Phase::Update) {
        return Ok(None);
    }
    let is_needed = host.packages.iter().any(|packages| packages.reboot_needed == Some(true));
    let mut texts = collect(&host.restarts, |restart| {
        let from = reader.moment(restart.from)?;
        match restart.duration_ms {
            Some(duration_ms) => {
                let duration = reader.duration(duration_ms)?;
                reader.text("report.restart.over", &[("from", &from), ("duration", &duration)])
            }
            None if restart.state == StepState::Running => reader.text("report.restart.under_way", &[("from", &from)]),
            None => reader.text("report.restart.not_confirmed", &[("from", &from)]),
        }
    })?;
    if is_needed {
        texts.push(reader.plain(if texts.is_empty() {
            "report.restart.needed"
        } else {
            "report.restart.needed_again"
        })?);
    } else if texts.is_empty() {
        texts.push(reader.plain("report.restart.none")?);
    }
    Ok(Some(texts.join("; ")))
}

fn point_of_no_return(host: &HostReport, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let Some(point) = &host.point_of_no_return else {
        let updates = host.steps.iter().any(|step| step.step.phase == Phase::Update);
        return updates.then(|| reader.plain("report.point_of_no_return.none")).transpose();
    };
    let step = step_name(reader, &point.step)?;
    match point.crossed_at {
        Some(at) => {
            let moment = reader.moment(at)?;
            reader.text("report.point_of_no_return.crossed", &[("step", &step), ("moment", &moment)]).map(Some)
        }
        None => reader.text("report.point_of_no_return.not_crossed", &[("step", &step)]).map(Some),
    }
}

fn change_view(change: &Change, reader: &Reader<'_>) -> Result<ChangeView, Error> {
    let effect = word(&change.effect);
    let step = step_name(reader, &change.step)?;
    let effect_label = reader.plain(&format!("report.effect.{effect}"))?;
    let detail = pairs(&change.facts, reader)?;
    let key = if detail.is_empty() { "report.change.line" } else { "report.change.line_detail" };
    let line = reader.text(key, &[("step", &step), ("effect", &effect_label), ("detail", &detail)])?;
    Ok(ChangeView { step, effect, effect_label, detail, line })
}

/// Facts in a row: versions first; `changed` is left out, the effect says it.
fn pairs(facts: &Facts, reader: &Reader<'_>) -> Result<String, Error> {
    let mut texts = Vec::new();
    let mut rest = facts.clone();
    rest.remove("changed");
    if let (Some(from), Some(to)) = (facts.get("from"), facts.get("to")) {
        texts.push(reader.text("report.change.versions", &[("from", from), ("to", to)])?);
        rest.retain(|key, _| key != "from" && key != "to");
    }
    if let Some(version) = rest.remove("version") {
        texts.push(reader.text("report.change.version", &[("version", &version)])?);
    }
    for (key, value) in rest.iter().take(FACTS_SHOWN) {
        texts.push(reader.text("report.change.fact", &[("key", key), ("value", value)])?);
    }
    if rest.len() > FACTS_SHOWN {
        texts.push(reader.count("report.change.more", rest.len() - FACTS_SHOWN, &[])?);
    }
    Ok(texts.join(", "))
}

fn backup_view(host: &HostReport, proof: &BackupProof, reader: &Reader<'_>) -> Result<BackupView, Error> {
    let step = step_name(reader, &proof.step)?;
    let place = place(reader, &proof.place, &host.name)?;
    let verified = reader.moment(proof.verified_at)?;
    let rechecked = proof.rechecked_at.map(|at| reader.moment(at)).transpose()?;
    let key = if rechecked.is_some() { "report.backup.times_rechecked" } else { "report.backup.times" };
    let moments = [("verified", &*verified), ("rechecked", rechecked.as_deref().unwrap_or_default())];
    Ok(BackupView {
        line: reader.text("report.backup.line", &[("step", &step), ("place", &place), ("path", &proof.path)])?,
        times: reader.text(key, &moments)?,
        step,
        place,
        path: proof.path.clone(),
        size: match proof.bytes {
            Some(bytes) => reader.bytes(bytes)?,
            None => reader.plain("report.unknown_size")?,
        },
        checksum: match proof.checksum.as_str() {
            "" => reader.plain("report.no_checksum")?,
            checksum => checksum.to_owned(),
        },
        verified,
        rechecked,
    })
}

/// Why there is no proof, where a reader would look for one.
fn backup_note(report: &Report, host: &HostReport, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let updates = host.steps.iter().any(|step| step.step.phase == Phase::Update);
    // Where there was nothing to do, or nothing was to be done, nobody misses a backup.
    let is_untouched = matches!(host.outcome.kind, OutcomeKind::NothingToDo | OutcomeKind::Skipped)
        && !host.phases.iter().any(|phase| phase.phase > Phase::Preflight);
    if host.phases.is_empty() || !host.backups.is_empty() || !updates || is_untouched {
        return Ok(None);
    }
    match &report.backup {
        BackupPromise::None { reason } => reader.text("report.backup.none", &[("reason", reason)]).map(Some),
        BackupPromise::Required => reader.plain("report.backup.missing").map(Some),
    }
}

/// The tests before and after.
fn checks(host: &HostReport, reader: &Reader<'_>) -> Result<Vec<LineView>, Error> {
    if host.phases.is_empty() {
        return Ok(Vec::new());
    }
    let checks = host.steps.iter().filter(|step| matches!(step.step.phase, Phase::Preflight | Phase::Smoke));
    collect(checks, |check| {
        let label = format!("report.phase.{}", check.step.phase);
        line(&label, &check.step, check.state, check.finished_at, reader)
    })
}

fn probe_view(probe: &ProbeReport, reader: &Reader<'_>) -> Result<ProbeView, Error> {
    let cell = |finding: &Option<ProbeFinding>| {
        let (state, key) = match finding {
            None => ("not_run", "not_asked"),
            Some(finding) if finding.met => ("succeeded", "green"),
            Some(_) => ("failed", "red"),
        };
        Ok::<_, Error>(ProbeCell { state, label: reader.plain(&format!("report.probe.{key}"))? })
    };
    let (before, after) = (cell(&probe.before)?, cell(&probe.after)?);
    let line = reader
        .text("report.probe.line", &[("name", &probe.name), ("before", &before.label), ("after", &after.label)])?;
    Ok(ProbeView { name: probe.name.clone(), before, after, line })
}

fn taken_back(host: &HostReport, reader: &Reader<'_>) -> Result<Vec<LineView>, Error> {
    let rolled_back = host.rolled_back.iter().map(|undone| ("report.phase.rollback", undone));
    let released = host.released.iter().map(|undone| ("report.phase.release", undone));
    collect(rolled_back.chain(released), |(label, undone): (&str, &TakenBack)| {
        line(label, &undone.step, undone.state, undone.finished_at, reader)
    })
}

fn line(
    label: &str,
    step: &StepReference,
    state: StepState,
    finished_at: Option<Timestamp>,
    reader: &Reader<'_>,
) -> Result<LineView, Error> {
    let what = step_name(reader, step)?;
    let state = word(&state);
    let state_label = reader.plain(&format!("report.step_state.{state}"))?;
    let line = match finished_at {
        None => reader.text("report.line", &[("what", &what), ("state", &state_label)])?,
        Some(at) => {
            let moment = reader.moment(at)?;
            reader.text("report.line_moment", &[("what", &what), ("state", &state_label), ("moment", &moment)])?
        }
    };
    Ok(LineView { label: reader.plain(label)?, state, line })
}

fn phase_view(phase: &PhaseReport, reader: &Reader<'_>) -> Result<PhaseView, Error> {
    let line = phase_line(reader, phase)?;
    Ok(PhaseView { phase: phase.phase.as_str().to_owned(), state: word(&phase.state), line })
}

/// Rollback and release steps that were not needed would only raise questions.
fn is_told(step: &StepReport) -> bool {
    step.started_at.is_some() || !matches!(step.step.phase, Phase::Rollback | Phase::Release)
}

fn step_view(host: &HostReport, step: &StepReport, reader: &Reader<'_>) -> Result<StepView, Error> {
    let state = word(&step.state);
    Ok(StepView {
        clock: step.started_at.map(|at| reader.clock_seconds(at)).transpose()?.unwrap_or_default(),
        phase: reader.plain(&format!("report.phase.{}", step.step.phase))?,
        step: step_name(reader, &step.step)?,
        place: place(reader, &step.place, &host.name)?,
        duration: step.duration_ms.map(|duration| reader.duration(duration)).transpose()?.unwrap_or_default(),
        state_label: reader.plain(&format!("report.step_state.{state}"))?,
        state,
        cause: step.cause.map(|cause| cause_clause(reader, cause)).transpose()?,
        exit_status: step.exit_status.map(|status| status.to_string()).unwrap_or_default(),
        output: output(step, reader)?,
        last_line: step.last_line.clone(),
    })
}

fn output(step: &StepReport, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    if step.output_bytes == 0 {
        return Ok(None);
    }
    let size = reader.bytes_short(step.output_bytes)?;
    if step.omitted_bytes == 0 {
        return Ok(Some(size));
    }
    let omitted = reader.bytes_short(step.omitted_bytes)?;
    reader.text("report.output.omitted", &[("size", &size), ("omitted", &omitted)]).map(Some)
}

/// What was said in other words than ours: of what went wrong, and by package managers.
fn notes(host: &HostReport, reader: &Reader<'_>) -> Result<Vec<NoteView>, Error> {
    let notes = host.annex.notes.iter().map(|note| note_view(note, reader));
    let warnings = host.packages.iter().flat_map(|packages| {
        let note = |what: &String| Note { step: Some(packages.step.clone()), what: what.clone(), hint: None };
        packages.warnings.iter().map(note)
    });
    let warnings: Vec<_> = warnings.collect();
    notes.chain(warnings.iter().map(|note| note_view(note, reader))).collect()
}

fn note_view(note: &Note, reader: &Reader<'_>) -> Result<NoteView, Error> {
    let line = match &note.step {
        Some(step) => reader.text("report.note", &[("step", &step_name(reader, step)?), ("what", &note.what)])?,
        None => note.what.clone(),
    };
    Ok(NoteView { line, hint: note.hint.clone() })
}
