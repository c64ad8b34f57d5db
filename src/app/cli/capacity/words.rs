//! Disks of hosts, as the provider's people read of them.

use crate::app::cli::show::{moment, table};
use crate::domain::capacity::{DaysUntilFull, Fill, Prospect, Resource};
use crate::domain::report::capacity::{HostCapacity, PathCapacity};

use super::Told;

/// All customers, one table each.
pub(super) fn describe(told: &[Told<'_>]) -> String {
    let with_hosts: Vec<_> = told.iter().filter(|(_, hosts)| !hosts.is_empty()).collect();
    if with_hosts.is_empty() {
        return "nothing is watched: `capacity` of a host, or of all of them, names paths".to_owned();
    }
    let parts: Vec<String> = with_hosts.into_iter().map(describe_customer).collect();
    parts.join("\n\n")
}

fn describe_customer((customer, hosts): &Told<'_>) -> String {
    let mut lines = vec![format!("{} ({})", customer.display_name, customer.name)];
    if hosts.iter().any(|host| !host.paths.is_empty()) {
        let mut rows = table(&["host", "path", "size", "free", "inodes free", "a day", "full", "last backup"]);
        for host in hosts {
            for path in &host.paths {
                rows.add_row(row(host, path));
            }
        }
        lines.push(rows.to_string());
    }
    lines.extend(hosts.iter().flat_map(notes));
    lines.join("\n")
}

fn row(host: &HostCapacity, path: &PathCapacity) -> [String; 8] {
    let inodes = path.inodes.map_or_else(|| "-".to_owned(), percent);
    [
        host.host.to_string(),
        path.path.clone(),
        bytes(path.space.total),
        format!("{} ({})", bytes(path.space.free), percent(path.space)),
        inodes,
        per_day(path),
        full(path),
        backup(path),
    ]
}

/// What does not fit into columns, a line each.
fn notes(host: &HostCapacity) -> Vec<String> {
    let mut notes = Vec::new();
    match (host.looked_at, &host.fault) {
        (None, _) => notes.push(format!("{}: never measured; `turnus capacity collect` does it now", host.host)),
        (Some(at), Some(fault)) => notes.push(format!("{}: not measured at {}: {fault}", host.host, moment(at))),
        (Some(at), None) => {
            let memory = host.memory.map(|memory| {
                format!(", memory {} of {} available", bytes(memory.available_bytes), bytes(memory.total_bytes))
            });
            notes.push(format!("{}: measured at {}{}", host.host, moment(at), memory.unwrap_or_default()));
        }
    }
    notes.extend(host.unmeasured.iter().map(|missing| format!("{}: {}: {}", host.host, missing.path, missing.why)));
    notes
}

fn per_day(path: &PathCapacity) -> String {
    match (&path.prospect, path.resource) {
        (Prospect::Growing { per_day, .. }, Resource::Space) => format!("+{}", bytes(*per_day)),
        (Prospect::Growing { per_day, .. }, Resource::Inodes) => format!("+{per_day} inodes"),
        _ => "-".to_owned(),
    }
}

fn full(path: &PathCapacity) -> String {
    let of_inodes = if path.resource == Resource::Inodes { " of inodes" } else { "" };
    match &path.prospect {
        Prospect::Full => format!("FULL{of_inodes}"),
        Prospect::NotGrowing => "not growing".to_owned(),
        Prospect::TooFew { measurements, needed } => {
            format!("{measurements} of {needed} measurements")
        }
        Prospect::Growing { days, .. } => format!("in {}{of_inodes}", range(days)),
    }
}

/// `41 d (35-50 d)`
fn range(days: &DaysUntilFull) -> String {
    let latest = days.latest.map_or_else(|| "?".to_owned(), |latest| latest.to_string());
    format!("{} d ({}-{latest} d)", days.estimate, days.earliest)
}

fn backup(path: &PathCapacity) -> String {
    match &path.last_backup {
        None => "-".to_owned(),
        Some(backup) if backup.more == 0 => format!("{}: no room for another", bytes(backup.bytes)),
        Some(backup) => format!("{}: room for {} more", bytes(backup.bytes), backup.more),
    }
}

fn percent(fill: Fill) -> String {
    let percent = u128::from(fill.free) * 100 / u128::from(fill.total.max(1));
    format!("{percent}%")
}

/// With one digit after the point, in the largest unit of 1024 that leaves something before it.
fn bytes(bytes: u64) -> String {
    let units = [(50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.iter().find(|(power, _)| bytes >> power > 0) {
        None => format!("{bytes} B"),
        Some((power, unit)) => {
            let tenths = (u128::from(bytes) * 10) >> power;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}
