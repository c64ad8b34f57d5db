//! The words of zypper, as `zypper.sh` asks for them: XML, one element a line where it matters, and a text about patches.
//!
//! Only what is needed of XML is read: elements with attributes, and that the end is there. zypper writes `<` and `>` in texts and
//! attributes as entities.

use std::collections::BTreeSet;

use super::rpm::{compare_versions, read_installed, read_package, read_version};
use super::{Sections, unreadable};
use crate::domain::packages::{
    Change, ChangeKind, Held, HeldCause, Installed, Obstacle, Package, PackageManager, Survey,
};

const WHAT: &str = "zypper";
/// Where a version is said to come from that no repository has.
const NOWHERE: &str = "(System Packages)";

/// Reads the sections of a survey.
pub(super) fn survey(sections: &Sections) -> Result<Survey, Obstacle> {
    let installed = read_installed(sections)?;
    let mut pending = read_changes(sections.get("pending"))?;
    let offers = read_offers(sections)?;
    let patches = unescaped(sections.get("patches"));
    let advisories = read_advisories(&patches);
    for change in &mut pending {
        let Some(to) = change.to.clone() else { continue };
        let places: BTreeSet<&str> =
            offers.iter().filter(|it| it.is_of(&change.package, &to)).map(Offer::place).collect();
        change.repository = (!places.is_empty()).then(|| places.into_iter().collect::<Vec<_>>().join(", "));
        let before = installed.get(&change.package);
        change.security = advisories.iter().any(|it| it.is_met(&change.package, before, &to));
    }
    let is_lost = |change: &&Change| {
        change.from.as_ref().is_some_and(|from| !offers.iter().any(|offer| offer.is_of(&change.package, from)))
    };
    Ok(Survey {
        manager: PackageManager::Zypper,
        held: read_held(sections, &pending, &installed)?,
        reboot_needed: None,
        stale_services: Vec::new(),
        without_way_back: pending.iter().filter(is_lost).map(|change| change.package.clone()).collect(),
        warnings: Vec::new(),
        installed,
        pending,
    })
}

/// Reads what a simulated installation would do.
pub(super) fn transaction(text: &str, _sections: &Sections) -> Result<Vec<Change>, Obstacle> {
    read_changes(text)
}

/// An element's beginning: `NAME KEY="VALUE" …`.
#[derive(Clone, Copy)]
struct Tag<'a>(&'a str);

impl<'a> Tag<'a> {
    fn name(self) -> &'a str {
        self.0.split([' ', '/']).find(|word| !word.is_empty()).unwrap_or_default()
    }

    fn is_end(self) -> bool {
        self.0.starts_with('/')
    }

    fn get(self, key: &str) -> Option<&'a str> {
        let (_, rest) = self.0.split_once(&format!(" {key}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }

    fn package(self) -> Option<Package> {
        read_package(self.get("name")?, self.get("arch")?)
    }
}

/// The elements of an answer. One that breaks off must not look like a shorter one.
fn read_tags(text: &str) -> Result<impl Iterator<Item = Tag<'_>>, Obstacle> {
    if !text.trim_end().ends_with("</stream>") {
        return Err(unreadable(WHAT, text.lines().last().unwrap_or_default()));
    }
    Ok(text.split('<').skip(1).filter_map(|part| part.split_once('>')).map(|(tag, _)| Tag(tag)))
}

fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&apos;", "'"), ("&quot;", "\""), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

/// The lists of a summary: `<to-upgrade>` and others, with a `<solvable>` for each package.
fn read_changes(text: &str) -> Result<Vec<Change>, Obstacle> {
    let mut changes: Vec<Change> = Vec::new();
    let mut list = "";
    for tag in read_tags(text)? {
        if tag.name().starts_with("to-") {
            list = if tag.is_end() { "" } else { tag.name() };
        } else if tag.name() == "solvable" && tag.get("type") == Some("package") {
            let read = read_change(list, tag).ok_or_else(|| unreadable(WHAT, tag.0))?;
            // What changes its vendor is listed with what is upgraded, too.
            for change in read {
                if !changes.iter().any(|known| known.package == change.package && known.to == change.to) {
                    changes.push(change);
                }
            }
        }
    }
    Ok(changes)
}

fn read_change(list: &str, tag: Tag<'_>) -> Option<Vec<Change>> {
    let package = tag.package()?;
    let edition = Some(read_version(tag.get("edition")?)?);
    let old = tag.get("edition-old").map_or(Some(None), |old| read_version(old).map(Some))?;
    let change = |package: Package, kind, from, to| Change {
        package,
        kind,
        from,
        to,
        repository: None,
        security: false,
        size_bytes: None,
    };
    let kind = match list {
        "to-remove" => return Some(vec![change(package, ChangeKind::Remove, edition, None)]),
        "to-install" => ChangeKind::Install,
        "to-downgrade" | "to-downgrade-change-arch" => ChangeKind::Downgrade,
        "to-upgrade" | "to-upgrade-change-arch" | "to-reinstall" | "to-change-arch" | "to-change-vendor" => {
            ChangeKind::Upgrade
        }
        _ => return None,
    };
    // Another architecture is another package.
    let before = tag.get("arch-old").filter(|before| *before != package.architecture);
    if let Some(before) = before {
        let gone = read_package(&package.name, before)?;
        let gone = change(gone, ChangeKind::Remove, Some(old?), None);
        return Some(vec![gone, change(package, ChangeKind::Install, None, edition)]);
    }
    let from = if kind == ChangeKind::Install { None } else { Some(old?) };
    Some(vec![change(package, kind, from, edition)])
}

/// A version that a repository has.
struct Offer {
    package: Package,
    version: String,
    place: String,
}

impl Offer {
    fn is_of(&self, package: &Package, version: &str) -> bool {
        self.package == *package && self.version == version
    }

    fn place(&self) -> &str {
        &self.place
    }
}

fn read_offers(sections: &Sections) -> Result<Vec<Offer>, Obstacle> {
    // Where nothing is pending, nothing is asked for.
    let Some(text) = sections.find("offered") else { return Ok(Vec::new()) };
    let read = |tag: Tag<'_>| {
        let (version, place) = (read_version(tag.get("edition")?)?, unescaped(tag.get("repository")?));
        Some(Offer { package: tag.package()?, version, place })
    };
    let tags = read_tags(text)?.filter(|tag| tag.name() == "solvable" && !tag.is_end());
    let found = tags.filter(|tag| tag.get("repository") != Some(NOWHERE));
    found.map(|tag| read(tag).ok_or_else(|| unreadable(WHAT, tag.0))).collect()
}

/// What is newer and would not come, because of a lock or of something else.
fn read_held(sections: &Sections, pending: &[Change], installed: &Installed) -> Result<Vec<Held>, Obstacle> {
    let locks = unescaped(sections.get("locks"));
    let locks: Vec<&str> = locks.split("<name>").skip(1).filter_map(|part| part.split("</name>").next()).collect();
    let mut held = Vec::new();
    for tag in read_tags(sections.get("updates"))?.filter(|tag| tag.name() == "update") {
        if tag.is_end() || tag.get("kind") != Some("package") {
            continue;
        }
        let read = tag.package().zip(tag.get("edition").and_then(read_version));
        let (package, candidate) = read.ok_or_else(|| unreadable(WHAT, tag.0))?;
        if pending.iter().any(|change| change.package == package && change.to.as_ref() == Some(&candidate)) {
            continue;
        }
        let known = tag.get("edition-old").and_then(read_version).or_else(|| installed.get(&package).cloned());
        let version = known.ok_or_else(|| unreadable(WHAT, tag.0))?;
        let is_locked = locks.iter().any(|lock| is_match(lock, &package.name));
        let cause = if is_locked { HeldCause::Hold } else { HeldCause::KeptBack };
        held.push(Held { package, installed: version, candidate: Some(candidate), cause });
    }
    Ok(held)
}

/// Whether a name is meant by a lock, where `*` stands for anything and `?` for one sign.
fn is_match(pattern: &str, name: &str) -> bool {
    match (pattern.chars().next(), name.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            is_match(&pattern[1..], name)
                || name.char_indices().skip(1).any(|(at, _)| is_match(&pattern[1..], &name[at..]))
                || is_match(&pattern[1..], "")
        }
        (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
            is_match(&pattern[wanted.len_utf8()..], &name[found.len_utf8()..])
        }
        _ => false,
    }
}

/// `NAME[.ARCHITECTURE] < VERSION`: a patch for security wants nothing older.
struct Advisory<'a> {
    whose: &'a str,
    version: &'a str,
}

impl Advisory<'_> {
    fn is_met(&self, package: &Package, before: Option<&String>, to: &str) -> bool {
        let is_whose = self.whose == package.name || self.whose == format!("{}.{}", package.name, package.architecture);
        is_whose
            && before.is_none_or(|before| compare_versions(before, self.version).is_lt())
            && compare_versions(self.version, to).is_le()
    }
}

/// `Conflicts   : NAME < VERSION`, or `Conflicts   : [COUNT]` and so many lines that begin with blanks.
fn read_advisories(text: &str) -> Vec<Advisory<'_>> {
    let mut key = "";
    let read = |line| {
        let line: &str = line;
        let value = if line.starts_with(' ') { line } else { line.split_once(" : ").map_or("", |(_, value)| value) };
        if !line.starts_with(' ') {
            key = line.split_once(" : ").map_or("", |(key, _)| key.trim_end());
        }
        let (whose, version) = value.trim().split_once(" < ").filter(|_| key == "Conflicts")?;
        Some(Advisory { whose, version })
    };
    text.lines().filter_map(read).collect()
}
