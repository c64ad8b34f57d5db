//! What a server that means harm may try, played by the library's own server.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use russh::client::AuthResult;
use russh::keys::{PrivateKey, load_secret_key};
use russh::server::{Auth, Config, Handler, Session};
use tokio::sync::{mpsc, watch};

use super::super::known_hosts::KnownHosts;
use super::{Checker, Failures};

/// Lets everybody in, and then opens channels to the client.
struct Intruder {
    /// Which of them were opened.
    opened: mpsc::UnboundedSender<(&'static str, bool)>,
}

impl Handler for Intruder {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn auth_succeeded(&mut self, session: &mut Session) -> Result<(), Self::Error> {
        let (line, opened) = (session.handle(), self.opened.clone());
        tokio::spawn(async move {
            let tell = |kind, is_open| opened.send((kind, is_open)).expect("the test listens");
            tell("agent", line.channel_open_agent().await.is_ok());
            tell("session", line.channel_open_session().await.is_ok());
            tell("x11", line.channel_open_x11("127.0.0.1", 1).await.is_ok());
            tell("direct tcp", line.channel_open_direct_tcpip("127.0.0.1", 1, "127.0.0.1", 1).await.is_ok());
            tell("direct streamlocal", line.channel_open_direct_streamlocal("/s").await.is_ok());
            tell("forwarded tcp", line.channel_open_forwarded_tcpip("127.0.0.1", 1, "127.0.0.1", 1).await.is_ok());
            tell("forwarded streamlocal", line.channel_open_forwarded_streamlocal("/s").await.is_ok());
        });
        Ok(())
    }
}

/// A key, and a file in which it is known for `web1`.
fn make_key(directory: &std::path::Path) -> (PrivateKey, PathBuf) {
    let file = directory.join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).status();
    assert!(made.expect("ssh-keygen").success());
    let public = std::fs::read_to_string(directory.join("key.pub")).expect("a key");
    let known = directory.join("known_hosts");
    std::fs::write(&known, format!("web1 {public}")).expect("written");
    (load_secret_key(&file, None).expect("a key"), known)
}

#[tokio::test]
async fn no_server_opens_a_channel_to_us() {
    let directory = tempfile::tempdir().expect("a directory");
    let (key, known) = make_key(directory.path());
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (opened, mut told) = mpsc::unbounded_channel();
    let config = Arc::new(Config { keys: vec![key], ..Config::default() });
    let serving = tokio::spawn(async move {
        russh::server::run_stream(config, theirs, Intruder { opened }).await.expect("a session").await
    });
    let checker = Checker {
        known_hosts: KnownHosts::read(&[known], "web1", 22),
        verdict: Arc::default(),
        ended: Arc::new(OnceLock::new()),
        failures: watch::channel(Failures::default()).0,
    };
    let mut line = russh::client::connect_stream(Arc::default(), ours, checker).await.expect("a connection");
    assert!(matches!(line.authenticate_none("root").await, Ok(AuthResult::Success)));
    for _ in 0..7 {
        let (kind, is_open) = told.recv().await.expect("the server goes on");
        assert!(!is_open, "{kind}");
    }
    drop(line);
    serving.abort();
}
