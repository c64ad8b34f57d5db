//! Whoever watches a run may stop watching: the run goes on, and nothing that it came to is lost.

use std::io::Read;
use std::process::Stdio;

use crate::kit::world::{World, text, wait_until};

#[test]
fn a_paused_reader_holds_up_nothing_and_misses_no_result() {
    let world = World::new(1);
    // Far more than a pipe takes.
    let script = r#". "$VAR_KIT"; head -c 3000000 /dev/zero | tr '\0' 'x'; note"#;
    let talk = format!("[[step]]\nphase = \"preflight\"\nname = \"talk\"\nrun = '''{script}'''\n");
    let after = "[[step]]\nphase = \"preflight\"\nname = \"after\"\nrun = '. \"$VAR_KIT\"; note'\n";
    world.job("talk", &format!("description = \"x\"\n{talk}{after}"));
    let arguments = ["run", "nordwind", "talk", "--host", "h1", "--yes", "--reason", "x", "--format", "json"];
    let mut run = world.turnus(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the run has ended, though nobody reads", || {
        let runs = text(&world.run(&["runs", "--format", "json"]));
        runs.contains("\"state\":\"succeeded\"")
    });
    assert_eq!(world.ledger(), ["h1 talk", "h1 after"]);
    let mut printed = String::new();
    run.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert!(run.wait().unwrap().success());
    let lines: Vec<serde_json::Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().filter_map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "step_finished").count(), 2);
    assert_eq!(kinds.last(), Some(&"run_finished"));
    assert_eq!(lines.last().unwrap()["run_number"], 1, "the report comes last");
}
