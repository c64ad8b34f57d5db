//! `turnus calendar expand`: a rule's dates, as a window would have them without holidays and freezes.

use anyhow::anyhow;
use clap::Args;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::moment::{self, Moment};
use crate::app::cli::Format;
use crate::app::cli::check::render_problem;
use crate::app::cli::exit::{Exit, Failure};
use crate::app::cli::show::table;
use crate::app::console::{print, say, show};
use crate::domain::calendar::dating::{Terms, next};
use crate::domain::calendar::recurrence::{Excluded, Recurrence};
use crate::domain::calendar::rule::{Rule, RuleError};
use crate::domain::calendar::zone::{place, rfc3339};
use crate::domain::calendar::{Dated, DstNote, HolidayRule, Reason};
use crate::domain::problem::Problem;

/// How many dates of a rule without end are shown if nobody says how many.
const SHOWN: usize = 20;
/// Most dates that are shown at once.
const MOST: usize = 10_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The rule, as in RFC 5545: FREQ=MONTHLY;BYDAY=-1FR
    #[arg(long)]
    rule: String,
    /// Where the rule begins, and the time of day: local time
    #[arg(long, value_name = "TIME")]
    start: Moment,
    /// Zone of all times
    #[arg(long, value_name = "ZONE")]
    time_zone: String,
    /// Leave out what is on this day or at this local time; may be given several times
    #[arg(long, value_name = "DATE")]
    exdate: Vec<Moment>,
    /// A date beside the rule; a day means the rule's time of day; may be given several times
    #[arg(long, value_name = "DATE")]
    rdate: Vec<Moment>,
    /// First day, or local time
    #[arg(long, value_name = "DATE")]
    from: Option<Moment>,
    /// Last day, or local time
    #[arg(long, value_name = "DATE")]
    to: Option<Moment>,
    /// At most so many
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    count: Option<u16>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let zone = moment::zone(&arguments.time_zone)?;
    if let (Some(from), Some(to)) = (arguments.from, arguments.to)
        && to.lies_before(from)
    {
        return Err(Failure::usage(anyhow!("`--to` lies before `--from`")));
    }
    let Some(recurrence) = read_recurrence(arguments, &zone)? else { return Ok(Exit::Usage) };
    let (dates, has_more) = dates(arguments, &recurrence, &zone);
    match arguments.format {
        Format::Json => {
            print(
                &json!({ "occurrences": dates.iter().map(|date| object(date, &zone)).collect::<Vec<_>>() }).to_string(),
            );
        }
        Format::Table => {
            let mut table = table(&["start", "utc", "clocks"]);
            for date in &dates {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let object = object(date, &zone);
                table.add_row([text(&object["start"]), text(&object["utc"]), clocks(date).to_owned()]);
            }
            show(&table.to_string());
        }
    }
    if has_more {
        say(&format!("these are the first {}; `--count` and `--to` say otherwise", dates.len()));
    }
    Ok(Exit::Done)
}

/// The dates as agreed; none if the rule is wrong, which then has been told.
fn read_recurrence(arguments: &Arguments, zone: &TimeZone) -> Result<Option<Recurrence>, Failure> {
    let starts = arguments.start.local(Time::midnight());
    let excluded = |moment: &Moment| match *moment {
        Moment::Day(day) => Excluded::Day(day),
        Moment::Time(local) => Excluded::At(local),
    };
    let read = Rule::parse(&arguments.rule).and_then(|rule| {
        let recurrence = Recurrence {
            starts,
            rule: Some(rule),
            exdates: arguments.exdate.iter().map(excluded).collect(),
            rdates: arguments.rdate.iter().map(|moment| moment.local(starts.time())).collect(),
            shift: None,
        };
        recurrence.check_in(zone).map(|()| recurrence)
    });
    match read {
        Ok(recurrence) => Ok(Some(recurrence)),
        Err(error) => {
            say(&render_problem(&problem(&arguments.rule, error), Some(&arguments.rule)));
            Ok(None)
        }
    }
}

/// The mistake with its place in the rule.
fn problem(rule: &str, error: RuleError) -> Problem {
    let before = rule.get(..error.offset).unwrap_or(rule);
    Problem {
        file: "--rule".to_owned(),
        line: 1,
        column: before.chars().count() + 1,
        what: error.what,
        expected: error.expected,
        hint: error.hint,
        conceal: false,
    }
}

/// The dates that are asked for, and whether there are more than are shown without anybody having said so.
fn dates(arguments: &Arguments, recurrence: &Recurrence, zone: &TimeZone) -> (Vec<Dated>, bool) {
    let terms = Terms { recurrence, duration_s: 0, holiday: HolidayRule::Keep, zone, region: None, freezes: &[] };
    let first = recurrence.rdates.iter().copied().chain([recurrence.starts]).min().unwrap_or(DateTime::MIN);
    let from = arguments.from.map_or_else(|| place(first, zone).at, |from| from.first(zone));
    let rule = recurrence.rule.as_ref();
    let is_endless = rule.is_some_and(|rule| rule.count().is_none() && rule.until().is_none());
    let asked = arguments.count.map(usize::from);
    let most = asked.unwrap_or(if is_endless && arguments.to.is_none() { SHOWN } else { MOST });
    let mut dates = next(&terms, from, most + 1);
    if let Some(to) = arguments.to {
        let after = to.after(zone);
        dates.retain(|date| date.start < after);
    }
    let has_more = dates.len() > most && asked.is_none();
    dates.truncate(most);
    (dates, has_more)
}

fn object(date: &Dated, zone: &TimeZone) -> Value {
    json!({ "start": rfc3339(date.start, zone), "utc": date.start.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() })
}

fn clocks(date: &Dated) -> &'static str {
    let note = date.reasons.iter().find_map(|reason| match reason {
        Reason::Dst { note } => Some(*note),
        _ => None,
    });
    match note {
        None => "",
        Some(DstNote::Gap) => "skipped an hour: a later time on the wall",
        Some(DstNote::DoubleHour) => "this hour is there twice: the first",
    }
}
