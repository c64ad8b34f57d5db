//! The `ssh` process that holds a host's connection: starting it, and really ending it.
//!
//! Knows the private directory of sockets and the few words of OpenSSH's multiplexing protocol that end a master;
//! sessions over it are the openssh crate's. Invariant: no master outlives its turnus process by more than
//! [`IDLE_SECONDS`], not even after a kill -9, and none outlives [`end`].

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getuid};
use tempfile::TempDir;

use crate::child::Family;

/// How long a master waits for a new session before it leaves by itself.
const IDLE_SECONDS: u64 = 120;
/// How long a master gets to leave after it was told to.
const END_LIMIT: Duration = Duration::from_secs(2);
/// Where sockets are made: their paths must stay below 108 bytes, so not under a state directory of any length.
const PARENT: &str = "/tmp";
const PREFIX: &str = "turnus-";
const LOCK: &str = "lock";

/// A private directory for sockets, logs and generated configuration, removed at the end.
#[derive(Debug)]
pub(super) struct ControlDirectory {
    directory: TempDir,
    /// Locked for as long as this process lives; how others know that the directory is in use.
    _lock: File,
}

impl ControlDirectory {
    /// Makes one, and removes those that killed processes of the same account left behind.
    pub(super) fn create() -> io::Result<Self> {
        remove_leftovers(Path::new(PARENT));
        let directory = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir_in(PARENT)?;
        let lock = File::create(directory.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self { directory, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// A directory is a leftover if nobody holds its lock. One without a lock file is just being made.
fn remove_leftovers(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == getuid().as_raw());
        let named =
            |name: &str| name.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if !ours || !named(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if let Err(TryLockError::WouldBlock | TryLockError::Error(_)) = lock.try_lock() {
            continue;
        }
        for socket in std::fs::read_dir(entry.path()).into_iter().flatten().flatten() {
            end(&socket.path());
        }
        if let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::debug!(path = %entry.path().display(), %error, "can't remove a leftover control directory");
        }
    }
}

/// Files of one connection. A new connection to the same host gets new ones.
#[derive(Debug, Clone)]
pub(super) struct MasterFiles {
    /// The generated ssh_config.
    pub(super) config: PathBuf,
    /// Where the master listens.
    pub(super) socket: PathBuf,
    /// What ssh prints.
    pub(super) log: PathBuf,
}

impl MasterFiles {
    /// Once the connection is gone, or was never made.
    pub(super) fn remove(&self) {
        for file in [&self.config, &self.socket, &self.log] {
            // What was never made needs no removing; the directory goes at the end in any case.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Connects to `address`. Returns when the master listens in the background, or with what ssh printed.
pub(super) async fn launch(files: &MasterFiles, address: &str, limit: Duration) -> io::Result<Result<(), String>> {
    let messages = File::options().create(true).append(true).open(&files.log)?;
    let mut command = tokio::process::Command::new("ssh");
    command.arg("-F").arg(&files.config).arg("-E").arg(&files.log).arg("-S").arg(&files.socket);
    command.args(["-M", "-f", "-N", "-o", &format!("ControlPersist={IDLE_SECONDS}s"), "--", address]);
    // Jump hosts are ssh processes of their own, which print to standard error. The own process group keeps
    // Ctrl-C on the terminal from ending a connection that is being made.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(messages);
    let mut family = Family::start(&mut command)?;
    let status = tokio::time::timeout(limit, family.first.wait()).await;
    let status: Option<ExitStatus> = status.ok().transpose()?;
    if status.is_some_and(|status| status.success()) {
        return Ok(Ok(()));
    }
    let mut printed = read_log(&files.log);
    if status.is_none() {
        printed.push_str("\nthe connection was not ready in time");
    }
    Ok(Err(printed))
}

/// Connects once more without multiplexing, to hear what a jump host's ssh says: a master with `ControlPersist` sends
/// that to /dev/null. None if it works now.
pub(super) async fn explain(files: &MasterFiles, address: &str, limit: Duration) -> io::Result<Option<String>> {
    let mut command = tokio::process::Command::new("ssh");
    command.arg("-F").arg(&files.config).args(["-T", "--", address, "true"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let Ok(output) = tokio::time::timeout(limit, Family::start(&mut command)?.output()).await else { return Ok(None) };
    let output = output?;
    Ok((!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// What ssh has printed so far; at most the last 64 KiB.
pub(super) fn read_log(log: &Path) -> String {
    read_log_from(log, 0)
}

/// What comes after the first `skipped` bytes, at most the last 64 KiB of it.
pub(super) fn read_log_from(log: &Path, skipped: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    let from = bytes.len().saturating_sub(64 * 1024).max(skipped);
    String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
}

/// Ends the master that listens on `socket` and waits until it is gone. Nothing listening there is fine.
///
/// The openssh crate only asks a master to stop listening, after which it lives for as long as its last session;
/// this is what `ssh -O exit` says, without a process for it.
pub(super) fn end(socket: &Path) {
    let Ok(mut master) = UnixStream::connect(socket) else { return };
    let pid = match ask_to_leave(&mut master) {
        Ok(Some(pid)) => pid,
        Ok(None) => return,
        Err(error) => return tracing::debug!(socket = %socket.display(), %error, "can't end an ssh master"),
    };
    let asked_at = Instant::now();
    while is_master_of(pid, socket) {
        if asked_at.elapsed() > END_LIMIT {
            // It hangs (a dead line with unsent bytes). Nothing on the host depends on an orderly end.
            if let Err(error) = kill(Pid::from_raw(pid), Signal::SIGKILL) {
                tracing::debug!(pid, %error, "can't kill an ssh master");
            }
            return;
        }
        // Its exit can't be waited for: it is no child of this process.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Tells the master to exit; gives back its pid, or none if it was on its way out already.
fn ask_to_leave(master: &mut UnixStream) -> io::Result<Option<i32>> {
    const HELLO: u32 = 0x0000_0001;
    const VERSION: u32 = 4;
    const ALIVE_CHECK: u32 = 0x1000_0004;
    const IS_ALIVE: u32 = 0x8000_0005;
    const TERMINATE: u32 = 0x1000_0005;
    master.set_read_timeout(Some(END_LIMIT))?;
    master.set_write_timeout(Some(END_LIMIT))?;
    write_packet(master, &[HELLO, VERSION])?;
    write_packet(master, &[ALIVE_CHECK, 0])?;
    while let Some(packet) = read_packet(master)? {
        if let [IS_ALIVE, 0, pid, ..] = packet[..] {
            write_packet(master, &[TERMINATE, 1])?;
            return Ok(i32::try_from(pid).ok());
        }
    }
    Ok(None)
}

fn write_packet(master: &mut UnixStream, words: &[u32]) -> io::Result<()> {
    let length = u32::try_from(words.len() * 4).map_err(io::Error::other)?;
    let packet: Vec<u8> = std::iter::once(&length).chain(words).flat_map(|word| word.to_be_bytes()).collect();
    master.write_all(&packet)
}

/// The words of the next packet; none when the master has gone.
fn read_packet(master: &mut UnixStream) -> io::Result<Option<Vec<u32>>> {
    let mut length = [0; 4];
    match master.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut packet = vec![0; u32::from_be_bytes(length).min(64 * 1024) as usize];
    master.read_exact(&mut packet)?;
    Ok(Some(packet.chunks_exact(4).map(|word| word.iter().fold(0, |sum, &byte| sum << 8 | u32::from(byte))).collect()))
}

/// Process numbers are used again; the socket's path is in the title of its master and of no other process.
fn is_master_of(pid: i32, socket: &Path) -> bool {
    let title = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&title).contains(&*socket.to_string_lossy())
}

#[cfg(test)]
mod tests;
