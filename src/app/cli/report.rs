//! `turnus report RUN`: the written result of a run; `turnus report CUSTOMER --period P`: that of a month, quarter or year.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;

use super::context::{Context, read_record, read_run};
use super::exit::{Exit, Failure};
use crate::app;
use crate::app::acceptance::{find_next_date, read_answer, write_report};
use crate::app::capacity::survey_of_run;
use crate::app::console::{print, say};
use crate::domain::calendar::zone::named;
use crate::domain::inventory::Locale;
use crate::domain::period::{NotAPeriod, PERIOD_RULE, Period};
use crate::domain::report::capacity::HostCapacity;
use crate::domain::report::{NextDate, Report};
use crate::domain::run::event::Recorded;
use crate::edge::store::answer::StoredAnswer;
use crate::edge::store::run::StoredRun;
use crate::edge::store::{Store, database_now};
use crate::edge::text::{self, Texts};
use crate::edge::{config, pdf};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Number of the run; with `--period` the customer
    #[arg(value_name = "RUN|CUSTOMER")]
    about: String,
    /// What was done for the customer in a month (2026-11), a quarter (2026-Q4) or a year (2026)
    #[arg(long, value_name = "PERIOD")]
    period: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// Language; the customer's own by default
    #[arg(long, value_enum)]
    locale: Option<LocaleArgument>,
    /// Write to this file instead of stdout
    #[arg(long, alias = "out", short, value_name = "FILE")]
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
    /// The HTML file, printed by the Chromium of this machine; needs `--output`
    Pdf,
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

impl Arguments {
    pub(super) fn is_about_a_period(&self) -> bool {
        self.period.is_some()
    }
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    if arguments.format == ReportFormat::Pdf && arguments.output.is_none() {
        return Err(Failure::usage(anyhow!("a PDF file is nothing to print here")).hint("--output FILE"));
    }
    let locale = arguments.locale.map(Locale::from);
    let text = match &arguments.period {
        Some(period) => of_period(context, &arguments, period, locale).await?,
        None => of_run(context, &arguments, locale).await?,
    };
    match arguments.output {
        None => print(text.trim_end()),
        Some(path) => {
            let content = match arguments.format {
                ReportFormat::Pdf => to_pdf(&text).await?,
                ReportFormat::Text | ReportFormat::Html | ReportFormat::Json => text.into_bytes(),
            };
            config::write_file(&path, &content)
                .with_context(|| format!("can't write `{}`", path.display()))
                .map_err(Failure::usage)?;
            say(&format!("wrote {}", path.display()));
        }
    }
    Ok(Exit::Done)
}

async fn to_pdf(html: &str) -> Result<Vec<u8>, Failure> {
    pdf::print(html, pdf::LIMIT).await.map_err(|error| {
        let hint = error.hint();
        Failure::unreachable(error).maybe_hint(hint)
    })
}

async fn of_run(context: &Context, arguments: &Arguments, locale: Option<Locale>) -> Result<String, Failure> {
    let number = arguments.about.parse().map_err(|_| {
        let failure = Failure::usage(anyhow!("`{}` is no number of a run", arguments.about));
        failure.hint("`turnus runs` lists runs; for a customer's month, quarter or year add --period")
    })?;
    let store = context.open_store().await?;
    let read = async {
        let stored = read_run(&store, number).await?;
        let record = read_record(&store, &stored).await?;
        let answer = read_answer(&store, &stored).await?;
        let around = Around::read(&store, &stored).await?;
        Ok::<_, Failure>((stored, record, answer, around))
    }
    .await;
    store.close().await?;
    let (stored, record, answer, around) = read?;
    let told = Told { stored: &stored, record: &record, answer: answer.as_ref() };
    render(&context.texts()?, &told, around, (arguments.format, locale))
}

/// What a report tells that is not in the run's record.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// When the job comes next, as it looks now.
    next: Option<NextDate>,
    capacity: Vec<HostCapacity>,
}

impl Around {
    pub(super) async fn read(store: &Store, run: &StoredRun) -> Result<Self, Failure> {
        let mut transaction = store.begin().await?;
        let now = database_now(&mut transaction).await?;
        let next = find_next_date(&mut transaction, run, now).await?;
        Ok(Self { next, capacity: survey_of_run(&mut transaction, run).await? })
    }
}

async fn of_period(
    context: &Context,
    arguments: &Arguments,
    period: &str,
    locale: Option<Locale>,
) -> Result<String, Failure> {
    let period: Period = period
        .parse()
        .map_err(|error: NotAPeriod| Failure::usage(anyhow!(error)).hint(format!("a period is {PERIOD_RULE}")))?;
    let customer = context.customer(&arguments.about)?;
    let store = context.open_store().await?;
    let written = async {
        let now = database_now(&mut *store.begin().await?).await?;
        if period.range(&named(&customer.time_zone).unwrap_or(TimeZone::UTC)).start > now {
            let failure = Failure::usage(anyhow!("{period} has not begun"));
            return Err(failure.hint("`turnus calendar` shows the dates that are to come"));
        }
        app::period::report(&store, customer, period, now).await.map_err(Failure::failed)
    }
    .await;
    store.close().await?;
    let report = written?;
    let format = match arguments.format {
        ReportFormat::Json => return serde_json::to_string(&report).map_err(Failure::failed),
        ReportFormat::Text => text::Format::Text,
        ReportFormat::Html | ReportFormat::Pdf => text::Format::Html,
    };
    context.texts()?.render_period(&report, locale.unwrap_or(report.locale), format).map_err(Failure::failed)
}

/// What a report is made from.
pub(super) struct Told<'a> {
    pub(super) stored: &'a StoredRun,
    pub(super) record: &'a [Recorded],
    pub(super) answer: Option<&'a StoredAnswer>,
}

/// The report of a run as its record stands.
pub(super) fn render(
    texts: &Texts,
    told: &Told<'_>,
    Around { next, capacity }: Around,
    (format, locale): (ReportFormat, Option<Locale>),
) -> Result<String, Failure> {
    let report = write_report(told.stored, told.record, told.answer).map_err(Failure::failed)?;
    let report = Report { next, capacity, ..report };
    let format = match format {
        ReportFormat::Json => return serde_json::to_string(&report).map_err(Failure::failed),
        ReportFormat::Text => text::Format::Text,
        ReportFormat::Html | ReportFormat::Pdf => text::Format::Html,
    };
    texts.render_report(&report, locale.unwrap_or(report.locale), format).map_err(Failure::failed)
}
