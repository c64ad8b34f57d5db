//! From what the scripts print on a host to a [`Survey`] or to transactions.
//!
//! Knows the sections by name; one module for each package manager knows its words. What can't be read is an [`Obstacle`], never
//! passed over: a list that lacks something must not look like a shorter list.

use std::collections::BTreeMap;

use super::{Change, Obstacle, PackageManager, Survey};

mod apt;
mod dnf;
mod rpm;
#[cfg(test)]
mod tests;
mod zypper;

/// Longest text of a package manager that is kept, in characters.
const SAID_CHARS: usize = 1000;

/// What commands on a host printed, by the name of the section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sections(BTreeMap<String, String>);

impl Sections {
    /// Adds what a command printed. Bytes that are no UTF-8 can be in no name or version, and are replaced.
    pub fn add(&mut self, name: String, bytes: &[u8]) {
        self.0.insert(name, String::from_utf8_lossy(bytes).into_owned());
    }

    /// What the command printed; nothing if it was not asked for.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// What the command printed, if it was asked for.
    fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The lines of a section that are not empty.
    fn lines(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).lines().map(str::trim_end).filter(|line| !line.trim().is_empty())
    }
}

/// What a package manager would do for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// All that would happen, sorted.
    pub changes: Vec<Change>,
    /// Checksum of the package manager's own words, which the host makes again right before it installs.
    pub checksum: String,
}

/// Reads the answer of the survey script.
///
/// # Errors
/// [`Obstacle`] if the host's packages can't be told, or must not be touched.
pub fn parse_survey(sections: &Sections) -> Result<Survey, Obstacle> {
    if let Some(obstacle) = sections.find("obstacle") {
        return Err(read_obstacle(sections, obstacle));
    }
    let manager = read_manager(sections)?;
    let mut survey = match manager {
        PackageManager::Apt => apt::survey(sections)?,
        PackageManager::Dnf => dnf::survey(sections)?,
        PackageManager::Zypper => zypper::survey(sections)?,
    };
    survey.reboot_needed = match sections.get("reboot").trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    survey.stale_services = sections.lines("services").map(|line| line.trim().to_owned()).collect();
    survey.warnings = sections.lines("warnings").map(str::to_owned).collect();
    survey.pending.sort();
    survey.held.sort();
    survey.stale_services.sort();
    survey.without_way_back.sort();
    Ok(survey)
}

fn read_manager(sections: &Sections) -> Result<PackageManager, Obstacle> {
    match sections.get("manager").trim() {
        "apt" => Ok(PackageManager::Apt),
        "dnf" => Ok(PackageManager::Dnf),
        "zypper" => Ok(PackageManager::Zypper),
        "" => Err(Obstacle::NoManager),
        other => Err(unreadable("the survey", other)),
    }
}

/// `KIND DETAIL` in the first line, what was said in the others.
fn read_obstacle(sections: &Sections, text: &str) -> Obstacle {
    let (first, said) = text.split_once('\n').unwrap_or((text, ""));
    let (kind, detail) = first.split_once(' ').unwrap_or((first, ""));
    let said = shortened(said);
    match (kind, read_manager(sections)) {
        ("no-manager", _) => Obstacle::NoManager,
        ("unfit", Ok(manager)) => Obstacle::Unfit { manager, said },
        ("locked", _) => Obstacle::Locked { holder: said, waited_s: detail.trim().parse().unwrap_or_default() },
        ("half-configured", _) => Obstacle::HalfConfigured { what: said, repair: detail.to_owned() },
        ("refresh-failed", _) => Obstacle::RefreshFailed { said },
        ("refused", Ok(manager)) => Obstacle::Refused { manager, said },
        _ => unreadable("the survey", first),
    }
}

/// Reads the answer of the simulation script, which was asked about `count` lists.
///
/// # Errors
/// [`Obstacle`] if it can't be told what would happen.
pub fn parse_transactions(
    manager: PackageManager,
    sections: &Sections,
    count: usize,
) -> Result<Vec<Transaction>, Obstacle> {
    (0..count).map(|number| parse_transaction(manager, sections, number)).collect()
}

fn parse_transaction(manager: PackageManager, sections: &Sections, number: usize) -> Result<Transaction, Obstacle> {
    if let Some(said) = sections.find(&format!("refused.{number}")) {
        return Err(Obstacle::Refused { manager, said: shortened(said) });
    }
    let text = sections.find(&format!("transaction.{number}"));
    let text = text.ok_or_else(|| unreadable("the simulation", "no answer"))?;
    let mut changes = match manager {
        PackageManager::Apt => apt::transaction(text, sections)?,
        PackageManager::Dnf => dnf::transaction(text, sections)?,
        PackageManager::Zypper => zypper::transaction(text, sections)?,
    };
    changes.sort();
    Ok(Transaction { changes, checksum: sections.get(&format!("checksum.{number}")).trim().to_owned() })
}

fn unreadable(what: &str, line: &str) -> Obstacle {
    Obstacle::Unreadable { what: what.to_owned(), line: line.chars().take(200).collect() }
}

/// In one line, of bounded length.
fn shortened(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ").chars().take(SAID_CHARS).collect()
}

/// A name that means nothing but itself on a command line: it begins with a letter or digit, and holds no blank.
fn is_name(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"+.-_".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.len() <= 200 && text.bytes().all(good)
}

/// A version as Debian's policy (5.6.12) and RPM write it, epoch included.
fn is_version(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"+.-_~^:".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.len() <= 200 && text.bytes().all(good)
}

/// Whether the change can be handed to a package manager without meaning anything else.
fn is_sound(change: &Change) -> bool {
    is_name(&change.package.name)
        && is_name(&change.package.architecture)
        && change.from.iter().chain(&change.to).all(|version| is_version(version))
}
