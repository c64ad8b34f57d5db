//! What a probe may want of a host, whoever keeps the connections to hosts.

use std::fmt::Debug;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use super::excerpt;

/// A way to a host. What goes wrong on it is told in words.
pub trait Way: Debug + Send + Sync {
    /// What messages call the host.
    fn name(&self) -> &str;

    /// Runs a command that changes nothing, over the connection that is there, and waits for its end.
    fn run<'a>(&'a self, words: &'a [&'a str]) -> BoxFuture<'a, Result<Answer, String>>;

    /// Runs the least command there is over a connection that is made for it alone, as somebody would who is not logged in yet.
    fn log_in(&self) -> BoxFuture<'_, Result<Answer, String>>;

    /// Has the host connect to another place, as it sees that.
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn Stream>, String>>;
}

/// A connection, whichever way it goes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin + Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + Debug> Stream for T {}

/// What a command on a host said.
#[derive(Debug)]
pub struct Answer {
    /// Its exit status; as a shell has it for one that was killed.
    pub status: i32,
    /// The beginning of what it printed.
    pub output: String,
    /// The end of what it printed as messages.
    pub messages: String,
}

impl Answer {
    pub(super) fn last_line(&self) -> &str {
        self.output.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default()
    }

    /// For an end that was not expected.
    pub(super) fn trouble(&self) -> String {
        let said = if self.messages.is_empty() { self.last_line() } else { &self.messages };
        format!("exit status {}: {}", self.status, excerpt(said.as_bytes()))
    }
}
