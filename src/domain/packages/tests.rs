//! What is chosen of a list, what holds a host back, and what is accounted for.

use super::account::account;
use super::choose::{
    Approved, DriftPolicy, Left, LeftCause, Look, choose, find_as_approved, find_outrun, find_refused, find_unapproved,
    hold,
};
use super::{Change, ChangeKind, Installed, Package, PackageManager, Survey};

fn package(name: &str) -> Package {
    Package { name: name.to_owned(), architecture: "amd64".to_owned() }
}

/// `name 1 → 2`, `name → 2` for a new one, `name 1 →` for one that goes; `name 1 → 2 @ repository`.
fn change(text: &str) -> Change {
    let (text, repository) = text.split_once(" @ ").unwrap_or((text, "main"));
    let (before, to) = text.split_once('→').unwrap();
    let mut words = before.split_whitespace();
    let package = package(words.next().unwrap());
    let version = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let (from, to) = (words.next().and_then(version), version(to));
    let kind = match (&from, &to) {
        (None, _) => ChangeKind::Install,
        (_, None) => ChangeKind::Remove,
        (Some(from), Some(to)) if from > to => ChangeKind::Downgrade,
        _ => ChangeKind::Upgrade,
    };
    let repository = to.as_ref().map(|_| repository.to_owned());
    Change { package, kind, from, to, repository, security: false, size_bytes: None }
}

fn changes(texts: &[&str]) -> Vec<Change> {
    texts.iter().map(|text| change(text)).collect()
}

fn survey(pending: &[&str]) -> Survey {
    Survey {
        manager: PackageManager::Apt,
        pending: changes(pending),
        held: Vec::new(),
        installed: Installed::new(),
        reboot_needed: None,
        stale_services: Vec::new(),
        without_way_back: Vec::new(),
        warnings: Vec::new(),
    }
}

fn told(left: &[Left]) -> Vec<String> {
    left.iter().map(ToString::to_string).collect()
}

#[test]
fn what_was_approved_is_chosen_as_long_as_it_is_the_same() {
    // approved, pending, chosen, left
    type Row = (&'static [&'static str], &'static [&'static str], &'static [&'static str], &'static [&'static str]);
    let rows: [Row; 10] = [
        (&[], &[], &[], &[]),
        (&["a 1 → 2"], &["a 1 → 2"], &["a 1 → 2"], &[]),
        // Fewer than approved.
        (&["a 1 → 2", "b 1 → 2"], &["a 1 → 2"], &["a 1 → 2"], &["b 1 → 2: not pending any more"]),
        // More than approved.
        (&["a 1 → 2"], &["a 1 → 2", "b 1 → 2"], &["a 1 → 2"], &["b 1 → 2: not approved"]),
        // A newer version.
        (&["a 1 → 2"], &["a 1 → 3"], &[], &["a 1 → 2: now it would be a 1 → 3"]),
        // Somebody installed another version meanwhile; what would be installed is what was approved.
        (&["a 1 → 3"], &["a 2 → 3"], &["a 2 → 3"], &[]),
        // It would be removed now, or come anew.
        (&["a 1 → 2"], &["a 1 →"], &[], &["a 1 → 2: now it would be a 1 (removed)"]),
        (&["a 1 → 2"], &["a → 2"], &[], &["a 1 → 2: now it would be a 2 (new)"]),
        // The same version from elsewhere.
        (&["a 1 → 2"], &["a 1 → 2 @ other"], &[], &["a 1 → 2: now it comes from other"]),
        // A removal that was approved.
        (&["a 1 →"], &["a 1 →"], &["a 1 →"], &[]),
    ];
    for (approved, pending, expected, expected_left) in rows {
        let approved = changes(approved);
        let (chosen, left) = choose(&survey(pending), Approved::These(&approved));
        assert_eq!(chosen, changes(expected), "{approved:?} of {pending:?}");
        assert_eq!(told(&left), expected_left, "{approved:?} of {pending:?}");
        assert!(find_unapproved(&chosen, &[], Approved::These(&approved)).is_empty(), "G4: {chosen:?}");
    }
}

#[test]
fn a_run_by_hand_may_take_all() {
    let (chosen, left) = choose(&survey(&["a 1 → 2", "b 1 →", "c → 1"]), Approved::All);
    assert_eq!(chosen, changes(&["a 1 → 2", "b 1 →", "c → 1"]));
    assert!(left.is_empty());
    assert!(find_unapproved(&changes(&["d → 1"]), &chosen, Approved::All).is_empty());
}

#[test]
fn what_a_transaction_would_bring_besides_is_found() {
    let approved = changes(&["a 1 → 2", "b 1 → 2"]);
    let unapproved = |transaction: &[&str]| {
        find_unapproved(&changes(transaction), &changes(&["a 1 → 2"]), Approved::These(&approved))
    };
    assert_eq!(unapproved(&["a 1 → 2"]), []);
    assert_eq!(unapproved(&["a 1 → 2", "b 1 → 2"]), [], "approved, though not chosen");
    assert_eq!(unapproved(&["a 1 → 2", "b 1 → 3"]), changes(&["b 1 → 3"]));
    assert_eq!(unapproved(&["a 1 → 2", "b 1 →"]), changes(&["b 1 →"]), "a removal in place of an upgrade");
    assert_eq!(unapproved(&["a 1 → 2", "c → 1"]), changes(&["c → 1"]));
    assert_eq!(find_refused(&changes(&["a 1 → 2"]), &approved), changes(&["b 1 → 2"]));
}

#[test]
fn a_host_is_held_back_by_its_policy() {
    let left = |cause| Left { change: change("a 1 → 2"), cause };
    let replaced = || left(LeftCause::Replaced { by: change("a 1 → 3") });
    let chosen = changes(&["b 1 → 2"]);
    let harmless = [left(LeftCause::NotApproved), left(LeftCause::Gone)];
    for policy in [DriftPolicy::Hold, DriftPolicy::InstallApprovedOnly] {
        assert_eq!(hold(policy, &chosen, &harmless), None, "fewer, and more that nobody approved: {policy:?}");
        assert_eq!(hold(policy, &[], &harmless), None, "{policy:?}");
        let why = hold(policy, &[], &[replaced()]).expect("nothing of what was approved is left");
        assert!(why.contains("a 1 → 2: now it would be a 1 → 3"), "{why}");
    }
    assert_eq!(hold(DriftPolicy::InstallApprovedOnly, &chosen, &[replaced()]), None, "the rest is installed");
    assert!(hold(DriftPolicy::Hold, &chosen, &[replaced()]).is_some());
    let causes = [
        LeftCause::OtherRepository { repository: "other".to_owned() },
        LeftCause::Needs { others: changes(&["c → 1"]) },
        LeftCause::Refused,
    ];
    for cause in causes {
        assert!(hold(DriftPolicy::Hold, &chosen, &[left(cause.clone())]).is_some(), "{cause:?}");
    }
}

#[test]
fn an_approved_version_in_whose_place_another_is_pending_may_still_be_offered() {
    let replaced = |by: &str| Left { change: change("a 1 → 2"), cause: LeftCause::Replaced { by: change(by) } };
    assert_eq!(find_outrun(&[replaced("a 1 → 3")]), changes(&["a 1 → 2"]));
    assert_eq!(find_outrun(&[replaced("a 1 →")]), [], "it would be removed now");
    assert_eq!(find_outrun(&[Left { cause: LeftCause::Gone, ..replaced("a 1 → 3") }]), []);
    let wanted = change("a 1 → 2");
    assert_eq!(find_as_approved(&changes(&["a 1 → 2", "b 1 → 2"]), &wanted), Some(wanted.clone()));
    for other in ["a 1 → 3", "a 1 → 2 @ elsewhere", "b 1 → 2"] {
        assert_eq!(find_as_approved(&changes(&[other]), &wanted), None, "{other}");
    }
}

#[test]
fn removals_stand_first_among_the_differences() {
    let upgrade = Left { change: change("a 1 → 2"), cause: LeftCause::Replaced { by: change("a 1 → 3") } };
    let removal = Left { change: change("z 1 → 2"), cause: LeftCause::Needs { others: changes(&["y 1 →"]) } };
    let why = hold(DriftPolicy::Hold, &[], &[upgrade, removal]).unwrap();
    assert!(why.find("z 1 → 2").unwrap() < why.find("a 1 → 2").unwrap(), "{why}");
}

#[test]
fn the_account_goes_by_what_is_installed() {
    let look = Look {
        manager: PackageManager::Apt,
        chosen: changes(&["done 1 → 2", "back 1 → 2", "odd 1 → 2", "new → 1", "gone 1 →", "stays 1 →"]),
        left: vec![
            Left { change: change("left 1 → 2"), cause: LeftCause::NotApproved },
            Left { change: change("other 1 → 2"), cause: LeftCause::Replaced { by: change("other 1 → 3") } },
        ],
        held: Vec::new(),
        transaction: String::new(),
        without_way_back: Vec::new(),
        warnings: Vec::new(),
    };
    let installed = [("done", "2"), ("back", "1"), ("odd", "1.5"), ("new", "1"), ("stays", "1")];
    let after = Survey {
        installed: installed.map(|(name, version)| (package(name), version.to_owned())).into(),
        ..survey(&["back 1 → 2", "left 1 → 2", "other 1 → 3", "late 1 → 2"])
    };
    let account = account(&look, &after);
    assert_eq!(account.installed, changes(&["done 1 → 2", "new → 1", "gone 1 →"]));
    let not_installed: Vec<_> =
        account.not_installed.iter().map(|it| (it.change.to_string(), it.now.clone())).collect();
    let expected = [("back 1 → 2", Some("1")), ("odd 1 → 2", Some("1.5")), ("stays 1 (removed)", Some("1"))];
    assert_eq!(not_installed, expected.map(|(change, now)| (change.to_owned(), now.map(str::to_owned))));
    assert_eq!(account.left, look.left);
    assert_eq!(account.newly_available, changes(&["late 1 → 2"]), "the others were known before");
}

#[test]
fn pins_name_exactly_one_version_of_one_architecture() {
    let pin = |manager, architecture: &str, text: &str| {
        let mut change = change(text);
        change.package.architecture = architecture.to_owned();
        change.pin(manager)
    };
    assert_eq!(pin(PackageManager::Apt, "amd64", "a 1 → 1:2-3"), "a:amd64=1:2-3");
    assert_eq!(pin(PackageManager::Apt, "all", "a 1 → 2"), "a=2");
    assert_eq!(pin(PackageManager::Apt, "amd64", "a 1 →"), "a:amd64-");
    assert_eq!(pin(PackageManager::Dnf, "x86_64", "a 1 → 1:2-3"), "a-1:2-3.x86_64");
    assert_eq!(pin(PackageManager::Dnf, "noarch", "a 1:2-3 →"), "-a-1:2-3.noarch");
    assert_eq!(pin(PackageManager::Zypper, "x86_64", "a 1 → 2-3"), "a.x86_64=2-3");
    assert_eq!(pin(PackageManager::Zypper, "noarch", "a 1:2-3 →"), "-a.noarch=1:2-3");
}
