//! The words of apt-get and dpkg, as `apt.sh` asks for them.
//!
//! `apt-get -s` prints `Inst NAME[:ARCH] [OLD] (NEW WHERE, WHERE [ARCH])` for what is installed, without `[OLD]` if it is new, and
//! `Remv NAME[:ARCH] [OLD]` for what goes; an architecture stands behind a name only if it is not the host's own.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sections, is_sound, unreadable};
use crate::domain::packages::{
    Change, ChangeKind, Held, HeldCause, Installed, Obstacle, Package, PackageManager, Survey,
};

const WHAT: &str = "apt-get";

/// Headlines of lists in what `apt-get -s -V` says.
const KEPT_BACK: [&str; 3] = [
    "The following packages have been kept back:",
    "The following upgrades have been deferred due to phasing:",
    "Not upgrading yet due to phasing:",
];
const DOWNGRADED: &str = "The following packages will be DOWNGRADED:";

/// Reads the sections of a survey.
pub(super) fn survey(sections: &Sections) -> Result<Survey, Obstacle> {
    let native = sections.get("architecture").trim();
    let installed = read_installed(sections)?;
    let names = Names { native, installed: &installed };
    let pending = sections.get("pending");
    let sizes = read_sizes(sections);
    let mut changes = read_changes(pending, &names)?;
    let security: BTreeSet<Package> = sections.lines("security").map(|name| names.resolve(name)).collect();
    for change in &mut changes {
        let version = change.to.clone().unwrap_or_default();
        change.size_bytes = sizes.get(&(change.package.clone(), version)).copied();
        change.security |= change.kind == ChangeKind::Upgrade && security.contains(&change.package);
    }
    let without_way_back = sections.lines("without-way-back").map(|name| names.resolve(name)).collect();
    Ok(Survey {
        manager: PackageManager::Apt,
        pending: changes,
        held: read_held(pending, sections, &names),
        reboot_needed: None,
        stale_services: Vec::new(),
        without_way_back,
        warnings: Vec::new(),
        installed,
    })
}

/// Reads what a simulated installation would do.
pub(super) fn transaction(text: &str, sections: &Sections) -> Result<Vec<Change>, Obstacle> {
    let installed = read_installed(sections)?;
    read_changes(text, &Names { native: sections.get("architecture").trim(), installed: &installed })
}

/// Names as apt says them: without architecture if it is the host's own, or if the package is for all.
struct Names<'a> {
    native: &'a str,
    installed: &'a Installed,
}

impl Names<'_> {
    fn resolve(&self, text: &str) -> Package {
        if let Some((name, architecture)) = text.split_once(':') {
            return Package { name: name.to_owned(), architecture: architecture.to_owned() };
        }
        let of = |architecture: &str| Package { name: text.to_owned(), architecture: architecture.to_owned() };
        if self.installed.contains_key(&of("all")) { of("all") } else { of(self.native) }
    }
}

fn read_installed(sections: &Sections) -> Result<Installed, Obstacle> {
    let mut installed = Installed::new();
    for line in sections.lines("installed") {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, architecture, version, status] = fields.as_slice() else {
            return Err(unreadable("dpkg-query", line));
        };
        if *status == "installed" {
            let package = Package { name: (*name).to_owned(), architecture: (*architecture).to_owned() };
            installed.insert(package, (*version).to_owned());
        }
    }
    Ok(installed)
}

fn read_changes(text: &str, names: &Names<'_>) -> Result<Vec<Change>, Obstacle> {
    let downgraded: BTreeSet<Package> = listed(text, &[DOWNGRADED]).map(|(name, _)| names.resolve(name)).collect();
    let mut changes = Vec::new();
    for line in text.lines() {
        let change = match line.split_once(' ') {
            Some(("Inst", rest)) => read_installation(rest),
            Some(("Remv", rest)) => read_removal(rest, names),
            _ => continue,
        };
        let mut change = change.filter(is_sound).ok_or_else(|| unreadable(WHAT, line))?;
        if change.kind == ChangeKind::Upgrade && downgraded.contains(&change.package) {
            change.kind = ChangeKind::Downgrade;
        }
        changes.push(change);
    }
    Ok(changes)
}

/// `NAME[:ARCH] [OLD] (NEW WHERE, WHERE [ARCH])`, and perhaps more behind it.
fn read_installation(text: &str) -> Option<Change> {
    let (name, rest) = text.split_once(' ')?;
    let (from, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once("] ").map(|(old, rest)| (Some(old.to_owned()), rest))?,
        None => (None, rest),
    };
    let (inside, _) = rest.strip_prefix('(')?.split_once("])")?;
    let (inside, architecture) = inside.rsplit_once('[')?;
    let (to, places) = inside.trim_end().split_once(' ').unwrap_or((inside.trim_end(), ""));
    let places: Vec<Place<'_>> = places.split(", ").filter(|place| !place.is_empty()).map(Place::read).collect();
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    Some(Change {
        package: Package { name: name.to_owned(), architecture: architecture.to_owned() },
        kind: if from.is_some() { ChangeKind::Upgrade } else { ChangeKind::Install },
        from,
        to: Some(to.to_owned()),
        repository: Some(places.iter().map(Place::to_string).collect::<Vec<_>>().join(", ")),
        security: places.iter().any(Place::is_for_security),
        size_bytes: None,
    })
}

/// `NAME[:ARCH] [OLD]`, and perhaps more behind it.
fn read_removal(text: &str, names: &Names<'_>) -> Option<Change> {
    let (name, rest) = text.split_once(' ')?;
    let (old, _) = rest.strip_prefix('[')?.split_once(']')?;
    Some(Change {
        package: names.resolve(name),
        kind: ChangeKind::Remove,
        from: Some(old.to_owned()),
        to: None,
        repository: None,
        security: false,
        size_bytes: None,
    })
}

/// Where a version comes from: `LABEL:RELEASE/SUITE`. The release number of a stable Debian grows without its being another place.
struct Place<'a> {
    label: &'a str,
    suite: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn read(text: &'a str) -> Self {
        let (place, suite) = text.rsplit_once('/').map_or((text, None), |(place, suite)| (place, Some(suite)));
        // A repository without a Release file is called by its host.
        let label = if suite.is_some() { place.split_once(':').map_or(place, |(label, _)| label) } else { place };
        Self { label, suite }
    }

    /// Debian's label is `Debian-Security`, Ubuntu's suites end with `-security`.
    fn is_for_security(&self) -> bool {
        self.label.ends_with("-Security") || self.suite.is_some_and(|suite| suite.ends_with("-security"))
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.suite {
            Some(suite) => write!(f, "{}/{suite}", self.label),
            None => f.write_str(self.label),
        }
    }
}

/// The names under one of the headlines, with what stands in parentheses behind them.
fn listed<'t>(text: &'t str, headlines: &'t [&str]) -> impl Iterator<Item = (&'t str, &'t str)> {
    let mut inside = false;
    text.lines().filter_map(move |line| {
        if !line.starts_with(' ') {
            inside = headlines.contains(&line.trim_end());
            return None;
        }
        inside.then(|| line.trim().split_once(' ').unwrap_or((line.trim(), "")))
    })
}

/// `NAME (OLD => NEW)` under the headlines of what is kept back.
fn read_held(text: &str, sections: &Sections, names: &Names<'_>) -> Vec<Held> {
    let holds: BTreeSet<Package> = sections.lines("holds").map(|name| names.resolve(name)).collect();
    let read = |(name, versions): (&str, &str)| {
        let package = names.resolve(name);
        let (installed, candidate) = versions.trim_matches(['(', ')']).split_once(" => ")?;
        let cause = if holds.contains(&package) { HeldCause::Hold } else { HeldCause::KeptBack };
        let candidate = Some(candidate.to_owned());
        Some(Held { package, installed: installed.to_owned(), candidate, cause })
    };
    listed(text, &KEPT_BACK).filter_map(read).collect()
}

/// `NAME ARCHITECTURE VERSION BYTES`
fn read_sizes(sections: &Sections) -> BTreeMap<(Package, String), u64> {
    let read = |line: &str| {
        let [name, architecture, version, bytes] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let package = Package { name: name.to_owned(), architecture: architecture.to_owned() };
        Some(((package, version.to_owned()), bytes.parse().ok()?))
    };
    sections.lines("sizes").filter_map(read).collect()
}
