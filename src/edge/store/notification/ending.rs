//! What is told at the end of a run, and what its report tells beside the run itself.
//!
//! Invariant: a run for an occurrence that found nothing to update on any host is told by no message of its own; the next report does.

use sqlx::PgConnection;

use super::super::error::Error;
use super::hint;
use crate::domain::id::{Epoch, RunId};

/// Whether a run that has ended is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    Told,
    Quiet,
}

/// Tells those who get reports that a run has ended, whether it was for an occurrence or by hand; and the team, if it has not ended well.
pub(in crate::edge::store) async fn tell_finished(connection: &mut PgConnection, run: RunId) -> Result<u64, Error> {
    if note_quiet(connection, run).await? == Telling::Quiet {
        return Ok(0);
    }
    note_meanwhile(connection, run).await?;
    let told = sqlx::query!(
        "insert into notification (kind, customer, occurrence, sequence, run, recipient, recipient_name, locale, calendar, dedupe_key)
         select told.kind, run.customer, run.occurrence, occurrence.sequence, run.id, contact.email, contact.name, contact.locale,
                contact.calendar, concat_ws(':', told.kind, run.id, lower(contact.email))
         from run
         left join occurrence on occurrence.id = run.occurrence
         join contact on coalesce(contact.customer, '') in (run.customer, '')
         cross join lateral (select case when contact.customer is null then 'run_failed'
                                         when run.state = 'succeeded' then 'finished'
                                         else 'failed' end as kind) as told
         where run.id = $1
           and (contact.customer is not null and 'report' = any(contact.receives)
             or contact.customer is null and 'team' = any(contact.receives) and run.state <> 'succeeded')
         on conflict (dedupe_key) do nothing",
        run.0,
    );
    let told = told.execute(&mut *connection).await?.rows_affected();
    hint(connection, told).await
}

/// Tells the team that a run waits for a person, once for each controller that leaves it so.
pub(in crate::edge::store) async fn tell_suspended(
    connection: &mut PgConnection,
    run: RunId,
    epoch: Epoch,
) -> Result<u64, Error> {
    let told = sqlx::query!(
        "insert into notification (kind, customer, occurrence, sequence, run, recipient, recipient_name, locale, calendar, detail,
                                   dedupe_key)
         select 'run_failed', run.customer, run.occurrence, occurrence.sequence, run.id, contact.email, contact.name, contact.locale,
                contact.calendar, json_build_object('suspended', true),
                concat_ws(':', 'run_failed', run.id, $2::bigint, lower(contact.email))
         from run
         left join occurrence on occurrence.id = run.occurrence
         join contact on contact.customer is null and 'team' = any(contact.receives)
         where run.id = $1
         on conflict (dedupe_key) do nothing",
        run.0,
        epoch.0,
    );
    let told = told.execute(&mut *connection).await?.rows_affected();
    hint(connection, told).await
}

/// A run by hand was started by somebody who wants to know how it ended; and who has a job that updates nothing wants to know what it
/// found.
/// Whoever was told that it has begun is told that it has ended.
async fn note_quiet(connection: &mut PgConnection, run: RunId) -> Result<Telling, Error> {
    let quiet = sqlx::query!(
        "update run set quiet = true
         where id = $1 and occurrence is not null and state = 'succeeded'
           and exists (select 1 from json_array_elements(plan -> 'steps') as step where step ->> 'phase' = 'update')
           and not exists (select 1 from host_run where run_id = run.id and outcome is distinct from 'nothing_to_do')
           and not exists (select 1 from notification
                           where notification.run = run.id and kind = 'started' and notification.state in ('leased', 'sent'))",
        run.0,
    );
    let is_quiet = quiet.execute(connection).await?.rows_affected() == 1;
    Ok(if is_quiet { Telling::Quiet } else { Telling::Told })
}

/// What came between the customer's report before and this one: kept as it is at the end of the run, so that its report stays the same.
async fn note_meanwhile(connection: &mut PgConnection, run: RunId) -> Result<(), Error> {
    sqlx::query!(
        "with this as (
             select run.id, run.customer,
                    coalesce((select max(before.finished_at) from run as before
                              where before.customer = run.customer and not before.quiet and before.id <> run.id
                                and before.finished_at is not null), '-infinity') as since
             from run where id = $1
         )
         update run
         set meanwhile = json_build_object(
             'undelivered', (
                 select coalesce(json_agg(json_build_object('number', lost.number, 'message', lost.kind, 'recipient', lost.recipient)
                                          order by lost.number), '[]')
                 from notification as lost
                 where lost.customer = this.customer and lost.state = 'undeliverable' and lost.ended_at > this.since
                   and lost.kind not in ('review_needed', 'review_reminder', 'run_failed', 'undeliverable', 'answer')
                   and not exists (select 1 from contact where contact.customer is null
                                     and lower(contact.email) = lower(lost.recipient))),
             'quiet', (
                 select coalesce(json_agg(json_build_object('run_number', still.number, 'window', occurrence.window_name,
                                                            'opens_at', occurrence.start_at) order by still.number), '[]')
                 from run as still join occurrence on occurrence.id = still.occurrence
                 where still.customer = this.customer and still.quiet and still.finished_at > this.since))
         from this where run.id = this.id",
        run.0,
    )
    .execute(connection)
    .await?;
    Ok(())
}
