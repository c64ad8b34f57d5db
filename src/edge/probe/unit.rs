//! Units of systemd, asked on the host.

use super::{Answer, Baseline, Found, Scene};
use crate::domain::probe::UnitCheck;
use crate::domain::probe::unit::is_typed;

/// Asks for the unit, and for those that have failed.
pub(super) async fn ask(check: &UnitCheck, scene: &Scene<'_>) -> Result<Found, String> {
    let host = scene.host.ok_or("unit: there is no way to the host")?;
    let mut told = Vec::new();
    if let Some(name) = &check.name {
        let answer =
            host.run(&["systemctl", "is-active", "--", name]).await.map_err(|why| format!("unit {name}: {why}"))?;
        told.push(judge_unit(name, &answer)?);
    }
    if !check.no_new_failures {
        return Ok(Found::from(told.join(", ")));
    }
    let words = ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager", "--full"];
    let answer = host.run(&words).await.map_err(|why| format!("failed units: {why}"))?;
    let failed = list_failed(&answer)?;
    told.push(judge_failed(&failed, scene.baseline)?);
    Ok(Found { what: told.join(", "), noted: failed })
}

fn judge_unit(name: &str, answer: &Answer) -> Result<String, String> {
    match (answer.status, answer.last_line()) {
        (Some(0), state) => Ok(format!("unit {name}: {state}")),
        // systemctl(1): 3 is a unit that is not active, 4 one that there is not; both print a state.
        (Some(3 | 4), state) if !state.is_empty() => Err(format!("unit {name}: expected active, found {state}")),
        _ => Err(format!("unit {name}: {}", answer.trouble())),
    }
}

/// The first word of each line is a unit; start-up files of the account may have printed others.
fn list_failed(answer: &Answer) -> Result<Vec<String>, String> {
    if answer.status != Some(0) {
        return Err(format!("failed units: {}", answer.trouble()));
    }
    let units = answer.output.lines().filter_map(|line| line.split_whitespace().next()).filter(|word| is_typed(word));
    Ok(units.map(str::to_owned).collect())
}

fn judge_failed(failed: &[String], baseline: Baseline<'_>) -> Result<String, String> {
    let Baseline::Known(before) = baseline else {
        return Ok(format!("{} failed units", failed.len()));
    };
    let new: Vec<_> = failed.iter().filter(|unit| !before.contains(unit)).map(String::as_str).collect();
    match new.as_slice() {
        [] if failed.is_empty() => Ok("no failed units".to_owned()),
        [] => Ok(format!("no failed units but the {} from before", failed.len())),
        _ => Err(format!("failed units: expected none that had not failed before, found {}", new.join(", "))),
    }
}
