//! How long a host took, from the runs of the same job on it that went well.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::error::Error;
use super::run::read_name;
use crate::domain::id::Name;

/// How many of the latest host runs count.
const LATEST: i64 = 20;

/// From earlier runs, whole seconds, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Half took no longer.
    pub median_s: u64,
    /// Nine in ten took no longer.
    pub p90_s: u64,
    /// From how many runs, 20 at most.
    pub runs: u32,
}

/// An estimate for each of `hosts` that the job ran on before, from beginning to end.
///
/// # Errors
/// If the database can't be used.
pub async fn host_estimates(
    connection: &mut PgConnection,
    customer: &Name,
    job: &Name,
    hosts: &[Name],
) -> Result<BTreeMap<Name, Estimate>, Error> {
    let names: Vec<&str> = hosts.iter().map(Name::as_str).collect();
    let rows = sqlx::query!(
        r#"select wanted.host as "host!", count(*) as "runs!",
                  ceil(percentile_disc(0.5) within group (order by took))::bigint as "median_s!",
                  ceil(percentile_disc(0.9) within group (order by took))::bigint as "p90_s!"
           from (select distinct host from unnest($3::text[]) as name (host)) as wanted
           cross join lateral (
               select extract(epoch from host_run.finished_at - host_run.started_at)::float8 as took
               from host_run join run on run.id = host_run.run_id
               where host_run.customer = $1 and host_run.host = wanted.host and host_run.state = 'finished'
                 and host_run.outcome in ('updated', 'nothing_to_do') and host_run.started_at is not null and run.job = $2
               order by host_run.finished_at desc
               limit $4) as latest
           group by wanted.host"#,
        customer.as_str(),
        job.as_str(),
        &names as &[&str],
        LATEST,
    )
    .fetch_all(connection)
    .await?;
    let estimates = rows.into_iter().map(|row| {
        let estimate = Estimate {
            median_s: row.median_s.try_into().unwrap_or(0),
            p90_s: row.p90_s.try_into().unwrap_or(0),
            runs: row.runs.try_into().unwrap_or(u32::MAX),
        };
        Ok((read_name("host_run.host", &row.host)?, estimate))
    });
    estimates.collect()
}
