//! Where probes look: `host:port`, as a template; and files of the controller.

use super::template::is_template;
use crate::domain::inventory::address::parse_local_path;

/// What [`parse_host_port`] accepts, for messages.
pub(super) const HOST_PORT_RULE: &str =
    "`host:port` such as `$ADDRESS:25`; `$ADDRESS` and `$VAR_NAME` stand for the host's values";

/// A host and a port, each of them a value of the host or written out; an IPv6 address stands in brackets.
pub(super) fn parse_host_port(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-$[]:".contains(c);
    let bare_colon = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    let is_port = port.starts_with('$') || port.parse::<u16>().is_ok_and(|port| port > 0);
    let fits = !host.is_empty() && text.len() <= 300 && host.chars().all(plain) && !bare_colon && is_port;
    (fits && is_template(text)).then(|| text.to_owned())
}

/// What [`parse_ca_file`] accepts, for messages.
pub(super) const CA_FILE_RULE: &str = "the absolute path of a PEM file on the controller";

/// A file of certificates on the controller.
pub(super) fn parse_ca_file(text: &str) -> Option<String> {
    parse_local_path(text).filter(|path| path.starts_with('/'))
}
