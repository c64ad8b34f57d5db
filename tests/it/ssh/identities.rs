//! Who we are, and who the server is: every kind of key, certificates, agents, and what known_hosts can say.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use turnus::domain::inventory::{Connection, Transport};
use turnus::edge::remote::Error;

use super::say_hello;
use crate::kit::machine::wait_for;
use crate::kit::sshd::{Controller, Sshd};

fn keygen(directory: &Path, arguments: &[&str]) {
    let done =
        Command::new("ssh-keygen").current_dir(directory).arg("-q").args(arguments).stdin(Stdio::null()).output();
    let done = done.expect("ssh-keygen");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// An agent that ends with the test.
struct Agent {
    process: Child,
    socket: String,
}

impl Agent {
    fn start(directory: &Path) -> Self {
        let socket = directory.join("agent").display().to_string();
        let mut agent = Command::new("ssh-agent");
        agent.args(["-D", "-a", &socket]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = agent.spawn().expect("ssh-agent");
        wait_for("the agent", || Path::new(&socket).exists());
        Self { process, socket }
    }

    fn add(&self, key: &str) {
        let added = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).status();
        assert!(added.expect("ssh-add").success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server takes a new key of this kind from now on; so does `connection()`.
fn change_user_key(sshd: &Sshd, kind: &[&str]) {
    for name in ["user_key", "user_key.pub"] {
        fs::remove_file(sshd.file(name)).expect("removed");
    }
    keygen(sshd.directory.path(), &[&["-N", "", "-C", "", "-f", "user_key", "-t"], kind].concat());
}

async fn every_kind_of_key_is_shown(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    controller.trust(&sshd.connection()).await;
    for kind in [&["ed25519"][..], &["ecdsa", "-b", "256"], &["ecdsa", "-b", "521"], &["rsa", "-b", "2048"]] {
        change_user_key(&sshd, kind);
        let said = say_hello(&controller.remote(&sshd.connection())).await;
        assert_eq!(said, Ok("hello\n".to_owned()), "{kind:?}");
    }
    // As older programs write them.
    change_user_key(&sshd, &["rsa", "-b", "2048", "-m", "PEM"]);
    assert_eq!(say_hello(&controller.remote(&sshd.connection())).await, Ok("hello\n".to_owned()));
}

async fn a_certificate_beside_a_key_lets_in(transport: Transport) {
    let directory = tempfile::tempdir().expect("a directory");
    keygen(directory.path(), &["-t", "ed25519", "-N", "", "-f", "ca"]);
    let authority = format!("TrustedUserCAKeys {}", directory.path().join("ca.pub").display());
    let (sshd, controller) = (Sshd::start_with(&authority, &[]), Controller::by(transport));
    controller.trust(&sshd.connection()).await;
    for kind in [&["ed25519"][..], &["ecdsa", "-b", "384"], &["rsa", "-b", "2048"]] {
        let name = kind[0];
        keygen(directory.path(), &[&["-N", "", "-f", name, "-t"], kind].concat());
        let identity = directory.path().join(name).display().to_string();
        let connection = Connection { identity_file: Some(identity), ..sshd.connection() };
        let refused = say_hello(&controller.remote(&connection)).await;
        assert!(matches!(refused, Err(Error::AuthenticationRefused { .. })), "{kind:?}: {refused:?}");
        keygen(directory.path(), &["-s", "ca", "-I", "it", "-n", "root", "-V", "+1d", &format!("{name}.pub")]);
        assert_eq!(say_hello(&controller.remote(&connection)).await, Ok("hello\n".to_owned()), "{kind:?}");
    }
}

/// The key itself is nowhere but in the agent: `CertificateFile` is all that the configuration names.
async fn a_certificate_for_a_key_of_the_agent_lets_in(transport: Transport) {
    let directory = tempfile::tempdir().expect("a directory");
    keygen(directory.path(), &["-t", "ed25519", "-N", "", "-f", "ca"]);
    keygen(directory.path(), &["-t", "ed25519", "-N", "", "-f", "held"]);
    keygen(directory.path(), &["-s", "ca", "-I", "it", "-n", "root", "-V", "+1d", "held.pub"]);
    let file = |name: &str| directory.path().join(name).display().to_string();
    let (sshd, controller) =
        (Sshd::start_with(&format!("TrustedUserCAKeys {}", file("ca.pub")), &[]), Controller::by(transport));
    controller.trust(&sshd.connection()).await;
    fs::rename(file("held-cert.pub"), file("certificate")).expect("renamed");
    let agent = Agent::start(directory.path());
    agent.add(&file("held"));
    let held = fs::read(file("held.pub")).expect("a key");
    for name in ["held", "held.pub"] {
        fs::remove_file(file(name)).expect("removed");
    }
    let unnamed = Connection { identity_file: None, ..sshd.connection() };
    let config = format!("IdentityAgent {}\nCertificateFile {}\n", agent.socket, file("certificate"));
    fs::write(&controller.settings.user_config, config).expect("written");
    assert_eq!(say_hello(&controller.remote(&unnamed)).await, Ok("hello\n".to_owned()));
    // Beside the public half that names the key.
    fs::write(file("held.pub"), held).expect("written");
    fs::rename(file("certificate"), file("held-cert.pub")).expect("renamed");
    fs::write(&controller.settings.user_config, format!("IdentityAgent {}\n", agent.socket)).expect("written");
    let named = Connection { identity_file: Some(file("held")), ..sshd.connection() };
    assert_eq!(say_hello(&controller.remote(&named)).await, Ok("hello\n".to_owned()));
}

async fn keys_of_an_agent_are_shown(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    let agent = Agent::start(sshd.directory.path());
    controller.trust(&sshd.connection()).await;
    for kind in [&["ed25519"][..], &["rsa", "-b", "2048"]] {
        change_user_key(&sshd, kind);
        agent.add(&sshd.file("user_key"));
        fs::remove_file(sshd.file("user_key")).expect("removed");
        let config = format!("IdentityAgent {}\n", agent.socket);
        fs::write(&controller.settings.user_config, config).expect("written");
        let unnamed = Connection { identity_file: None, ..sshd.connection() };
        assert_eq!(say_hello(&controller.remote(&unnamed)).await, Ok("hello\n".to_owned()), "{kind:?}");
        // The public half names the key that the agent may show.
        let named = Connection { identity_file: Some(sshd.file("user_key.pub")), ..sshd.connection() };
        assert_eq!(say_hello(&controller.remote(&named)).await, Ok("hello\n".to_owned()), "{kind:?}");
        fs::write(sshd.file("user_key"), "").expect("written");
    }
    // Only keys that are named may be shown.
    keygen(sshd.directory.path(), &["-t", "ed25519", "-N", "", "-f", "other"]);
    let other = Connection { identity_file: Some(sshd.file("other")), ..sshd.connection() };
    let refused = say_hello(&controller.remote(&other)).await;
    assert!(matches!(refused, Err(Error::AuthenticationRefused { .. })), "{refused:?}");
}

async fn a_key_with_a_passphrase_that_nobody_told_lets_nobody_in(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    controller.trust(&sshd.connection()).await;
    keygen(sshd.directory.path(), &["-p", "-P", "", "-N", "a long secret", "-f", "user_key"]);
    let refused = say_hello(&controller.remote(&sshd.connection())).await;
    assert!(matches!(refused, Err(Error::AuthenticationRefused { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_that_is_told_opens_a_key() {
    for format in [&[][..], &["-m", "PKCS8"]] {
        let sshd = Sshd::start();
        change_user_key(&sshd, &[&["rsa", "-b", "2048"], format].concat());
        keygen(sshd.directory.path(), &[&["-p", "-P", "", "-N", "a long secret", "-f", "user_key"], format].concat());
        for (told, good) in [(Ok("a long secret"), true), (Ok("wrong"), false), (Err("the file is gone"), false)] {
            let controller = Controller::with_passphrase(told);
            controller.trust(&sshd.connection()).await;
            match say_hello(&controller.remote(&sshd.connection())).await {
                Ok(said) => assert!(good && said == "hello\n", "{told:?}"),
                Err(Error::AuthenticationRefused { detail, .. }) => {
                    assert!(!good && detail.contains("user_key: ") && !detail.contains("long secret"), "{detail}");
                    assert!(told.is_ok() || detail.contains("the file is gone"), "{detail}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

async fn a_server_with_a_certificate_is_known_by_its_authority(transport: Transport) {
    let sshd = Sshd::start();
    let place = sshd.directory.path();
    keygen(place, &["-t", "ed25519", "-N", "", "-f", "ca"]);
    let names = sshd.address.as_str();
    keygen(place, &["-s", "ca", "-I", "it", "-h", "-n", names, "-V", "+1d", "host_key.pub"]);
    let certified = Sshd::start_like(&sshd, &format!("HostCertificate {}", sshd.file("host_key-cert.pub")));
    let authority = fs::read_to_string(place.join("ca.pub")).expect("a key");
    let known = |pattern: &str| {
        let controller = Controller::by(transport);
        fs::write(&controller.settings.known_hosts, format!("@cert-authority {pattern} {authority}")).expect("written");
        controller
    };
    let controller = known(&format!("[{names}]:*"));
    assert_eq!(say_hello(&controller.remote(&certified.connection())).await, Ok("hello\n".to_owned()));
    let elsewhere = known("*.example");
    let refused = say_hello(&elsewhere.remote(&certified.connection())).await;
    assert!(matches!(refused, Err(Error::HostKeyUnknown { .. })), "{refused:?}");
}

async fn a_revoked_key_is_told_apart(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    controller.trust(&sshd.connection()).await;
    let key = fs::read_to_string(sshd.file("host_key.pub")).expect("a key");
    let known = fs::read_to_string(&controller.settings.known_hosts).expect("known");
    fs::write(&controller.settings.known_hosts, format!("{known}@revoked * {key}")).expect("written");
    let error = say_hello(&controller.remote(&sshd.connection())).await.expect_err("revoked");
    let Error::HostKeyRevoked { fingerprint, .. } = &error else { panic!("{error:?}") };
    assert!(fingerprint.contains(&sshd.fingerprint()), "{fingerprint}");
    assert!(error.hint().is_some_and(|hint| hint.contains("new key")), "{error:?}");
}

async fn hashed_names_are_known(transport: Transport) {
    let (sshd, controller) = (Sshd::start(), Controller::by(transport));
    controller.trust(&sshd.connection()).await;
    let file = controller.directory.path().join("hashed");
    fs::copy(&controller.settings.known_hosts, &file).expect("copied");
    fs::remove_file(&controller.settings.known_hosts).expect("removed");
    keygen(controller.directory.path(), &["-H", "-f", "hashed"]);
    assert!(!fs::read_to_string(&file).expect("there").contains(&sshd.address));
    let connection = Connection { known_hosts: Some(file.display().to_string()), ..sshd.connection() };
    assert_eq!(say_hello(&controller.remote(&connection)).await, Ok("hello\n".to_owned()));
}

on_both_transports! {
    every_kind_of_key_is_shown,
    a_certificate_beside_a_key_lets_in,
    keys_of_an_agent_are_shown,
    a_certificate_for_a_key_of_the_agent_lets_in,
    a_key_with_a_passphrase_that_nobody_told_lets_nobody_in,
    a_server_with_a_certificate_is_known_by_its_authority,
    a_revoked_key_is_told_apart,
    hashed_names_are_known,
}
