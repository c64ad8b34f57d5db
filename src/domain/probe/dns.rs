//! What a name server must answer.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::Check;
use super::address::parse_host_port;
use super::parse::read_text;
use super::template::is_template;
use crate::domain::document::{Table, Value, Wrong};

#[cfg(test)]
mod tests;

const NAME_RULE: &str =
    "a name such as `shop.example`, for PTR also an address; `$ADDRESS` and `$VAR_NAME` stand for the host's values";
const SERVER_RULE: &str =
    "`host` or `host:port` such as `$ADDRESS` or `192.0.2.1:5353`; an IPv6 address stands in brackets";

/// An answer that a name server must give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsCheck {
    /// What is asked about; for [`RecordKind::Ptr`] an address will do.
    pub name: String,
    /// Which records.
    #[serde(rename = "type")]
    pub kind: RecordKind,
    /// All that is answered, in any order; see [`RecordKind::plain`].
    pub equals: Option<Vec<String>>,
    /// Text that one record at least must contain.
    pub contains: Option<String>,
    /// Who is asked, as `host:port`; none: whom the controller asks.
    pub server: Option<String>,
}

/// What a name server knows about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail servers: `10 mail.example`.
    Mx,
    /// Texts; the parts of one are joined.
    Txt,
    /// The name that this one stands for.
    Cname,
    /// Name servers.
    Ns,
    /// Places of a service: `0 5 5060 sip.example` (priority, weight, port, host).
    Srv,
    /// The name of an address.
    Ptr,
}

const KINDS: [(&str, RecordKind); 8] = [
    ("A", RecordKind::A),
    ("AAAA", RecordKind::Aaaa),
    ("MX", RecordKind::Mx),
    ("TXT", RecordKind::Txt),
    ("CNAME", RecordKind::Cname),
    ("NS", RecordKind::Ns),
    ("SRV", RecordKind::Srv),
    ("PTR", RecordKind::Ptr),
];

impl RecordKind {
    /// The word of the protocol.
    #[must_use]
    pub fn word(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("A", |(word, _)| word)
    }

    /// A record as it is compared: addresses in their usual form, names in lower case and without the last dot, texts as they
    /// are. None if it can't be of this kind.
    #[must_use]
    pub fn plain(self, text: &str) -> Option<String> {
        let numbers = match self {
            Self::A => return text.parse::<Ipv4Addr>().ok().map(|address| address.to_string()),
            Self::Aaaa => {
                let bare = text.trim_start_matches('[').trim_end_matches(']');
                return bare.parse::<Ipv6Addr>().ok().map(|address| address.to_string());
            }
            Self::Txt => return Some(text.to_owned()),
            Self::Mx => 1,
            Self::Srv => 3,
            Self::Cname | Self::Ns | Self::Ptr => 0,
        };
        let words: Vec<_> = text.split(' ').collect();
        let (name, before) = words.split_last()?;
        let fits = before.len() == numbers && before.iter().all(|word| word.parse::<u16>().is_ok()) && !name.is_empty();
        fits.then(|| text.strip_suffix('.').filter(|_| *name != ".").unwrap_or(text).to_ascii_lowercase())
    }

    fn rule(self) -> &'static str {
        match self {
            Self::A => "an IPv4 address",
            Self::Aaaa => "an IPv6 address",
            Self::Mx => "preference and host: `10 mail.example`",
            Self::Txt => "text",
            Self::Cname | Self::Ns | Self::Ptr => "a name",
            Self::Srv => "priority, weight, port and host: `0 5 5060 sip.example`",
        }
    }
}

/// Reads `dns`.
pub(super) fn read_dns(table: &mut Table<'_>) -> Option<Check> {
    let name = table.required("name").and_then(|value| value.parsed(NAME_RULE, parse_name));
    let kind = table.required("type").and_then(|value| value.word(&KINDS));
    let (equals, contains) = (table.optional("equals"), table.optional("contains"));
    if let Some(value) = contains.filter(|_| equals.is_some()) {
        value.report(Wrong::new("`equals` says all, so that `contains` has no effect").expected("one of them"));
    }
    let equals = equals.zip(kind).and_then(|(value, kind)| read_records(&value, kind));
    let contains = contains.and_then(|value| read_text(&value, "text that a record contains"));
    let server = table.optional("server").and_then(|value| value.parsed(SERVER_RULE, parse_server));
    Some(Check::Dns(DnsCheck { name: name?, kind: kind?, equals, contains, server }))
}

fn read_records(value: &Value<'_>, kind: RecordKind) -> Option<Vec<String>> {
    let read = |record: &Value<'_>| record.parsed(kind.rule(), |text| parse_record(text, kind));
    let records: Vec<_> = value.entries()?.iter().map(read).collect();
    records.into_iter().collect()
}

/// A text record is taken as it is; in the others stand values of the host, too.
fn parse_record(text: &str, kind: RecordKind) -> Option<String> {
    if kind != RecordKind::Txt && text.contains('$') {
        return (text.len() <= 300 && is_template(text)).then(|| text.to_owned());
    }
    kind.plain(text)
}

fn parse_name(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:$*".contains(c);
    let fits = (1..=300).contains(&text.len()) && text.chars().all(plain) && is_template(text);
    fits.then(|| text.to_owned())
}

/// The port is 53 where none is given (RFC 1035, section 4.2).
fn parse_server(text: &str) -> Option<String> {
    parse_host_port(text).or_else(|| parse_host_port(&format!("{text}:53")))
}
