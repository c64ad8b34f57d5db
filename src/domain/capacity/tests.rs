//! What is told of a path, and on which path a file lies.

use jiff::{SignedDuration, Timestamp};

use super::forecast::{Forecast, Growth};
use super::{Fill, Level, Outlook, Resource, Verdict, place_of};

const DAY: u64 = 86_400;

fn growing(earliest_days: f64, days: f64, latest_days: Option<f64>) -> Forecast {
    Forecast::Growing(Growth { per_day: 1.0, days, earliest_days, latest_days })
}

#[test]
fn the_team_is_told_when_the_early_end_comes_within_the_time() {
    let check = |forecast, expected| {
        let outlook = Outlook { resource: Resource::Space, forecast };
        assert_eq!(outlook.verdict(14 * DAY), expected, "{forecast:?}");
    };
    check(Forecast::Full, Verdict::Short);
    check(growing(13.9, 20.0, Some(30.0)), Verdict::Short);
    check(growing(14.1, 20.0, Some(30.0)), Verdict::Undecided);
    check(growing(17.4, 20.0, Some(30.0)), Verdict::Undecided);
    check(growing(17.6, 20.0, Some(30.0)), Verdict::Roomy);
    // Noise alone: it may not be growing at all.
    check(growing(2.0, 90.0, None), Verdict::Roomy);
    check(growing(2.0, 25.0, None), Verdict::Undecided);
    check(growing(2.0, 13.0, None), Verdict::Short);
    check(Forecast::NotGrowing, Verdict::Roomy);
    check(Forecast::TooFew { measurements: 1, needed: 4 }, Verdict::Roomy);
}

#[test]
fn what_runs_out_first_counts() {
    let first: Timestamp = "2026-03-01T02:00:00Z".parse().unwrap();
    let levels = |space: u64, inodes: Option<u64>| -> Vec<Level> {
        let fill = |per_day: u64, day: u64| Fill { total: 1000, free: 500_u64.saturating_sub(per_day * day) };
        let level = |day: u64| Level {
            at: first + SignedDuration::from_hours(24 * i64::try_from(day).unwrap()),
            space: fill(space, day),
            inodes: inodes.map(|per_day| fill(per_day, day)),
        };
        (0..10).map(level).collect()
    };
    let outlook = |space, inodes| {
        let levels = levels(space, inodes);
        Outlook::of(&levels, levels[9].at)
    };
    assert_eq!(outlook(10, None).resource, Resource::Space);
    assert_eq!(outlook(10, Some(5)).resource, Resource::Space);
    assert_eq!(outlook(10, Some(20)).resource, Resource::Inodes);
    assert_eq!(outlook(0, Some(10)).resource, Resource::Inodes);
    assert_eq!(outlook(0, Some(0)), Outlook { resource: Resource::Space, forecast: Forecast::NotGrowing });
    assert_eq!(outlook(10, Some(100)), Outlook { resource: Resource::Inodes, forecast: Forecast::Full });
    assert_eq!(Outlook::of(&[], first).forecast, Forecast::TooFew { measurements: 0, needed: 4 });
}

#[test]
fn a_file_lies_on_the_longest_path_above_it() {
    let paths = ["/", "/var", "/var/backups", "/srv/a b"];
    let check = |file, expected| assert_eq!(place_of(file, paths), expected, "{file}");
    check("/var/backups/mail.tar", Some("/var/backups"));
    check("/var/backups", Some("/var/backups"));
    check("/var/backups-old/mail.tar", Some("/var"));
    check("/srv/a b/c", Some("/srv/a b"));
    check("/etc/passwd", Some("/"));
    check("mail.tar", None);
    assert_eq!(place_of("/etc/passwd", ["/var"]), None);
}
