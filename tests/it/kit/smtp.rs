//! Real mail servers on loopback, which record what they get and do wrong what the recipient's address says, and certificates of
//! an authority that exists for one test only.
//!
//! Recipients, by the letters that their address begins with: `later@` 450 the first time · `busy@` 450 always · `never@` 550 ·
//! `bye@` 421 · `hang@` no answer to RCPT · `drop@` recorded, and the connection ends without an answer, the first time ·
//! `lost@` the same, always · `mute@` recorded, and no answer comes · `spam@` 554 after the content · any other: taken.
//! `drop-17@` is of the kind `drop`. A sender `forbidden@` gets 553.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use turnus::domain::job::SecretReference;
use turnus::domain::settings::delivery::{Security, Smtp};

use super::port::free_port;

/// What a [`SmtpServer`] is to be like.
pub(crate) struct SmtpOptions {
    pub(crate) security: Security,
    /// Name and password without which nothing is taken.
    pub(crate) login: Option<(&'static str, &'static str)>,
    /// Logins that it does not offer.
    pub(crate) without_logins: Vec<&'static str>,
    /// Whether it takes addresses beyond ASCII (SMTPUTF8).
    pub(crate) unicode_addresses: bool,
    /// How long it thinks about a letter before it takes it.
    pub(crate) delay_ms: u64,
    /// With the next one it ends the connection.
    pub(crate) letters_per_connection: u32,
    /// Port of its address where what it takes goes on to, by LMTP.
    pub(crate) hands_over_to: Option<u16>,
    /// Absent: one of its own, for its address and `localhost`.
    pub(crate) certificate: Option<Certificate>,
}

impl Default for SmtpOptions {
    fn default() -> Self {
        Self {
            security: Security::None,
            login: None,
            without_logins: Vec::new(),
            unicode_addresses: false,
            delay_ms: 0,
            letters_per_connection: 1_000_000,
            hands_over_to: None,
            certificate: None,
        }
    }
}

/// A mail server of a test. It ends with the test, whichever way that ends.
pub(crate) struct SmtpServer {
    pub(crate) address: String,
    pub(crate) port: u16,
    /// Who issued its certificate: a PEM file.
    pub(crate) ca_file: PathBuf,
    directory: TempDir,
    options: SmtpOptions,
    process: Child,
}

/// One line of the record.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub(crate) enum Noted {
    /// Somebody tried to log in.
    Login { mechanism: String, accepted: bool },
    /// A recipient was named.
    Recipient { to: String },
    /// A letter's content has come, whatever was answered then.
    Letter(Taken),
}

/// A letter as the server got it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Taken {
    /// Which connection it came over, counted from 1.
    pub(crate) session: u32,
    pub(crate) sender: String,
    pub(crate) recipient: String,
    /// Parameters of `MAIL FROM`, in capitals.
    pub(crate) options: Vec<String>,
    /// Who was logged in.
    pub(crate) user: Option<String>,
    pub(crate) tls: bool,
    /// The message, with CRLF.
    pub(crate) raw: String,
}

impl Taken {
    /// The value of a header that stands in one line.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.raw.split("\r\n\r\n").next()?;
        head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn message_id(&self) -> &str {
        self.header("Message-ID").expect("every letter has one")
    }
}

impl SmtpServer {
    /// In clear, without login: the fastest.
    pub(crate) fn start() -> Self {
        Self::start_with(SmtpOptions::default())
    }

    pub(crate) fn start_with(options: SmtpOptions) -> Self {
        Self::start_at(super::sshd::next_address(), options)
    }

    pub(crate) fn start_at(address: String, mut options: SmtpOptions) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let needs_certificate = options.security != Security::None && options.certificate.is_none();
        let ca_file = if needs_certificate {
            let authority = Authority::make(directory.path());
            let name = format!("IP:{address},DNS:localhost");
            options.certificate = Some(authority.issue(&name, 0));
            authority.certificate
        } else {
            directory.path().join("no authority")
        };
        let (process, port) = launch(directory.path(), &address, free_port(), &options);
        Self { address, port, ca_file, directory, options, process }
    }

    /// What `[mail]` would say to send by it, with the password in clear for [`turnus::edge::mail::Mailer::open`] to be passed beside.
    pub(crate) fn settings(&self) -> Smtp {
        let is_protected = self.options.security != Security::None;
        Smtp {
            host: self.address.clone(),
            port: self.port,
            security: self.options.security,
            user: self.options.login.map(|(user, _)| user.to_owned()),
            password: self.options.login.map(|_| SecretReference::Env("TURNUS_TEST_MAIL_PASSWORD".to_owned())),
            ca_file: is_protected.then(|| self.ca_file.display().to_string()),
            timeout_s: 20,
        }
    }

    /// All that it has noted so far, in order.
    pub(crate) fn record(&self) -> Vec<Noted> {
        let text = fs::read_to_string(self.directory.path().join("record")).unwrap_or_default();
        // The last line may be only half there.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect("a line of the record")).collect()
    }

    /// The letters whose content it has got, in order.
    pub(crate) fn letters(&self) -> Vec<Taken> {
        let letters = self.record().into_iter().filter_map(|noted| match noted {
            Noted::Letter(letter) => Some(letter),
            _ => None,
        });
        letters.collect()
    }

    /// Connections are refused from now on.
    pub(crate) fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// On the same port, with the same record; which recipients it has seen is forgotten.
    pub(crate) fn start_again(&mut self) {
        self.stop();
        (self.process, self.port) = launch(self.directory.path(), &self.address, self.port, &self.options);
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Debian's Python: it has Debian's aiosmtpd.
fn launch(directory: &Path, address: &str, port: u16, options: &SmtpOptions) -> (Child, u16) {
    let settings = json!({
        "address": address,
        "port": port,
        "record": directory.join("record"),
        "security": match options.security {
            Security::StartTls => "starttls",
            Security::Tls => "tls",
            Security::None => "none",
        },
        "user": options.login.map(|(user, _)| user),
        "password": options.login.map(|(_, password)| password),
        "without_logins": options.without_logins,
        "unicode_addresses": options.unicode_addresses,
        "delay_ms": options.delay_ms,
        "hands_over_to": options.hands_over_to,
        "letters_per_connection": options.letters_per_connection,
        "certificate": options.certificate.as_ref().map(|certificate| &certificate.chain),
        "key": options.certificate.as_ref().map(|certificate| &certificate.key),
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/kit/smtp/server.py");
    let log = fs::File::options().create(true).append(true).open(directory.join("log")).expect("a log");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).arg(settings.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    let mut process = command.spawn().expect("python3");
    let mut line = String::new();
    let _ = BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line);
    let log = || fs::read_to_string(directory.join("log")).unwrap_or_default();
    let port = line.trim().parse().unwrap_or_else(|_| panic!("the mail server did not begin:\n{}", log()));
    (process, port)
}

/// A certificate and its key, as PEM files.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// Issues certificates for one test. Its files live as long as the directory.
pub(crate) struct Authority {
    directory: PathBuf,
    /// What is trusted: a PEM file.
    pub(crate) certificate: PathBuf,
}

impl Authority {
    pub(crate) fn make(directory: &Path) -> Self {
        let (certificate, key) = (directory.join("authority.pem"), directory.join("authority.key"));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        // Authorities of the same name would be taken for the same.
        let name = format!("/CN=authority of {}", directory.file_name().expect("a name").display());
        command.args(["-days", "30", "-subj", &name, "-keyout"]).arg(key);
        run(command.arg("-out").arg(&certificate));
        Self { directory: directory.to_owned(), certificate }
    }

    /// For `names`, as `DNS:localhost,IP:127.0.0.1`; valid for 30 days since so many hours ago, or from a day to come.
    pub(crate) fn issue(&self, names: &str, age_h: i64) -> Certificate {
        let file = |name: &str| self.directory.join(name);
        let (chain, key, request, extensions, settings) =
            (file("server.pem"), file("server.key"), file("server.csr"), file("server.ext"), file("settings"));
        let mut command = Command::new("openssl");
        command.args(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-subj", "/CN=a mail server of a test", "-keyout"]).arg(&key);
        run(command.arg("-out").arg(&request));
        fs::write(&extensions, format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n")).expect("written");
        fs::write(file("issued"), "").expect("written");
        let text = format!(
            "[ca]\ndefault_ca = test\n[test]\ndatabase = {0}/issued\nnew_certs_dir = {0}\nrand_serial = yes\nunique_subject = no\n\
             default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n",
            self.directory.display()
        );
        fs::write(&settings, text).expect("written");
        let since = Timestamp::now() - SignedDuration::from_hours(age_h);
        let date = |at: Timestamp| at.strftime("%Y%m%d%H%M%SZ").to_string();
        let mut command = Command::new("openssl");
        command.args(["ca", "-batch", "-notext", "-config"]).arg(&settings).arg("-cert").arg(&self.certificate);
        command.arg("-keyfile").arg(file("authority.key")).arg("-in").arg(&request).arg("-extfile").arg(&extensions);
        command.args(["-startdate", &date(since), "-enddate", &date(since + SignedDuration::from_hours(30 * 24))]);
        run(command.arg("-out").arg(&chain));
        Certificate { chain, key }
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
