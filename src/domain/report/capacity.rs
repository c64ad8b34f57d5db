//! How full the disks of hosts are, as reports and `turnus capacity` tell it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::clean;
use crate::domain::capacity::{
    Fill, LastBackup, LatestLook, Level, Memory, Outlook, PathHistory, Prospect, Resource, Unmeasured, WatchedPath,
    place_of,
};
use crate::domain::id::Name;

/// Most measurements of a path that are told: enough for a picture.
const SHOWN_LEVELS: usize = 60;

/// Which paths are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Those that the inventory names.
    Watched,
    /// All file systems.
    All,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostCapacity {
    /// Its name in the inventory.
    pub host: Name,
    /// When it was looked at last, with or without success; absent: never.
    pub looked_at: Option<Timestamp>,
    /// Why that look found nothing.
    pub fault: Option<String>,
    /// Its memory, at that look.
    pub memory: Option<Memory>,
    /// The watched paths first, in the order of the inventory.
    pub paths: Vec<PathCapacity>,
    /// Watched paths that could not be measured.
    pub unmeasured: Vec<Unmeasured>,
}

/// One path of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathCapacity {
    /// The path.
    pub path: String,
    /// Where its file system is mounted.
    pub mount: String,
    /// How many seconds before it is full the team is told; absent: nobody is.
    pub warn_s: Option<u64>,
    /// When it was measured last.
    pub measured_at: Timestamp,
    /// In bytes.
    pub space: Fill,
    /// Where there is a limit.
    pub inodes: Option<Fill>,
    /// What runs out first.
    pub resource: Resource,
    /// When.
    pub prospect: Prospect,
    /// What the last run that backed this host up left on this path.
    pub last_backup: Option<BackupRoom>,
    /// How full it was, at most 60 times, the latest last.
    pub history: Vec<Level>,
}

/// The last backup, and how much room there is for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupRoom {
    /// Its size: of all files together.
    pub bytes: u64,
    /// When it was verified.
    pub verified_at: Timestamp,
    /// So many more of this size fit on what is free.
    pub more: u64,
}

/// What is known of a host.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its name in the inventory.
    pub host: &'a Name,
    /// What the inventory wants to be watched there.
    pub watched: &'a [WatchedPath],
    /// What was measured, by path.
    pub histories: &'a BTreeMap<String, PathHistory>,
    /// The latest look.
    pub look: Option<&'a LatestLook>,
    /// The backups of its latest run that made some.
    pub backups: &'a [LastBackup],
}

/// Joins what is known of a host, as seen at `now`.
#[must_use]
pub fn describe(known: &Known<'_>, shown: Shown, now: Timestamp) -> HostCapacity {
    let latest = known.histories.values().filter_map(|history| history.levels.last()).map(|level| level.at).max();
    let is_current = |history: &PathHistory| history.levels.last().map(|level| level.at) == latest;
    let watched = known.watched.iter().filter_map(|watched| {
        let history = known.histories.get_key_value(&watched.path)?;
        Some((history.0.as_str(), history.1, Some(watched.warn_s)))
    });
    let watched: Vec<_> = watched.collect();
    let is_told = |mount: &str| watched.iter().any(|(_, history, _)| history.mount == mount);
    // What was unmounted meanwhile, or is not watched any more, is history.
    let others = known.histories.iter().filter(|(path, history)| {
        shown == Shown::All && is_current(history) && **path == history.mount && !is_told(path)
    });
    let others: Vec<_> = others.map(|(path, history)| (path.as_str(), history, None)).collect();
    let places: Vec<&str> = watched.iter().chain(&others).map(|(path, ..)| *path).collect();
    let told = watched.iter().chain(&others).filter_map(|(path, history, warn_s)| {
        let on_path =
            known.backups.iter().filter(|backup| place_of(&backup.path, places.iter().copied()) == Some(*path));
        let backups: Vec<_> = on_path.collect();
        path_capacity((path, *warn_s), history, &backups, now)
    });
    let look = known.look;
    let unmeasured = look.iter().flat_map(|look| &look.unmeasured);
    let is_watched = |missing: &&Unmeasured| known.watched.iter().any(|watched| watched.path == missing.path);
    HostCapacity {
        host: known.host.clone(),
        looked_at: look.map(|look| look.at),
        fault: look.and_then(|look| look.fault.as_deref()).map(clean),
        memory: look.and_then(|look| look.memory),
        paths: told.collect(),
        unmeasured: unmeasured
            .filter(is_watched)
            .map(|missing| Unmeasured { path: clean(&missing.path), why: clean(&missing.why) })
            .collect(),
    }
}

fn path_capacity(
    (path, warn_s): (&str, Option<u64>),
    history: &PathHistory,
    backups: &[&LastBackup],
    now: Timestamp,
) -> Option<PathCapacity> {
    let latest = history.levels.last()?;
    let outlook = Outlook::of(&history.levels, now);
    Some(PathCapacity {
        path: clean(path),
        mount: clean(&history.mount),
        warn_s,
        measured_at: latest.at,
        space: latest.space,
        inodes: latest.inodes,
        resource: outlook.resource,
        prospect: outlook.forecast.into(),
        last_backup: backup_room(backups, latest.space.free),
        history: thin_out(&history.levels),
    })
}

fn backup_room(backups: &[&LastBackup], free_bytes: u64) -> Option<BackupRoom> {
    let verified_at = backups.iter().map(|backup| backup.at).max()?;
    let bytes = backups.iter().fold(0_u64, |sum, backup| sum.saturating_add(backup.bytes));
    Some(BackupRoom { bytes, verified_at, more: free_bytes.checked_div(bytes)? })
}

/// Evenly, and always with the last.
fn thin_out(levels: &[Level]) -> Vec<Level> {
    let every = levels.len().div_ceil(SHOWN_LEVELS).max(1);
    let mut kept: Vec<Level> = levels.iter().rev().step_by(every).copied().collect();
    kept.reverse();
    kept
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
