//! `turnus report RUN`: the written result.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::context::{Context, read_record, read_run};
use super::exit::{Exit, Failure};
use crate::app::console::{print, say};
use crate::domain::inventory::Locale;
use crate::domain::report::{RunRecord, from_record};
use crate::domain::run::event::Recorded;
use crate::domain::run::state::Run;
use crate::edge::config;
use crate::edge::store::run::StoredRun;
use crate::edge::text::{self, Texts};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Number of the run
    run: i64,
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// Language; the customer's own by default
    #[arg(long, value_enum)]
    locale: Option<LocaleArgument>,
    /// Write to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For a terminal or a mail
    #[default]
    Text,
    /// One file that shows and prints well
    Html,
    /// For programs
    Json,
}

impl From<super::Format> for ReportFormat {
    fn from(format: super::Format) -> Self {
        match format {
            super::Format::Table => Self::Text,
            super::Format::Json => Self::Json,
        }
    }
}

/// A language, as people type it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LocaleArgument {
    De,
    En,
    Hu,
    Ru,
}

impl From<LocaleArgument> for Locale {
    fn from(argument: LocaleArgument) -> Self {
        match argument {
            LocaleArgument::De => Self::De,
            LocaleArgument::En => Self::En,
            LocaleArgument::Hu => Self::Hu,
            LocaleArgument::Ru => Self::Ru,
        }
    }
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let read = async {
        let stored = read_run(&store, arguments.run).await?;
        let record = read_record(&store, &stored).await?;
        Ok::<_, Failure>((stored, record))
    }
    .await;
    store.close().await?;
    let (stored, record) = read?;
    let text = render(&stored, &record, arguments.format, arguments.locale.map(Locale::from))?;
    match arguments.output {
        None => print(text.trim_end()),
        Some(path) => {
            config::write_file(&path, text.as_bytes())
                .with_context(|| format!("can't write `{}`", path.display()))
                .map_err(Failure::usage)?;
            say(&format!("wrote {}", path.display()));
        }
    }
    Ok(Exit::Done)
}

/// The report of a run as its record stands.
pub(super) fn render(
    stored: &StoredRun,
    record: &[Recorded],
    format: ReportFormat,
    locale: Option<Locale>,
) -> Result<String, Failure> {
    let run = Run::replay(stored.plan.clone(), record).map_err(Failure::failed)?;
    let report = from_record(&RunRecord {
        number: stored.number.0,
        id: stored.id,
        run: &run,
        started_by: stored.started_by.clone(),
        reason: stored.reason.clone(),
        meanwhile: stored.meanwhile.clone(),
    });
    let format = match format {
        ReportFormat::Json => return serde_json::to_string(&report).map_err(Failure::failed),
        ReportFormat::Text => text::Format::Text,
        ReportFormat::Html => text::Format::Html,
    };
    let texts = Texts::new().map_err(Failure::failed)?;
    texts.render_report(&report, locale.unwrap_or(run.plan().locale), format).map_err(Failure::failed)
}
