//! `turnus capacity [CUSTOMER]`: how full the disks of hosts are, and when they will be full; `turnus capacity collect CUSTOMER`
//! measures them now.

mod collect;
mod words;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::app::capacity::survey;
use crate::app::console::{print, show};
use crate::domain::inventory::{Customer, Host};
use crate::domain::report::capacity::{HostCapacity, Shown};
use crate::edge::store::{Store, database_now};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure the disks of a customer's hosts now: for machines without the daemon
    Collect(collect::Arguments),
}

#[derive(Debug, Args)]
struct List {
    /// The customer; without it: all
    customer: Option<String>,
    /// Of this host only; may be given several times
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A customer with its hosts.
type Told<'a> = (&'a Customer, Vec<HostCapacity>);

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Some(Command::Collect(arguments)) => collect::run(context, &arguments).await,
        None => list(context, &arguments.list).await,
    }
}

async fn list(context: &Context, arguments: &List) -> Result<Exit, Failure> {
    let customers: Vec<&Customer> = match &arguments.customer {
        Some(name) => vec![context.customer(name)?],
        None if arguments.host.is_empty() => context.catalog.customers.values().collect(),
        None => {
            return Err(
                Failure::usage(anyhow!("--host is a host of a customer")).hint("turnus capacity CUSTOMER --host HOST")
            );
        }
    };
    let mut wanted = Vec::new();
    for customer in customers {
        wanted.push((customer, wanted_hosts(customer, &arguments.host)?));
    }
    let store = context.open_store().await?;
    let told = read(&store, &wanted).await;
    store.close().await?;
    let told = told?;
    match arguments.format {
        Format::Json => print(&object(&told).to_string()),
        Format::Table => show(&words::describe(&told)),
    }
    Ok(Exit::Done)
}

async fn read<'a>(store: &Store, wanted: &[(&'a Customer, Vec<&'a Host>)]) -> Result<Vec<Told<'a>>, Failure> {
    let mut transaction = store.begin().await?;
    let now = database_now(&mut transaction).await?;
    let mut told = Vec::new();
    for (customer, hosts) in wanted {
        let hosts = hosts.iter().map(|host| (&host.name, host.capacity.as_slice()));
        told.push((*customer, survey(&mut transaction, &customer.name, hosts, (Shown::All, now)).await?));
    }
    Ok(told)
}

/// The hosts that were asked for; if none were, those on which something is watched.
fn wanted_hosts<'a>(customer: &'a Customer, names: &[String]) -> Result<Vec<&'a Host>, Failure> {
    if names.is_empty() {
        return Ok(customer.hosts.iter().filter(|host| !host.capacity.is_empty()).collect());
    }
    let find = |name: &String| {
        let found = customer.hosts.iter().find(|host| host.name.as_str() == name);
        found.ok_or_else(|| {
            let known: Vec<_> = customer.hosts.iter().map(|host| host.name.as_str()).collect();
            Failure::usage(anyhow!("{} has no host `{name}`", customer.name))
                .hint(format!("there are: {}", known.join(", ")))
        })
    };
    names.iter().map(find).collect()
}

fn object(told: &[Told<'_>]) -> serde_json::Value {
    let customer = |(customer, hosts): &Told<'_>| json!({ "customer": customer.name, "hosts": hosts });
    told.iter().map(customer).collect()
}
