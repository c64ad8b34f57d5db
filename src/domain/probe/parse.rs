//! Reads probes: exactly one kind, with its patience beside what it asks.

use super::address::{HOST_PORT_RULE, parse_host_port};
use super::command::read_command;
use super::dns::read_dns;
use super::http::read_http;
use super::mail::{read_imap, read_round_trip, read_smtp};
use super::port_closed::read_port_closed;
use super::sip::read_sip;
use super::sql::read_sql;
use super::tls::read_tls;
use super::{Check, HostProbe, OnRedBefore, Patience, Probe, TcpCheck};
use crate::domain::document::{Distinct, Table, Value, Wrong};

#[cfg(test)]
pub(super) mod tests;

/// Reads what is asked from the table of a kind, and leaves the table to its caller.
type Read = fn(&mut Table<'_>) -> Option<Check>;

/// All kinds, by their words in files.
const KINDS: [(&str, Read); 11] = [
    ("command", read_command),
    ("dns", read_dns),
    ("http", read_http),
    ("imap", read_imap),
    ("mail_round_trip", read_round_trip),
    ("port_closed", read_port_closed),
    ("sip", read_sip),
    ("smtp", read_smtp),
    ("sql", read_sql),
    ("tcp", read_tcp),
    ("tls", read_tls),
];

/// Probes that are agreed but not there yet, each with what does the same from the controller.
const LATER: [(&str, &str); 2] = [("ssh", "ssh"), ("unit", "systemctl --host")];

/// Reads the one kind of probe in `table`, as in `probe = { http = { url = "…" } }`, and the whole table with it.
pub(in crate::domain) fn read_probe(mut table: Table<'_>) -> Option<Probe> {
    let probe = read_kind(&mut table);
    table.finish();
    probe
}

const ON_RED: [(&str, OnRedBefore); 2] = [("hold", OnRedBefore::Hold), ("note", OnRedBefore::Note)];

/// Reads one `[[host.probe]]`; `names` are those of the host's other probes.
pub(in crate::domain) fn read_host_probe(mut table: Table<'_>, names: &mut Distinct) -> Option<HostProbe> {
    let name = table.required("name").and_then(|value| {
        let line = value.line()?;
        names.admit(line, &value);
        Some(line.to_owned())
    });
    let on_red_before = table.optional("on_red_before").map_or(Some(OnRedBefore::Hold), |value| value.word(&ON_RED));
    let probe = read_kind(&mut table);
    table.finish();
    Some(HostProbe { name: name?, probe: probe?, on_red_before: on_red_before? })
}

/// The same where the table has other keys, too; these are the caller's.
pub(in crate::domain) fn read_kind(table: &mut Table<'_>) -> Option<Probe> {
    let later: Vec<_> = LATER.into_iter().filter(|(kind, _)| table.has(kind)).collect();
    for (kind, command) in &later {
        table.forbid(kind, || {
            let wrong = Wrong::new(format!("the probe `{kind}` is not in this version of turnus yet"));
            let wrong = wrong.expected(expected());
            wrong.hint(format!("use `run` with `on = \"controller\"` and a command such as `{command}`"))
        });
    }
    let given: Vec<_> = KINDS.into_iter().filter_map(|(kind, read)| Some((table.optional(kind)?, read))).collect();
    match given.as_slice() {
        [] if later.is_empty() => {
            table.report(Wrong::new("the probe looks at nothing").expected("`http = { url = \"…\" }`"));
        }
        [_, (second, _), ..] => {
            second.report(Wrong::new("the probe looks at more than one thing").expected(expected()))
        }
        _ => {}
    }
    let (value, read) = given.into_iter().next()?;
    let mut inner = value.table()?;
    let check = read(&mut inner);
    let patience = read_patience(&mut inner, check.as_ref());
    inner.finish();
    Some(Probe { check: check?, patience: patience? })
}

fn expected() -> String {
    let kinds: Vec<_> = KINDS.iter().map(|(kind, _)| format!("`{kind}`")).collect();
    format!("one of {}", kinds.join(", "))
}

fn read_patience(table: &mut Table<'_>, check: Option<&Check>) -> Option<Patience> {
    let mut usual = Patience::default();
    usual.timeout_s = check.map_or(usual.timeout_s, Check::usual_timeout_s);
    let mut seconds = |key, usual: u64| table.optional(key).map_or(Some(usual), |value| value.duration_s());
    let timeout_s = seconds("timeout", usual.timeout_s);
    let within_s = seconds("within", usual.within_s);
    let interval_s = seconds("interval", usual.interval_s);
    if let (Some(Check::MailRoundTrip(check)), Some(timeout_s)) = (check, timeout_s)
        && timeout_s <= check.arrives_within_s
    {
        table.report(
            Wrong::new("a try would end before the message may arrive")
                .expected("`timeout` longer than `arrives_within`, or none"),
        );
    }
    Some(Patience { timeout_s: timeout_s?, within_s: within_s?, interval_s: interval_s? })
}

fn read_tcp(table: &mut Table<'_>) -> Option<Check> {
    let address = table.required("address").and_then(|value| value.parsed(HOST_PORT_RULE, parse_host_port));
    let greeting = table.optional("greeting").and_then(|value| read_text(&value, "text that the server sends first"));
    Some(Check::Tcp(TcpCheck { address: address?, greeting }))
}

/// Any text but none at all.
pub(super) fn read_text(value: &Value<'_>, expected: &str) -> Option<String> {
    let text = value.string()?;
    if text.is_empty() {
        value.report(value.wrong().expected(expected));
    }
    Some(text.to_owned())
}
