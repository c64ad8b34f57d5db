//! The capsule in real shells: at most one start, exact ends, complete output, bounded in time and size.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use turnus::edge::remote::capsule::{End, Ended, Record, StepKey};
use turnus::edge::remote::{Command, Error};

use crate::kit::machine::{
    Machine, host, is_alive, kill, order, processes, processes_of, run, run_from, spawn_run, until, wait_for,
};

/// Each test below runs once in each shell.
macro_rules! in_every_shell {
    ($($test:ident)*) => {
        mod dash { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test("dash").await; })* }
        mod bash { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test("bash").await; })* }
        mod busybox { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test("busybox").await; })* }
    };
}

in_every_shell! {
    exit_statuses_are_exact
    output_is_exact_whatever_its_bytes
    output_comes_while_the_step_runs
    the_environment_arrives_unread_by_any_shell
    secrets_are_neither_on_disk_nor_in_output
    twenty_launches_start_once
    a_take_over_fences_and_attaches
    racing_controllers_start_once
    nothing_starts_without_a_record
    ten_times_too_much_output_keeps_its_first_and_last_part
    short_lines_beyond_the_limit_keep_the_end
    many_short_writes_fill_the_last_part
    a_daemon_that_holds_the_output_is_not_waited_for_and_lives
    a_time_limit_ends_the_whole_group
    a_script_that_ignores_the_end_is_killed
    a_package_manager_is_never_signalled
    facts_are_read_and_bounded
    a_killed_launcher_is_replaced
    a_killed_supervisor_loses_nothing
    killed_altogether_is_lost
    a_reboot_in_mid_step_is_told
    cleaning_keeps_the_memory_of_starts
    a_script_that_did_not_arrive_is_not_started
    a_follower_that_does_not_read_holds_up_nobody
    systemd_run_starts_once_even_if_it_fails
    output_comes_out_of_a_scope_while_the_step_runs
    the_name_of_a_process_is_no_witness
    reattaching_goes_on_at_the_offset
}

async fn exit_statuses_are_exact(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let scripts = [
        ("exit 0", 0),
        ("false", 1),
        ("no-such-command", 127),
        ("exit 255", 255),
        ("kill -9 $$", 137),
        ("kill $$", 143),
    ];
    for (step, (script, status)) in scripts.into_iter().enumerate() {
        let heard = run(&capsules, &order(step, script)).await;
        assert_eq!(heard.end(), End::Exit(status), "{script}");
        // Looked at again, it is the same.
        let again = run(&capsules, &order(step, script)).await;
        assert_eq!((again.end(), again.attached), (End::Exit(status), 1), "{script}");
    }
}

async fn output_is_exact_whatever_its_bytes(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend(b"\nend\nrc 1 no\nlog 0 5\n\r\n\x1b[2J");
    bytes.extend((0..200_000_u32).map(|number| (number * 7 % 251) as u8));
    fs::write(machine.path("bytes"), &bytes).expect("written");
    let heard = run(&capsules, &order(0, &format!("cat {}; echo err >&2", machine.word("bytes")))).await;
    bytes.extend(b"err\n");
    assert_eq!(heard.ended.as_ref().expect("an end").output_bytes, bytes.len() as u64);
    assert!(heard.output == bytes, "output differs");
}

async fn output_comes_while_the_step_runs(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    // The step waits for a file that is made only when its first line was seen.
    let script = format!("echo first; until [ -e {} ]; do sleep 0.1; done; echo second", machine.word("go"));
    let (sender, mut receiver) = tokio::sync::mpsc::channel(16);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let work = order(0, &script);
    let follow = capsules.run_step(&work, 0, &sender, deadline);
    let watch = async {
        let piece = receiver.recv().await;
        fs::write(machine.path("go"), "").expect("written");
        (piece, receiver.recv().await)
    };
    let (ended, (first, second)) = tokio::join!(follow, watch);
    assert_eq!(ended.expect("an end").end, End::Exit(0));
    assert!(format!("{first:?}").contains("at_offset: 0"), "{first:?}");
    assert!(format!("{second:?}").contains("at_offset: 6"), "{second:?}");
}

async fn the_environment_arrives_unread_by_any_shell(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let values = [
        "plain",
        "",
        " two  words ",
        "$(touch pwned) `id` ${HOME} $PATH",
        "'single' \"double\" \\ \\n \\\\ %s %b",
        "line one\nline two\n\n",
        "end",
        "a=b=c; rm -rf *",
        "Grüße, Привет, 🦀",
        "tab\tcr\rbell\u{7}",
    ];
    let mut work = order(0, "i=0; while [ $i -lt 10 ]; do eval \"printf '%s|' \\\"\\$VAR_$i\\\"\"; i=$((i+1)); done");
    work.environment = values.iter().enumerate().map(|(i, value)| (format!("VAR_{i}"), (*value).to_owned())).collect();
    let heard = run(&capsules, &work).await;
    assert_eq!(heard.text(), values.map(|value| format!("{value}|")).concat());

    let heard =
        run(&capsules, &order(1, "echo $DEBIAN_FRONTEND $NEEDRESTART_MODE $LC_ALL; pwd; umask; tty; cat")).await;
    let umask =
        String::from_utf8_lossy(&std::process::Command::new("sh").args(["-c", "umask"]).output().expect("sh").stdout)
            .into_owned();
    assert_eq!(heard.text(), format!("noninteractive l C.UTF-8\n/\n{umask}not a tty\n"));

    for (name, value) in [("lower", "x"), ("A-B", "x"), ("", "x"), ("IFS", "x"), ("NUL", "a\0b")] {
        let mut work = order(2, "true");
        work.environment = vec![(name.to_owned(), value.to_owned())];
        assert!(matches!(run(&capsules, &work).await.ended, Err(Error::NotStarted { .. })), "{name}");
    }
}

async fn secrets_are_neither_on_disk_nor_in_output(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let secret = "corr\"ect ho'rse\\battery";
    let script = format!(
        "printf 'it is corr\"'; sleep 0.3; printf '%s' \"${{SECRET_KEY#corr\\\"}}\"; echo .; printf 'fact=%s!\\n' \
         \"$SECRET_KEY\" >\"$TURNUS_OUTPUT\"; : >{ready}; until [ \
         -e {go} ]; do sleep 0.1; done",
        ready = machine.word("ready"),
        go = machine.word("go"),
    );
    let mut work = order(0, &script);
    work.environment = vec![("SECRET_KEY".to_owned(), secret.to_owned())];
    work.secrets = vec![secret.to_owned()];
    let following = spawn_run(&capsules, &work);
    until("the step", || machine.path("ready").exists()).await;
    let arguments = processes(|_, command| command.contains(secret));
    // `output` and `log` hold it because this script writes it there, and only there.
    let holders = files_with(&machine.run_directory(), secret.as_bytes());
    fs::write(machine.path("go"), "").expect("written");
    let heard = following.await.expect("followed");
    assert_eq!(arguments, Vec::<i32>::new(), "in an argument list");
    assert_eq!(holders, ["log", "output"]);
    assert_eq!(heard.text(), format!("it is {}.\n", "*".repeat(secret.len())));
    assert_eq!(heard.ended.expect("an end").facts["fact"], format!("{}!", "*".repeat(secret.len())));
}

/// Names of the files that hold the bytes, sorted.
fn files_with(directory: &Path, wanted: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            found.extend(files_with(&entry.path(), wanted));
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).expect("read");
            if bytes.windows(wanted.len()).any(|window| window == wanted) {
                found.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

async fn twenty_launches_start_once(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let work = order(0, &format!("echo started >>{}; sleep 0.5; echo done; exit 9", machine.word("starts")));
    let all: Vec<_> = (0..20).map(|_| spawn_run(&capsules, &work)).collect();
    let mut attached = 0;
    for following in all {
        let heard = following.await.expect("followed");
        assert_eq!((heard.end(), heard.text().as_str()), (End::Exit(9), "done\n"));
        attached += heard.attached;
    }
    assert_eq!(attached, 19);
    assert_eq!(machine.lines("starts"), ["started"]);
    // What the losers had prepared is gone.
    let steps = fs::read_dir(machine.run_directory()).expect("there").flatten();
    assert_eq!(steps.filter(|entry| entry.file_name().to_string_lossy().starts_with("web1.0.")).count(), 1);
}

async fn a_take_over_fences_and_attaches(shell: &str) {
    let machine = Machine::local(shell);
    let old = machine.prepare().await;
    let script =
        format!("echo started >>{0}; until [ -e {1} ]; do sleep 0.1; done", machine.word("starts"), machine.word("go"));
    let work = order(0, &script);
    let following = spawn_run(&old, &work);
    until("the start", || machine.lines("starts").len() == 1).await;

    let new = machine.take(2, Record::MustExist).await.expect("taken over");
    assert_eq!((old.started(), new.started()), ([].as_slice(), [work.key.clone()].as_slice()));
    let refused = run(&old, &order(1, &script)).await.ended;
    assert!(matches!(refused, Err(Error::Fenced { epoch: 1, newer: 2, .. })), "{refused:?}");
    assert!(matches!(machine.take(1, Record::MayBegin).await, Err(Error::Fenced { newer: 2, .. })));
    let again = spawn_run(&new, &work);
    fs::write(machine.path("go"), "").expect("written");
    let heard = again.await.expect("followed");
    assert_eq!((heard.end(), heard.attached), (End::Exit(0), 1));
    // Who followed already sees the end as well.
    assert_eq!(following.await.expect("followed").end(), End::Exit(0));
    assert_eq!(machine.lines("starts"), ["started"]);
}

async fn racing_controllers_start_once(shell: &str) {
    for _ in 0..5 {
        let machine = Machine::local(shell);
        let work = order(0, &format!("echo started >>{}", machine.word("starts")));
        let contend = |epoch: i64| {
            let (remote, run_id, work) = (machine.remote.clone(), machine.run, work.clone());
            tokio::spawn(async move {
                use turnus::domain::id::Epoch;
                use turnus::edge::remote::capsule::Capsules;
                let (capsules, _) = Capsules::prepare(remote, run_id, Epoch(epoch), Record::MayBegin).await?;
                run(&capsules, &work).await.ended
            })
        };
        // Three controllers, and each looks after two hosts that share this file system.
        let all: Vec<_> = [1, 2, 3, 1, 2, 3].map(contend).into_iter().collect();
        let mut seen_by_newest = 0;
        for (position, contender) in all.into_iter().enumerate() {
            match contender.await.expect("no panic") {
                Ok(ended) => {
                    assert_eq!(ended.end, End::Exit(0));
                    seen_by_newest += usize::from(position % 3 == 2);
                }
                Err(Error::Fenced { .. } | Error::Vanished { .. }) => {
                    assert_ne!(position % 3, 2, "the newest is never fenced")
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!((machine.lines("starts").len(), seen_by_newest), (1, 2));
        let epochs = fs::read_dir(machine.run_directory()).expect("there").flatten();
        let epochs: Vec<_> =
            epochs.map(|entry| entry.file_name()).filter(|name| name.to_string_lossy().starts_with('e')).collect();
        assert_eq!(epochs, ["e3"]);
    }
}

async fn nothing_starts_without_a_record(shell: &str) {
    let machine = Machine::local(shell);
    assert!(matches!(machine.take(2, Record::MustExist).await, Err(Error::Vanished { .. })));
    assert!(!machine.path("state").exists(), "looking leaves no trace");
    let capsules = machine.prepare().await;
    fs::remove_dir_all(machine.path("state")).expect("removed");
    let work = order(0, &format!("echo started >>{}", machine.word("starts")));
    assert!(matches!(run(&capsules, &work).await.ended, Err(Error::Vanished { .. })));
    assert!(matches!(machine.take(2, Record::MustExist).await, Err(Error::Vanished { .. })));
    assert_eq!(machine.lines("starts").len(), 0);
}

async fn ten_times_too_much_output_keeps_its_first_and_last_part(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let size: u64 = if shell == "dash" { 256 << 20 } else { 64 << 20 };
    let script = format!("echo begin; head -c {size} /dev/zero; echo; echo the end; exit 3");
    let following = spawn_run(&capsules, &order(0, &script));
    let mut largest = 0;
    while !following.is_finished() {
        largest = largest.max(disk_use(&machine.path("state")));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let heard = following.await.expect("followed");
    let ended = heard.ended.as_ref().expect("an end");
    let total = size + 6 + 1 + 8;
    assert_eq!((ended.end, ended.output_bytes), (End::Exit(3), total));
    assert_eq!(ended.omitted_bytes, total - 2 * 512 * 1024);
    assert!(heard.output.starts_with(b"begin\n\0\0") && heard.output.ends_with(b"\0\nthe end\n"));
    assert!(largest < 12 << 20, "{largest} bytes on disk");
    assert!(disk_use(&machine.path("state")) < 2 << 20, "and little stays");
}

fn disk_use(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_use(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

async fn short_lines_beyond_the_limit_keep_the_end(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let mut work = order(0, "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done");
    (work.head_bytes, work.tail_bytes) = (1000, 500);
    let heard = run(&capsules, &work).await;
    let whole: String = (0..3000).map(|number| format!("line {number}\n")).collect();
    let ended = heard.ended.as_ref().expect("an end");
    assert_eq!((ended.output_bytes, ended.omitted_bytes), (whole.len() as u64, whole.len() as u64 - 1500));
    assert_eq!(heard.output[..1000], whole.as_bytes()[..1000]);
    assert_eq!(heard.output[heard.output.len() - 500..], whole.as_bytes()[whole.len() - 500..]);
    assert_eq!(heard.output.len(), whole.len(), "the tail stands where it stood");
}

/// A read gives what one write gave: what is kept is counted in bytes all the same.
async fn many_short_writes_fill_the_last_part(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let mut work = order(0, "i=0; while [ $i -lt 9000 ]; do echo $((i % 10)); i=$((i+1)); done");
    (work.head_bytes, work.tail_bytes) = (10, 16_000);
    let ended = run(&capsules, &work).await.ended.expect("an end");
    assert_eq!((ended.output_bytes, ended.omitted_bytes), (18_000, 18_000 - 16_010));
}

async fn a_daemon_that_holds_the_output_is_not_waited_for_and_lives(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let script = format!(
        "(until [ -e {go} ]; do sleep 0.1; done; i=0; while [ $i -lt 2000 ]; do echo still here $i; i=$((i+1)); done; echo \
         survived >{alive}) & echo started; exit 4",
        go = machine.word("go"),
        alive = machine.word("alive"),
    );
    let heard = run(&capsules, &order(0, &script)).await;
    assert_eq!((heard.end(), heard.text().as_str()), (End::Exit(4), "started\n"));
    fs::write(machine.path("go"), "").expect("written");
    until("the daemon to write all it wants", || machine.lines("alive") == ["survived"]).await;
}

async fn a_time_limit_ends_the_whole_group(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let script = format!(
        "echo $$ >{0}; sleep 300 & echo $! >>{0}; (sleep 300; true) & echo $! >>{0}; wait",
        machine.word("pids")
    );
    let mut work = order(0, &script);
    work.timeout_s = 1;
    let heard = run(&capsules, &work).await;
    assert_eq!(heard.end(), End::TimedOut);
    assert_eq!(heard.overdue, 0);
    let pids = machine.lines("pids");
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().all(|pid| !is_alive(pid.parse().expect("a pid"))), "{pids:?}");
}

async fn a_script_that_ignores_the_end_is_killed(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let mut work = order(0, "trap 'echo no' TERM; while :; do sleep 0.2; done");
    work.timeout_s = 1;
    let heard = run(&capsules, &work).await;
    assert_eq!(heard.end(), End::TimedOut);
    assert!(heard.text().contains("no"), "it was asked first");
}

async fn a_package_manager_is_never_signalled(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let program = machine.path("apt-get");
    let text = format!(
        "#!/bin/sh\ntrap 'echo signalled' TERM INT HUP\nuntil [ -e {} ]; do /bin/sleep 0.1; done\necho installed\n",
        machine.word("go")
    );
    fs::write(&program, text).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
    // In a session of its own, as under a sudo with a pty: found through its parents.
    let mut work = order(0, &format!("(setsid {}); exit 6", machine.word("apt-get")));
    work.timeout_s = 1;
    let following = spawn_run(&capsules, &work);
    let overdue = || {
        fs::read_dir(machine.run_directory())
            .expect("there")
            .flatten()
            .any(|entry| entry.path().join("overdue").exists())
    };
    until("the step to be overdue", overdue).await;
    // The supervisor looks at it in every third second, and counts seconds by a `sleep 1` each.
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let pauses = || {
        let there =
            |pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(machine.run_directory()));
        seen.borrow_mut().extend(processes(|pid, command| command.ends_with("sleep 1 ") && there(pid)));
        seen.borrow().len() >= 8
    };
    until("two more looks at the step", pauses).await;
    fs::write(machine.path("go"), "").expect("written");
    let heard = following.await.expect("followed");
    assert_eq!((heard.end(), heard.text().as_str(), heard.overdue), (End::Exit(6), "installed\n", 1));
}

async fn facts_are_read_and_bounded(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let script = "echo path=/var/backups/x=y >>\"$TURNUS_OUTPUT\"; echo ' bytes = 12 ' >>\"$TURNUS_OUTPUT\"; echo nonsense \
                  >>\"$TURNUS_OUTPUT\"; head -c 1000000 /dev/zero | tr '\\0' x >>\"$TURNUS_OUTPUT\"";
    let ended = run(&capsules, &order(0, script)).await.ended.expect("an end");
    let facts: Vec<_> = ended.facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(facts, [("bytes", "12"), ("path", "/var/backups/x=y")]);
}

async fn a_killed_launcher_is_replaced(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let script = format!(
        "echo started >>{}; echo one; until [ -e {} ]; do sleep 0.1; done; echo two",
        machine.word("starts"),
        machine.word("go")
    );
    let following = spawn_run(&capsules, &order(0, &script));
    until("the start", || machine.lines("starts").len() == 1).await;
    let capsule = machine.run_directory().join("capsule").display().to_string();
    let followers = || processes(|_, command| command.contains(&format!("{capsule} run ")));
    until("the launcher", || followers().len() == 1).await;
    followers().into_iter().for_each(kill);
    fs::write(machine.path("go"), "").expect("written");
    let heard = following.await.expect("followed");
    assert_eq!((heard.end(), heard.text().as_str(), heard.attached), (End::Exit(0), "one\ntwo\n", 1));
    assert_eq!(machine.lines("starts"), ["started"]);
}

/// Processes of the supervisor: itself, its capper and its clock.
fn supervisors(machine: &Machine) -> Vec<i32> {
    let capsule = machine.run_directory().join("capsule").display().to_string();
    processes(|_, command| command.contains(&format!("{capsule} supervise ")))
}

async fn a_killed_supervisor_loses_nothing(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let script = format!(
        "sleep 300 & echo $! >{}; until [ -e {} ]; do sleep 0.1; done; exit 5",
        machine.word("pid"),
        machine.word("go")
    );
    let following = spawn_run(&capsules, &order(0, &script));
    until("the start", || machine.lines("pid").len() == 1).await;
    // The first of them is the session's leader; the others are its children.
    let leader =
        |pid: &i32| nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(*pid))).is_ok_and(|sid| sid.as_raw() == *pid);
    supervisors(&machine).into_iter().filter(leader).for_each(kill);
    fs::write(machine.path("go"), "").expect("written");
    // What the script left behind is not waited for.
    assert_eq!(following.await.expect("followed").end(), End::Exit(5));
    machine.lines("pid").iter().for_each(|pid| kill(pid.parse().expect("a pid")));
    supervisors(&machine).into_iter().for_each(kill);
    processes_of(machine.directory.path()).into_iter().for_each(kill);
}

async fn killed_altogether_is_lost(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let following = spawn_run(&capsules, &order(0, &format!("echo before; : >{}; sleep 300", machine.word("up"))));
    until("the start", || machine.path("up").exists()).await;
    supervisors(&machine).into_iter().for_each(kill);
    let sleeper = fs::read_dir(machine.run_directory()).expect("there").flatten();
    let pid = sleeper.filter_map(|entry| fs::read_to_string(entry.path().join("pid")).ok()).next().expect("a pid");
    let session: i32 = pid.trim().parse().expect("a pid");
    let in_session =
        |pid: i32| nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid))).is_ok_and(|sid| sid.as_raw() == session);
    processes(|pid, _| in_session(pid)).into_iter().for_each(kill);
    processes_of(&machine.run_directory()).into_iter().filter(|pid| !is_follower(*pid)).for_each(kill);
    let heard = following.await.expect("followed");
    assert_eq!((heard.end(), heard.text().as_str()), (End::Lost, "before\n"));
}

fn is_follower(pid: i32) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    command.contains("capsule run ") || command.contains("capsule follow ")
}

async fn a_reboot_in_mid_step_is_told(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    run(&capsules, &order(0, "echo before; exit 1")).await;
    // As a machine looks that went down before the end: another boot id, no exit status.
    let step = fs::read_dir(machine.run_directory())
        .expect("there")
        .flatten()
        .find(|e| e.file_name().to_string_lossy().starts_with("web1.0."));
    let step = step.expect("the step").path();
    fs::write(step.join("boot"), "another\n").expect("written");
    fs::remove_file(step.join("rc")).expect("removed");
    fs::write(step.join("code"), format!("{:64}\n", "")).expect("written");
    let heard = run(&capsules, &order(0, "echo again")).await;
    assert_eq!((heard.end(), heard.text().as_str()), (End::Rebooted, "before\n"));
}

async fn cleaning_keeps_the_memory_of_starts(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let script = format!("echo started >>{}", machine.word("starts"));
    run(&capsules, &order(0, &script)).await;
    run(&capsules, &order(12, &script)).await;
    let mut other = order(0, "true");
    other.key = StepKey::new(&"web10".parse().expect("a name"), 0);
    run(&capsules, &other).await;
    capsules.clean(&host()).await.expect("cleaned");
    let names = || {
        let entries = fs::read_dir(machine.run_directory()).expect("there").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert!(!names().iter().any(|name| name.starts_with("web1.")), "{:?}", names());
    assert!(names().iter().any(|name| name.starts_with("web10.0.")), "{:?}", names());
    assert_eq!(run(&capsules, &order(0, &script)).await.end(), End::Lost);
    assert_eq!(machine.lines("starts").len(), 2, "and not started again");
}

async fn a_script_that_did_not_arrive_is_not_started(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let work = order(0, &format!("echo started >>{}\n", machine.word("starts")));
    for stdin in ["", "A=b", "A=b\n\n", "A=b\n\necho started >>", "A=b\n\nend other\n"] {
        let stdin = format!("{stdin}{}", if stdin.is_empty() { "" } else { "x" }).into_bytes();
        let answer = ask(&machine, "run", &["1", "web1.0", "60", "1000", "1000", "0", "plain"], stdin).await;
        assert!(answer.contains("refused the script did not arrive"), "{answer}");
    }
    assert_eq!(run(&capsules, &work).await.attached, 0);
    assert_eq!(machine.lines("starts").len(), 1);
}

/// One exchange with the capsule, by hand.
async fn ask(machine: &Machine, verb: &str, arguments: &[&str], stdin: Vec<u8>) -> String {
    let capsule = machine.run_directory().join("capsule").display().to_string();
    let mut argv = vec!["sh".to_owned(), capsule, verb.to_owned(), "n1".to_owned()];
    argv.extend(arguments.iter().map(|&argument| argument.to_owned()));
    let mut running = machine.remote.exec(Command { argv, stdin }).await.expect("running");
    let mut answer = String::new();
    running.stdout.read_to_string(&mut answer).await.expect("read");
    answer
}

async fn a_follower_that_does_not_read_holds_up_nobody(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let script = format!(
        ": >{}; until [ -e {} ]; do sleep 0.1; done; head -c 500000 /dev/zero; echo done",
        machine.word("up"),
        machine.word("go")
    );
    let following = spawn_run(&capsules, &order(0, &script));
    until("the start", || machine.path("up").exists()).await;
    let capsule = machine.run_directory().join("capsule").display().to_string();
    let argv = ["sh", &capsule, "follow", "n1", "1", "web1.0", "0"].map(str::to_owned).to_vec();
    let stuck = machine.remote.exec(Command { argv, stdin: Vec::new() }).await.expect("running");
    until("the second follower", || processes(|_, command| command.contains(&format!("{capsule} follow"))).len() == 1)
        .await;
    fs::write(machine.path("go"), "").expect("written");
    let heard = following.await.expect("followed");
    assert_eq!((heard.end(), heard.output.len()), (End::Exit(0), 500_005));
    drop(stuck);
}

async fn systemd_run_starts_once_even_if_it_fails(shell: &str) {
    let machine = Machine::local(shell);
    machine.prepare().await;
    let program = machine.path("bin/systemd-run");
    let script = format!("echo started >>{}", machine.word("starts"));
    let run_it = "while [ \"${1#--}\" != \"$1\" ]; do shift; done; \"$@\"";
    // It works; there is no manager to ask; it fails after it has started the command; whoever waits for it is gone by then.
    let texts = [
        run_it.to_owned(),
        "exit 1".to_owned(),
        format!("{run_it}; exit 1"),
        format!("{{ sleep 0.3; {run_it}; }} | :"),
    ];
    for (step, text) in texts.into_iter().enumerate() {
        // Busybox links every applet's name.
        let _ = fs::remove_file(&program);
        fs::write(&program, format!("#!/bin/sh\n{text}\n")).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
        let key = format!("web1.{step}");
        let stdin = format!("A=b\n\n{script}\nend n1\n").into_bytes();
        let answer = ask(&machine, "run", &["1", &key, "60", "1000", "1000", "0", "scope"], stdin).await;
        assert!(answer.ends_with("rc 0 no\nend\n"), "{answer}");
        assert_eq!(machine.lines("starts").len(), step + 1, "{text}");
    }
    wait_for("the launchers to end", || processes_of(machine.directory.path()).is_empty());
    assert_eq!(machine.lines("starts").len(), 4);
}

async fn output_comes_out_of_a_scope_while_the_step_runs(shell: &str) {
    let machine = Machine::local(shell);
    machine.prepare().await;
    let program = machine.path("bin/systemd-run");
    let _ = fs::remove_file(&program);
    let run_it = "while [ \"${1#--}\" != \"$1\" ]; do shift; done; exec \"$@\"";
    fs::write(&program, format!("#!/bin/sh\n{run_it}\n")).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
    // The step waits for a file that is made only when its first line was seen.
    let stdin =
        format!("A=b\n\necho first; until [ -e {} ]; do sleep 0.1; done\nend n1\n", machine.word("go")).into_bytes();
    let capsule = machine.run_directory().join("capsule").display().to_string();
    let argv = ["sh", &capsule, "run", "n1", "1", "web1.0", "60", "1000", "1000", "0", "scope"].map(str::to_owned);
    let mut running = machine.remote.exec(Command { argv: argv.to_vec(), stdin }).await.expect("running");
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("first\n") {
        let read = tokio::time::timeout(Duration::from_secs(30), running.stdout.read_buf(&mut answer)).await;
        assert_ne!(read.expect("in time").expect("read"), 0, "{}", String::from_utf8_lossy(&answer));
    }
    fs::write(machine.path("go"), "").expect("written");
    running.stdout.read_to_end(&mut answer).await.expect("read");
    assert!(answer.ends_with(b"rc 0 no\nend\n"), "{}", String::from_utf8_lossy(&answer));
}

/// Who may give a process a name could otherwise have root kill any other.
async fn the_name_of_a_process_is_no_witness(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let mut victim = std::process::Command::new("/bin/sleep").arg("300").spawn().expect("started");
    let mut forgers = Vec::new();
    for lie in [format!("\n{}\n", victim.id()), format!("\n{} () S 1\n", victim.id())] {
        let forger = "printf '%s' \"$1\" >/proc/$$/comm; read -r _";
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", forger, "sh", &lie]).stdin(std::process::Stdio::piped());
        forgers.push(command.spawn().expect("started"));
    }
    let is_named = |forger: &std::process::Child| {
        fs::read_to_string(format!("/proc/{}/comm", forger.id())).is_ok_and(|name| name.starts_with('\n'))
    };
    wait_for("the names", || forgers.iter().all(is_named));
    let mut work = order(0, "sleep 300");
    work.timeout_s = 1;
    assert_eq!(run(&capsules, &work).await.end(), End::TimedOut);
    assert!(matches!(victim.try_wait(), Ok(None)), "it lives");
    for mut process in forgers.into_iter().chain([victim]) {
        process.kill().expect("killed");
        process.wait().expect("waited for");
    }
}

async fn reattaching_goes_on_at_the_offset(shell: &str) {
    let machine = Machine::local(shell);
    let capsules = machine.prepare().await;
    let work = order(0, "echo 0123456789; exit 2");
    run(&capsules, &work).await;
    let heard = run_from(&capsules, &work, 4).await;
    assert_eq!((heard.end(), heard.text().as_str()), (End::Exit(2), "\x00\x00\x00\x00456789\n"));
    let heard = run_from(&capsules, &work, 11).await;
    assert_eq!((heard.end(), heard.text().as_str()), (End::Exit(2), ""));
}

/// A step that fills the disk still gives back its exit status, and one that finds it full is not started.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_does_not_hide_the_end() {
    let (end, next) = fill_the_disk(512 * 1024).await;
    assert_eq!(end, End::Exit(7));
    assert!(matches!(next, Err(Error::NotStarted { .. })), "{next:?}");
}

/// Nor when there is no room left for the last part of its output.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_does_not_hide_the_end_of_an_output_that_is_cut() {
    assert_eq!(fill_the_disk(100).await.0, End::Exit(7));
}

/// The end of a step that leaves no room, and what comes of the next.
async fn fill_the_disk(head_bytes: u64) -> (End, Result<Ended, Error>) {
    let directory = tempfile::tempdir().expect("a directory");
    let state = directory.path().join("state");
    fs::create_dir(&state).expect("made");
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "turnus"]).arg(&state).status();
    assert!(mounted.is_ok_and(|status| status.success()), "this test needs the right to mount");
    let machine = Machine::local_with(directory, "/usr/bin:/bin".into());
    let capsules = machine.prepare().await;
    let script = format!("head -c 400000 /dev/zero; head -c 400000 /dev/zero >{}; exit 7", machine.word("state/fill"));
    let mut work = order(0, &script);
    work.head_bytes = head_bytes;
    let heard = run(&capsules, &work).await;
    let next = run(&capsules, &order(1, "true")).await.ended;
    let unmounted = std::process::Command::new("umount").arg("-l").arg(machine.path("state")).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    (heard.end(), next)
}
