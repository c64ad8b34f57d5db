//! Probes that need a connection of a host, over a real sshd: `ssh`, `unit`, and those that look from another host.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turnus::domain::probe::template::Target;
use turnus::domain::probe::{
    Check, HttpCheck, ImapCheck, MailServer, Patience, Probe, Security, SshCheck, TcpCheck, UnitCheck,
};
use turnus::edge::probe::{Baseline, Finding, Scene, look};
use turnus::edge::remote::{Command, Remote};

use super::{assert_green, assert_red};
use crate::kit::sshd::{Controller, Sshd};

async fn ask(check: Check, scene: &Scene<'_>) -> Finding {
    ask_for(check, scene, 10).await
}

async fn ask_for(check: Check, scene: &Scene<'_>, timeout_s: u64) -> Finding {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let probe = Probe { check, patience: Patience { timeout_s, within_s: 0, interval_s: 1 } };
    look(&probe, scene).await
}

/// A connected host.
async fn connect(controller: &Controller, sshd: &Sshd) -> Remote {
    let connection = sshd.connection();
    controller.trust(&connection).await;
    let host = controller.remote(&connection);
    exec(&host).await;
    host
}

/// A command over the connection that is there.
async fn exec(host: &Remote) {
    let command = Command { argv: vec!["true".to_owned()], stdin: Vec::new() };
    host.exec(command).await.expect("a session").wait().await.expect("its end");
}

#[tokio::test]
async fn a_login_that_is_refused_is_seen_although_the_connection_still_works() {
    let (sshd, controller) = (Sshd::start(), Controller::new());
    let host = connect(&controller, &sshd).await;
    let (vars, secrets) = (BTreeMap::new(), BTreeMap::new());
    let scene = Scene { host: Some(&host), ..Scene::new(Target { address: &sshd.address, vars: &vars }, &secrets) };
    assert_green(&ask(Check::Ssh(SshCheck {}), &scene).await, "ssh: a new login");
    // As when an update of sshd, or of its settings, has gone wrong.
    fs::remove_file(sshd.file("user_key.pub")).unwrap();
    assert_red(&ask(Check::Ssh(SshCheck {}), &scene).await, "Permission denied");
    exec(&host).await;
    host.close().await;
}

#[tokio::test]
async fn a_login_that_hangs_is_red() {
    let (sshd, controller) = (Sshd::start(), Controller::new());
    let host = connect(&controller, &sshd).await;
    let (vars, secrets) = (BTreeMap::new(), BTreeMap::new());
    let scene = Scene { host: Some(&host), ..Scene::new(Target { address: &sshd.address, vars: &vars }, &secrets) };
    let listening = Pid::from_raw(fs::read_to_string(sshd.file("pid")).unwrap().trim().parse().unwrap());
    // The kernel goes on to take connections for it.
    kill(listening, Signal::SIGSTOP).unwrap();
    assert_red(&ask_for(Check::Ssh(SshCheck {}), &scene, 1).await, "ssh: no answer within 1 s");
    exec(&host).await;
    kill(listening, Signal::SIGCONT).unwrap();
    assert_green(&ask(Check::Ssh(SshCheck {}), &scene).await, "ssh: a new login");
    host.close().await;
}

/// There is no systemd here: a program that answers as systemctl(1) does, from files.
struct Units {
    directory: tempfile::TempDir,
}

impl Units {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let path = directory.path().display();
        let program = format!(
            "#!/bin/sh\ncase $1 in\nis-active)\n\
             state=$(cat {path}/$3 2>/dev/null) || {{ echo inactive; exit 4; }}\necho \"$state\"\n[ \"$state\" = active ] || exit 3 ;;\n\
             list-units) cat {path}/failed ;;\nesac\n"
        );
        fs::write(directory.path().join("systemctl"), program).unwrap();
        fs::set_permissions(directory.path().join("systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { directory }
    }

    fn set(&self, file: &str, text: &str) {
        fs::write(self.directory.path().join(file), text).unwrap();
    }

    fn sshd(&self) -> Sshd {
        Sshd::start_with(&format!("SetEnv PATH={}:/usr/bin:/bin", self.directory.path().display()), &[])
    }
}

fn unit(name: Option<&str>, no_new_failures: bool) -> Check {
    Check::Unit(UnitCheck { name: name.map(str::to_owned), no_new_failures })
}

#[tokio::test]
async fn units_are_asked_on_the_host() {
    let units = Units::new();
    let (sshd, controller) = (units.sshd(), Controller::new());
    let host = connect(&controller, &sshd).await;
    let (vars, secrets) = (BTreeMap::new(), BTreeMap::new());
    let scene = Scene { host: Some(&host), ..Scene::new(Target { address: &sshd.address, vars: &vars }, &secrets) };
    let nginx = || unit(Some("nginx.service"), false);
    units.set("nginx.service", "active\n");
    assert_green(&ask(nginx(), &scene).await, "unit nginx.service: active");
    units.set("nginx.service", "failed\n");
    assert_red(&ask(nginx(), &scene).await, "unit nginx.service: expected active, found failed");
    assert_red(&ask(unit(Some("gone.service"), false), &scene).await, "expected active, found inactive");
    units.set("failed", "");
    assert_green(&ask(unit(None, true), &scene).await, "no failed units");
    units.set("failed", "mail.service loaded failed failed Mail\ncups.socket loaded failed failed CUPS\n");
    assert_red(&ask(unit(None, true), &scene).await, "found mail.service, cups.socket");
    let before = ask(unit(None, true), &Scene { baseline: Baseline::Taken, ..scene }).await;
    assert_green(&before, "2 failed units");
    let after = Scene { baseline: Baseline::Known(&before.noted), ..scene };
    assert_green(&ask(unit(None, true), &after).await, "no failed units but the 2 from before");
    units.set("failed", "mail.service loaded failed failed Mail\nweb.service loaded failed failed Web\n");
    assert_red(&ask(unit(None, true), &after).await, "expected none that had not failed before, found web.service");
    units.set("systemctl", "#!/bin/sh\necho 'System has not been booted with systemd as init system' >&2\nexit 1\n");
    assert_red(
        &ask(nginx(), &scene).await,
        "unit nginx.service: exit status 1: System has not been booted with systemd",
    );
    units.set("systemctl", "#!/bin/sh\nexec sleep 3\n");
    assert_red(&ask_for(nginx(), &scene, 1).await, "unit nginx.service: no answer within 1 s");
    host.close().await;
}

/// Says something on a port of its own: at once, or when it was asked.
async fn speak(says: &'static str, when_asked: bool) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if when_asked {
                let _ = stream.read(&mut [0; 1024]).await;
            }
            let _ = stream.write_all(says.as_bytes()).await;
        }
    });
    port
}

#[tokio::test]
async fn another_host_has_the_connection_made_for_it() {
    let port = speak("220 hello\r\n", false).await;
    let web = speak("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", true).await;
    let imap = speak("* OK ready\r\n", false).await;
    let permitted = format!("PermitOpen 127.0.0.1:{port} 127.0.0.1:{web} 127.0.0.1:{imap} 127.0.0.1:1");
    let (sshd, controller) = (Sshd::start_with(&permitted, &[]), Controller::new());
    let from = connect(&controller, &sshd).await;
    let (vars, secrets) = (BTreeMap::new(), BTreeMap::new());
    let scene = Scene { from: Some(&from), ..Scene::new(Target { address: "127.0.0.1", vars: &vars }, &secrets) };
    let tcp = |port: u16, greeting: Option<&str>| {
        Check::Tcp(TcpCheck { address: format!("$ADDRESS:{port}"), greeting: greeting.map(str::to_owned) })
    };
    assert_green(&ask(tcp(port, None), &scene).await, "connected");
    assert_green(&ask(tcp(port, Some("220 hello")), &scene).await, "greeted");
    assert_red(
        &ask(tcp(1, None), &scene).await,
        "web1 can't connect to 127.0.0.1:1: connect failed: Connection refused",
    );
    // The host, not the controller, has to be allowed to.
    let other = speak("hello", false).await;
    assert_red(&ask(tcp(other, None), &scene).await, "administratively prohibited");
    let http = |path: &str| {
        Check::Http(HttpCheck {
            contains: Some("hello".to_owned()),
            ..HttpCheck::get(&format!("http://$ADDRESS:{web}{path}"))
        })
    };
    assert_green(&ask(http("/"), &scene).await, "contains `hello`");
    let server = MailServer {
        address: format!("$ADDRESS:{imap}"),
        security: Security::None,
        login: None,
        tls_verify: true,
        ca_file: None,
    };
    let imap = Check::Imap(ImapCheck { server, mailbox: "INBOX".to_owned() });
    assert_green(&ask(imap, &scene).await, "`* OK ready`");
    let refused = Check::Http(HttpCheck::get("http://$ADDRESS:1/"));
    assert_red(&ask(refused, &scene).await, "Connection refused");
    from.close().await;
}
