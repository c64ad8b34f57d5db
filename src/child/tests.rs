//! Programs that leave others behind, and programs that are given up.

#![expect(clippy::disallowed_methods, reason = "starts the programs that it is about")]

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;

use super::Family;

/// A shell with its output in pipes.
fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A process that was killed has no command line any more, even before somebody asks how it ended.
fn is_at_work(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty())
}

#[tokio::test]
async fn what_a_program_leaves_behind_holds_up_nobody_and_goes_on() {
    let script = "sleep 300 & echo $!; echo done >&2; exit 3";
    let output = Family::start(&mut shell(script)).expect("started").output().await.expect("an end");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(3), b"done\n".as_slice()));
    let left: i32 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a pid");
    assert!(is_at_work(left), "it has taken the pipes along");
    kill(Pid::from_raw(left), Signal::SIGKILL).expect("ended");
}

#[tokio::test]
async fn a_program_that_is_given_up_is_killed_with_all_that_it_started() {
    let place = tempfile::tempdir().expect("a directory");
    let told = place.path().join("pid");
    let script = format!("sleep 300 & echo $! >{0}.new; mv {0}.new {0}; wait", told.display());
    let family = Family::start(&mut shell(&script)).expect("started");
    let begun = async {
        while !told.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        output = family.output() => panic!("{output:?}"),
        () = begun => {}
    }
    let started: i32 = std::fs::read_to_string(&told).expect("told").trim().parse().expect("a pid");
    for _ in 0..100 {
        if !is_at_work(started) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let _ = kill(Pid::from_raw(started), Signal::SIGKILL);
    panic!("it is still at work");
}
