//! The programs of Postgres on this machine.
//!
//! Knows where packages put them; does not know what is done with them.

#![expect(clippy::disallowed_methods, reason = "looks for the programs of Postgres and starts them")]

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::super::error::Error;
use super::directory::Directory;

/// A directory with `postgres` and `initdb` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// Where they are; without symbolic links, because the programs look for their other files from there.
    pub directory: PathBuf,
    /// As `postgres --version` says it (`15.18`).
    pub version: String,
    /// The part of the version that data depends on.
    pub major: u32,
}

impl Binaries {
    /// A program, to be run as the account that owns the cluster, with nothing from our environment: it may hold `PG…` settings
    /// and secrets.
    pub(super) fn command(&self, program: &str, directory: &Directory) -> Command {
        let mut command = Command::new(self.directory.join(program));
        command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        directory.run_there(&mut command);
        command
    }

    /// Whether the account can get to the directory: the start of a program changes there after it has become the account.
    pub(super) async fn check_reach(&self, directory: &Directory) -> Result<(), Error> {
        let tried = self.command("postgres", directory).arg("--version").output().await;
        match (tried, directory.account_name()) {
            (Ok(_), _) => Ok(()),
            (Err(refused), Some(account)) if refused.kind() == std::io::ErrorKind::PermissionDenied => {
                Err(Error::DirectoryOutOfReach { account, directory: directory.path().to_owned() })
            }
            (Err(refused), _) => Err(Error::ProgramFailed { program: "postgres", said: refused.to_string() }),
        }
    }
}

/// The programs for the data of version `wanted`; without data, the first that is found.
pub(super) async fn find(data: &Path, wanted: Option<u32>) -> Result<Binaries, Error> {
    let mut newest: Option<u32> = None;
    for directory in list_candidates() {
        let Some(binaries) = ask_version(directory).await else { continue };
        if wanted.is_none_or(|wanted| wanted == binaries.major) {
            return Ok(binaries);
        }
        newest = newest.max(Some(binaries.major));
    }
    match (newest, wanted) {
        (Some(installed), Some(found)) => {
            Err(Error::OtherMajorVersion { directory: data.to_owned(), found, installed })
        }
        _ => Err(Error::PostgresMissing),
    }
}

/// PATH first, as its owner wants it; then where packages put versions side by side, the newest first.
fn list_candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates: Vec<PathBuf> = std::env::split_paths(&path)
        .filter_map(|directory| directory.join("postgres").canonicalize().ok()?.parent().map(Path::to_owned))
        .collect();
    candidates.extend(list_versions("/usr/lib/postgresql", b""));
    candidates.extend(list_versions("/usr", b"pgsql-"));
    candidates.retain(|directory| directory.join("postgres").is_file() && directory.join("initdb").is_file());
    candidates
}

/// `<parent>/<prefix><version>/bin`, the newest first.
fn list_versions(parent: &str, prefix: &[u8]) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = std::str::from_utf8(name.as_bytes().strip_prefix(prefix)?).ok()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by(|left, right| right.cmp(left));
    versions.into_iter().map(|(_, directory)| directory).collect()
}

/// `None` if it can't be run or says something strange: then it is not a Postgres for us.
async fn ask_version(directory: PathBuf) -> Option<Binaries> {
    let said = Command::new(directory.join("postgres")).arg("--version").stdin(Stdio::null()).output().await.ok()?;
    let (version, major) = parse_version(std::str::from_utf8(&said.stdout).ok()?)?;
    Some(Binaries { directory, version, major })
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `postgres (PostgreSQL) 19beta1`.
fn parse_version(said: &str) -> Option<(String, u32)> {
    let version = said.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
    let digits = version.find(|character: char| !character.is_ascii_digit()).unwrap_or(version.len());
    Some((version.to_owned(), version.get(..digits)?.parse().ok()?))
}

#[cfg(test)]
mod tests;
