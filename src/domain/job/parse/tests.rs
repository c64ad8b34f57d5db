//! Every rule of a job, each with the mistake that it refuses and the place that it names.

use std::collections::BTreeMap;

use super::{draft, parse};
use crate::domain::document::tests::told;
use crate::domain::id::{ContentHash, Name};
use crate::domain::job::{
    Action, BackupRule, BatchSize, Conffiles, Job, PackagesAction, Phase, Place, Rollback, SecretReference, Step, Which,
};
use crate::domain::packages::choose::DriftPolicy;
use crate::domain::probe::{Check, HttpCheck, Patience, Probe};

/// A right job; the tests change one line of it, which is why the numbers matter.
const LINES: [&str; 18] = [
    "description = \"Quarterly update\"",
    "[[step]]",
    "phase = \"preflight\"",
    "name = \"space\"",
    "disk_free = { path = \"/var\", at_least = \"2GiB\" }",
    "[[step]]",
    "phase = \"backup\"",
    "name = \"archive\"",
    "run = \"tar\"",
    "verify = \"tar -t\"",
    "[[step]]",
    "phase = \"update\"",
    "name = \"packages\"",
    "run = \"apt-get upgrade\"",
    "[[step]]",
    "phase = \"smoke\"",
    "name = \"answers\"",
    "probe = { http = { url = \"http://$ADDRESS/\" } }",
];

const ACTIONS: &str = "(expected: exactly one of `run`, `disk_free`, `probe`, `probes`, `packages`, `reboot`)";
const DURATION: &str = "(expected: a duration from 1s to 366d, such as \"45m\" or \"1h 30m\")";

fn name(text: &str) -> Name {
    text.parse().expect("the tests use valid names")
}

fn problems_in(text: &str) -> String {
    let (draft, problems) = draft(text, "jobs/debian.toml");
    assert_eq!(draft.job.is_none(), !problems.0.is_empty(), "either a job or problems");
    told(&problems)
}

/// The problems that the job has when `text` stands in place of `line`.
#[track_caller]
fn check(line: usize, text: &str, expected: &str) {
    let mut lines = LINES;
    lines[line - 1] = text;
    assert_eq!(problems_in(&lines.join("\n")), expected, "line {line}: {text}");
}

/// The problems of a job with one step, which begins in line 2; for rules where the other steps do not matter.
#[track_caller]
fn check_step(step: &str, expected: &str) {
    let text = format!("description = \"x\"\n[[step]]\nname = \"x\"\n{step}");
    assert_eq!(problems_in(&text), expected, "{step}");
}

fn parsed(text: &str) -> Job {
    parse(text, "jobs/debian.toml").expect("a right job")
}

fn script(text: &str) -> Action {
    Action::Script(text.to_owned())
}

#[test]
fn everything_that_a_job_says_is_kept_in_order_of_phases() {
    let text = r#"
        description = "Quarterly update"
        batch = ["1", 5, "50%", "100%"]
        max_failures = 2
        [[step]]
        phase = "smoke"
        name = "answers"
        probe = { http = { url = "https://$ADDRESS:8443/$VAR_PATH", status = 204, contains = "ok", within = "1m" } }
        [[step]]
        phase = "update"
        name = "packages"
        run = "upgrade"
        rollback = "downgrade"
        undo = "clean"
        timeout = "90m"
        [step.secrets]
        token = { env = "TOKEN" }
        key = { file = "~/key" }
        db_password = { command = ["pass", "show", "x"] }
        [[step]]
        phase = "update"
        name = "restart"
        reboot = { within = "10m" }
        [[step]]
        phase = "backup"
        name = "archive"
        on = "nas"
        run = "tar"
        verify = "tar -t"
        [[step]]
        phase = "preflight"
        name = "space"
        on = "controller"
        disk_free = { path = "/var", at_least = "2GiB" }
        estimate = "10m"
    "#;
    let step = |phase, name: &str, action, timeout_s| Step {
        phase,
        name: name.to_owned(),
        place: Place::Host,
        action,
        undo: None,
        rollback: None,
        verify: None,
        timeout_s,
        estimate_s: None,
        secrets: BTreeMap::new(),
    };
    let get = HttpCheck::get("https://$ADDRESS:8443/$VAR_PATH");
    let http = HttpCheck { status: Some(204), contains: Some("ok".to_owned()), ..get };
    let patience = Patience { within_s: 60, ..Patience::default() };
    let http = Probe { check: Check::Http(http), patience };
    let secrets = [
        ("token", SecretReference::Env("TOKEN".to_owned())),
        ("key", SecretReference::File("~/key".to_owned())),
        ("db_password", SecretReference::Command(["pass", "show", "x"].map(str::to_owned).to_vec())),
    ];
    let space = Action::DiskFree { path: "/var".to_owned(), at_least_bytes: 2 << 30 };
    let steps = vec![
        Step { place: Place::Controller, estimate_s: Some(600), ..step(Phase::Preflight, "space", space, 600) },
        Step {
            place: Place::Delegate(name("nas")),
            verify: Some("tar -t".to_owned()),
            ..step(Phase::Backup, "archive", script("tar"), 600)
        },
        Step {
            rollback: Some(Rollback::Script("downgrade".to_owned())),
            undo: Some("clean".to_owned()),
            secrets: secrets.map(|(key, reference)| (key.to_owned(), reference)).into(),
            ..step(Phase::Update, "packages", script("upgrade"), 5400)
        },
        step(Phase::Update, "restart", Action::Reboot { within_s: 600 }, 3600),
        Step { place: Place::Controller, ..step(Phase::Smoke, "answers", Action::Probe(http), 60) },
    ];
    let expected = Job {
        name: name("debian"),
        description: "Quarterly update".to_owned(),
        batch: vec![BatchSize::Count(1), BatchSize::Count(5), BatchSize::Percent(50), BatchSize::Percent(100)],
        max_failures: 2,
        watch_after_s: 60,
        backup: BackupRule::Required,
        steps,
        revision: ContentHash::of(text.as_bytes()),
    };
    assert_eq!(parsed(text), expected);
}

#[test]
fn what_may_be_left_out_has_defaults() {
    let job = parsed(&LINES.join("\n"));
    assert_eq!(job.batch, [BatchSize::Count(1), BatchSize::Percent(100)]);
    assert_eq!((job.max_failures, job.backup), (0, BackupRule::Required));
    assert!(job.steps.iter().all(|step| step.estimate_s.is_none()));
    let limits: Vec<(Phase, u64)> = job.steps.iter().map(|step| (step.phase, step.timeout_s)).collect();
    let expected = [(Phase::Preflight, 600), (Phase::Backup, 600), (Phase::Update, 3600), (Phase::Smoke, 30)];
    assert_eq!(limits, expected);
    let check = Check::Http(HttpCheck::get("http://$ADDRESS/"));
    assert_eq!(job.steps[3].action, Action::Probe(Probe { check, patience: Patience::default() }));
    assert_eq!(job.steps[3].place, Place::Controller);
}

#[test]
fn steps_of_a_phase_keep_the_order_of_the_file() {
    let step = |phase: &str, name: &str| format!("[[step]]\nphase = \"{phase}\"\nname = \"{name}\"\nrun = \"x\"\n");
    let steps = [("smoke", "5"), ("quiesce", "3"), ("preflight", "1"), ("quiesce", "4"), ("preflight", "2")];
    let text: String = steps.iter().map(|(phase, name)| step(phase, name)).collect();
    let names: Vec<String> =
        parsed(&format!("description = \"x\"\n{text}")).steps.into_iter().map(|step| step.name).collect();
    assert_eq!(names, ["1", "2", "3", "4", "5"]);
}

#[test]
fn the_base_of_these_tests_is_right() {
    check(1, LINES[0], "");
    check_step("phase = \"smoke\"\nrun = \"true\"", "");
}

#[test]
fn the_job_itself() {
    check(1, "", "1:1 `description` is missing in the file");
    check(
        1,
        "description = \"a\\nb\"",
        "1:15 `description` is `a\\nb` (expected: one line of 1 to 500 characters, not blank)",
    );
    let known = "`description`, `batch`, `max_failures`, `watch_after`, `backup`, `backup_reason`, `step`";
    check(1, "description = \"x\"\nzzz = 1", &format!("2:1 unknown key `zzz` in the file (expected: {known})"));
    check(
        1,
        "descripton = \"x\"",
        "1:1 `description` is missing in the file\n1:1 unknown key `descripton` in the file (hint: did you mean `description`?)",
    );
    check(
        1,
        "description = \"x\"\nmax_failures = -1",
        "2:16 `max_failures` is the number `-1` (expected: a whole number from 0 to 100000)",
    );
    assert_eq!(
        problems_in("description = \"x\""),
        "1:1 there is no `step` in the file (expected: at least one `[[step]]`)"
    );
    assert_eq!(
        problems_in("description = \"x\"\nstep = []"),
        "1:1 there is no `step` in the file (expected: at least one `[[step]]`)"
    );
    let stem = told(&draft(&LINES.join("\n"), "jobs/Debian.toml").1);
    assert!(stem.starts_with("1:1 `jobs/Debian.toml` is no name for a file"), "{stem}");
}

#[test]
fn batches() {
    let size = "(expected: a number of hosts from 1, or a share from \"1%\" to \"100%\")";
    let batch = |batch: &str, expected: &str| check(1, &format!("description = \"x\"\nbatch = {batch}"), expected);
    batch("[\"1\", \"50%\", \"100%\"]", "");
    batch("[]", "2:9 `batch` is empty (expected: at least one entry)");
    batch("\"1\"", "2:9 `batch` is the string `1` (expected: an array)");
    for bad in ["0", "0%", "101%", "-1", "+1", "1.5", "%", "", "half", "50 %", "100001"] {
        batch(&format!("[\"1\", \"{bad}\"]"), &format!("2:15 an entry of `batch` is `{bad}` {size}"));
    }
    batch("[0]", "2:10 an entry of `batch` is the number `0` (expected: a whole number from 1 to 100000)");
    batch("[true]", &format!("2:10 an entry of `batch` is the truth value `true` {size}"));
}

#[test]
fn no_update_without_a_backup() {
    let without = "[[step]]\nphase = \"update\"\nname = \"x\"\nrun = \"x\"";
    let missing = "a step updates although no step backs up (expected: a step of phase `backup` with `verify`) (hint: without one, say `backup = \"none\"` and `backup_reason = \"…\"`)";
    assert_eq!(problems_in(&format!("description = \"x\"\n{without}")), format!("2:1 {missing}"));
    let waived = |head: &str, expected: &str| {
        assert_eq!(problems_in(&format!("description = \"x\"\n{head}\n{without}")), expected, "{head}");
    };
    waived("backup = \"none\"\nbackup_reason = \"throw-away host\"", "");
    waived(
        "backup = \"none\"",
        "2:10 `backup = \"none\"` is without reason (expected: `backup_reason = \"…\"`, which the report shows)",
    );
    waived(
        "backup = \"none\"\nbackup_reason = \" \"",
        "3:17 `backup_reason` is ` ` (expected: one line of 1 to 500 characters, not blank)",
    );
    waived("backup = \"no\"\nbackup_reason = \"x\"", "2:10 `backup` is `no` (expected: `none`)");
    waived(
        "backup_reason = \"x\"",
        &format!("2:1 {missing}").replace("2:1", "2:17 `backup_reason` is without `backup = \"none\"`\n3:1"),
    );
    check(
        1,
        "description = \"x\"\nbackup = \"none\"\nbackup_reason = \"x\"",
        "8:1 a step backs up although the job says `backup = \"none\"` (hint: leave out `backup` and `backup_reason`, or the step)",
    );
    // A phase that can't be read may be the backup: only the phase is told.
    check(
        7,
        "phase = \"backups\"",
        "7:9 `phase` is `backups` (expected: `preflight`, `quiesce`, `backup`, `update`, `smoke`) (hint: did you mean `backup`?)",
    );
    let job = parsed(&format!("description = \"x\"\nbackup = \"none\"\nbackup_reason = \"why\"\n{without}"));
    assert_eq!(job.backup, BackupRule::None { reason: "why".to_owned() });
}

#[test]
fn steps() {
    let known = "`phase`, `name`, `on`, `run`, `disk_free`, `probe`, `probes`, `packages`, `reboot`, `undo`, `rollback`, `verify`, `timeout`, `estimate`, `secrets`";
    check(14, "run = \"x\"\nzzz = 1", &format!("15:1 unknown key `zzz` in `step` (expected: {known})"));
    check(12, "", "11:1 `phase` is missing in `step`");
    check(
        12,
        "phase = \"updates\"",
        "12:9 `phase` is `updates` (expected: `preflight`, `quiesce`, `backup`, `update`, `smoke`) (hint: did you mean `update`?)",
    );
    check(
        12,
        "phase = \"release\"",
        "12:9 `phase` is `release` (expected: a phase with steps of its own) (hint: say `undo` in the step that is to be taken back: `release` runs it)",
    );
    check(
        12,
        "phase = \"rollback\"",
        "12:9 `phase` is `rollback` (expected: a phase with steps of its own) (hint: say `rollback` in the update step that is to be taken back)",
    );
    check(13, "", "11:1 `name` is missing in `step`");
    check(13, "name = \"archive\"", "13:8 `archive` is there twice (hint: the first is in line 8)");
    check(14, "run = \"x\"\non = \"NAS\"", "15:6 `on` is `NAS` (expected: `controller` or the name of a host)");
    check(14, "run = \"x\"\ntimeout = \"0s\"", &format!("15:11 `timeout` is `0s` {DURATION}"));
    check(14, "run = \"x\"\ntimeout = 600", &format!("15:11 `timeout` is the number `600` {DURATION}"));
}

#[test]
fn a_step_does_exactly_one_thing() {
    check(14, "", &format!("11:1 the step does nothing {ACTIONS}"));
    check(
        14,
        "run = \"x\"\nreboot = { within = \"10m\" }",
        &format!("15:10 the step does more than one thing {ACTIONS}"),
    );
    check(
        14,
        "package = \"approved\"",
        &format!(
            "11:1 the step does nothing {ACTIONS}\n14:1 unknown key `package` in `step` (hint: did you mean `packages`?)"
        ),
    );
}

#[test]
fn scripts() {
    check(14, "run = \"\"", "14:7 `run` is `` (expected: shell text)");
    check(14, "run = \" \\n\"", "14:7 `run` is ` \\n` (expected: shell text)");
    check(14, "run = [\"x\"]", "14:7 `run` is an array (expected: a string)");
    check(14, "run = \"a\\u0000b\"", "14:7 `run` has a NUL character");
    check(10, "verify = \"\"", "10:10 `verify` is `` (expected: shell text)");
    check(
        14,
        "run = \"x\"\nrollback = \"\"\nundo = \"\"",
        "15:12 `rollback` is `` (expected: shell text)\n16:8 `undo` is `` (expected: shell text)",
    );
    let long = "x".repeat(256 * 1024);
    check(14, &format!("run = \"{long}\""), "");
    check(14, &format!("run = \"x{long}\""), "14:7 the shell text has 262145 bytes (expected: at most 262144 bytes)");
}

#[test]
fn companions_of_the_phase() {
    check(10, "", "6:1 the backup is not verified (expected: `verify`, shell text whose exit status 0 is proof)");
    check(14, "run = \"x\"\nverify = \"x\"", "15:1 `verify` in phase `update` (expected: phase `backup`)");
    check(9, "run = \"x\"\nrollback = \"x\"", "10:1 `rollback` in phase `backup` (expected: phase `update`)");
    for phase in ["preflight", "quiesce"] {
        check_step(&format!("phase = \"{phase}\"\nrun = \"x\"\nundo = \"x\""), "");
    }
    check(9, "run = \"x\"\nundo = \"x\"", "");
    check(14, "run = \"x\"\nundo = \"x\"\nrollback = \"x\"", "");
    check_step(
        "phase = \"smoke\"\nrun = \"x\"\nundo = \"x\"",
        "6:1 `undo` in phase `smoke` (hint: a smoke test changes nothing)",
    );
}

#[test]
fn built_in_actions_have_their_phases() {
    let disk_free = "disk_free = { path = \"/\", at_least = 1 }";
    let probe = "probe = { http = { url = \"http://x\" } }";
    for phase in ["preflight", "smoke"] {
        check_step(&format!("phase = \"{phase}\"\n{disk_free}"), "");
        check_step(&format!("phase = \"{phase}\"\n{probe}"), "");
        check_step(
            &format!("phase = \"{phase}\"\nreboot = {{ within = \"1m\" }}"),
            &format!("5:1 `reboot` in phase `{phase}` (expected: phase `update`)"),
        );
    }
    for phase in ["quiesce", "backup"] {
        check_step(
            &format!("phase = \"{phase}\"\n{disk_free}"),
            &format!("5:1 `disk_free` in phase `{phase}` (expected: phase `preflight` or `smoke`)"),
        );
        check_step(
            &format!("phase = \"{phase}\"\n{probe}"),
            &format!("5:1 `probe` in phase `{phase}` (expected: phase `preflight` or `smoke`)"),
        );
    }
    check(14, disk_free, "14:1 `disk_free` in phase `update` (expected: phase `preflight` or `smoke`)");
    check(14, probe, "14:1 `probe` in phase `update` (expected: phase `preflight` or `smoke`)");
    check(14, "reboot = { within = \"10m\" }\nrollback = \"true\"", "");
}

#[test]
fn built_in_actions_decide_for_themselves() {
    check(
        18,
        "probe = { dns = { name = \"x.example\", type = \"A\" } }\non = \"nas\"",
        "19:6 `on` with the probe `dns` without `server` (hint: name the `server`, or leave it out: only the controller knows its own)",
    );
    check(
        18,
        "probe = { sip = { address = \"h:5060\" } }\non = \"nas\"",
        "19:6 `on` with the probe `sip` by UDP (hint: take `transport = \"tcp\"`, or leave it out: SSH servers pass on TCP alone)",
    );
    for (kind, probe) in [("ssh", "ssh = {}"), ("unit", "unit = { name = \"x.service\" }")] {
        check(
            18,
            &format!("probe = {{ {probe} }}\non = \"nas\""),
            &format!("19:6 `on` with the probe `{kind}` (hint: leave it out: the probe is about the host itself)"),
        );
    }
    check(
        18,
        "probe = { http = { url = \"http://x\" } }\ntimeout = \"1m\"",
        "19:1 `timeout` with a probe (hint: the probe's limit is its `within`)",
    );
    check(
        14,
        "reboot = { within = \"1m\" }\non = \"controller\"",
        "15:1 `on` with `reboot` (hint: leave it out: the host itself is restarted)",
    );
    check(
        14,
        "reboot = { within = \"1m\" }\nundo = \"x\"",
        "15:1 `undo` with `reboot` (expected: `undo` beside `run`)",
    );
    check(
        5,
        "disk_free = { path = \"/\", at_least = 1 }\nundo = \"x\"",
        "6:1 `undo` with `disk_free` (expected: `undo` beside `run`)",
    );
    check(
        5,
        "disk_free = { path = \"/\", at_least = 1 }\nsecrets = {}",
        "6:1 `secrets` with `disk_free`, which has no use for them",
    );
}

#[test]
fn packages_are_installed_in_phase_update_on_the_host_itself() {
    check(14, "packages = \"approved\"", "");
    check(
        14,
        "packages = \"all\"\nconffiles = \"replace\"\ndrift = \"hold\"\nlock_wait = \"1m\"\nrollback = \"packages\"",
        "",
    );
    check(14, "packages = \"approved\"\nrollback = \"apt-get install app=1\"\nsecrets = {}", "");
    check(
        14,
        "packages = \"aproved\"",
        "14:12 `packages` is `aproved` (expected: `approved`, `all`) (hint: did you mean `approved`?)",
    );
    check(14, "packages = [\"nginx\"]", "14:12 `packages` is an array (expected: `approved`, `all`)");
    check(
        14,
        "packages = \"approved\"\nconffiles = \"ask\"\ndrift = \"go-on\"\nlock_wait = 5",
        &format!(
            "15:13 `conffiles` is `ask` (expected: `keep`, `replace`)\n16:9 `drift` is `go-on` (expected: `hold`, `install-approved-only`)\n17:13 `lock_wait` is the number `5` {DURATION}"
        ),
    );
    check(
        14,
        "packages = \"approved\"\non = \"nas\"\nundo = \"x\"",
        "15:1 `on` with `packages` (hint: leave it out: the host's own are installed)\n16:1 `undo` with `packages` (expected: `undo` beside `run`)",
    );
    check(
        14,
        "run = \"x\"\nconffiles = \"keep\"\ndrift = \"hold\"\nlock_wait = \"1m\"\nrollback = \"packages\"",
        "15:1 `conffiles` without `packages` (expected: `packages` beside it)\n16:1 `drift` without `packages` (expected: `packages` beside it)\n17:1 `lock_wait` without `packages` (expected: `packages` beside it)\n18:12 `rollback = \"packages\"` in a step that installs none (expected: shell text) (hint: it takes back what `packages` did in the same step)",
    );
    check_step(
        "phase = \"quiesce\"\npackages = \"approved\"",
        "5:1 `packages` in phase `quiesce` (expected: phase `update`)",
    );
}

#[test]
fn what_packages_say_is_read() {
    let mut lines = LINES;
    lines[13] = "packages = \"approved\"\nrollback = \"packages\"";
    let job = parsed(&lines.join("\n"));
    assert_eq!(job.installs(), Some(Which::Approved));
    let expected = PackagesAction {
        which: Which::Approved,
        conffiles: Conffiles::Keep,
        drift: DriftPolicy::InstallApprovedOnly,
        lock_wait_s: 600,
    };
    assert_eq!(job.steps[2].action, Action::Packages(expected), "with what is not said at its default");
    assert_eq!(job.steps[2].rollback, Some(Rollback::Packages));
    assert_eq!(parsed(&LINES.join("\n")).installs(), None);
}

#[test]
fn disk_free_and_reboot() {
    check(5, "disk_free = { path = \"/var\" }", "5:13 `at_least` is missing in `disk_free`");
    check(5, "disk_free = { at_least = \"1GiB\" }", "5:13 `path` is missing in `disk_free`");
    check(
        5,
        "disk_free = { path = \"var\", at_least = \"1GiB\" }",
        "5:22 `path` is `var` (expected: an absolute path)",
    );
    check(
        5,
        "disk_free = { path = \"/var\", at_least = \"2 gigs\" }",
        "5:41 `at_least` is `2 gigs` (expected: a size above zero, such as \"500MB\" or \"2GiB\")",
    );
    check(
        5,
        "disk_free = { path = \"/var\", at_least = 1, at_most = 2 }",
        "5:44 unknown key `at_most` in `disk_free` (expected: `path`, `at_least`)",
    );
    check(5, "disk_free = \"/var\"", "5:13 `disk_free` is the string `/var` (expected: one table, as `[disk_free]`)");
    check(14, "reboot = {}", "14:10 `within` is missing in `reboot`");
    check(14, "reboot = true", "14:10 `reboot` is the truth value `true` (expected: one table, as `[reboot]`)");
    check(14, "reboot = { within = \"0s\" }", &format!("14:21 `within` is `0s` {DURATION}"));
}

#[test]
fn probes_of_hosts_are_asked_in_smoke_from_wherever_they_look() {
    check_step("phase = \"smoke\"\nprobes = \"all\"", "");
    check_step(
        "phase = \"preflight\"\nprobes = \"all\"",
        "5:1 `probes` in phase `preflight` (expected: phase `smoke`)",
    );
    check_step(
        "phase = \"smoke\"\nprobes = \"some\"\non = \"nas\"",
        "5:10 `probes` is `some` (expected: `all`)\n6:1 `on` with `probes` (hint: leave it out: each probe knows where it looks from)",
    );
}

#[test]
fn probes() {
    check(18, "probe = {}", "18:9 the probe looks at nothing (expected: `http = { url = \"…\" }`)");
    check(
        18,
        "probe = { ssh = { port = 25 } }",
        "18:19 unknown key `port` in `ssh` (expected: `timeout`, `within`, `interval`)",
    );
    check(
        18,
        "probe = { unit = {} }",
        "18:18 `unit` looks at nothing (expected: `name = \"nginx.service\"`, or `no_new_failures = true`)",
    );
    check(
        18,
        "probe = { htpt = {} }",
        "18:9 the probe looks at nothing (expected: `http = { url = \"…\" }`)\n18:11 unknown key `htpt` in `probe` (hint: did you mean `http`?)",
    );
    check(18, "probe = { http = {} }", "18:18 `url` is missing in `http`");
    check(
        18,
        "probe = { http = { url = \"http://x\", statsu = 200 } }",
        "18:38 unknown key `statsu` in `http` (hint: did you mean `status`?)",
    );
    check(
        18,
        "probe = { http = { url = \"http://x\", status = 600 } }",
        "18:47 `status` is the number `600` (expected: a whole number from 100 to 599)",
    );
    check(
        18,
        "probe = { http = { url = \"http://x\", contains = \"\" } }",
        "18:49 `contains` is `` (expected: text that the answer contains)",
    );
    check(
        18,
        "probe = { http = { url = \"http://x\", within = \"x\" } }",
        &format!("18:47 `within` is `x` {DURATION}"),
    );
    let good = ["http://$ADDRESS", "https://web.example:8443/a?b=$VAR_B&c=$VAR_C_2", "http://[$ADDRESS]/"];
    for url in good {
        check(18, &format!("probe = {{ http = {{ url = \"{url}\" }} }}"), "");
    }
    let bad = [
        "web.example",
        "ftp://web.example",
        "http://",
        "http:///x",
        "http://a b",
        "http://$HOME/",
        "http://$",
        "http://$VAR_",
        "http://x/$VAR_a",
        "http://x/$$ADDRESS",
    ];
    for url in bad {
        check(
            18,
            &format!("probe = {{ http = {{ url = \"{url}\" }} }}"),
            &format!(
                "18:26 `url` is `{url}` (expected: an `http://` or `https://` URL; `$ADDRESS` and `$VAR_NAME` stand for the host's values)"
            ),
        );
    }
}

#[test]
fn secrets() {
    let rule = "(expected: `{ env = \"…\" }`, `{ file = \"…\" }` or `{ command = [\"…\"] }`)";
    let secret = |secret: &str, expected: &str| check(14, &format!("run = \"x\"\nsecrets = {{ {secret} }}"), expected);
    let clear = format!(
        "15:18 `pw` holds a secret in clear {rule} (hint: keep the value out of the file, and change it if the file was shared)"
    );
    secret("pw = \"hunter2\"", &clear);
    secret("pw = 12345", &clear);
    secret("pw = [\"hunter2\"]", &clear);
    secret("pw = {}", &format!("15:18 `pw` names none of `env`, `file`, `command` {rule}"));
    secret(
        "pw = { env = \"A\", file = \"/x\" }",
        &format!("15:18 `pw` names more than one of `env`, `file`, `command` {rule}"),
    );
    secret(
        "pw = { evn = \"A\" }",
        &format!(
            "15:18 `pw` names none of `env`, `file`, `command` {rule}\n15:20 unknown key `evn` in `pw` (hint: did you mean `env`?)"
        ),
    );
    let wrong = |key: &str, expected: &str| format!("`{key}` is not what it should be (expected: {expected})");
    for bad in ["\"\"", "\"1A\"", "\"A-B\"", "\"A B\"", "\"A=B\"", "5"] {
        let expected = wrong("env", "the name of an environment variable");
        secret(&format!("pw = {{ env = {bad} }}"), &format!("15:26 {expected}"));
    }
    let path = "an absolute path or one that begins with `~/`, without quotes and control characters";
    secret("pw = { file = \"pw.txt\" }", &format!("15:27 {}", wrong("file", path)));
    for bad in ["\"pass show x\"", "[]", "[\"\"]", "[\"pass\", 5]", "[\"pass\", \"\\u0000\"]", "{}"] {
        let expected = wrong("command", "an array: the program that prints the secret, then its arguments");
        secret(&format!("pw = {{ command = {bad} }}"), &format!("15:30 {expected}"));
    }
    secret(
        "PW = { env = \"A\" }",
        "15:13 the key `PW` can't become an environment variable (expected: 1 to 63 of a-z, 0-9 and `_`, beginning with a letter)",
    );
}

#[test]
fn a_secret_in_clear_is_never_repeated() {
    let mistakes = [
        "\"hunter2!\"",
        "[\"hunter2!\"]",
        "{ env = \"hunter2!\" }",
        "{ file = \"hunter2!\" }",
        "{ command = \"hunter2!\" }",
    ];
    for mistake in mistakes {
        let step = format!("[[step]]\nphase = \"smoke\"\nname = \"x\"\nrun = \"x\"\nsecrets = {{ pw = {mistake} }}");
        let (_, problems) = draft(&format!("description = \"x\"\n{step}"), "jobs/x.toml");
        let [problem] = problems.0.as_slice() else { panic!("{mistake}: {problems}") };
        assert!(problem.conceal && !problem.to_string().contains("hunter2"), "{problem}");
    }
}
