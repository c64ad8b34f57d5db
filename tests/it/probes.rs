//! Probes against real servers, which each test starts for itself on an address of its own and ends by process id.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Child;

use turnus::domain::probe::template::Target;
use turnus::domain::probe::{Check, Patience, Probe};
use turnus::edge::probe::{Finding, Scene, look};

mod command;
mod dns;
mod host;
mod http;
mod ports;
mod tls;

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
        for _ in 0..300 {
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
    // Another test of the same process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let probe = Probe { check, patience: Patience { timeout_s: 3, within_s: 0, interval_s: 1 } };
    look(&probe, &Scene::new(Target { address, vars: &BTreeMap::new() }, secrets)).await
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
