//! Looks through a connection of the host: a command there, and whether somebody who is new can log in.

use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::{Scene, excerpt};
use crate::edge::remote::{Command, Exit, Remote};

/// So much of what a command prints is looked at.
const OUTPUT_LIMIT: u64 = 64 * 1024;

/// What a command on a host said.
pub(super) struct Answer {
    /// Its exit status; as a shell has it for one that was killed.
    pub(super) status: i32,
    pub(super) output: String,
    messages: String,
}

impl Answer {
    pub(super) fn last_line(&self) -> &str {
        self.output.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default()
    }

    /// For an end that was not expected.
    pub(super) fn trouble(&self) -> String {
        let said = if self.messages.is_empty() { self.last_line() } else { &self.messages };
        format!("exit status {}: {}", self.status, excerpt(said.as_bytes()))
    }
}

/// Runs a command that changes nothing, and waits for its end.
pub(super) async fn run(host: &Remote, words: &[&str]) -> Result<Answer, String> {
    let argv = words.iter().map(|word| (*word).to_owned()).collect();
    let mut running = host.exec(Command { argv, stdin: Vec::new() }).await.map_err(|error| error.into_fault().what)?;
    let mut output = Vec::new();
    // What comes after the limit is read by nobody: a command that goes on printing ends with its pipe.
    (&mut running.stdout).take(OUTPUT_LIMIT).read_to_end(&mut output).await.map_err(|error| error.to_string())?;
    let (exit, messages) = running.wait().await.map_err(|error| error.into_fault().what)?;
    let status = if let Exit::Status(status) = exit { status } else { 128 };
    Ok(Answer { status, output: String::from_utf8_lossy(&output).into_owned(), messages })
}

/// Makes a connection of its own, runs the least command there is, and ends it.
pub(super) async fn ask(scene: &Scene<'_>) -> Result<String, String> {
    let host = scene.host.ok_or("ssh: there is no way to the host")?.anew();
    let begun = Instant::now();
    let answer = run(&host, &["true"]).await;
    let took_ms = begun.elapsed().as_millis();
    host.close().await;
    match answer.map_err(|why| format!("ssh: {why}"))? {
        answer if answer.status == 0 => Ok(format!("ssh: a new login, {took_ms} ms")),
        answer => Err(format!("ssh: expected a new login, found {}", answer.trouble())),
    }
}
