//! A web server that answers a request, and what the answer must be.

use serde::{Deserialize, Serialize};

use super::Check;
use super::address::{CA_FILE_RULE, parse_ca_file};
use super::parse::read_text;
use super::template::is_template;
use crate::domain::document::{Key, Table, Value, Wrong, quoted};
use crate::domain::job::SecretReference;
use crate::domain::job::secret::read_reference;

#[cfg(test)]
mod tests;

const URL_RULE: &str = "an `http://` or `https://` URL; `$ADDRESS` and `$VAR_NAME` stand for the host's values";
const LOCATION_RULE: &str = "what `Location` must say, such as `https://$ADDRESS/login` or `/login`";
const HEADER_RULE: &str = "text of one line, or `{ env = \"…\" }`, `{ file = \"…\" }`, `{ command = [\"…\"] }`";
const POINTER_RULE: &str = "a JSON pointer such as `/status` or `/checks/0/state` (RFC 6901), at most 500 characters";

/// The client writes these itself; another value would make the request another one.
const OWN_HEADERS: [&str; 4] = ["connection", "content-length", "transfer-encoding", "upgrade"];

/// What the secrets of headers are called, in the order of the headers.
const SECRET_NAMES: [&str; 4] = ["headers: secret 1", "headers: secret 2", "headers: secret 3", "headers: secret 4"];

/// What a web server must answer. Redirects are not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCheck {
    /// `http` or `https` URL.
    pub url: String,
    /// How it is asked.
    #[serde(default)]
    pub method: Method,
    /// Headers of the request, beside those that every request has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// Expected status code; none: any from 300 to 399.
    pub status: Option<u16>,
    /// Text that the first MiB of the body must contain.
    pub contains: Option<String>,
    /// What the body, as JSON of at most one MiB, must say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<JsonCheck>,
    /// Where the answer must send its reader: what `Location` must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// Whether the server's certificate must be right.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub tls_verify: bool,
    /// PEM file of certificates that are trusted beside those of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The answer, as far as it is looked at, must be there after so many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_ms: Option<u32>,
}

/// How a web server is asked; never with a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// For the answer.
    #[default]
    Get,
    /// For the head of the answer alone.
    Head,
    /// To have something done.
    Post,
    /// For what may be asked.
    Options,
}

/// A header of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// A name as RFC 9110, section 5.1, has it.
    pub name: String,
    /// What it says.
    pub value: HeaderValue,
}

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderValue {
    /// This text, a [`super::template`].
    Text(String),
    /// What the reference leads to.
    Secret(SecretReference),
}

/// What a JSON text must say in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonCheck {
    /// Where to look (RFC 6901).
    pub pointer: String,
    /// What must stand there: a string, a number or a truth value.
    pub equals: serde_json::Value,
}

const METHODS: [(&str, Method); 4] =
    [("GET", Method::Get), ("HEAD", Method::Head), ("POST", Method::Post), ("OPTIONS", Method::Options)];

impl Method {
    /// The word of the protocol.
    #[must_use]
    pub fn word(self) -> &'static str {
        METHODS.iter().find(|(_, method)| *method == self).map_or("GET", |(word, _)| word)
    }
}

impl HttpCheck {
    /// A GET request that must get the status 200.
    #[must_use]
    pub fn get(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            method: Method::Get,
            headers: Vec::new(),
            status: Some(200),
            contains: None,
            json: None,
            redirect: None,
            tls_verify: true,
            ca_file: None,
            at_most_ms: None,
        }
    }

    /// Headers whose value is a secret, each with the name under which [`Check::secrets`] lists it.
    pub fn secret_headers(&self) -> impl Iterator<Item = (&str, &'static str, &SecretReference)> {
        let secrets = self.headers.iter().filter_map(|header| match &header.value {
            HeaderValue::Secret(reference) => Some((header.name.as_str(), reference)),
            HeaderValue::Text(_) => None,
        });
        secrets.zip(SECRET_NAMES).map(|((header, reference), name)| (header, name, reference))
    }
}

/// Reads `http`.
pub(super) fn read_http(table: &mut Table<'_>) -> Option<Check> {
    let url = table.required("url").and_then(|value| value.parsed(URL_RULE, parse_url));
    let method = table.optional("method").map_or(Some(Method::Get), |value| value.word(&METHODS));
    let headers = table.table("headers").map(|headers| read_headers(&headers)).unwrap_or_default();
    let redirect = table.optional("redirect").and_then(|value| value.parsed(LOCATION_RULE, parse_location));
    let status = read_status(table, redirect.is_some());
    let contains = table.optional("contains");
    let json = table.optional("json");
    if method == Some(Method::Head) {
        for value in [&contains, &json].into_iter().flatten() {
            value.report(Wrong::new("the answer to a HEAD request has no body to look at"));
        }
    }
    let contains = contains.and_then(|value| read_text(&value, "text that the answer contains"));
    let json = json.and_then(|value| read_json(value.table()?));
    let (tls_verify, ca_file) = read_trust(table, url.as_deref());
    let at_most_ms = table.optional("at_most_ms").and_then(|value| value.integer(1..=3_600_000));
    let check =
        HttpCheck { method: method?, headers, status: status?, contains, json, redirect, ..HttpCheck::get(&url?) };
    Some(Check::Http(HttpCheck { tls_verify, ca_file, at_most_ms, ..check }))
}

/// The usual status is 200; that of a redirect is any that is one.
fn read_status(table: &mut Table<'_>, is_redirect: bool) -> Option<Option<u16>> {
    let Some(value) = table.optional("status") else { return Some((!is_redirect).then_some(200)) };
    let status: u16 = value.integer(100..=599)?;
    if is_redirect && !(300..=399).contains(&status) {
        value.report(value.wrong().expected("a status from 300 to 399, or none, beside `redirect`"));
    }
    Some(Some(status))
}

fn read_headers(table: &Table<'_>) -> Vec<Header> {
    let headers: Vec<_> = table.entries().filter_map(|(key, value)| read_header(key, &value)).collect();
    let secrets = headers.iter().filter(|header| matches!(header.value, HeaderValue::Secret(_))).count();
    if secrets > SECRET_NAMES.len() {
        let wrong = Wrong::new(format!("`headers` has {secrets} secrets"));
        table.report(wrong.expected(format!("at most {}", SECRET_NAMES.len())));
    }
    headers
}

fn read_header(key: Key<'_>, value: &Value<'_>) -> Option<Header> {
    // RFC 9110, section 5.6.2.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !(1..=100).contains(&key.text.len()) || !key.text.bytes().all(is_token) {
        key.report(Wrong::new(format!("{} is no name of a header", quoted(key.text))).expected("such as `Accept`"));
        return None;
    }
    if OWN_HEADERS.contains(&key.text.to_ascii_lowercase().as_str()) {
        key.report(Wrong::new(format!("the header {} is turnus's own", quoted(key.text))));
        return None;
    }
    let value = if value.is_table() {
        HeaderValue::Secret(read_reference(value, key.text)?)
    } else {
        HeaderValue::Text(value.parsed(HEADER_RULE, parse_header_text)?)
    };
    Some(Header { name: key.text.to_owned(), value })
}

fn parse_header_text(text: &str) -> Option<String> {
    let fits = text.len() <= 4096 && text.chars().all(|char| !char.is_control()) && is_template(text);
    fits.then(|| text.to_owned())
}

fn read_json(mut table: Table<'_>) -> Option<JsonCheck> {
    let pointer = table.required("pointer").and_then(|value| value.parsed(POINTER_RULE, parse_pointer));
    let equals = table.required("equals").and_then(|value| value.plain());
    table.finish();
    Some(JsonCheck { pointer: pointer?, equals: equals? })
}

/// RFC 6901, section 3: empty, or tokens that each begin with `/`; `~` only as `~0` or `~1`.
fn parse_pointer(text: &str) -> Option<String> {
    let is_escape = |after: &str| after.starts_with(['0', '1']);
    let fits =
        (text.is_empty() || text.starts_with('/')) && text.len() <= 500 && text.split('~').skip(1).all(is_escape);
    fits.then(|| text.to_owned())
}

/// `tls_verify` and `ca_file`: for `https` alone, and one of them at most.
fn read_trust(table: &mut Table<'_>, url: Option<&str>) -> (bool, Option<String>) {
    let (verify, file) = (table.optional("tls_verify"), table.optional("ca_file"));
    if url.is_some_and(|url| url.starts_with("http://")) {
        for (key, value) in [("tls_verify", &verify), ("ca_file", &file)] {
            let Some(value) = value else { continue };
            value.report(Wrong::new(format!("`{key}` has no effect without TLS")).expected("`url = \"https://…\"`"));
        }
    }
    let tls_verify = verify.and_then(|value| value.boolean()).unwrap_or(true);
    if let Some(value) = file.filter(|_| !tls_verify) {
        value.report(
            Wrong::new("`ca_file` has no effect where any certificate will do").expected("`tls_verify = true`"),
        );
    }
    (tls_verify, file.and_then(|value| value.parsed(CA_FILE_RULE, parse_ca_file)))
}

fn parse_url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    (!host.is_empty()).then(|| parse_location(text))?
}

/// A URL, or a part of one.
fn parse_location(text: &str) -> Option<String> {
    let visible = |character: char| !character.is_whitespace() && !character.is_control();
    let fits = (1..=2000).contains(&text.len()) && text.chars().all(visible);
    (fits && is_template(text)).then(|| text.to_owned())
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_yes(value: &bool) -> bool {
    *value
}
