//! The one thing that every way of reaching a machine can do: run a command with streams.
//!
//! Knows bytes and exit statuses; does not know capsules. Each transport adds a variant to [`Ending`].

use std::fmt;
use std::process::ExitStatus;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::task::AbortOnDropHandle;

use super::builtin::BuiltinSession;
use super::error::{Error, excerpt};
use super::local::LocalProcess;
use super::openssh::OpenSshSession;
use super::scripted::ScriptedProcess;

/// How much of a command's standard error is kept: the last part, for messages.
const STDERR_LIMIT: usize = 4 * 1024;

/// A command, and all of its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments; nothing in them is read by a shell.
    pub argv: Vec<String>,
    /// Written to its standard input, which then ends.
    pub stdin: Vec<u8>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0 to 255.
    Status(i32),
    /// Killed.
    Signal,
}

/// A command that was handed over. Dropping this lets go of its streams; it does not end the command.
pub struct Running {
    /// Standard output as it comes.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    stderr: AbortOnDropHandle<Vec<u8>>,
    ending: Ending,
    /// Where it runs, for messages.
    host: String,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("ending", &self.ending).finish_non_exhaustive()
    }
}

/// What each transport waits for.
#[derive(Debug)]
pub(super) enum Ending {
    /// A session of a master of OpenSSH.
    OpenSsh(Box<OpenSshSession>),
    /// A channel of the built-in transport.
    Builtin(BuiltinSession),
    /// A child process.
    Local(LocalProcess),
    /// An answer of the model fleet.
    Scripted(ScriptedProcess),
}

/// Why nobody knows how a command ended.
#[derive(Debug)]
pub(super) enum NoEnd {
    /// The connection ended. It may have ended or not.
    Lost(String),
    /// It was never begun.
    Refused(String),
}

impl Running {
    /// Feeds the input and collects standard error on the side, so that neither can hold up standard output.
    pub(super) fn new(
        input: Vec<u8>,
        mut stdin: impl AsyncWrite + Send + Unpin + 'static,
        stdout: Box<dyn AsyncRead + Send + Unpin>,
        mut stderr: impl AsyncRead + Send + Unpin + 'static,
        ending: Ending,
    ) -> Self {
        let feed = async move {
            // A command may end without having read everything.
            let _ = stdin.write_all(&input).await;
            let _ = stdin.shutdown().await;
        };
        let collect = async move {
            let mut kept = Vec::new();
            let mut part = [0; 1024];
            while let Ok(length @ 1..) = stderr.read(&mut part).await {
                kept.extend_from_slice(part.get(..length).unwrap_or_default());
                kept.drain(..kept.len().saturating_sub(STDERR_LIMIT));
            }
            kept
        };
        let both = async move { tokio::join!(feed, collect).1 };
        Self { stdout, stderr: AbortOnDropHandle::new(tokio::spawn(both)), ending, host: String::new() }
    }

    /// The same, on a machine that messages call so.
    pub(super) fn on(self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self }
    }

    /// Waits for the end; call it when `stdout` has ended. With what was printed to standard error, for messages.
    ///
    /// # Errors
    /// When the line was lost: the command may have ended or not.
    pub async fn wait(self) -> Result<(Exit, String), Error> {
        let Self { stdout, stderr, ending, host } = self;
        // A command that goes on printing ends with its pipe.
        drop(stdout);
        let no_end = |trouble| match trouble {
            NoEnd::Lost(detail) => Error::LineLost { host, detail },
            NoEnd::Refused(detail) => Error::NoShell { host, detail },
        };
        let exit = match ending {
            Ending::OpenSsh(session) => session.wait().await.map_err(no_end)?,
            Ending::Builtin(session) => session.wait().await.map_err(no_end)?,
            Ending::Local(process) => process.wait().await?,
            Ending::Scripted(process) => process.wait()?,
        };
        // A daemon may hold standard error open.
        let messages = tokio::time::timeout(std::time::Duration::from_millis(200), stderr).await;
        let messages = messages.ok().and_then(Result::ok).unwrap_or_default();
        Ok((exit, excerpt(&String::from_utf8_lossy(&messages))))
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        status.code().map_or(Self::Signal, Self::Status)
    }
}

/// The words as one line for the account's shell, whichever it is: backslashes stand outside of the quotes, where fish
/// reads them as a POSIX shell does.
pub(super) fn shell_line(argv: &[String]) -> String {
    let quote = |word: &String| {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@+".contains(&byte);
        if !word.is_empty() && word.bytes().all(safe) {
            return word.clone();
        }
        let mut quoted = String::from("'");
        for character in word.chars() {
            match character {
                '\'' => quoted.push_str("'\\''"),
                '\\' => quoted.push_str("'\\\\'"),
                other => quoted.push(other),
            }
        }
        quoted.push('\'');
        quoted
    };
    argv.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
