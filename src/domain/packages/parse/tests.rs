//! Recorded answers of real package managers, and what they mean: one file each in `tests/data/packages/<tool>/`.
//!
//! A case is a JSON object: `sections` (what the scripts printed on the host, by name), and what has to come of them: `survey`,
//! `obstacle`, or `transactions`. `why` says what it is for.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{Sections, is_name, is_version, parse_survey, parse_transactions};
use crate::domain::packages::{Obstacle, PackageManager};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    why: String,
    sections: BTreeMap<String, String>,
    survey: Option<Value>,
    obstacle: Option<Obstacle>,
    transactions: Option<Value>,
}

impl Case {
    fn check(&self, manager: PackageManager) {
        assert!(!self.why.is_empty(), "a case says why it is there");
        let sections = Sections(self.sections.clone());
        if let Some(expected) = &self.transactions {
            let count = self.sections.keys().filter(|name| name.starts_with("checksum.")).count();
            let found = parse_transactions(manager, &sections, count).unwrap();
            let found: Vec<_> = found.iter().map(|it| &it.changes).collect();
            assert_eq!(&serde_json::to_value(found).unwrap(), expected);
            return;
        }
        match (parse_survey(&sections), &self.survey, &self.obstacle) {
            (Ok(found), Some(expected), None) => {
                assert_eq!(found.manager, manager);
                assert!(!found.installed.is_empty(), "something is always installed");
                assert_eq!(&serde_json::to_value(&found).unwrap(), expected);
            }
            (Err(found), None, Some(expected)) => assert_eq!(&found, expected),
            (found, _, _) => panic!("{found:?}"),
        }
    }
}

fn check_all(manager: PackageManager) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/packages").join(manager.as_str());
    let mut checked = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        println!("{}", path.display());
        serde_json::from_str::<Case>(&text).unwrap().check(manager);
        checked += 1;
    }
    assert!(checked > 0, "no case in {}", folder.display());
}

#[test]
fn apt_is_understood() {
    check_all(PackageManager::Apt);
}

#[test]
fn dnf_is_understood() {
    check_all(PackageManager::Dnf);
}

#[test]
fn zypper_is_understood() {
    check_all(PackageManager::Zypper);
}

fn sections(sections: &[(&str, &str)]) -> Sections {
    Sections(sections.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
}

#[test]
fn what_can_not_be_read_is_told_and_not_passed_over() {
    let lines = [
        "Inst nginx",
        "Inst nginx [1.0]",
        "Inst nginx [1.0] 1.1",
        "Inst nginx [1.0] (1.1 Debian:12/stable)",
        "Inst -oDPkg::Pre-Invoke=x [1.0] (1.1 Debian:12/stable [amd64])",
        "Inst nginx [1.0] (1.1;reboot Debian:12/stable [amd64])",
        "Inst nginx [1.0] ($(reboot) Debian:12/stable [amd64])",
        "Inst nginx [1.0] (-1 Debian:12/stable [amd64])",
        "Remv nginx",
        "Remv ../nginx [1.0]",
    ];
    for line in lines {
        let found = parse_survey(&sections(&[("manager", "apt"), ("architecture", "amd64"), ("pending", line)]));
        assert!(matches!(&found, Err(Obstacle::Unreadable { line: told, .. }) if told == line), "{line}: {found:?}");
    }
    let lines = [
        "Upgrade\tnginx",
        "Upgrade\tnginx\tx86_64\t1-1\tupdates\tmuch\t-",
        "Upgrade\t-y\tx86_64\t1-1\tupdates\t10\t-",
        "Upgrade\tnginx\tx86_64\t*\tupdates\t10\t-",
        "Swapped\tnginx\tx86_64\t1-1\tupdates\t10\t-",
        "Removed\tnginx\tx86_64",
        "Removed\t../nginx\tx86_64\t1-1",
    ];
    for line in lines {
        let found = parse_survey(&sections(&[("manager", "dnf"), ("pending", line)]));
        assert!(matches!(&found, Err(Obstacle::Unreadable { line: told, .. }) if told == line), "{line}: {found:?}");
    }
    let answers = [
        "",
        "<stream><install-summary>",
        "<stream><to-upgrade><solvable type=\"package\" name=\"a\" edition=\"1-1\" arch=\"noarch\"/></to-upgrade></stream>",
        "<stream><to-swap><solvable type=\"package\" name=\"a\" edition=\"1-1\" arch=\"noarch\"/></to-swap></stream>",
        "<stream><solvable type=\"package\" name=\"a\" edition=\"1-1\" arch=\"noarch\"/></stream>",
        "<stream><to-install><solvable type=\"package\" name=\"-a\" edition=\"1-1\" arch=\"noarch\"/></to-install></stream>",
    ];
    for answer in answers {
        let found =
            parse_survey(&sections(&[("manager", "zypper"), ("pending", answer), ("updates", "<stream></stream>")]));
        assert!(matches!(found, Err(Obstacle::Unreadable { .. })), "{answer}: {found:?}");
    }
    let found = parse_survey(&sections(&[("manager", "apt"), ("installed", "nginx amd64 1.0")]));
    assert!(matches!(found, Err(Obstacle::Unreadable { .. })), "{found:?}");
    let found = parse_survey(&sections(&[("manager", "pacman")]));
    assert!(matches!(found, Err(Obstacle::Unreadable { .. })), "{found:?}");
    let found = parse_transactions(PackageManager::Apt, &sections(&[]), 1);
    assert!(matches!(found, Err(Obstacle::Unreadable { .. })), "an answer that is missing: {found:?}");
}

#[test]
fn obstacles_are_read() {
    let read = |text: &str| parse_survey(&sections(&[("manager", "apt"), ("obstacle", text)])).unwrap_err();
    assert_eq!(parse_survey(&sections(&[("obstacle", "no-manager")])), Err(Obstacle::NoManager));
    assert_eq!(
        read("locked 60\nunattended-upgrade (process 7) holds /var/lib/dpkg/lock\ndpkg (process 8) is at work"),
        Obstacle::Locked {
            holder: "unattended-upgrade (process 7) holds /var/lib/dpkg/lock; dpkg (process 8) is at work".to_owned(),
            waited_s: 60,
        }
    );
    assert_eq!(
        read("half-configured dpkg --configure -a\n shop  lab package\n"),
        Obstacle::HalfConfigured { what: "shop  lab package".to_owned(), repair: "dpkg --configure -a".to_owned() }
    );
    assert_eq!(read("refresh-failed\nE: no\n"), Obstacle::RefreshFailed { said: "E: no".to_owned() });
    assert_eq!(
        read("unfit\ndnf5 version 5.2.8.1\n"),
        Obstacle::Unfit { manager: PackageManager::Apt, said: "dnf5 version 5.2.8.1".to_owned() }
    );
    assert_eq!(read("refused\nE: no\n"), Obstacle::Refused { manager: PackageManager::Apt, said: "E: no".to_owned() });
}

#[test]
fn names_and_versions_mean_nothing_else_on_a_command_line() {
    for good in ["g++", "libstdc++6", "a", "python3.11-minimal", "kernel-core", "0ad", "glibc_x"] {
        assert!(is_name(good), "{good}");
    }
    for bad in ["", "-y", "+x", ".x", "a b", "a=b", "a/b", "a;b", "$(x)", "a\nb", "ä"] {
        assert!(!is_name(bad), "{bad}");
    }
    for good in ["1", "1:2.3-4+deb12u1~bpo1", "2.36-9.el9_4", "0^git1-1"] {
        assert!(is_version(good), "{good}");
    }
    for bad in ["", "-1", "1 2", "1;2", "*", "1*", "$(x)"] {
        assert!(!is_version(bad), "{bad}");
    }
}
