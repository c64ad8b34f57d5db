//! What a hostile reader of the code tried: hosts that write what they like, moments at which nobody expects a signal.

use nix::sys::signal::Signal;

use super::faults::{resume_when_lapsed, sql};
use crate::kit::world::{Running, World, children, kill, text, wait_until};

/// Stops and starts something; what is between them is up to the test.
fn stop_and(step: &str) -> String {
    format!(
        "description = \"x\"\nbackup = \"none\"\nbackup_reason = \"test\"\n\
         [[step]]\nphase = \"quiesce\"\nname = \"stop\"\nrun = '. \"$VAR_KIT\"; note; gate stop'\nundo = '. \"$VAR_KIT\"; note start'\n{step}"
    )
}

#[test]
fn no_fact_keeps_a_host_from_being_released() {
    let world = World::new(1);
    let facts = r#"
[[step]]
phase = "update"
name  = "odd"
run   = '''
. "$VAR_KIT"; note
{ printf 'not-a-name=1\nüber=2\n spaced name =3\nnul=a\000b\ngood=yes\n'; head -c 60000 /dev/zero | tr '\0' x | sed 's/^/big=/'; } >>"$TURNUS_OUTPUT"
'''
[[step]]
phase = "smoke"
name  = "read"
run   = '. "$VAR_KIT"; note "$FACT_GOOD"'
"#;
    world.job("odd", &stop_and(facts));
    let (status, printed) = world.start_run("odd").finish();
    assert_eq!(world.ledger(), ["h1 stop", "h1 odd", "h1 yes", "h1 start"], "{printed}");
    assert_eq!(status, 0, "{printed}");
}

/// An update that turnus never got through to the host, as its record has it.
const UPDATE: &str = r#"
[[step]]
phase    = "update"
name     = "install"
run      = '. "$VAR_KIT"; note; gate install; broken install'
rollback = '. "$VAR_KIT"; note downgrade'
"#;

/// Appends to the record of the only run.
fn append(world: &World, step: &str, kind: &str, detail: &str) {
    let host = if step == "null" { "null" } else { "0" };
    sql(
        world,
        &format!(
            "insert into run_event select id, (select max(seq) + 1 from run_event), clock_timestamp(), {host}, {step}, '{kind}', '{detail}' from run"
        ),
    );
}

/// The controller dies while `stop` is at its gate, which opens then.
fn die_at_the_first_step(world: &World) {
    world.job("short", &stop_and(UPDATE));
    world.close("stop");
    let run = world.start_run("short");
    world.wait_for_gate("stop", "h1");
    run.kill_hard();
    world.open("stop");
    append(world, "0", "step_finished", r#"{"result":{"end":{"end":"succeeded"}}}"#);
    append(world, "1", "step_started", "{}");
}

#[test]
fn a_step_that_was_lost_before_it_reached_its_host_is_not_begun_after_all_was_released() {
    let world = World::new(1);
    die_at_the_first_step(&world);
    let fault = r#"{"fault":{"what":"the line was lost"}}"#;
    append(&world, "1", "step_unknown", fault);
    append(&world, "3", "step_started", "{}");
    append(&world, "3", "step_unknown", fault);
    append(&world, "null", "run_suspended", "{}");
    sql(&world, "update run set state = 'suspended', lease_owner = null, lease_until = null");
    let (status, printed) = world.start(&["resume", "1"]).finish();
    assert_eq!(status, 1, "{printed}");
    assert_eq!(world.ledger(), ["h1 stop", "h1 start"], "released, and nothing went forward: {printed}");
    assert_eq!(world.outcome(1, "h1"), "failed", "what happened is known now");
}

#[test]
fn a_step_is_not_begun_on_a_host_that_knows_more_than_the_record() {
    let world = World::new(1);
    die_at_the_first_step(&world);
    // The host was released by a controller that could not write it down.
    let run = world.path("remote/runs").read_dir().unwrap().next().unwrap().unwrap().path();
    std::fs::write(run.join("e1/h1.3"), "gone\n").unwrap();
    let (status, printed) = resume_when_lapsed(&world).finish();
    assert_ne!(status, 0, "{printed}");
    assert!(!world.ledger().contains(&"h1 install".to_owned()), "{printed}");
}

#[test]
fn without_a_database_a_failed_update_is_taken_back_and_the_host_released() {
    let world = World::new(1);
    world.job("short", &stop_and(UPDATE));
    world.close("install");
    world.break_step("install");
    let run = world.start_run("short");
    world.wait_for_gate("install", "h1");
    sql(&world, "alter database turnus set default_transaction_read_only = on");
    sql(
        &world,
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    world.open("install");
    let (status, printed) = run.finish();
    assert_eq!(status, 3, "{printed}");
    assert_eq!(world.ledger(), ["h1 stop", "h1 install", "h1 downgrade", "h1 start"], "{printed}");
}

#[test]
fn a_ctrl_c_after_the_last_step_changes_nothing() {
    let world = World::new(1);
    // The host is slow to tidy up: its copy of the capsule waits.
    let slow = r#"
[[step]]
phase = "smoke"
name  = "slow"
run   = '''
. "$VAR_KIT"
run=${TURNUS_OUTPUT%/*/*}
mv "$run/capsule" "$run/real"
printf 'case $1 in clean) : >"%s/at-clean"; while [ -e "%s/closed-clean" ]; do sleep 0.05; done;; esac\n. "$0.real" "$@"\n' "$VAR_DIRECTORY" "$VAR_DIRECTORY" >"$run/capsule"
cp "$run/real" "$run/capsule.real"
'''
"#;
    world.job("slow", &format!("description = \"x\"\n{slow}"));
    world.close("clean");
    let run = world.start_run("slow");
    wait_until("the host is tidied up", || world.path("at-clean").exists());
    run.signal(Signal::SIGINT);
    // Long enough for the driver to look at the signal; if it is slower, the test sees less.
    let _ = world.run(&["show", "1"]);
    world.open("clean");
    let (status, printed) = run.finish();
    assert_eq!(status, 0, "{printed}");
}

#[test]
fn a_request_that_is_sent_again_tells_what_came_of_the_first() {
    let world = World::new(1);
    let arguments =
        ["run", "nordwind", "quarterly", "--host", "h1", "--yes", "--reason", "x", "--idempotency-key", "k"];
    world.break_step("ask");
    assert_eq!(world.run(&arguments).status.code(), Some(1));
    let again = world.run(&arguments);
    assert_eq!(again.status.code(), Some(1), "it failed, and still has: {}", text(&again));
    world.job("other", &stop_and(UPDATE));
    let other = ["run", "nordwind", "other", "--host", "h1", "--yes", "--reason", "x", "--idempotency-key", "k"];
    let other = world.run(&other);
    assert_eq!(other.status.code(), Some(2), "{}", text(&other));
    assert!(text(&other).contains("used before"), "{}", text(&other));
}

#[test]
fn a_request_that_is_sent_again_carries_on_what_a_killed_controller_left() {
    let world = World::new(1);
    let arguments =
        ["run", "nordwind", "quarterly", "--host", "h1", "--yes", "--reason", "x", "--idempotency-key", "k"];
    world.close("save");
    let run = world.start(&arguments);
    world.wait_for_gate("save", "h1");
    let early = world.run(&arguments);
    assert_eq!(early.status.code(), Some(2), "it goes on elsewhere: {}", text(&early));
    assert!(text(&early).contains("is driven by"), "{}", text(&early));
    run.kill_hard();
    sql(&world, "update run set lease_until = clock_timestamp() - interval '1 s'");
    world.open("save");
    let (status, printed) = world.start(&arguments).finish();
    assert_eq!(status, 0, "{printed}");
    assert_eq!(world.ledger(), ["h1 look", "h1 stop", "h1 save", "h1 install", "h1 ask", "h1 start"]);
}

#[test]
fn a_rehearsal_asks_for_no_secrets() {
    let world = World::new(1);
    let asked = world.path("asked");
    let job = format!(
        "description = \"x\"\n[[step]]\nphase = \"preflight\"\nname = \"look\"\nrun = \"true\"\nsecrets = {{ key = {{ command = [\"touch\", \"{}\"] }} }}\n",
        asked.display()
    );
    world.job("secret", &job);
    let rehearsed = world.run(&["plan", "nordwind", "secret", "--host", "h1", "--rehearse"]);
    assert!(rehearsed.status.success(), "{}", text(&rehearsed));
    assert!(!asked.exists(), "a command was run");
}

#[test]
fn a_database_that_says_nothing_is_noticed_and_waited_for() {
    let world = World::new(1);
    world.close("save");
    let run = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    let server = world.database_pid();
    let frozen: Vec<_> = children(server).into_iter().chain([server]).collect();
    frozen.iter().for_each(|pid| kill(*pid, Signal::SIGSTOP));
    world.open("save");
    run.wait_for_text("waiting for it");
    frozen.iter().for_each(|pid| kill(*pid, Signal::SIGCONT));
    let (status, printed) = run.finish();
    assert_eq!(status, 0, "{printed}");
    assert_eq!(world.ledger(), ["h1 look", "h1 stop", "h1 save", "h1 install", "h1 ask", "h1 start"]);
}

const CHATTY: &str = r#"
description = "x"
[[step]]
phase = "preflight"
name  = "talk"
run   = '''
. "$VAR_KIT"
echo one
gate talk
while [ -e "$VAR_DIRECTORY/talks" ]; do echo more; sleep 0.1; done
'''
"#;

/// Whether the private database serves anybody.
fn database_runs(world: &World) -> bool {
    let file = world.path("state/postgres/data/postmaster.pid");
    let pid = std::fs::read_to_string(file).ok().and_then(|text| text.lines().next().map(str::to_owned));
    pid.is_some_and(|pid| std::path::Path::new("/proc").join(pid).exists())
}

#[test]
fn whoever_looks_back_may_leave_at_any_time() {
    let world = World::new(1);
    world.job("chatty", CHATTY);
    world.close("talk");
    let run = world.start_run("chatty");
    world.wait_for_gate("talk", "h1");
    let followed = world.start(&["log", "1", "--follow"]);
    followed.wait_for_text("one");
    run.kill_hard();
    followed.signal(Signal::SIGINT);
    assert_eq!(followed.finish().0, 130);
    wait_until("the database is stopped", || !database_runs(&world));
    world.open("talk");
}

#[test]
fn following_ends_when_nobody_reads_any_more() {
    let world = World::new(1);
    world.job("chatty", CHATTY);
    world.close("talk");
    world.write("talks", "");
    let run = world.start_run("chatty");
    world.wait_for_gate("talk", "h1");
    let mut follower = world.turnus(&["log", "1", "--follow"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut one = [0; 1];
    std::io::Read::read_exact(follower.stdout.as_mut().unwrap(), &mut one).unwrap();
    drop(follower.stdout.take());
    world.open("talk");
    wait_until("the follower ends", || follower.try_wait().unwrap().is_some());
    std::fs::remove_file(world.path("talks")).unwrap();
    assert_eq!(run.finish().0, 0);
}

#[test]
fn what_people_write_is_harmless_on_other_people_s_terminals() {
    let world = World::new(1);
    let hostile = "\u{1b}]0;title\u{7}\u{9b}31m\u{202e}reason";
    let run = world.start(&["run", "nordwind", "quarterly", "--host", "h1", "--yes", "--reason", hostile]);
    let (status, printed) = run.finish();
    assert_eq!(status, 0, "{printed}");
    for arguments in [["show", "1"], ["report", "1"]] {
        let shown = text(&world.run(&arguments));
        assert!(shown.contains("reason"), "{shown}");
        let bad = |character: char| matches!(character, '\u{7}' | '\u{1b}' | '\u{9b}' | '\u{202e}');
        assert!(!shown.contains(bad), "{shown:?}");
    }
}

#[test]
fn who_leaves_at_once_does_not_wait_for_each_dead_line() {
    leave_with_dead_lines("openssh", |_, run| {
        let mark = format!("turnus-{}-", run.pid());
        let masters = std::process::Command::new("pgrep").args(["-f", &mark]).output().unwrap();
        String::from_utf8(masters.stdout).unwrap().lines().map(|pid| pid.parse().unwrap()).collect()
    });
}

#[test]
fn who_leaves_at_once_does_not_wait_for_each_dead_line_of_its_own() {
    leave_with_dead_lines("builtin", |world, _| world.sessions());
}

/// Freezes whoever holds the eight lines.
fn leave_with_dead_lines(transport: &str, holders: impl Fn(&World, &Running<'_>) -> Vec<u32>) {
    let world = World::with_settings(8, &format!("[ssh]\ntransport = \"{transport}\"\n"));
    world.job(
        "all",
        "description = \"x\"\nbatch = [\"100%\"]\n[[step]]\nphase = \"preflight\"\nname = \"look\"\nrun = '. \"$VAR_KIT\"; gate look'\n",
    );
    world.close("look");
    let run = world.start_run("all");
    (1..=8).for_each(|host| world.wait_for_gate("look", &format!("h{host}")));
    let holders = holders(&world, &run);
    assert_eq!(holders.len(), 8);
    holders.iter().for_each(|pid| kill(*pid, Signal::SIGSTOP));
    run.signal(Signal::SIGINT);
    run.wait_for_text("cancelled by");
    let began = std::time::Instant::now();
    run.signal(Signal::SIGINT);
    let (status, printed) = run.finish();
    // Frozen as they are, they could not say who they are, and were left behind.
    holders.iter().for_each(|pid| kill(*pid, Signal::SIGKILL));
    assert_eq!(status, 130, "{printed}");
    // Two seconds for one; sixteen for all of them after each other.
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    world.open("look");
}

#[test]
fn two_customers_with_the_same_host_names_are_maintained_at_the_same_time() {
    let world = World::new(2);
    let inventory = std::fs::read_to_string(world.path("configuration/inventories/nordwind.toml")).unwrap();
    world.write("configuration/inventories/suedwind.toml", &inventory.replace("Nordwind", "Südwind"));
    world.close("save");
    let north = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    let south = world.start(&["run", "suedwind", "quarterly", "--host", "@all", "--yes", "--reason", "x"]);
    wait_until("both are at work", || world.counts().get("h1 save") == Some(&2));
    world.open("save");
    for run in [north, south] {
        let (status, printed) = run.finish();
        assert_eq!(status, 0, "{printed}");
    }
    assert!(world.counts().values().all(|count| *count == 2), "{:?}", world.counts());
}

#[test]
fn paths_may_have_blanks() {
    let world = World::new(1);
    let spaced = |name: &str| world.path(&format!("a b/{name}"));
    std::fs::create_dir(world.path("a b")).unwrap();
    std::fs::rename(world.path("key"), spaced("my key")).unwrap();
    std::fs::rename(world.path("known_hosts"), spaced("known hosts")).unwrap();
    std::fs::rename(world.path("configuration"), spaced("con figuration")).unwrap();
    let file = spaced("con figuration/inventories/nordwind.toml");
    let old = |name: &str| format!("\"{}\"", world.path(name).display());
    let new = |name: &str| format!("\"{}\"", spaced(name).display());
    let text_of = std::fs::read_to_string(&file).unwrap();
    let moved = text_of.replace(&old("key"), &new("my key")).replace(&old("known_hosts"), &new("known hosts"));
    std::fs::write(&file, moved).unwrap();
    std::fs::write(spaced("con figuration/turnus.toml"), format!("state_dir = {}\n", new("the state"))).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_turnus"));
    command.arg("--config").arg(spaced("con figuration")).args([
        "run",
        "nordwind",
        "quarterly",
        "--host",
        "h1",
        "--yes",
        "--reason",
        "test",
    ]);
    let output = command.env("HOME", world.path("home")).env_remove("SSH_AUTH_SOCK").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_request_to_terminate_is_a_first_ctrl_c() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let world = World::new(1);
        world.close("save");
        let run = world.start_run("quarterly");
        world.wait_for_gate("save", "h1");
        run.signal(signal);
        run.wait_for_text("cancelled by");
        world.open("save");
        assert_eq!(run.finish().0, 130);
        assert_eq!(world.ledger(), ["h1 look", "h1 stop", "h1 save", "h1 start"]);
    }
}

#[test]
fn a_delegate_may_be_a_host_of_the_run() {
    let world = World::new(3);
    let job = r#"
description  = "x"
batch        = ["100%"]
[[step]]
phase = "preflight"
name  = "there"
on    = "h2"
run   = '. "$VAR_KIT"; note'
[[step]]
phase = "quiesce"
name  = "stop"
on    = "h2"
run   = '. "$VAR_KIT"; note; [ "$TURNUS_HOST" = h2 ] || sleep 1'
undo  = '. "$VAR_KIT"; note start'
"#;
    world.job("delegated", job);
    let (status, printed) = world.start_run("delegated").finish();
    assert_eq!(status, 0, "{printed}");
    assert_eq!(world.counts().len(), 9);
}

#[test]
fn a_step_that_prints_without_end_fills_nothing() {
    let world = World::new(1);
    world.job(
        "flood",
        "description = \"x\"\n[[step]]\nphase = \"preflight\"\nname = \"flood\"\nrun = '. \"$VAR_KIT\"; echo first; yes | head -c 300000000; echo last; gate flood'\n",
    );
    world.close("flood");
    let arguments = ["run", "nordwind", "flood", "--host", "h1", "--yes", "--reason", "x", "--format", "json"];
    let run = world.start(&arguments);
    world.wait_for_gate("flood", "h1");
    world.open("flood");
    let peak = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:").map(str::to_owned));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok())
    };
    let mut seen = 0;
    let pid = run.pid();
    let (status, printed) = {
        let mut run = run;
        while run.is_running() {
            seen = peak(pid).unwrap_or(seen).max(seen);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        run.finish()
    };
    assert_eq!(status, 0, "{}", &printed[printed.len().saturating_sub(2000)..]);
    assert!(seen < 100_000, "{seen} KiB");
    let log = world.run(&["log", "1", "--host", "h1", "--step", "flood"]).stdout;
    assert!(log.len() < 1_100_000 && log.starts_with(b"first\n") && log.ends_with(b"last\n"), "{}", log.len());
    assert!(String::from_utf8_lossy(&log).contains("bytes left out"));
    assert!(printed.len() < 4_000_000, "{}", printed.len());
}

#[test]
fn a_demo_that_is_interrupted_early_leaves_nothing() {
    let directory = tempfile::Builder::new().prefix("turnus-early-").tempdir().unwrap();
    // Postgres runs under another account when the test runs as root.
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let stage = || std::fs::read_dir(directory.path()).unwrap().flatten().find(|entry| entry.path().is_dir());
    for wanted in ["web1", "state"] {
        let mut demo = std::process::Command::new(env!("CARGO_BIN_EXE_turnus"));
        demo.arg("demo").env("TMPDIR", directory.path()).current_dir(directory.path());
        let mut demo = demo.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        wait_until("the stage is being built", || stage().is_some_and(|stage| stage.path().join(wanted).exists()));
        kill(demo.id(), Signal::SIGINT);
        assert_eq!(demo.wait().unwrap().code(), Some(130), "at {wanted}");
        assert!(stage().is_none(), "at {wanted}");
        let mark = directory.path().display().to_string();
        wait_until("its processes are gone", || {
            let listed = std::process::Command::new("ps").args(["-eo", "args"]).output().unwrap();
            !String::from_utf8_lossy(&listed.stdout).lines().any(|line| line.contains(&mark))
        });
    }
}
