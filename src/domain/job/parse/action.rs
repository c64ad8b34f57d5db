//! What a step does: exactly one of `run`, `disk_free`, `probe`, `probes`, `packages` and `reboot`.

use super::step::read_script;
use crate::domain::document::{Table, Value, Wrong};
use crate::domain::job::{Action, Conffiles, PackagesAction, Which};
use crate::domain::packages::choose::DriftPolicy;
use crate::domain::probe::parse::read_probe;

const ACTION_RULE: &str = "exactly one of `run`, `disk_free`, `probe`, `probes`, `packages`, `reboot`";
/// Long enough for unattended-upgrades to finish what it has begun.
const LOCK_WAIT_S: u64 = 10 * 60;
/// What `path` of `disk_free` may be, for messages.
const PATH_RULE: &str = "an absolute path";

/// Reads the action of a step.
pub(super) fn read_action(table: &mut Table<'_>) -> Option<Action> {
    let run = table.optional("run");
    let disk_free = table.optional("disk_free");
    let probe = table.optional("probe");
    let probes = table.optional("probes");
    let packages = table.optional("packages");
    let reboot = table.optional("reboot");
    let given: Vec<Value<'_>> = [run, disk_free, probe, probes, packages, reboot].into_iter().flatten().collect();
    match given.as_slice() {
        [] => table.report(Wrong::new("the step does nothing").expected(ACTION_RULE)),
        [_, second, ..] => second.report(Wrong::new("the step does more than one thing").expected(ACTION_RULE)),
        _ => {}
    }
    let run = run.and_then(|value| read_script(&value).map(Action::Script));
    let disk_free = disk_free.and_then(|value| read_disk_free(value.table()?));
    let probe = probe.and_then(|value| read_probe(value.table()?).map(Action::Probe));
    let probes = probes.and_then(|value| value.word(&[("all", ())]).map(|()| Action::HostProbes));
    let reboot = reboot.and_then(|value| read_reboot(value.table()?));
    let packages = packages.and_then(|value| read_packages(table, &value).map(Action::Packages));
    run.or(disk_free).or(probe).or(probes).or(packages).or(reboot)
}

/// `packages` with the keys that go with it.
fn read_packages(table: &mut Table<'_>, value: &Value<'_>) -> Option<PackagesAction> {
    let which = value.word(&[("approved", Which::Approved), ("all", Which::All)]);
    let conffiles = table.optional("conffiles");
    let conffiles = conffiles.map(|value| value.word(&[("keep", Conffiles::Keep), ("replace", Conffiles::Replace)]));
    let policies = [("hold", DriftPolicy::Hold), ("install-approved-only", DriftPolicy::InstallApprovedOnly)];
    let drift = table.optional("drift").map(|value| value.word(&policies));
    let lock_wait_s = table.optional("lock_wait").map(|value| value.duration_s());
    Some(PackagesAction {
        which: which?,
        conffiles: conffiles.unwrap_or(Some(Conffiles::Keep))?,
        drift: drift.unwrap_or(Some(DriftPolicy::default()))?,
        lock_wait_s: lock_wait_s.unwrap_or(Some(LOCK_WAIT_S))?,
    })
}

fn read_disk_free(mut table: Table<'_>) -> Option<Action> {
    let path = table.required("path").and_then(|value| value.parsed(PATH_RULE, parse_path));
    let at_least = table.required("at_least").and_then(|value| value.size_bytes());
    table.finish();
    Some(Action::DiskFree { path: path?, at_least_bytes: at_least? })
}

fn parse_path(text: &str) -> Option<String> {
    let fits = text.starts_with('/') && text.len() <= 4096 && !text.contains(char::is_control);
    fits.then(|| text.to_owned())
}

fn read_reboot(mut table: Table<'_>) -> Option<Action> {
    let within_s = table.required("within").and_then(|value| value.duration_s());
    table.finish();
    Some(Action::Reboot { within_s: within_s? })
}
