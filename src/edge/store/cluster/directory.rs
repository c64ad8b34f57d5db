//! The files of a cluster: where they are, whose they are, and who may get at them.
//!
//! Knows paths, owners and modes; does not know whether a server runs.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use nix::unistd::{Pid, User, geteuid};
use tokio::process::Command;

use super::super::error::Error;
use super::PORT;

/// The server's log, in the cluster's directory.
pub const SERVER_LOG: &str = "server.log";
/// Where the sockets are if the path in the state directory is too long.
const SOCKET_DIR_RECORD: &str = "socket_dir";
/// `sun_path` holds 108 bytes with the final zero.
const LONGEST_SOCKET: usize = 107;

/// `<state>/postgres`.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    account: Option<Account>,
}

/// The account that runs Postgres if turnus is root: Postgres refuses to.
#[derive(Debug)]
struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl Directory {
    /// Makes what is missing.
    pub(super) fn prepare(state_dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(state_dir).map_err(|source| unusable(state_dir, source))?;
        let directory = Self::find(state_dir)?;
        // The account has to pass through; what others must not see lies in `data` and `run`.
        let mode = if directory.account.is_some() { 0o711 } else { 0o700 };
        make_dir(&directory.path, mode).map_err(|source| unusable(&directory.path, source))?;
        Self::check_owner(&directory.path, geteuid().as_raw())?;
        Ok(directory)
    }

    /// Looks only.
    pub(super) fn find(state_dir: &Path) -> Result<Self, Error> {
        let absolute = std::path::absolute(state_dir).map_err(|source| unusable(state_dir, source))?;
        let path = absolute.canonicalize().unwrap_or(absolute).join("postgres");
        let account = if geteuid().is_root() { Some(choose_account(&path.join("data"))?) } else { None };
        Ok(Self { path, account })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn into_path(self) -> PathBuf {
        self.path
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn account_name(&self) -> Option<String> {
        self.account.as_ref().map(|account| account.name.clone())
    }

    /// Makes `command` run as the account, in the cluster's directory.
    pub(super) fn run_there(&self, command: &mut Command) {
        command.current_dir(&self.path);
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
    }

    /// Major version of the data; `None` if there is none yet.
    pub(super) fn data_major(&self) -> Result<Option<u32>, Error> {
        let file = self.data().join("PG_VERSION");
        match fs::read_to_string(&file) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| {
                unusable(&file, io::Error::new(ErrorKind::InvalidData, format!("`{}` is not a version", text.trim())))
            }),
            Err(missing) if missing.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => {
                Self::check_owner(&self.path, geteuid().as_raw())?;
                Err(unusable(&file, source))
            }
        }
    }

    /// The server's process, by its own word: the file is there from its start to its orderly end, and after a crash.
    pub(super) fn server_pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok().map(Pid::from_raw)
    }

    /// A file to be locked.
    pub(super) fn open_lock(&self, name: &str) -> Result<File, Error> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.open(self.path.join(name)).map_err(|source| self.unusable(name, source))
    }

    /// The server's log, to be appended to; a long one is put aside first.
    pub(super) fn open_log(&self) -> Result<File, Error> {
        const LONG: u64 = 1 << 20;
        let path = self.path.join(SERVER_LOG);
        if fs::metadata(&path).is_ok_and(|log| log.len() > LONG) {
            fs::rename(&path, self.path.join("server.log.old")).map_err(|source| unusable(&path, source))?;
        }
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        opened.map_err(|source| unusable(&path, source))
    }

    /// An empty directory for data in the making, which removes itself unless it is kept; those of killed processes go first.
    pub(super) fn make_new_data(&self) -> Result<tempfile::TempDir, Error> {
        const PREFIX: &str = "data.new.";
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            if entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()) {
                // What can't be removed is not in the way.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let made = make_random_dir(PREFIX, &self.path).and_then(|new| {
            self.hand_over(new.path())?;
            Ok(new)
        });
        made.map_err(|source| self.unusable("data.new", source))
    }

    /// Puts finished data in its place, on disk.
    pub(super) fn adopt_new_data(&self, new: tempfile::TempDir) -> Result<(), Error> {
        let renamed = fs::rename(new.path(), self.data()).and_then(|()| File::open(&self.path)?.sync_all());
        renamed.map_err(|source| self.unusable("data", source))?;
        // It is not there any more under its old name.
        let _ = new.keep();
        Ok(())
    }

    /// The directory for the socket: `run`, or a short one if the path would be too long for a socket.
    pub(super) fn prepare_socket_dir(&self) -> Result<PathBuf, Error> {
        let usual = self.path.join("run");
        if socket_in(&usual).as_os_str().len() <= LONGEST_SOCKET {
            self.restore_socket_dir(&usual)?;
            return Ok(usual);
        }
        match self.known_socket_dir() {
            Some(known) if self.restore_socket_dir(&known).is_ok() => Ok(known),
            _ => self.make_short_socket_dir().map_err(|source| self.unusable(SOCKET_DIR_RECORD, source)),
        }
    }

    /// The directory that was prepared before, by whichever process.
    pub(super) fn known_socket_dir(&self) -> Option<PathBuf> {
        let usual = self.path.join("run");
        if usual.is_dir() {
            return Some(usual);
        }
        fs::read_to_string(self.path.join(SOCKET_DIR_RECORD)).ok().map(|known| PathBuf::from(known.trim_end()))
    }

    /// Makes sure that `socket_dir` is there, ours, and closed to others.
    pub(super) fn restore_socket_dir(&self, socket_dir: &Path) -> Result<(), Error> {
        if make_dir(socket_dir, 0o700).map_err(|source| unusable(socket_dir, source))? {
            return self.hand_over(socket_dir).map_err(|source| unusable(socket_dir, source));
        }
        Self::check_owner(socket_dir, self.server_uid())?;
        let open_to_others = fs::symlink_metadata(socket_dir).is_ok_and(|found| found.mode() & 0o077 != 0);
        if open_to_others { Err(unusable(socket_dir, ErrorKind::PermissionDenied.into())) } else { Ok(()) }
    }

    /// A short one would stay in the directory for temporary files for ever.
    pub(super) fn remove_short_socket_dir(&self, socket_dir: &Path) {
        if !socket_dir.starts_with(&self.path) {
            // What is left is empty, and found again by its record.
            let _ = fs::remove_dir(socket_dir);
        }
    }

    pub(super) fn unusable(&self, name: &str, source: io::Error) -> Error {
        unusable(&self.path.join(name), source)
    }

    fn make_short_socket_dir(&self) -> io::Result<PathBuf> {
        // Not the directory of TMPDIR, which may be long as well.
        let short = make_random_dir("turnus-", Path::new("/tmp"))?.keep();
        self.hand_over(&short)?;
        let mut record = tempfile::NamedTempFile::new_in(&self.path)?;
        writeln!(record, "{}", short.display())?;
        record.persist(self.path.join(SOCKET_DIR_RECORD))?;
        Ok(short)
    }

    /// Gives a directory that we have just made to the account.
    fn hand_over(&self, path: &Path) -> io::Result<()> {
        match &self.account {
            Some(account) => lchown(path, Some(account.uid), Some(account.gid)),
            None => Ok(()),
        }
    }

    fn server_uid(&self) -> u32 {
        self.account.as_ref().map_or_else(|| geteuid().as_raw(), |account| account.uid)
    }

    /// A real directory that belongs to `user`.
    fn check_owner(path: &Path, user: u32) -> Result<(), Error> {
        let found = fs::symlink_metadata(path).map_err(|source| unusable(path, source))?;
        if !found.is_dir() {
            return Err(unusable(path, ErrorKind::NotADirectory.into()));
        }
        if found.uid() != user {
            return Err(Error::DirectoryOfAnother { directory: path.to_owned(), owner: found.uid(), user });
        }
        Ok(())
    }
}

/// The socket that Postgres makes in `directory`.
pub(super) fn socket_in(directory: &Path) -> PathBuf {
    directory.join(format!(".s.PGSQL.{PORT}"))
}

/// Who owns the data already; else the account of Debian's package; else nobody in particular.
fn choose_account(data: &Path) -> Result<Account, Error> {
    if let Some(owned) = fs::metadata(data).ok().filter(|data| data.uid() != 0) {
        let user = User::from_uid(owned.uid().into()).ok().flatten();
        let name = user.map_or_else(|| owned.uid().to_string(), |user| user.name);
        return Ok(Account { name, uid: owned.uid(), gid: owned.gid() });
    }
    let user = find_user("postgres").or_else(|| find_user("nobody")).ok_or(Error::NoAccount)?;
    Ok(Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() })
}

fn find_user(name: &str) -> Option<User> {
    User::from_name(name).ok().flatten()
}

/// Whether it was made now. What is there already stays as it is.
fn make_dir(path: &Path, mode: u32) -> io::Result<bool> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {
            // Whatever the umask took away.
            fs::set_permissions(path, Permissions::from_mode(mode))?;
            Ok(true)
        }
        Err(there) if there.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(source),
    }
}

fn make_random_dir(prefix: &str, parent: &Path) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o700)).tempdir_in(parent)
}

fn unusable(path: &Path, source: io::Error) -> Error {
    Error::Directory { path: path.to_owned(), source }
}
