//! How messages leave: `[mail]`, and how customers answer them: `[web]`, `[acceptance]`.

use crate::domain::document::{Table, Value, Wrong};
use crate::domain::inventory::address::{ADDRESS_RULE, LOCAL_PATH_RULE, parse_address, parse_local_path};
use crate::domain::job::SecretReference;
use crate::domain::job::secret::read_reference;

/// What `web.listen` accepts, for messages.
const LISTEN_RULE: &str = "an IP address with a port, such as `127.0.0.1:8080`";
/// What `web.trusted_proxies` accepts, for messages.
const PROXY_RULE: &str = "the IP address of a reverse proxy, such as `127.0.0.1`";
/// What `web.public_url` accepts, for messages.
const PUBLIC_URL_RULE: &str = "`https://…` (or `http://…` on this machine), without user, query and fragment";
/// What a login name of a mail server accepts, for messages.
const LOGIN_RULE: &str = "1 to 254 characters without blanks and control characters";

/// Where messages go. Absent: they are made, and wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mailer {
    /// A file for each message in this directory: a dry run.
    File {
        /// It is made if it is not there.
        directory: String,
    },
    /// A mail server.
    Smtp(Smtp),
}

/// A mail server that takes messages (RFC 5321, RFC 6409).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Host name or IP address.
    pub host: String,
    /// TCP port. Default: 587, with [`Security::Tls`] 465, with [`Security::None`] 25.
    pub port: u16,
    /// How the line is protected.
    pub security: Security,
    /// Login name; absent: no authentication.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<SecretReference>,
    /// Certificates that are trusted beside those of the machine: a PEM file.
    pub ca_file: Option<String>,
    /// Longest time that one message may take, in seconds.
    pub timeout_s: u64,
}

/// How the line to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS (RFC 3207), required.
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// Not at all; for a server on this machine.
    None,
}

const SECURITIES: [(&str, Security); 3] =
    [("starttls", Security::StartTls), ("tls", Security::Tls), ("none", Security::None)];

/// The small pages on which customers answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// IP address and port on which `turnus serve` listens. Absent: no pages.
    pub listen: Option<String>,
    /// What customers reach it by, without a slash at the end. Absent: letters have no links.
    pub public_url: Option<String>,
    /// Whose word on where a request comes from is believed (`X-Forwarded-For`): the addresses of reverse proxies.
    pub trusted_proxies: Vec<std::net::IpAddr>,
    /// How many days from the agreed date, in either direction, a customer may ask for another one.
    pub move_within_days: u16,
    /// How long before the opening that can be asked for at the latest, in seconds.
    pub move_notice_s: u64,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            listen: None,
            public_url: None,
            trusted_proxies: Vec::new(),
            move_within_days: 14,
            move_notice_s: 3 * 86_400,
        }
    }
}

/// What happens when a customer does not answer to a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// After how many working days the customer is reminded.
    pub remind_after_workdays: u16,
    /// After how many working days the report counts as accepted. Absent: never.
    pub deemed_after_workdays: Option<u16>,
}

impl Default for Acceptance {
    fn default() -> Self {
        Self { remind_after_workdays: 5, deemed_after_workdays: None }
    }
}

pub(super) fn read_mailer(mut table: Table<'_>) -> Option<Mailer> {
    let kinds = [("smtp", true), ("file", false)];
    let is_smtp = table.required("mailer").and_then(|value| value.word(&kinds));
    let mailer = match is_smtp {
        Some(true) => read_smtp(&mut table).map(Mailer::Smtp),
        Some(false) => {
            let directory =
                table.required("directory").and_then(|value| value.parsed(LOCAL_PATH_RULE, parse_local_path));
            directory.map(|directory| Mailer::File { directory })
        }
        // What else may stand here depends on it.
        None => return None,
    };
    table.finish();
    mailer
}

fn read_smtp(table: &mut Table<'_>) -> Option<Smtp> {
    let host = table.required("host").and_then(|value| value.parsed(ADDRESS_RULE, parse_address));
    let security = table.optional("security").map_or(Some(Security::StartTls), |value| value.word(&SECURITIES));
    let port = table.optional("port").map(|value| value.integer(1..=65535));
    let user = table.optional("user").and_then(|value| value.parsed(LOGIN_RULE, parse_login));
    let password = table.optional("password");
    if user.is_some() != password.is_some() {
        let lacking = if user.is_some() { "password" } else { "user" };
        table.report(
            Wrong::new(format!("`{lacking}` is missing in `mail`")).expected("`user` and `password`, or neither"),
        );
    }
    let password = password.and_then(|value| read_reference(&value, "password"));
    let ca_file = table.optional("ca_file").and_then(|value| value.parsed(LOCAL_PATH_RULE, parse_local_path));
    let timeout_s = table.optional("timeout").map_or(Some(60), |value| value.duration_s());
    let security = security?;
    if security == Security::None && user.is_some() {
        let wrong = Wrong::new("a password would go over the line in clear");
        table.report(wrong.expected("`security = \"starttls\"` or `\"tls\"` where there is a `user`"));
    }
    let default_port = match security {
        Security::StartTls => 587,
        Security::Tls => 465,
        Security::None => 25,
    };
    Some(Smtp {
        host: host?,
        port: port.unwrap_or(Some(default_port))?,
        security,
        user,
        password,
        ca_file,
        timeout_s: timeout_s?,
    })
}

fn parse_login(text: &str) -> Option<String> {
    let odd = |character: char| character.is_control() || character.is_whitespace();
    ((1..=254).contains(&text.len()) && !text.contains(odd)).then(|| text.to_owned())
}

pub(super) fn read_web(mut table: Table<'_>) -> Web {
    let default = Web::default();
    let listen = table.optional("listen").and_then(|value| value.parsed(LISTEN_RULE, parse_listen));
    let public_url = table.optional("public_url").and_then(|value| value.parsed(PUBLIC_URL_RULE, parse_public_url));
    let trusted_proxies = table.optional("trusted_proxies").and_then(|value| read_addresses(&value));
    let move_within_days = table.optional("move_within_days").and_then(|value| value.integer(0..=366));
    let move_notice_s = table.optional("move_notice").and_then(|value| value.duration_s());
    table.finish();
    Web {
        listen,
        public_url,
        trusted_proxies: trusted_proxies.unwrap_or_default(),
        move_within_days: move_within_days.unwrap_or(default.move_within_days),
        move_notice_s: move_notice_s.unwrap_or(default.move_notice_s),
    }
}

fn read_addresses(value: &Value<'_>) -> Option<Vec<std::net::IpAddr>> {
    value.entries()?.iter().map(|entry| entry.parsed(PROXY_RULE, |text| text.parse().ok())).collect()
}

fn parse_listen(text: &str) -> Option<String> {
    text.parse::<std::net::SocketAddr>().ok().map(|address| address.to_string())
}

/// A link in a letter is a bearer of rights: it does not go over the net in clear.
fn parse_public_url(text: &str) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let (place, is_local) = match text.strip_prefix("https://") {
        Some(place) => (place, true),
        None => {
            let place = text.strip_prefix("http://")?;
            (place, ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| is_at(place, local)))
        }
    };
    let odd = |character: char| !(character.is_ascii_alphanumeric() || ".-_~:/[]".contains(character));
    (is_local && !place.is_empty() && !place.starts_with('/') && !place.contains(odd)).then(|| text.to_owned())
}

fn is_at(place: &str, host: &str) -> bool {
    place.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
}

pub(super) fn read_acceptance(mut table: Table<'_>) -> Acceptance {
    let default = Acceptance::default();
    let remind = table.optional("remind_after_workdays").and_then(|value| value.integer(1..=60));
    let deemed = table.optional("deemed_after_workdays");
    let deemed_after_workdays: Option<u16> = deemed.as_ref().and_then(|value| value.integer(2..=120));
    let remind_after_workdays = remind.unwrap_or(default.remind_after_workdays);
    if let (Some(value), Some(days)) = (deemed, deemed_after_workdays)
        && days <= remind_after_workdays
    {
        value.report(value.wrong().expected(format!(
            "more than `remind_after_workdays` ({remind_after_workdays}): nobody accepts without having been reminded"
        )));
    }
    table.finish();
    Acceptance { remind_after_workdays, deemed_after_workdays }
}
