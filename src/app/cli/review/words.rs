//! A list of pending updates, and what was decided on it, in words and as an object.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::app::cli::show::{moment, table};
use crate::domain::id::Name;
use crate::domain::line::clean_line;
use crate::domain::packages::{Change, ChangeKind, Held, HeldCause, Survey};
use crate::domain::review::{Collection, Difference, Finding, Selection, UnionRow, Verdict};
use crate::edge::store::occurrence::StoredOccurrence;
use crate::edge::store::review::StoredCollection;
use crate::edge::store::review::decision::StoredDecision;

/// Longest text of a host that is shown, in characters.
const SAID_CHARS: usize = 400;
/// So many hosts are named in a row; of more, the number is enough.
const NAMED_HOSTS: usize = 4;

/// All that there is to show.
pub(super) struct Shown<'a> {
    pub(super) title: String,
    /// What has to be typed besides the customer to name the date; empty for the next one.
    pub(super) option: String,
    pub(super) occurrence: Option<&'a StoredOccurrence>,
    pub(super) collection: &'a StoredCollection,
    pub(super) before: Option<&'a StoredCollection>,
    pub(super) standing: Option<&'a StoredDecision>,
    pub(super) history: &'a [StoredDecision],
}

impl Shown<'_> {
    fn differences(&self) -> BTreeMap<&Name, Difference> {
        self.before.map(|before| self.collection.findings.differences(&before.findings)).unwrap_or_default()
    }
}

/// Which list it is, and what it amounts to.
pub(super) fn headline(shown: &Shown<'_>) -> String {
    let stored = shown.collection;
    let list = format!(
        "list {} of {}, collected by {}",
        stored.list.short(),
        moment(stored.collected_at),
        stored.collected_by
    );
    format!("{}\n{list}\n{}", shown.title, amount(&stored.findings))
}

/// What a list amounts to, in a line or two.
pub(in crate::app::cli) fn amount(findings: &Collection) -> String {
    let rows = findings.union();
    let count = |kind: ChangeKind| rows.iter().filter(|row| row.change.kind == kind).count();
    let security = rows.iter().filter(|row| row.change.security).count();
    let odd: Vec<String> = [
        (count(ChangeKind::Remove), "removal"),
        (count(ChangeKind::Downgrade), "downgrade"),
        (count(ChangeKind::Install), "new package"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| counted(count, word))
    .collect();
    let unseen = findings.hosts.values().filter(|finding| !matches!(finding, Finding::Surveyed(_))).count();
    let mut text = match rows.len() {
        0 if unseen == 0 => "nothing is pending".to_owned(),
        0 => "nothing is known to be pending".to_owned(),
        several => format!("{} pending, {security} for security", counted(several, "change")),
    };
    if !odd.is_empty() {
        text += &format!("; ! {}", odd.join(", "));
    }
    if unseen > 0 {
        text += &format!("\n{unseen} of {} could not be looked at", counted(findings.hosts.len(), "host"));
    }
    text
}

pub(in crate::app::cli) fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// The whole of it.
pub(super) fn describe(shown: &Shown<'_>) -> String {
    let findings = &shown.collection.findings;
    let differences = shown.differences();
    let mut parts = vec![headline(shown)];
    if !findings.union().is_empty() {
        parts.push(union(findings, &differences));
    }
    if let (Some(before), false) = (shown.before, differences.is_empty()) {
        parts.push(since(before, &differences));
    }
    parts.extend(findings.hosts.iter().map(|(name, finding)| host(name, finding)));
    parts.push(decision(shown));
    parts.extend(replaced(shown));
    parts.join("\n\n")
}

/// The customer-wide list.
pub(in crate::app::cli) fn union(findings: &Collection, differences: &BTreeMap<&Name, Difference>) -> String {
    let mut rows = table(&["", "", "package", "from", "to", "on"]);
    let all = findings.union();
    for row in &all {
        let mark = match (stands_out(row.change), is_new(row, differences)) {
            (true, true) => "!*",
            (true, false) => "!",
            (false, true) => "*",
            (false, false) => "",
        };
        rows.add_row([
            mark.to_owned(),
            if row.change.security { "security" } else { "" }.to_owned(),
            row.change.package.to_string(),
            row.change.from.clone().unwrap_or_default(),
            to(row.change),
            hosts(&row.hosts),
        ]);
    }
    let mut text = rows.to_string();
    if all.iter().any(|row| stands_out(row.change)) {
        text += "\n!  is removed, gets an older version, or is not installed yet";
    }
    if all.iter().any(|row| is_new(row, differences)) {
        text += "\n*  was not in the list before";
    }
    text
}

fn stands_out(change: &Change) -> bool {
    change.kind != ChangeKind::Upgrade
}

fn is_new(row: &UnionRow<'_>, differences: &BTreeMap<&Name, Difference>) -> bool {
    let of_host = |host: &&Name| differences.get(host).is_some_and(|difference| difference.new.contains(row.change));
    row.hosts.iter().any(of_host)
}

fn to(change: &Change) -> String {
    let version = change.to.as_deref().unwrap_or_default();
    match change.kind {
        ChangeKind::Remove => "removed".to_owned(),
        ChangeKind::Downgrade => format!("{version} (older)"),
        ChangeKind::Install => format!("{version} (new)"),
        ChangeKind::Upgrade => version.to_owned(),
    }
}

fn hosts(names: &[&Name]) -> String {
    let listed: Vec<_> = names.iter().take(NAMED_HOSTS).map(|name| name.as_str()).collect();
    let more = if names.len() > NAMED_HOSTS { ", …" } else { "" };
    format!("{}: {}{more}", counted(names.len(), "host"), listed.join(", "))
}

/// What is pending no more.
fn since(before: &StoredCollection, differences: &BTreeMap<&Name, Difference>) -> String {
    let mut lines = vec![format!("since list {} of {}:", before.list.short(), moment(before.collected_at))];
    for (host, Difference { new, gone }) in differences {
        lines.extend(new.iter().map(|change| format!("  {host}: new: {change}")));
        lines.extend(gone.iter().map(|change| format!("  {host}: gone: {change}")));
    }
    lines.join("\n")
}

fn host(name: &Name, finding: &Finding) -> String {
    match finding {
        Finding::Surveyed(survey) => surveyed(name, survey),
        Finding::Unreachable { what, hint } => {
            format!("{name}: not reached: {}{}", said(what), hinted(hint.as_deref()))
        }
        Finding::Obstructed(obstacle) => {
            format!("{name}: {}{}", said(&obstacle.to_string()), hinted(obstacle.hint().as_deref()))
        }
    }
}

fn surveyed(name: &Name, survey: &Survey) -> String {
    let restart = match survey.reboot_needed {
        Some(true) => ", wants a restart",
        Some(false) | None => "",
    };
    let mut lines = vec![format!("{name} ({}): {} pending{restart}", survey.manager, survey.pending.len())];
    for change in &survey.pending {
        let security = if change.security { ", security" } else { "" };
        let from = change.repository.as_deref().map(|repository| format!(" from {repository}")).unwrap_or_default();
        lines.push(said(&format!("{change}{from}{security}")));
    }
    lines.extend(survey.held.iter().map(held));
    if !survey.without_way_back.is_empty() {
        let names: Vec<_> = survey.without_way_back.iter().map(ToString::to_string).collect();
        lines.push(format!("no way back once updated: {}", names.join(", ")));
    }
    if !survey.stale_services.is_empty() {
        lines.push(format!("still run what was replaced: {}", survey.stale_services.join(", ")));
    }
    lines.extend(survey.warnings.iter().map(|warning| format!("warning: {}", said(warning))));
    lines.join("\n  ")
}

fn held(held: &Held) -> String {
    let candidate = held.candidate.as_deref().map(|version| format!(", {version} is there")).unwrap_or_default();
    let cause = match held.cause {
        HeldCause::Hold => "on hold on the host",
        HeldCause::KeptBack => "kept back by the package manager",
    };
    said(&format!("stays: {} {}{candidate} ({cause})", held.package.name, held.installed))
}

/// What a host, or its package manager, said: data, in one line.
fn said(text: &str) -> String {
    clean_line(text.as_bytes(), SAID_CHARS)
}

fn hinted(hint: Option<&str>) -> String {
    hint.map(|hint| format!("\n  hint: {}", said(hint))).unwrap_or_default()
}

fn decision(shown: &Shown<'_>) -> String {
    let findings = &shown.collection.findings;
    match shown.standing {
        Some(decision) => {
            let on = match decision.list == shown.collection.list {
                true => "on this list".to_owned(),
                false => format!("on another list ({}); `--replace` decides anew", decision.list.short()),
            };
            format!("{}, {on}", decided(decision))
        }
        None if findings.is_settled() => "nothing is to be decided".to_owned(),
        None if shown.occurrence.is_none_or(|row| !row.state.is_ahead()) => "not decided".to_owned(),
        // With the list's hash: whoever copies it decides on what they have seen, or on nothing.
        None => format!(
            "not decided: `turnus review approve {}{} --list {} --by NAME`, or `reject` in place of `approve`",
            shown.collection.customer,
            shown.option,
            shown.collection.list.short()
        ),
    }
}

/// What was decided before, and counts no more.
fn replaced(shown: &Shown<'_>) -> Option<String> {
    let before = shown.history.iter().filter_map(|decision| Some((decision, decision.replaced_at?)));
    let lines: Vec<_> =
        before.map(|(decision, at)| format!("replaced at {}: {}", moment(at), decided(decision))).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Who decided what, when.
pub(super) fn decided(decision: &StoredDecision) -> String {
    let note = decision.note.as_deref().map(|note| format!(" ({})", said(note))).unwrap_or_default();
    let what = match decision.verdict {
        Verdict::Approve => {
            let changes: usize = decision.changes.values().map(Vec::len).sum();
            let hosts = decision.changes.values().filter(|changes| !changes.is_empty()).count();
            let chosen = selection(&decision.selection);
            format!("approved: {} on {}{chosen}", counted(changes, "change"), counted(hosts, "host"))
        }
        Verdict::Reject => "rejected".to_owned(),
    };
    format!("{what}, by {} at {}{note}", said(&decision.by), moment(decision.at))
}

/// What was chosen of a list; nothing if all of it.
fn selection(selection: &Selection) -> String {
    let Selection { security, only, except, hosts } = selection;
    let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
    let parts = [
        security.then(|| "security only".to_owned()),
        (!only.is_empty()).then(|| format!("only {}", only.join(", "))),
        (!except.is_empty()).then(|| format!("without {}", except.join(", "))),
        (!hosts.is_empty()).then(|| format!("hosts {}", hosts.join(", "))),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", said(&parts.join("; "))) }
}

/// The whole of it, for programs.
pub(super) fn object(shown: &Shown<'_>) -> Value {
    let Shown { collection, before, .. } = shown;
    let differences = shown.differences();
    let union = collection.findings.union();
    let rows = union
        .iter()
        .map(|row| json!({ "change": row.change, "hosts": row.hosts, "new_since_before": is_new(row, &differences) }));
    json!({
        "customer": collection.customer,
        "occurrence": shown.occurrence.map(|row| json!({
            "id": row.id, "window": row.window, "start": row.start, "state": row.state.as_str(), "job": row.job,
        })),
        "list": collection.list,
        "collection": collection.number,
        "collected_at": collection.collected_at,
        "collected_by": collection.collected_by,
        "settled": collection.findings.is_settled(),
        "union": rows.collect::<Vec<_>>(),
        "hosts": collection.findings,
        "before": before.map(|before| json!({ "collection": before.number, "list": before.list, "collected_at": before.collected_at })),
        "differences": differences,
        "decision": shown.standing.map(decision_object),
        "history": shown.history.iter().map(decision_object).collect::<Vec<_>>(),
    })
}

/// A decision for programs.
pub(super) fn decision_object(decision: &StoredDecision) -> Value {
    json!({
        "number": decision.number,
        "verdict": decision.verdict,
        "by": decision.by,
        "at": decision.at,
        "note": decision.note,
        "list": decision.list,
        "collection": decision.collection,
        "selection": decision.selection,
        "changes": decision.changes,
        "replaces": decision.replaces,
        "replaced_at": decision.replaced_at,
    })
}
