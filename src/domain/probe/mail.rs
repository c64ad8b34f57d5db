//! Mail servers: one that takes mail, one that shows it, and the way between them.

use serde::{Deserialize, Serialize};

use super::Check;
use super::address::{CA_FILE_RULE, HOST_PORT_RULE, parse_ca_file, parse_host_port};
use super::login::{Login, read_login};
use crate::domain::document::{Table, Value, Wrong};
use crate::domain::inventory::address::{EMAIL_RULE, parse_email};
use crate::domain::job::SecretReference;

#[cfg(test)]
mod tests;

/// What the name of a mailbox accepts, for messages. RFC 3501, section 5.1.3.
const MAILBOX_RULE: &str =
    "the name of a mailbox in printable ASCII (others as the server lists them, in modified UTF-7)";
/// The password for the server that takes mail, among the secrets of a check.
pub const SMTP_PASSWORD: &str = "smtp_password";
/// The password for the server that shows mail.
pub const IMAP_PASSWORD: &str = "imap_password";
const SECURITIES: [(&str, Security); 3] =
    [("starttls", Security::StartTls), ("tls", Security::Tls), ("none", Security::None)];

/// How to reach a mail server, and how to log in there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailServer {
    /// `host:port`.
    pub address: String,
    /// How the line is protected.
    pub security: Security,
    /// Absent: nobody logs in. Never with [`Security::None`].
    pub login: Option<Login>,
    /// Whether the certificate must be right.
    pub tls_verify: bool,
    /// Certificates that are trusted beside those of the controller: a PEM file.
    pub ca_file: Option<String>,
}

impl MailServer {
    /// Its password, under the name that it has in the check.
    pub(super) fn secret(&self, name: &'static str) -> Option<(&'static str, &SecretReference)> {
        self.login.as_ref().map(|login| (name, &login.password))
    }
}

/// How the line to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// STARTTLS (RFC 3207, RFC 3501), required.
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// Not at all.
    None,
}

/// A server that must take mail. Nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpCheck {
    /// Where, and who.
    pub server: MailServer,
    /// The sender for `MAIL FROM`; absent: the empty one, `<>`.
    pub from: Option<String>,
    /// A recipient that the server must accept.
    pub rcpt: Option<String>,
}

/// A server that must show a mailbox. Nothing in it is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImapCheck {
    /// Where, and who; without login it must greet only.
    pub server: MailServer,
    /// The mailbox that is opened.
    pub mailbox: String,
}

/// A message that must arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundTripCheck {
    /// Takes the message.
    pub smtp: MailServer,
    /// Where it must appear; with a login.
    pub imap: ImapCheck,
    /// Sender.
    pub from: String,
    /// Recipient.
    pub to: String,
    /// Longest time from its submission to its appearance, in seconds.
    pub arrives_within_s: u64,
}

impl RoundTripCheck {
    /// Time for a whole try, in seconds: the way, and connecting, submitting and clearing away.
    #[must_use]
    pub fn usual_timeout_s(&self) -> u64 {
        self.arrives_within_s + 30
    }
}

pub(super) fn read_smtp(table: &mut Table<'_>) -> Option<Check> {
    let server = read_server(table, Security::StartTls);
    let from = read_email(table.optional("from"));
    let rcpt = read_email(table.optional("rcpt"));
    if table.has("from") && !table.has("rcpt") {
        table.report(Wrong::new("`from` is of use with `rcpt` only").expected("`rcpt = \"postmaster@…\"` beside it"));
    }
    Some(Check::Smtp(SmtpCheck { server: server?, from, rcpt }))
}

pub(super) fn read_imap(table: &mut Table<'_>) -> Option<Check> {
    read_imap_server(table).map(Check::Imap)
}

pub(super) fn read_round_trip(table: &mut Table<'_>) -> Option<Check> {
    let smtp = table.required("smtp").and_then(|value| value.table()).and_then(|mut inner| {
        let server = read_server(&mut inner, Security::StartTls);
        inner.finish();
        server
    });
    let imap = table.required("imap").and_then(|value| value.table()).and_then(|mut inner| {
        if !inner.has("user") {
            inner.report(Wrong::new("nobody logs in to `imap`").expected("`user` and `password`"));
        }
        let imap = read_imap_server(&mut inner);
        inner.finish();
        imap
    });
    let from = table.required("from");
    let to = table.required("to");
    let (from, to) = (read_email(from), read_email(to));
    let arrives_within_s = table.optional("arrives_within").map_or(Some(60), |value| value.duration_s());
    let check = RoundTripCheck { smtp: smtp?, imap: imap?, from: from?, to: to?, arrives_within_s: arrives_within_s? };
    Some(Check::MailRoundTrip(Box::new(check)))
}

fn read_imap_server(table: &mut Table<'_>) -> Option<ImapCheck> {
    let server = read_server(table, Security::Tls);
    let mailbox =
        table.optional("mailbox").map_or(Some("INBOX".to_owned()), |value| value.parsed(MAILBOX_RULE, parse_mailbox));
    if table.has("mailbox") && !table.has("user") {
        table.report(Wrong::new("a `mailbox` is opened after a login only").expected("`user` and `password`"));
    }
    Some(ImapCheck { server: server?, mailbox: mailbox? })
}

/// Does not finish the table: its other keys are the caller's.
fn read_server(table: &mut Table<'_>, usual: Security) -> Option<MailServer> {
    let address = table.required("address").and_then(|value| value.parsed(HOST_PORT_RULE, parse_host_port));
    let security = table.optional("security").map_or(Some(usual), |value| value.word(&SECURITIES));
    let tls_verify = table.optional("tls_verify").map_or(Some(true), |value| value.boolean());
    let ca_file = table.optional("ca_file").and_then(|value| value.parsed(CA_FILE_RULE, parse_ca_file));
    let login = read_login(table);
    if security == Some(Security::None) {
        refuse_in_clear(table);
    }
    Some(MailServer { address: address?, security: security?, login, tls_verify: tls_verify?, ca_file })
}

fn refuse_in_clear(table: &Table<'_>) {
    if table.has("user") || table.has("password") {
        let wrong = Wrong::new("a password would go over the line in clear");
        table.report(wrong.expected("`security = \"starttls\"` or `\"tls\"` where there is a `user`"));
    }
    for key in ["tls_verify", "ca_file"] {
        if table.has(key) {
            table.report(Wrong::new(format!("`{key}` is of no use without TLS")));
        }
    }
}

fn read_email(value: Option<Value<'_>>) -> Option<String> {
    value?.parsed(EMAIL_RULE, parse_email)
}

fn parse_mailbox(text: &str) -> Option<String> {
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    ((1..=254).contains(&text.len()) && printable).then(|| text.to_owned())
}
