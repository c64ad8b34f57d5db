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
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn Stream>, Undialed>>;
}

/// Why a host has not connected to another place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undialed {
    /// It tried, and nothing there takes connections.
    Closed(String),
    /// It was not asked, did not try, or how that ended is not known.
    Untold(String),
}

impl Undialed {
    pub(super) fn why(self) -> String {
        let (Self::Closed(why) | Self::Untold(why)) = self;
        why
    }
}

/// A connection, whichever way it goes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin + Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + Debug> Stream for T {}

/// What a command on a host said.
#[derive(Debug)]
pub struct Answer {
    /// Its exit status; none if it was killed.
    pub status: Option<i32>,
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
        let status = self.status.map_or("killed".to_owned(), |status| format!("exit status {status}"));
        format!("{status}: {}", excerpt(said.as_bytes()))
    }
}
