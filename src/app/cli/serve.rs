//! `turnus serve`: keeps the calendar until it is told to stop.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::context::open_store_wide;
use super::exit::{Exit, Failure};
use crate::app::console::say;
use crate::app::daemon::Daemon;
use crate::app::daemon::serve::serve;
use crate::app::web::rate::Rates;
use crate::app::web::{self, Pages, Patience};
use crate::domain::problem::Problems;
use crate::domain::settings::delivery::Web;
use crate::domain::settings::{self, Settings};
use crate::domain::wording::WordingFile;
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

/// Pages are few, and short.
const PAGE_CONNECTIONS: u32 = 4;

/// Of the files, only what concerns this machine counts: turnus.toml, without limits and freezes.
pub(super) async fn run(directory: &Path) -> Result<Exit, Failure> {
    let settings = read_settings(directory)?;
    let state_dir = config::state_dir(settings.state_dir.as_deref())?;
    let (stop, now) = (CancellationToken::new(), CancellationToken::new());
    listen_to_signals(&stop, &now)?;
    // Before anything is begun: who serves pages, and can't, is to know at once.
    let listener = listen(&settings.web).await?;
    let store = tokio::select! {
        opened = open_store_wide(&settings.database, &state_dir, CONNECTIONS) => opened?,
        () = stop.cancelled() => return Ok(Exit::Done),
    };
    let wording = config::read_wording(directory)?;
    let daemon = Daemon::new(store, &settings, &wording, &state_dir).map_err(Failure::unreachable)?;
    let pages = match listener {
        Some(listener) => Some(show_pages(&settings, &wording, &state_dir, (listener, &stop)).await?),
        None => None,
    };
    let served = serve(daemon.clone(), &stop, &now).await.map_err(Failure::failed);
    stop.cancel();
    if let Some(pages) = pages {
        pages.await.map_err(Failure::failed)??;
    }
    Daemon::close(daemon).await?;
    served.map(|()| Exit::Done)
}

async fn listen(web: &Web) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = &web.listen else { return Ok(None) };
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("can't listen on `{address}`")).map_err(|error| {
        Failure::unreachable(error).hint("`listen` in `[web]` of turnus.toml says where the pages for customers are")
    })?;
    Ok(Some(listener))
}

/// Pages have a database pool of their own: they meet the daemon nowhere else.
async fn show_pages(
    settings: &Settings,
    wording: &[WordingFile],
    state_dir: &Path,
    (listener, stop): (TcpListener, &CancellationToken),
) -> Result<JoinHandle<Result<(), Failure>>, Failure> {
    let store = open_store_wide(&settings.database, state_dir, PAGE_CONNECTIONS).await?;
    let pages = Pages::new(store, settings, wording, Rates::default()).map_err(Failure::failed)?;
    let stop = stop.clone();
    tracing::info!(listen = settings.web.listen, "showing pages");
    Ok(tokio::spawn(async move {
        web::serve::serve(pages.clone(), listener, Patience::default(), &stop).await;
        Ok(Pages::close(pages).await?)
    }))
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
