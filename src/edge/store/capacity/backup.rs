//! How large the last backups were, from the proofs that runs recorded: no second copy of them is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde::Deserialize;
use sqlx::PgConnection;

use super::super::error::Error;
use super::super::run::read_name;
use crate::domain::capacity::LastBackup;
use crate::domain::id::Name;
use crate::domain::line::clean_line;
use crate::domain::run::event::{StepEnd, StepResult};

/// So many of the customer's latest runs are looked through.
const RUNS: i64 = 50;
/// Longest path that is told, in characters.
const PATH_CHARS: usize = 1024;

/// The backups of each host's latest run that verified some, no later than `until`. Those that lie on other machines take no room
/// here and are left out.
///
/// # Errors
/// If the database can't be used, or holds an event that this version does not know.
pub async fn list_last_backups(
    connection: &mut PgConnection,
    customer: &Name,
    until: Timestamp,
) -> Result<BTreeMap<Name, Vec<LastBackup>>, Error> {
    // Only plans are read by the database: events may hold U+0000, at which its functions for JSON give up.
    let rows = sqlx::query!(
        r#"select latest.number, host_run.host, event.at as "at: jiff_sqlx::Timestamp", event.detail::text as "detail!"
           from (select id, number, plan from run where customer = $1 and created_at <= $2 order by number desc limit $3) as latest
           cross join lateral (
               select (place - 1)::int as index
               from json_array_elements(latest.plan -> 'steps') with ordinality as step (planned, place)
               where planned -> 'part' ->> 'kind' = 'verify' and planned ->> 'place' = 'host') as verification
           join run_event event on event.run_id = latest.id and event.kind = 'step_finished' and event.at <= $2
                                   and event.step_index = verification.index
           join host_run on host_run.run_id = latest.id and host_run.host_index = event.host_index
           order by latest.number desc, event.seq"#,
        customer.as_str(),
        until.to_sqlx() as _,
        RUNS,
    )
    .fetch_all(connection)
    .await?;
    let mut hosts: BTreeMap<Name, (i64, Vec<LastBackup>)> = BTreeMap::new();
    for row in rows {
        let Some(backup) = read_proof(&row.detail, row.at.to_jiff())? else { continue };
        let (run, backups) = hosts.entry(read_name("host_run.host", &row.host)?).or_insert((row.number, Vec::new()));
        if *run == row.number {
            backups.push(backup);
        }
    }
    Ok(hosts.into_iter().map(|(host, (_, backups))| (host, backups)).collect())
}

/// What a verification found, if it found a backup of known size.
fn read_proof(detail: &str, at: Timestamp) -> Result<Option<LastBackup>, Error> {
    #[derive(Deserialize)]
    struct Finished {
        result: StepResult,
    }
    let finished = serde_json::from_str::<Finished>(detail);
    let Finished { result } = finished.map_err(|source| Error::unreadable("run_event", source))?;
    if result.end != StepEnd::Succeeded {
        return Ok(None);
    }
    let fact = |key: &str| result.facts.get(key).map(String::as_str).unwrap_or_default();
    let path = clean_line(fact("path").as_bytes(), PATH_CHARS);
    Ok(fact("bytes").parse().ok().map(|bytes| LastBackup { path, bytes, at }))
}
