//! `turnus serve`: keeps the calendar until it is told to stop.

use std::path::Path;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::context::open_store_wide;
use super::exit::{Exit, Failure};
use crate::app::console::say;
use crate::app::daemon::Daemon;
use crate::app::daemon::serve::serve;
use crate::domain::problem::Problems;
use crate::domain::settings::{self, Settings};
use crate::edge::config;

/// A daemon drives many runs at a time.
const CONNECTIONS: u32 = 12;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How the log on stderr is written; `TURNUS_LOG` says how much
    #[arg(long, value_enum, default_value_t)]
    pub(super) log: LogFormat,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people
    #[default]
    Text,
    /// A JSON object a line
    Json,
}

/// Of the files, only what concerns this machine counts: `database`, `state_dir`, `ssh`, and what concerns messages, of turnus.toml.
pub(super) async fn run(directory: &Path) -> Result<Exit, Failure> {
    let settings = read_settings(directory)?;
    let state_dir = config::state_dir(settings.state_dir.as_deref())?;
    let (stop, now) = (CancellationToken::new(), CancellationToken::new());
    listen_to_signals(&stop, &now)?;
    let store = tokio::select! {
        opened = open_store_wide(&settings.database, &state_dir, CONNECTIONS) => opened?,
        () = stop.cancelled() => return Ok(Exit::Done),
    };
    let daemon = Daemon::of_machine(store, &settings, &state_dir).map_err(Failure::unreachable)?;
    let served = serve(daemon.clone(), &stop, &now).await.map_err(Failure::failed);
    Daemon::close(daemon).await?;
    served.map(|()| Exit::Done)
}

fn read_settings(directory: &Path) -> Result<Settings, Failure> {
    let Some(source) = config::read_settings(directory) else { return Ok(Settings::default()) };
    let text = source.text.map_err(|problem| Problems(vec![problem]));
    text.and_then(|text| settings::parse(&text, &source.file)).map_err(|problems| {
        say(&problems.to_string());
        Failure::usage(anyhow!("turnus.toml can't be used"))
    })
}

/// The first signal asks the daemon to stop in order, the second at once.
fn listen_to_signals(stop: &CancellationToken, now: &CancellationToken) -> Result<(), Failure> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut stream = signal(kind).map_err(Failure::failed)?;
        let (stop, now) = (stop.clone(), now.clone());
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if stop.is_cancelled() {
                    now.cancel();
                }
                stop.cancel();
            }
        });
    }
    Ok(())
}
