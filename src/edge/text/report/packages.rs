//! The packages of one host in the reader's words.

use serde::Serialize;

use super::super::Error;
use super::super::reader::Reader;
use super::words::{NAMES_SHOWN, names_in_line, word};
use super::{Row, labelled};
use crate::domain::packages::account::NotInstalled;
use crate::domain::packages::choose::{Left, LeftCause};
use crate::domain::packages::{Change, ChangeKind, Held};
use crate::domain::report::host::HostReport;
use crate::domain::report::packages::PackagesReport;

#[cfg(test)]
mod tests;

/// Lines of a list that a customer reads; the annex has all of them.
const LINES_SHOWN: usize = 25;

/// What the templates fill a step that installs packages with.
#[derive(Debug, Serialize)]
pub(super) struct PackagesView {
    /// How many, in one line.
    summary: String,
    rows: Vec<Row>,
    changes: Vec<ChangeView>,
    /// How many more changes the annex has.
    more_changes: Option<String>,
    left: Vec<LeftView>,
    /// How many more that were not changed the annex has.
    more_left: Option<String>,
    /// For the annex: what is shortened above.
    full: Vec<FullView>,
}

/// A list that is too long for a customer to read.
#[derive(Debug, Serialize)]
struct FullView {
    label: String,
    lines: Vec<String>,
}

/// A package that was changed.
#[derive(Debug, Serialize)]
struct ChangeView {
    package: String,
    versions: String,
    /// `changed`, or `unclear` if it is not known whether it is in effect.
    state: &'static str,
    /// Empty unless it is for security.
    security: String,
    /// All of it in one line.
    line: String,
}

/// A package that was not changed, and why.
#[derive(Debug, Serialize)]
struct LeftView {
    package: String,
    reason: String,
    line: String,
}

pub(super) fn views(host: &HostReport, reader: &Reader<'_>) -> Result<Vec<PackagesView>, Error> {
    host.packages.iter().map(|packages| view(packages, reader)).collect()
}

fn view(packages: &PackagesReport, reader: &Reader<'_>) -> Result<PackagesView, Error> {
    let lists = lists(packages);
    let mut changes = changes(packages, reader)?;
    let mut left = left(packages, reader)?;
    let change_lines = changes.iter().map(|change| change.line.clone()).collect();
    let left_lines = left.iter().map(|left| left.line.clone()).collect();
    let long = [("report.label.change", change_lines), ("report.label.left", left_lines)];
    let long = long.into_iter().filter(|(_, lines): &(_, Vec<String>)| lines.len() > LINES_SHOWN).map(Ok);
    let long_names = lists.iter().filter(|list| list.count > NAMES_SHOWN).map(|list| list.in_full(reader));
    let full = long.chain(long_names).map(|list| {
        let (label, lines) = list?;
        Ok(FullView { label: reader.plain(label)?, lines })
    });
    Ok(PackagesView {
        summary: summary(packages, reader)?,
        rows: rows(packages, &lists, reader)?,
        full: full.collect::<Result<_, Error>>()?,
        more_changes: shorten(&mut changes, reader)?,
        more_left: shorten(&mut left, reader)?,
        changes,
        left,
    })
}

/// Security first, then what goes or comes: what a list is shortened by comes last.
fn changes(packages: &PackagesReport, reader: &Reader<'_>) -> Result<Vec<ChangeView>, Error> {
    let installed = packages.installed.iter().map(|change| (change, "changed"));
    let open = packages.chosen.iter().filter(|_| packages.is_open).map(|change| (change, "unclear"));
    let mut changes: Vec<_> = installed.chain(open).collect();
    changes.sort_by_key(|(change, _)| (!change.security, change.kind, &change.package));
    changes.into_iter().map(|(change, state)| change_view(change, state, reader)).collect()
}

/// What somebody wanted first; what nobody approved, or the host itself holds, surprises nobody.
fn left(packages: &PackagesReport, reader: &Reader<'_>) -> Result<Vec<LeftView>, Error> {
    let not_installed = packages.not_installed.iter().map(|missing| not_installed(missing, reader));
    let (others, wanted): (Vec<_>, Vec<_>) =
        packages.left.iter().partition(|left| left.cause == LeftCause::NotApproved);
    let left = wanted.into_iter().chain(others).map(|left| left_view(left, reader));
    let held = packages.held.iter().map(|held| held_view(held, reader));
    not_installed.chain(left).chain(held).collect()
}

/// Cuts off what is too much to read, and says how much that is.
fn shorten<T>(lines: &mut Vec<T>, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    let more = lines.len().saturating_sub(LINES_SHOWN);
    lines.truncate(LINES_SHOWN);
    (more > 0).then(|| reader.count("report.packages.more_lines", more, &[])).transpose()
}

fn summary(packages: &PackagesReport, reader: &Reader<'_>) -> Result<String, Error> {
    if packages.is_open {
        return reader.plain("report.packages.not_known");
    }
    let changed = packages.installed.len();
    if changed == 0 {
        return reader.plain("report.packages.none");
    }
    let text = reader.count("report.packages.changed", changed, &[])?;
    match packages.installed.iter().filter(|change| change.security).count() {
        0 => Ok(text),
        security => {
            let security = reader.count("report.packages.of_these_security", security, &[])?;
            reader.text("report.packages.summary", &[("changed", &text), ("security", &security)])
        }
    }
}

fn rows(
    packages: &PackagesReport,
    [conffiles, newly_available, services, one_way]: &[Listed; 4],
    reader: &Reader<'_>,
) -> Result<Vec<Row>, Error> {
    let plain = |key: &str, is_so: bool| is_so.then(|| reader.plain(key)).transpose();
    let values = [
        (conffiles.label, conffiles.in_line(reader)?),
        (newly_available.label, newly_available.in_line(reader)?),
        (services.label, services.in_line(reader)?),
        (one_way.label, one_way.in_line(reader)?),
        // In its own words it stands in the annex.
        ("report.label.note", plain("report.packages.warned", !packages.warnings.is_empty())?),
    ];
    labelled(reader, values)
}

/// Names in a sentence.
struct Listed {
    label: &'static str,
    key: &'static str,
    names: Vec<String>,
    /// How many there are; it may be that not all are named.
    count: usize,
}

fn lists(packages: &PackagesReport) -> [Listed; 4] {
    let list = |label, key, names: Vec<String>| Listed { label, key, count: names.len(), names };
    let newly = packages.newly_available.iter().map(|change| change.package.name.clone()).collect();
    let one_way = packages.without_way_back.iter().map(|package| package.name.clone()).collect();
    let conffiles = match packages.conffile_policy.as_deref() {
        Some("replace") => "report.packages.conffiles_replaced",
        _ => "report.packages.conffiles_kept",
    };
    [
        Listed {
            label: "report.label.conffiles",
            key: conffiles,
            names: packages.conffiles.clone(),
            count: packages.conffile_count,
        },
        list("report.label.newly_available", "report.packages.newly_available", newly),
        list("report.label.services", "report.packages.stale_services", packages.stale_services.clone()),
        list("report.label.one_way", "report.packages.one_way", one_way),
    ]
}

impl Listed {
    /// None if there are none.
    fn in_line(&self, reader: &Reader<'_>) -> Result<Option<String>, Error> {
        if self.names.is_empty() {
            return Ok(None);
        }
        let shown = names_in_line("report.packages.and_more_in_annex", &self.names, self.count, reader)?;
        reader.text(self.key, &[("names", &shown)]).map(Some)
    }

    /// A line each, and how many are not named.
    fn in_full(&self, reader: &Reader<'_>) -> Result<(&'static str, Vec<String>), Error> {
        let mut lines = self.names.clone();
        let unnamed = self.count.saturating_sub(lines.len());
        if unnamed > 0 {
            lines.push(reader.count("report.packages.more_on_server", unnamed, &[])?);
        }
        Ok((self.label, lines))
    }
}

fn change_view(change: &Change, state: &'static str, reader: &Reader<'_>) -> Result<ChangeView, Error> {
    let security = if change.security { reader.plain("report.packages.security")? } else { String::new() };
    let (package, versions) = (change.package.to_string(), versions(change, reader)?);
    let key = if change.security { "report.packages.line_security" } else { "report.packages.line" };
    let line = reader.text(key, &[("package", &package), ("versions", &versions), ("security", &security)])?;
    Ok(ChangeView { package, versions, state, security, line })
}

fn versions(change: &Change, reader: &Reader<'_>) -> Result<String, Error> {
    let (from, to) = (change.from.as_deref().unwrap_or_default(), change.to.as_deref().unwrap_or_default());
    let key = match change.kind {
        ChangeKind::Install => "report.packages.new",
        ChangeKind::Remove => "report.packages.removed",
        ChangeKind::Upgrade | ChangeKind::Downgrade => "report.change.versions",
    };
    reader.text(key, &[("from", from), ("to", to)])
}

fn left_view(left: &Left, reader: &Reader<'_>) -> Result<LeftView, Error> {
    let key = format!("report.left.{}", cause_word(&left.cause));
    let detail = match &left.cause {
        LeftCause::Replaced { by } => versions(by, reader)?,
        LeftCause::OtherRepository { repository } => repository.clone(),
        LeftCause::Needs { others } => {
            let names: Vec<_> = others.iter().map(|other| &*other.package.name).collect();
            names_in_line("report.packages.and_more", &names, names.len(), reader)?
        }
        LeftCause::NotApproved | LeftCause::Gone | LeftCause::Refused => String::new(),
    };
    let reason = reader.text(&key, &[("detail", &detail)])?;
    left_line(&left.change.package.to_string(), &versions(&left.change, reader)?, reason, reader)
}

fn cause_word(cause: &LeftCause) -> &'static str {
    match cause {
        LeftCause::NotApproved => "not_approved",
        LeftCause::Gone => "gone",
        LeftCause::Replaced { .. } => "replaced",
        LeftCause::OtherRepository { .. } => "other_repository",
        LeftCause::Needs { .. } => "needs",
        LeftCause::Refused => "refused",
    }
}

fn not_installed(missing: &NotInstalled, reader: &Reader<'_>) -> Result<LeftView, Error> {
    let reason = match &missing.now {
        Some(now) => reader.text("report.left.not_in_effect", &[("detail", now)])?,
        None => reader.plain("report.left.not_there")?,
    };
    left_line(&missing.change.package.to_string(), &versions(&missing.change, reader)?, reason, reader)
}

fn held_view(held: &Held, reader: &Reader<'_>) -> Result<LeftView, Error> {
    let reason = reader.plain(&format!("report.left.{}", word(&held.cause)))?;
    let (from, to) = (held.installed.as_str(), held.candidate.as_deref());
    let versions = match to {
        Some(to) => reader.text("report.change.versions", &[("from", from), ("to", to)])?,
        None => from.to_owned(),
    };
    left_line(&held.package.to_string(), &versions, reason, reader)
}

fn left_line(package: &str, versions: &str, reason: String, reader: &Reader<'_>) -> Result<LeftView, Error> {
    let values = [("package", package), ("versions", versions), ("reason", &reason)];
    let line = reader.text("report.left.line", &values)?;
    Ok(LeftView { package: format!("{package} {versions}"), reason, line })
}
