//! The words of dnf, as the Python in `dnf.sh` puts them: a line for each part of a transaction, with tabs between its fields.
//!
//! An update is two lines, one for what comes and one for what goes; what an obsoleting package takes the place of has one more.

use super::rpm::{read_installed, read_package, read_version};
use super::{Sections, unreadable};
use crate::domain::packages::{
    Change, ChangeKind, Held, HeldCause, Installed, Obstacle, Package, PackageManager, Survey,
};

const WHAT: &str = "dnf";

/// Reads the sections of a survey.
pub(super) fn survey(sections: &Sections) -> Result<Survey, Obstacle> {
    let installed = read_installed(sections)?;
    let read_lost = |line: &str| {
        let package = line.split_once('\t').and_then(|(name, architecture)| read_package(name, architecture));
        package.ok_or_else(|| unreadable(WHAT, line))
    };
    Ok(Survey {
        manager: PackageManager::Dnf,
        pending: read_changes(sections.get("pending"))?,
        held: sections.lines("held").map(|line| read_held(line, &installed)).collect::<Result<_, _>>()?,
        reboot_needed: None,
        stale_services: Vec::new(),
        without_way_back: sections.lines("without-way-back").map(read_lost).collect::<Result<_, _>>()?,
        warnings: Vec::new(),
        installed,
    })
}

/// Reads what a simulated installation would do.
pub(super) fn transaction(text: &str, _sections: &Sections) -> Result<Vec<Change>, Obstacle> {
    read_changes(text)
}

/// `ACTION NAME ARCHITECTURE VERSION REPOSITORY SIZE SECURITY`.
fn read_changes(text: &str) -> Result<Vec<Change>, Obstacle> {
    let (mut coming, mut going) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.split('\t').collect();
        let read = match fields.as_slice() {
            ["Install" | "Upgrade" | "Downgrade", rest @ ..] => read_coming(rest).map(|change| coming.push(change)),
            ["Removed" | "Obsoleted" | "Upgraded" | "Downgraded", name, architecture, version, ..] => {
                let read = read_package(name, architecture).zip(read_version(version));
                read.map(|gone| going.push((fields[0], gone)))
            }
            _ => None,
        };
        read.ok_or_else(|| unreadable(WHAT, line))?;
    }
    Ok(join(coming, going))
}

fn read_coming(fields: &[&str]) -> Option<Change> {
    let [name, architecture, version, repository, size, security] = fields else { return None };
    Some(Change {
        package: read_package(name, architecture)?,
        kind: ChangeKind::Install,
        from: None,
        to: Some(read_version(version)?),
        repository: Some((*repository).to_owned()),
        security: *security == "security",
        size_bytes: Some(size.parse().ok()?),
    })
}

/// What goes belongs to what comes of the same package: kernels that are too many go with a new one. All else is a removal.
fn join(mut changes: Vec<Change>, going: Vec<(&str, (Package, String))>) -> Vec<Change> {
    let mut removals = Vec::new();
    for (action, (package, version)) in going {
        let replacing = changes.iter_mut().find(|change| change.package == package);
        if let Some(change) = replacing {
            change.kind = if action == "Downgraded" { ChangeKind::Downgrade } else { ChangeKind::Upgrade };
            change.from.get_or_insert(version);
        } else {
            removals.push(Change {
                package,
                kind: ChangeKind::Remove,
                from: Some(version),
                to: None,
                repository: None,
                security: false,
                size_bytes: None,
            });
        }
    }
    changes.append(&mut removals);
    changes
}

/// `CAUSE NAME ARCHITECTURE VERSION`.
fn read_held(line: &str, installed: &Installed) -> Result<Held, Obstacle> {
    let read = || {
        let fields: Vec<&str> = line.split('\t').collect();
        let [cause, name, architecture, candidate] = fields.as_slice() else { return None };
        let cause = match *cause {
            "hold" => HeldCause::Hold,
            "kept-back" => HeldCause::KeptBack,
            _ => return None,
        };
        let candidate = read_package(name, architecture).zip(read_version(candidate))?;
        // What is held may be there for another architecture.
        let known = installed.get_key_value(&candidate.0);
        let (package, version) = known.or_else(|| installed.iter().find(|(package, _)| package.name == *name))?;
        Some(Held { package: package.clone(), installed: version.clone(), candidate: Some(candidate.1), cause })
    };
    read().ok_or_else(|| unreadable(WHAT, line))
}
