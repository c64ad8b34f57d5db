//! Asks probes: one that a step names, or all that a host has, before anything was done to it and after.
//!
//! Invariant: what was red before and is red after is not blamed on the update, whatever the reason.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::{Instant, timeout_at};

use super::fleet::Fleet;
use crate::domain::id::Name;
use crate::domain::job::Place;
use crate::domain::line::clean_line;
use crate::domain::plan::PlannedHost;
use crate::domain::probe::template::Target;
use crate::domain::probe::{Check, HostProbe, OnRedBefore, Probe, ProbeResult};
use crate::domain::run::event::{StepEnd, StepResult};
use crate::edge::config;
use crate::edge::probe::{Baseline, Finding, Scene, Way, look};
use crate::edge::remote::Remote;

/// So many probes of a host are asked at the same time.
const PARALLEL: usize = 8;
/// Of what a probe found.
pub(super) const LINE_CHARS: usize = 200;

/// The probe of a step.
pub(super) async fn ask_one(probe: &Probe, fleet: &Fleet, host: &PlannedHost, place: &Place) -> StepResult {
    let from = if let Place::Delegate(name) = place { Some(name) } else { None };
    let finding = ask(probe, (fleet, host), from, Baseline::Known(&[])).await;
    let last_line = clean_line(finding.what.as_bytes(), LINE_CHARS);
    let end = if finding.met { StepEnd::Succeeded } else { StepEnd::NotMet { why: last_line.clone() } };
    StepResult { last_line, ..StepResult::of(end) }
}

/// All probes of a host before anything is done. A red one holds the host, unless it is merely to be noted.
pub(super) async fn ask_before(fleet: &Fleet, host: &PlannedHost, limit_s: u64) -> StepResult {
    let probes = ask_all((fleet, host), limit_s, None).await;
    let holds = |result: &&ProbeResult| {
        let probe = host.probes.iter().find(|probe| probe.name == result.name);
        !result.met && probe.is_none_or(|probe| probe.on_red_before == OnRedBefore::Hold)
    };
    let red: Vec<_> = probes.iter().filter(holds).collect();
    let end = if red.is_empty() { StepEnd::Succeeded } else { StepEnd::RedBefore { why: describe(&red) } };
    let last_line = count(&probes, &[]);
    StepResult { last_line, probes, ..StepResult::of(end) }
}

/// All probes of a host when all is done. Only what was not red `before` makes the step fail.
pub(super) async fn ask_after(fleet: &Fleet, host: &PlannedHost, limit_s: u64, before: &[ProbeResult]) -> StepResult {
    let probes = ask_all((fleet, host), limit_s, Some(before)).await;
    let red: Vec<_> = probes.iter().filter(|result| !result.met && !was_red(before, result)).collect();
    let end = if red.is_empty() { StepEnd::Succeeded } else { StepEnd::NotMet { why: describe(&red) } };
    let last_line = count(&probes, before);
    StepResult { last_line, probes, ..StepResult::of(end) }
}

fn was_red(before: &[ProbeResult], now: &ProbeResult) -> bool {
    before.iter().any(|result| result.name == now.name && !result.met)
}

/// In the order of the inventory. What has not answered by the end of the step is red. `before` is what the first look found; none
/// for that look itself.
async fn ask_all(
    (fleet, host): (&Fleet, &PlannedHost),
    limit_s: u64,
    before: Option<&[ProbeResult]>,
) -> Vec<ProbeResult> {
    let deadline = Instant::now() + Duration::from_secs(limit_s);
    let ask_named = |wanted: &HostProbe| {
        let wanted = wanted.clone();
        async move {
            let began = Instant::now();
            let noted = |before: &[ProbeResult]| {
                before
                    .iter()
                    .find(|result| result.name == wanted.name)
                    .map(|result| result.noted.clone())
                    .unwrap_or_default()
            };
            let noted = before.map(noted);
            let baseline = noted.as_deref().map_or(Baseline::Taken, Baseline::Known);
            let asked = ask(&wanted.probe, (fleet, host), wanted.from.as_ref(), baseline);
            let finding = timeout_at(deadline, asked).await;
            let finding = finding.unwrap_or_else(|_| {
                Finding::red(format!("{}: not answered within the step's {limit_s} s", wanted.probe.check.subject()))
            });
            ProbeResult {
                what: clean_line(finding.what.as_bytes(), LINE_CHARS),
                met: finding.met,
                took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                noted: finding.noted,
                name: wanted.name,
            }
        }
    };
    stream::iter(&host.probes).map(ask_named).buffered(PARALLEL).collect().await
}

/// Secrets are read when the probe is asked, so that they may change without anything else.
async fn ask(
    probe: &Probe,
    (fleet, host): (&Fleet, &PlannedHost),
    from: Option<&Name>,
    baseline: Baseline<'_>,
) -> Finding {
    let secrets = match read_secrets(&probe.check).await {
        Ok(secrets) => secrets,
        Err(finding) => return finding,
    };
    let target = Target { address: &host.connection.address, vars: &host.vars };
    let from = match find_from(fleet, from) {
        Ok(from) => from.map(as_way),
        Err(finding) => return finding,
    };
    let own = fleet.remote(&host.name).map(as_way);
    look(probe, &Scene { host: own, from, baseline, ..Scene::new(target, &secrets) }).await
}

pub(super) fn as_way(remote: &Remote) -> &dyn Way {
    remote
}

/// The host from which is looked, if it is one; or what is to be said of the probe if the plan does not have it.
pub(super) fn find_from<'a>(fleet: &'a Fleet, from: Option<&Name>) -> Result<Option<&'a Remote>, Finding> {
    let Some(name) = from else { return Ok(None) };
    let missing = || Finding::red(format!("there is no way to `{name}`, from which is looked"));
    fleet.remote(name).map(Some).ok_or_else(missing)
}

/// The secrets that asking needs, by name; or what is to be said of the probe if one can't be read.
pub(super) async fn read_secrets(check: &Check) -> Result<BTreeMap<&'static str, String>, Finding> {
    let mut secrets = BTreeMap::new();
    for (name, reference) in check.secrets() {
        let secret = config::resolve_secret(reference).await;
        let secret = secret.map_err(|error| Finding::red(format!("`{name}`: {error}")))?;
        secrets.insert(name, secret.expose().to_owned());
    }
    Ok(secrets)
}

/// The first that is red, and how many others are.
fn describe(red: &[&ProbeResult]) -> String {
    let Some(first) = red.first() else { return String::new() };
    let others = match red.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    format!("`{}`: {}{others}", first.name, first.what)
}

fn count(probes: &[ProbeResult], before: &[ProbeResult]) -> String {
    let red = probes.iter().filter(|result| !result.met).count();
    let old = probes.iter().filter(|result| !result.met && was_red(before, result)).count();
    let green = probes.len() - red;
    match (red, old) {
        (0, _) => format!("{green} green"),
        (_, 0) => format!("{green} green, {red} red"),
        _ => format!("{green} green, {red} red, of these {old} as before"),
    }
}
