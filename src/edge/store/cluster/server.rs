//! The server process: made, started, watched, waited for.
//!
//! Knows how Postgres answers while it starts, recovers and stops; does not know who else uses the cluster: the caller holds the
//! lock.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::kill;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::process::Child;
use tokio::time::Instant;

use super::super::error::Error;
use super::binaries::Binaries;
use super::directory::{Directory, SERVER_LOG, socket_in};
use super::{DATABASE, PORT};

/// Recovery after a crash reads up to a gigabyte of log.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a killed server may still be in the way of the next: until it is reaped, and its last process has noticed.
const LEFTOVER_LIMIT: Duration = Duration::from_secs(10);
/// How Postgres says that.
const LEFTOVERS: [&str; 2] = ["lock file \"postmaster.pid\" already exists", "pre-existing shared memory block"];
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// It serves the database.
    Ready,
    /// It runs, and the database is not made yet.
    WithoutDatabase,
    /// It is starting, recovering or stopping.
    Busy,
    /// Nobody listens.
    Down,
}

/// Asks by connecting: anything less only tells that a process exists.
pub(super) async fn probe(options: &PgConnectOptions) -> Result<Probe, Error> {
    let refused = match tokio::time::timeout(CONNECT_LIMIT, options.connect()).await {
        Err(_) => return Ok(Probe::Busy),
        Ok(Ok(connection)) => {
            // It has answered; how this one ends does not matter.
            let _ = connection.close().await;
            return Ok(Probe::Ready);
        }
        Ok(Err(refused)) => refused,
    };
    match refused.as_database_error().and_then(DatabaseError::code).as_deref() {
        Some("3D000") => Ok(Probe::WithoutDatabase),
        Some("57P03") => Ok(Probe::Busy),
        // Too many connections: so many others are served.
        Some("53300") => Ok(Probe::Ready),
        Some(_) => Err(refused.into()),
        None => sort_silence(refused),
    }
}

fn sort_silence(refused: sqlx::Error) -> Result<Probe, Error> {
    match &refused {
        sqlx::Error::Io(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            Ok(Probe::Down)
        }
        sqlx::Error::Io(cause) if cause.kind() != ErrorKind::PermissionDenied => Ok(Probe::Busy),
        _ => Err(refused.into()),
    }
}

/// Whether a server has our socket open.
pub(super) fn listens(socket_dir: &Path) -> bool {
    UnixStream::connect(socket_in(socket_dir)).is_ok()
}

/// Makes the data beside its place and then renames it: a half-made cluster is never seen.
pub(super) async fn make_data(directory: &Directory, binaries: &Binaries) -> Result<(), Error> {
    let new = directory.make_new_data()?;
    let mut initdb = binaries.command("initdb", directory);
    initdb.arg("-D").arg(new.path()).args(["-U", DATABASE, "-A", "trust", "-E", "UTF8"]);
    initdb.args(["--locale=C.UTF-8", "--data-checksums"]).kill_on_drop(true);
    let said = initdb.output().await.map_err(|source| failed("initdb", &source.to_string()))?;
    if !said.status.success() {
        return Err(failed("initdb", &String::from_utf8_lossy(&said.stderr)));
    }
    directory.adopt_new_data(new)
}

/// Brings the server up, whatever state it is in, and makes the database.
pub(super) async fn start(
    directory: &Directory,
    binaries: &Binaries,
    socket_dir: &Path,
    options: &PgConnectOptions,
) -> Result<(), Error> {
    let mut attempt: Option<Attempt> = None;
    let mut first_attempt: Option<Instant> = None;
    let mut pause = Pause::new(START_LIMIT);
    loop {
        match probe(options).await? {
            Probe::Ready => break,
            Probe::WithoutDatabase => make_database(options).await?,
            Probe::Busy => pause.wait(directory, "starting or stopping").await?,
            Probe::Down => {
                let since = *first_attempt.get_or_insert_with(Instant::now);
                attempt = match attempt {
                    None => Some(Attempt::begin(directory, binaries, socket_dir)?),
                    Some(attempt) => attempt.check(since)?,
                };
                pause.wait(directory, "starting").await?;
            }
        }
    }
    if let Some(Attempt { mut child, .. }) = attempt {
        // If the server dies while we live, it must not stay as a zombie: its successor would take it for alive.
        tokio::spawn(async move { child.wait().await });
    }
    Ok(())
}

/// Returns when the server has removed its file, which is the last thing that it does, or has died without.
pub(super) async fn wait_for_end(directory: &Directory, limit: Duration) -> Result<(), Error> {
    let mut pause = Pause::new(limit);
    while directory.server_pid().is_some_and(|pid| kill(pid, None).is_ok()) {
        pause.wait(directory, "stopping").await?;
    }
    Ok(())
}

/// A server process that was started and does not answer yet.
struct Attempt {
    child: Child,
    log: File,
}

impl Attempt {
    fn begin(directory: &Directory, binaries: &Binaries, socket_dir: &Path) -> Result<Self, Error> {
        let unusable = |source| directory.unusable(SERVER_LOG, source);
        let output = directory.open_log()?;
        let mut log = File::open(directory.path().join(SERVER_LOG)).map_err(unusable)?;
        log.seek(SeekFrom::End(0)).map_err(unusable)?;
        let mut server = binaries.command("postgres", directory);
        server.arg("-D").arg(directory.data()).arg("-k").arg(quote_list_entry(socket_dir)?);
        server.args(["-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", "-c", "logging_collector=off"]);
        server.args(["-c", "timezone=UTC", "-c", "log_timezone=UTC"]).arg("-p").arg(PORT.to_string());
        server.stdout(output.try_clone().map_err(unusable)?).stderr(output);
        // A Ctrl-C in the terminal goes to the whole group: the server must not stop before us.
        server.process_group(0);
        let child = server.spawn().map_err(|source| failed("postgres", &source.to_string()))?;
        Ok(Self { child, log })
    }

    /// `None` if it is to be tried again.
    fn check(mut self, since: Instant) -> Result<Option<Self>, Error> {
        match self.child.try_wait() {
            Ok(None) => return Ok(Some(self)),
            Ok(Some(_)) => {}
            Err(source) => return Err(failed("postgres", &source.to_string())),
        }
        let mut said = Vec::new();
        // What can't be read can't be shown; the end itself is reported in any case.
        let _ = self.log.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        let by_leftovers = LEFTOVERS.iter().any(|sign| said.contains(sign));
        if by_leftovers && since.elapsed() < LEFTOVER_LIMIT { Ok(None) } else { Err(failed("postgres", &said)) }
    }
}

async fn make_database(options: &PgConnectOptions) -> Result<(), Error> {
    let mut connection = options.clone().database("postgres").connect().await?;
    let made = sqlx::raw_sql("create database turnus").execute(&mut connection).await;
    let _ = connection.close().await;
    made?;
    Ok(())
}

/// `-k` takes a list: commas and blanks in a path must not end the entry.
fn quote_list_entry(path: &Path) -> Result<String, Error> {
    let not_text = || Error::Directory { path: path.to_owned(), source: ErrorKind::InvalidFilename.into() };
    Ok(format!("\"{}\"", path.to_str().ok_or_else(not_text)?.replace('"', "\"\"")))
}

/// What matters of what the program said: the last complaint, with the lines before it, which hold the reason.
fn failed(program: &'static str, said: &str) -> Error {
    const LINES: usize = 3;
    // Our own looks are refused with a FATAL while the server starts.
    let ours = "FATAL:  the database system is ";
    let lines: Vec<&str> =
        said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains(ours)).collect();
    let is_complaint = |line: &&str| ["FATAL:", "PANIC:", "error:"].iter().any(|sign| line.contains(sign));
    let end = lines.iter().rposition(is_complaint).map_or(lines.len(), |last| last + 1);
    Error::ProgramFailed { program, said: lines[end.saturating_sub(LINES)..end].join("; ") }
}

/// Waits between looks, a little longer each time, up to a limit.
pub(super) struct Pause {
    begun: Instant,
    limit: Duration,
    next: Duration,
}

impl Pause {
    pub(super) fn new(limit: Duration) -> Self {
        Self { begun: Instant::now(), limit, next: Duration::from_millis(5) }
    }

    /// `what` names what the server is still doing if the limit has passed.
    pub(super) async fn wait(&mut self, directory: &Directory, what: &'static str) -> Result<(), Error> {
        const LONGEST: Duration = Duration::from_millis(100);
        if self.begun.elapsed() > self.limit {
            let directory = directory.path().to_owned();
            return Err(Error::ServerSlow { directory, what, seconds: self.limit.as_secs() });
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 3 / 2).min(LONGEST);
        Ok(())
    }
}
