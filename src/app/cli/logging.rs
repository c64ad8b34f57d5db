//! What is told to whoever looks after this machine: lines with fields, on stderr.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

use super::serve::LogFormat;
use crate::edge::probe::SHOWS_PASSWORDS;

#[cfg(test)]
mod tests;

/// Commands tell what should not be.
const OF_COMMANDS: &str = "warn,sqlx=error";
/// A daemon also tells what it does. Its scheduler is of no interest.
const OF_DAEMONS: &str = "info,sqlx=error,tokio_cron_scheduler=error";

/// So many lines of a daemon wait for their reader; then lines are lost, so that nobody who does not read can stop a run.
const WAITING_LINES: usize = 10_000;
/// How long the last lines are waited for.
const FINISH_LIMIT: Duration = Duration::from_secs(2);

/// For a command.
pub(super) fn begin() {
    tracing_subscriber::fmt()
        .with_env_filter(filter(OF_COMMANDS))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // Otherwise it panics when nobody reads stderr any more.
        .log_internal_errors(false)
        .init();
}

/// For a daemon.
pub(super) fn begin_for_daemon(format: LogFormat) -> Log {
    let (sender, lines) = sync_channel(WAITING_LINES);
    let thread = std::thread::spawn(move || write(&lines));
    let log = Log { end: sender.clone(), thread };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(OF_DAEMONS))
        .with_writer(move || Line(sender.clone()))
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).init(),
    }
    log
}

/// `TURNUS_LOG` says how much: `debug`, `turnus=trace`, ….
fn filter(default: &str) -> EnvFilter {
    let filter = EnvFilter::try_from_env("TURNUS_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    match format!("{SHOWS_PASSWORDS}=off").parse() {
        Ok(silence) => filter.add_directive(silence),
        Err(_) => filter,
    }
}

/// The log of a daemon, written by a thread of its own.
pub(super) struct Log {
    end: SyncSender<Option<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Log {
    /// Waits until the last line is written, if it is read at all.
    pub(super) fn finish(self) {
        let began = Instant::now();
        if self.end.try_send(None).is_err() {
            return;
        }
        while !self.thread.is_finished() && began.elapsed() < FINISH_LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The way of one line to the thread.
struct Line(SyncSender<Option<Vec<u8>>>);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        // Full: nobody reads.
        let _ = self.0.try_send(Some(line.to_vec()));
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn write(lines: &Receiver<Option<Vec<u8>>>) {
    while let Ok(Some(line)) = lines.recv() {
        // A reader that is gone is no reason to stop.
        let _ = std::io::stderr().write_all(&line);
    }
}
