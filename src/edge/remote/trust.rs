//! Host keys: what a machine offers, and taking it into a known_hosts file.
//!
//! Knows ssh, ssh-keygen and the known_hosts format; does not ask people. Real `ssh` fetches the key, so that jump
//! hosts and the user's ssh_config count as they do later.

use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::error::{Error, Refusal, excerpt};
use super::ssh::{CROWDED_PATIENCE, SshTarget};
use super::ssh_config::{Purpose, render};
use crate::child::Family;

/// A key that a machine, or a hop on the way to it, offers and that is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedKey {
    /// For which machine, as known_hosts writes it: `name` or `[name]:port`.
    pub machine: String,
    /// `ssh-ed25519` and so on.
    pub algorithm: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// The line for known_hosts.
    pub line: String,
}

/// What to do when known_hosts already has another key for the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownKey {
    /// Leave it; the new one stands beside it.
    Keep,
    /// Remove all of the machine's keys.
    Replace,
}

/// Asks the machine for its key, and each unknown hop on the way.
///
/// # Errors
/// As for any connection; that the machine then refuses the login is expected.
pub async fn fetch_keys(target: &SshTarget) -> Result<Vec<OfferedKey>, Error> {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(3));
    let patience = Instant::now() + CROWDED_PATIENCE;
    let lines = loop {
        match collect_lines(target).await? {
            Ok(lines) => break lines,
            Err(messages) => {
                // Unknown keys are accepted here; what is said about one can only be said about a hop's login. (Sorting
                // it as unknown would ask for keys again, and so on.)
                let refusal = match Refusal::of(&messages) {
                    Refusal::KeyUnknown => Refusal::Connect,
                    other => other,
                };
                if refusal != Refusal::Crowded || Instant::now() >= patience {
                    return Err(target.sort_out(refusal, &messages).await);
                }
            }
        }
        backoff.wait().await;
    };
    let mut keys = Vec::new();
    for line in lines.lines().filter(|line| !line.is_empty()) {
        keys.push(
            read_key(line).await.ok_or_else(|| Error::Unusable { what: "ssh-keygen can't read a key".to_owned() })?,
        );
    }
    Ok(keys)
}

/// What ssh would add to known_hosts, or what it printed.
async fn collect_lines(target: &SshTarget) -> Result<Result<String, String>, Error> {
    let directory = tempfile::tempdir().map_err(|error| unusable("a temporary directory", &error))?;
    let collected = directory.path().join("known_hosts");
    let config = directory.path().join("config");
    let text = render(&target.connection, &target.settings, Purpose::Collect(&collected))
        .map_err(|error| Error::Unusable { what: error.to_string() })?;
    std::fs::write(&config, text).map_err(|error| unusable("a temporary file", &error))?;
    let mut ssh = tokio::process::Command::new("ssh");
    // Only for the target itself: known files are left out, so that a changed key is shown as well. A hop must be
    // logged in to, so there a changed key stays an error.
    ssh.arg("-F").arg(&config).arg("-o").arg(format!("UserKnownHostsFile={}", collected.display()));
    ssh.args(["-T", "--", &target.connection.address, "true"]);
    ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let family = Family::start(&mut ssh).map_err(|error| unusable("ssh", &error))?;
    let messages = match tokio::time::timeout(target.connect_limit(), family.output()).await {
        Ok(output) => output.map_err(|error| unusable("ssh", &error))?.stderr,
        Err(_) => b"no answer in time".to_vec(),
    };
    let lines = std::fs::read_to_string(&collected).unwrap_or_default();
    if lines.trim().is_empty() {
        return Ok(Err(String::from_utf8_lossy(&messages).into_owned()));
    }
    Ok(Ok(lines))
}

async fn read_key(line: &str) -> Option<OfferedKey> {
    let mut words = line.split_ascii_whitespace();
    let (machine, algorithm) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(OfferedKey { machine, algorithm, fingerprint: fingerprint(line).await?, line: line.to_owned() })
}

/// The fingerprint of the key in a line of known_hosts, as `ssh-keygen -l` tells it.
pub(super) async fn fingerprint(line: &str) -> Option<String> {
    let mut keygen = tokio::process::Command::new("ssh-keygen");
    keygen
        .args(["-l", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut keygen = keygen.spawn().ok()?;
    let mut input = keygen.stdin.take()?;
    input.write_all(format!("{line}\n").as_bytes()).await.ok()?;
    drop(input);
    let output = tokio::time::timeout(Duration::from_secs(10), keygen.wait_with_output()).await.ok()?.ok()?;
    String::from_utf8_lossy(&output.stdout).split_ascii_whitespace().nth(1).map(str::to_owned)
}

/// Adds the key to `known_hosts`, once. The file is replaced in one step, readable by its owner only.
///
/// # Errors
/// When the file can't be read or written.
pub fn store_key(known_hosts: &Path, key: &OfferedKey, known: KnownKey) -> Result<(), Error> {
    let failed = |error: io::Error| unusable(&known_hosts.display().to_string(), &error);
    let before = match std::fs::read_to_string(known_hosts) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        other => other.map_err(failed)?,
    };
    let stays = |line: &&str| {
        let of_machine = line.split_ascii_whitespace().next() == Some(&key.machine);
        *line != key.line && !(known == KnownKey::Replace && of_machine)
    };
    let mut after: Vec<&str> = before.lines().filter(stays).collect();
    after.push(&key.line);
    let directory = known_hosts.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(failed)?;
    // Temporary files are created with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    writeln!(file, "{}", after.join("\n")).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(known_hosts).map_err(|error| failed(error.error))?;
    Ok(())
}

fn unusable(what: &str, error: &io::Error) -> Error {
    Error::Unusable { what: format!("{what}: {}", excerpt(&error.to_string())) }
}

#[cfg(test)]
mod tests;
