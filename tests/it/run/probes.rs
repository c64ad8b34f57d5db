//! Runs that ask the hosts' own probes, against a real HTTP server, before anything is done and after.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use crate::kit::world::{World, text};

/// Each phase leaves its mark; `install` breaks whatever `$VAR_BREAKS` names.
const JOB: &str = r#"
description = "Update with services that are looked at"
backup = "none"
backup_reason = "a test"

[[step]]
phase = "quiesce"
name  = "stop"
run   = '. "$VAR_KIT"; note'
undo  = '. "$VAR_KIT"; note start'

[[step]]
phase    = "update"
name     = "install"
run      = '. "$VAR_KIT"; note; : >"$VAR_DIRECTORY/broken-$VAR_BREAKS"'
rollback = '. "$VAR_KIT"; note downgrade; rm -f "$VAR_DIRECTORY/broken-$VAR_BREAKS"'

[[step]]
phase  = "smoke"
name   = "services"
probes = "all"
"#;

/// Answers `/NAME` with 200, or with 503 while there is a file `broken-NAME` in `directory`.
fn serve(directory: PathBuf) -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let name = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
            let status = if directory.join(format!("broken-{name}")).exists() { "503 Down" } else { "200 OK" };
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}

/// A host with the services `shop` and `archive`; a fault of the archive before is only noted.
fn world(breaks: &str) -> World {
    let world = World::new(1);
    let port = serve(world.path(""));
    let probe = |name: &str, more: &str| {
        format!(
            "[[host.probe]]\nname = \"{name}\"\n{more}\n\
             http = {{ url = \"http://$ADDRESS:{port}/{name}\", within = \"1s\" }}\n"
        )
    };
    let probes = probe("shop", "") + &probe("archive", "on_red_before = \"note\"");
    world.write_inventory(world.ssh_port, &probes);
    let inventory = world.path("configuration/inventories/nordwind.toml");
    let with_vars = std::fs::read_to_string(&inventory).unwrap();
    std::fs::write(
        &inventory,
        with_vars.replace("vars = { ", &format!("vars = {{ breaks = \"{breaks}\", ")).as_bytes(),
    )
    .unwrap();
    world.job("services", JOB);
    world
}

/// What the report says of a probe before and after: green or not; none if it was not asked.
fn columns(world: &World, name: &str) -> (Option<bool>, Option<bool>) {
    let report = world.report(1);
    let probes = report["hosts"][0]["probes"].as_array().cloned().unwrap_or_default();
    let probe = probes.iter().find(|probe| probe["name"] == name).unwrap_or_else(|| panic!("{report}"));
    (probe["before"]["met"].as_bool(), probe["after"]["met"].as_bool())
}

#[test]
fn what_is_green_before_and_after_is_told_in_both_columns() {
    let world = world("nothing");
    let (status, printed) = world.start_run("services").finish();
    assert_eq!(status, 0, "{printed}");
    assert_eq!(columns(&world, "shop"), (Some(true), Some(true)));
    let html = text(&world.run(&["report", "1", "--format", "html", "--locale", "de"]));
    assert!(html.contains("Dienste vorher und nachher") && html.contains("in Ordnung"), "{html}");
    let told = text(&world.run(&["report", "1", "--format", "text"]));
    assert!(told.contains("shop: before in order, after in order"), "{told}");
}

#[test]
fn a_host_that_is_out_of_order_before_is_left_alone() {
    let world = world("nothing");
    world.break_step("shop");
    let (status, printed) = world.start_run("services").finish();
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("`shop`: GET http://127.0.0.") && printed.contains("found 503"), "{printed}");
    assert_eq!(world.ledger(), Vec::<String>::new(), "nothing was stopped or changed");
    assert_eq!(world.outcome(1, "h1"), "skipped");
    assert_eq!(columns(&world, "shop"), (Some(false), None));
    let told = text(&world.run(&["report", "1", "--format", "text"]));
    assert!(told.contains("something on it was out of order before the maintenance"), "{told}");
}

#[test]
fn what_was_out_of_order_before_is_not_blamed_on_the_update() {
    let world = world("nothing");
    world.break_step("archive");
    let (status, printed) = world.start_run("services").finish();
    assert_eq!(status, 0, "{printed}");
    let report = world.report(1).to_string();
    assert!(report.contains("1 green, 1 red, of these 1 as before"), "{report}");
    assert_eq!(world.outcome(1, "h1"), "updated");
    assert_eq!(columns(&world, "archive"), (Some(false), Some(false)));
}

#[test]
fn what_the_update_breaks_is_taken_back() {
    let world = world("shop");
    let (status, printed) = world.start_run("services").finish();
    assert_eq!(status, 1, "{printed}");
    assert_eq!(world.ledger(), ["stop", "install", "downgrade", "start"].map(|step| format!("h1 {step}")));
    assert_eq!(world.outcome(1, "h1"), "failed_and_rolled_back");
    assert_eq!(columns(&world, "shop"), (Some(true), Some(false)));
    assert_eq!(columns(&world, "archive"), (Some(true), Some(true)));
}

#[test]
fn another_host_looks_and_the_units_of_the_host_are_compared() {
    let world = World::new(2);
    let port = serve(world.path(""));
    world.write_inventory(
        world.ssh_port,
        &format!(
            "[[host.probe]]\nname = \"shop\"\non = \"h2\"\nhttp = {{ url = \"http://127.0.0.1:{port}/shop\" }}\n\
             [[host.probe]]\nname = \"program\"\non = \"h2\"\n\
             command = {{ argv = [\"env\"], contains = \"SSH_CONNECTION=\" }}\n\
             [[host.probe]]\nname = \"closed\"\non = \"h2\"\nport_closed = {{ address = \"$ADDRESS:1\" }}\n\
             [[host.probe]]\nname = \"units\"\nunit = {{ no_new_failures = true, within = \"1s\" }}\n\
             [[host.probe]]\nname = \"login\"\nssh = {{}}\n"
        ),
    );
    // There is no systemd here: what it would print is in a file, which the update adds to.
    let failed = world.path("failed").display().to_string();
    world.write("programs/systemctl", &format!("#!/bin/sh\ncat {failed}\n"));
    let program = world.path("programs/systemctl");
    std::fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.write("failed", "cups.service loaded failed failed CUPS\n");
    world.job(
        "services",
        &JOB.replace(": >\"$VAR_DIRECTORY/broken-$VAR_BREAKS\"", &format!("echo web.service >>{failed}")),
    );
    let run = world.start(&["run", "nordwind", "services", "--host", "h1", "--yes", "--reason", "test"]);
    let (status, printed) = run.finish();
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("expected none that had not failed before, found web.service"), "{printed}");
    assert_eq!(world.outcome(1, "h1"), "failed_and_rolled_back");
    assert_eq!(columns(&world, "shop"), (Some(true), Some(true)));
    assert_eq!(columns(&world, "login"), (Some(true), Some(true)));
    assert_eq!(columns(&world, "program"), (Some(true), Some(true)), "the controller has no SSH_CONNECTION");
    assert_eq!(columns(&world, "closed"), (Some(true), Some(true)));
    assert_eq!(
        columns(&world, "units"),
        (Some(true), Some(false)),
        "what had failed before is not blamed on the update"
    );
}
