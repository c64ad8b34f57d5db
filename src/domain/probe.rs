//! Probes: what a service must answer to whoever looks at it from outside.
//!
//! Knows what is asked and what is expected; does not know how to ask. Invariant: a probe changes nothing that outlives it.

mod address;
mod command;
mod dns;
mod http;
mod login;
pub mod mail;
pub mod observer;
pub mod parse;
mod port_closed;
mod sip;
pub mod sql;
pub mod template;
mod tls;
pub mod unit;

use serde::{Deserialize, Serialize};

use self::mail::{IMAP_PASSWORD, SMTP_PASSWORD};
use self::sql::SQL_PASSWORD;
use super::id::Name;
use super::job::SecretReference;

pub use command::CommandCheck;
pub use dns::{DnsCheck, RecordKind};
pub use http::{Header, HeaderValue, HttpCheck, JsonCheck, Method};
pub use login::Login;
pub use mail::{ImapCheck, MailServer, RoundTripCheck, Security, SmtpCheck};
pub use port_closed::PortClosedCheck;
pub use sip::{SipCheck, Transport};
pub use sql::{Engine, SqlCheck, SqlTls};
pub use tls::TlsCheck;
pub use unit::UnitCheck;

/// A check from outside, and how patient it is.
///
/// In JSON the check and its patience are one object: `{"http": {…}, "timeout_s": 10, "within_s": 30, "interval_s": 1}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What is asked, and what the answer must be.
    #[serde(flatten)]
    pub check: Check,
    /// How often, and for how long.
    #[serde(flatten)]
    pub patience: Patience,
}

/// How long a probe waits for the right answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Patience {
    /// Longest time that one try may take, in seconds.
    pub timeout_s: u64,
    /// It is tried again until the answer is right, or until so many seconds have passed; 0: one try.
    pub within_s: u64,
    /// Time between two tries, in seconds.
    pub interval_s: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { timeout_s: 10, within_s: 30, interval_s: 1 }
    }
}

impl Patience {
    /// Longest time from the first try, which has all the time of a try, to the end of the last, in seconds.
    #[must_use]
    pub fn limit_s(self) -> u64 {
        self.within_s.max(self.timeout_s)
    }
}

/// So many looks of one watch may hang at the same time; while they do, none is added.
pub const MOST_LOOKS: usize = 16;

/// A probe that a host has by the inventory: what the host must do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostProbe {
    /// Unique on the host; a line of text for people.
    pub name: String,
    /// What is asked, and how patiently.
    pub probe: Probe,
    /// The host of the same customer from which is looked; absent: the controller looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Name>,
    /// What becomes of the host if it is red before anything was done.
    #[serde(default)]
    pub on_red_before: OnRedBefore,
    /// Whether it is asked the whole time while the host is in work, and what follows from that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
}

/// How a probe is asked while its host is in work: once every [`Patience::interval_s`], each time for [`Patience::timeout_s`] at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// How long it may be red once the update has ended, in seconds; absent: for any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_downtime_s: Option<u64>,
}

/// What becomes of a host whose probe is red before anything was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRedBefore {
    /// It is left alone: no update is laid over a fault.
    #[default]
    Hold,
    /// It is noted, and the same probe may be red afterwards as well.
    Note,
}

/// What one probe of a host found, when its tries were over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// As in the inventory.
    pub name: String,
    /// Whether the answer was right.
    pub met: bool,
    /// What was asked, expected and found, in one line of at most 200 characters.
    pub what: String,
    /// From the first try to the end of the last, in milliseconds.
    pub took_ms: u64,
    /// What a later look is compared with: the units that had failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noted: Vec<String>,
}

/// What is asked, and what the answer must be. Addresses and URLs are [`template`]s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A program ends as it should.
    Command(CommandCheck),
    /// A name server gives an answer.
    Dns(DnsCheck),
    /// A web server answers a request.
    Http(HttpCheck),
    /// A mail server shows a mailbox.
    Imap(ImapCheck),
    /// A message arrives.
    MailRoundTrip(Box<RoundTripCheck>),
    /// A port takes no connections.
    PortClosed(PortClosedCheck),
    /// A SIP server answers.
    Sip(SipCheck),
    /// A mail server takes mail.
    Smtp(SmtpCheck),
    /// A database answers a query.
    Sql(SqlCheck),
    /// Somebody who is not logged in yet can log in on the host.
    Ssh(SshCheck),
    /// A port takes connections.
    Tcp(TcpCheck),
    /// A certificate is right.
    Tls(TlsCheck),
    /// Units of the host are in order.
    Unit(UnitCheck),
}

impl Check {
    /// The word in files.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Dns(_) => "dns",
            Self::Http(_) => "http",
            Self::Imap(_) => "imap",
            Self::MailRoundTrip(_) => "mail_round_trip",
            Self::PortClosed(_) => "port_closed",
            Self::Sip(_) => "sip",
            Self::Smtp(_) => "smtp",
            Self::Sql(_) => "sql",
            Self::Ssh(_) => "ssh",
            Self::Tcp(_) => "tcp",
            Self::Tls(_) => "tls",
            Self::Unit(_) => "unit",
        }
    }

    /// Whether each look is a login, or a message, that somebody has to deal with.
    #[must_use]
    pub fn is_costly(&self) -> bool {
        matches!(self, Self::MailRoundTrip(_) | Self::Ssh(_))
    }

    /// Whether what it finds has the time that it took in it.
    #[must_use]
    pub fn tells_its_time(&self) -> bool {
        matches!(self, Self::Http(_) | Self::MailRoundTrip(_) | Self::Ssh(_))
    }

    /// What keeps it from being asked through another host, if anything does: in a word or two, and what to do.
    #[must_use]
    pub fn obstacle_from_a_host(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Ssh(_) | Self::Unit(_) => Some(("", "leave it out: the probe is about the host itself")),
            Self::Sip(SipCheck { transport: Transport::Udp, .. }) => {
                Some((" by UDP", "take `transport = \"tcp\"`, or leave it out: SSH servers pass on TCP alone"))
            }
            Self::Dns(DnsCheck { server: None, .. }) => {
                Some((" without `server`", "name the `server`, or leave it out: only the controller knows its own"))
            }
            Self::Command(_)
            | Self::Dns(_)
            | Self::Http(_)
            | Self::Imap(_)
            | Self::MailRoundTrip(_)
            | Self::PortClosed(_)
            | Self::Sip(_)
            | Self::Smtp(_)
            | Self::Sql(_)
            | Self::Tcp(_)
            | Self::Tls(_) => None,
        }
    }

    /// What is asked, in a few words: `GET https://…/`.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Command(check) => format!("command {}", check.argv.join(" ")),
            Self::Dns(check) => format!("dns {} {}", check.kind.word(), check.name),
            Self::Http(check) => format!("{} {}", check.method.word(), check.url),
            Self::Imap(check) => format!("imap {}", check.server.address),
            Self::MailRoundTrip(check) => format!("mail to {}", check.to),
            Self::PortClosed(check) => format!("port_closed {}", check.address),
            Self::Sip(check) => format!("sip {}", check.address),
            Self::Smtp(check) => format!("smtp {}", check.server.address),
            Self::Sql(check) => format!("{} {}", check.engine.word(), check.address),
            Self::Ssh(SshCheck {}) => "ssh".to_owned(),
            Self::Tcp(check) => format!("tcp {}", check.address),
            Self::Tls(check) => format!("tls {}", check.address),
            Self::Unit(check) => format!("unit {}", check.name.as_deref().unwrap_or("(all)")),
        }
    }

    /// The secrets that asking needs, each under a name that is unique in the check.
    #[must_use]
    pub fn secrets(&self) -> Vec<(&'static str, &SecretReference)> {
        match self {
            Self::Http(check) => check.secret_headers().map(|(_, name, reference)| (name, reference)).collect(),
            Self::Imap(check) => check.server.secret(IMAP_PASSWORD).into_iter().collect(),
            Self::Smtp(check) => check.server.secret(SMTP_PASSWORD).into_iter().collect(),
            Self::MailRoundTrip(check) => {
                let (smtp, imap) = (check.smtp.secret(SMTP_PASSWORD), check.imap.server.secret(IMAP_PASSWORD));
                smtp.into_iter().chain(imap).collect()
            }
            Self::Sql(check) => vec![(SQL_PASSWORD, &check.login.password)],
            Self::Command(_)
            | Self::Dns(_)
            | Self::PortClosed(_)
            | Self::Sip(_)
            | Self::Ssh(_)
            | Self::Tcp(_)
            | Self::Tls(_)
            | Self::Unit(_) => Vec::new(),
        }
    }

    /// How long one try may take if nobody says so, in seconds.
    #[must_use]
    pub fn usual_timeout_s(&self) -> u64 {
        match self {
            Self::MailRoundTrip(check) => check.usual_timeout_s(),
            _ => Patience::default().timeout_s,
        }
    }
}

/// A new login on the host itself, as turnus logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshCheck {}

/// A port that must take connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpCheck {
    /// `host:port`.
    pub address: String,
    /// Text with which the server must greet.
    pub greeting: Option<String>,
}
