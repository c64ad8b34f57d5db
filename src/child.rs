//! Programs that end with whoever waits for them.
//!
//! Below the edges, as more than one of them starts programs. Knows processes; does not know what they are for. Invariant: a program
//! that is given up is killed with all that it started.

use std::io;
use std::process::Output;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// What was printed is there within this time after the end of a program.
const GRACE: Duration = Duration::from_millis(200);

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

    /// How the program ends, and what is printed until then where that was piped. What it leaves behind may go on, and print on.
    pub(crate) async fn output(mut self) -> io::Result<Output> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (out, err) = (self.first.stdout.take(), self.first.stderr.take());
        let status = {
            let reading = async { tokio::try_join!(read_all(out, &mut stdout), read_all(err, &mut stderr)) };
            let mut reading = std::pin::pin!(reading);
            tokio::select! {
                biased;
                read = &mut reading => {
                    read?;
                    self.first.wait().await?
                }
                status = self.first.wait() => {
                    if let Ok(read) = tokio::time::timeout(GRACE, &mut reading).await {
                        read?;
                    }
                    status?
                }
            }
        };
        Ok(Output { status, stdout, stderr })
    }
}

async fn read_all(pipe: Option<impl AsyncRead + Unpin>, bytes: &mut Vec<u8>) -> io::Result<()> {
    if let Some(mut pipe) = pipe {
        while pipe.read_buf(bytes).await? > 0 {}
    }
    Ok(())
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

#[cfg(test)]
mod tests;
