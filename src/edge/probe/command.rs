//! A program of the controller that looks for us.

#![expect(clippy::disallowed_methods, reason = "starts the program that a probe names")]

use std::io;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, Uid, User};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::{Scene, chain, excerpt};
use crate::domain::probe::CommandCheck;
use crate::domain::probe::template::fill_in;

/// So much of what a program prints is looked at; the rest is read and forgotten, so that it can end.
const OUTPUT_LIMIT: u64 = 64 * 1024;

/// Where programs are looked for: what an sshd has built in for root.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a program ended, and what it printed.
struct Ended {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Runs the program. When nobody waits any more, its whole process group is killed.
pub(super) async fn ask(check: &CommandCheck, scene: &Scene<'_>) -> Result<String, String> {
    let Some((program, arguments)) = check.argv.split_first() else { return Err("command: there is none".to_owned()) };
    let filled = arguments.iter().map(|argument| fill_in(argument, scene.target));
    let arguments = filled.collect::<Result<Vec<_>, _>>()?;
    let ended = run(program, &arguments).await.map_err(|error| format!("command `{program}`: {}", chain(&error)))?;
    judge(check, &ended)
        .map(|found| format!("command `{program}`: {found}"))
        .map_err(|why| format!("command `{program}`: {why}"))
}

async fn run(program: &str, arguments: &[String]) -> io::Result<Ended> {
    let mut command = Command::new(program);
    // A clean environment, as over ssh: what the controller was started with may hold secrets.
    command.args(arguments).env_clear().env("PATH", PATH);
    if let Ok(Some(user)) = User::from_uid(Uid::effective()) {
        command.env("HOME", user.dir);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.kill_on_drop(true).spawn()?;
    let mut group = Group::of(&child);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::try_join!(drain(stdout), drain(stderr))?;
    let status = child.wait().await?;
    group.release();
    Ok(Ended { status, stdout, stderr })
}

async fn drain(output: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(output) = output {
        let mut first = output.take(OUTPUT_LIMIT);
        first.read_to_end(&mut bytes).await?;
        tokio::io::copy(&mut first.into_inner(), &mut tokio::io::sink()).await?;
    }
    Ok(bytes)
}

fn judge(check: &CommandCheck, ended: &Ended) -> Result<String, String> {
    let Ended { status, stdout, stderr } = ended;
    let Some(found) = status.code() else { return Err(format!("expected status {}, found {status}", check.status)) };
    if found != i32::from(check.status) {
        let said = if stderr.trim_ascii().is_empty() { stdout } else { stderr };
        return Err(format!("expected status {}, found {found}, said `{}`", check.status, excerpt(said)));
    }
    let Some(wanted) = &check.contains else { return Ok(format!("status {found}")) };
    if String::from_utf8_lossy(stdout).contains(wanted.as_str()) {
        Ok(format!("status {found}, contains `{wanted}`"))
    } else {
        Err(format!("expected text `{wanted}`, found `{}`", excerpt(stdout)))
    }
}

/// The process group of a program; killed when this is dropped before the program has ended.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    /// The program has ended: its number may soon be another's.
    fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // That it has just ended by itself is as good.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}
