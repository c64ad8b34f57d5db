//! `capacity`, and what a host has of it in the end.

use crate::domain::capacity::WatchedPath;
use crate::domain::document::tests::told;
use crate::domain::inventory::parse::{draft, parse};

const DAY: u64 = 86_400;

fn inventory(top: &str, host: &str) -> String {
    let customer = "customer = { name = 'N', time_zone = 'UTC' }";
    format!("{top}\n{customer}\n[[host]]\nname = 'a'\naddress = 'a'\n{host}\n[[host]]\nname = 'b'\naddress = 'b'\n")
}

fn paths(text: &str) -> Vec<Vec<(String, u64)>> {
    let customer = parse(text, "n.toml").expect("a right inventory");
    let days = |watched: WatchedPath| (watched.path, watched.warn_s / DAY);
    customer.hosts.into_iter().map(|host| host.capacity.into_iter().map(days).collect()).collect()
}

#[test]
fn a_host_has_its_own_paths_and_those_of_its_customer() {
    let path = |path: &str, days: u64| (path.to_owned(), days);
    assert_eq!(paths(&inventory("", "")), [vec![], vec![]]);
    let own = "capacity = [{ path = '/backup/', warn = '14d' }]";
    assert_eq!(paths(&inventory("", own)), [vec![path("/backup", 14)], vec![]]);
    let all = "capacity = [{ path = '/', warn = '7d' }, { path = '/backup', warn = '3d' }]";
    let both = [vec![path("/", 7), path("/backup", 14)], vec![path("/", 7), path("/backup", 3)]];
    assert_eq!(paths(&inventory(all, own)), both);
    // As a table of its own, with a name that a shell would read otherwise.
    let table = "[[host.capacity]]\npath = '/srv/a b; rm -rf $HOME'\nwarn = '1h'";
    assert_eq!(paths(&inventory("", table))[0], [path("/srv/a b; rm -rf $HOME", 0)]);
}

#[test]
fn every_mistake_is_told_at_its_place() {
    let check = |host: &str, expected: &str| {
        let found = told(&draft(&inventory("", host), "n.toml").1);
        assert_eq!(found, expected, "{host}");
    };
    check(
        "capacity = '/backup'",
        "6:12 `capacity` is the string `/backup` (expected: an array of tables, each as `[[capacity]]`)",
    );
    check("capacity = [{ path = '/b' }]", "6:13 `warn` is missing in `capacity`");
    check(
        "capacity = [{ path = 'backup', warn = 'soon', at = 1 }, { path = '/a/../b', warn = '400d' }]",
        "6:22 `path` is `backup` (expected: an absolute path without `..` and control characters)\n\
         6:39 `warn` is `soon` (expected: a duration from 1s to 366d, such as \"45m\" or \"1h 30m\")\n\
         6:47 unknown key `at` in `capacity` (expected: `path`, `warn`)\n\
         6:66 `path` is `/a/../b` (expected: an absolute path without `..` and control characters)\n\
         6:84 `warn` is `400d` (expected: a duration from 1s to 366d, such as \"45m\" or \"1h 30m\")",
    );
    check(
        "capacity = [{ path = '/b', warn = '1d' }, { path = '/b/', warn = '2d' }]",
        "6:52 `/b` is there twice (hint: the first is in line 6)",
    );
    let wrong = told(&draft(&inventory("capacity = [{ path = '/b' }]", "capacity = [{ warn = 1 }]"), "n.toml").1);
    assert_eq!(wrong.lines().count(), 3, "{wrong}");
}
