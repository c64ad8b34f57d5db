//! `capacity`: the paths that are watched, of all hosts or of one.

use crate::domain::capacity::WatchedPath;
use crate::domain::document::{Distinct, Table};
use crate::domain::inventory::address::{HOST_PATH_RULE, parse_host_path};

/// More on one host can't be asked in a time that anybody would wait for.
const MAX_PATHS: usize = 20;

/// The paths of a table that may have some.
pub(super) fn read_watched(table: &mut Table<'_>) -> Vec<WatchedPath> {
    let mut seen = Distinct::default();
    table.tables("capacity", MAX_PATHS).into_iter().filter_map(|entry| read_path(entry, &mut seen)).collect()
}

fn read_path(mut table: Table<'_>, seen: &mut Distinct) -> Option<WatchedPath> {
    let path = table.required("path").and_then(|value| {
        let path = value.parsed(HOST_PATH_RULE, parse_host_path)?;
        seen.admit(&path, &value);
        Some(path)
    });
    let warn_s = table.required("warn").and_then(|value| value.duration_s());
    table.finish();
    Some(WatchedPath { path: path?, warn_s: warn_s? })
}

/// The customer's paths with a host's own: the same path is the host's to say.
pub(super) fn join_watched(defaults: &[WatchedPath], own: Vec<WatchedPath>) -> Vec<WatchedPath> {
    let is_own = |path: &&WatchedPath| own.iter().any(|watched| watched.path == path.path);
    let mut joined: Vec<_> = defaults.iter().filter(|path| !is_own(path)).cloned().collect();
    joined.extend(own);
    joined
}

#[cfg(test)]
mod tests;
