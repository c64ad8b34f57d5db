//! Servers that refuse to run as root run under another account when the tests do.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Gid, Uid, User};

/// Who runs a server.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
}

impl Account {
    /// This one if the tests run as root, otherwise that of the tests.
    pub(crate) fn of(name: &str) -> Self {
        if !Uid::current().is_root() {
            return Self { uid: Uid::current(), gid: Gid::current() };
        }
        let user = User::from_name(name).ok().flatten().expect("an account");
        Self { uid: user.uid, gid: user.gid }
    }

    /// Gives a file, or a directory with all that is in it.
    pub(crate) fn give(self, path: &Path) {
        chown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw())).expect("given");
        if path.is_dir() {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("opened");
            fs::read_dir(path).expect("a directory").for_each(|entry| self.give(&entry.expect("an entry").path()));
        }
    }

    /// Lets it run the command.
    pub(crate) fn runs(self, command: &mut Command) -> &mut Command {
        command.uid(self.uid.as_raw()).gid(self.gid.as_raw())
    }
}
