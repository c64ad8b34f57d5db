//! `turnus run CUSTOMER JOB`: executes a job now.

mod approval;
mod by_hand;

use anyhow::anyhow;
use clap::Args;
use uuid::Uuid;

use self::approval::Granted;
use self::by_hand::{MayAsk, settle_reason};
use super::context::{Context, person, read_run};
use super::drive::{Surroundings, drive};
use super::exit::{Exit, Failure};
use super::{Format, detach, plan};
use crate::app::console::{confirms, say};
use crate::domain::id::RunId;
use crate::domain::plan::Plan;
use crate::domain::run::event::RunState;
use crate::edge::config;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::revision::store_revision;
use crate::edge::store::run::RunNumber;
use crate::edge::store::run::create::{Created, NewRun, create_run};
use crate::edge::store::{Store, database_now};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    what: plan::Selection,
    /// Why now, by hand; kept in the record and shown in the report. Outside of the customer's windows there has to be one
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Don't ask; says nothing about updates
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    approval: approval::Arguments,
    /// Let a daemon execute it, and come back at once
    #[arg(long)]
    detach: bool,
    /// Two calls with the same key are one run
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// `json`: every event as one JSON object a line while the run goes on, the report as the last
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Arguments {
    /// The demo's own run, with nothing to ask.
    pub(super) fn for_demo(customer: &str, job: &str, hosts: &str) -> Self {
        let what =
            plan::Selection { customer: customer.to_owned(), job: job.to_owned(), hosts: vec![hosts.to_owned()] };
        let reason = Some("to show how turnus works".to_owned());
        let approval = approval::Arguments::default();
        Self { what, reason, yes: true, approval, detach: false, idempotency_key: None, format: Format::Table }
    }
}

/// What a person has agreed to.
pub(super) struct Agreed {
    plan: Plan,
    reason: Option<String>,
    granted: Granted,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    // Before the database is opened to stay: whoever leaves at a question leaves nothing running.
    let agreed = agree(context, &arguments).await?;
    let store = context.open_store_to_drive().await?;
    let outcome = execute(context, &store, &arguments, agreed).await;
    store.close().await?;
    outcome.map(|(exit, _)| exit)
}

/// Makes the plan, and asks.
pub(super) async fn agree(context: &Context, arguments: &Arguments) -> Result<Agreed, Failure> {
    let plan = plan::make(context, &arguments.what)?;
    let may_ask = if arguments.yes { MayAsk::No } else { MayAsk::Yes };
    let reason = settle_reason(context, &plan, arguments.reason.as_deref(), may_ask).await?;
    let granted = approval::settle(context, &plan, &arguments.approval, may_ask).await?;
    if arguments.yes || agreed(&plan)? { Ok(Agreed { plan, reason, granted }) } else { Err(Failure::declined()) }
}

/// Creates the run and drives it. Returns its number as well.
pub(super) async fn execute(
    context: &Context,
    store: &Store,
    arguments: &Arguments,
    agreed: Agreed,
) -> Result<(Exit, RunNumber), Failure> {
    if arguments.detach {
        detach::expect_controller(store).await?;
    }
    let created = create(context, store, &agreed, arguments).await?;
    let plan = agreed.plan;
    let (number, epoch) = match created {
        Created::New { number, epoch } => (number, epoch),
        Created::Existing { number, .. } if arguments.detach => {
            detach::tell(number, arguments.format);
            return Ok((Exit::Done, number));
        }
        Created::Existing { number, .. } => {
            say(&format!("the same request came before: it made run {number}"));
            return Ok((tell_or_carry_on(context, store, (&plan, number), arguments.format).await?, number));
        }
    };
    if arguments.detach {
        detach::tell(number, arguments.format);
        return Ok((Exit::Done, number));
    }
    say(&format!("run {number}: {} on {} for {}", plan.job, hosts_in_words(&plan), plan.customer));
    let run = read_run(store, number.0).await?;
    let around = Surroundings { store, context };
    Ok((drive(&around, &run, epoch, arguments.format).await?, number))
}

/// A request that came before: what has become of its run; a run that nobody drives is carried on.
async fn tell_or_carry_on(
    context: &Context,
    store: &Store,
    (plan, number): (&Plan, RunNumber),
    format: Format,
) -> Result<Exit, Failure> {
    let run = read_run(store, number.0).await?;
    if !is_same_request(&run.plan, plan) {
        let made = format!("{} on {} for {}", run.plan.job, hosts_in_words(&run.plan), run.plan.customer);
        return Err(Failure::usage(anyhow!("the key of this request was used before, for {made}"))
            .hint("another request needs another --idempotency-key"));
    }
    let ended = match run.state {
        RunState::Running => {
            let around = Surroundings { store, context };
            return drive(&around, &run, None, format).await;
        }
        RunState::Succeeded => Exit::Done,
        RunState::Cancelled => Exit::Interrupted,
        RunState::Failed | RunState::Suspended => Exit::Failed,
    };
    super::show::run_with(store, number.0, format).await?;
    Ok(ended)
}

/// Files may have been edited between two tries; what was asked for may not.
fn is_same_request(made: &Plan, wanted: &Plan) -> bool {
    let hosts = |plan: &Plan| plan.hosts.iter().map(|host| host.name.clone()).collect::<Vec<_>>();
    (&made.customer, &made.job, hosts(made)) == (&wanted.customer, &wanted.job, hosts(wanted))
}

async fn create(context: &Context, store: &Store, agreed: &Agreed, arguments: &Arguments) -> Result<Created, Failure> {
    let customer = context.customer(agreed.plan.customer.as_str())?;
    let job = context.job(agreed.plan.job.as_str())?;
    let mut transaction = store.begin().await?;
    let now = database_now(&mut transaction).await?;
    let plan = &Plan { approval: agreed.granted.approval(now), ..agreed.plan.clone() };
    let (hash, reason) = (plan.hash(), agreed.reason.as_deref());
    let lease = (!arguments.detach).then(config::controller_name);
    let new = NewRun {
        id: RunId(Uuid::now_v7()),
        plan,
        plan_hash: &hash,
        reason,
        started_by: &person(),
        idempotency_key: arguments.idempotency_key.as_deref(),
        occurrence: None,
        // From its beginning on: otherwise a daemon could take it first.
        lease: lease.as_deref(),
    };
    for revision in context.revisions(customer, job) {
        store_revision(&mut transaction, &revision).await?;
    }
    let created = create_run(&mut transaction, &new).await.map_err(explain_busy)?;
    if let Created::New { number, .. } = created {
        by_hand::keep(&mut transaction, context, (plan, number), reason).await?;
        agreed.granted.keep(&mut transaction, &plan.customer, (new.id, now)).await?;
    }
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(created)
}

fn explain_busy(error: StoreError) -> Failure {
    match error {
        StoreError::HostBusy { number: RunNumber(number), .. } => Failure::from(error).hint(format!(
            "`turnus show {number}` shows it; if its controller is gone, `turnus resume {number}` carries it on and `turnus cancel {number}` ends it"
        )),
        error => error.into(),
    }
}

fn agreed(plan: &Plan) -> Result<bool, Failure> {
    say(&plan::describe(plan));
    confirms("Run this now?").ok_or_else(|| {
        Failure::usage(anyhow!("without a terminal nobody can be asked whether to run this")).hint("--yes")
    })
}

fn hosts_in_words(plan: &Plan) -> String {
    match plan.hosts.as_slice() {
        [host] => host.name.to_string(),
        hosts => format!("{} hosts", hosts.len()),
    }
}
