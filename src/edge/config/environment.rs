//! Directories that the environment decides.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Error;

/// Where turnus keeps what is its own on this machine: as configured, or by the rules of the account.
pub fn state_dir(configured: Option<&str>) -> Result<PathBuf, Error> {
    choose_state_dir(configured, nix::unistd::geteuid().is_root(), |name| std::env::var_os(name))
}

/// The user's ssh_config: as configured, or `~/.ssh/config` if there is one.
pub fn ssh_config_file(configured: Option<&str>) -> Result<Option<PathBuf>, Error> {
    match configured {
        Some(path) => expand_home(path).map(Some),
        None => Ok(expand_home("~/.ssh/config").ok().filter(|path| path.is_file())),
    }
}

/// A path in which a leading `~/` is the home directory.
pub fn expand_home(path: &str) -> Result<PathBuf, Error> {
    expand(path, |name| std::env::var_os(name))
}

fn choose_state_dir(
    configured: Option<&str>,
    is_root: bool,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, Error> {
    if let Some(path) = configured {
        return expand(path, variable);
    }
    if let Some(base) = absolute(variable("XDG_STATE_HOME")) {
        return Ok(base.join("turnus"));
    }
    if is_root {
        return Ok(PathBuf::from("/var/lib/turnus"));
    }
    expand("~/.local/state/turnus", variable)
}

fn expand(path: &str, variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, Error> {
    match path.strip_prefix("~/") {
        Some(rest) => Ok(absolute(variable("HOME")).ok_or(Error::NoHome)?.join(rest)),
        None => Ok(PathBuf::from(path)),
    }
}

/// A directory named by a variable; relative ones are to be ignored (XDG Base Directory Specification).
fn absolute(value: Option<OsString>) -> Option<PathBuf> {
    value.map(PathBuf::from).filter(|path| Path::is_absolute(path))
}

#[cfg(test)]
mod tests;
