//! `turnus calendar [CUSTOMER]`: which windows open when, why then, and what is in the way.

mod words;

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::moment::Moment;
use crate::app::calendar::horizon;
use crate::app::calendar::overview::{Overview, find_end, look, look_ahead};
use crate::app::cli::context::Context;
use crate::app::cli::exit::{Exit, Failure};
use crate::app::console::{print, print_bytes, say, show};
use crate::domain::calendar::zone::named;
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::inventory::Customer;
use crate::domain::problem::Problems;
use crate::edge::store::Store;
use crate::edge::store::database_now;
use crate::edge::store::occurrence::{StoredOccurrence, list_around, list_origins};

/// How many dates are shown if nobody says how many.
const SHOWN: usize = 10;
/// Most dates that are shown.
const MOST_SHOWN: usize = 10_000;
/// A feed has the dates of so long ago, unless told otherwise: what a feed has no more, calendars take out as if it had never been.
const KEPT: SignedDuration = SignedDuration::from_hours(31 * 24);

#[derive(Debug, Args)]
// The group of this name is that of the command that has these arguments as its own.
#[group(id = "preview")]
pub(super) struct Arguments {
    /// Of this customer only
    customer: Option<String>,
    /// First day, or local time; now by default
    #[arg(long, value_name = "D")]
    from: Option<Moment>,
    /// Last day, or local time
    #[arg(long, value_name = "D", conflicts_with = "count")]
    to: Option<Moment>,
    /// So many dates; 10 unless told otherwise, in a feed those of the year ahead
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    count: Option<u16>,
    #[arg(long, value_enum, default_value_t)]
    format: PreviewFormat,
}

/// How dates are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum PreviewFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// For calendars: iCalendar
    Ics,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let customer = arguments.customer.as_deref().map(|name| context.customer(name)).transpose()?;
    let store = match context.open_store().await {
        Ok(store) => Some(store),
        Err(failure) if failure.is_unreachable() => {
            say(&format!("turnus: {failure}"));
            say("the dates are shown as the files have them, without what is stored of them");
            None
        }
        Err(failure) => return Err(failure),
    };
    let outcome = preview(context, customer, store.as_ref(), arguments).await;
    if let Some(store) = store {
        store.close().await?;
    }
    outcome
}

async fn preview(
    context: &Context,
    customer: Option<&Customer>,
    store: Option<&Store>,
    arguments: &Arguments,
) -> Result<Exit, Failure> {
    let now = match store {
        Some(store) => database_now(&mut *store.begin().await?).await?,
        None => Timestamp::now(),
    };
    // Days of one customer are its own; of all, those of this machine.
    let zone = customer.map_or_else(|| Ok(TimeZone::system()), |customer| super::moment::zone(&customer.time_zone))?;
    let is_feed = arguments.format == PreviewFormat::Ics && arguments.count.is_none();
    let begin = if is_feed { now.saturating_sub(KEPT).unwrap_or(now) } else { now };
    let from = arguments.from.map_or(begin, |from| from.first(&zone));
    let name = customer.map(|customer| &customer.name);
    let most = arguments.count.map_or(SHOWN, usize::from);
    let end = arguments.to.map(|to| to.after(&zone)).or(is_feed.then(|| horizon(now.max(from)).until));
    let until = match end {
        Some(end) => end,
        None => find_end(&context.catalog, name, from, most).map_err(unusable)?,
    };
    if until <= from {
        return Err(Failure::usage(anyhow!("`--to` is before the first day")));
    }
    let stored = match store {
        Some(store) => Some(read_rows(store, from, until).await?),
        None => None,
    };
    let (overview, until) = match end {
        Some(_) => look_to(context, name, from..until, (stored, now), &zone)?,
        None => {
            let mut overview = look(&context.catalog, name, &(from..until), stored, now).map_err(unusable)?;
            overview.truncate(most);
            (overview, until)
        }
    };
    warn_of_unknown_holidays(context, name, &(from..until));
    match arguments.format {
        PreviewFormat::Table => show(&words::describe(&overview, customer)),
        PreviewFormat::Json => print(&words::object(&overview).to_string()),
        PreviewFormat::Ics => {
            let origins = match store {
                Some(store) => read_origins(store, &overview).await?,
                None => BTreeMap::new(),
            };
            // Its last line ends with CRLF as the others do. Who reads no more has what it wanted.
            let _ = print_bytes(words::feed(&overview.entries, customer, &context.catalog, &origins, now).as_bytes());
        }
    }
    Ok(Exit::Done)
}

/// All dates of a range, if there are not too many. Returns where they end, too.
fn look_to<'c>(
    context: &'c Context,
    customer: Option<&Name>,
    range: Range<Timestamp>,
    (stored, now): (Option<Vec<StoredOccurrence>>, Timestamp),
    zone: &TimeZone,
) -> Result<(Overview<'c>, Timestamp), Failure> {
    let most = (MOST_SHOWN, now);
    let (mut overview, mut until) =
        look_ahead(&context.catalog, customer, &range, stored.as_deref(), most).map_err(unusable)?;
    if let Some(left_out) = overview.entries.get(MOST_SHOWN) {
        until = left_out.start;
        overview.truncate(MOST_SHOWN);
    }
    if until < range.end {
        let day = until.to_zoned(zone.clone()).date();
        say(&format!("there are too many dates to show them all: for more, ask `--from {day}`"));
    }
    Ok((overview, until))
}

async fn read_rows(store: &Store, from: Timestamp, until: Timestamp) -> Result<Vec<StoredOccurrence>, Failure> {
    let mut transaction = store.begin().await?;
    Ok(list_around(&mut transaction, from, until).await?)
}

async fn read_origins(store: &Store, overview: &Overview<'_>) -> Result<BTreeMap<OccurrenceId, OccurrenceId>, Failure> {
    let ids: Vec<OccurrenceId> = overview.entries.iter().filter_map(|entry| entry.id).collect();
    Ok(list_origins(&mut *store.begin().await?, &ids).await?)
}

fn unusable(problems: Problems) -> Failure {
    say(&problems.to_string());
    Failure::usage(anyhow!("the calendars can't be used")).hint("`turnus check` shows each mistake with its line")
}

/// Where the tables end, that there is no holiday means nothing.
fn warn_of_unknown_holidays(context: &Context, customer: Option<&Name>, range: &Range<Timestamp>) {
    let customers = context.catalog.customers.values().filter(|known| customer.is_none_or(|name| known.name == *name));
    let mut told: Vec<String> = customers.filter_map(|customer| unknown_holidays(customer, range)).collect();
    told.sort();
    told.dedup();
    told.iter().for_each(|told| say(told));
}

/// What is not known of the holidays of the customer's region in a range of time.
fn unknown_holidays(customer: &Customer, range: &Range<Timestamp>) -> Option<String> {
    let region = customer.holidays.as_ref()?;
    let zone = named(&customer.time_zone).unwrap_or(TimeZone::UTC);
    // The end is not in the range: up to midnight on New Year is the old year.
    let end = range.end.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(range.end);
    let [first, last] = [range.start, end].map(|at| zone.to_datetime(at).year());
    let known = region.years();
    if !region.covers(first) || !region.covers(last) {
        let (from, until) = (known.start(), known.end());
        return Some(format!(
            "the holidays of {region} are known from {from} to {until}: dates of other years count none"
        ));
    }
    let told = || format!("{region} moves working days by decree; that for {last} is not in the tables yet");
    region.is_provisional(last).then(told)
}
