//! `turnus capacity collect CUSTOMER`: looks at the hosts now, and keeps what was measured.

use anyhow::anyhow;
use clap::Args;

use super::{Told, object, wanted_hosts, words};
use crate::app::capacity::{Errand, Looked, Occasion, keep, look};
use crate::app::cli::Format;
use crate::app::cli::context::Context;
use crate::app::cli::exit::{Exit, Failure};
use crate::app::console::{print, say, show};
use crate::app::controller::drive::Controller;
use crate::domain::inventory::Customer;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::{Store, database_now};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The customer
    customer: String,
    /// Of this host only; may be given several times
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let customer = context.customer(&arguments.customer)?;
    let hosts = wanted_hosts(customer, &arguments.host)?;
    let settings = &context.catalog.settings;
    let mut errand = Errand::of(customer, &settings.ssh, settings.limits.parallel_hosts);
    errand.targets.retain(|target| hosts.iter().any(|host| host.name == target.host));
    if errand.targets.is_empty() {
        return Err(Failure::usage(anyhow!("nothing is watched on hosts of {}", customer.name)).hint(
            "`capacity = [{ path = \"/backup\", warn = \"14d\" }]` of a host, or of all of them, names paths to watch",
        ));
    }
    let store = context.open_store().await?;
    let outcome = collect(context, &store, customer, &errand).await;
    store.close().await?;
    let (told, exit) = outcome?;
    match arguments.format {
        Format::Json => print(&object(&[told]).to_string()),
        Format::Table => show(&words::describe(&[told])),
    }
    Ok(exit)
}

async fn collect<'a>(
    context: &Context,
    store: &Store,
    customer: &'a Customer,
    errand: &Errand,
) -> Result<(Told<'a>, Exit), Failure> {
    let count = errand.targets.len();
    say(&format!("{}: measuring {count} {}", customer.display_name, if count == 1 { "host" } else { "hosts" }));
    let controller =
        Controller::open(&context.catalog.settings.ssh, &context.state_dir).map_err(Failure::unreachable)?;
    let looks = look(&controller, errand).await;
    keep_all(store, customer, &looks).await?;
    let hosts = customer.hosts.iter().filter(|host| errand.targets.iter().any(|target| target.host == host.name));
    let mut told = super::read(store, &[(customer, hosts.collect())]).await?;
    let told = told.pop().unwrap_or((customer, Vec::new()));
    // Nothing but hosts that nobody could reach tells nothing.
    let is_reached = looks.iter().any(|looked| looked.found.is_ok());
    Ok((told, if is_reached { Exit::Done } else { Exit::Unreachable }))
}

async fn keep_all(store: &Store, customer: &Customer, looks: &[Looked<'_>]) -> Result<(), Failure> {
    let mut all_kept = Ok(());
    for looked in looks {
        all_kept = all_kept.and(keep_one(store, customer, looked).await);
    }
    all_kept
}

/// Each host by itself: what is wrong with one keeps no other from being kept.
async fn keep_one(store: &Store, customer: &Customer, looked: &Looked<'_>) -> Result<(), Failure> {
    let mut transaction = store.begin().await?;
    let at = database_now(&mut transaction).await?;
    let occasion = Occasion { customer: &customer.name, at, run: None, day: None };
    let found = looked.found.as_ref().map_err(String::as_str);
    keep(&mut transaction, &occasion, (&looked.target.host, &looked.target.watched), found).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(())
}
