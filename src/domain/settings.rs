//! What the provider settles for all customers: `turnus.toml`. Every value has a default that works on one machine.
//!
//! Knows what may stand in the file; does not know the environment that some defaults depend on: what is `None` here, the edge decides.

use super::calendar::{CalendarFreeze, Freeze};
use super::document::{self, Located, Table, Value, Wrong};
use super::id::Name;
use super::inventory::address::{EMAIL_RULE, LOCAL_PATH_RULE, USER_RULE, parse_email, parse_local_path, parse_user};
use super::inventory::freeze::{Freezes, read_freezes};
use super::inventory::parse::LOCALES;
use super::inventory::{Locale, Transport};
use super::job::SecretReference;
use super::job::secret::read_reference;
use super::problem::Problems;

pub mod delivery;

use delivery::{Acceptance, Mailer, Web, read_acceptance, read_mailer, read_web};

/// Longest signature, in lines and in characters.
const MAX_SIGNATURE_LINES: usize = 20;
const MAX_SIGNATURE: usize = 2000;

/// The content of `turnus.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Who runs turnus.
    pub provider: Provider,
    /// Where runs are recorded.
    pub database: Database,
    /// Directory for what turnus keeps on this machine. Absent: `$XDG_STATE_HOME/turnus`, `/var/lib/turnus` for root,
    /// else `~/.local/state/turnus`.
    pub state_dir: Option<String>,
    /// How hosts are reached, unless their inventory says otherwise.
    pub ssh: Ssh,
    /// How much at a time, and how long.
    pub limits: Limits,
    /// Where messages go. Absent: they are made, and wait.
    pub mail: Option<Mailer>,
    /// The pages on which customers answer.
    pub web: Web,
    /// What happens when a customer does not answer to a report.
    pub acceptance: Acceptance,
    /// How reports are written.
    pub report: ReportSettings,
    /// Days on which nothing starts, for any customer; each in the customer's zone.
    pub freezes: Vec<Freeze>,
    /// Calendars in whose events nothing starts, for any customer.
    pub calendars: Vec<CalendarFreeze>,
}

/// The company that runs turnus.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provider {
    /// Name as it stands in letters and reports.
    pub name: Option<String>,
    /// Mail address of the team: messages are sent from it, and what is for the team goes to it.
    pub email: Option<String>,
    /// Mail address that customers answer to, if it is another.
    pub reply_to: Option<String>,
    /// Language of what the team reads.
    pub locale: Locale,
    /// Lines that stand under every message.
    pub signature: Option<String>,
    /// A PNG or JPEG file that stands over every message.
    pub logo: Option<String>,
}

/// How reports are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportSettings {
    /// What reports are attached as.
    pub pdf: Pdf,
}

/// Whether reports become PDF files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pdf {
    /// They are attached as HTML files.
    #[default]
    None,
    /// By headless Chromium, where it is installed; HTML files where it fails.
    Chromium,
}

/// Where runs are recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Database {
    /// A Postgres cluster of turnus's own, in the state directory.
    #[default]
    Private,
    /// The Postgres at this URL, which holds no password.
    Url(String),
    /// The Postgres at the URL that this reference gives.
    Reference(SecretReference),
}

/// Defaults for connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// Login name. Absent: what the user's ssh_config says.
    pub user: Option<String>,
    /// TCP port. Absent: what the user's ssh_config says.
    pub port: Option<u16>,
    /// Private key file. Absent: what the user's ssh_config says.
    pub identity_file: Option<String>,
    /// What opens private keys that are locked.
    pub identity_passphrase: Option<SecretReference>,
    /// The user's ssh_config. Absent: `~/.ssh/config`.
    pub config_file: Option<String>,
    /// Longest time for a connection to come up, in seconds.
    pub connect_timeout_s: u64,
    /// Seconds between signs of life; a line that misses three in a row is dead.
    pub keep_alive_s: u64,
    /// Which program speaks SSH, for hosts that don't say it themselves.
    pub transport: Transport,
    /// How many connections may be coming up at the same time.
    pub connect_parallel: u16,
    /// How many commands may run over one connection at the same time; sshd allows 10 unless told otherwise.
    pub sessions_per_host: u16,
}

impl Default for Ssh {
    fn default() -> Self {
        Self {
            user: None,
            port: None,
            identity_file: None,
            identity_passphrase: None,
            config_file: None,
            connect_timeout_s: 15,
            keep_alive_s: 7,
            transport: Transport::Auto,
            connect_parallel: 16,
            sessions_per_host: 8,
        }
    }
}

/// How much at a time, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How many hosts of a batch are in work at the same time.
    pub parallel_hosts: u16,
    /// How many runs may be under way at the same time, over all controllers.
    pub parallel_runs: u16,
    /// How many runs of one customer.
    pub parallel_runs_per_customer: u16,
    /// How many seconds a step that is past its time limit, and can't be ended because a package manager is at work,
    /// is waited for before it goes to a person.
    pub overdue_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parallel_hosts: 20, parallel_runs: 20, parallel_runs_per_customer: 2, overdue_s: 10 * 60 }
    }
}

/// What the settings say to the rest of the files, even if they are not yet right in themselves.
#[derive(Debug, Default)]
pub struct Draft {
    /// The settings; what is wrong in them has its default.
    pub settings: Settings,
    /// The calendars that freezes name, each where it is named.
    pub calendars: Vec<Located<Name>>,
}

/// Reads settings. `file` stands in the problems.
pub fn parse(text: &str, file: &str) -> Result<Settings, Problems> {
    let (draft, problems) = draft(text, file);
    if problems.0.is_empty() { Ok(draft.settings) } else { Err(problems) }
}

/// Reads settings as far as they go.
#[must_use]
pub fn draft(text: &str, file: &str) -> (Draft, Problems) {
    document::read(text, file, read_draft)
}

fn read_draft(mut root: Table<'_>) -> Draft {
    let mail = root.optional("mail");
    let settings = Settings {
        provider: root.table("provider").map(read_provider).unwrap_or_default(),
        database: root.table("database").and_then(read_database).unwrap_or_default(),
        state_dir: read_path(&mut root, "state_dir"),
        ssh: root.table("ssh").map(read_ssh).unwrap_or_default(),
        limits: root.table("limits").map(read_limits).unwrap_or_default(),
        mail: mail.as_ref().and_then(Value::table).and_then(read_mailer),
        web: root.table("web").map(read_web).unwrap_or_default(),
        acceptance: root.table("acceptance").map(read_acceptance).unwrap_or_default(),
        report: root.table("report").map(read_report).unwrap_or_default(),
        ..Settings::default()
    };
    let Freezes { days: freezes, calendars, named } = read_freezes(&mut root);
    if let Some(mail) = mail.filter(|_| settings.mail.is_some() && settings.provider.email.is_none()) {
        let wrong = Wrong::new("messages need a sender").expected("`email` in `[provider]`");
        mail.report(wrong);
    }
    root.finish();
    Draft { settings: Settings { freezes, calendars, ..settings }, calendars: named }
}

fn read_provider(mut table: Table<'_>) -> Provider {
    let provider = Provider {
        name: table.optional("name").and_then(|value| value.line()).map(str::to_owned),
        email: table.optional("email").and_then(|value| value.parsed(EMAIL_RULE, parse_email)),
        reply_to: table.optional("reply_to").and_then(|value| value.parsed(EMAIL_RULE, parse_email)),
        locale: table.optional("locale").and_then(|value| value.word(&LOCALES)).unwrap_or_default(),
        signature: table.optional("signature").and_then(|value| read_signature(&value)),
        logo: read_path(&mut table, "logo"),
    };
    table.finish();
    provider
}

/// A few lines for people.
fn read_signature(value: &Value<'_>) -> Option<String> {
    let text = value.string()?.trim_end();
    let fits = text.chars().count() <= MAX_SIGNATURE
        && text.lines().count() <= MAX_SIGNATURE_LINES
        && !text.contains(|character: char| character.is_control() && character != '\n');
    if fits {
        return Some(text.to_owned());
    }
    value.refuse("at most 20 lines with 2000 characters, without control characters")
}

fn read_report(mut table: Table<'_>) -> ReportSettings {
    let kinds = [("none", Pdf::None), ("chromium", Pdf::Chromium)];
    let pdf = table.optional("pdf").and_then(|value| value.word(&kinds)).unwrap_or_default();
    table.finish();
    ReportSettings { pdf }
}

fn read_database(mut table: Table<'_>) -> Option<Database> {
    let url = table.required("url");
    table.finish();
    let url = url?;
    match url.as_str() {
        Some(text) => read_plain_url(&url, text).map(Database::Url),
        None => read_reference(&url, "url").map(Database::Reference),
    }
}

/// A URL in clear. Whatever is wrong with it, it may hold a password: no message quotes it.
fn read_plain_url(value: &Value<'_>, text: &str) -> Option<String> {
    let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let blank = text.contains(|character: char| character.is_whitespace() || character.is_control());
    let wrong = match rest {
        Some(rest) if !blank && !holds_password(rest) => return Some(text.to_owned()),
        Some(rest) if holds_password(rest) => Wrong::new("`url` holds a password in clear")
            .expected("the URL without password, or `{ env = \"…\" }`, `{ file = \"…\" }`, `{ command = [\"…\"] }`")
            .hint("keep the URL in a file that only turnus may read, and name it: `url = { file = \"/etc/turnus/database\" }`"),
        _ => Wrong::new("`url` is no URL of a Postgres database").expected("`postgres://user@host/database`"),
    };
    value.report(wrong.concealed());
    None
}

/// `user:password@host` or a parameter `password=`, in the part behind the scheme.
fn holds_password(rest: &str) -> bool {
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let login = place.rsplit_once('@').map(|(login, _)| login);
    login.is_some_and(|login| login.contains(':')) || parameters.to_ascii_lowercase().contains("password")
}

fn read_ssh(mut table: Table<'_>) -> Ssh {
    let default = Ssh::default();
    let ssh = Ssh {
        user: table.optional("user").and_then(|value| value.parsed(USER_RULE, parse_user)),
        port: table.optional("port").and_then(|value| value.integer(1..=65535)),
        identity_file: read_path(&mut table, "identity_file"),
        identity_passphrase: table
            .optional("identity_passphrase")
            .and_then(|value| read_reference(&value, "identity_passphrase")),
        config_file: read_path(&mut table, "config_file"),
        connect_timeout_s: read_duration(&mut table, "connect_timeout").unwrap_or(default.connect_timeout_s),
        keep_alive_s: read_duration(&mut table, "keep_alive").unwrap_or(default.keep_alive_s),
        transport: table.optional("transport").and_then(|value| value.word(&Transport::ALL)).unwrap_or_default(),
        connect_parallel: read_count(&mut table, "connect_parallel").unwrap_or(default.connect_parallel),
        sessions_per_host: read_count(&mut table, "sessions_per_host").unwrap_or(default.sessions_per_host),
    };
    table.finish();
    ssh
}

fn read_limits(mut table: Table<'_>) -> Limits {
    let default = Limits::default();
    let limits = Limits {
        parallel_hosts: read_count(&mut table, "parallel_hosts").unwrap_or(default.parallel_hosts),
        parallel_runs: read_count(&mut table, "parallel_runs").unwrap_or(default.parallel_runs),
        parallel_runs_per_customer: read_count(&mut table, "parallel_runs_per_customer")
            .unwrap_or(default.parallel_runs_per_customer),
        overdue_s: read_duration(&mut table, "overdue").unwrap_or(default.overdue_s),
    };
    table.finish();
    limits
}

fn read_path(table: &mut Table<'_>, key: &'static str) -> Option<String> {
    table.optional(key)?.parsed(LOCAL_PATH_RULE, parse_local_path)
}

fn read_duration(table: &mut Table<'_>, key: &'static str) -> Option<u64> {
    table.optional(key)?.duration_s()
}

fn read_count(table: &mut Table<'_>, key: &'static str) -> Option<u16> {
    table.optional(key)?.integer(1..=1000)
}

#[cfg(test)]
mod tests;
