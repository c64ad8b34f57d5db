//! The only reader of files and environment variables.
//!
//! Knows where things lie; does not know what a file means. A file that can't be read is a problem of that file, so that
//! the others are still looked at; only a directory that can't be listed is an [`Error`].

#![expect(clippy::disallowed_methods, reason = "the reader of the environment, and of secrets that programs tell")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::domain::catalog::{Source, SourceKind};
use crate::domain::document::{Lines, MAX_BYTES, MAX_CALENDAR_BYTES};
use crate::domain::problem::Problem;

mod environment;
mod machine;
mod secret;
mod wording;

pub use environment::{expand_home, ssh_config_file, state_dir};
pub use machine::{
    controller_name, describe_program, describe_time_zone_database, environment, look_at_private_file,
    look_at_state_dir, make_directory, person, read_logo, write_file,
};
pub use secret::{Secret, resolve_secret};
pub use wording::read_wording;

/// Why turnus can't work with what it was given. A secret's value is in none of these.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory holds no `inventories`.
    #[error("there is no directory `inventories` in `{}`", directory.display())]
    NoInventories {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// A directory can't be listed.
    #[error("could not list the directory `{}`", directory.display())]
    ListDirectory {
        /// Which.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Neither `HOME` nor `XDG_STATE_HOME` says where things of this account belong.
    #[error("the home directory is not known")]
    NoHome,
    /// A secret's variable is not set, or holds no text.
    #[error("could not read the environment variable `{name}` of a secret")]
    SecretVariable {
        /// The variable.
        name: String,
        /// Why.
        source: std::env::VarError,
    },
    /// A secret's file can't be read.
    #[error("could not read the file `{path}` of a secret")]
    SecretFile {
        /// The file, as the reference names it.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A secret's command can't be run.
    #[error("could not run the command `{program}` of a secret")]
    SecretCommand {
        /// The first word of the command.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A secret's command says that it failed.
    #[error("the command `{program}` of a secret ended with {status}")]
    SecretCommandFailed {
        /// The first word of the command.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// A secret's command does not come to an end.
    #[error("the command `{program}` of a secret did not end within {limit_s} s")]
    SecretCommandTimedOut {
        /// The first word of the command.
        program: String,
        /// The limit.
        limit_s: u64,
    },
    /// A private key file that ssh would not use.
    #[error("the key file `{path}` {fault}")]
    UnfitKey {
        /// The file, as the configuration names it.
        path: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A state directory that can't be used.
    #[error("the state directory `{}` {fault}", path.display())]
    UnfitStateDir {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// The provider's logo can't go with messages.
    #[error("the logo `{path}` {fault}")]
    UnfitLogo {
        /// The file, as the settings name it.
        path: String,
        /// What is wrong with it.
        fault: String,
    },
    /// What a reference leads to can't be a secret.
    #[error("the secret from {origin} {fault}")]
    UnfitSecret {
        /// Where it came from.
        origin: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoInventories { .. } => "name the directory with your files: `turnus --config DIR …`".to_owned(),
            Self::ListDirectory { .. } => return None,
            Self::NoHome => "set `HOME`, or `state_dir` in turnus.toml".to_owned(),
            Self::SecretVariable { name, .. } => format!("set `{name}` where turnus runs"),
            Self::SecretFile { .. } => "the file must be readable for the account that runs turnus".to_owned(),
            Self::SecretCommand { .. } => "the command runs without a shell; name the program with its path".to_owned(),
            Self::SecretCommandFailed { program, .. } => format!("run `{program}` by hand as the same account"),
            Self::SecretCommandTimedOut { .. } => "a command that asks questions can't be answered here".to_owned(),
            Self::UnfitKey { path, .. } => format!("chmod 600 {path}, if it is the right one"),
            Self::UnfitStateDir { .. } => {
                "set another `state_dir` in turnus.toml, or run turnus as its owner".to_owned()
            }
            Self::UnfitLogo { .. } => "name another `logo` in `[provider]` of turnus.toml, or none".to_owned(),
            Self::UnfitSecret { .. } => "a secret is one text of at most 64 KiB without NUL".to_owned(),
        })
    }
}

/// Reads `turnus.toml`, `inventories/*.toml`, `jobs/*.toml` and `calendars/*.ics` of `directory`, sorted by name. Hidden files
/// are left alone.
pub fn read_sources(directory: &Path) -> Result<Vec<Source>, Error> {
    let inventories = read_folder(directory, "inventories", SourceKind::Inventory)?;
    let inventories = inventories.ok_or_else(|| Error::NoInventories { directory: directory.to_owned() })?;
    let jobs = read_folder(directory, "jobs", SourceKind::Job)?.unwrap_or_default();
    let calendars = read_folder(directory, "calendars", SourceKind::Calendar)?.unwrap_or_default();
    Ok(read_settings(directory).into_iter().chain(inventories).chain(jobs).chain(calendars).collect())
}

/// Reads `turnus.toml` of `directory`, if it is there.
#[must_use]
pub fn read_settings(directory: &Path) -> Option<Source> {
    let settings = directory.join("turnus.toml");
    // A link that leads nowhere is a mistake, not an absent file.
    let is_there = settings.symlink_metadata().is_ok();
    is_there.then(|| read_source(&settings, "turnus.toml".to_owned(), SourceKind::Settings))
}

/// The files of a sub-directory that are of this kind; `None` if there is no such directory.
fn read_folder(directory: &Path, folder: &str, kind: SourceKind) -> Result<Option<Vec<Source>>, Error> {
    let path = directory.join(folder);
    let names = match list_files(&path, ending_of(kind)) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::ListDirectory { directory: path, source }),
    };
    let read = |name: OsString| {
        // A name may be any bytes; what is shown of it stays one line.
        let shown = name.to_string_lossy().escape_debug().to_string();
        read_source(&path.join(name), format!("{folder}/{shown}"), kind)
    };
    Ok(Some(names.into_iter().map(read).collect()))
}

fn ending_of(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Settings | SourceKind::Inventory | SourceKind::Job => ".toml",
        SourceKind::Calendar => ".ics",
    }
}

fn list_files(path: &Path, ending: &str) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name.as_bytes().ends_with(ending.as_bytes()) && !name.as_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read_source(path: &Path, file: String, kind: SourceKind) -> Source {
    Source { text: read_text(path, &file, limit_of(kind)), file, kind }
}

/// Most bytes of a file.
fn limit_of(kind: SourceKind) -> usize {
    match kind {
        SourceKind::Settings | SourceKind::Inventory | SourceKind::Job => MAX_BYTES,
        SourceKind::Calendar => MAX_CALENDAR_BYTES,
    }
}

/// The text of a calendar that a person names: UTF-8, as large as calendars of the configuration at most.
pub fn read_calendar(path: &Path) -> Result<String, Problem> {
    read_text(path, &path.display().to_string(), MAX_CALENDAR_BYTES)
}

/// The text of a file, or what is wrong with the file as a whole.
fn read_text(path: &Path, file: &str, limit: usize) -> Result<String, Problem> {
    let bytes = read_regular(path, limit).map_err(|wrong| at(file, "", wrong))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid_up_to = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid_up_to]).into_owned();
        at(file, &before, ("the file is not UTF-8 text".to_owned(), "save it as UTF-8"))
    })
}

/// What is wrong, and what to do.
type Whole = (String, &'static str);

fn read_regular(path: &Path, limit: usize) -> Result<Vec<u8>, Whole> {
    let unreadable = |error: io::Error| {
        (format!("could not read the file: {error}"), "it must be readable for the account that runs turnus")
    };
    // Opening a fifo without `O_NONBLOCK` would wait for a writer.
    let file = File::options().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        let kind = if metadata.is_dir() { "a directory" } else { "no regular file" };
        return Err((format!("this is {kind}"), "a name that ends in `.toml` or `.ics` is for files"));
    }
    let mut bytes = Vec::new();
    // Read one more than allowed, whatever the metadata says: the file may be growing.
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit {
        return Err((format!("the file has more than {limit} bytes"), "split it, or is it another file?"));
    }
    Ok(bytes)
}

fn at(file: &str, before: &str, (what, hint): Whole) -> Problem {
    let position = Lines::of(before).position(before.len());
    let (line, column) = (position.line, position.column);
    Problem { file: file.to_owned(), line, column, what, expected: None, hint: Some(hint.to_owned()), conceal: true }
}

#[cfg(test)]
mod tests;
