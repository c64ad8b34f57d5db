//! A mail server, and the connections to it.
//!
//! Invariants: a connection is parked only where the server waits for a command; a sending that fails, times out or is cancelled
//! anywhere else takes its connection with it, so that no answer is ever taken for the answer to something else. (The pool of
//! lettre 0.11 parks a connection whose sending was cancelled; the next letter then reads answers that belong to the one before.)

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use tokio::time::{Instant, timeout};

use super::address;
use super::trouble::{Stage, Trouble};
use super::{Error, Letter, Refusal, compose};
use crate::domain::settings::delivery::{Security, Smtp};

/// Connections that are kept for the next letter.
const MAX_PARKED: usize = 4;
/// Servers close idle connections, some after a minute: an older one is not tried.
const MAX_IDLE: Duration = Duration::from_secs(30);
/// Many servers take a hundred letters over one connection, and then no more.
const MAX_LETTERS: u32 = 90;
/// A parked connection answers within this time, or is given up.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// A mail server.
pub struct Server {
    host: String,
    port: u16,
    security: Security,
    /// With which TLS is spoken. Absent: not at all.
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    /// What no text may show.
    secrets: Secrets,
    limit: Duration,
    hello: ClientId,
    parked: Parked,
}

/// A connection over which commands may be sent.
struct Line {
    connection: AsyncSmtpConnection,
    letters: u32,
}

/// The lines that nobody uses, with the time since when; the latest at the end.
struct Parked(Mutex<Vec<(Line, Instant)>>);

/// The password, in all forms that go over the line.
struct Secrets(Vec<String>);

impl Server {
    pub(super) fn open(settings: &Smtp, password: Option<&str>) -> Result<Self, Error> {
        let login = match (&settings.user, password) {
            (Some(user), Some(password)) => Some((user.as_str(), password)),
            (Some(user), None) => return Err(Error::NoPassword { user: user.clone() }),
            (None, _) => None,
        };
        if settings.security == Security::None && login.is_some() {
            return Err(Error::PasswordInClear);
        }
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port,
            security: settings.security,
            tls: if settings.security == Security::None { None } else { Some(tls_parameters(settings)?) },
            credentials: login.map(Credentials::from),
            secrets: Secrets::of(login),
            limit: Duration::from_secs(settings.timeout_s),
            hello: ClientId::default(),
            parked: Parked(Mutex::default()),
        })
    }

    pub(super) async fn send(&self, letter: &Letter) -> Result<(), Refusal> {
        let message = for_the_line(&compose(letter)?);
        let envelope = address::envelope(letter)?;
        let mut stage = Stage::Connect;
        let sent = timeout(self.limit, self.hand_over(&envelope, &message, &mut stage)).await;
        let trouble = match sent {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(trouble)) => trouble,
            Err(_) => Trouble::Silence { limit_s: self.limit.as_secs() },
        };
        let place = format!("{}:{}", self.host, self.port);
        Err(trouble.masked(|text| self.secrets.mask(text)).sort(stage, &place, letter, self.security))
    }

    async fn hand_over(&self, envelope: &Envelope, message: &str, stage: &mut Stage) -> Result<(), Trouble> {
        if let Some(line) = self.parked_line().await {
            match self.send_over(line, envelope, message, stage).await {
                // The server has had enough of this connection: that says nothing about the letter.
                Err(trouble) if stage.is_before_content() && trouble.is_end_of_line() => {}
                sent => return sent,
            }
        }
        *stage = Stage::Connect;
        let line = self.connect(stage).await?;
        self.send_over(line, envelope, message, stage).await
    }

    async fn connect(&self, stage: &mut Stage) -> Result<Line, Trouble> {
        let wrapped = self.tls.clone().filter(|_| self.security == Security::Tls);
        let place = (self.host.as_str(), self.port);
        let connecting = AsyncSmtpConnection::connect_tokio1(place, Some(self.limit), &self.hello, wrapped, None);
        let mut connection = connecting.await.map_err(|error| Trouble::of(&error))?;
        if let (Security::StartTls, Some(tls)) = (self.security, &self.tls) {
            *stage = Stage::StartTls;
            connection.starttls(tls.clone(), &self.hello).await.map_err(|error| Trouble::of(&error))?;
        }
        if let Some(credentials) = &self.credentials {
            *stage = Stage::Login;
            connection.auth(DEFAULT_MECHANISMS, credentials).await.map_err(|error| Trouble::of(&error))?;
        }
        Ok(Line { connection, letters: 0 })
    }

    /// Sends one letter, and parks the line if the server waits for the next command then.
    async fn send_over(
        &self,
        mut line: Line,
        envelope: &Envelope,
        message: &str,
        stage: &mut Stage,
    ) -> Result<(), Trouble> {
        let sent = line.send(envelope, message, stage).await;
        line.letters += 1;
        let is_usable = match &sent {
            Ok(()) => true,
            Err(Trouble::Answer { code, .. }) => *code != 421,
            Err(_) => false,
        };
        if is_usable && line.letters < MAX_LETTERS {
            self.parked.put(line);
        } else if is_usable {
            line.connection.abort().await;
        }
        sent
    }

    /// A line that has answered just now. `RSET` also ends what a refused recipient left behind.
    async fn parked_line(&self) -> Option<Line> {
        while let Some(mut line) = self.parked.take() {
            let answered = timeout(CHECK_TIMEOUT.min(self.limit / 2), line.connection.command(Rset)).await;
            if let Ok(Ok(_)) = answered {
                return Some(line);
            }
        }
        None
    }
}

impl std::fmt::Debug for Server {
    /// Where it is; how one logs in is for nobody to see.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({}:{}, {:?})", self.host, self.port, self.security)
    }
}

impl Line {
    async fn send(&mut self, envelope: &Envelope, message: &str, stage: &mut Stage) -> Result<(), Trouble> {
        let connection = &mut self.connection;
        let mut parameters = Vec::new();
        // RFC 6531: only where an address has letters beyond ASCII is there any in the message.
        if !message.is_ascii() {
            let server = connection.server_info();
            if !server.supports_feature(Extension::SmtpUtfEight) || !server.supports_feature(Extension::EightBitMime) {
                *stage = Stage::Recipient;
                return Err(Trouble::NoUnicodeAddresses);
            }
            parameters.push(MailParameter::SmtpUtfEight);
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        *stage = Stage::Sender;
        let mail = Mail::new(envelope.from().cloned(), parameters);
        connection.command(mail).await.map_err(|error| Trouble::of(&error))?;
        *stage = Stage::Recipient;
        for recipient in envelope.to() {
            let recipient = Rcpt::new(recipient.clone(), Vec::new());
            connection.command(recipient).await.map_err(|error| Trouble::of(&error))?;
        }
        *stage = Stage::Data;
        connection.command(Data).await.map_err(|error| Trouble::of(&error))?;
        *stage = Stage::Content;
        connection.command(message).await.map_err(|error| Trouble::of(&error))?;
        Ok(())
    }
}

/// Content and its end in one write: lettre's own way writes the end apart, which costs 40 ms for each letter (Nagle's algorithm
/// against delayed acknowledgements). Dots are doubled by RFC 5321, section 4.5.2.
fn for_the_line(message: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(message).replace("\r\n.", "\r\n..");
    if !text.ends_with("\r\n") {
        text.push_str("\r\n");
    }
    text.push_str(".\r\n");
    text
}

fn tls_parameters(settings: &Smtp) -> Result<TlsParameters, Error> {
    let refuse = |source| Error::Tls { host: settings.host.clone(), source };
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let certificates =
            read_certificates(path).map_err(|source| Error::CaFile { path: path.into(), source: Box::new(source) })?;
        for certificate in certificates {
            builder = builder.add_root_certificate(Certificate::from_der(certificate.to_vec()).map_err(refuse)?);
        }
    }
    builder.build_rustls().map_err(refuse)
}

fn read_certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?;
    if certificates.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(certificates) }
}

impl Parked {
    fn put(&self, line: Line) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < MAX_PARKED {
            lines.push((line, Instant::now()));
        }
    }

    fn take(&self) -> Option<Line> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|(_, since)| since.elapsed() < MAX_IDLE);
        lines.pop().map(|(line, _)| line)
    }
}

impl Secrets {
    fn of(login: Option<(&str, &str)>) -> Self {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let forms = login.filter(|(_, password)| !password.is_empty()).map(|(user, password)| {
            vec![STANDARD.encode(format!("\0{user}\0{password}")), STANDARD.encode(password), password.to_owned()]
        });
        Self(forms.unwrap_or_default())
    }

    fn mask(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}
