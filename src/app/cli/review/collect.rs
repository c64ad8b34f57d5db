//! `turnus review collect CUSTOMER`: looks at the hosts now, and keeps what is pending there.

use anyhow::anyhow;
use clap::Args;

use super::{Standing, Subject, find_subject, option, title, words};
use crate::app::cli::Format;
use crate::app::cli::context::{Context, person};
use crate::app::cli::exit::{Exit, Failure};
use crate::app::console::{print, say, show};
use crate::app::controller::drive::Controller;
use crate::app::controller::hosts::fill_in_defaults;
use crate::app::review::{Errand, Target, collect};
use crate::domain::id::Name;
use crate::domain::inventory::{Customer, Window};
use crate::domain::job::{Job, Which};
use crate::domain::review::{Collection, Finding};
use crate::edge::store::Store;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::occurrence::StoredOccurrence;
use crate::edge::store::review::{NewCollection, find_before, find_collection, store_collection};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let outcome = collect_and_keep(context, &store, arguments).await;
    store.close().await?;
    outcome
}

async fn collect_and_keep(context: &Context, store: &Store, arguments: &Arguments) -> Result<Exit, Failure> {
    let subject = &arguments.subject;
    let customer = context.customer(&subject.customer)?;
    let occurrence = {
        let mut transaction = store.begin().await?;
        find_subject(&mut transaction, context, subject, Standing::Ahead).await?
    };
    let errand = match &occurrence {
        Some(occurrence) => for_occurrence(context, customer, occurrence)?,
        None => for_customer(context, customer)?,
    };
    let hosts = words::counted(errand.targets.len(), "host");
    say(&format!("{}: looking at {hosts}", title(customer, occurrence.as_ref())));
    let found = look(context, &errand).await?;
    let new = NewCollection {
        customer: &customer.name,
        occurrence: occurrence.as_ref().map(|occurrence| occurrence.id),
        by: &person(),
        findings: &found,
    };
    let mut transaction = store.begin().await?;
    let number = store_collection(&mut transaction, &new).await?;
    let stored = find_collection(&mut transaction, number).await?;
    let stored = stored.ok_or_else(|| Failure::failed(anyhow!("what was collected is not in the database")))?;
    let before = find_before(&mut transaction, &stored).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    let shown = words::Shown {
        title: title(customer, occurrence.as_ref()),
        option: option(subject),
        occurrence: occurrence.as_ref(),
        collection: &stored,
        before: before.as_ref(),
        standing: None,
        history: &[],
    };
    match arguments.format {
        Format::Json => print(&words::object(&shown).to_string()),
        Format::Table => {
            show(&words::headline(&shown));
            say(&format!("`turnus review show {}{}` shows the list", subject.customer, option(subject)));
        }
    }
    Ok(exit_of(&found))
}

/// Looks at the hosts; what a process needs for that is gone when it returns.
pub(in crate::app::cli) async fn look(context: &Context, errand: &Errand) -> Result<Collection, Failure> {
    let controller =
        Controller::open(&context.catalog.settings.ssh, &context.state_dir).map_err(Failure::unreachable)?;
    Ok(collect(&controller, errand).await)
}

/// A list of nothing but hosts that nobody could reach tells nothing.
pub(in crate::app::cli) fn exit_of(found: &Collection) -> Exit {
    let is_unreachable = |finding: &Finding| matches!(finding, Finding::Unreachable { .. });
    if !found.hosts.is_empty() && found.hosts.values().all(is_unreachable) { Exit::Unreachable } else { Exit::Done }
}

/// The hosts of the date's window.
fn for_occurrence(context: &Context, customer: &Customer, occurrence: &StoredOccurrence) -> Result<Errand, Failure> {
    let window = customer.windows.iter().find(|window| window.name == occurrence.window);
    let window = window.ok_or_else(|| {
        Failure::usage(anyhow!("the files have no window {} of {}", occurrence.window, customer.name))
    })?;
    let job = context.job(occurrence.job.as_str())?;
    if job.installs() != Some(Which::Approved) {
        return Err(Failure::usage(anyhow!("the job {} installs no approved packages", job.name))
            .hint("there is nothing to decide: `packages = \"approved\"` in one of its steps would install what a review approves"));
    }
    Ok(errand(context, customer, &[(window, job)]))
}

/// The hosts of all windows whose job installs approved packages.
fn for_customer(context: &Context, customer: &Customer) -> Result<Errand, Failure> {
    let jobs = &context.catalog.jobs;
    let with_job = |window| -> Option<(&Window, &Job)> {
        let window: &Window = window;
        jobs.get(&window.job).map(|job| (window, job)).filter(|(_, job)| job.installs() == Some(Which::Approved))
    };
    let windows: Vec<_> = customer.windows.iter().filter_map(with_job).collect();
    if windows.is_empty() {
        return Err(Failure::usage(anyhow!(
            "no window of {} has a job that installs approved packages",
            customer.name
        ))
        .hint("such a job has a step with `packages = \"approved\"`"));
    }
    Ok(errand(context, customer, &windows))
}

fn errand(context: &Context, customer: &Customer, windows: &[(&Window, &Job)]) -> Errand {
    let settings = &context.catalog.settings;
    let lock_wait_s = |host: &Name| {
        let of = windows.iter().filter(|(window, _)| window.hosts.contains(host));
        of.map(|(_, job)| job.lock_wait_s()).max()
    };
    let target = |host: &crate::domain::inventory::Host| {
        let mut connection = host.connection.clone();
        fill_in_defaults(&mut connection, &settings.ssh);
        Some(Target { host: host.name.clone(), connection, lock_wait_s: lock_wait_s(&host.name)? })
    };
    Errand {
        customer: customer.name.clone(),
        targets: customer.hosts.iter().filter_map(target).collect(),
        parallel_hosts: usize::from(settings.limits.parallel_hosts),
    }
}
