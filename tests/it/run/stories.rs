//! Runs that go as people plan them, and the ways in which people stop them.

use nix::sys::signal::Signal;

use crate::kit::terminal::Terminal;
use crate::kit::world::{World, text, user, wait_until};

#[test]
fn three_hosts_go_through_every_phase_once_canary_first() {
    let world = World::without_database(3, "");
    let (status, printed) = world.start_run("quarterly").finish();
    assert_eq!(status, 0, "{printed}");
    let steps = ["look", "stop", "save", "install", "ask", "start"];
    let ledger = world.ledger();
    assert_eq!(ledger.len(), 18, "{ledger:?}");
    let canary: Vec<_> = ledger.iter().take(6).map(String::as_str).collect();
    assert_eq!(canary, steps.map(|step| format!("h1 {step}")), "the first host alone, in order");
    for host in ["h2", "h3"] {
        let of_host: Vec<_> = ledger.iter().filter(|line| line.starts_with(host)).cloned().collect();
        assert_eq!(of_host, steps.map(|step| format!("{host} {step}")));
        assert_eq!(world.outcome(1, host), "updated");
    }
    assert!(
        !world
            .path("remote/runs")
            .read_dir()
            .unwrap()
            .flatten()
            .any(|run| { run.path().read_dir().unwrap().flatten().any(|entry| entry.path().join("script").exists()) }),
        "capsules are removed at the end"
    );
}

#[test]
fn the_report_proves_the_backup() {
    let world = World::new(1);
    let (status, printed) = world.start_run("quarterly").finish();
    assert_eq!(status, 0, "{printed}");
    // sha256 of "content\n", by coreutils.
    let checksum = "sha256:434728a410a78f56fc1b5899c3593436e61ab0c731e9072d95e96db290205e53";
    let report = world.report(1).to_string();
    assert!(report.contains(checksum) && report.contains("h1.tar"), "{report}");
    let html = world.run(&["report", "1", "--format", "html", "--locale", "de"]);
    assert!(html.status.success(), "{}", text(&html));
    let html = String::from_utf8(html.stdout).unwrap();
    assert!(html.contains("lang=\"de\"") && html.contains("Nordwind GmbH") && html.contains(&checksum[7..]));
    assert!(!html.contains("<script") && !html.contains("src=\"http"), "one self-contained file");
}

#[test]
fn a_failing_smoke_test_is_rolled_back_released_and_ends_the_run_after_the_canary() {
    let world = World::new(2);
    world.break_step("ask");
    let (status, printed) = world.start_run("quarterly").finish();
    assert_eq!(status, 1, "{printed}");
    let expected = ["look", "stop", "save", "install", "ask", "downgrade", "start"];
    assert_eq!(world.ledger(), expected.map(|step| format!("h1 {step}")));
    assert_eq!(world.outcome(1, "h1"), "failed_and_rolled_back");
    assert_eq!(world.outcome(1, "h2"), "skipped");
}

#[test]
fn no_update_without_a_backup_of_this_run() {
    let world = World::new(1);
    let old = world.path("old.tar");
    let job = |backup: &str| {
        format!(
            "description = \"x\"\n[[step]]\nphase = \"backup\"\nname = \"save\"\nrun = '''{backup}'''\nverify = \"true\"\n\
             [[step]]\nphase = \"update\"\nname = \"install\"\nrun = '. \"$VAR_KIT\"; note'\n"
        )
    };
    world.write("old.tar", "old");
    let touched = std::process::Command::new("touch").args(["-d", "yesterday"]).arg(&old).status().unwrap();
    assert!(touched.success());
    let check = |name: &str, backup: &str, why: &str| {
        world.job(name, &job(backup));
        let (status, printed) = world.start_run(name).finish();
        assert_eq!(status, 1, "{name}: {printed}");
        assert!(printed.contains(why), "{name}: {printed}");
        assert_eq!(world.ledger(), Vec::<String>::new(), "{name}: the update was started");
    };
    check("fails", "exit 3", "exit status 3");
    check("says-nothing", "true", "wrote no path=");
    check("is-gone", "echo path=/nonexistent/backup >>\"$TURNUS_OUTPUT\"", "does not exist");
    check(
        "is-empty",
        ": >\"$VAR_DIRECTORY/empty\"; echo \"path=$VAR_DIRECTORY/empty\" >>\"$TURNUS_OUTPUT\"",
        "is empty",
    );
    check("is-old", "echo \"path=$VAR_DIRECTORY/old.tar\" >>\"$TURNUS_OUTPUT\"", "older than this run");
}

#[test]
fn a_host_is_in_one_unfinished_run_only() {
    let world = World::new(1);
    world.close("save");
    let first = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    let second = world.run(&["run", "nordwind", "quarterly", "--host", "h1", "--yes", "--reason", "again"]);
    assert_eq!(second.status.code(), Some(2), "{}", text(&second));
    let told = text(&second);
    assert!(told.contains("`h1`") && told.contains("run 1") && told.contains("turnus show 1"), "{told}");
    world.open("save");
    assert_eq!(first.finish().0, 0);
    assert!(world.counts().values().all(|count| *count == 1));
}

#[test]
fn the_same_request_twice_is_one_run() {
    let world = World::new(1);
    let arguments =
        ["run", "nordwind", "quarterly", "--host", "h1", "--yes", "--reason", "x", "--idempotency-key", "k"];
    assert!(world.run(&arguments).status.success());
    let again = world.run(&arguments);
    assert!(again.status.success() && text(&again).contains("made run 1"), "{}", text(&again));
    assert!(world.counts().values().all(|count| *count == 1), "{:?}", world.ledger());
}

#[test]
fn the_first_ctrl_c_lets_the_step_finish_releases_and_ends_as_cancelled() {
    let world = World::new(2);
    world.close("save");
    let run = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    run.signal(Signal::SIGINT);
    run.wait_for_text("cancelled by");
    world.open("save");
    let (status, printed) = run.finish();
    assert_eq!(status, 130, "{printed}");
    assert_eq!(world.ledger(), ["h1 look", "h1 stop", "h1 save", "h1 start"]);
    assert_eq!(world.outcome(1, "h2"), "skipped");
    let runs = world.run(&["runs", "--format", "json"]);
    assert!(text(&runs).contains("\"state\":\"cancelled\""), "{}", text(&runs));
}

#[test]
fn the_second_ctrl_c_leaves_at_once_and_resume_carries_on() {
    let world = World::new(1);
    world.close("save");
    let run = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    run.signal(Signal::SIGINT);
    run.wait_for_text("cancelled by");
    run.signal(Signal::SIGINT);
    let (status, printed) = run.finish();
    assert_eq!(status, 130, "{printed}");
    assert!(printed.contains("turnus resume 1"), "{printed}");
    world.open("save");
    let (status, printed) = world.start(&["resume", "1"]).finish();
    assert_eq!(status, 130, "it is still a cancelled run: {printed}");
    assert_eq!(world.ledger(), ["h1 look", "h1 stop", "h1 save", "h1 start"]);
}

#[test]
fn cancel_from_another_terminal_does_the_same() {
    let world = World::new(1);
    world.close("save");
    let run = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    let cancelled = world.run(&["cancel", "1"]);
    assert!(cancelled.status.success(), "{}", text(&cancelled));
    run.wait_for_text("cancelled by");
    world.open("save");
    assert_eq!(run.finish().0, 130);
    assert_eq!(world.ledger(), ["h1 look", "h1 stop", "h1 save", "h1 start"]);
}

#[test]
fn output_is_data_on_its_way_to_people() {
    let world = World::new(1);
    let script = r#"printf '\033[31mred\033[0m \033]0;title\007<b>&amp;</b>\nlast \033[2J\xe2\x80\xaeline\n'; exit 1"#;
    world.job(
        "hostile",
        &format!("description = \"x\"\n[[step]]\nphase = \"preflight\"\nname = \"hostile\"\nrun = '''{script}'''\n"),
    );
    let (status, printed) = world.start_run("hostile").finish();
    assert_eq!(status, 1, "{printed}");
    assert!(!printed.contains('\u{1b}') && !printed.contains('\u{202e}'), "{printed:?}");
    let log = world.run(&["log", "1", "--host", "h1", "--step", "hostile"]);
    assert!(log.stdout.starts_with(b"\x1b[31mred"), "a pipe gets the bytes as they were: {:?}", log.stdout);
    let html = String::from_utf8(world.run(&["report", "1", "--format", "html"]).stdout).unwrap();
    assert!(!html.contains("<b>&amp;</b>") && !html.contains('\u{1b}') && !html.contains('\u{202e}'), "escaped");
}

#[test]
fn secrets_reach_the_step_and_nothing_else() {
    let world = World::new(1);
    world.write("secret", "canary-7d1f\n");
    let path = world.path("secret");
    let job = format!(
        "description = \"x\"\n[[step]]\nphase = \"preflight\"\nname = \"secret\"\nsecrets = {{ password = {{ file = \"{}\" }} }}\n\
         run = '''echo \"got ${{#SECRET_PASSWORD}}\"; echo \"it is $SECRET_PASSWORD\"; echo \"key=$SECRET_PASSWORD\" >>\"$TURNUS_OUTPUT\"; exit 1'''\n",
        path.display()
    );
    world.job("secret", &job);
    let (status, printed) = world.start_run("secret").finish();
    assert_eq!(status, 1, "{printed}");
    let log = text(&world.run(&["log", "1"]));
    assert!(log.contains("got 11") && log.contains("it is ***********"), "{log}");
    let everything =
        printed + &log + &text(&world.run(&["show", "1", "--format", "json"])) + &world.report(1).to_string();
    assert!(!everything.contains("canary-7d1f"), "{everything}");
    let remote =
        std::process::Command::new("grep").args(["-r", "canary-7d1f"]).arg(world.path("remote")).output().unwrap();
    assert!(remote.stdout.is_empty(), "never on the host's disk: {}", String::from_utf8_lossy(&remote.stdout));
}

#[test]
fn steps_run_on_delegates_and_on_the_controller() {
    let world = World::new(2);
    let job = r#"
description = "x"
[[step]]
phase = "preflight"
name  = "here"
on    = "controller"
run   = 'echo "$TURNUS_HOST here ${SSH_CONNECTION:-local}" >>"$VAR_DIRECTORY/ledger"'
[[step]]
phase = "preflight"
name  = "there"
on    = "h2"
run   = 'set -- $SSH_CONNECTION; echo "$TURNUS_HOST there $3" >>"$VAR_DIRECTORY/ledger"'
"#;
    world.job("delegated", job);
    let output = world.run(&["run", "nordwind", "delegated", "--host", "h1", "--yes", "--reason", "x"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(world.ledger(), ["h1 here local", "h1 there 127.0.0.3"]);
}

#[test]
fn two_hundred_hosts_with_eight_steps() {
    let world = World::with_settings(200, "[limits]\nparallel_hosts = 40\n");
    let mut job =
        "description = \"x\"\nbatch = [\"1\", \"50%\", \"100%\"]\nbackup = \"none\"\nbackup_reason = \"test\"\n"
            .to_owned();
    for step in 1..=8 {
        let phase = ["preflight", "preflight", "quiesce", "update", "update", "update", "smoke", "smoke"][step - 1];
        job += &format!(
            "[[step]]\nphase = \"{phase}\"\nname = \"s{step}\"\nrun = 'echo out; echo \"$TURNUS_HOST s{step}\" >>\"$VAR_DIRECTORY/ledger\"'\n"
        );
    }
    world.job("many", &job);
    let (status, printed) = world.start_run("many").finish();
    assert_eq!(status, 0, "{}", printed.lines().filter(|line| !line.contains(": ok")).collect::<Vec<_>>().join("\n"));
    let counts = world.counts();
    assert_eq!(counts.len(), 1600);
    assert!(counts.values().all(|count| *count == 1));
}

#[test]
fn a_host_that_is_down_is_unreachable_and_counts() {
    let world = World::new(2);
    let inventory = std::fs::read_to_string(world.path("configuration/inventories/nordwind.toml")).unwrap();
    // The first host's port becomes one where nobody listens.
    let down = inventory.replacen(&format!("port = {}", world.ssh_port), "port = 1", 1);
    world.write("configuration/inventories/nordwind.toml", &down);
    let (status, printed) = world.start_run("quarterly").finish();
    assert_eq!(status, 1, "{printed}");
    assert_eq!(world.outcome(1, "h1"), "unreachable");
    assert_eq!(world.outcome(1, "h2"), "skipped");
    assert_eq!(world.ledger(), Vec::<String>::new());
}

#[test]
fn an_unknown_host_key_is_refused_until_it_is_trusted() {
    let world = World::new(1);
    std::fs::remove_file(world.path("known_hosts")).unwrap();
    let (status, printed) = world.start_run("quarterly").finish();
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("SHA256:") && printed.contains("turnus trust"), "{printed}");
    let refused = world.run(&["trust", "h1"]);
    assert_eq!(refused.status.code(), Some(2), "nobody can be asked: {}", text(&refused));
    let wrong = world.run(&["trust", "h1", "--fingerprint", "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]);
    assert_eq!(wrong.status.code(), Some(1), "{}", text(&wrong));
    let trusted = world.run(&["trust", "nordwind/h1", "--yes"]);
    assert!(trusted.status.success(), "{}", text(&trusted));
    assert_eq!(world.start_run("quarterly").finish().0, 0);
}

#[test]
fn the_plan_changes_nothing_and_says_everything() {
    let world = World::without_database(2, "");
    let plan = world.run(&["plan", "nordwind", "quarterly", "--host", "@all"]);
    let told = text(&plan);
    assert!(plan.status.success(), "{told}");
    for wanted in ["batch 1: h1", "batch 2: h2", "save (verify)", "save (recheck)", "install (rollback)", "stop (undo)"]
    {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    let rehearsed = world.run(&["plan", "nordwind", "quarterly", "--host", "@all", "--rehearse", "--fail", "h2:ask"]);
    let told = text(&rehearsed);
    assert_eq!(rehearsed.status.code(), Some(1), "{told}");
    assert!(told.contains("install (rollback)") && told.contains("failed at `ask` and rolled back"), "{told}");
    assert_eq!(world.ledger(), Vec::<String>::new(), "nothing was done on a host");
    assert!(!world.path("state").exists(), "nor here");
}

#[test]
fn nothing_is_left_running() {
    let world = World::new(1);
    let run = world.start_run("quarterly");
    let pid = run.pid();
    assert_eq!(run.finish().0, 0);
    let marks = [world.path("state").display().to_string(), format!("turnus-{pid}-")];
    wait_until("database and connections are gone", || {
        let listed = std::process::Command::new("ps").args(["-eo", "args"]).output().unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        !listed.lines().any(|line| !line.starts_with("ps ") && marks.iter().any(|mark| line.contains(mark)))
    });
}

#[test]
fn the_demo_shows_what_it_promises_and_leaves_nothing() {
    drop(demo(&[], "shop 2.0: 241 orders"));
}

#[test]
fn the_demo_shows_the_way_back() {
    drop(demo(&["--break", "smoke"], "shop 1.0: 240 orders"));
}

#[test]
fn the_demo_shows_what_the_customer_is_told() {
    let directory = demo(&["--mail", "mails"], "shop 2.0: 241 orders");
    check_mails(&directory.path().join("mails"));
}

/// Runs the demo in a directory of its own, and sees that it keeps its promise and leaves nothing running.
fn demo(arguments: &[&str], expected: &str) -> tempfile::TempDir {
    let directory = tempfile::Builder::new().prefix("turnus-shown-").tempdir().unwrap();
    // Postgres runs under another account when the test runs as root.
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let mut demo = std::process::Command::new(env!("CARGO_BIN_EXE_turnus"));
    demo.arg("demo").args(arguments).args(["--report", "report.html"]).stdin(std::process::Stdio::null());
    let output = demo.env("TMPDIR", directory.path()).current_dir(directory.path()).output().unwrap();
    let told = text(&output);
    assert!(output.status.success(), "{told}");
    assert_eq!(told.matches(expected).count(), 3, "{told}");
    let report = std::fs::read_to_string(directory.path().join("report.html")).unwrap();
    assert!(report.starts_with("<!DOCTYPE html>"));
    let left = std::process::Command::new("pgrep").arg("-f").arg(directory.path()).output().unwrap();
    assert!(left.stdout.is_empty(), "left running: {}", String::from_utf8_lossy(&left.stdout));
    directory
}

/// The first announces a date with an entry for the calendar, the last brings the report.
fn check_mails(mails: &std::path::Path) {
    let entries = std::fs::read_dir(mails).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let expected = ["1-announcement", "2-started", "3-finished"];
    let expected = expected.iter().flat_map(|mail| [format!("{mail}.eml"), format!("{mail}.html")]);
    assert_eq!(names, expected.collect::<Vec<_>>());
    let bytes = |name: &str| std::fs::read(mails.join(name)).unwrap();
    let (announcement, finished) = (bytes("1-announcement.eml"), bytes("3-finished.eml"));
    let parse = |bytes| mail_parser::MessageParser::default().parse(bytes).unwrap();
    let (announcement, finished) = (parse(&announcement), parse(&finished));
    for mail in [&announcement, &finished] {
        assert_eq!(mail.to().unwrap().first().unwrap().address(), Some("clara.winter@shops.example"));
    }
    let is_calendar = |part: &mail_parser::MessagePart<'_>| {
        mail_parser::MimeHeaders::is_content_type(part, "text", "calendar")
            && String::from_utf8_lossy(part.contents()).contains("METHOD:")
    };
    assert!(announcement.parts.iter().any(is_calendar));
    let report = finished.attachments().next().expect("the report is attached");
    assert!(String::from_utf8_lossy(report.contents()).contains("web3"));
    let page = std::fs::read_to_string(mails.join("3-finished.html")).unwrap();
    assert!(page.contains("Clara Winter") && page.contains("web3"), "{page}");
}

#[test]
fn doctor_says_what_it_found_and_what_is_missing() {
    let world = World::without_database(1, "");
    let doctor = world.run(&["doctor"]);
    let told = text(&doctor);
    assert!(doctor.status.success(), "{told}");
    for subject in ["files", "ssh", "keys", "state", "database", "clock", "time zones"] {
        assert!(told.contains(subject), "{subject}: {told}");
    }
    assert!(!world.path("state").exists(), "looking changes nothing");
    std::fs::remove_file(world.path("key")).unwrap();
    let doctor = world.run(&["doctor", "--format", "json"]);
    assert_eq!(doctor.status.code(), Some(3), "{}", text(&doctor));
    let findings: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let missing: Vec<_> =
        findings.as_array().unwrap().iter().filter(|finding| finding["verdict"] == "missing").collect();
    assert_eq!(missing.len(), 1, "{findings}");
    assert_eq!(missing[0]["subject"], "keys");
}

#[test]
fn doctor_and_plan_say_by_which_transport_a_host_is_reached_and_why() {
    let world = World::with_settings(2, "[ssh]\nconfig_file = \"$DIR/ssh_config\"\n");
    world.write("ssh_config", &format!("Host {}\n  Ciphers aes256-ctr\n", world.address(2)));
    let told = |arguments: &[&str], status: i32| {
        let output = world.run(arguments);
        assert_eq!(output.status.code(), Some(status), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let first = told(&["doctor", "h1"], 0);
    assert!(first.contains("built in: it understands all that is configured"), "{first}");
    assert!(first.contains(&format!("works, commands run as {}", user())), "{first}");
    let second = told(&["doctor", "nordwind/h2"], 0);
    assert!(second.contains("OpenSSH: `ciphers aes256-ctr` in ssh_config"), "{second}");
    told(&["doctor", "h9"], 2);

    let plan: serde_json::Value =
        serde_json::from_str(&told(&["plan", "nordwind", "quarterly", "--host", "@all", "--format", "json"], 0))
            .unwrap();
    assert_eq!(plan["transports"][0]["transport"], "builtin", "{plan}");
    let second = &plan["transports"][1];
    assert_eq!((&second["host"], &second["transport"]), (&"h2".into(), &"openssh".into()), "{plan}");
    let plan = told(&["plan", "nordwind", "quarterly", "--host", "@all"], 0);
    assert!(plan.contains("reached by OpenSSH (`ciphers aes256-ctr` in ssh_config): h2"), "{plan}");

    // Both do their work in one run.
    let run = world.run(&["run", "nordwind", "quarterly", "--host", "@all", "--yes", "--reason", "x"]);
    assert!(run.status.success(), "{}", text(&run));

    std::fs::write(world.path("known_hosts"), "").unwrap();
    let unknown = told(&["doctor", "h1"], 3);
    assert!(unknown.contains("MISSING") && unknown.contains("turnus trust h1"), "{unknown}");
}

#[test]
fn at_a_terminal_what_becomes_of_each_host_stays_above_what_is_in_work() {
    let world = World::new(3);
    let run = world.turnus(&["run", "nordwind", "quarterly", "--host", "@all", "--yes", "--reason", "x"]);
    let (status, printed) = Terminal::open(&run, world.path("terminal")).finish();
    assert_eq!(status, Some(0), "{printed}");
    let place = |text: &str| printed.find(text).unwrap_or_else(|| panic!("`{text}` in {printed}"));
    let [canary, second, third] = ["h1", "h2", "h3"].map(|host| place(&format!("{host:<14}  => updated")));
    assert!(canary < second.min(third), "{printed}");
    let report = printed.rfind("Nordwind GmbH").expect("the report");
    assert!(report > second.max(third), "{printed}");
}

#[test]
fn a_log_can_be_followed_until_the_run_ends() {
    let world = World::new(1);
    let script = r#". "$VAR_KIT"; echo first; gate talk; echo second"#;
    world.job(
        "talk",
        &format!("description = \"x\"\n[[step]]\nphase = \"preflight\"\nname = \"talk\"\nrun = '''{script}'''\n"),
    );
    world.close("talk");
    let run = world.start_run("talk");
    world.wait_for_gate("talk", "h1");
    let follower = world.start(&["log", "1", "--follow"]);
    follower.wait_for_text("first");
    assert!(!follower.printed().contains("second"));
    world.open("talk");
    assert_eq!(run.finish().0, 0);
    let (status, printed) = follower.finish();
    assert_eq!((status, printed.as_str()), (0, "first\nsecond\n"), "one step of one host: nothing but its output");
}

#[test]
fn programs_read_events_as_json_lines_and_the_report_as_the_last() {
    let world = World::new(1);
    let output =
        world.run(&["run", "nordwind", "quarterly", "--host", "h1", "--yes", "--reason", "x", "--format", "json"]);
    assert!(output.status.success(), "{}", text(&output));
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().filter_map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds[..2], ["run", "lease_taken"]);
    assert_eq!(lines[0]["run_number"], 1);
    assert!(kinds.contains(&"run_finished"), "{kinds:?}");
    let started = lines.iter().find(|line| line["kind"] == "step_started").unwrap();
    assert_eq!((&started["host"], &started["step"]["name"]), (&"h1".into(), &"look".into()));
    assert_eq!(lines.last().unwrap()["run_number"], 1);
}

/// The most memory that a run took, in KiB, one of whose steps prints so many bytes.
fn peak_kib(world: &World, bytes: u64) -> u64 {
    let script = format!("echo begin; head -c {bytes} /dev/zero | tr '\\0' 'x'; echo; echo end");
    world.job(
        "flood",
        &format!("description = \"x\"\n[[step]]\nphase = \"preflight\"\nname = \"flood\"\nrun = '''{script}'''\n"),
    );
    let run = world.start_run("flood");
    let mut peak_kib = 0;
    let status = format!("/proc/{}/status", run.pid());
    wait_until("the flood is over", || {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak =
            text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next()?.parse::<u64>().ok());
        peak_kib = peak.unwrap_or(0).max(peak_kib);
        run.printed().contains("Maintenance report")
    });
    assert_eq!(run.finish().0, 0);
    peak_kib
}

#[test]
fn output_without_measure_fills_neither_memory_nor_database_nor_disk() {
    let world = World::new(1);
    let much = peak_kib(&world, 400_000_000);
    // More than is kept of it already.
    let little = peak_kib(&world, 4_000_000);
    assert!(much < 100 * 1024 && much < little + 16 * 1024, "{much} KiB instead of {little} KiB");
    let log = world.run(&["log", "1"]);
    assert!(
        log.stdout.len() < 2 * 1024 * 1024 && log.stdout.starts_with(b"begin\n") && log.stdout.ends_with(b"\nend\n")
    );
    assert!(String::from_utf8_lossy(&log.stdout).contains("bytes left out"));
}
