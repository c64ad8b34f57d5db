//! SSH by the `ssh` program: one master process for each connection, commands over its multiplexing.
//!
//! The only file that knows the openssh crate. Invariant: a command that was handed to a connection is never sent again from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use openssh::{Child, Session, Stdio};
use tokio::sync::OwnedSemaphorePermit;

use super::error::{Error, Refusal, excerpt};
use super::master::{MasterFiles, end, explain, launch, read_log, read_log_from};
use super::running::{Ending, Exit, NoEnd, Running};
use super::ssh::{NotConnected, NotDialed, NotOpened, SshControl, SshTarget};
use super::ssh_config::{Purpose, render};
use super::tunnel::{self, Tunnel};

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

impl Drop for Line {
    fn drop(&mut self) {
        end(&self.files.socket);
        self.files.remove();
    }
}

/// Starts a master for the machine.
pub(super) async fn connect(control: &Arc<SshControl>, target: &SshTarget) -> Result<Line, NotConnected> {
    let files = control.next_files();
    let unused = RemoveUnused(Some(&files));
    let Err(mut messages) = call(target, &files).await? else {
        unused.keep();
        let session = Session::resume_mux(files.socket.clone().into_boxed_path(), None);
        let broken = AtomicBool::new(false);
        return Ok(Line { session: Arc::new(session), files, broken, _control: Arc::clone(control) });
    };
    if messages.contains("UNKNOWN port") {
        let said = explain(&files, &target.connection.address, target.connect_limit()).await;
        messages = said.ok().flatten().unwrap_or(messages);
    }
    drop(unused);
    let refusal = Refusal::of(&messages);
    let error = target.sort_out(refusal, &messages).await;
    Err(if refusal == Refusal::Crowded { NotConnected::Crowded(error) } else { NotConnected::Final(error) })
}

async fn call(target: &SshTarget, files: &MasterFiles) -> Result<Result<(), String>, Error> {
    let unusable = |what: &dyn std::fmt::Display| Error::Unusable { what: what.to_string() };
    let config = render(&target.connection, &target.settings, Purpose::Connect).map_err(|error| unusable(&error))?;
    std::fs::write(&files.config, config).map_err(|error| unusable(&error))?;
    let address = &target.connection.address;
    launch(files, address, target.connect_limit()).await.map_err(|error| unusable(&error))
}

impl Line {
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// What ssh itself says about the end of the connection, else what the multiplexer says. It is not used any more.
    fn give_up(&self, otherwise: &str) -> String {
        self.broken.store(true, Ordering::Relaxed);
        let printed = excerpt(&read_log(&self.files.log));
        if printed.is_empty() { otherwise.to_owned() } else { printed }
    }

    /// Hands a command over.
    pub(super) async fn open(
        self: &Arc<Self>,
        words: &str,
        input: Vec<u8>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Running, NotOpened> {
        let mut remote = Arc::clone(&self.session).arc_raw_command(words);
        remote.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match remote.spawn().await {
            Ok(child) => child,
            // MaxSessions: the connection is fine, others of its sessions must end first.
            Err(openssh::Error::SshMux(error)) if error.to_string().contains("open refused") => {
                return Err(NotOpened::NoRoom(input, permit));
            }
            Err(error) => return Err(NotOpened::Lost(self.give_up(&error.to_string()))),
        };
        let streams = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
            return Err(NotOpened::Lost("the session has no streams".to_owned()));
        };
        let session = OpenSshSession { child, line: Arc::clone(self), _permit: permit };
        Ok(Running::new(input, stdin, Box::new(stdout), stderr, Ending::OpenSsh(Box::new(session))))
    }

    /// Has the machine connect to another place. The inner error is why it could not.
    pub(super) async fn dial(&self, host: &str, port: u16) -> Result<Result<Tunnel, NotDialed>, String> {
        let logged = std::fs::metadata(&self.files.log).map_or(0, |log| log.len());
        match tunnel::dial(&self.files.socket, host, port).await {
            Ok(Ok(tunnel)) => Ok(Ok(tunnel)),
            Ok(Err(said)) => {
                // Why, the master writes to its log alone, and not of whom.
                let log = read_log_from(&self.files.log, logged);
                let reasons =
                    log.lines().filter_map(|line| Some(line.split_once("open failed: ")?.1.trim().to_owned()));
                Ok(Err(NotDialed::by(&reasons.collect::<Vec<_>>(), said)))
            }
            Err(error) => Err(self.give_up(&error.to_string())),
        }
    }

    /// Ends the connection, whatever still runs over it. Blocks for a moment.
    pub(super) fn close(&self) {
        end(&self.files.socket);
    }
}

/// One command over a connection.
#[derive(Debug)]
pub(super) struct OpenSshSession {
    child: Child<Arc<Session>>,
    line: Arc<Line>,
    /// One of the machine's sessions; given back when the command is done with.
    _permit: OwnedSemaphorePermit,
}

impl OpenSshSession {
    /// How the command ended, or what became of the line. A command killed by a signal and a lost line look the same to the
    /// multiplexer; whether the connection still answers tells them apart.
    pub(super) async fn wait(self) -> Result<Exit, NoEnd> {
        let trouble = match self.child.wait().await {
            Ok(status) => return Ok(status.code().map_or(Exit::Signal, Exit::Status)),
            // The crate takes status 127 for a missing command.
            Err(openssh::Error::Remote(_)) => return Ok(Exit::Status(127)),
            Err(openssh::Error::RemoteProcessTerminated) if self.line.session.check().await.is_ok() => {
                return Ok(Exit::Signal);
            }
            Err(error) => error.to_string(),
        };
        Err(NoEnd::Lost(self.line.give_up(&trouble)))
    }
}
