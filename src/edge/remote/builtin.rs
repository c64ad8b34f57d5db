//! SSH inside of this process: no program for each machine, a small part of the cost.
//!
//! The only file, with those below it, that knows the russh crate. Takes the machines on the way from `resolve`, so that ssh_config
//! means the same as for ssh. Invariants, as for OpenSSH: a host key is checked before anything is shown to the server; a command
//! that was handed over is never sent again from here.

mod call;
mod channel;
mod checker;
mod guard;
mod known_hosts;
mod login;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{ChannelStream, Disconnect};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio_util::sync::DropGuard;

use super::error::{Error, Refusal};
use super::resolve::Resolved;
use super::running::{Ending, Exit, NoEnd, Running};
use super::ssh::{NotConnected, NotDialed, NotOpened, SshTarget};
use call::{Call, Failure, cannot_connect};
use channel::{Ended, Streams, attend};
use checker::{Checker, Failures, Goodbye, describe};
use known_hosts::Verdict;
use login::log_in;

/// So long is waited for the reason of a refusal: it comes right behind it.
const REASON_LIMIT: Duration = Duration::from_secs(1);

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
    /// The connections end with these, whoever else has to do with them.
    _guards: Vec<DropGuard>,
    ended: Arc<OnceLock<Goodbye>>,
    failures: watch::Receiver<Failures>,
    environment: Vec<(String, String)>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// Connects along the way.
pub(super) async fn connect(target: &SshTarget, way: &[Resolved]) -> Result<Line, NotConnected> {
    let connected = tokio::time::timeout(target.limit_for(way.len()), connect_along(target, way)).await;
    match connected {
        Ok(Ok(line)) => Ok(line),
        Ok(Err(Failure::NotConnected(error))) => Err(error),
        // Looking keys up takes its own time.
        Ok(Err(Failure::Untrusted(verdict, fingerprint))) => {
            Err(NotConnected::Final(describe_key(target, verdict, fingerprint).await))
        }
        Err(_) => Err(NotConnected::Final(cannot_connect(target, "the connection was not ready in time".to_owned()))),
    }
}

async fn describe_key(target: &SshTarget, verdict: Verdict, fingerprint: String) -> Error {
    let host = target.name.clone();
    match verdict {
        Verdict::Changed { known, offered, place } => Error::HostKeyChanged { host, known, offered, place },
        Verdict::Revoked { place } => Error::HostKeyRevoked { host, fingerprint, place },
        // A machine behind may be unknown as well: ssh asks all of them.
        Verdict::Unknown | Verdict::Known => target.sort_out(Refusal::KeyUnknown, "").await,
    }
}

async fn connect_along(target: &SshTarget, way: &[Resolved]) -> Result<Line, Failure> {
    let (mut handles, mut guards): (Vec<Handle<Checker>>, Vec<DropGuard>) = (Vec::new(), Vec::new());
    let (_, mut failures) = watch::channel(Failures::default());
    let mut ended = Arc::new(OnceLock::new());
    for machine in way {
        let call = Call { target, machine };
        let checker = Checker::new(machine);
        (ended, failures) = (Arc::clone(&checker.ended), checker.failures.subscribe());
        let (mut handle, guard) = match handles.last() {
            None => call.greet(call.dial().await?, checker).await?,
            Some(hop) => call.greet(call.dial_through(hop).await?, checker).await?,
        };
        let passphrase = target.settings.passphrase.as_ref();
        log_in(&mut handle, machine, passphrase, &ended).await.map_err(|refused| call.sort_refused(refused))?;
        handles.push(handle);
        guards.push(guard);
    }
    let environment = way.last().map(|machine| machine.environment.clone()).unwrap_or_default();
    Ok(Line { handles, _guards: guards, ended, failures, environment })
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
        self.ended.get().map_or_else(|| otherwise.to_string(), |goodbye| goodbye.why.clone())
    }

    /// Hands a command over.
    pub(super) async fn open(
        self: &Arc<Self>,
        words: &str,
        input: Vec<u8>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Running, NotOpened> {
        // In a task of its own: whoever gives up waiting leaves it to be opened, and then to be closed in order.
        let (line, words) = (Arc::clone(self), words.to_owned());
        let opening = tokio::spawn(async move { line.open_channel(&words, input).await });
        match opening.await {
            Ok(Ok(Streams { stdout, stderr, ended })) => {
                let session = BuiltinSession { ended, line: Arc::clone(self), _permit: permit };
                Ok(Running::new(Vec::new(), tokio::io::sink(), stdout, stderr, Ending::Builtin(session)))
            }
            Ok(Err(NotBegun::NoRoom(input))) => Err(NotOpened::NoRoom(input, permit)),
            Ok(Err(NotBegun::Lost(error))) => Err(NotOpened::Lost(self.trouble(&error))),
            Err(error) => Err(NotOpened::Lost(error.to_string())),
        }
    }

    async fn open_channel(&self, words: &str, input: Vec<u8>) -> Result<Streams, NotBegun> {
        let handle = self.handle().ok_or(russh::Error::Disconnect)?;
        let channel = match handle.channel_open_session().await {
            Ok(channel) => channel,
            Err(russh::Error::ChannelOpenFailure(_)) => return Err(NotBegun::NoRoom(input)),
            Err(error) => return Err(error.into()),
        };
        for (name, value) in &self.environment {
            channel.set_env(false, name.as_str(), value.as_str()).await?;
        }
        channel.exec(true, words).await?;
        Ok(attend(channel, input))
    }

    /// Has the machine connect to another place. The inner error is why it could not.
    pub(super) async fn dial(
        self: &Arc<Self>,
        host: &str,
        port: u16,
    ) -> Result<Result<(ChannelStream<Msg>, Arc<Self>), NotDialed>, String> {
        let mut failures = self.failures.clone();
        let before = failures.borrow().count;
        // As for commands: what nobody waits for any more is closed as soon as it is open.
        let (line, place) = (Arc::clone(self), host.to_owned());
        let opened = tokio::spawn(async move { line.open_tunnel(place, port).await }).await;
        match opened.map_err(|error| error.to_string())? {
            // It lasts for as long as the connection does.
            Ok(stream) => Ok(Ok((stream, Arc::clone(self)))),
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

    async fn open_tunnel(&self, host: String, port: u16) -> Result<ChannelStream<Msg>, russh::Error> {
        let handle = self.handle().ok_or(russh::Error::Disconnect)?;
        Ok(handle.channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0).await?.into_stream())
    }

    /// Ends the connection, and those that it goes through.
    pub(super) async fn close(&self) {
        for handle in self.handles.iter().rev() {
            // It may have ended by itself.
            let _ = handle.disconnect(Disconnect::ByApplication, "", "").await;
        }
    }
}

/// Why a command was not begun, or may have been and nobody knows.
enum NotBegun {
    /// With its input.
    NoRoom(Vec<u8>),
    Lost(russh::Error),
}

impl From<russh::Error> for NotBegun {
    fn from(error: russh::Error) -> Self {
        Self::Lost(error)
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
    /// How the command ended, or what became of it.
    pub(super) async fn wait(self) -> Result<Exit, NoEnd> {
        match self.ended.await {
            Ok(Ended::Exited(exit)) => Ok(exit),
            Ok(Ended::Refused) => Err(NoEnd::Refused("the server refuses to run commands".to_owned())),
            // The session's own process was killed, and the connection works.
            Ok(Ended::Silent) if !self.line.is_broken() => Ok(Exit::Signal),
            Ok(Ended::Silent) | Err(_) => Err(NoEnd::Lost(self.line.trouble(&"the connection ended"))),
        }
    }
}
