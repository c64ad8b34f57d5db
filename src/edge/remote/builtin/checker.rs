//! What is asked while a connection lives: whether the key is right, why channels are not opened, and why it ended.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::{HashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tokio::sync::watch;

use super::known_hosts::{KnownHosts, Verdict};
use crate::edge::remote::error::excerpt;
use crate::edge::remote::resolve::Resolved;

/// So many reasons are kept.
const REASONS: usize = 32;

/// Why the server opened no channel, as often as it did not.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) count: usize,
    /// The last ones.
    reasons: VecDeque<String>,
}

impl Failures {
    /// What came after the first `before`, as far as it is kept.
    pub(super) fn since(&self, before: usize) -> Vec<String> {
        let new = (self.count - before).min(self.reasons.len());
        self.reasons.iter().skip(self.reasons.len() - new).cloned().collect()
    }
}

/// How a connection ended.
#[derive(Debug)]
pub(super) struct Goodbye {
    /// In words.
    pub(super) why: String,
    /// Whether the server said so, and was not just gone.
    pub(super) by_server: bool,
}

/// Sits with the connection.
#[derive(Debug)]
pub(super) struct Checker {
    pub(super) known_hosts: KnownHosts,
    /// Set for a key that is refused, with its fingerprint.
    pub(super) verdict: Arc<OnceLock<(Verdict, String)>>,
    pub(super) ended: Arc<OnceLock<Goodbye>>,
    pub(super) failures: watch::Sender<Failures>,
}

impl Checker {
    pub(super) fn new(machine: &Resolved) -> Self {
        let (name, port) = match &machine.key_alias {
            Some(alias) => (alias, 22),
            None => (&machine.hostname, machine.port),
        };
        let known_hosts = KnownHosts::read(&machine.known_hosts, name, port);
        let failures = watch::channel(Failures::default()).0;
        Self { known_hosts, verdict: Arc::default(), ended: Arc::default(), failures }
    }
}

/// A client that forwards nothing is opened no channels by a server that means well (RFC 4254, sections 6.1, 6.3.2 and 7.2). The library
/// accepts them unless told otherwise; a reply that is dropped refuses.
macro_rules! refuse {
    ($($channel:ident($($argument:ty),*);)*) => {
        $(async fn $channel(
            &mut self,
            _: Channel<Msg>,
            $(_: $argument,)*
            _: ChannelOpenHandle,
            _: &mut Session,
        ) -> Result<(), Self::Error> {
            Ok(())
        })*
    };
}

impl Handler for Checker {
    type Error = russh::Error;

    #[expect(clippy::disallowed_methods, reason = "a certificate is valid in its time")]
    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        let verdict = self.known_hosts.judge(offered, now);
        if verdict == Verdict::Known {
            return Ok(true);
        }
        // Set once: the connection ends here.
        let _ = self.verdict.set((verdict, offered.public_key().fingerprint(HashAlg::Sha256).to_string()));
        Ok(false)
    }

    async fn channel_open_failure(
        &mut self,
        _: ChannelId,
        reason: ChannelOpenFailure,
        description: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.failures.send_modify(|failures| {
            failures.count += 1;
            failures.reasons.push_back(excerpt(&format!("{}: {description}", describe(&reason))));
            if failures.reasons.len() > REASONS {
                failures.reasons.pop_front();
            }
        });
        Ok(())
    }

    refuse! {
        server_channel_open_agent_forward();
        server_channel_open_direct_streamlocal(&str);
        server_channel_open_direct_tcpip(&str, u32, &str, u32);
        server_channel_open_forwarded_streamlocal(&str);
        server_channel_open_forwarded_tcpip(&str, u32, &str, u32);
        server_channel_open_session();
        server_channel_open_x11(&str, u32);
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Self::Error>) -> Result<(), Self::Error> {
        let (why, by_server) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => (excerpt(&info.message), true),
            DisconnectReason::Error(russh::Error::KeepaliveTimeout) => ("it no longer answers".to_owned(), false),
            DisconnectReason::Error(error) => (error.to_string(), false),
        };
        let _ = self.ended.set(Goodbye { why, by_server });
        Ok(())
    }
}

/// RFC 4254, section 5.1.
pub(super) fn describe(reason: &ChannelOpenFailure) -> &'static str {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => "administratively prohibited",
        ChannelOpenFailure::ConnectFailed => "connect failed",
        ChannelOpenFailure::ResourceShortage => "resource shortage",
        _ => "open failed",
    }
}

#[cfg(test)]
mod tests;
