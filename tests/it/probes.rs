//! Probes against real servers: green, and red in every way that a server can be wrong.

mod imap;
mod mail_round_trip;
mod smtp;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;

use turnus::domain::job::SecretReference;
use turnus::domain::probe::mail::{Login, MailServer, Security};
use turnus::domain::probe::template::Target;
use turnus::domain::probe::{Check, Patience, Probe};
use turnus::edge::probe::{Finding, Scene, look};

/// One try of so many seconds; these are the values of the secrets.
async fn ask_for(check: Check, secrets: &[(&'static str, &str)], timeout_s: u64) -> Finding {
    let probe = Probe { check, patience: Patience { timeout_s, within_s: 0, interval_s: 1 } };
    let secrets: BTreeMap<_, _> = secrets.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let target = Target { address: "127.0.0.1", vars: &BTreeMap::new() };
    let finding = look(&probe, &Scene { target, secrets: &secrets }).await;
    for secret in secrets.values() {
        assert!(!finding.what.contains(secret.as_str()), "a finding shows a secret: {}", finding.what);
    }
    finding
}

async fn ask(check: Check, secrets: &[(&'static str, &str)]) -> Finding {
    ask_for(check, secrets, 20).await
}

#[track_caller]
fn assert_green(finding: &Finding, words: &[&str]) {
    assert!(finding.met, "{}", finding.what);
    words.iter().for_each(|words| assert!(finding.what.contains(words), "`{words}` in {}", finding.what));
}

#[track_caller]
fn assert_red(finding: &Finding, words: &[&str]) {
    assert!(!finding.met, "{}", finding.what);
    words.iter().for_each(|words| assert!(finding.what.contains(words), "`{words}` in {}", finding.what));
}

/// A mail server at `address:port`, with a login of `user` if there is one.
fn mail_server(address: &str, port: u16, security: Security, ca_file: Option<&Path>, user: Option<&str>) -> MailServer {
    MailServer {
        address: format!("{address}:{port}"),
        security,
        login: user.map(|user| Login { user: user.to_owned(), password: SecretReference::Env("UNUSED".to_owned()) }),
        tls_verify: true,
        ca_file: ca_file.map(|path| path.display().to_string()),
    }
}

/// A port on which nobody listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port()
}

/// A server that takes connections and never says a word.
fn silent_server() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A server that says `text` to everybody, and no more.
fn babbling_server(text: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = std::io::Write::write_all(&mut stream, text);
        }
    });
    port
}
