//! Pending updates as a host would have told them, and a job that installs what was approved.

use turnus::domain::packages::{Change, ChangeKind, Installed, Package, PackageManager, Survey};
use turnus::domain::review::{Collection, Finding};

/// Ends before it touches anything: tests must not change the packages of the machine that they run on.
pub(crate) const JOB: &str = "description = \"Updates\"\nbackup = \"none\"\nbackup_reason = \"test\"\n\n\
    [[step]]\nphase = \"preflight\"\nname = \"no\"\nrun = \"false\"\n\n\
    [[step]]\nphase = \"update\"\nname = \"packages\"\npackages = \"approved\"\nlock_wait = \"1s\"\n";

/// A change of a package; without the one version it is installed anew, without the other removed.
pub(crate) fn change(name: &str, from: Option<&str>, to: Option<&str>) -> Change {
    let kind = match (from, to) {
        (None, _) => ChangeKind::Install,
        (_, None) => ChangeKind::Remove,
        _ => ChangeKind::Upgrade,
    };
    Change {
        package: Package { name: name.to_owned(), architecture: "amd64".to_owned() },
        kind,
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
        repository: to.map(|_| "Debian/stable".to_owned()),
        security: false,
        size_bytes: None,
    }
}

/// The same for security.
pub(crate) fn security(change: Change) -> Change {
    Change { security: true, ..change }
}

/// A host on which this is pending.
pub(crate) fn surveyed(mut pending: Vec<Change>) -> Survey {
    pending.sort();
    Survey {
        manager: PackageManager::Apt,
        pending,
        held: Vec::new(),
        installed: Installed::new(),
        reboot_needed: None,
        stale_services: Vec::new(),
        without_way_back: Vec::new(),
        warnings: Vec::new(),
    }
}

/// What was found on hosts.
pub(crate) fn found<const N: usize>(hosts: [(&str, Finding); N]) -> Collection {
    Collection { hosts: hosts.map(|(host, finding)| (host.parse().unwrap(), finding)).into() }
}
