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
use super::unit::read_unit;
use super::{Check, HostProbe, MOST_LOOKS, OnRedBefore, Patience, Probe, SshCheck, TcpCheck, Watch};
use crate::domain::document::{Distinct, Table, Value, Wrong};

#[cfg(test)]
pub(super) mod tests;

/// Reads what is asked from the table of a kind, and leaves the table to its caller.
type Read = fn(&mut Table<'_>) -> Option<Check>;

/// All kinds, by their words in files.
const KINDS: [(&str, Read); 13] = [
    ("command", read_command),
    ("dns", read_dns),
    ("http", read_http),
    ("imap", read_imap),
    ("mail_round_trip", read_round_trip),
    ("port_closed", read_port_closed),
    ("sip", read_sip),
    ("smtp", read_smtp),
    ("sql", read_sql),
    ("ssh", read_ssh),
    ("tcp", read_tcp),
    ("tls", read_tls),
    ("unit", read_unit),
];

/// Shortest time between two looks that cost a login each, in seconds.
const COSTLY_INTERVAL_S: u64 = 10;

/// Reads the one kind of probe in `table`, as in `probe = { http = { url = "…" } }`, and the whole table with it.
pub(in crate::domain) fn read_probe(mut table: Table<'_>) -> Option<Probe> {
    let probe = read_kind(&mut table);
    table.finish();
    probe
}

const ON_RED: [(&str, OnRedBefore); 2] = [("hold", OnRedBefore::Hold), ("note", OnRedBefore::Note)];

/// Reads one `[[host.probe]]`; `names` are those of the host's other probes.
/// The second is where it says from which host it looks: whether there is such a host is for the caller to say.
pub(in crate::domain) fn read_host_probe<'d>(
    mut table: Table<'d>,
    names: &mut Distinct,
) -> (Option<HostProbe>, Option<Value<'d>>) {
    let name = table.required("name").and_then(|value| {
        let line = value.line()?;
        names.admit(line, &value);
        Some(line.to_owned())
    });
    let on_red_before = table.optional("on_red_before").map_or(Some(OnRedBefore::Hold), |value| value.word(&ON_RED));
    let on = table.optional("on").filter(|value| value.as_str() != Some("controller"));
    let watch = table.optional("watch");
    let max_downtime = table.optional("max_downtime");
    let probe = read_kind(&mut table);
    table.finish();
    let watch = read_watch(watch, max_downtime, (probe.as_ref(), on.as_ref()));
    let from = on.and_then(|value| value.line()).and_then(|name| name.parse().ok());
    if let (Some(value), Some(probe)) = (on, &probe) {
        check_from(&value, probe);
    }
    let read = || Some(HostProbe { name: name?, probe: probe?, from, on_red_before: on_red_before?, watch });
    (read(), on)
}

/// `on` of a probe: not all can be asked through another host.
pub(in crate::domain) fn check_from(value: &Value<'_>, probe: &Probe) {
    if let Some((what, remedy)) = probe.check.obstacle_from_a_host() {
        value.report(Wrong::new(format!("`on` with the probe `{}`{what}", probe.check.kind())).hint(remedy));
    }
}

/// `watch = true` and what belongs to it.
fn read_watch(
    watch: Option<Value<'_>>,
    max_downtime: Option<Value<'_>>,
    (probe, on): (Option<&Probe>, Option<&Value<'_>>),
) -> Option<Watch> {
    let is_watched = watch.and_then(|value| value.boolean()).unwrap_or(false);
    let max_downtime_s = max_downtime.and_then(|value| value.duration_s());
    if let (Some(value), false) = (max_downtime, is_watched) {
        value.report(Wrong::new("`max_downtime` is without `watch = true`"));
    }
    if let (Some(value), true, Some(probe)) = (watch, is_watched, probe) {
        check_pace(&value, probe);
    }
    if let (Some(value), Some(max_s), Some(probe)) = (max_downtime, max_downtime_s, probe) {
        check_limit(&value, max_s, (probe, on));
    }
    is_watched.then_some(Watch { max_downtime_s })
}

/// Looks that hang must not be more than a watch keeps up, and those that cost the service much come seldom.
fn check_pace(value: &Value<'_>, probe: &Probe) {
    let Patience { timeout_s, interval_s, .. } = probe.patience;
    if timeout_s > interval_s.saturating_mul(MOST_LOOKS as u64) {
        let wrong =
            Wrong::new(format!("the probe is watched every {interval_s} s, and each look may take {timeout_s} s"));
        value.report(wrong.expected(format!("a `timeout` of at most {MOST_LOOKS} times the `interval`")));
    }
    if probe.check.is_costly() && interval_s < COSTLY_INTERVAL_S {
        let wrong = Wrong::new(format!("the probe `{}` is watched every {interval_s} s", probe.check.kind()));
        value.report(
            wrong.expected(format!("an `interval` of at least `{COSTLY_INTERVAL_S}s`, as each look costs a login")),
        );
    }
}

/// A service must have the time to be seen again before its update is taken back, and the way to it must not be in doubt.
fn check_limit(value: &Value<'_>, max_s: u64, (probe, on): (&Probe, Option<&Value<'_>>)) {
    let Patience { timeout_s, interval_s, .. } = probe.patience;
    if max_s < timeout_s.saturating_add(interval_s) {
        let wrong = Wrong::new(format!(
            "`max_downtime` is {max_s} s, but it may take {} s to see that the service is back",
            timeout_s.saturating_add(interval_s)
        ));
        value.report(wrong.expected("at least `timeout` and `interval` together"));
    }
    if on.is_some() {
        let wrong = Wrong::new("`max_downtime` of a probe that looks from another host");
        value.report(
            wrong.hint("leave out one of the two: that host may be down itself, and no update is taken back for it"),
        );
    }
}

/// The same where the table has other keys, too; these are the caller's.
pub(in crate::domain) fn read_kind(table: &mut Table<'_>) -> Option<Probe> {
    let given: Vec<_> = KINDS.into_iter().filter_map(|(kind, read)| Some((table.optional(kind)?, read))).collect();
    match given.as_slice() {
        [] => {
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

fn read_ssh(_: &mut Table<'_>) -> Option<Check> {
    Some(Check::Ssh(SshCheck {}))
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
