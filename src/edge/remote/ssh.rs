//! Commands on a machine over OpenSSH: one multiplexed connection per machine, made when it is first needed, shared
//! by parallel commands, made anew when it is lost.
//!
//! The only file that knows the openssh crate. Invariants: a command that was handed to a connection is never sent
//! again from here; a server that allows few sessions or few logins at a time is waited for, not failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use openssh::{Child, Session, Stdio};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::error::{Error, Refusal, excerpt};
use super::master::{ControlDirectory, MasterFiles, end, explain, launch, read_log, read_log_from};
use super::running::{Command, Ending, Exit, Running, shell_line};
use super::ssh_config::{KeyCheck, SshSettings, render};
use super::trust;
use super::tunnel::{self, Tunnel};
use crate::domain::inventory::Connection;

/// For how long a server that hangs up on new connections (`MaxStartups`) is called again: others who wait for it, too, need their turn.
pub(super) const CROWDED_PATIENCE: Duration = Duration::from_secs(30);

/// What all SSH connections of a process share. Dropping it ends connections that are still open.
#[derive(Debug)]
pub struct SshControl {
    settings: SshSettings,
    directory: ControlDirectory,
    connecting: Semaphore,
    made: AtomicUsize,
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
        Ok(Arc::new(Self { settings, directory, connecting, made: AtomicUsize::new(0) }))
    }

    /// Where the sockets are; the process title of every connection names it.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    fn next_files(&self) -> MasterFiles {
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
        let hops = self.connection.proxy_jump.len() as u64 + 1;
        Duration::from_secs(self.settings.connect_timeout_s * hops * 2 + 5)
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
        }
    }

    async fn ask_fingerprint(&self) -> String {
        // Boxed: fetching keys may itself end in sorting out an error.
        let keys = Box::pin(trust::fetch_keys(self)).await.unwrap_or_default();
        let named = |key: &trust::OfferedKey| format!("{} {} {}", key.machine, key.algorithm, key.fingerprint);
        let known: Vec<String> = keys.iter().map(named).collect();
        if known.is_empty() { "its fingerprint could not be asked".to_owned() } else { known.join(", ") }
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

/// A machine reached by SSH.
#[derive(Debug)]
pub struct SshHost {
    control: Arc<SshControl>,
    target: SshTarget,
    sessions: Arc<Semaphore>,
    /// Held while connecting, so that parallel commands wait for one connection instead of making many.
    line: Mutex<Option<Arc<Line>>>,
}

/// Removes the files of a connection that did not come about, also when whoever wanted it gave up waiting.
struct RemoveUnused<'a>(Option<&'a MasterFiles>);

impl RemoveUnused<'_> {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for RemoveUnused<'_> {
    fn drop(&mut self) {
        if let Some(files) = self.0 {
            files.remove();
        }
    }
}

/// One connection. Its master ends when the last user lets go.
#[derive(Debug)]
pub(super) struct Line {
    session: Arc<Session>,
    files: MasterFiles,
    broken: AtomicBool,
    /// The directory must outlive the socket.
    _control: Arc<SshControl>,
}

impl Line {
    /// What ssh itself says about the end of the connection, else what the multiplexer says.
    fn trouble(&self, otherwise: &str) -> String {
        let printed = excerpt(&read_log(&self.files.log));
        if printed.is_empty() { otherwise.to_owned() } else { printed }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        end(&self.files.socket);
        self.files.remove();
    }
}

impl SshHost {
    /// Connects to nothing yet. `name` is what messages call the machine.
    #[must_use]
    pub fn new(control: Arc<SshControl>, name: &str, connection: &Connection) -> Self {
        let settings = control.settings.clone();
        let sessions = Arc::new(Semaphore::new(settings.sessions_per_host.max(1)));
        let target = SshTarget { name: name.to_owned(), connection: connection.clone(), settings };
        Self { control, target, sessions, line: Mutex::new(None) }
    }

    /// Has the machine connect to another place.
    pub(super) async fn dial(&self, host: &str, port: u16) -> Result<Tunnel, Error> {
        let line = self.line().await?;
        let logged = std::fs::metadata(&line.files.log).map_or(0, |log| log.len());
        match tunnel::dial(&line.files.socket, host, port).await {
            Ok(Ok(tunnel)) => Ok(tunnel),
            Ok(Err(said)) => {
                // Why, the master writes to its log alone, and not of whom: all that has failed since may be this.
                let log = read_log_from(&line.files.log, logged);
                let reasons: Vec<_> =
                    log.lines().filter_map(|line| Some(line.split_once("open failed: ")?.1)).collect();
                Err(Error::NotConnected {
                    host: self.name().to_owned(),
                    place: format!("{host}:{port}"),
                    why: reasons.last().map_or(said, |reason| reason.trim().to_owned()),
                    is_closed: !reasons.is_empty() && reasons.iter().all(|reason| tunnel::is_closed(reason)),
                })
            }
            Err(error) => {
                line.broken.store(true, Ordering::Relaxed);
                Err(self.lost(&line.trouble(&error.to_string())))
            }
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
        let permit = Arc::clone(&self.sessions).acquire_owned().await.map_err(closed)?;
        let words = if self.target.connection.elevate {
            format!("sudo -n -- {}", shell_line(&command.argv))
        } else {
            shell_line(&command.argv)
        };
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        loop {
            let line = self.line().await?;
            let mut remote = Arc::clone(&line.session).arc_raw_command(&words);
            remote.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            match remote.spawn().await {
                Ok(child) => return self.attach_streams(child, command.stdin, line, permit),
                // MaxSessions: the connection is fine, others of its sessions must end first.
                Err(openssh::Error::SshMux(error)) if error.to_string().contains("open refused") => {
                    backoff.wait().await
                }
                Err(error) => {
                    line.broken.store(true, Ordering::Relaxed);
                    return Err(self.lost(&line.trouble(&error.to_string())));
                }
            }
        }
    }

    fn attach_streams(
        &self,
        mut child: Child<Arc<Session>>,
        input: Vec<u8>,
        line: Arc<Line>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Running, Error> {
        let streams = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
            return Err(self.lost("the session has no streams"));
        };
        let session = SshSession { child, line, host: self.target.name.clone(), _permit: permit };
        Ok(Running::new(input, stdin, Box::new(stdout), stderr, Ending::Ssh(Box::new(session))))
    }

    /// The connection; made if there is none or the last one broke.
    async fn line(&self) -> Result<Arc<Line>, Error> {
        let mut current = self.line.lock().await;
        if let Some(line) = current.as_ref().filter(|line| !line.broken.load(Ordering::Relaxed)) {
            return Ok(Arc::clone(line));
        }
        if let Some(broken) = current.take() {
            // Ending a master may take a moment if it hangs.
            tokio::task::spawn_blocking(move || drop(broken));
        }
        let line = Arc::new(self.connect().await?);
        *current = Some(Arc::clone(&line));
        Ok(line)
    }

    async fn connect(&self) -> Result<Line, Error> {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(3));
        let patience = Instant::now() + CROWDED_PATIENCE;
        loop {
            let files = self.control.next_files();
            let unused = RemoveUnused(Some(&files));
            match self.call(&files).await? {
                Ok(()) => {
                    unused.keep();
                    let session = Session::resume_mux(files.socket.clone().into_boxed_path(), None);
                    let control = Arc::clone(&self.control);
                    let broken = AtomicBool::new(false);
                    return Ok(Line { session: Arc::new(session), files, broken, _control: control });
                }
                Err(mut messages) => {
                    if messages.contains("UNKNOWN port") {
                        let limit = self.target.connect_limit();
                        let said = explain(&files, &self.target.connection.address, limit).await;
                        messages = said.ok().flatten().unwrap_or(messages);
                    }
                    drop(unused);
                    let refusal = Refusal::of(&messages);
                    if refusal != Refusal::Crowded || Instant::now() >= patience {
                        return Err(self.target.sort_out(refusal, &messages).await);
                    }
                }
            }
            backoff.wait().await;
        }
    }

    async fn call(&self, files: &MasterFiles) -> Result<Result<(), String>, Error> {
        let unusable = |what: &dyn std::fmt::Display| Error::Unusable { what: what.to_string() };
        let config = render(&self.target.connection, &self.target.settings, KeyCheck::Strict);
        let config = config.map_err(|error| unusable(&error))?;
        std::fs::write(&files.config, config).map_err(|error| unusable(&error))?;
        let _turn = self.control.connecting.acquire().await.map_err(|error| unusable(&error))?;
        let address = &self.target.connection.address;
        launch(files, address, self.target.connect_limit()).await.map_err(|error| unusable(&error))
    }

    /// Ends the connection, whatever still runs over it; steps on the host go on.
    pub(super) async fn close(&self) {
        self.sessions.close();
        let Some(line) = self.line.lock().await.take() else { return };
        let ended = tokio::task::spawn_blocking(move || end(&line.files.socket)).await;
        if let Err(error) = ended {
            tracing::warn!(host = %self.target.name, %error, "the ssh connection could not be ended");
        }
    }

    fn lost(&self, detail: &str) -> Error {
        Error::LineLost { host: self.target.name.clone(), detail: detail.to_owned() }
    }
}

/// One command over a connection.
#[derive(Debug)]
pub(super) struct SshSession {
    child: Child<Arc<Session>>,
    line: Arc<Line>,
    host: String,
    /// One of the machine's sessions; given back when the command is done with.
    _permit: OwnedSemaphorePermit,
}

impl SshSession {
    /// How the command ended. A command killed by a signal and a lost line look the same to the multiplexer; whether
    /// the connection still answers tells them apart.
    pub(super) async fn wait(self) -> Result<Exit, Error> {
        let trouble = match self.child.wait().await {
            Ok(status) => return Ok(status.code().map_or(Exit::Signal, Exit::Status)),
            // The crate takes status 127 for a missing command.
            Err(openssh::Error::Remote(_)) => return Ok(Exit::Status(127)),
            Err(openssh::Error::RemoteProcessTerminated) if self.line.session.check().await.is_ok() => {
                return Ok(Exit::Signal);
            }
            Err(error) => error.to_string(),
        };
        self.line.broken.store(true, Ordering::Relaxed);
        Err(Error::LineLost { host: self.host, detail: self.line.trouble(&trouble) })
    }
}
