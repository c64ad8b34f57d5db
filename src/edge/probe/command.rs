//! A program that looks for us: of the controller, or of another host.

#![expect(clippy::disallowed_methods, reason = "starts the program that a probe names")]

use std::io;
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::{Uid, User};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::{Scene, Way, chain, excerpt};
use crate::child::Family;
use crate::domain::probe::CommandCheck;
use crate::domain::probe::template::fill_in;

/// So much of what a program prints is looked at; the rest is read and forgotten, so that it can end.
const OUTPUT_LIMIT: u64 = 64 * 1024;

/// Where programs are looked for: what an sshd has built in for root.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// On another host there is nobody but the host to end a program for which nobody waits any more: without its `timeout`, that is left.
/// First argument: seconds; then the program and its arguments. The last line is for busybox before 1.30.
const BOUNDED: &str = "limit=$1; shift; command -v timeout >/dev/null || exec \"$@\"
timeout -s KILL 5 true 2>/dev/null && exec timeout -s KILL \"$limit\" \"$@\"
exec timeout -t \"$limit\" -s KILL \"$@\"";

/// How a program ended, and what it printed.
struct Ended {
    /// Exit status, or what ended it.
    status: Result<i32, String>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Runs the program, for as long as somebody waits.
pub(super) async fn ask(check: &CommandCheck, scene: &Scene<'_>, limit: Duration) -> Result<String, String> {
    let Some((program, arguments)) = check.argv.split_first() else { return Err("command: there is none".to_owned()) };
    let filled = arguments.iter().map(|argument| fill_in(argument, scene.target));
    let arguments = filled.collect::<Result<Vec<_>, _>>()?;
    let place = scene.from.map(|from| format!(" on {}", from.name())).unwrap_or_default();
    let told = |what: String| format!("command `{program}`{place}: {what}");
    let ended = match scene.from {
        None => run(program, &arguments).await.map_err(|error| chain(&error)),
        Some(from) => run_on(from, program, &arguments, limit).await,
    };
    ended.and_then(|ended| judge(check, &ended)).map(told).map_err(told)
}

async fn run_on(from: &dyn Way, program: &str, arguments: &[String], limit: Duration) -> Result<Ended, String> {
    // Longer than here is waited: whoever sees it killed there has the wrong reason.
    let limit = (limit.as_secs() + 1).to_string();
    let words = ["sh", "-c", BOUNDED, "sh", &limit, program];
    let words: Vec<&str> = words.into_iter().chain(arguments.iter().map(String::as_str)).collect();
    let answer = from.run(&words).await?;
    let status = answer.status.ok_or_else(|| "a signal".to_owned());
    Ok(Ended { status, stdout: answer.output.into_bytes(), stderr: answer.messages.into_bytes() })
}

async fn run(program: &str, arguments: &[String]) -> io::Result<Ended> {
    let mut command = Command::new(program);
    // A clean environment, as over ssh: what the controller was started with may hold secrets.
    command.args(arguments).env_clear().env("PATH", PATH);
    if let Ok(Some(user)) = User::from_uid(Uid::effective()) {
        command.env("HOME", user.dir);
    }
    let mut family = Family::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let (stdout, stderr) = (family.first.stdout.take(), family.first.stderr.take());
    let (stdout, stderr) = tokio::try_join!(drain(stdout), drain(stderr))?;
    let status = family.first.wait().await?;
    Ok(Ended { status: status.code().ok_or_else(|| status.to_string()), stdout, stderr })
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
    let found = status.as_ref().map_err(|ended_by| format!("expected status {}, found {ended_by}", check.status))?;
    if *found != i32::from(check.status) {
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
