//! `turnus check` as a user meets it: the examples pass, hostile files are all told at once, with their places.
//!
//! Each file under `tests/data/hostile` carries its mistakes beside them: `#! COLUMN what` for a problem that begins
//! with `what` in this column of this line; `*` is any column, where the place within a line is the TOML parser's choice.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::{Value, json};
use turnus::domain::inventory::parse::parse as parse_inventory;
use turnus::domain::job::parse::parse as parse_job;

/// What the command left behind.
struct Outcome {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `turnus check` in a bounded time.
fn check(directory: &Path, arguments: &[&str]) -> Outcome {
    let mut command = cargo_bin_cmd!("turnus");
    command.arg("check").arg("--config").arg(directory).args(arguments).timeout(Duration::from_secs(60));
    let output = command.output().expect("turnus can be run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is text");
    Outcome { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A problem as its place and what it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    file: String,
    line: usize,
    column: usize,
    what: String,
}

/// The problems of `--format json`, which must exit 2 and say nothing else.
fn problems(directory: &Path) -> Vec<Told> {
    let outcome = check(directory, &["--format", "json"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(2), ""), "{}", directory.display());
    let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(answer["ok"], json!(false));
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok()).expect("a number");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let told = |problem: &Value| Told {
        file: text(&problem["file"]),
        line: number(&problem["line"]),
        column: number(&problem["column"]),
        what: text(&problem["what"]),
    };
    answer["problems"].as_array().expect("an array").iter().map(told).collect()
}

/// A mistake that a file says it has.
#[derive(Debug)]
struct Announced {
    file: String,
    line: usize,
    column: Option<usize>,
    what: String,
}

impl Announced {
    fn is(&self, told: &Told) -> bool {
        self.file == told.file
            && self.line == told.line
            && self.column.is_none_or(|column| column == told.column)
            && told.what.starts_with(&self.what)
    }
}

fn announced(path: &Path, file: &str) -> Vec<Announced> {
    let content = fs::read(path).expect("a hostile file");
    let text = String::from_utf8_lossy(&content);
    let marks = text.lines().zip(1..).flat_map(|(text, line)| text.split("#! ").skip(1).map(move |mark| (line, mark)));
    let read = |(line, mark): (usize, &str)| {
        let (column, what) = mark.split_once(' ').expect("a column and a text");
        Announced { file: file.to_owned(), line, column: column.parse().ok(), what: what.trim().to_owned() }
    };
    marks.map(read).collect()
}

/// Each told problem is announced, and each announced one is told.
fn compare(announced: &[Announced], told: &[Told]) {
    for problem in told {
        assert!(announced.iter().any(|mark| mark.is(problem)), "not announced: {problem:?}");
    }
    for mark in announced {
        assert!(told.iter().any(|problem| mark.is(problem)), "not told: {mark:?}");
    }
}

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn hostile() -> PathBuf {
    project().join("tests/data/hostile")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no files in {}", directory.display());
    files
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// A directory with one inventory and nothing wrong.
fn right() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(directory.path().join("inventories")).expect("a folder");
    fs::create_dir(directory.path().join("jobs")).expect("a folder");
    let inventory = "[customer]\nname = \"N\"\ntime_zone = \"UTC\"\n[[host]]\nname = \"h\"\naddress = \"h\"\n";
    fs::write(directory.path().join("inventories/n.toml"), inventory).expect("an inventory");
    directory
}

#[test]
fn the_examples_are_all_right() {
    let count = |folder: &str| files(&project().join(folder)).len();
    let outcome = check(&project(), &[]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert!(outcome.stdout.ends_with(": all right\n"), "{}", outcome.stdout);

    let outcome = check(&project(), &["--format", "json"]);
    let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(outcome.status, Some(0));
    assert_eq!(answer["ok"], json!(true));
    assert_eq!((&answer["customers"], &answer["jobs"]), (&json!(count("inventories")), &json!(count("jobs"))));
}

#[test]
fn the_shell_text_of_the_examples_is_shell_text() {
    for path in files(&project().join("jobs")) {
        let text = fs::read_to_string(&path).expect("a job");
        let job = parse_job(&text, &name(&path)).expect("a right job");
        for step in job.steps {
            let run = match step.action {
                turnus::domain::job::Action::Script(text) => Some(text),
                _ => None,
            };
            let rollback = match step.rollback {
                Some(turnus::domain::job::Rollback::Script(text)) => Some(text),
                _ => None,
            };
            for script in [run, step.verify, step.undo, rollback].into_iter().flatten() {
                let mut shell = assert_cmd::Command::new("sh");
                let output = shell.arg("-n").write_stdin(script).output().expect("a shell");
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success() && told.is_empty(), "{}: `{}`: {told}", name(&path), step.name);
            }
        }
    }
}

#[test]
fn the_variables_that_the_examples_use_are_in_the_inventories() {
    for path in files(&project().join("inventories")) {
        let text = fs::read_to_string(&path).expect("an inventory");
        let customer = parse_inventory(&text, &name(&path)).expect("a right inventory");
        for window in &customer.windows {
            let job = fs::read_to_string(project().join(format!("jobs/{}.toml", window.job))).expect("a job");
            let code = job.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
            let used: BTreeSet<String> = code
                .split("$VAR_")
                .skip(1)
                .map(|rest| rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect::<String>())
                .map(|name| name.to_lowercase())
                .collect();
            for host in customer.hosts.iter().filter(|host| window.hosts.contains(&host.name)) {
                let missing: Vec<_> = used.iter().filter(|name| !host.vars.contains_key(*name)).collect();
                assert!(missing.is_empty(), "{}: host `{}` lacks {missing:?}", window.job, host.name);
            }
        }
    }
}

#[test]
fn hostile_inventories_and_jobs_are_all_told_at_once() {
    let mut marks = Vec::new();
    for folder in ["inventories", "jobs"] {
        for path in files(&hostile().join(folder)) {
            let file = format!("{folder}/{}", name(&path));
            let of_file = announced(&path, &file);
            assert!(!of_file.is_empty(), "{file} announces nothing");
            marks.extend(of_file);
        }
    }
    let told = problems(&hostile());
    compare(&marks, &told);
    let order = |problem: &Told| (problem.file.clone(), problem.line, problem.column);
    assert!(told.is_sorted_by_key(order), "sorted by file and place");
}

#[test]
fn where_packages_can_t_be_taken_back_that_is_told_and_no_mistake() {
    let directory = right();
    let job = |rollback: &str| {
        let text = format!(
            "description = \"x\"\nbackup = \"none\"\nbackup_reason = \"x\"\n[[step]]\nphase = \"update\"\nname = \"p\"\n\
             packages = \"approved\"\n{rollback}"
        );
        fs::write(directory.path().join("jobs/one-way.toml"), text).unwrap();
    };
    let told = "jobs/one-way.toml: the step `p` is a point of no return";
    job("");
    let outcome = check(directory.path(), &[]);
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.starts_with(told) && outcome.stdout.ends_with(": all right\n"), "{}", outcome.stdout);
    let answer: Value = serde_json::from_str(&check(directory.path(), &["--format", "json"]).stdout).unwrap();
    assert_eq!(answer["points_of_no_return"], json!([{ "job": "one-way", "step": "p" }]));
    job("rollback = \"packages\"\n");
    let outcome = check(directory.path(), &[]);
    assert!(outcome.status == Some(0) && !outcome.stdout.contains("no return"), "{}", outcome.stdout);
}

#[test]
fn a_host_whose_smoke_test_says_nothing_is_told_and_no_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let job = "description = \"x\"\nbackup = \"none\"\nbackup_reason = \"x\"\n[[step]]\nphase = \"update\"\nname = \"u\"\n\
               run = \"true\"\n[[step]]\nphase = \"smoke\"\nname = \"s\"\nprobes = \"all\"\n";
    write("jobs/look.toml", job);
    let host = |name: &str| format!("[[host]]\nname = \"{name}\"\naddress = \"h\"\n");
    let inventory = "[customer]\nname = \"N\"\ntime_zone = \"UTC\"\n[[window]]\nname = \"w\"\nstarts = 2030-01-01T10:00:00\n\
                     duration = \"1h\"\njob = \"look\"\nhosts = [\"a\", \"b\"]\n";
    let probe = "[[host.probe]]\nname = \"mail\"\ntcp = { address = \"$ADDRESS:25\" }\n";
    write("inventories/n.toml", &format!("{inventory}{}{}{probe}{}", host("a"), host("b"), host("c")));
    let outcome = check(directory.path(), &[]);
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    let told = "inventories/n.toml: the host `a` has no probes, so that the smoke test of `look` says nothing of it\n";
    assert!(outcome.stdout.starts_with(told) && !outcome.stdout.contains("`b`"), "{}", outcome.stdout);
    let answer: Value = serde_json::from_str(&check(directory.path(), &["--format", "json"]).stdout).unwrap();
    assert_eq!(answer["without_probes"], json!([{ "customer": "n", "host": "a", "job": "look" }]));
}

#[test]
fn hostile_settings_are_told() {
    for path in files(&hostile().join("settings")) {
        let directory = right();
        fs::copy(&path, directory.path().join("turnus.toml")).expect("a copy");
        compare(&announced(&path, "turnus.toml"), &problems(directory.path()));
    }
}

#[test]
fn what_is_no_file_or_too_large_is_told_beside_the_others() {
    let directory = right();
    let jobs = directory.path().join("jobs");
    fs::create_dir(jobs.join("folder.toml")).expect("a folder");
    nix::unistd::mkfifo(&jobs.join("fifo.toml"), nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    symlink("loop.toml", jobs.join("loop.toml")).expect("a link");
    symlink("/dev/zero", jobs.join("endless.toml")).expect("a link");
    fs::write(jobs.join("large.toml"), vec![b'\n'; 1024 * 1024 + 1]).expect("a large file");
    fs::write(jobs.join("wrong.toml"), "\n  what = 1\n").expect("a file");
    let told: Vec<String> = problems(directory.path())
        .into_iter()
        .map(|told| format!("{}:{}:{}", told.file, told.line, told.column))
        .collect();
    let expected = [
        "jobs/endless.toml:1:1",
        "jobs/fifo.toml:1:1",
        "jobs/folder.toml:1:1",
        "jobs/large.toml:1:1",
        "jobs/loop.toml:1:1",
        "jobs/wrong.toml:1:1", // no description
        "jobs/wrong.toml:1:1", // no step
        "jobs/wrong.toml:2:3",
    ];
    assert_eq!(told, expected);
}

#[test]
fn people_get_the_line_and_the_remedy_on_stderr() {
    let directory = right();
    fs::write(directory.path().join("turnus.toml"), "[limits]\nparalel_hosts = 3\n").expect("settings");
    let outcome = check(directory.path(), &[]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    let expected = "turnus.toml:2:1: unknown key `paralel_hosts` in `limits`\n  2 | paralel_hosts = 3\n    | ^\n  \
                    hint: did you mean `parallel_hosts`?\n\n1 problem in 1 file\n";
    assert_eq!(outcome.stderr, expected);
}

#[test]
fn secrets_in_clear_are_not_shown_again() {
    for arguments in [&[][..], &["--format", "json"]] {
        let outcome = check(&hostile(), arguments);
        assert_eq!(outcome.status, Some(2));
        assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains("hunter2"));
    }
}

#[test]
fn control_sequences_of_files_do_not_reach_the_terminal() {
    let outcome = check(&hostile(), &[]);
    let harmless = |character: char| character == '\n' || !character.is_control();
    assert!(outcome.stderr.chars().all(harmless));
}

#[test]
fn a_directory_without_inventories_is_a_usage_error() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let outcome = check(directory.path(), &[]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    let expected = format!(
        "turnus: there is no directory `inventories` in `{}`\n\nhint: name the directory with your files: `turnus --config DIR …`\n",
        directory.path().display()
    );
    assert_eq!(outcome.stderr, expected);
}
