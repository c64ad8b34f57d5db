//! Programs that end with whoever waits for them.
//!
//! Below the edges, as more than one of them starts programs. Knows processes; does not know what they are for. Invariant: a program
//! that is given up is killed with all that it started.

use std::io;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// A program in a process group of its own, and what it starts there. The group is killed when this is dropped before the end of the
/// program was waited for: its time is up, or nobody wants to know any more.
#[derive(Debug)]
pub(crate) struct Family {
    /// The program.
    pub(crate) first: Child,
}

impl Family {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        Ok(Self { first: command.process_group(0).kill_on_drop(true).spawn()? })
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        // It has none once its end was seen: then the number may soon be another's.
        if let Some(group) = self.first.id().and_then(|id| i32::try_from(id).ok()) {
            // That it has just ended by itself is as good.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}
