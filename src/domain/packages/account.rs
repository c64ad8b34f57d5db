//! What came of a run's changes, by a last look at the host: installed, not installed and why, newly available meanwhile.
//!
//! Knows what was to be done and what is there now; guesses nothing: what counts is what is installed.

use serde::{Deserialize, Serialize};

use super::choose::{Left, Look};
use super::{Change, Survey};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Changes that are in effect.
    pub installed: Vec<Change>,
    /// Changes that were to be made and are not in effect (failed, or taken back), with what is there now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_installed: Vec<NotInstalled>,
    /// What was left out from the beginning, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
    /// What became available while the run was under way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newly_available: Vec<Change>,
    /// Whether the host wants a restart; absent if it can't be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot_needed: Option<bool>,
    /// Units that still run what has been replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale_services: Vec<String>,
}

/// A change that is not in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotInstalled {
    /// What was to be done.
    pub change: Change,
    /// The version that is there now; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

/// Compares what was to be done with what is there.
#[must_use]
pub fn account(look: &Look, after: &Survey) -> Account {
    let (mut installed, mut not_installed) = (Vec::new(), Vec::new());
    for change in &look.chosen {
        let now = after.installed.get(&change.package);
        if now == change.to.as_ref() {
            installed.push(change.clone());
        } else {
            not_installed.push(NotInstalled { change: change.clone(), now: now.cloned() });
        }
    }
    let was_known = |pending: &&Change| {
        let left = look.left.iter().map(|left| &left.change);
        look.chosen.iter().chain(left).any(|known| known.does_the_same_as(pending))
            || look.left.iter().any(|left| left.replaced_by(pending))
    };
    Account {
        installed,
        not_installed,
        left: look.left.clone(),
        newly_available: after.pending.iter().filter(|pending| !was_known(pending)).cloned().collect(),
        reboot_needed: after.reboot_needed,
        stale_services: after.stale_services.clone(),
    }
}

impl Left {
    /// Whether this was known to be pending in place of what was approved.
    fn replaced_by(&self, pending: &Change) -> bool {
        matches!(&self.cause, super::choose::LeftCause::Replaced { by } if by.does_the_same_as(pending))
    }
}
