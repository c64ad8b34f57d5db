//! One machine on the way to a target: dialing it, greeting it, and sorting what goes wrong.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::stream;
use russh::Preferred;
use russh::client::{Config, Handle};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;
use tokio_util::sync::DropGuard;

use super::checker::Checker;
use super::guard::Guarded;
use super::known_hosts::{KnownHosts, Verdict};
use super::login::Refused;
use crate::edge::remote::error::Error;
use crate::edge::remote::resolve::Resolved;
use crate::edge::remote::ssh::{NotConnected, SshTarget};

/// Kinds of host keys, in the order of preference where none is known: those of OpenSSH. RSA signs with SHA-2 only.
const KEY_KINDS: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// One machine on the way to a target.
pub(super) struct Call<'a> {
    pub(super) target: &'a SshTarget,
    pub(super) machine: &'a Resolved,
}

/// Why there is no connection, before the keys that it may be about are looked up.
pub(super) enum Failure {
    NotConnected(NotConnected),
    /// The server's key, by its fingerprint, is not to be trusted.
    Untrusted(Verdict, String),
}

impl From<NotConnected> for Failure {
    fn from(error: NotConnected) -> Self {
        Self::NotConnected(error)
    }
}

impl Call<'_> {
    /// Tries the addresses one after the other, as ssh does.
    pub(super) async fn dial(&self) -> Result<TcpStream, NotConnected> {
        let place = (self.machine.hostname.as_str(), self.machine.port);
        let host = self.target.name.clone();
        let addresses = tokio::net::lookup_host(place).await.map_err(|error| {
            let detail = format!("{}: {error}", self.machine.hostname);
            NotConnected::Final(Error::CannotResolve { host, detail })
        })?;
        let mut last = "no address".to_owned();
        for address in addresses {
            match tokio::time::timeout(self.machine.connect_timeout, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    self.set_options(&stream);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = format!("{address}: {error}"),
                Err(_) => last = format!("{address}: no answer in time"),
            }
        }
        Err(NotConnected::Final(cannot_connect(self.target, last)))
    }

    /// A socket that can't be told works all the same.
    fn set_options(&self, stream: &TcpStream) {
        // Small packets go at once.
        let _ = stream.set_nodelay(true);
        // Signs of life are counted only while there is room to send them: what is not acknowledged in that time ends the line.
        let limit = self.machine.alive_interval * u32::try_from(self.machine.alive_count + 1).unwrap_or(4);
        let limit = (limit > Duration::ZERO).then_some(limit);
        let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(limit);
    }

    /// What comes back is taken from the jump host's connection at once, however slow its user is: else the two connections could wait
    /// for each other. It is no more than what the inner connection's channels may be sent.
    pub(super) async fn dial_through(
        &self,
        hop: &Handle<Checker>,
    ) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, NotConnected> {
        let Resolved { hostname, port, .. } = self.machine;
        let channel = hop.channel_open_direct_tcpip(hostname.as_str(), u32::from(*port), "127.0.0.1", 0).await;
        let channel = channel.map_err(|error| {
            let detail = format!("the jump host can't connect to {hostname}:{port}: {error}");
            NotConnected::Final(cannot_connect(self.target, detail))
        })?;
        let (mut from, to) = tokio::io::split(channel.into_stream());
        let (parts, mut taken) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut part = BytesMut::with_capacity(32 * 1024);
            while matches!(from.read_buf(&mut part).await, Ok(1..)) && parts.send(part.split().freeze()).is_ok() {
                part.reserve(32 * 1024);
            }
        });
        let taken = stream::poll_fn(move |context| taken.poll_recv(context).map(|part| part.map(Ok::<_, io::Error>)));
        Ok(tokio::io::join(StreamReader::new(taken), to))
    }

    /// Greeting, key exchange, and the check of the host key. The connection ends when the guard is dropped.
    pub(super) async fn greet<S>(&self, stream: S, checker: Checker) -> Result<(Handle<Checker>, DropGuard), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = Arc::new(self.config(&checker.known_hosts));
        let verdict = Arc::clone(&checker.verdict);
        let (stream, guard) = Guarded::new(stream);
        // ssh_config(5): `ConnectTimeout` is for the connection, and again for greeting and key exchange.
        let limit = self.machine.connect_timeout;
        match tokio::time::timeout(limit, russh::client::connect_stream(config, stream, checker)).await {
            Ok(Ok(handle)) => Ok((handle, guard)),
            Ok(Err(error)) => Err(match verdict.get() {
                Some((verdict, fingerprint)) => Failure::Untrusted(verdict.clone(), fingerprint.clone()),
                None => self.sort(error).into(),
            }),
            Err(_) => Err(NotConnected::Final(cannot_connect(self.target, "no greeting in time".to_owned())).into()),
        }
    }

    fn config(&self, known_hosts: &KnownHosts) -> Config {
        let (known, unknown): (Vec<_>, Vec<_>) = KEY_KINDS.into_iter().partition(|kind| known_hosts.knows(kind));
        let certificates = if known_hosts.has_authority() { KEY_KINDS.to_vec() } else { Vec::new() };
        let preferred = Preferred {
            key: known.into_iter().chain(unknown).collect(),
            host_key_certificates: certificates.into(),
            ..Preferred::DEFAULT
        };
        let interval = self.machine.alive_interval;
        Config {
            preferred,
            keepalive_interval: (interval > Duration::ZERO).then_some(interval),
            keepalive_max: self.machine.alive_count,
            nodelay: true,
            ..Config::default()
        }
    }

    fn sort(&self, error: russh::Error) -> NotConnected {
        let detail = error.to_string();
        match error {
            russh::Error::NoCommonAlgo { kind, theirs, .. } => {
                let detail = format!("nothing in common for {kind:?}; it offers {}", theirs.join(","));
                NotConnected::NothingInCommon(cannot_connect(self.target, detail))
            }
            russh::Error::HUP | russh::Error::Disconnect => {
                NotConnected::Crowded(cannot_connect(self.target, "it hung up before the login".to_owned()))
            }
            russh::Error::IO(error) if is_hang_up(&error) => NotConnected::Crowded(cannot_connect(self.target, detail)),
            _ => NotConnected::Final(cannot_connect(self.target, detail)),
        }
    }

    pub(super) fn sort_refused(&self, refused: Refused) -> NotConnected {
        match refused {
            Refused::Login(detail) => {
                NotConnected::Final(Error::AuthenticationRefused { host: self.target.name.clone(), detail })
            }
            // Who has no room hangs up before: this is about the account, or the line.
            Refused::Line(error) => NotConnected::Final(cannot_connect(
                self.target,
                format!("the connection ended during the login: {error}"),
            )),
        }
    }
}

pub(super) fn cannot_connect(target: &SshTarget, detail: String) -> Error {
    Error::CannotConnect { host: target.name.clone(), detail }
}

fn is_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
