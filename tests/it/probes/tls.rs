//! The probe `tls` against the server of OpenSSL.

use std::fs::File;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use turnus::domain::probe::{Check, TlsCheck};

use super::{Server, ask, assert_green, assert_red};
use crate::kit::port::free_port;
use crate::kit::smtp::Authority;
use crate::kit::sshd::next_address;

/// `openssl s_server` with a certificate of an authority of its own.
pub(super) struct TlsServer {
    pub(super) address: String,
    pub(super) port: u16,
    ca_file: String,
    _process: Server,
    _directory: TempDir,
}

impl TlsServer {
    /// The certificate is for `names`, valid for 30 days since so many hours ago.
    pub(super) async fn start(names: &str, age_h: i64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let authority = Authority::make(directory.path());
        let certificate = authority.issue(names, age_h);
        let address = next_address();
        let port = free_port();
        let log = directory.path().join("log");
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-accept", &format!("{address}:{port}")]);
        command.arg("-cert").arg(&certificate.chain).arg("-key").arg(&certificate.key);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(&log).expect("a log"));
        let process = Server(command.spawn().expect("openssl")).ready(&address, port, &log).await;
        let ca_file = authority.certificate.display().to_string();
        Self { address, port, ca_file, _process: process, _directory: directory }
    }

    pub(super) fn check(&self) -> TlsCheck {
        let (address, ca_file) = (format!("$ADDRESS:{}", self.port), Some(self.ca_file.clone()));
        TlsCheck { address, server_name: Some("shop.example".to_owned()), days_left: 14, ca_file }
    }

    async fn ask(&self, check: TlsCheck) -> turnus::edge::probe::Finding {
        ask(Check::Tls(check), &self.address).await
    }
}

#[tokio::test]
async fn a_certificate_is_green_when_trusted_for_the_name_and_lasting() {
    let server = TlsServer::start("DNS:shop.example", 12).await;
    assert_green(&server.ask(server.check()).await, "the certificate for `shop.example` is valid for 29 more days");
    assert_green(&server.ask(TlsCheck { days_left: 29, ..server.check() }).await, "29 more days");
    let found = server.ask(TlsCheck { days_left: 30, ..server.check() }).await;
    assert_red(&found, "expected 30 more days of the certificate for `shop.example`, found 29");
}

#[tokio::test]
async fn the_host_of_the_address_is_the_name_if_none_is_given() {
    let server = TlsServer::start("DNS:shop.example", 0).await;
    let found = server.ask(TlsCheck { server_name: None, ..server.check() }).await;
    assert_red(&found, "not valid for name");
    let found = server.ask(TlsCheck { server_name: Some("mail.example".to_owned()), ..server.check() }).await;
    assert_red(&found, "not valid for name");
    let localhost = TlsServer::start("DNS:localhost,IP:127.0.0.1", 0).await;
    assert_red(&localhost.ask(TlsCheck { server_name: None, ..localhost.check() }).await, "not valid for name");
}

#[tokio::test]
async fn a_certificate_that_soon_ends_or_has_ended_is_red() {
    let soon = TlsServer::start("DNS:shop.example", 612).await;
    assert_red(&soon.ask(soon.check()).await, "expected 14 more days of the certificate for `shop.example`, found 4");
    assert_green(&soon.ask(TlsCheck { days_left: 3, ..soon.check() }).await, "4 more days");
    let ended = TlsServer::start("DNS:shop.example", 40 * 24).await;
    assert_red(&ended.ask(TlsCheck { days_left: 0, ..ended.check() }).await, "expired");
}

#[tokio::test]
async fn nobody_whom_this_machine_trusts_issued_it() {
    let server = TlsServer::start("DNS:shop.example", 0).await;
    assert_red(&server.ask(TlsCheck { ca_file: None, ..server.check() }).await, "UnknownIssuer");
    let other = TlsServer::start("DNS:shop.example", 0).await;
    let strange = TlsCheck { ca_file: Some(other.ca_file.clone()), ..server.check() };
    assert!(!server.ask(strange).await.met);
}

#[tokio::test]
async fn no_tls_no_server_and_no_answer_are_red() {
    let address = next_address();
    let listener = tokio::net::TcpListener::bind((address.as_str(), 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let check = || TlsCheck {
        address: format!("$ADDRESS:{port}"),
        server_name: Some("shop.example".to_owned()),
        days_left: 14,
        ca_file: None,
    };
    // It takes connections and says nothing.
    assert_red(&ask(Check::Tls(check()), &address).await, "no answer within 3 s");
    let greeting = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail ready\r\n").await;
        }
    });
    assert_red(&ask(Check::Tls(check()), &address).await, "tls ");
    greeting.abort();
    let _ = greeting.await;
    assert_red(&ask(Check::Tls(check()), &address).await, "refused");
}
