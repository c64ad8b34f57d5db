//! What a look at a host's packages chose, or found at the end, in one line.

use std::collections::BTreeMap;

use crate::app::cli::review::words::counted;
use crate::domain::line::clean_line;
use crate::domain::packages::PackagesRecord;
use crate::domain::packages::account::Account;
use crate::domain::packages::choose::{Left, LeftCause, Look};

#[cfg(test)]
mod tests;

/// Packages that are named for one cause; of more, the number is enough.
const NAMED: usize = 3;
/// Longest line, in characters.
const LINE_CHARS: usize = 400;

/// `3 of 5 packages chosen; not approved: curl, nginx`.
pub(super) fn describe(record: &PackagesRecord) -> String {
    let line = match record {
        PackagesRecord::Looked(look) => describe_look(look),
        PackagesRecord::Accounted(account) => describe_account(account),
    };
    clean_line(line.as_bytes(), LINE_CHARS)
}

fn describe_look(look: &Look) -> String {
    let all = counted(look.chosen.len() + look.left.len(), "package");
    let held: Vec<_> = look.held.iter().map(|held| held.package.name.as_str()).collect();
    let mut parts = vec![format!("{} of {all} chosen", look.chosen.len())];
    parts.extend(describe_left(&look.left));
    parts.extend(named("stays on the host", &held));
    parts.join("; ")
}

fn describe_account(account: &Account) -> String {
    let all = counted(account.installed.len() + account.not_installed.len(), "package");
    let missing: Vec<_> = account.not_installed.iter().map(|it| it.change.package.name.as_str()).collect();
    let newly: Vec<_> = account.newly_available.iter().map(|it| it.package.name.as_str()).collect();
    let mut parts = vec![format!("{} of {all} in effect", account.installed.len())];
    parts.extend(named("not in effect", &missing));
    parts.extend(named("new meanwhile", &newly));
    if account.reboot_needed == Some(true) {
        parts.push("the host wants a restart".to_owned());
    }
    parts.join("; ")
}

/// By cause, in the order in which causes come up.
fn describe_left(left: &[Left]) -> Vec<String> {
    let mut by_cause: BTreeMap<(u8, &str), Vec<&str>> = BTreeMap::new();
    for left in left {
        by_cause.entry(cause(&left.cause)).or_default().push(&left.change.package.name);
    }
    by_cause.into_iter().filter_map(|((_, cause), names)| named(cause, &names)).collect()
}

/// The most surprising first.
fn cause(cause: &LeftCause) -> (u8, &'static str) {
    match cause {
        LeftCause::Replaced { .. } => (0, "another change now"),
        LeftCause::OtherRepository { .. } => (1, "from elsewhere now"),
        LeftCause::Needs { .. } => (2, "needs what is not approved"),
        LeftCause::Refused => (3, "refused by the package manager"),
        LeftCause::Gone => (4, "not pending any more"),
        LeftCause::NotApproved => (5, "not approved"),
    }
}

fn named(what: &str, names: &[&str]) -> Option<String> {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        _ if names.is_empty() => None,
        0 => Some(format!("{what}: {shown}")),
        more => Some(format!("{what}: {shown} and {more} more")),
    }
}
