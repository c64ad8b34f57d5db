//! Hosts whose disks fill in all the ways that can be told.

use jiff::{SignedDuration, Timestamp};

use super::{BackupRoom, HostCapacity, PathCapacity};
use crate::domain::capacity::{DaysUntilFull, Fill, Level, Prospect, Resource, Unmeasured};

const GIB: u64 = 1 << 30;

fn day(number: u64) -> Timestamp {
    let first: Timestamp = "2026-03-01T02:00:00Z".parse().unwrap();
    first + SignedDuration::from_hours(24 * i64::try_from(number).unwrap())
}

/// Ten days, of which each takes so much of 100 GiB.
fn path(path: &str, prospect: Prospect, per_day: u64) -> PathCapacity {
    let level = |number: u64| Level {
        at: day(number),
        space: Fill { total: 100 * GIB, free: 90 * GIB - number * per_day },
        inodes: Some(Fill { total: 1_000_000, free: 900_000 - number }),
    };
    let history: Vec<Level> = (0..10).map(level).collect();
    PathCapacity {
        path: path.to_owned(),
        mount: path.to_owned(),
        warn_s: Some(14 * 86_400),
        measured_at: day(9),
        space: history[9].space,
        inodes: history[9].inodes,
        resource: Resource::Space,
        prospect,
        last_backup: None,
        history,
    }
}

/// Between them they need every text.
pub(crate) fn hosts() -> Vec<HostCapacity> {
    let growing =
        |latest| Prospect::Growing { per_day: 2 * GIB, days: DaysUntilFull { estimate: 36, earliest: 30, latest } };
    let backup = |bytes, more| Some(BackupRoom { bytes, verified_at: day(8), more });
    let paths = vec![
        PathCapacity { last_backup: backup(9 * GIB, 8), ..path("/backup", growing(Some(44)), 2 * GIB) },
        PathCapacity { last_backup: backup(90 * GIB, 0), ..path("/srv/<b>", growing(None), GIB) },
        PathCapacity { resource: Resource::Inodes, ..path("/var/mail", growing(Some(40)), 0) },
        path("/", Prospect::NotGrowing, 0),
        path("/full", Prospect::Full, 10 * GIB),
        PathCapacity { history: Vec::new(), ..path("/new", Prospect::TooFew { measurements: 1, needed: 4 }, 0) },
    ];
    let unmeasured = vec![Unmeasured { path: "/mnt/nas".to_owned(), why: "no answer within 10 s".to_owned() }];
    let host = "db01".parse().unwrap();
    vec![HostCapacity { host, looked_at: Some(day(9)), fault: None, memory: None, paths, unmeasured }]
}
