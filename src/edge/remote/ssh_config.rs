//! The configuration file with which ssh is run for one host: what the inventory says, then what turnus insists on,
//! then the user's own files for everything else.
//!
//! Knows the format of ssh_config(5); does not run ssh. ssh takes the first value that it meets, so the order is the
//! meaning. Invariant: no value from an inventory can end its line or add a directive.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::inventory::{Connection, Transport};

/// What holds for all hosts of a process.
#[derive(Debug, Clone)]
pub struct SshSettings {
    /// The user's ssh_config; `~/` is the home directory.
    pub user_config: PathBuf,
    /// turnus's own known_hosts file.
    pub known_hosts: PathBuf,
    /// Longest time in seconds for a TCP connection and the server's greeting, for each hop.
    pub connect_timeout_s: u64,
    /// After so many seconds of silence the server is asked for a sign of life; three unanswered ones end the line.
    pub keep_alive_s: u64,
    /// How many commands run at the same time over one connection; servers allow 10 unless told otherwise.
    pub sessions_per_host: usize,
    /// How many connections are built up at the same time.
    pub connect_parallel: usize,
    /// Which program speaks SSH with hosts that don't say it themselves.
    pub transport: Transport,
    /// The environment of this process, for what ssh takes from it: `SSH_AUTH_SOCK`, `SendEnv`, Kerberos tickets.
    pub environment: Environment,
    /// What opens private keys that are locked. Only the built-in transport has a use for it.
    pub passphrase: Option<Passphrase>,
}

/// Names and values. `Debug` does not show them: some are secrets.
#[derive(Clone, Default)]
pub struct Environment(pub Vec<(String, String)>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment of {}", self.0.len())
    }
}

/// Tells a passphrase when it is needed, or why it can't. It is asked for each login, and kept by nobody.
#[derive(Clone)]
pub struct Passphrase(Arc<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>);

impl Passphrase {
    /// By whatever `ask` does.
    pub fn by(ask: impl Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    pub(super) async fn tell(&self) -> Result<String, String> {
        (self.0)().await
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// What the file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose<'a> {
    /// To connect: only known keys.
    Connect,
    /// To fetch keys: unknown ones are written to this file, nothing is logged in to but the hops.
    Collect(&'a Path),
    /// To ask ssh what it makes of it all (`ssh -G`): where known keys are is the user's own matter there.
    Ask,
    /// To ask ssh what it makes of turnus's part alone.
    AskWithoutUser,
}

/// A value that must not reach ssh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{value}` can't be used")]
pub(super) struct BadValue {
    what: &'static str,
    value: String,
}

/// The whole file. The destination to name on ssh's command line is the connection's address itself, so that
/// the patterns in the user's own file match.
pub(super) fn render(
    connection: &Connection,
    settings: &SshSettings,
    purpose: Purpose<'_>,
) -> Result<String, BadValue> {
    let mut text = String::new();
    let hops = hop_names(connection);
    write_host(&mut text, &connection.address, connection, settings, purpose)?;
    if let Purpose::Collect(_) = purpose {
        // The key is all that is wanted; and a key that is known elsewhere is to be shown as well.
        text.push_str("  PreferredAuthentications none\n  GlobalKnownHostsFile /dev/null\n");
    }
    if !hops.is_empty() {
        let names: Vec<String> = hops.iter().zip(&connection.proxy_jump).map(|(name, hop)| jump(name, hop)).collect();
        let _ = writeln!(text, "  ProxyJump {}", names.join(","));
    }
    for (name, hop) in hops.iter().zip(&connection.proxy_jump) {
        write_host(&mut text, name, hop, settings, purpose)?;
    }
    write_rules(&mut text, settings, purpose)?;
    Ok(text)
}

/// What ssh calls the hops: their address, unless the target or another hop has the same (behind another port).
fn hop_names(connection: &Connection) -> Vec<String> {
    let mut taken = vec![connection.address.clone()];
    for (position, hop) in connection.proxy_jump.iter().enumerate() {
        let name = if taken.contains(&hop.address) { format!("turnus-hop-{position}") } else { hop.address.clone() };
        taken.push(name);
    }
    taken.split_off(1)
}

fn jump(name: &str, hop: &Connection) -> String {
    let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    let user = hop.user.as_ref().map_or(String::new(), |user| format!("{user}@"));
    let port = hop.port.map_or(String::new(), |port| format!(":{port}"));
    format!("{user}{name}{port}")
}

fn write_host(
    text: &mut String,
    name: &str,
    connection: &Connection,
    settings: &SshSettings,
    purpose: Purpose<'_>,
) -> Result<(), BadValue> {
    let address = plain("address", &connection.address, "._-:%")?;
    let _ = writeln!(text, "Host {name}");
    if name != address {
        let _ = writeln!(text, "  HostName {}", address.replace('%', "%%"));
    }
    if let Some(port) = connection.port {
        let _ = writeln!(text, "  Port {port}");
    }
    if let Some(user) = &connection.user {
        let _ = writeln!(text, "  User {}", plain("user", user, "._-@+")?);
    }
    if let Some(identity) = &connection.identity_file {
        let _ =
            writeln!(text, "  IdentityFile {}\n  IdentitiesOnly yes", quoted("identity_file", Path::new(identity))?);
    }
    let own = connection.known_hosts.as_ref().map_or_else(|| settings.known_hosts.clone(), PathBuf::from);
    write_known_hosts(text, &own, purpose)
}

fn write_known_hosts(text: &mut String, own: &Path, purpose: Purpose<'_>) -> Result<(), BadValue> {
    let collected = match purpose {
        Purpose::Connect => String::new(),
        Purpose::Collect(file) => format!("{} ", quoted("file", file)?),
        Purpose::Ask | Purpose::AskWithoutUser => return Ok(()),
    };
    let own = quoted("known_hosts", own)?;
    let _ = writeln!(text, "  UserKnownHostsFile {collected}{own} ~/.ssh/known_hosts ~/.ssh/known_hosts2");
    Ok(())
}

fn write_rules(text: &mut String, settings: &SshSettings, purpose: Purpose<'_>) -> Result<(), BadValue> {
    let strict = if matches!(purpose, Purpose::Collect(_)) { "accept-new" } else { "yes" };
    let _ = writeln!(
        text,
        "Host *\n  StrictHostKeyChecking {strict}\n  UpdateHostKeys no\n  HashKnownHosts no\n  CheckHostIP no\n  \
         NoHostAuthenticationForLocalhost no\n  BatchMode yes\n  ConnectTimeout {connect}\n  ConnectionAttempts 1\n  \
         ServerAliveInterval {alive}\n  ServerAliveCountMax 3\n  ControlMaster no\n  ControlPath none\n  \
         PermitLocalCommand no\n  RemoteCommand none\n  RequestTTY no\n  EscapeChar none\n  ClearAllForwardings yes\n  \
         LogLevel INFO",
        connect = settings.connect_timeout_s,
        alive = settings.keep_alive_s,
    );
    // For hops that only the user's own file names.
    write_known_hosts(text, &settings.known_hosts, purpose)?;
    if purpose == Purpose::AskWithoutUser {
        return Ok(());
    }
    // `Host *` is still open here: an Include inside a narrower block would be read for that host only.
    let _ = writeln!(text, "Include {}\nInclude /etc/ssh/ssh_config", quoted("ssh_config", &settings.user_config)?);
    Ok(())
}

/// Inventories are checked already; this is the last gate before a value meets ssh and, through `%h` and `%r` in the
/// user's own ProxyCommand, a shell.
fn plain<'a>(what: &'static str, value: &'a str, also: &str) -> Result<&'a str, BadValue> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || also.contains(character);
    if !value.is_empty() && !value.starts_with('-') && value.chars().all(allowed) {
        return Ok(value);
    }
    Err(BadValue { what, value: value.escape_debug().take(80).collect() })
}

fn quoted(what: &'static str, path: &Path) -> Result<String, BadValue> {
    match path.to_str().filter(|text| !text.is_empty() && !text.chars().any(char::is_control)) {
        Some(text) => Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))),
        None => Err(BadValue { what, value: path.to_string_lossy().escape_debug().take(80).collect() }),
    }
}

#[cfg(test)]
mod tests;
