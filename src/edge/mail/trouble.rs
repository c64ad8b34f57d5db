//! What goes wrong between us and a mail server, and what it means for a letter.

use std::error::Error as _;

use lettre::transport::smtp;
use rustls::CertificateError;

use super::{Letter, Refusal};
use crate::domain::settings::delivery::Security;

#[cfg(test)]
mod tests;

/// Answers by which a server wants a login, or another one (RFC 4954, section 6).
const LOGIN_WANTED: [u16; 4] = [530, 534, 535, 538];

const SECURITY_HINT: &str = "look at `port` and `security` in `[mail]`: 587 wants `starttls`, 465 wants `tls`";
const LOGIN_HINT: &str = "look at `user` and `password` in `[mail]`, and whether this account may send";
const SENDER_HINT: &str =
    "look at `email` in `[provider]`: the mail server must know it, and the user must be allowed to send from it";
const SERVER_HINT: &str = "look at `host` and `port` in `[mail]`, and ask who runs the mail server";

/// How far a letter has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Up to the server's answer to our greeting; with TLS from the first byte, that as well.
    Connect,
    /// From `STARTTLS` to the second greeting.
    StartTls,
    Login,
    /// `MAIL FROM`.
    Sender,
    /// `RCPT TO`.
    Recipient,
    /// `DATA`.
    Data,
    /// The content, and the answer to it.
    Content,
}

impl Stage {
    /// Nothing of the letter is at the server yet.
    pub(super) fn is_before_content(self) -> bool {
        self < Self::Content
    }

    /// The server has heard of the letter.
    fn is_about_letter(self) -> bool {
        self >= Self::Sender
    }

    fn what(self, letter: &Letter) -> String {
        match self {
            Self::Connect => "the connection".to_owned(),
            Self::StartTls => "STARTTLS".to_owned(),
            Self::Login => "the login".to_owned(),
            Self::Sender => format!("the sender `{}`", letter.from.address),
            Self::Recipient => format!("the recipient `{}`", letter.to.address),
            Self::Data | Self::Content => "the letter".to_owned(),
        }
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The server said no.
    Answer { code: u16, text: String },
    /// No answer in time.
    Silence { limit_s: u64 },
    /// The line could not be made, or broke.
    Line(String),
    /// The server's certificate is not trusted.
    Certificate { text: String, hint: &'static str },
    /// TLS can't be spoken with this server.
    Tls(String),
    /// The server offers no STARTTLS, or no login that we know.
    NotOffered,
    /// What the server says is no SMTP.
    Gibberish(String),
    /// The server does not take addresses beyond ASCII.
    NoUnicodeAddresses,
}

impl Trouble {
    pub(super) fn of(error: &smtp::Error) -> Self {
        let reason = deepest(error);
        if let Some(code) = error.status() {
            return Self::Answer {
                code: code.into(),
                text: error.source().map(ToString::to_string).unwrap_or_default(),
            };
        }
        if let Some(tls) = tls_error(error) {
            return match tls {
                rustls::Error::InvalidCertificate(why) => {
                    Self::Certificate { text: tls.to_string(), hint: certificate_hint(why) }
                }
                _ => Self::Tls(tls.to_string()),
            };
        }
        if error.is_client() {
            return Self::NotOffered;
        }
        // lettre's word for a connection that the server closed.
        if error.is_response() && reason != "incomplete response" {
            return Self::Gibberish(reason);
        }
        Self::Line(if error.is_response() { "the server closed the connection".to_owned() } else { reason })
    }

    /// The server may end a connection at any time (RFC 5321, section 3.8).
    pub(super) fn is_end_of_line(&self) -> bool {
        matches!(self, Self::Line(_) | Self::Answer { code: 421, .. })
    }

    /// What the server says may repeat what was said to it.
    pub(super) fn masked(self, mask: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Answer { code, text } => Self::Answer { code, text: mask(&text) },
            Self::Line(text) => Self::Line(mask(&text)),
            Self::Tls(text) => Self::Tls(mask(&text)),
            Self::Gibberish(text) => Self::Gibberish(mask(&text)),
            other => other,
        }
    }

    /// `place` is the server as `host:port`.
    pub(super) fn sort(self, stage: Stage, place: &str, letter: &Letter, security: Security) -> Refusal {
        let object = stage.what(letter);
        match self {
            Self::Answer { code, text } => sort_answer(code, &format!("{code} {text}"), stage, place, &object),
            Self::Silence { limit_s } => {
                let what = format!("the mail server {place} did not answer within {limit_s} s: {object}");
                sort_silence(&what, stage, place, security)
            }
            Self::Line(reason) if stage == Stage::Connect => {
                for_now(&format!("could not connect to the mail server {place}: {reason}"), stage)
            }
            Self::Line(reason) => {
                let what = format!("the line to the mail server {place} broke at {object}: {reason}");
                for_now(&may_have_arrived(&what, stage), stage)
            }
            Self::Certificate { text, hint } => Refusal::misconfigured(
                &format!("the certificate of the mail server {place} is not trusted: {text}"),
                hint,
            ),
            Self::Tls(text) => Refusal::misconfigured(
                &format!("could not speak TLS with the mail server {place}: {text}"),
                SECURITY_HINT,
            ),
            Self::NotOffered if stage == Stage::Login => Refusal::misconfigured(
                &format!("the mail server {place} offers neither of the logins PLAIN and LOGIN"),
                LOGIN_HINT,
            ),
            Self::NotOffered => {
                Refusal::misconfigured(&format!("the mail server {place} does not offer {object}"), SECURITY_HINT)
            }
            Self::Gibberish(text) => Refusal::misconfigured(
                &format!("what answers at {place} to {object} does not speak SMTP: {text}"),
                SERVER_HINT,
            ),
            Self::NoUnicodeAddresses => Refusal::permanent(&format!(
                "the mail server {place} does not take addresses with letters beyond ASCII (SMTPUTF8), as in {object}"
            )),
        }
    }
}

fn sort_answer(code: u16, answer: &str, stage: Stage, place: &str, object: &str) -> Refusal {
    if code < 500 {
        return for_now(&format!("the mail server {place} put off {object}: {answer}"), stage);
    }
    let what = format!("the mail server {place} refused {object}: {answer}");
    match stage {
        _ if LOGIN_WANTED.contains(&code) => Refusal::misconfigured(&what, LOGIN_HINT),
        Stage::Connect => Refusal::misconfigured(&what, SERVER_HINT),
        Stage::StartTls => Refusal::misconfigured(&what, SECURITY_HINT),
        Stage::Login => Refusal::misconfigured(&what, LOGIN_HINT),
        // It would refuse every letter: none is given up for that.
        Stage::Sender => Refusal::misconfigured(&what, SENDER_HINT),
        Stage::Recipient | Stage::Data | Stage::Content => Refusal::permanent(&what),
    }
}

fn sort_silence(what: &str, stage: Stage, place: &str, security: Security) -> Refusal {
    // A server that waits for TLS says nothing.
    if stage == Stage::Connect && security != Security::Tls && place.ends_with(":465") {
        return Refusal::misconfigured(what, SECURITY_HINT);
    }
    for_now(&may_have_arrived(what, stage), stage)
}

/// A server that has not heard of the letter yet puts off every letter.
fn for_now(what: &str, stage: Stage) -> Refusal {
    if stage.is_about_letter() { Refusal::transient(what) } else { Refusal::unreachable(what) }
}

fn may_have_arrived(what: &str, stage: Stage) -> String {
    if stage.is_before_content() { what.to_owned() } else { format!("{what}; it may have arrived") }
}

fn certificate_hint(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the mail server needs a new certificate, or this machine's clock is wrong"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "this machine's clock is wrong, or the certificate is for later"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "`host` in `[mail]` must be a name that stands in the certificate"
        }
        _ => "if the certificate is right, `ca_file` in `[mail]` names the certificates of those who issued it",
    }
}

/// The TLS error within an I/O error, which does not give it as its source.
fn tls_error(error: &smtp::Error) -> Option<&rustls::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref()).or_else(|| error.downcast_ref()) {
            return Some(tls);
        }
        source = error.source();
    }
    None
}

/// lettre's own text repeats "Connection error" for each layer.
fn deepest(error: &smtp::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    text
}
