//! `turnus calendar import`: the events of a calendar of another program.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::moment::{self, Moment};
use crate::app::cli::Format;
use crate::app::cli::check::count;
use crate::app::cli::exit::{Exit, Failure};
use crate::app::cli::show::table;
use crate::app::console::{print, say, show};
use crate::edge::config;
use crate::edge::ics::{self, ForeignCalendar, ForeignEvent};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The calendar, a file in iCalendar format
    file: PathBuf,
    /// First day, or local time
    #[arg(long, value_name = "DATE")]
    from: Moment,
    /// Last day, or local time
    #[arg(long, value_name = "DATE")]
    to: Moment,
    /// Zone of days, and of times that have none; without it such times stay without an offset
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let zone = arguments.time_zone.as_deref().map(moment::zone).transpose()?;
    let floating = zone.clone().unwrap_or(TimeZone::UTC);
    let range = arguments.from.first(&floating)..arguments.to.after(&floating);
    if range.is_empty() {
        return Err(Failure::usage(anyhow!("`--to` lies before `--from`")));
    }
    let name = arguments.file.display().to_string();
    let text = config::read_calendar(&arguments.file)
        .map_err(|problem| Failure::usage(anyhow!("{name}: {}", problem.what)).maybe_hint(problem.hint))?;
    let wrong = |error: &ics::Error| format!("{name}:{}: {}", error.line, error.what);
    let calendar = ForeignCalendar::parse(&text).map_err(|error| Failure::usage(anyhow!(wrong(&error))))?;
    let events = calendar.events(range, &floating).map_err(|error| Failure::usage(anyhow!(wrong(&error))))?;
    let rows = events.iter().map(|event| row(event, zone.as_ref()));
    match arguments.format {
        Format::Json => print(&json!({ "events": rows.collect::<Vec<_>>() }).to_string()),
        Format::Table => {
            let mut table = table(&["start", "end", "event"]);
            for row in rows {
                table.add_row(["start", "end", "summary"].map(|key| row[key].as_str().unwrap_or_default().to_owned()));
            }
            show(&table.to_string());
        }
    }
    let refused = calendar.refused();
    for error in refused {
        say(&wrong(error));
    }
    match refused.len() {
        0 => Ok(Exit::Done),
        number => Err(Failure::usage(anyhow!("{} in the calendar", count(number, "mistake")))
            .hint("everything else is read; a freeze calendar must be without mistakes")),
    }
}

fn row(event: &ForeignEvent, zone: Option<&TimeZone>) -> Value {
    let text = |moment: &ics::Moment| match (moment, zone) {
        (ics::Moment::Floating(_), Some(zone)) => {
            ics::Moment::At(moment.instant(zone).to_zoned(zone.clone())).to_string()
        }
        _ => moment.to_string(),
    };
    json!({ "summary": event.summary, "start": text(&event.start), "end": text(&event.end), "all_day": event.all_day })
}
