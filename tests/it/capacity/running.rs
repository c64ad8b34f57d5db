//! Runs measure what is watched before anything is touched, and reports and `turnus capacity` tell of it.

use serde_json::Value;

use crate::kit::provider::Provider;
use crate::kit::world::{JOB, text};

/// A path that is not there, with what shells would read otherwise.
const NOWHERE: &str = "/nowhere/it's  $HOME";

/// A host on which the test's own directory is watched, and a path that is not there.
fn provider() -> Provider {
    let provider = Provider::new(2);
    let directory = provider.world.path("").display().to_string();
    let watched = format!(
        "name = \"h1\"\ncapacity = [{{ path = \"{directory}\", warn = \"1s\" }}, {{ path = \"{NOWHERE}\", warn = \"14d\" }}]\n"
    );
    let inventory = provider.inventory().replace("name = \"h1\"\naddress", &format!("{watched}address"));
    provider.world.write("configuration/inventories/nordwind.toml", &inventory);
    provider.apply();
    provider
}

fn json(provider: &Provider, arguments: &[&str]) -> Value {
    let output = provider.world.run(arguments);
    assert!(output.status.success(), "{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_run_measures_before_anything_is_touched_and_everybody_is_told() {
    let provider = provider();
    let world = &provider.world;
    world.close("save");
    let run = world.start_run("quarterly");
    world.wait_for_gate("save", "h1");
    let looks =
        "select string_agg(host || ' ' || run.number, ';') from capacity_look join run on run.id = capacity_look.run";
    assert_eq!(provider.ask(looks), "h1 1", "it is there while the run goes on; nothing is watched on h2");
    world.open("save");
    let (status, printed) = run.finish();
    assert_eq!(status, 0, "{printed}");

    let directory = world.path("").display().to_string();
    let directory = directory.trim_end_matches('/');
    let told = json(&provider, &["capacity", "nordwind", "--format", "json"]);
    let host = &told[0]["hosts"][0];
    assert_eq!((&told[0]["customer"], &host["host"]), (&"nordwind".into(), &"h1".into()), "{told}");
    assert_eq!(told[0]["hosts"].as_array().unwrap().len(), 1, "{told}");
    let path = &host["paths"][0];
    assert_eq!((&path["path"], &path["warn_s"]), (&Value::from(directory), &1.into()), "{told}");
    assert!(path["space"]["total"].as_u64() > path["space"]["free"].as_u64(), "{told}");
    assert_eq!(path["prospect"], serde_json::json!({ "outlook": "too_few", "measurements": 1, "needed": 4 }));
    // `content` and the end of its line.
    assert_eq!(path["last_backup"]["bytes"], 8, "{told}");
    assert!(path["last_backup"]["more"].as_u64().unwrap() > 1000, "{told}");
    assert_eq!(host["unmeasured"][0]["path"], NOWHERE, "{told}");

    let table = text(&world.run(&["capacity", "nordwind", "--host", "h1"]));
    assert!(table.contains("1 of 4 measurements") && table.contains("8 B: room for"), "{table}");
    let missing = table.lines().find(|line| line.starts_with(&format!("h1: {NOWHERE}: df: "))).unwrap_or_default();
    assert!(missing.contains("No such file"), "{table}");
    let unmeasured = text(&world.run(&["capacity", "nordwind", "--host", "h2"]));
    assert!(unmeasured.contains("h2: never measured"), "{unmeasured}");

    world.job("quarterly", &JOB.replace("echo content >", "echo more content >"));
    let (status, printed) = world.start_run("quarterly").finish();
    assert_eq!(status, 0, "{printed}");
    let told = json(&provider, &["capacity", "nordwind", "--format", "json"]);
    let path = &told[0]["hosts"][0]["paths"][0];
    assert_eq!(path["last_backup"]["bytes"], 13, "{told}");
    assert_eq!(path["history"].as_array().unwrap().len(), 2, "{told}");

    let report = world.report(1);
    assert_eq!(report["capacity"][0]["paths"][0]["last_backup"]["bytes"], 8, "as it was at its end: {report}");
    assert_eq!(
        report["capacity"][0]["paths"].as_array().unwrap().len(),
        1,
        "what is not watched is the team's: {report}"
    );
    let told = text(&world.run(&["report", "1", "--locale", "de"]));
    assert!(told.contains("Letzte Sicherung") && told.contains("noch nicht abzusehen: 1 Messung von 4"), "{told}");
}

#[test]
fn what_can_t_be_measured_is_no_trouble_of_the_run_s() {
    let provider = provider();
    let world = &provider.world;
    // Whoever asks gets an answer that is none.
    world.write("programs/df", "#!/bin/sh\necho 'df: table of file systems is broken' >&2\nexit 1\n");
    let df = world.path("programs/df");
    std::fs::set_permissions(df, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (status, printed) = world.start_run("quarterly").finish();
    assert_eq!(status, 0, "{printed}");
    let told = text(&world.run(&["capacity", "nordwind"]));
    assert!(told.contains("df: table of file systems is broken"), "{told}");
    let report = world.report(1);
    assert_eq!(report["capacity"][0]["paths"], serde_json::json!([]), "{report}");
    assert_eq!(report["capacity"][0]["unmeasured"].as_array().unwrap().len(), 2, "{report}");
}
