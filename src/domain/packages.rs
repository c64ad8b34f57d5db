//! What a package manager would change on a host, what a person approved of it, and what became of it.
//!
//! Knows the words of apt, dnf and zypper only in their parsers; does not know how a host is reached. Invariants: a [`Change`] in
//! hand has a name and versions that can be handed to a package manager without meaning anything else; lists are sorted, so that
//! equal lists are equal.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub mod account;
pub mod choose;
mod parse;
pub mod script;

pub use parse::{Sections, Transaction, parse_survey, parse_transactions};

/// The program that installs packages on a host. Found there, not configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageManager {
    /// Debian, Ubuntu.
    Apt,
    /// Fedora, RHEL and its family.
    Dnf,
    /// SUSE.
    Zypper,
}

impl PackageManager {
    /// The word used on hosts, in files and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apt => "apt",
            Self::Dnf => "dnf",
            Self::Zypper => "zypper",
        }
    }
}

impl fmt::Display for PackageManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A package of one architecture: what can be installed in one version at a time (kernels are taken in their newest).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    /// As the package manager calls it, without architecture and version.
    pub name: String,
    /// `amd64`, `all`, `x86_64`, `noarch`, …
    pub architecture: String,
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.architecture)
    }
}

/// What would happen to a package. In the order in which a reader should see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It would go.
    Remove,
    /// It would get an older version.
    Downgrade,
    /// It is not there yet.
    Install,
    /// It would get a newer version.
    Upgrade,
}

impl ChangeKind {
    /// The word on the terminal and in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Downgrade => "downgrade",
            Self::Install => "install",
            Self::Upgrade => "upgrade",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that a package manager would do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// Which package.
    #[serde(flatten)]
    pub package: Package,
    /// What would happen to it.
    pub kind: ChangeKind,
    /// The version that is installed; absent for [`ChangeKind::Install`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version that would be; absent for [`ChangeKind::Remove`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Where it comes from (`Debian-Security/stable-security`, a repository's alias); absent for a removal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Whether it comes from a place, or with an advisory, for security.
    #[serde(default)]
    pub security: bool,
    /// How much is downloaded, if the package manager says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
}

impl Change {
    /// Whether both do the same to the same package: what an approval of the one means for the other.
    #[must_use]
    pub fn does_the_same_as(&self, other: &Self) -> bool {
        (&self.package, self.kind, &self.to) == (&other.package, other.kind, &other.to)
    }

    /// The package with the version that is wanted, as the package manager takes it on its command line.
    #[must_use]
    pub fn pin(&self, manager: PackageManager) -> String {
        let Package { name, architecture } = &self.package;
        let from = self.from.as_deref().unwrap_or_default();
        match (manager, &self.to) {
            // apt knows packages for all architectures by their name alone.
            (PackageManager::Apt, Some(version)) if architecture == "all" => format!("{name}={version}"),
            (PackageManager::Apt, Some(version)) => format!("{name}:{architecture}={version}"),
            (PackageManager::Apt, None) if architecture == "all" => format!("{name}-"),
            (PackageManager::Apt, None) => format!("{name}:{architecture}-"),
            (PackageManager::Dnf, Some(version)) => format!("{name}-{version}.{architecture}"),
            (PackageManager::Zypper, Some(version)) => format!("{name}.{architecture}={version}"),
            // Of kernels there are several: what goes has a version, too.
            (PackageManager::Dnf, None) => format!("-{name}-{from}.{architecture}"),
            (PackageManager::Zypper, None) => format!("-{name}.{architecture}={from}"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{} {from} → {to}", self.package.name),
            (None, Some(to)) => write!(f, "{} {to} (new)", self.package.name),
            (Some(from), None) => write!(f, "{} {from} (removed)", self.package.name),
            (None, None) => write!(f, "{}", self.package.name),
        }
    }
}

/// A package that stays as it is although there is something newer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// Which package.
    #[serde(flatten)]
    pub package: Package,
    /// The version that is installed.
    pub installed: String,
    /// The version that there is, if the package manager says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Why it stays.
    pub cause: HeldCause,
}

/// Why a package stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldCause {
    /// A person said so on the host (`apt-mark hold`, versionlock, a zypper lock).
    Hold,
    /// The package manager keeps it back: what it needs is not to be had, or it is rolled out in phases.
    KeptBack,
}

/// Versions by package, as they are installed.
pub type Installed = BTreeMap<Package, String>;

/// What was found on a host. The list of all that is installed is used and not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// The host's package manager.
    pub manager: PackageManager,
    /// What a full upgrade would do, sorted.
    pub pending: Vec<Change>,
    /// What stays behind, sorted.
    pub held: Vec<Held>,
    /// What is installed.
    #[serde(skip)]
    pub installed: Installed,
    /// Whether the host wants a restart; absent if it can't be told there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot_needed: Option<bool>,
    /// Units that still run what has been replaced, where a tool on the host tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale_services: Vec<String>,
    /// Pending packages whose installed version is neither kept on the host nor in its repositories: an update of these can't be
    /// taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_way_back: Vec<Package>,
    /// What the team should know of the host's package manager.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Why a host's packages could not be looked at, or must not be touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "obstacle", rename_all = "snake_case")]
pub enum Obstacle {
    /// Neither apt, dnf nor zypper.
    #[error("no package manager that turnus knows (apt, dnf, zypper)")]
    NoManager,
    /// A version of it that turnus can't work with.
    #[error("turnus can't use this host's {manager}: {said}")]
    Unfit {
        /// Which.
        manager: PackageManager,
        /// What it calls itself.
        said: String,
    },
    /// Somebody else is at work, longer than it was waited for.
    #[error("{holder} is at work on the packages; waited {waited_s} s for it")]
    Locked {
        /// Program and process id, and what it holds.
        holder: String,
        /// How long it was waited for.
        waited_s: u64,
    },
    /// An earlier installation was not finished.
    #[error("the packages are half configured: {what}")]
    HalfConfigured {
        /// Which, in the words of the package manager.
        what: String,
        /// The command that mends it.
        repair: String,
    },
    /// A repository can't be read: what is pending can't be told.
    #[error("the lists of packages can't be refreshed: {said}")]
    RefreshFailed {
        /// The package manager's words.
        said: String,
    },
    /// The package manager refuses what is asked for, or fails.
    #[error("{manager} refuses: {said}")]
    Refused {
        /// Which.
        manager: PackageManager,
        /// Its words.
        said: String,
    },
    /// An answer that this version of turnus can't read.
    #[error("what {what} says can't be understood: `{line}`")]
    Unreadable {
        /// Which command.
        what: String,
        /// The line.
        line: String,
    },
}

impl Obstacle {
    /// What to do about it, if that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::HalfConfigured { repair, .. } => Some(format!("on the host: {repair}")),
            Self::Locked { .. } => Some("wait until it is done, or end it on the host".to_owned()),
            Self::RefreshFailed { .. } => Some("mend the host's repositories, or take the broken one out".to_owned()),
            Self::Unfit { manager: PackageManager::Dnf, .. } => {
                Some("turnus knows dnf 4; update such a host with a step `run`".to_owned())
            }
            Self::NoManager | Self::Unfit { .. } | Self::Refused { .. } | Self::Unreadable { .. } => None,
        }
    }
}

/// What a run's step found out about packages; kept with its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PackagesRecord {
    /// Before anything is touched: what will be installed, and what will not.
    Looked(choose::Look),
    /// At the end: what came of it.
    Accounted(account::Account),
}

#[cfg(test)]
mod tests;
