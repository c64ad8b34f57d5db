//! What dnf and zypper share: the list of what is installed, and which of two versions is newer.

use std::cmp::Ordering;

use super::{Sections, is_name, is_version, unreadable};
use crate::domain::packages::{Installed, Obstacle, Package};

/// `NAME ARCHITECTURE VERSION`, with tabs between. Of kernels there are several; the newest counts.
pub(super) fn read_installed(sections: &Sections) -> Result<Installed, Obstacle> {
    let mut installed = Installed::new();
    for line in sections.lines("installed") {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, architecture, version] = fields.as_slice() else {
            return Err(unreadable("rpm", line));
        };
        let package = read_package(name, architecture).ok_or_else(|| unreadable("rpm", line))?;
        if installed.get(&package).is_none_or(|known| compare_versions(known, version).is_lt()) {
            installed.insert(package, (*version).to_owned());
        }
    }
    Ok(installed)
}

/// A package that can be named on a command line.
pub(super) fn read_package(name: &str, architecture: &str) -> Option<Package> {
    let package = Package { name: name.to_owned(), architecture: architecture.to_owned() };
    (is_name(name) && is_name(architecture)).then_some(package)
}

/// A version that can be named on a command line.
pub(super) fn read_version(text: &str) -> Option<String> {
    is_version(text).then(|| text.to_owned())
}

/// Which of two `[EPOCH:]VERSION[-RELEASE]` is newer. Where one has no release, it says nothing of releases.
pub(super) fn compare_versions(left: &str, right: &str) -> Ordering {
    let (left_epoch, left) = split_epoch(left);
    let (right_epoch, right) = split_epoch(right);
    let (left, left_release) = left.split_once('-').map_or((left, None), |(it, release)| (it, Some(release)));
    let (right, right_release) = right.split_once('-').map_or((right, None), |(it, release)| (it, Some(release)));
    let by_release = || match (left_release, right_release) {
        (Some(left), Some(right)) => compare_parts(left, right),
        _ => Ordering::Equal,
    };
    left_epoch.cmp(&right_epoch).then_with(|| compare_parts(left, right)).then_with(by_release)
}

fn split_epoch(text: &str) -> (u64, &str) {
    text.split_once(':').map_or((0, text), |(epoch, rest)| (epoch.parse().unwrap_or(0), rest))
}

/// RPM's own order (`rpmvercmp`): runs of digits by number, of letters by alphabet, digits above letters; `~` before the end of a
/// version, `^` after it, and all else only separates.
fn compare_parts(mut left: &str, mut right: &str) -> Ordering {
    let is_separator = |sign: char| !sign.is_ascii_alphanumeric() && sign != '~' && sign != '^';
    loop {
        left = left.trim_start_matches(is_separator);
        right = right.trim_start_matches(is_separator);
        let (left_first, right_first) = (left.chars().next(), right.chars().next());
        match (left_first, right_first) {
            (Some('~'), Some('~')) | (Some('^'), Some('^')) => (left, right) = (&left[1..], &right[1..]),
            (Some('~'), _) | (None, Some('^')) => return Ordering::Less,
            (_, Some('~')) | (Some('^'), None) => return Ordering::Greater,
            (Some('^'), _) => return Ordering::Less,
            (_, Some('^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left_first), Some(right_first)) if left_first.is_ascii_digit() != right_first.is_ascii_digit() => {
                return left_first.is_ascii_digit().cmp(&right_first.is_ascii_digit());
            }
            (Some(first), Some(_)) => {
                let (left_run, left_rest) = split_run(left, first.is_ascii_digit());
                let (right_run, right_rest) = split_run(right, first.is_ascii_digit());
                let by_length =
                    if first.is_ascii_digit() { left_run.len().cmp(&right_run.len()) } else { Ordering::Equal };
                let order = by_length.then_with(|| left_run.cmp(right_run));
                if order.is_ne() {
                    return order;
                }
                (left, right) = (left_rest, right_rest);
            }
        }
    }
}

/// The digits, without zeros in front, or letters at the beginning, and what follows.
fn split_run(text: &str, digits: bool) -> (&str, &str) {
    let belongs = |sign: char| if digits { sign.is_ascii_digit() } else { sign.is_ascii_alphabetic() };
    let (run, rest) = text.split_at(text.find(|sign: char| !belongs(sign)).unwrap_or(text.len()));
    (if digits { run.trim_start_matches('0') } else { run }, rest)
}

#[cfg(test)]
mod tests {
    use super::{Ordering, compare_versions};

    #[test]
    fn versions_are_ordered_as_rpm_orders_them() {
        // `rpm --eval '%{lua: print(rpm.vercmp(…))}'` says the same of each but the second, where an advisory names no release.
        let rows = [
            ("1.0-1", "1.0-1", Ordering::Equal),
            ("1.0-1", "1.0", Ordering::Equal),
            ("1.0-1", "1.0-2", Ordering::Less),
            ("1.9-1", "1.10-1", Ordering::Less),
            ("1.01-1", "1.1-1", Ordering::Equal),
            ("9.0-1", "1:1.0-1", Ordering::Less),
            ("0:9.0-1", "9.0-1", Ordering::Equal),
            ("1.0~rc1-1", "1.0-1", Ordering::Less),
            ("1.0~rc1", "1.0~rc2", Ordering::Less),
            ("1.0^git1-1", "1.0-1", Ordering::Greater),
            ("1.0^git1-1", "1.0.1-1", Ordering::Less),
            ("1.0^", "1.0~", Ordering::Greater),
            ("1.0a", "1.0", Ordering::Greater),
            ("1.0a", "1.0.1", Ordering::Less),
            ("1.a", "1.b", Ordering::Less),
            ("1_0", "1.0", Ordering::Equal),
            ("2.36-9.el9_4", "2.36-9.el9_10", Ordering::Less),
        ];
        for (left, right, expected) in rows {
            assert_eq!(compare_versions(left, right), expected, "{left} and {right}");
            assert_eq!(compare_versions(right, left), expected.reverse(), "{right} and {left}");
        }
    }
}
