//! Commands on the controller's own machine.
//!
//! Knows child processes; does not know capsules. A command gets a clean environment, as over ssh: what the controller
//! was started with (passwords of its database, say) is not a step's business.

use std::ffi::OsString;
use std::process::Stdio;

use super::error::Error;
use super::running::{Command, Ending, Exit, Running};

/// What messages call this machine.
pub(super) const NAME: &str = "controller";

/// What a command gets from the controller's environment.
const PASSED_ON: [&str; 9] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK"];

/// The machine that runs turnus.
#[derive(Debug, Clone)]
pub struct LocalHost {
    environment: Vec<(OsString, OsString)>,
    state_dir: Option<String>,
}

impl LocalHost {
    /// With `environment` to choose from (what the process was started with), and a place for capsules if it is not to
    /// be the account's usual one.
    pub fn new(environment: impl IntoIterator<Item = (OsString, OsString)>, state_dir: Option<String>) -> Self {
        let passed = |(name, _): &(OsString, OsString)| PASSED_ON.iter().any(|known| name == known);
        Self { environment: environment.into_iter().filter(passed).collect(), state_dir }
    }

    pub(super) fn state_dir(&self) -> Option<&str> {
        self.state_dir.as_deref()
    }

    pub(super) fn exec(&self, command: Command) -> Result<Running, Error> {
        let not_started = |why: String| Error::NoShell { host: NAME.to_owned(), detail: why };
        let mut argv = command.argv.iter();
        let Some(program) = argv.next() else { return Err(not_started("an empty command".to_owned())) };
        let mut child = tokio::process::Command::new(program);
        child.args(argv).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Its own process group: Ctrl-C on the terminal is meant for turnus. Not killed when dropped: it may be just
        // between the step's token and the step's start.
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = child.spawn().map_err(|error| not_started(format!("{program}: {error}")))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(not_started("a process without streams".to_owned()));
        };
        Ok(Running::new(command.stdin, stdin, Box::new(stdout), stderr, Ending::Local(LocalProcess { child })))
    }
}

/// A child process.
#[derive(Debug)]
pub(super) struct LocalProcess {
    child: tokio::process::Child,
}

impl LocalProcess {
    pub(super) async fn wait(mut self) -> Result<Exit, Error> {
        let lost = |error: std::io::Error| Error::LineLost { host: NAME.to_owned(), detail: error.to_string() };
        self.child.wait().await.map(Exit::from).map_err(lost)
    }
}
