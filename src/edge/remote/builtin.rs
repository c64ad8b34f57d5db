//! SSH inside of this process: no program for each machine, a small part of the cost.
//!
//! The only file, with those below it, that knows the russh crate. Takes the machines on the way from `resolve`, so that ssh_config
//! means the same as for ssh. Invariants, as for OpenSSH: a host key is checked before anything is shown to the server; a command
//! that was handed over is never sent again from here.

mod channel;
mod known_hosts;
mod login;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use russh::client::{Config, DisconnectReason, Handle, Handler, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{ChannelId, ChannelOpenFailure, ChannelStream, Disconnect, Preferred};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::error::{Error, Refusal, excerpt};
use super::resolve::Resolved;
use super::running::{Ending, Exit, Running};
use super::ssh::{NotConnected, NotDialed, NotOpened, SshTarget};
use channel::{Ended, attend};
use known_hosts::{KnownHosts, Verdict};
use login::{Refused, log_in};

/// Kinds of host keys, in the order of preference where none is known: those of OpenSSH. RSA signs with SHA-2 only.
const KEY_KINDS: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// Why the built-in transport can't show itself to the machine; none if it can.
pub(super) fn find_obstacle(way: &[Resolved]) -> Option<String> {
    let mut keys = way.iter().flat_map(|machine| &machine.identities);
    let file = keys.find(|file| login::needs_device(file))?;
    Some(format!("{} is a key of a security device", file.display()))
}

/// A connection, with those to the jump hosts that it goes through.
pub(super) struct Line {
    /// Nearest first, the machine itself last.
    handles: Vec<Handle<Checker>>,
    ended: Arc<OnceLock<String>>,
    failures: watch::Receiver<Failures>,
    environment: Vec<(String, String)>,
}

/// Why the server opened no channel, as often as it did not.
#[derive(Debug, Default)]
struct Failures {
    count: usize,
    /// The last ones.
    reasons: VecDeque<String>,
}

impl Failures {
    /// What came after the first `before`, as far as it is kept.
    fn since(&self, before: usize) -> Vec<String> {
        let new = (self.count - before).min(self.reasons.len());
        self.reasons.iter().skip(self.reasons.len() - new).cloned().collect()
    }
}

/// So many reasons are kept, and it is waited so long for one: it comes right behind the refusal.
const REASONS: usize = 32;
const REASON_LIMIT: Duration = Duration::from_secs(1);

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// Connects along the way.
pub(super) async fn connect(target: &SshTarget, way: &[Resolved]) -> Result<Line, NotConnected> {
    let limit = target.connect_limit();
    let connected = tokio::time::timeout(limit, connect_along(target, way)).await;
    let late = |_| NotConnected::Final(cannot_connect(target, "the connection was not ready in time".to_owned()));
    connected.map_err(late)?
}

async fn connect_along(target: &SshTarget, way: &[Resolved]) -> Result<Line, NotConnected> {
    let mut handles: Vec<Handle<Checker>> = Vec::new();
    let (_, mut failures) = watch::channel(Failures::default());
    let mut ended = Arc::new(OnceLock::new());
    for machine in way {
        let call = Call { target, machine };
        let checker = Checker::new(machine);
        (ended, failures) = (Arc::clone(&checker.ended), checker.failures.subscribe());
        let mut handle = match handles.last() {
            None => call.greet(call.dial().await?, checker).await?,
            Some(hop) => call.greet(call.dial_through(hop).await?, checker).await?,
        };
        log_in(&mut handle, machine, target.settings.passphrase.as_ref())
            .await
            .map_err(|refused| call.sort_refused(refused))?;
        handles.push(handle);
    }
    let environment = way.last().map(|machine| machine.environment.clone()).unwrap_or_default();
    Ok(Line { handles, ended, failures, environment })
}

/// One machine on the way to a target.
struct Call<'a> {
    target: &'a SshTarget,
    machine: &'a Resolved,
}

impl Call<'_> {
    /// Tries the addresses one after the other, as ssh does.
    async fn dial(&self) -> Result<TcpStream, NotConnected> {
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
                    // Small packets go at once; a socket that can't do that works all the same.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = format!("{address}: {error}"),
                Err(_) => last = format!("{address}: no answer in time"),
            }
        }
        Err(NotConnected::Final(cannot_connect(self.target, last)))
    }

    async fn dial_through(&self, hop: &Handle<Checker>) -> Result<ChannelStream<Msg>, NotConnected> {
        let Resolved { hostname, port, .. } = self.machine;
        let channel = hop.channel_open_direct_tcpip(hostname.as_str(), u32::from(*port), "127.0.0.1", 0).await;
        let channel = channel.map_err(|error| {
            let detail = format!("the jump host can't connect to {hostname}:{port}: {error}");
            NotConnected::Final(cannot_connect(self.target, detail))
        })?;
        Ok(channel.into_stream())
    }

    /// Greeting, key exchange, and the check of the host key.
    async fn greet<S>(&self, stream: S, checker: Checker) -> Result<Handle<Checker>, NotConnected>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = Arc::new(self.config(&checker.known_hosts));
        let (verdict, key) = (Arc::clone(&checker.verdict), Arc::clone(&checker.key));
        // ssh_config(5): `ConnectTimeout` is for the connection, and again for greeting and key exchange.
        let limit = self.machine.connect_timeout;
        match tokio::time::timeout(limit, russh::client::connect_stream(config, stream, checker)).await {
            Ok(Ok(handle)) => Ok(handle),
            Ok(Err(error)) => Err(match verdict.get() {
                Some(verdict) => self.sort_verdict(verdict, key.get()).await,
                None => self.sort(error),
            }),
            Err(_) => Err(NotConnected::Final(cannot_connect(self.target, "no greeting in time".to_owned()))),
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

    async fn sort_verdict(&self, verdict: &Verdict, key: Option<&String>) -> NotConnected {
        let host = self.target.name.clone();
        NotConnected::Final(match verdict.clone() {
            Verdict::Changed { known, offered, place } => Error::HostKeyChanged { host, known, offered, place },
            Verdict::Revoked { place } => {
                Error::HostKeyRevoked { host, fingerprint: key.cloned().unwrap_or_default(), place }
            }
            // A machine behind may be unknown as well: ssh asks all of them.
            Verdict::Unknown | Verdict::Known => self.target.sort_out(Refusal::KeyUnknown, "").await,
        })
    }

    fn sort_refused(&self, refused: Refused) -> NotConnected {
        match refused {
            Refused::Login(detail) => {
                NotConnected::Final(Error::AuthenticationRefused { host: self.target.name.clone(), detail })
            }
            Refused::Line(error) => self.sort(error),
        }
    }
}

fn cannot_connect(target: &SshTarget, detail: String) -> Error {
    Error::CannotConnect { host: target.name.clone(), detail }
}

fn is_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// What is asked while a connection lives: whether the key is right, and why it ended.
#[derive(Debug)]
pub(super) struct Checker {
    known_hosts: KnownHosts,
    verdict: Arc<OnceLock<Verdict>>,
    /// Fingerprint of the key that was refused.
    key: Arc<OnceLock<String>>,
    ended: Arc<OnceLock<String>>,
    failures: watch::Sender<Failures>,
}

impl Checker {
    fn new(machine: &Resolved) -> Self {
        let (name, port) = match &machine.key_alias {
            Some(alias) => (alias, 22),
            None => (&machine.hostname, machine.port),
        };
        let known_hosts = KnownHosts::read(&machine.known_hosts, name, port);
        let failures = watch::channel(Failures::default()).0;
        Self { known_hosts, verdict: Arc::default(), key: Arc::default(), ended: Arc::default(), failures }
    }
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
        let _ = self.key.set(offered.public_key().fingerprint(HashAlg::Sha256).to_string());
        let _ = self.verdict.set(verdict);
        Ok(false)
    }

    async fn channel_open_failure(
        &mut self,
        _: ChannelId,
        reason: ChannelOpenFailure,
        description: &str,
        _: &str,
        _: &mut russh::client::Session,
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

    async fn disconnected(&mut self, reason: DisconnectReason<Self::Error>) -> Result<(), Self::Error> {
        let text = match reason {
            DisconnectReason::ReceivedDisconnect(info) => format!("the server ended it: {}", info.message),
            DisconnectReason::Error(russh::Error::KeepaliveTimeout) => "the server no longer answers".to_owned(),
            DisconnectReason::Error(error) => error.to_string(),
        };
        let _ = self.ended.set(text);
        Ok(())
    }
}

impl Line {
    fn handle(&self) -> Option<&Handle<Checker>> {
        self.handles.last()
    }

    pub(super) fn is_broken(&self) -> bool {
        self.handle().is_none_or(Handle::is_closed)
    }

    /// Why the connection ended, or what `otherwise` says.
    fn trouble(&self, otherwise: &dyn std::fmt::Display) -> String {
        self.ended.get().cloned().unwrap_or_else(|| otherwise.to_string())
    }

    /// Hands a command over.
    pub(super) async fn open(
        self: &Arc<Self>,
        words: &str,
        input: Vec<u8>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Running, NotOpened> {
        let lost = |error: &dyn std::fmt::Display| NotOpened::Lost(self.trouble(error));
        let handle = self.handle().ok_or_else(|| lost(&"no connection"))?;
        let channel = match handle.channel_open_session().await {
            Ok(channel) => channel,
            Err(russh::Error::ChannelOpenFailure(_)) => return Err(NotOpened::NoRoom(input, permit)),
            Err(error) => return Err(lost(&error)),
        };
        for (name, value) in &self.environment {
            channel.set_env(false, name.as_str(), value.as_str()).await.map_err(|error| lost(&error))?;
        }
        channel.exec(true, words).await.map_err(|error| lost(&error))?;
        let streams = attend(channel, input);
        let session = BuiltinSession { ended: streams.ended, line: Arc::clone(self), _permit: permit };
        Ok(Running::new(Vec::new(), tokio::io::sink(), streams.stdout, streams.stderr, Ending::Builtin(session)))
    }

    /// Has the machine connect to another place. The inner error is why it could not.
    pub(super) async fn dial(&self, host: &str, port: u16) -> Result<Result<ChannelStream<Msg>, NotDialed>, String> {
        let Some(handle) = self.handle() else { return Err("no connection".to_owned()) };
        let mut failures = self.failures.clone();
        let before = failures.borrow().count;
        match handle.channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0).await {
            Ok(channel) => Ok(Ok(channel.into_stream())),
            Err(russh::Error::ChannelOpenFailure(reason)) => {
                let told = failures.wait_for(|failures| failures.count > before);
                // The refusal comes first, its reason at once behind it.
                let reasons = match tokio::time::timeout(REASON_LIMIT, told).await {
                    Ok(Ok(failures)) => failures.since(before),
                    _ => Vec::new(),
                };
                Ok(Err(NotDialed::by(&reasons, describe(&reason).to_owned())))
            }
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// Ends the connection, and those that it goes through.
    pub(super) async fn close(&self) {
        for handle in self.handles.iter().rev() {
            // It may have ended by itself.
            let _ = handle.disconnect(Disconnect::ByApplication, "", "").await;
        }
    }
}

fn describe(reason: &ChannelOpenFailure) -> &'static str {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => "administratively prohibited",
        ChannelOpenFailure::ConnectFailed => "connect failed",
        ChannelOpenFailure::ResourceShortage => "resource shortage",
        _ => "open failed",
    }
}

/// One command over a connection.
#[derive(Debug)]
pub(super) struct BuiltinSession {
    ended: oneshot::Receiver<Ended>,
    line: Arc<Line>,
    /// One of the machine's sessions; given back when the command is done with.
    _permit: OwnedSemaphorePermit,
}

impl BuiltinSession {
    /// How the command ended, or what became of the line.
    pub(super) async fn wait(self) -> Result<Exit, String> {
        match self.ended.await {
            Ok(Ended::Exited(exit)) => Ok(exit),
            Ok(Ended::Refused) => Err("the server refuses to run commands".to_owned()),
            // The session's own process was killed, and the connection works.
            Ok(Ended::Silent) if !self.line.is_broken() => Ok(Exit::Signal),
            Ok(Ended::Silent) | Err(_) => Err(self.line.trouble(&"the connection ended")),
        }
    }
}
