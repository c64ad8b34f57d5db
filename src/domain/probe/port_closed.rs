//! A port that must not take connections.

use serde::{Deserialize, Serialize};

use super::Check;
use super::address::{HOST_PORT_RULE, parse_host_port};
use crate::domain::document::Table;

/// A port that must not take connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortClosedCheck {
    /// `host:port`.
    pub address: String,
}

/// Reads `port_closed`.
pub(super) fn read_port_closed(table: &mut Table<'_>) -> Option<Check> {
    let address = table.required("address").and_then(|value| value.parsed(HOST_PORT_RULE, parse_host_port));
    Some(Check::PortClosed(PortClosedCheck { address: address? }))
}
