//! The packages of one host in the reader's words.

use serde::Serialize;

use super::super::Error;
use super::super::reader::Reader;
use super::words::word;
use super::{Row, labelled};
use crate::domain::packages::account::NotInstalled;
use crate::domain::packages::choose::{Left, LeftCause};
use crate::domain::packages::{Change, ChangeKind, Held};
use crate::domain::report::host::HostReport;
use crate::domain::report::packages::PackagesReport;

/// Names of packages that are told in one line; the JSON has all of them.
const NAMES_SHOWN: usize = 20;

/// What the templates fill a step that installs packages with.
#[derive(Debug, Serialize)]
pub(super) struct PackagesView {
    /// How many, in one line.
    summary: String,
    rows: Vec<Row>,
    changes: Vec<ChangeView>,
    left: Vec<LeftView>,
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
    let installed = packages.installed.iter().map(|change| (change, "changed"));
    let open = packages.chosen.iter().filter(|_| packages.is_open).map(|change| (change, "unclear"));
    let mut changes: Vec<_> = installed.chain(open).collect();
    changes.sort_by_key(|(change, _)| (!change.security, change.kind, &change.package));
    let not_installed = packages.not_installed.iter().map(|missing| not_installed(missing, reader));
    let left = packages.left.iter().map(|left| left_view(left, reader));
    let held = packages.held.iter().map(|held| held_view(held, reader));
    Ok(PackagesView {
        summary: summary(packages, reader)?,
        rows: rows(packages, reader)?,
        changes: changes
            .into_iter()
            .map(|(change, state)| change_view(change, state, reader))
            .collect::<Result<_, _>>()?,
        left: not_installed.chain(left).chain(held).collect::<Result<_, _>>()?,
    })
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

fn rows(packages: &PackagesReport, reader: &Reader<'_>) -> Result<Vec<Row>, Error> {
    let newly: Vec<_> = packages.newly_available.iter().map(|change| change.package.name.clone()).collect();
    let one_way: Vec<_> = packages.without_way_back.iter().map(|package| package.name.clone()).collect();
    let conffiles = match packages.conffile_policy.as_deref() {
        Some("replace") => "report.packages.conffiles_replaced",
        _ => "report.packages.conffiles_kept",
    };
    let reboot = (packages.reboot_needed == Some(true)).then(|| reader.plain("report.packages.reboot_needed"));
    let values = [
        ("report.label.conffiles", listed(conffiles, &packages.conffiles, reader)?),
        ("report.label.newly_available", listed("report.packages.newly_available", &newly, reader)?),
        ("report.label.reboot", reboot.transpose()?),
        ("report.label.services", listed("report.packages.stale_services", &packages.stale_services, reader)?),
        ("report.label.one_way", listed("report.packages.one_way", &one_way, reader)?),
        ("report.label.note", listed("report.packages.warning", &packages.warnings, reader)?),
    ];
    labelled(reader, values)
}

/// Names in a sentence; none if there are none.
fn listed(key: &str, names: &[String], reader: &Reader<'_>) -> Result<Option<String>, Error> {
    if names.is_empty() {
        return Ok(None);
    }
    let shown = names.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let shown = match names.len().saturating_sub(NAMES_SHOWN) {
        0 => shown,
        more => reader.count("report.packages.and_more", more, &[("names", &shown)])?,
    };
    reader.text(key, &[("names", &shown)]).map(Some)
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
            let names = others.iter().take(NAMES_SHOWN).map(|other| other.package.name.as_str());
            names.collect::<Vec<_>>().join(", ")
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
