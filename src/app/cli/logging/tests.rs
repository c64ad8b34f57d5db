//! What never reaches the log, however much is asked for.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::filter;
use crate::domain::job::SecretReference;
use crate::domain::probe::mail::IMAP_PASSWORD;
use crate::domain::probe::template::Target;
use crate::domain::probe::{Check, ImapCheck, Login, MailServer, Patience, Probe, Security};
use crate::edge::probe::{Scene, look};

const PASSWORD: &str = "correct-horse-battery";

/// What was written to the log.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lets one client log in, whoever it is.
fn show_mailbox(stream: TcpStream) -> std::io::Result<()> {
    let mut answers = stream.try_clone()?;
    answers.write_all(b"* OK ready\r\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let tag = line.split(' ').next().unwrap_or_default();
        answers.write_all(format!("{tag} OK done\r\n").as_bytes())?;
    }
    Ok(())
}

#[tokio::test]
async fn no_password_of_a_probe_is_in_the_log_however_much_is_asked_for() {
    let written = Written::default();
    let to = written.clone();
    // For the whole process: the records of other crates come by `log`.
    let log = tracing_subscriber::fmt().with_env_filter(filter("trace")).with_writer(move || to.clone());
    log.try_init().expect("the only log of this process");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.accept().and_then(|(stream, _)| show_mailbox(stream)));
    let server = MailServer {
        address: format!("127.0.0.1:{port}"),
        security: Security::None,
        login: Some(Login { user: "probe".to_owned(), password: SecretReference::Env("UNUSED".to_owned()) }),
        tls_verify: true,
        ca_file: None,
    };
    let check = Check::Imap(ImapCheck { server, mailbox: "INBOX".to_owned() });
    let probe = Probe { check, patience: Patience { timeout_s: 20, within_s: 0, interval_s: 1 } };
    let secrets = BTreeMap::from([(IMAP_PASSWORD, PASSWORD.to_owned())]);
    let target = Target { address: "127.0.0.1", vars: &BTreeMap::new() };
    let finding = look(&probe, &Scene::new(target, &secrets)).await;
    assert!(finding.met, "{}", finding.what);
    log::trace!("records of other crates come through");
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("records of other crates come through"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
}
