//! What is told to whoever looks after this machine: lines with fields, on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::fmt::format::{DefaultFields, Format};

use super::serve::LogFormat;

/// Commands tell what should not be.
const OF_COMMANDS: &str = "warn,sqlx=error";
/// A daemon also tells what it does. Its scheduler is of no interest.
const OF_DAEMONS: &str = "info,sqlx=error,tokio_cron_scheduler=error";

/// For a command.
pub(super) fn begin() {
    builder(OF_COMMANDS).init();
}

/// For a daemon.
pub(super) fn begin_for_daemon(format: LogFormat) {
    match format {
        LogFormat::Text => builder(OF_DAEMONS).init(),
        LogFormat::Json => builder(OF_DAEMONS).json().flatten_event(true).with_current_span(false).init(),
    }
}

/// `TURNUS_LOG` says how much: `debug`, `turnus=trace`, ….
fn builder(default: &str) -> SubscriberBuilder<DefaultFields, Format, EnvFilter, fn() -> std::io::Stderr> {
    let filter = EnvFilter::try_from_env("TURNUS_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr as fn() -> std::io::Stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // Otherwise it panics when nobody reads stderr any more.
        .log_internal_errors(false)
}
