//! Probes: what a service must answer to whoever looks at it from outside.
//!
//! Knows what is asked and what is expected; does not know how to ask. Invariant: a probe changes nothing that outlives it.

mod address;
pub mod mail;
pub mod parse;
pub mod template;

use serde::{Deserialize, Serialize};

use self::mail::{IMAP_PASSWORD, ImapCheck, RoundTripCheck, SMTP_PASSWORD, SmtpCheck};
use super::job::SecretReference;

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
    /// A web server answers a request.
    Http(HttpCheck),
    /// A mail server shows a mailbox.
    Imap(ImapCheck),
    /// A message arrives.
    MailRoundTrip(Box<RoundTripCheck>),
    /// A mail server takes mail.
    Smtp(SmtpCheck),
    /// A port takes connections.
    Tcp(TcpCheck),
}

impl Check {
    /// The word in files.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Imap(_) => "imap",
            Self::MailRoundTrip(_) => "mail_round_trip",
            Self::Smtp(_) => "smtp",
            Self::Tcp(_) => "tcp",
        }
    }

    /// What is asked, in a few words: `GET https://…/`.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Http(check) => format!("GET {}", check.url),
            Self::Imap(check) => format!("imap {}", check.server.address),
            Self::MailRoundTrip(check) => format!("mail to {}", check.to),
            Self::Smtp(check) => format!("smtp {}", check.server.address),
            Self::Tcp(check) => format!("tcp {}", check.address),
        }
    }

    /// The secrets that asking needs, each under a name that is unique in the check.
    #[must_use]
    pub fn secrets(&self) -> Vec<(&'static str, &SecretReference)> {
        match self {
            Self::Http(_) | Self::Tcp(_) => Vec::new(),
            Self::Imap(check) => check.server.secret(IMAP_PASSWORD).into_iter().collect(),
            Self::Smtp(check) => check.server.secret(SMTP_PASSWORD).into_iter().collect(),
            Self::MailRoundTrip(check) => {
                let (smtp, imap) = (check.smtp.secret(SMTP_PASSWORD), check.imap.server.secret(IMAP_PASSWORD));
                smtp.into_iter().chain(imap).collect()
            }
        }
    }

    /// How long one try may take if nobody says so, in seconds.
    #[must_use]
    pub fn usual_timeout_s(&self) -> u64 {
        match self {
            Self::MailRoundTrip(check) => check.usual_timeout_s(),
            Self::Http(_) | Self::Imap(_) | Self::Smtp(_) | Self::Tcp(_) => Patience::default().timeout_s,
        }
    }
}

/// What a web server must answer. Redirects are not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCheck {
    /// `http` or `https` URL.
    pub url: String,
    /// Expected status code.
    pub status: u16,
    /// Text that the first MiB of the body must contain.
    pub contains: Option<String>,
}

/// A port that must take connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpCheck {
    /// `host:port`.
    pub address: String,
    /// Text with which the server must greet.
    pub greeting: Option<String>,
}
