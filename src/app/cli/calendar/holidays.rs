//! `turnus calendar holidays`: the public holidays of a region.

use clap::Args;
use serde_json::json;

use crate::app::cli::Format;
use crate::app::cli::exit::{Exit, Failure};
use crate::app::cli::show::table;
use crate::app::console::{print, say, show};
use crate::domain::calendar::holiday::{Region, holidays};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Code of the region: DE-BY, AT-9, CH-ZH, HU, RU
    #[arg(long)]
    region: String,
    /// The year
    #[arg(long)]
    year: i16,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let region: Region =
        arguments.region.parse().map_err(|error: crate::domain::calendar::holiday::UnknownRegion| {
            let hint = error.hint.clone();
            Failure::usage(error).hint(hint)
        })?;
    let year = arguments.year;
    if !region.covers(year) {
        let (first, last) = (region.years().start().to_owned(), region.years().end().to_owned());
        let error = anyhow::anyhow!("the holidays of {region} are known from {first} to {last}, not for {year}");
        return Err(Failure::usage(error));
    }
    let list = holidays(&region, year);
    match arguments.format {
        Format::Json => print(&json!({ "holidays": list }).to_string()),
        Format::Table => {
            let mut table = table(&["date", "day", "holiday"]);
            for holiday in &list {
                table.add_row([
                    holiday.date.to_string(),
                    holiday.date.strftime("%a").to_string(),
                    holiday.name.clone(),
                ]);
            }
            show(&table.to_string());
        }
    }
    if region.is_provisional(year) {
        say(&format!("{region} moves working days by a decree for every year; that for {year} is not in the tables"));
    }
    Ok(Exit::Done)
}
