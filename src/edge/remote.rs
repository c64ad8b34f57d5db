//! Other machines, and this one: running commands there, and the capsule that makes a step of them.
//!
//! ```text
//! Capsules::prepare, run_step, reboot, clean      a step: at most one start, fenced, followed, re-attached
//! packages::survey, simulate                   a look at packages: read-only, may be repeated
//! capacity::measure                            a look at disks and memory: likewise
//!        └─ Remote::exec                          "run a command with streams", the one thing a transport can do
//!             ├─ Ssh       one connection per machine, by `builtin` (in this process) or `openssh` (a program)
//!             ├─ Local     a child process on the controller
//!             └─ Scripted  a model fleet in memory: rehearsals, exhaustive tests of the driver
//! ```
//!
//! Architecture invariant: nothing above [`Remote::exec`] knows how a machine is reached; a further transport is a
//! variant here and in `running::Ending`. Nothing here knows plans or stores anything.

#![expect(clippy::disallowed_methods, reason = "starts ssh and local commands; nonces and jitter are chance")]

mod answer;
mod backoff;
mod builtin;
pub mod capacity;
pub mod capsule;
pub mod error;
mod frame;
mod local;
mod mask;
mod master;
mod openssh;
pub mod packages;
mod resolve;
mod running;
pub mod scripted;
mod ssh;
mod ssh_config;
pub mod trust;
mod tunnel;

pub use error::Error;
pub use local::LocalHost;
pub use running::{Command, Exit, Running};
pub use scripted::ScriptedHost;
pub use ssh::{Choice, SshControl, SshHost, SshTarget, choose_transports};
pub use ssh_config::{Environment, Passphrase, SshSettings};
pub use tunnel::Tunnel;

/// A machine on which commands can be run.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each machine, and almost all are the large one")]
pub enum Remote {
    /// Reached by SSH.
    Ssh(SshHost),
    /// The controller itself.
    Local(LocalHost),
    /// A model.
    Scripted(ScriptedHost),
}

impl Remote {
    /// Hands a command to the machine, connecting first if need be. Waits for as long as the machine has no room for
    /// another command. Dropping what it returns does not end the command.
    ///
    /// # Errors
    /// When the machine can't be reached. After [`Error::LineLost`] the command may have been begun.
    pub async fn exec(&self, command: Command) -> Result<Running, Error> {
        match self {
            Self::Ssh(host) => host.exec(command).await,
            Self::Local(host) => host.exec(command),
            Self::Scripted(host) => host.exec(&command),
        }
    }

    /// Has the machine connect to another place, as it sees that, connecting to the machine first if need be.
    ///
    /// # Errors
    /// When the machine can't be reached, or can't connect.
    pub async fn dial(&self, host: &str, port: u16) -> Result<Tunnel, Error> {
        match self {
            Self::Ssh(machine) => machine.dial(host, port).await,
            Self::Local(_) | Self::Scripted(_) => {
                Err(Error::Unusable { what: format!("{} connects nobody", self.name()) })
            }
        }
    }

    /// The same machine for somebody who is not connected yet: nothing of this connection is used.
    #[must_use]
    pub fn anew(&self) -> Self {
        match self {
            Self::Ssh(host) => Self::Ssh(host.anew()),
            Self::Local(host) => Self::Local(host.clone()),
            Self::Scripted(host) => Self::Scripted(host.clone()),
        }
    }

    /// What messages call the machine.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Ssh(host) => host.name(),
            Self::Local(_) => local::NAME,
            Self::Scripted(host) => host.name(),
        }
    }

    /// Where capsules are kept, if not at the account's usual place.
    fn state_dir(&self) -> Option<&str> {
        match self {
            Self::Ssh(host) => host.state_dir(),
            Self::Local(host) => host.state_dir(),
            Self::Scripted(_) => None,
        }
    }

    /// Ends the connection. What was started on the machine goes on.
    pub async fn close(&self) {
        match self {
            Self::Ssh(host) => host.close().await,
            Self::Local(_) | Self::Scripted(_) => {}
        }
    }
}
