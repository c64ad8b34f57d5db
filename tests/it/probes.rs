//! Probes against real servers, which each test starts for itself on an address of its own and ends by process id.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Child;

use turnus::domain::probe::template::Target;
use turnus::domain::probe::{Check, Patience, Probe};
use turnus::edge::probe::{Finding, Scene, look};

mod command;
mod dns;
mod from;
mod host;
mod http;
mod mail;
mod ports;
mod sip;
mod sql;
mod tls;
mod weather;

/// A server of a test; it ends with the test, whichever way that ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Waits until the port takes connections.
    async fn ready(mut self, address: &str, port: u16, log: &Path) -> Self {
        for _ in 0..2400 {
            if tokio::net::TcpStream::connect((address, port)).await.is_ok() {
                return self;
            }
            let log = || std::fs::read_to_string(log).unwrap_or_default();
            assert!(self.0.try_wait().expect("its state").is_none(), "the server ended: {}", log());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the server does not begin: {}", std::fs::read_to_string(log).unwrap_or_default());
    }
}

/// One try of at most three seconds, about a host of the address `$ADDRESS`.
async fn ask(check: Check, address: &str) -> Finding {
    ask_with(check, address, &BTreeMap::new()).await
}

async fn ask_with(check: Check, address: &str, secrets: &BTreeMap<&'static str, String>) -> Finding {
    ask_for(check, address, secrets, 3).await
}

/// The same with so many seconds. No finding shows a secret.
async fn ask_for(check: Check, address: &str, secrets: &BTreeMap<&'static str, String>, timeout_s: u64) -> Finding {
    // Another test of the same process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let probe = Probe { check, patience: Patience { timeout_s, within_s: 0, interval_s: 1 } };
    let finding = look(&probe, &Scene::new(Target { address, vars: &BTreeMap::new() }, secrets)).await;
    for secret in secrets.values() {
        assert!(!finding.what.contains(secret.as_str()), "a finding shows a secret: {}", finding.what);
    }
    finding
}

/// It is green, and says `words`.
#[track_caller]
fn assert_green(finding: &Finding, words: &str) {
    assert!(finding.met && finding.what.contains(words), "{finding:?}\nexpected: green, `{words}`");
}

/// It is red, and says `words`.
#[track_caller]
fn assert_red(finding: &Finding, words: &str) {
    assert!(!finding.met && finding.what.contains(words), "{finding:?}\nexpected: red, `{words}`");
}

/// A server that takes connections and never says a word; its port.
fn silent_server(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A server that says `text` to everybody and no more, until the test ends; its port.
fn babbling_server(address: &str, text: &'static [u8]) -> u16 {
    let (listener, port) = silent_server(address);
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = std::io::Write::write_all(&mut stream, text);
            held.push(stream);
        }
    });
    port
}
