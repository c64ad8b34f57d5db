//! Lists, what is chosen of them, and what has changed between two.

use super::{Collection, Finding, NotInList, Selection};
use crate::domain::id::Name;
use crate::domain::packages::{Change, ChangeKind, Installed, Obstacle, Package, PackageManager, Survey};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn change(name: &str, from: &str, to: &str, security: bool) -> Change {
    let package = Package { name: name.to_owned(), architecture: "amd64".to_owned() };
    let version = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let kind = match (from, to) {
        ("", _) => ChangeKind::Install,
        (_, "") => ChangeKind::Remove,
        _ => ChangeKind::Upgrade,
    };
    let repository = version(to).map(|_| "main".to_owned());
    Change { package, kind, from: version(from), to: version(to), repository, security, size_bytes: None }
}

fn surveyed(pending: Vec<Change>) -> Finding {
    Finding::Surveyed(Survey {
        manager: PackageManager::Apt,
        pending,
        held: Vec::new(),
        installed: Installed::new(),
        reboot_needed: None,
        stale_services: Vec::new(),
        without_way_back: Vec::new(),
        warnings: Vec::new(),
    })
}

fn collection<const N: usize>(hosts: [(&str, Finding); N]) -> Collection {
    Collection { hosts: hosts.map(|(host, finding)| (name(host), finding)).into() }
}

fn unreachable() -> Finding {
    Finding::Unreachable { what: "no route".to_owned(), hint: None }
}

fn two_hosts() -> Collection {
    collection([
        ("web01", surveyed(vec![change("nginx", "1", "2", false), change("openssl", "3", "3.1", true)])),
        ("web02", surveyed(vec![change("extra", "", "1", false), change("openssl", "3", "3.1", true)])),
        ("web03", unreachable()),
    ])
}

#[test]
fn the_hash_is_of_the_list_and_of_nothing_else() {
    let list = two_hosts();
    assert_eq!(list.hash(), two_hosts().hash());
    let mut warned = two_hosts();
    if let Some(Finding::Surveyed(survey)) = warned.hosts.get_mut(&name("web01")) {
        survey.warnings.push("old apt".to_owned());
    }
    assert_eq!(list.hash(), warned.hash(), "what else was found is not decided on");
    let others = [
        collection([("web01", surveyed(Vec::new()))]),
        collection([("web01", unreachable())]),
        collection([("web02", surveyed(Vec::new()))]),
        collection([("web01", surveyed(vec![change("nginx", "1", "2", false)]))]),
        collection([("web01", surveyed(vec![change("nginx", "1", "3", false)]))]),
        collection([("web01", surveyed(vec![change("nginx", "1", "2", true)]))]),
    ];
    for (index, one) in others.iter().enumerate() {
        assert!(others.iter().skip(index + 1).all(|other| one.hash() != other.hash()), "{one:?}");
    }
}

#[test]
fn nothing_is_to_be_decided_only_when_it_is_known_that_nothing_is_pending() {
    assert!(collection([("a", surveyed(Vec::new())), ("b", surveyed(Vec::new()))]).is_settled());
    assert!(!collection([("a", surveyed(Vec::new())), ("b", unreachable())]).is_settled());
    assert!(!collection([("a", Finding::Obstructed(Obstacle::NoManager))]).is_settled());
    assert!(!two_hosts().is_settled());
}

#[test]
fn the_union_shows_each_change_once_security_first() {
    let list = two_hosts();
    let rows: Vec<String> = list
        .union()
        .into_iter()
        .map(|row| {
            format!("{} on {}", row.change, row.hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>().join("+"))
        })
        .collect();
    assert_eq!(rows, ["openssl 3 → 3.1 on web01+web02", "extra 1 (new) on web02", "nginx 1 → 2 on web01"]);
}

#[test]
fn a_selection_takes_what_it_says() {
    let list = two_hosts();
    let names = |selection: &Selection| -> Vec<String> {
        let chosen = selection.choose(&list).unwrap();
        chosen
            .iter()
            .flat_map(|(host, changes)| changes.iter().map(move |it| format!("{host} {}", it.package.name)))
            .collect()
    };
    let all = Selection::default();
    assert_eq!(names(&all), ["web01 nginx", "web01 openssl", "web02 extra", "web02 openssl"]);
    assert_eq!(names(&Selection { security: true, ..all.clone() }), ["web01 openssl", "web02 openssl"]);
    assert_eq!(names(&Selection { only: vec!["nginx".to_owned()], ..all.clone() }), ["web01 nginx"]);
    assert_eq!(names(&Selection { except: vec!["openssl".to_owned()], ..all.clone() }), ["web01 nginx", "web02 extra"]);
    assert_eq!(names(&Selection { hosts: vec![name("web02")], ..all.clone() }), ["web02 extra", "web02 openssl"]);
    let security = Selection { security: true, hosts: vec![name("web02")], ..all };
    assert_eq!(security.choose(&list).unwrap().keys().map(Name::as_str).collect::<Vec<_>>(), ["web02"]);
}

#[test]
fn a_slip_of_the_pen_approves_nothing() {
    let selection = Selection {
        only: vec!["ngnix".to_owned(), "nginx".to_owned()],
        except: vec!["opensll".to_owned()],
        hosts: vec![name("web9")],
        ..Selection::default()
    };
    let wrong = selection.choose(&two_hosts()).unwrap_err();
    assert_eq!(wrong, NotInList(["ngnix", "opensll", "web9"].map(str::to_owned).to_vec()));
}

#[test]
fn what_has_come_and_gone_between_two_lists_is_told() {
    let earlier = collection([
        ("web01", surveyed(vec![change("nginx", "1", "1.5", false), change("openssl", "3", "3.1", true)])),
        ("web02", unreachable()),
    ]);
    let list = two_hosts();
    let differences = list.differences(&earlier);
    assert_eq!(
        differences.keys().map(|host| host.as_str()).collect::<Vec<_>>(),
        ["web01"],
        "web02 was not seen before"
    );
    let web01 = &differences[&name("web01")];
    assert_eq!(web01.new, [change("nginx", "1", "2", false)]);
    assert_eq!(web01.gone, [change("nginx", "1", "1.5", false)]);
    assert!(list.differences(&list).is_empty());
}

#[test]
fn a_collection_comes_back_from_its_json_as_it_was() {
    let list = two_hosts();
    let json = serde_json::to_string(&list).unwrap();
    assert_eq!(serde_json::from_str::<Collection>(&json).unwrap(), list);
}
