//! Probes: what a service must answer to whoever looks at it from outside.
//!
//! Knows what is asked and what is expected; does not know how to ask. Invariant: a probe changes nothing that outlives it.

mod address;
pub mod parse;
pub mod template;

use serde::{Deserialize, Serialize};

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

/// A probe that a host has by the inventory: what the host must do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostProbe {
    /// Unique on the host; a line of text for people.
    pub name: String,
    /// What is asked, and how patiently.
    pub probe: Probe,
    /// What becomes of the host if it is red before anything was done.
    #[serde(default)]
    pub on_red_before: OnRedBefore,
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
}

/// What is asked, and what the answer must be. Addresses and URLs are [`template`]s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A web server answers a request.
    Http(HttpCheck),
    /// A port takes connections.
    Tcp(TcpCheck),
}

impl Check {
    /// The word in files.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Tcp(_) => "tcp",
        }
    }

    /// What is asked, in a few words: `GET https://…/`.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Http(check) => format!("GET {}", check.url),
            Self::Tcp(check) => format!("tcp {}", check.address),
        }
    }

    /// The secrets that asking needs, each under a name that is unique in the check.
    #[must_use]
    pub fn secrets(&self) -> Vec<(&'static str, &SecretReference)> {
        match self {
            Self::Http(_) | Self::Tcp(_) => Vec::new(),
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
