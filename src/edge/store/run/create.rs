//! How a run comes into being: with all its hosts or not at all, and once per request.
//!
//! Invariant: a host is in one unfinished run at most. The unique index decides, not this code, which only finds the words for it.

use sqlx::{Connection, PgConnection};

use super::super::error::Error;
use super::super::lease::LEASE;
use super::{RunNumber, notify, read_name, write_json};
use crate::domain::id::{ContentHash, Epoch, Name, OccurrenceId, RunId};
use crate::domain::plan::Plan;

/// The epoch of a lease that a run is born with.
const FIRST: Epoch = Epoch(1);

/// A run to be created. Customer, job, revisions and hosts are the plan's.
#[derive(Debug, Clone, Copy)]
pub struct NewRun<'a> {
    /// Its identity.
    pub id: RunId,
    /// What it will do.
    pub plan: &'a Plan,
    /// The plan's hash.
    pub plan_hash: &'a ContentHash,
    /// Why by hand, or outside of a window.
    pub reason: Option<&'a str>,
    /// Who.
    pub started_by: &'a str,
    /// Two requests with the same key are one.
    pub idempotency_key: Option<&'a str>,
    /// For which occurrence; `None`: by hand. An occurrence has one run at most.
    pub occurrence: Option<OccurrenceId>,
    /// The controller that drives it from the beginning. `None`: whoever takes it first; those who listen are woken.
    pub lease: Option<&'a str>,
}

/// What [`create_run`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// Made it.
    New {
        /// Its number.
        number: RunNumber,
        /// The lease, if one was wanted.
        epoch: Option<Epoch>,
    },
    /// The same request came before; nothing was written.
    Existing {
        /// The run that it made.
        id: RunId,
        /// Its number.
        number: RunNumber,
    },
}

/// Creates a run and takes all its hosts, or does nothing. The revisions must be stored before.
///
/// # Errors
/// [`Error::HostBusy`] if a host is in a run that has not ended; [`Error::Conflict`] with `run_occurrence_key` if the occurrence has
/// a run.
pub async fn create_run(connection: &mut PgConnection, new: &NewRun<'_>) -> Result<Created, Error> {
    // A savepoint: the caller's transaction stays usable if a host is busy.
    let mut savepoint = connection.begin().await?;
    let created = match insert_run(&mut savepoint, new).await? {
        Some(number) => {
            take_hosts(&mut savepoint, new).await?;
            if new.lease.is_none() {
                notify(&mut savepoint, new.id.0).await?;
            }
            Created::New { number, epoch: new.lease.map(|_| FIRST) }
        }
        None => find_by_key(&mut savepoint, new).await?,
    };
    savepoint.commit().await?;
    Ok(created)
}

/// The lease is part of the row from its first instant on: there is no moment at which a recovering controller could take the run.
/// `None` if the key is taken.
async fn insert_run(connection: &mut PgConnection, new: &NewRun<'_>) -> Result<Option<RunNumber>, Error> {
    let plan = write_json("run.plan", new.plan)?;
    let number = sqlx::query_scalar!(
        "insert into run (id, customer, job, plan, plan_hash, customer_revision, job_revision, reason, started_by, idempotency_key,
                          occurrence, lease_owner, lease_until, epoch)
         values ($1, $2, $3, $4::text::json, $5, $6, $7, $8, $9, $10, $11, $12::text,
                 case when $12 is not null then clock_timestamp() + make_interval(secs => $13) end,
                 case when $12 is not null then $14::bigint else 0 end)
         on conflict (idempotency_key) do nothing
         returning number",
        new.id.0,
        new.plan.customer.as_str(),
        new.plan.job.as_str(),
        plan,
        new.plan_hash.as_str(),
        new.plan.customer_revision.as_str(),
        new.plan.job_revision.as_str(),
        new.reason,
        new.started_by,
        new.idempotency_key,
        new.occurrence.map(|occurrence| occurrence.0),
        new.lease,
        LEASE.as_secs_f64(),
        FIRST.0,
    )
    .fetch_optional(connection)
    .await?;
    Ok(number.map(RunNumber))
}

async fn find_by_key(connection: &mut PgConnection, new: &NewRun<'_>) -> Result<Created, Error> {
    let row = sqlx::query!("select id, number from run where idempotency_key = $1", new.idempotency_key)
        .fetch_one(connection)
        .await?;
    Ok(Created::Existing { id: RunId(row.id), number: RunNumber(row.number) })
}

/// The unique index decides; a host that was given free between its verdict and our look is tried again.
async fn take_hosts(connection: &mut PgConnection, new: &NewRun<'_>) -> Result<(), Error> {
    const ATTEMPTS: usize = 3;
    let mut missing = new.plan.hosts.len() as u64;
    for _ in 0..ATTEMPTS {
        missing -= insert_hosts(connection, new).await?;
        if missing == 0 {
            return Ok(());
        }
        if let Some((host, number)) = find_busy_host(connection, new.plan, new.id).await? {
            return Err(Error::HostBusy { customer: new.plan.customer.clone(), host, number });
        }
    }
    Err(Error::Conflict { constraint: "one_open_host_run".to_owned() })
}

async fn insert_hosts(connection: &mut PgConnection, new: &NewRun<'_>) -> Result<u64, Error> {
    let names = list_hosts(new.plan);
    // In the order of names: two runs that want the same hosts wait for each other in one direction only.
    let inserted = sqlx::query!(
        "insert into host_run (run_id, host_index, customer, host)
         select $1, position - 1, $2, host from unnest($3::text[]) with ordinality as wanted (host, position)
         order by host
         on conflict (customer, host) where state = 'open' do nothing",
        new.id.0,
        new.plan.customer.as_str(),
        &names as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected())
}

/// The first host of the plan, by name, that is in an unfinished run other than `own`, and that run.
///
/// # Errors
/// If the database can't be used.
pub async fn find_busy_host(
    connection: &mut PgConnection,
    plan: &Plan,
    own: RunId,
) -> Result<Option<(Name, RunNumber)>, Error> {
    let names = list_hosts(plan);
    let row = sqlx::query!(
        "select host_run.host, run.number
         from host_run join run on run.id = host_run.run_id
         where host_run.state = 'open' and host_run.customer = $1 and host_run.host = any($2) and run.id <> $3
         order by host_run.host
         limit 1",
        plan.customer.as_str(),
        &names as &[&str],
        own.0,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((read_name("host_run.host", &row.host)?, RunNumber(row.number))))
}

fn list_hosts(plan: &Plan) -> Vec<&str> {
    plan.hosts.iter().map(|host| host.name.as_str()).collect()
}
