//! A server whose certificate is right, and will be for a while.

use serde::{Deserialize, Serialize};

use super::Check;
use super::address::{CA_FILE_RULE, HOST_PORT_RULE, parse_ca_file, parse_host_port};
use super::template::is_template;
use crate::domain::document::Table;

#[cfg(test)]
mod tests;

/// Two weeks: whoever renews certificates by itself does so a month before their end (ACME clients: a third of their time).
const DAYS_LEFT: u32 = 14;

const SERVER_NAME_RULE: &str =
    "a host name or an address, such as `shop.example`; `$ADDRESS` and `$VAR_NAME` stand for the host's values";

/// A certificate that must be trusted, be for the name, and last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsCheck {
    /// `host:port`; TLS begins with the first byte.
    pub address: String,
    /// The name that is asked for and that the certificate must have; none: the host of `address`.
    pub server_name: Option<String>,
    /// The certificate must be valid for so many days (24 hours) more.
    pub days_left: u32,
    /// PEM file of certificates that are trusted beside those of the machine.
    pub ca_file: Option<String>,
}

/// Reads `tls`.
pub(super) fn read_tls(table: &mut Table<'_>) -> Option<Check> {
    let address = table.required("address").and_then(|value| value.parsed(HOST_PORT_RULE, parse_host_port));
    let server_name = table.optional("server_name").and_then(|value| value.parsed(SERVER_NAME_RULE, parse_server_name));
    let days_left = table.optional("days_left").map_or(Some(DAYS_LEFT), |value| value.integer(0..=3650));
    let ca_file = table.optional("ca_file").and_then(|value| value.parsed(CA_FILE_RULE, parse_ca_file));
    Some(Check::Tls(TlsCheck { address: address?, server_name, days_left: days_left?, ca_file }))
}

fn parse_server_name(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:$".contains(c);
    let fits = (1..=253).contains(&text.len()) && text.chars().all(plain) && is_template(text);
    fits.then(|| text.to_owned())
}
