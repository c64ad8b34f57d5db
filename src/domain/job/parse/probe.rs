//! `probe`: a check from outside.

use crate::domain::document::{Table, Value, Wrong};
use crate::domain::job::{HttpProbe, Probe};

/// Probes that are agreed but not there yet, each with what does the same from the controller.
const LATER: [(&str, &str); 8] = [
    ("tcp", "nc -z"),
    ("tls", "openssl s_client"),
    ("dns", "dig"),
    ("smtp", "swaks"),
    ("imap", "curl imap://"),
    ("mail_round_trip", "swaks and curl imap://"),
    ("sip", "sipsak"),
    ("sql", "psql"),
];

const URL_RULE: &str = "an `http://` or `https://` URL; `$ADDRESS` and `$VAR_NAME` stand for the host's values";

/// Reads the one kind of probe in `table`.
pub(super) fn read_probe(mut table: Table<'_>) -> Option<Probe> {
    let http = table.optional("http");
    let later: Vec<_> = LATER.into_iter().filter(|(kind, _)| table.has(kind)).collect();
    for (kind, command) in &later {
        table.forbid(kind, || {
            let wrong =
                Wrong::new(format!("the probe `{kind}` is not in this version of turnus yet")).expected("`http`");
            wrong.hint(format!("use `run` with `on = \"controller\"` and a command such as `{command}`"))
        });
    }
    if http.is_none() && later.is_empty() {
        table.report(Wrong::new("the probe looks at nothing").expected("`http = { url = \"…\" }`"));
    }
    table.finish();
    read_http(http?.table()?).map(Probe::Http)
}

fn read_http(mut table: Table<'_>) -> Option<HttpProbe> {
    let url = table.required("url").and_then(|value| value.parsed(URL_RULE, parse_url));
    let status = table.optional("status").map_or(Some(200), |value| value.integer(100..=599));
    let contains = table.optional("contains").and_then(|value| read_contains(&value));
    let within_s = table.optional("within").map_or(Some(30), |value| value.duration_s());
    table.finish();
    Some(HttpProbe { url: url?, status: status?, contains, within_s: within_s? })
}

fn read_contains(value: &Value<'_>) -> Option<String> {
    let text = value.string()?;
    if text.is_empty() {
        value.report(value.wrong().expected("text that the answer contains"));
    }
    Some(text.to_owned())
}

fn parse_url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let visible = |character: char| !character.is_whitespace() && !character.is_control();
    let fits = !host.is_empty() && text.len() <= 2000 && text.chars().all(visible);
    (fits && text.split('$').skip(1).all(names_value)).then(|| text.to_owned())
}

/// Whether what follows a `$` is `ADDRESS` or `VAR_NAME`.
fn names_value(after_dollar: &str) -> bool {
    let end = after_dollar.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    let name = &after_dollar[..end.unwrap_or(after_dollar.len())];
    name == "ADDRESS" || name.strip_prefix("VAR_").is_some_and(|key| key.starts_with(|c: char| c.is_ascii_uppercase()))
}
