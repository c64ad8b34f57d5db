//! `turnus calendar import`: the events of a calendar of another program.

use std::ops::Range;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::moment::{self, Moment};
use crate::app::cli::Format;
use crate::app::cli::check::count;
use crate::app::cli::exit::{Exit, Failure};
use crate::app::cli::show::table;
use crate::app::console::{print, say, show};
use crate::edge::config;
use crate::edge::ics::{self, ForeignCalendar, ForeignEvent};

/// More than any zone is away from UTC.
const DAY: SignedDuration = SignedDuration::from_hours(27);

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
    /// Zone of days, and of times that have none; without it days are those of each event's zone
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let zone = arguments.time_zone.as_deref().map(moment::zone).transpose()?;
    let floating = zone.clone().unwrap_or(TimeZone::UTC);
    let asked = arguments.from.first(&floating)..arguments.to.after(&floating);
    if asked.is_empty() {
        return Err(Failure::usage(anyhow!("`--to` lies before `--from`")));
    }
    let name = arguments.file.display().to_string();
    let text = config::read_calendar(&arguments.file)
        .map_err(|problem| Failure::usage(anyhow!("{name}: {}", problem.what)).maybe_hint(problem.hint))?;
    let wrong = |error: &ics::Error| format!("{name}:{}: {}", error.line, error.what);
    let calendar = ForeignCalendar::parse(&text).map_err(|error| Failure::usage(anyhow!(wrong(&error))))?;
    let range = if zone.is_some() { asked.clone() } else { widened(&asked) };
    let mut events = calendar.events(range, &floating).map_err(|error| Failure::usage(anyhow!(wrong(&error))))?;
    if zone.is_none() {
        events.retain(|event| touches_locally(event, &asked));
    }
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

/// Where days are those of each event's own zone, they begin and end up to so much earlier or later than in UTC.
fn widened(range: &Range<Timestamp>) -> Range<Timestamp> {
    range.start.saturating_sub(DAY).unwrap_or(range.start)..range.end.saturating_add(DAY).unwrap_or(range.end)
}

/// Whether some of the event lies in the range by the clocks of its own zone.
fn touches_locally(event: &ForeignEvent, range: &Range<Timestamp>) -> bool {
    let [first, after] = [range.start, range.end].map(|instant| instant.to_zoned(TimeZone::UTC).datetime());
    let (start, end) = (event.start.local(), event.end.local());
    start < after && (end > first || start == end && start >= first)
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
