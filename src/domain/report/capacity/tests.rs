//! What is told of a host's disks.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{HostCapacity, Known, SHOWN_LEVELS, Shown, describe};
use crate::domain::capacity::{
    Fill, LastBackup, LatestLook, Level, PathHistory, Prospect, Resource, Unmeasured, WatchedPath,
};
use crate::domain::id::Name;

const GIB: u64 = 1 << 30;

fn day(number: i64) -> Timestamp {
    "2026-03-01T02:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * number)
}

/// Measured each day from the first to the last, filling by so many GiB of 100 a day.
fn history(mount: &str, days: std::ops::Range<i64>, per_day: u64) -> PathHistory {
    let level = |number: i64| {
        let free = 90 * GIB - per_day * GIB * u64::try_from(number).unwrap();
        Level { at: day(number), space: Fill { total: 100 * GIB, free }, inodes: None }
    };
    PathHistory { mount: mount.to_owned(), levels: days.map(level).collect() }
}

fn host(shown: Shown) -> HostCapacity {
    let histories = BTreeMap::from([
        ("/".to_owned(), history("/", 0..10, 0)),
        ("/var/backups".to_owned(), history("/var", 0..10, 2)),
        ("/var".to_owned(), history("/var", 0..10, 2)),
        ("/srv".to_owned(), history("/srv", 0..10, 1)),
        ("/mnt/usb".to_owned(), history("/mnt/usb", 0..5, 1)),
    ]);
    let backup = |path: &str, gib: u64| LastBackup { path: path.to_owned(), bytes: gib * GIB, at: day(8) };
    let unmeasured =
        ["/nas", "/forgotten"].map(|path| Unmeasured { path: path.to_owned(), why: "no answer".to_owned() });
    let watched = ["/var/backups", "/nas"].map(|path| WatchedPath { path: path.to_owned(), warn_s: 86_400 });
    let look = LatestLook { at: day(9), memory: None, unmeasured: unmeasured.to_vec(), fault: None };
    let name: Name = "db01".parse().unwrap();
    let known = Known {
        host: &name,
        watched: &watched,
        histories: &histories,
        look: Some(&look),
        backups: &[backup("/var/backups/a.tar", 5), backup("/var/backups/b.tar", 4), backup("/elsewhere/c.tar", 1)],
    };
    describe(&known, shown, day(9))
}

#[test]
fn a_customer_reads_of_what_is_watched() {
    let host = host(Shown::Watched);
    assert_eq!(host.paths.len(), 1);
    let path = &host.paths[0];
    assert_eq!((path.path.as_str(), path.mount.as_str(), path.warn_s), ("/var/backups", "/var", Some(86_400)));
    assert_eq!(path.space.free, 72 * GIB);
    assert_eq!(path.resource, Resource::Space);
    let Prospect::Growing { per_day, days } = path.prospect else { panic!("{:?}", path.prospect) };
    assert_eq!((per_day, days.estimate), (2 * GIB, 36));
    let backup = path.last_backup.as_ref().unwrap();
    assert_eq!((backup.bytes, backup.more, backup.verified_at), (9 * GIB, 8, day(8)), "of both files together");
    assert_eq!(host.unmeasured.len(), 1, "only what is still watched: {:?}", host.unmeasured);
}

#[test]
fn the_team_sees_every_file_system_that_is_still_there_once() {
    let host = host(Shown::All);
    let paths: Vec<_> = host.paths.iter().map(|path| (path.path.as_str(), path.warn_s.is_some())).collect();
    assert_eq!(paths, [("/var/backups", true), ("/", false), ("/srv", false)]);
    assert_eq!(host.paths[1].last_backup.as_ref().map(|backup| backup.bytes), Some(GIB));
    assert_eq!(host.paths[1].prospect, Prospect::NotGrowing);
}

#[test]
fn a_long_history_is_thinned_out_up_to_the_latest() {
    let histories = BTreeMap::from([("/".to_owned(), history("/", 0..200, 0))]);
    let name: Name = "db01".parse().unwrap();
    let known = Known { host: &name, watched: &[], histories: &histories, look: None, backups: &[] };
    let told = describe(&known, Shown::All, day(200));
    let history = &told.paths[0].history;
    assert!(history.len() <= SHOWN_LEVELS && history.len() > SHOWN_LEVELS / 2, "{}", history.len());
    assert_eq!(history.last().unwrap().at, day(199));
}
