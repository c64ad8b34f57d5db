//! The pending updates of a customer's hosts, and a technician's decision on them.
//!
//! Knows what was collected and what a person chose of it; does not know where it is kept. Invariants: a decision names the hash of
//! exactly the list that it was taken on; what is approved is a part of that list.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::{ContentHash, Name};
use super::packages::{Change, ChangeKind, Obstacle, Package, Survey};

#[cfg(test)]
mod tests;

/// What was found on the hosts of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Collection {
    /// By host.
    pub hosts: BTreeMap<Name, Finding>,
}

/// What was found on one host. That it could not be looked at is a fact, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Finding {
    /// What is pending there.
    Surveyed(Survey),
    /// It could not be reached.
    Unreachable {
        /// What failed.
        what: String,
        /// What to do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// Its packages could not be looked at, or must not be touched.
    Obstructed(Obstacle),
}

impl Finding {
    /// What is pending there, as far as that is known.
    #[must_use]
    pub fn pending(&self) -> &[Change] {
        match self {
            Self::Surveyed(survey) => &survey.pending,
            Self::Unreachable { .. } | Self::Obstructed(_) => &[],
        }
    }
}

impl Collection {
    /// SHA-256 of the list that a person decides on: hosts, and what is pending or why that is not known. Not of what else was found.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        let list: BTreeMap<_, _> = self
            .hosts
            .iter()
            .map(|(name, finding)| (name, (finding.pending(), !matches!(finding, Finding::Surveyed(_)))))
            .collect();
        // Maps with text keys, strings and numbers: serialising them to memory has no way to fail.
        ContentHash::of(&serde_json::to_vec(&list).unwrap_or_default())
    }

    /// Whether it is known of every host that nothing is pending: then there is nothing to decide.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.hosts.values().all(|finding| matches!(finding, Finding::Surveyed(survey) if survey.pending.is_empty()))
    }

    /// The customer-wide list: each change once, with the hosts that it is pending on. Security first, then what goes or comes, then
    /// by name.
    #[must_use]
    pub fn union(&self) -> Vec<UnionRow<'_>> {
        let mut rows: BTreeMap<RowKey<'_>, UnionRow<'_>> = BTreeMap::new();
        for (host, finding) in &self.hosts {
            for change in finding.pending() {
                let key = (!change.security, change.kind, &change.package, &change.from, &change.to);
                rows.entry(key).or_insert_with(|| UnionRow { change, hosts: Vec::new() }).hosts.push(host);
            }
        }
        rows.into_values().collect()
    }

    /// What has come and gone since `earlier`, by host; hosts that could not be looked at before or now are left out.
    #[must_use]
    pub fn differences(&self, earlier: &Self) -> BTreeMap<&Name, Difference> {
        let mut found = BTreeMap::new();
        for (name, finding) in &self.hosts {
            let (Finding::Surveyed(now), Some(Finding::Surveyed(before))) = (finding, earlier.hosts.get(name)) else {
                continue;
            };
            let missing_in =
                |list: &[Change], change: &&Change| !list.iter().any(|other| other.does_the_same_as(change));
            let new: Vec<_> =
                now.pending.iter().filter(|change| missing_in(&before.pending, change)).cloned().collect();
            let gone: Vec<_> =
                before.pending.iter().filter(|change| missing_in(&now.pending, change)).cloned().collect();
            if !new.is_empty() || !gone.is_empty() {
                found.insert(name, Difference { new, gone });
            }
        }
        found
    }
}

type RowKey<'a> = (bool, ChangeKind, &'a Package, &'a Option<String>, &'a Option<String>);

/// A change with the hosts that it is pending on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnionRow<'a> {
    /// Which.
    pub change: &'a Change,
    /// Where, sorted.
    pub hosts: Vec<&'a Name>,
}

/// What has come and gone between two collections of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Pending now, not before.
    pub new: Vec<Change>,
    /// Pending before, not now.
    pub gone: Vec<Change>,
}

/// What a person says of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What was chosen of it may be installed.
    Approve,
    /// Nothing of it may.
    Reject,
}

impl Verdict {
    /// The word in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// What is chosen of a list; by default all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Only what is for security.
    #[serde(default)]
    pub security: bool,
    /// Only packages of these names; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// No packages of these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// Only on these hosts; empty: on all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Name>,
}

/// Names in a selection that the list does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing of that name is in the list: {}", .0.join(", "))]
pub struct NotInList(pub Vec<String>);

impl Selection {
    /// The chosen changes by host.
    ///
    /// # Errors
    /// [`NotInList`] with every package that is pending nowhere and every host that was not collected: a slip of the pen must not
    /// silently approve less, or more, than was meant.
    pub fn choose(&self, collection: &Collection) -> Result<BTreeMap<Name, Vec<Change>>, NotInList> {
        let pending: BTreeSet<&str> =
            collection.hosts.values().flat_map(Finding::pending).map(|change| change.package.name.as_str()).collect();
        let unknown = self.only.iter().chain(&self.except).filter(|name| !pending.contains(name.as_str())).cloned();
        let absent = self.hosts.iter().filter(|name| !collection.hosts.contains_key(*name)).map(ToString::to_string);
        let wrong: Vec<_> = unknown.chain(absent).collect();
        if !wrong.is_empty() {
            return Err(NotInList(wrong));
        }
        let hosts = collection.hosts.iter().filter(|(name, _)| self.hosts.is_empty() || self.hosts.contains(name));
        Ok(hosts
            .map(|(name, finding)| {
                (name.clone(), finding.pending().iter().filter(|it| self.takes(it)).cloned().collect())
            })
            .collect())
    }

    fn takes(&self, change: &Change) -> bool {
        let name = &change.package.name;
        (!self.security || change.security)
            && (self.only.is_empty() || self.only.contains(name))
            && !self.except.contains(name)
    }
}

/// What a named person allowed to be installed, as a plan carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Hash of exactly the list that was decided on ([`Collection::hash`]).
    pub list: ContentHash,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What was said with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What was chosen of the list.
    #[serde(default)]
    pub selection: Selection,
    /// What may be done, by host. A host that is not here gets nothing.
    pub changes: BTreeMap<Name, Vec<Change>>,
}

impl Approval {
    /// What may be done on a host.
    #[must_use]
    pub fn of(&self, host: &Name) -> &[Change] {
        self.changes.get(host).map_or(&[], Vec::as_slice)
    }
}
