//! Allow-lists for what ends up on an ssh command line or in its configuration: addresses, users, hops, paths.
//!
//! Invariant: nothing that passes begins with `-`, or holds white space (but in paths), control characters or quotes.

use std::net::Ipv6Addr;

use super::Connection;

/// What [`parse_address`] accepts, for messages.
pub const ADDRESS_RULE: &str =
    "a host name or IP address of letters, digits, `.`, `-` and `_`, beginning with a letter or digit";
/// What [`parse_user`] accepts, for messages.
pub const USER_RULE: &str = "1 to 64 letters, digits, `.`, `-`, `_` and `+`, beginning with a letter, digit or `_`";
/// What [`parse_hop`] accepts, for messages.
pub const HOP_RULE: &str = "the name of a host of this file, or `[user@]host[:port]`";
/// What [`parse_local_path`] accepts, for messages.
pub const LOCAL_PATH_RULE: &str =
    "an absolute path or one that begins with `~/`, without quotes and control characters";
/// What [`parse_host_directory`] accepts, for messages.
pub const HOST_DIRECTORY_RULE: &str = "an absolute path of letters, digits, `/`, `.`, `-` and `_`, without `..`";
/// What [`parse_host_path`] accepts, for messages.
pub const HOST_PATH_RULE: &str = "an absolute path without `..` and control characters";
/// What [`parse_email`] accepts, for messages.
pub const EMAIL_RULE: &str = "a mail address such as `it@nordwind.example`";

/// A host name, an IPv4 address, or an IPv6 address with or without zone.
#[must_use]
pub fn parse_address(text: &str) -> Option<String> {
    let valid = if text.contains(':') { is_ipv6(text) } else { is_host_name(text) };
    valid.then(|| text.to_owned())
}

/// A login name.
#[must_use]
pub fn parse_user(text: &str) -> Option<String> {
    let valid = (1..=64).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "._-+".contains(character));
    valid.then(|| text.to_owned())
}

/// `[user@]host[:port]`; an IPv6 address stands in brackets if a port follows.
#[must_use]
pub fn parse_hop(text: &str) -> Option<Connection> {
    let (user, place) = match text.split_once('@') {
        Some((user, place)) => (Some(parse_user(user)?), place),
        None => (None, text),
    };
    let (address, port) = split_port(place)?;
    Some(Connection { port, user, ..Connection::to(parse_address(address)?) })
}

/// The path of a file on the controller.
#[must_use]
pub fn parse_local_path(text: &str) -> Option<String> {
    let valid = (text.starts_with('/') || text.starts_with("~/"))
        && text.len() <= 4096
        && !text.contains(|character: char| character.is_control() || "\"'\\".contains(character));
    valid.then(|| text.to_owned())
}

/// A directory on a host.
#[must_use]
pub fn parse_host_directory(text: &str) -> Option<String> {
    let valid = text.starts_with('/')
        && !text.trim_matches('/').is_empty()
        && text.len() <= 1024
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "/._-".contains(character))
        && text.split('/').all(|part| part != "..");
    valid.then(|| text.to_owned())
}

/// Any place on a host, without a slash at its end. It reaches the host as data, so it may hold what a shell would read otherwise.
#[must_use]
pub fn parse_host_path(text: &str) -> Option<String> {
    let valid = text.starts_with('/')
        && text.len() <= 1024
        && !text.contains(char::is_control)
        && text.split('/').all(|part| part != "..");
    let path = text.trim_end_matches('/');
    valid.then(|| if path.is_empty() { "/".to_owned() } else { path.to_owned() })
}

/// Longest mailbox and longest label of a domain in bytes (RFC 5321, section 4.5.3.1.1; RFC 1035, section 2.3.4).
const MAX_MAILBOX: usize = 64;
const MAX_LABEL: usize = 63;

/// A mail address, as far as its look tells. Letters beyond ASCII are fine on both sides, digits beyond it in no domain: written
/// from right to left they make no name (RFC 5893).
#[must_use]
pub fn parse_email(text: &str) -> Option<String> {
    let (mailbox, domain) = text.split_once('@')?;
    let atom = |character: char| character.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(character);
    let label = |label: &str| {
        // What is not ASCII becomes longer yet on the line.
        (1..=MAX_LABEL).contains(&label.chars().count())
            && label.trim_matches('-') == label
            && label.chars().all(|c| c.is_alphabetic() || c.is_ascii_digit() || c == '-')
    };
    let valid = text.len() <= 254
        && mailbox.len() <= MAX_MAILBOX
        && mailbox.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
    (valid && domain.split('.').all(label)).then(|| text.to_owned())
}

fn split_port(place: &str) -> Option<(&str, Option<u16>)> {
    if let Some(bracketed) = place.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        let port = if rest.is_empty() { None } else { Some(parse_port(rest.strip_prefix(':')?)?) };
        return address.contains(':').then_some((address, port));
    }
    match place.split_once(':') {
        Some((address, port)) if !port.contains(':') => Some((address, Some(parse_port(port)?))),
        _ => Some((place, None)),
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    let zone_fits = (1..=32).contains(&zone.len())
        && zone.starts_with(|first: char| first.is_ascii_alphanumeric())
        && zone.chars().all(|character| character.is_ascii_alphanumeric() || "._-".contains(character));
    zone_fits && address.parse::<Ipv6Addr>().is_ok()
}

fn is_host_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "._-".contains(character))
}

#[cfg(test)]
mod tests;
