//! `[[step]]`.

use super::action::read_action;
use crate::domain::document::{Distinct, Located, Table, Value, Wrong};
use crate::domain::id::Name;
use crate::domain::job::secret::read_secrets;
use crate::domain::job::{Action, Phase, Place, Rollback, Step};

const PHASES: [(&str, Phase); 5] = [
    ("preflight", Phase::Preflight),
    ("quiesce", Phase::Quiesce),
    ("backup", Phase::Backup),
    ("update", Phase::Update),
    ("smoke", Phase::Smoke),
];

/// Longest shell text; it travels to the host with each start.
const MAX_SCRIPT_BYTES: usize = 256 * 1024;

/// What the job as a whole needs to know of a step, even if the step is wrong.
pub(super) struct Outline<'d> {
    pub(super) phase: Option<Phase>,
    pub(super) delegate: Option<Located<Name>>,
    table: Table<'d>,
}

impl Outline<'_> {
    /// Reports a mistake of the step as a whole.
    pub(super) fn report(&self, wrong: Wrong) {
        self.table.report(wrong);
    }
}

/// Reads all steps, in the order of the file.
pub(super) fn read_steps(tables: Vec<Table<'_>>) -> (Vec<Step>, Vec<Outline<'_>>) {
    let mut seen = Distinct::default();
    let (steps, outlines): (Vec<Option<Step>>, Vec<_>) =
        tables.into_iter().map(|table| read_step(table, &mut seen)).unzip();
    (steps.into_iter().flatten().collect(), outlines)
}

fn read_step<'d>(mut table: Table<'d>, seen: &mut Distinct) -> (Option<Step>, Outline<'d>) {
    let phase = table.required("phase").and_then(|value| read_phase(&value));
    let name = table.required("name").and_then(|value| {
        let name = value.line()?;
        seen.admit(name, &value);
        Some(name.to_owned())
    });
    let (place, delegate) = table.optional("on").map(|value| read_place(&value)).unwrap_or((Place::Host, None));
    let action = read_action(&mut table);
    let undo = table.optional("undo").and_then(|value| read_script(&value));
    let rollback = table.optional("rollback").and_then(|value| read_rollback(&value, table.has("packages")));
    let verify = table.optional("verify").and_then(|value| read_script(&value));
    let timeout_s = table.optional("timeout").and_then(|value| value.duration_s());
    let estimate_s = table.optional("estimate").and_then(|value| value.duration_s());
    let secrets = table.table("secrets").map(|secrets| read_secrets(&secrets)).unwrap_or_default();
    check_place_of_action(&mut table, phase);
    check_companions(&mut table, phase);
    check_built_in(&mut table);
    table.finish();
    let step = phase.zip(name).zip(action).map(|((phase, name), action)| Step {
        phase,
        name,
        place: place_of(&action, place),
        timeout_s: timeout_s.unwrap_or_else(|| default_timeout_s(phase, &action)),
        estimate_s,
        action,
        undo,
        rollback,
        verify,
        secrets,
    });
    (step, Outline { phase, delegate, table })
}

fn read_phase(value: &Value<'_>) -> Option<Phase> {
    let derived = match value.as_str() {
        Some("release") => "say `undo` in the step that is to be taken back: `release` runs it",
        Some("rollback") => "say `rollback` in the update step that is to be taken back",
        _ => return value.word(&PHASES),
    };
    value.report(value.wrong().expected("a phase with steps of its own").hint(derived));
    None
}

fn read_place(value: &Value<'_>) -> (Place, Option<Located<Name>>) {
    if value.as_str() == Some("controller") {
        return (Place::Controller, None);
    }
    match value.parsed("`controller` or the name of a host", |text| text.parse::<Name>().ok()) {
        Some(name) => (Place::Delegate(name.clone()), Some(value.locate(name))),
        None => (Place::Host, None),
    }
}

/// Shell text: not blank, no NUL, of bounded size.
pub(super) fn read_script(value: &Value<'_>) -> Option<String> {
    let text = value.string()?;
    let wrong = if text.trim().is_empty() {
        value.wrong().expected("shell text")
    } else if text.len() > MAX_SCRIPT_BYTES {
        Wrong::new(format!("the shell text has {} bytes", text.len()))
            .expected(format!("at most {MAX_SCRIPT_BYTES} bytes"))
    } else {
        return Some(text.to_owned());
    };
    value.report(wrong);
    None
}

/// Which built-in action may stand in which phase, and what it decides itself.
fn check_place_of_action(table: &mut Table<'_>, phase: Option<Phase>) {
    let rules: [(&'static str, &[Phase], &str); 5] = [
        ("disk_free", &[Phase::Preflight, Phase::Smoke], "phase `preflight` or `smoke`"),
        ("probe", &[Phase::Preflight, Phase::Smoke], "phase `preflight` or `smoke`"),
        ("probes", &[Phase::Smoke], "phase `smoke`"),
        ("packages", &[Phase::Update], "phase `update`"),
        ("reboot", &[Phase::Update], "phase `update`"),
    ];
    for (action, phases, expected) in rules {
        if let Some(phase) = phase.filter(|phase| !phases.contains(phase)) {
            table.forbid(action, || Wrong::new(format!("`{action}` in phase `{phase}`")).expected(expected));
        }
    }
    if table.has("probes") {
        table.forbid("on", || {
            Wrong::new("`on` with `probes`").hint("leave it out: each probe knows where it looks from")
        });
    }
    if table.has("probe") {
        table.forbid("on", || Wrong::new("`on` with a probe").hint("leave it out: probes look from the controller"));
        table.forbid("timeout", || Wrong::new("`timeout` with a probe").hint("the probe's limit is its `within`"));
    }
    if table.has("reboot") {
        table.forbid("on", || Wrong::new("`on` with `reboot`").hint("leave it out: the host itself is restarted"));
    }
    if table.has("packages") {
        table.forbid("on", || Wrong::new("`on` with `packages`").hint("leave it out: the host's own are installed"));
    } else {
        for key in ["conffiles", "drift", "lock_wait"] {
            table.forbid(key, || Wrong::new(format!("`{key}` without `packages`")).expected("`packages` beside it"));
        }
    }
}

/// Which keys may stand beside which action in which phase.
fn check_companions(table: &mut Table<'_>, phase: Option<Phase>) {
    let Some(phase) = phase else { return };
    if phase == Phase::Smoke {
        table.forbid("undo", || Wrong::new("`undo` in phase `smoke`").hint("a smoke test changes nothing"));
    }
    if phase != Phase::Update {
        table.forbid("rollback", || Wrong::new(format!("`rollback` in phase `{phase}`")).expected("phase `update`"));
    }
    if phase != Phase::Backup {
        table.forbid("verify", || Wrong::new(format!("`verify` in phase `{phase}`")).expected("phase `backup`"));
    } else if table.has("run") && !table.has("verify") {
        let wrong =
            Wrong::new("the backup is not verified").expected("`verify`, shell text whose exit status 0 is proof");
        table.report(wrong);
    }
}

/// Built-in actions leave nothing to take back and are no shell text that could read a secret; but a restart may have a rollback.
fn check_built_in(table: &mut Table<'_>) {
    let built_in = ["disk_free", "probe", "probes", "packages", "reboot"].into_iter().find(|action| table.has(action));
    let Some(action) = built_in.filter(|_| !table.has("run")) else { return };
    table.forbid("undo", || Wrong::new(format!("`undo` with `{action}`")).expected("`undo` beside `run`"));
    if !matches!(action, "packages" | "reboot") {
        table.forbid("secrets", || Wrong::new(format!("`secrets` with `{action}`, which has no use for them")));
    }
}

/// Shell text, or the word `packages` where a step installs packages.
fn read_rollback(value: &Value<'_>, installs: bool) -> Option<Rollback> {
    match (value.as_str(), installs) {
        (Some("packages"), true) => Some(Rollback::Packages),
        (Some("packages"), false) => {
            let wrong = Wrong::new("`rollback = \"packages\"` in a step that installs none");
            value.report(wrong.expected("shell text").hint("it takes back what `packages` did in the same step"));
            None
        }
        _ => read_script(value).map(Rollback::Script),
    }
}

fn place_of(action: &Action, place: Place) -> Place {
    match action {
        Action::Probe(_) | Action::HostProbes => Place::Controller,
        Action::Packages(_) | Action::Reboot { .. } => Place::Host,
        Action::Script(_) | Action::DiskFree { .. } => place,
    }
}

fn default_timeout_s(phase: Phase, action: &Action) -> u64 {
    match action {
        Action::Probe(probe) => probe.patience.limit_s(),
        _ if phase == Phase::Update => 60 * 60,
        _ => 10 * 60,
    }
}
