//! `turnus calendar explain`: what is agreed on a window, in the customer's words.

use anyhow::anyhow;
use clap::Args;

use crate::app::cli::context::Context;
use crate::app::cli::exit::{Exit, Failure};
use crate::app::cli::report::LocaleArgument;
use crate::app::console::show;
use crate::domain::document::{did_you_mean, quoted};
use crate::domain::inventory::{Customer, Locale, Window};
use crate::edge::text::Agreement;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Whose window: the name of a file in inventories/
    customer: String,
    /// Name of the window
    window: String,
    /// Language; the customer's own by default
    #[arg(long, value_enum)]
    locale: Option<LocaleArgument>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let customer = context.customer(&arguments.customer)?;
    let window = find_window(customer, &arguments.window)?;
    let texts = context.texts()?;
    let agreement = Agreement {
        recurrence: &window.recurrence,
        duration_s: window.duration_s,
        time_zone: &customer.time_zone,
        holiday: window.holiday,
        region: customer.holidays.as_ref().map(|region| region.as_str()),
    };
    let locale = arguments.locale.map_or(customer.locale, Locale::from);
    show(&texts.explain(&agreement, locale).map_err(Failure::failed)?);
    Ok(Exit::Done)
}

fn find_window<'a>(customer: &'a Customer, name: &str) -> Result<&'a Window, Failure> {
    customer.windows.iter().find(|window| window.name.as_str() == name).ok_or_else(|| {
        let names: Vec<&str> = customer.windows.iter().map(|window| window.name.as_str()).collect();
        let hint = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| match names.len() {
            0 => "it has none".to_owned(),
            _ => format!("there are: {}", names.join(", ")),
        });
        Failure::usage(anyhow!("{} has no window {}", customer.name, quoted(name))).hint(hint)
    })
}
