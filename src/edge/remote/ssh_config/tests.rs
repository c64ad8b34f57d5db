//! What ssh itself makes of the file (`ssh -G`), and values that must not reach it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Environment, Purpose, SshSettings, render};
use crate::domain::inventory::{Connection, Transport};

fn connection(address: &str) -> Connection {
    Connection::to(address.to_owned())
}

fn settings(user_config: &Path) -> SshSettings {
    SshSettings {
        user_config: user_config.to_path_buf(),
        known_hosts: PathBuf::from("/var/lib/my turnus/known_hosts"),
        connect_timeout_s: 11,
        keep_alive_s: 7,
        sessions_per_host: 8,
        connect_parallel: 8,
        transport: Transport::Auto,
        environment: Environment::default(),
        passphrase: None,
    }
}

/// What ssh would use for `name`, as `keyword value` lines.
fn as_ssh_reads_it(connection: &Connection, user_config: &str, name: &str) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let user = directory.path().join("my config");
    std::fs::write(&user, user_config).expect("written");
    let file = directory.path().join("generated");
    let text = render(connection, &settings(&user), Purpose::Connect).expect("good values");
    std::fs::write(&file, &text).expect("written");
    let output = Command::new("ssh").arg("-F").arg(&file).args(["-G", name]).output().expect("ssh");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn assert_has(lines: &[String], expected: &[&str]) {
    for line in expected {
        assert!(lines.iter().any(|found| found == line), "no `{line}` in {lines:#?}");
    }
}

#[test]
fn the_inventory_comes_first_and_the_user_fills_in_the_rest() {
    let mut host = connection("web.example");
    host.port = Some(2222);
    host.identity_file = Some("/keys/my \"key\" 100%".to_owned());
    let user = "Host *.example\n  User carol\n  Port 9\n  Ciphers aes256-ctr\n  StrictHostKeyChecking no\n";
    let lines = as_ssh_reads_it(&host, user, "web.example");
    assert_has(&lines, &["port 2222", "user carol", "ciphers aes256-ctr", "stricthostkeychecking true"]);
    assert_has(&lines, &["identityfile /keys/my \"key\" 100%%", "identitiesonly yes", "batchmode yes"]);
    assert_has(&lines, &["connecttimeout 11", "serveraliveinterval 7", "serveralivecountmax 3"]);
    assert!(lines.iter().any(|line| line.starts_with("userknownhostsfile") && line.contains("/var/lib/my turnus/")));
}

#[test]
fn hops_have_their_own_port_user_and_key() {
    let mut host = connection("10.0.0.5");
    let mut gate = connection("gate.example");
    (gate.port, gate.user) = (Some(2200), Some("jump".to_owned()));
    // The same address as the target, behind another port: it needs a name of its own, or it would jump over itself.
    let mut inner = connection("10.0.0.5");
    (inner.port, inner.identity_file) = (Some(2201), Some("/keys/inner".to_owned()));
    host.proxy_jump = vec![gate, inner];
    let lines = as_ssh_reads_it(&host, "", "10.0.0.5");
    assert_has(&lines, &["proxyjump jump@gate.example:2200,turnus-hop-1:2201"]);
    assert_has(&as_ssh_reads_it(&host, "", "gate.example"), &["port 2200", "user jump"]);
    let inner = as_ssh_reads_it(&host, "", "turnus-hop-1");
    assert_has(&inner, &["hostname 10.0.0.5", "port 2201", "identityfile /keys/inner"]);
    assert!(!inner.iter().any(|line| line.starts_with("proxyjump")));
}

#[test]
fn values_that_could_say_more_than_they_should_are_refused() {
    let refuses = |change: &dyn Fn(&mut Connection)| {
        let mut host = connection("web1");
        change(&mut host);
        assert!(render(&host, &settings(Path::new("/c")), Purpose::Connect).is_err(), "{host:?}");
    };
    for address in ["", "-oProxyCommand=x", "a b", "a\nUser root", "*", "a,b", "$(id)", "a\"", "a;b"] {
        refuses(&|host| host.address = address.to_owned());
        refuses(&|host| host.proxy_jump = vec![connection(address)]);
    }
    for user in ["", "-l", "a b", "a\n", "$(id)", "`id`", "a'b", "\u{1b}[2J"] {
        refuses(&|host| host.user = Some(user.to_owned()));
    }
    refuses(&|host| host.identity_file = Some("/key\nProxyCommand x".to_owned()));
    refuses(&|host| host.known_hosts = Some("/hosts\r".to_owned()));
}
