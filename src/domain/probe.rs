//! Probes: what a service must answer to whoever looks at it from outside.
//!
//! Knows what is asked and what is expected; does not know how to ask. Invariant: a probe changes nothing that outlives it.

mod address;
mod command;
mod dns;
mod http;
pub mod parse;
mod port_closed;
pub mod template;
mod tls;

use serde::{Deserialize, Serialize};

use super::job::SecretReference;

pub use command::CommandCheck;
pub use dns::{DnsCheck, RecordKind};
pub use http::{Header, HeaderValue, HttpCheck, JsonCheck, Method};
pub use port_closed::PortClosedCheck;
pub use tls::TlsCheck;

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

/// What is asked, and what the answer must be. Addresses and URLs are [`template`]s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A program of the controller ends as it should.
    Command(CommandCheck),
    /// A name server gives an answer.
    Dns(DnsCheck),
    /// A web server answers a request.
    Http(HttpCheck),
    /// A port takes no connections.
    PortClosed(PortClosedCheck),
    /// A port takes connections.
    Tcp(TcpCheck),
    /// A certificate is right.
    Tls(TlsCheck),
}

impl Check {
    /// The word in files.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Dns(_) => "dns",
            Self::Http(_) => "http",
            Self::PortClosed(_) => "port_closed",
            Self::Tcp(_) => "tcp",
            Self::Tls(_) => "tls",
        }
    }

    /// What is asked, in a few words: `GET https://…/`.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Command(check) => format!("command {}", check.argv.join(" ")),
            Self::Dns(check) => format!("dns {} {}", check.kind.word(), check.name),
            Self::Http(check) => format!("{} {}", check.method.word(), check.url),
            Self::PortClosed(check) => format!("port_closed {}", check.address),
            Self::Tcp(check) => format!("tcp {}", check.address),
            Self::Tls(check) => format!("tls {}", check.address),
        }
    }

    /// The secrets that asking needs, each under a name that is unique in the check.
    #[must_use]
    pub fn secrets(&self) -> Vec<(&'static str, &SecretReference)> {
        match self {
            Self::Http(check) => check.secret_headers().map(|(_, name, reference)| (name, reference)).collect(),
            Self::Command(_) | Self::Dns(_) | Self::PortClosed(_) | Self::Tcp(_) | Self::Tls(_) => Vec::new(),
        }
    }
}

/// A port that must take connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpCheck {
    /// `host:port`.
    pub address: String,
    /// Text with which the server must greet.
    pub greeting: Option<String>,
}
