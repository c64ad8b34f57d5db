//! A SIP server that answers.

use serde::{Deserialize, Serialize};

use super::Check;
use super::address::{HOST_PORT_RULE, parse_host_port};
use super::template::is_template;
use crate::domain::document::Table;

#[cfg(test)]
mod tests;

const URI_RULE: &str =
    "a SIP URI such as `sip:100@pbx.example`; `$ADDRESS` and `$VAR_NAME` stand for the host's values";
const TRANSPORTS: [(&str, Transport); 2] = [("udp", Transport::Udp), ("tcp", Transport::Tcp)];

/// A server that must answer OPTIONS (RFC 3261, section 11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipCheck {
    /// `host:port`.
    pub address: String,
    /// How the question travels.
    pub transport: Transport,
    /// Who is asked about; none: the server itself.
    pub uri: Option<String>,
    /// Expected final status, 200 to 699.
    pub status: u16,
}

/// How SIP messages travel (RFC 3261, section 18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Message by message.
    Udp,
    /// In a connection.
    Tcp,
}

impl Transport {
    /// The word in files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// Reads `sip`.
pub(super) fn read_sip(table: &mut Table<'_>) -> Option<Check> {
    let address = table.required("address").and_then(|value| value.parsed(HOST_PORT_RULE, parse_host_port));
    let transport = table.optional("transport").map_or(Some(Transport::Udp), |value| value.word(&TRANSPORTS));
    let uri = table.optional("uri").and_then(|value| value.parsed(URI_RULE, parse_uri));
    let status = table.optional("status").map_or(Some(200), |value| value.integer(200..=699));
    Some(Check::Sip(SipCheck { address: address?, transport: transport?, uri, status: status? }))
}

/// Nothing that could end the first line or a header in which it stands (RFC 3261, section 25.1).
fn parse_uri(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_graphic() && !"<>\"\\^`{|}".contains(c);
    let fits = text.len() <= 300 && text.len() > "sip:".len() && text.starts_with("sip:") && text.chars().all(plain);
    (fits && is_template(text)).then(|| text.to_owned())
}
