//! Commands on a machine over SSH: one connection per machine, made when it is first needed, shared by parallel commands, made anew
//! when it is lost; by the transport that understands what is configured for the machine.
//!
//! Knows when to connect and when to wait; `openssh` and `builtin` know how. Invariants: a command that was handed to a connection
//! is never sent again from here; a server that allows few sessions or few logins at a time is waited for, not failed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::error::{Error, Refusal, excerpt};
use super::master::{ControlDirectory, MasterFiles};
use super::resolve::{NoWay, Resolved, Resolver};
use super::running::{Command, Running, shell_line};
use super::ssh_config::SshSettings;
use super::tunnel::{self, Tunnel};
use super::{builtin, openssh, trust};
use crate::domain::inventory::{Connection, Transport};

/// For how long a server that hangs up on new connections (`MaxStartups`) is called again: others who wait for it, too, need their turn.
pub(super) const CROWDED_PATIENCE: Duration = Duration::from_secs(30);

/// For how long a server that opens no session is asked again, though no other is open: one that was let go may take its time to end.
const ALONE_PATIENCE: Duration = Duration::from_secs(20);

/// What all SSH connections of a process share. Dropping it ends connections that are still open.
#[derive(Debug)]
pub struct SshControl {
    settings: SshSettings,
    directory: ControlDirectory,
    connecting: Semaphore,
    made: AtomicUsize,
    resolver: Resolver,
}

impl SshControl {
    /// Makes a private directory for sockets, and removes what killed processes left behind.
    ///
    /// # Errors
    /// When the directory can't be made.
    pub fn open(settings: SshSettings) -> Result<Arc<Self>, Error> {
        let directory = ControlDirectory::create()
            .map_err(|error| Error::Unusable { what: format!("a private directory in /tmp: {error}") })?;
        let connecting = Semaphore::new(settings.connect_parallel.max(1));
        Ok(Arc::new(Self { settings, directory, connecting, made: AtomicUsize::new(0), resolver: Resolver::default() }))
    }

    /// Where the sockets are; the process title of every connection names it.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// For one connection of OpenSSH.
    pub(super) fn next_files(&self) -> MasterFiles {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = |suffix: &str| self.directory.path().join(format!("{number}.{suffix}"));
        MasterFiles { config: path("conf"), socket: path("s"), log: path("log") }
    }
}

/// A machine as the inventory knows it.
#[derive(Debug, Clone)]
pub struct SshTarget {
    /// Name for messages and for `turnus trust`.
    pub name: String,
    /// How it is reached.
    pub connection: Connection,
    /// What holds for all hosts.
    pub settings: SshSettings,
}

impl SshTarget {
    /// Longest time for a connection with all its hops: greeting, key exchange and login.
    pub(super) fn connect_limit(&self) -> Duration {
        self.limit_for(self.connection.proxy_jump.len() + 1)
    }

    /// The same, for so many machines on the way.
    pub(super) fn limit_for(&self, machines: usize) -> Duration {
        Duration::from_secs(self.settings.connect_timeout_s * machines as u64 * 2 + 5)
    }

    /// The error for what ssh printed. Fingerprints are looked up here, because only an error needs them.
    pub(super) async fn sort_out(&self, refusal: Refusal, messages: &str) -> Error {
        let host = self.name.clone();
        let detail = excerpt(messages);
        match refusal {
            Refusal::Resolve => Error::CannotResolve { host, detail },
            Refusal::Connect | Refusal::Crowded => Error::CannotConnect { host, detail },
            Refusal::Login => Error::AuthenticationRefused { host, detail },
            Refusal::Configuration => Error::Unusable { what: detail },
            Refusal::KeyUnknown => Error::HostKeyUnknown { host, fingerprint: self.ask_fingerprint().await },
            Refusal::KeyChanged => self.describe_change(messages).await,
            Refusal::KeyRevoked => self.describe_revocation().await,
        }
    }

    fn wanted(&self) -> Transport {
        self.connection.transport.unwrap_or(self.settings.transport)
    }

    /// By which transport the machine is reached; `unsuited` is why the built-in one can't talk to it, once that was tried.
    async fn choose(&self, resolver: &Resolver, unsuited: Option<&String>) -> Result<Choice, Error> {
        let wanted = self.wanted();
        if wanted == Transport::OpenSsh {
            return Ok(Choice::openssh("chosen by `transport`"));
        }
        let obstacle = match resolver.resolve(&self.connection, &self.settings).await {
            Ok(way) => match builtin::find_obstacle(&way).or_else(|| unsuited.cloned()) {
                None => return Ok(Choice::builtin(wanted, way)),
                Some(obstacle) => obstacle,
            },
            Err(NoWay::Foreign(what)) => format!("`{what}` in ssh_config"),
            Err(NoWay::Failed(error)) => return Err(error),
        };
        if wanted == Transport::Auto {
            return Ok(Choice::openssh(&obstacle));
        }
        let what = format!("the built-in transport is not enough for `{}` ({obstacle}): use `auto`", self.name);
        Err(Error::Unusable { what })
    }

    async fn ask_fingerprint(&self) -> String {
        // Boxed: fetching keys may itself end in sorting out an error.
        let keys = Box::pin(trust::fetch_keys(self)).await.unwrap_or_default();
        let named = |key: &trust::OfferedKey| format!("{} {} {}", key.machine, key.algorithm, key.fingerprint);
        let known: Vec<String> = keys.iter().map(named).collect();
        if known.is_empty() { "its fingerprint could not be asked".to_owned() } else { known.join(", ") }
    }

    /// ssh does not tell where the mark is, nor the fingerprint.
    async fn describe_revocation(&self) -> Error {
        let place = "a `@revoked` line of known_hosts".to_owned();
        Error::HostKeyRevoked { host: self.name.clone(), fingerprint: self.ask_fingerprint().await, place }
    }

    async fn describe_change(&self, messages: &str) -> Error {
        let offered = messages.split_ascii_whitespace().find(|word| word.starts_with("SHA256:")).unwrap_or("?");
        let place =
            messages.lines().filter(|line| line.starts_with("Offending")).find_map(|line| line.rsplit_once(" in "));
        let place = place.map_or("?", |(_, place)| place.trim());
        let line = place.rsplit_once(':').and_then(|(file, number)| {
            let text = std::fs::read_to_string(file).ok()?;
            text.lines().nth(number.parse::<usize>().ok()?.checked_sub(1)?).map(str::to_owned)
        });
        let known = match line {
            Some(line) => trust::fingerprint(&line).await,
            None => None,
        };
        Error::HostKeyChanged {
            host: self.name.clone(),
            known: known.unwrap_or_else(|| "?".to_owned()),
            offered: offered.trim_end_matches('.').to_owned(),
            place: place.to_owned(),
        }
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NotConnected {
    /// The server had too many callers at once, or hung up before it said who it is. Worth another try at once.
    Crowded(Error),
    /// The built-in transport and the server have no algorithm in common.
    NothingInCommon(Error),
    /// Another try would come to the same.
    Final(Error),
}

impl From<Error> for NotConnected {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Why a command was not handed over.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// MaxSessions: others must end first. With what was to be handed over.
    NoRoom(Vec<u8>, OwnedSemaphorePermit),
    /// The connection ended. The command may have been begun.
    Lost(String),
}

/// Why a machine has not connected to another place.
#[derive(Debug)]
pub(super) struct NotDialed {
    /// In its words.
    pub(super) why: String,
    /// Whether it has tried, and nothing there takes connections.
    pub(super) is_closed: bool,
}

impl NotDialed {
    /// By what servers said since it was asked, which need not all be about this; `otherwise` if they said nothing.
    pub(super) fn by(reasons: &[String], otherwise: String) -> Self {
        let is_closed = !reasons.is_empty() && reasons.iter().all(|reason| tunnel::is_closed(reason));
        Self { why: reasons.last().cloned().unwrap_or(otherwise), is_closed }
    }
}

/// One connection.
#[derive(Debug, Clone)]
enum Line {
    OpenSsh(Arc<openssh::Line>),
    Builtin(Arc<builtin::Line>),
}

impl Line {
    fn is_broken(&self) -> bool {
        match self {
            Self::OpenSsh(line) => line.is_broken(),
            Self::Builtin(line) => line.is_broken(),
        }
    }

    async fn open(&self, words: &str, input: Vec<u8>, permit: OwnedSemaphorePermit) -> Result<Running, NotOpened> {
        match self {
            Self::OpenSsh(line) => line.open(words, input, permit).await,
            Self::Builtin(line) => line.open(words, input, permit).await,
        }
    }

    async fn dial(&self, host: &str, port: u16) -> Result<Result<Tunnel, NotDialed>, String> {
        match self {
            Self::OpenSsh(line) => line.dial(host, port).await,
            Self::Builtin(line) => Ok(line.dial(host, port).await?.map(Tunnel::from)),
        }
    }
}

/// By which transport a machine is reached, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Whether by the built-in one.
    pub is_builtin: bool,
    /// In words, for people.
    pub reason: String,
    way: Option<Vec<Resolved>>,
}

impl Choice {
    fn openssh(reason: &str) -> Self {
        Self { is_builtin: false, reason: reason.to_owned(), way: None }
    }

    fn builtin(wanted: Transport, way: Vec<Resolved>) -> Self {
        let reason = match wanted {
            Transport::Builtin => "chosen by `transport`",
            Transport::Auto | Transport::OpenSsh => "it understands all that is configured",
        };
        Self { is_builtin: true, reason: reason.to_owned(), way: Some(way) }
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.is_builtin { "built in" } else { "OpenSSH" };
        write!(f, "{name}: {}", self.reason)
    }
}

/// By which transport machines would be reached, in their order. Connects to nothing; asks ssh what it makes of the configuration.
///
/// # Errors
/// For each machine: if the configuration can't be used, or asks for more than a transport that was chosen by name can do.
pub async fn choose_transports(targets: &[SshTarget]) -> Vec<Result<Choice, Error>> {
    let resolver = Resolver::default();
    join_all(targets.iter().map(|target| target.choose(&resolver, None))).await
}

/// One command that the server has given no session yet; counted until this is dropped.
struct Refused(Arc<AtomicUsize>);

impl Refused {
    fn count(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(all))
    }

    fn in_all(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Refused {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A machine reached by SSH.
#[derive(Debug)]
pub struct SshHost {
    control: Arc<SshControl>,
    target: SshTarget,
    sessions: Arc<Semaphore>,
    /// How many commands hold one of them without having got a session from the server.
    refused: Arc<AtomicUsize>,
    /// Held while connecting, so that parallel commands wait for one connection instead of making many.
    line: Mutex<Option<Line>>,
    /// Why the built-in transport can't talk to the server, once that was tried.
    unsuited: OnceLock<String>,
}

impl SshHost {
    /// Connects to nothing yet. `name` is what messages call the machine.
    #[must_use]
    pub fn new(control: Arc<SshControl>, name: &str, connection: &Connection) -> Self {
        let settings = control.settings.clone();
        let sessions = Arc::new(Semaphore::new(settings.sessions_per_host.max(1)));
        let target = SshTarget { name: name.to_owned(), connection: connection.clone(), settings };
        Self { control, target, sessions, refused: Arc::default(), line: Mutex::new(None), unsuited: OnceLock::new() }
    }

    /// Has the machine connect to another place.
    pub(super) async fn dial(&self, host: &str, port: u16) -> Result<Tunnel, Error> {
        match self.line().await?.dial(host, port).await {
            Ok(Ok(tunnel)) => Ok(tunnel),
            Ok(Err(NotDialed { why, is_closed })) => {
                let (host, place) = (self.name().to_owned(), format!("{host}:{port}"));
                Err(Error::NotConnected { host, place, why, is_closed })
            }
            Err(trouble) => Err(self.lost(&trouble)),
        }
    }

    /// The same machine, with nothing connected yet.
    pub(super) fn anew(&self) -> Self {
        Self::new(Arc::clone(&self.control), &self.target.name, &self.target.connection)
    }

    /// What messages call the machine.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.target.name
    }

    pub(super) fn state_dir(&self) -> Option<&str> {
        self.target.connection.state_dir.as_deref()
    }

    /// Hands the command to the connection. Waits for as long as the machine has no free session.
    pub(super) async fn exec(&self, command: Command) -> Result<Running, Error> {
        let closed = |_| self.lost("the connection was closed for good");
        let mut permit = Arc::clone(&self.sessions).acquire_owned().await.map_err(closed)?;
        let mut input = command.stdin;
        let words = if self.target.connection.elevate {
            format!("sudo -n -- {}", shell_line(&command.argv))
        } else {
            shell_line(&command.argv)
        };
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let (mut alone_since, mut refused) = (None, None);
        loop {
            match self.line().await?.open(&words, input, permit).await {
                Ok(running) => return Ok(running.on(&self.target.name)),
                Err(NotOpened::Lost(trouble)) => return Err(self.lost(&trouble)),
                Err(NotOpened::NoRoom(same_input, same_permit)) => {
                    (input, permit) = (same_input, same_permit);
                    let refused = refused.get_or_insert_with(|| Refused::count(&self.refused));
                    // No session of ours is there to end, so this may be `MaxSessions 0`.
                    let taken =
                        self.target.settings.sessions_per_host.saturating_sub(self.sessions.available_permits());
                    let is_alone = taken <= refused.in_all();
                    alone_since = if is_alone { alone_since.or_else(|| Some(Instant::now())) } else { None };
                    if alone_since.is_some_and(|since| since.elapsed() > ALONE_PATIENCE) {
                        let detail = "the server opens no session (`MaxSessions`)".to_owned();
                        return Err(Error::NoShell { host: self.target.name.clone(), detail });
                    }
                    backoff.wait().await;
                }
            }
        }
    }

    /// The connection; made if there is none or the last one broke.
    async fn line(&self) -> Result<Line, Error> {
        let mut current = self.line.lock().await;
        if let Some(line) = current.as_ref().filter(|line| !line.is_broken()) {
            return Ok(line.clone());
        }
        if let Some(broken) = current.take() {
            // Ending a master may take a moment if it hangs.
            tokio::task::spawn_blocking(move || drop(broken));
        }
        let line = self.connect().await?;
        *current = Some(line.clone());
        Ok(line)
    }

    async fn connect(&self) -> Result<Line, Error> {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(3));
        let mut patience = CROWDED_PATIENCE;
        loop {
            let choice = self.target.choose(&self.control.resolver, self.unsuited.get()).await?;
            let turn = self.control.connecting.acquire().await;
            let turn = turn.map_err(|error| Error::Unusable { what: error.to_string() })?;
            // The time in which others have their turn is not the server's.
            let since = Instant::now();
            let called = self.call(choice.way.as_deref()).await;
            drop(turn);
            match called {
                Ok(line) => return Ok(line),
                Err(NotConnected::Crowded(_)) if !patience.is_zero() => {}
                Err(NotConnected::NothingInCommon(error)) if self.target.wanted() == Transport::Auto => {
                    // Another try will choose the other transport.
                    let _ = self.unsuited.set(error.to_string());
                    continue;
                }
                Err(
                    NotConnected::Crowded(error) | NotConnected::NothingInCommon(error) | NotConnected::Final(error),
                ) => return Err(error),
            }
            backoff.wait().await;
            patience = patience.saturating_sub(since.elapsed());
        }
    }

    async fn call(&self, way: Option<&[Resolved]>) -> Result<Line, NotConnected> {
        match way {
            Some(way) => Ok(Line::Builtin(Arc::new(builtin::connect(&self.target, way).await?))),
            None => Ok(Line::OpenSsh(Arc::new(openssh::connect(&self.control, &self.target).await?))),
        }
    }

    /// Ends the connection, whatever still runs over it; steps on the host go on.
    pub(super) async fn close(&self) {
        self.sessions.close();
        match self.line.lock().await.take() {
            Some(Line::Builtin(line)) => line.close().await,
            Some(Line::OpenSsh(line)) => {
                if let Err(error) = tokio::task::spawn_blocking(move || line.close()).await {
                    tracing::warn!(host = %self.target.name, %error, "the ssh connection could not be ended");
                }
            }
            None => {}
        }
    }

    fn lost(&self, detail: &str) -> Error {
        Error::LineLost { host: self.target.name.clone(), detail: detail.to_owned() }
    }
}
