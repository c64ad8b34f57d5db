//! What can go wrong between turnus and a machine, sorted by what a person can do about it.
//!
//! Knows the texts of OpenSSH and sudo; does not know steps or runs. An ended step, however it ended, is no error.

use crate::domain::run::event::Fault;

/// Why a machine, or a step on it, could not be reached, started or followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address has no entry in DNS or the hosts file.
    #[error("can't resolve the address of `{host}`: {detail}")]
    CannotResolve {
        /// Which machine.
        host: String,
        /// What ssh said.
        detail: String,
    },
    /// Refused, unreachable, timed out, reset, or no SSH server.
    #[error("can't connect to `{host}`: {detail}")]
    CannotConnect {
        /// Which machine.
        host: String,
        /// What ssh said.
        detail: String,
    },
    /// No known key for this machine.
    #[error("the host key of `{host}` is not known ({fingerprint})")]
    HostKeyUnknown {
        /// Which machine, as `turnus trust` knows it.
        host: String,
        /// What it offers, as far as it could be asked.
        fingerprint: String,
    },
    /// Another key than the known one.
    #[error("the host key of `{host}` has changed from {known} to {offered}")]
    HostKeyChanged {
        /// Which machine, as `turnus trust` knows it.
        host: String,
        /// Fingerprint of the known key.
        known: String,
        /// Fingerprint of the key that it offers now.
        offered: String,
        /// `file:line` of the known key.
        place: String,
    },
    /// A key that is marked as not to be trusted any more.
    #[error("the host key of `{host}` is revoked ({fingerprint}, by {place})")]
    HostKeyRevoked {
        /// Which machine.
        host: String,
        /// Fingerprint of the key that it offers.
        fingerprint: String,
        /// `file:line` of the mark.
        place: String,
    },
    /// No key was accepted.
    #[error("`{host}` refuses the login: {detail}")]
    AuthenticationRefused {
        /// Which machine.
        host: String,
        /// What ssh said.
        detail: String,
    },
    /// The connection ended, or the command's output ended too early.
    #[error("the line to `{host}` was lost: {detail}")]
    LineLost {
        /// Which machine.
        host: String,
        /// What ssh said.
        detail: String,
    },
    /// `sudo -n` wants a password, does not know the account, or does not exist.
    #[error("sudo on `{host}` refuses: {detail}")]
    SudoRefused {
        /// Which machine.
        host: String,
        /// What sudo said.
        detail: String,
    },
    /// The account's shell did not run the capsule.
    #[error("the account on `{host}` can't run a shell command: {detail}")]
    NoShell {
        /// Which machine.
        host: String,
        /// What came instead.
        detail: String,
    },
    /// The host can't keep the step's record (no room, no rights, a tool is missing). Nothing was started.
    #[error("`{host}` can't run the step: {why}")]
    NotStarted {
        /// Which machine.
        host: String,
        /// What is missing there.
        why: String,
    },
    /// Another controller has taken the run over. Nothing was started.
    #[error("`{host}` refuses epoch {epoch}: the run was taken over with epoch {newer}")]
    Fenced {
        /// Which machine.
        host: String,
        /// Ours.
        epoch: i64,
        /// Theirs.
        newer: i64,
    },
    /// The machine, asked to connect to another place, has not.
    #[error("{host} can't connect to {place}: {why}")]
    NotConnected {
        /// Which machine.
        host: String,
        /// Where to: `host:port`.
        place: String,
        /// In its words.
        why: String,
        /// Whether it has tried, and nothing there takes connections.
        is_closed: bool,
    },
    /// The host's record of what was started is gone, so nothing may be started.
    #[error("the record of this run on `{host}` has vanished")]
    Vanished {
        /// Which machine.
        host: String,
    },
    /// The deadline passed before the step's end was seen.
    #[error("the end of the step on `{host}` was not seen in time: {last}")]
    Unknown {
        /// Which machine.
        host: String,
        /// The last trouble.
        last: String,
    },
    /// Something on the controller: ssh is missing, a file can't be written, a value can't be used.
    #[error("can't use ssh: {what}")]
    Unusable {
        /// What, with values.
        what: String,
    },
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::CannotResolve { .. } => "check `address` in the inventory and the name servers".to_owned(),
            Self::CannotConnect { .. } => {
                "check that the machine is up, that `address` and `port` are right, and the firewalls between"
                    .to_owned()
            }
            Self::HostKeyUnknown { host, .. } => {
                format!("compare the fingerprint with the machine's own, then accept it with `turnus trust {host}`")
            }
            Self::HostKeyChanged { host, place, .. } => format!(
                "if the machine was reinstalled, replace the key with `turnus trust {host}` (known from {place}); \
                 if not, somebody may be in between"
            ),
            Self::HostKeyRevoked { place, .. } => format!(
                "give the machine a new key, and take it in with `turnus trust`; if the mark at {place} is wrong, remove it"
            ),
            Self::AuthenticationRefused { .. } => {
                "check `user` and `identity_file`, and that the public key is in the account's authorized_keys"
                    .to_owned()
            }
            Self::LineLost { .. } | Self::Unknown { .. } => {
                "a started step goes on without the line; resume the run to see how it ended".to_owned()
            }
            Self::SudoRefused { .. } => {
                "allow the account to use sudo without a password (NOPASSWD), or set `become = false`".to_owned()
            }
            Self::NoShell { .. } => "log in by hand and see what the account's shell does".to_owned(),
            Self::Vanished { .. } => {
                "what was started there can't be told any more; look at the machine, then close the run".to_owned()
            }
            Self::NotStarted { .. } | Self::Fenced { .. } | Self::NotConnected { .. } | Self::Unusable { .. } => {
                return None;
            }
        })
    }

    /// Whether trying again later may help without anybody doing something.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::CannotResolve { .. } | Self::CannotConnect { .. } | Self::LineLost { .. })
    }

    /// For the run's record.
    #[must_use]
    pub fn into_fault(self) -> Fault {
        Fault { what: self.to_string(), hint: self.hint() }
    }
}

/// What ssh's messages on a failed connection mean, before the keys that they speak of are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No such name.
    Resolve,
    /// No connection.
    Connect,
    /// The server had too many callers at once, or hung up before it said who it is. Worth another try at once.
    Crowded,
    /// Unknown key.
    KeyUnknown,
    /// Changed key.
    KeyChanged,
    /// A key that is marked as revoked.
    KeyRevoked,
    /// No key was accepted.
    Login,
    /// The configuration can't be used.
    Configuration,
}

impl Refusal {
    /// Sorts what ssh printed.
    pub(super) fn of(messages: &str) -> Self {
        const SIGNS: [(&str, Refusal); 13] = [
            ("REVOKED HOST KEY DETECTED", Refusal::KeyRevoked),
            ("HOST IDENTIFICATION HAS CHANGED", Refusal::KeyChanged),
            ("host key is known for", Refusal::KeyUnknown),
            ("Host key verification failed", Refusal::KeyUnknown),
            ("Bad configuration option", Refusal::Configuration),
            ("terminating, ", Refusal::Configuration),
            ("Bad owner or permissions", Refusal::Configuration),
            ("Could not resolve hostname", Refusal::Resolve),
            ("Permission denied (", Refusal::Login),
            ("Too many authentication failures", Refusal::Login),
            ("Connection refused", Refusal::Connect),
            ("kex_exchange_identification", Refusal::Crowded),
            ("ssh_exchange_identification", Refusal::Crowded),
        ];
        SIGNS.iter().find(|(sign, _)| messages.contains(sign)).map_or(Self::Connect, |(_, refusal)| *refusal)
    }
}

/// The last lines of what a foreign program printed, made fit for one line of a message.
pub(super) fn excerpt(messages: &str) -> String {
    let lines: Vec<&str> = messages.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join("; ");
    let clean: String = last.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let skipped = clean.chars().count().saturating_sub(400);
    clean.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests;
