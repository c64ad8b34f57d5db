//! What files say of each other, and that all of them are told at once.

use super::{Source, SourceKind, build};
use crate::domain::id::Name;
use crate::domain::problem::{Problem, Problems};
use crate::domain::settings::Settings;

const CUSTOMER: &str = "[customer]\nname = \"N\"\ntime_zone = \"UTC\"\n";
const HOST: &str = "[[host]]\nname = \"web1\"\naddress = \"a\"\n";

fn source(kind: SourceKind, file: &str, text: &str) -> Source {
    Source { file: file.to_owned(), kind, text: Ok(text.to_owned()) }
}

/// An inventory with the host `web1` and a window (line 4) whose `job` is in line 9.
fn inventory(customer: &str, job: &str) -> Source {
    let window = format!(
        "[[window]]\nname = \"w\"\nrule = \"FREQ=DAILY\"\nstarts = 2026-01-01T00:00:00\nduration = \"1h\"\njob = \"{job}\"\nhosts = [\"web1\"]\n"
    );
    source(SourceKind::Inventory, &format!("inventories/{customer}.toml"), &format!("{CUSTOMER}{window}{HOST}"))
}

/// A job with one step per given place.
fn job(name: &str, places: &[&str]) -> Source {
    let step = |(index, place): (usize, &&str)| {
        let on = if place.is_empty() { String::new() } else { format!("on = \"{place}\"\n") };
        format!("[[step]]\nphase = \"preflight\"\nname = \"{index}\"\nrun = \"true\"\n{on}")
    };
    let steps: String = places.iter().enumerate().map(step).collect();
    source(SourceKind::Job, &format!("jobs/{name}.toml"), &format!("description = \"x\"\n{steps}"))
}

/// Problems as lines `file:line:column: what`, with hints and expectations.
fn told(sources: &[Source]) -> String {
    build(sources).map_or_else(|problems| problems.to_string(), |_| String::new())
}

fn names<T>(map: &std::collections::BTreeMap<Name, T>) -> Vec<&str> {
    map.keys().map(Name::as_str).collect()
}

#[test]
fn right_files_make_a_catalog() {
    let settings = source(SourceKind::Settings, "turnus.toml", "[limits]\nparallel_hosts = 3");
    let sources = [
        settings,
        inventory("nordwind", "debian"),
        inventory("alpenblick", "debian"),
        job("debian", &["", "controller", "web1"]),
    ];
    let catalog = build(&sources).expect("right files");
    assert_eq!(catalog.settings.limits.parallel_hosts, 3);
    assert_eq!((names(&catalog.customers), names(&catalog.jobs)), (vec!["alpenblick", "nordwind"], vec!["debian"]));
}

#[test]
fn without_settings_the_defaults_hold() {
    let catalog = build(&[]).expect("nothing is wrong with nothing");
    assert_eq!((catalog.settings, catalog.customers.len(), catalog.jobs.len()), (Settings::default(), 0, 0));
}

#[test]
fn the_job_of_a_window_exists() {
    let check =
        |named: &str, expected: &str| assert_eq!(told(&[inventory("n", named), job("debian", &[""])]), expected);
    check("debian", "");
    check("debain", "inventories/n.toml:9:7: there is no job `debain`\n  hint: did you mean `debian`?");
    check("windows", "inventories/n.toml:9:7: there is no job `windows`\n  expected: a file `jobs/windows.toml`");
}

#[test]
fn the_calendars_of_freezes_exist() {
    let freeze = |name: &str| format!("[[freeze]]\ncalendar = \"{name}\"\n");
    let season = source(SourceKind::Calendar, "calendars/season.ics", "BEGIN:VCALENDAR");
    let check = |named: &str, expected: &str| {
        let text = format!("{CUSTOMER}{}{HOST}", freeze(named));
        let customer = source(SourceKind::Inventory, "inventories/n.toml", &text);
        let settings = source(SourceKind::Settings, "turnus.toml", &freeze(named));
        let both =
            ["inventories/n.toml:5:12", "turnus.toml:2:12"].map(|place| format!("{place}: {expected}")).join("\n");
        let expected = if expected.is_empty() { String::new() } else { both };
        assert_eq!(told(&[customer, settings, season.clone()]), expected);
    };
    check("season", "");
    check("seasn", "there is no calendar `seasn`\n  hint: did you mean `season`?");
    check("fairs", "there is no calendar `fairs`\n  expected: a file `calendars/fairs.ics`");
    let catalog = build(std::slice::from_ref(&season)).expect("right files");
    assert_eq!(catalog.calendars.values().collect::<Vec<_>>(), ["BEGIN:VCALENDAR"]);
    let unnamed = source(SourceKind::Calendar, "calendars/Our Season.ics", "");
    assert!(
        told(&[unnamed]).starts_with("calendars/Our Season.ics:1:1: `calendars/Our Season.ics` is no name for a file")
    );
}

#[test]
fn the_delegates_of_a_job_are_hosts_of_every_customer_that_uses_it() {
    let sources = [inventory("n", "debian"), job("debian", &["hv1", "web1", "hv1", "hv2"]), job("other", &["hv9"])];
    let expected = |host: &str| {
        format!(
            "inventories/n.toml:9:7: the job `debian` has a step on host `{host}`, which this customer does not have\n  \
             hint: add a `[[host]]` named `{host}`, or use another job"
        )
    };
    assert_eq!(told(&sources), [expected("hv1"), expected("hv2")].join("\n"));
}

#[test]
fn a_file_with_mistakes_still_counts_as_there() {
    // The job has a syntax error; that the window names it is no second mistake.
    let broken = source(SourceKind::Job, "jobs/debian.toml", "description = ");
    let problems = build(&[inventory("n", "debian"), broken]).expect_err("a syntax error");
    assert!(problems.0.iter().all(|problem| problem.file == "jobs/debian.toml"), "{problems}");
    // Neither is it if the file can't be read.
    let problem = Problem {
        file: "jobs/debian.toml".to_owned(),
        line: 1,
        column: 1,
        what: "could not read the file".to_owned(),
        expected: None,
        hint: None,
        conceal: false,
    };
    let unreadable = Source { file: problem.file.clone(), kind: SourceKind::Job, text: Err(problem.clone()) };
    assert_eq!(build(&[inventory("n", "debian"), unreadable]), Err(Problems(vec![problem])));
}

#[test]
fn all_problems_of_all_files_come_at_once_sorted() {
    let sources = [
        source(SourceKind::Settings, "turnus.toml", "\nzzz = 1"),
        source(SourceKind::Inventory, "inventories/b.toml", &format!("{CUSTOMER}zzz = 1\nyyy = 2")),
        // This customer is wrong, and its window is looked at all the same.
        Source {
            text: inventory("a", "nojob").text.map(|text| text.replace("address", "adress")),
            ..inventory("a", "nojob")
        },
        source(SourceKind::Job, "jobs/c.toml", "step = 1"),
    ];
    let problems = build(&sources).expect_err("many mistakes");
    let places: Vec<String> =
        problems.0.iter().map(|problem| format!("{}:{}:{}", problem.file, problem.line, problem.column)).collect();
    let expected = [
        "inventories/a.toml:9:7",  // no such job
        "inventories/a.toml:11:1", // no address
        "inventories/a.toml:13:1", // but an adress
        "inventories/b.toml:1:1",  // no host
        "inventories/b.toml:4:1",  // zzz
        "inventories/b.toml:5:1",  // yyy
        "jobs/c.toml:1:1",         // no description
        "jobs/c.toml:1:8",         // steps are tables
        "turnus.toml:2:1",         // zzz
    ];
    assert_eq!(places, expected);
}

#[test]
fn what_runs_at_an_appointed_time_installs_only_what_was_approved() {
    let job = |which: &str| {
        let text = format!(
            "description = \"x\"\nbackup = \"none\"\nbackup_reason = \"x\"\n[[step]]\nphase = \"update\"\nname = \"p\"\npackages = \"{which}\"\n"
        );
        source(SourceKind::Job, "jobs/debian.toml", &text)
    };
    let unasked = told(&[inventory("nordwind", "debian"), job("approved")]);
    assert!(
        unasked.starts_with("inventories/nordwind.toml:9:7: the job `debian` installs what is approved"),
        "{unasked}"
    );
    let mut reviewed = inventory("nordwind", "debian");
    reviewed.text = reviewed.text.map(|text| text.replace("job = ", "review = \"3d\"\njob = "));
    assert_eq!(told(&[reviewed, job("approved")]), "");
    let all = told(&[inventory("nordwind", "debian"), job("all")]);
    assert!(all.starts_with("inventories/nordwind.toml:9:7: the job `debian` says `packages = \"all\"`"), "{all}");
    assert_eq!(told(&[job("all")]), "", "by hand it may");
}
