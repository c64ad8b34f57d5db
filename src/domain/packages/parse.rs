//! From what the scripts print on a host to a [`Survey`] or to transactions.
//!
//! Knows the sections by name; one module for each package manager knows its words. What can't be read is an [`Obstacle`], never
//! passed over: a list that lacks something must not look like a shorter list.

use std::collections::BTreeMap;

use super::{Change, Obstacle, PackageManager, Survey};

mod apt;
mod dnf;
mod zypper;

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
        self.0.get(name).map_or("", String::as_str)
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
    let _ = sections;
    Err(Obstacle::NoManager)
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
    let _ = (manager, sections, count);
    Err(Obstacle::NoManager)
}
