//! The probe `command`: real programs of this machine.

use std::time::Duration;

use turnus::domain::probe::{Check, CommandCheck};

use super::{ask, assert_green, assert_red};

fn command(argv: &[&str], status: u8, contains: Option<&str>) -> Check {
    let argv = argv.iter().map(|&word| word.to_owned()).collect();
    Check::Command(CommandCheck { argv, status, contains: contains.map(str::to_owned) })
}

#[tokio::test]
async fn status_and_output_must_be_as_asked() {
    let printed = command(&["printf", "%s", "$ADDRESS is up"], 0, Some("192.0.2.7 is up"));
    assert_green(&ask(printed, "192.0.2.7").await, "command `printf`: status 0, contains `192.0.2.7 is up`");
    assert_green(&ask(command(&["false"], 1, None), "h").await, "status 1");
    assert_red(&ask(command(&["echo", "down"], 0, Some("up")), "h").await, "expected text `up`, found `down`");
    let failing = command(&["sh", "-c", "echo so what; echo no database >&2; exit 3"], 0, None);
    assert_red(&ask(failing, "h").await, "expected status 0, found 3, said `no database`");
    assert_red(&ask(command(&["sh", "-c", "kill -9 $ADDRESS"], 0, None), "$$").await, "signal: 9");
    assert_red(&ask(command(&["/nowhere/check"], 0, None), "h").await, "No such file");
}

#[tokio::test]
async fn no_shell_reads_the_words_and_the_environment_is_clean() {
    let quoted = command(&["printf", "%s", "$ADDRESS"], 0, Some("h; echo `id`"));
    assert_green(&ask(quoted, "h; echo `id`").await, "status 0");
    // What the test runner set for this process.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert_red(&ask(command(&["env"], 0, Some("CARGO")), "h").await, "expected text `CARGO`");
    assert_green(&ask(command(&["env"], 0, Some("HOME=/")), "h").await, "status 0");
}

#[tokio::test]
async fn long_output_is_read_to_its_end_and_looked_at_for_64_kib() {
    let print = |bytes: u32| format!("head -c {bytes} /dev/zero; echo end");
    assert_green(&ask(command(&["sh", "-c", &print(65_530)], 0, Some("end")), "h").await, "contains `end`");
    assert_red(&ask(command(&["sh", "-c", &print(65_536)], 0, Some("end")), "h").await, "expected text `end`");
    assert_green(&ask(command(&["sh", "-c", &print(10_000_000)], 0, None), "h").await, "status 0");
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let script = directory.path().join("hang");
    std::fs::write(&script, "sleep 600 & echo $! >$1; wait\n").unwrap();
    let hanging = command(&["sh", script.to_str().unwrap(), file.to_str().unwrap()], 0, None);
    assert_red(&ask(hanging, "h").await, "no answer within 3 s");
    let pid = std::fs::read_to_string(&file).unwrap();
    let is_there = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
        !status.is_empty() && !status.contains("State:\tZ")
    };
    for _ in 0..100 {
        if !is_there() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("`sleep` {pid} is still there");
}
