//! `turnus report RUN`: the written result.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::context::{Context, read_record, read_run};
use super::exit::{Exit, Failure};
use crate::app::acceptance::{read_answer, write_report};
use crate::app::console::{print, say};
use crate::domain::inventory::Locale;
use crate::domain::run::event::Recorded;
use crate::edge::config;
use crate::edge::store::answer::StoredAnswer;
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
        let answer = read_answer(&store, &stored).await?;
        Ok::<_, Failure>((stored, record, answer))
    }
    .await;
    store.close().await?;
    let (stored, record, answer) = read?;
    let told = Told { stored: &stored, record: &record, answer: answer.as_ref() };
    let text = render(&told, arguments.format, arguments.locale.map(Locale::from))?;
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

/// What a report is made from.
pub(super) struct Told<'a> {
    pub(super) stored: &'a StoredRun,
    pub(super) record: &'a [Recorded],
    pub(super) answer: Option<&'a StoredAnswer>,
}

/// The report of a run as its record stands.
pub(super) fn render(told: &Told<'_>, format: ReportFormat, locale: Option<Locale>) -> Result<String, Failure> {
    let report = write_report(told.stored, told.record, told.answer).map_err(Failure::failed)?;
    let format = match format {
        ReportFormat::Json => return serde_json::to_string(&report).map_err(Failure::failed),
        ReportFormat::Text => text::Format::Text,
        ReportFormat::Html => text::Format::Html,
    };
    let texts = Texts::new().map_err(Failure::failed)?;
    texts.render_report(&report, locale.unwrap_or(report.locale), format).map_err(Failure::failed)
}
