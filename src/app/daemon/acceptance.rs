//! Reports that nobody answers to: a reminder after so many working days, once; and, only where the provider has it so, silence that
//! counts as yes.
//!
//! Only who was asked is reminded: a customer to whom a letter with a link to the report was delivered. Nobody accepts by silence to
//! whom the reminder was not delivered.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::Daemon;
use super::applied::read_customer;
use super::tick::Worked;
use crate::app::acceptance::{hash_report, write_report};
use crate::domain::answer::{Deadlines, Decision, Via};
use crate::domain::calendar::zone::named;
use crate::domain::notification::Kind;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::answer::{
    Answered, NewAnswer, Question, Reminder, Silence, Unanswered, keep_answer, list_unanswered,
};
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::event::read_events;
use crate::edge::store::notification::of_run::{RunMessage, tell_of_run};
use crate::edge::store::run::find_run;

/// Looks at all reports without an answer, each in a transaction of its own: one that can't be dealt with keeps no other.
///
/// # Errors
/// If the database can't be used; for the first report that can't be dealt with, when all have been looked at.
pub async fn tick(daemon: &Daemon, now: Timestamp) -> anyhow::Result<Worked> {
    let silence = match daemon.acceptance.deemed_after_workdays {
        Some(_) => Silence::ThatCounts,
        None => Silence::ToRemindOf,
    };
    let unanswered = {
        let mut transaction = daemon.store.begin().await?;
        list_unanswered(&mut transaction, silence, now).await?
    };
    let (mut worked, mut failed) = (Worked::Nothing, None);
    for unanswered in unanswered {
        let mut transaction = daemon.store.begin().await?;
        match look_at(&mut transaction, daemon, &unanswered, now).await {
            Ok(Worked::Nothing) => {}
            Ok(Worked::Something) => {
                transaction.commit().await.map_err(StoreError::from)?;
                worked = Worked::Something;
            }
            Err(error) => {
                let error = error.context(format!("the report of run {} waits for an answer", unanswered.number));
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(worked), Err)
}

async fn look_at(
    connection: &mut DatabaseConnection,
    daemon: &Daemon,
    unanswered: &Unanswered,
    now: Timestamp,
) -> anyhow::Result<Worked> {
    let customer = match read_customer(connection, &unanswered.customer).await? {
        Ok(customer) => customer,
        // Without its calendar nobody knows how long it has kept silent.
        Err(cause) => {
            tracing::debug!(customer = %unanswered.customer, %cause, "a report waits for an answer");
            return Ok(Worked::Nothing);
        }
    };
    let deadlines = Deadlines {
        terms: daemon.acceptance.clone(),
        zone: named(&customer.time_zone).unwrap_or(TimeZone::UTC),
        region: customer.holidays,
    };
    let asked = unanswered.asked_at;
    match (unanswered.reminder, unanswered.reminded_at) {
        (Reminder::None, _) if deadlines.remind_at(asked) <= now => {
            remind(connection, &deadlines, unanswered, now).await
        }
        (Reminder::Made, Some(reminded)) if deadlines.deemed_at(asked, reminded).is_some_and(|at| at <= now) => {
            deem_accepted(connection, daemon, unanswered, now).await
        }
        _ => Ok(Worked::Nothing),
    }
}

async fn remind(
    connection: &mut DatabaseConnection,
    deadlines: &Deadlines,
    unanswered: &Unanswered,
    now: Timestamp,
) -> anyhow::Result<Worked> {
    let detail = json!({ "deemed_on": deadlines.deemed_on(unanswered.asked_at, now) });
    let message = RunMessage { kind: Kind::AcceptanceReminder, run: unanswered.run, detail: &detail };
    // Nobody: the contacts that were asked are gone from the files. That is looked at again, and costs nothing.
    let told = tell_of_run(connection, &message).await?;
    Ok(if told > 0 { Worked::Something } else { Worked::Nothing })
}

async fn deem_accepted(
    connection: &mut DatabaseConnection,
    daemon: &Daemon,
    unanswered: &Unanswered,
    now: Timestamp,
) -> anyhow::Result<Worked> {
    let Some(stored) = find_run(connection, unanswered.number).await? else { return Ok(Worked::Nothing) };
    let report = write_report(&stored, &read_events(connection, stored.id).await?, None)?;
    let answer = NewAnswer {
        question: Question::Report { run: stored.id, occurrence: stored.occurrence, report: hash_report(&report)? },
        customer: &unanswered.customer,
        decision: Decision::Deemed,
        wish: None,
        remark: None,
        said_by: None,
        entered_by: Some(daemon.name()),
        at: now,
        via: Via::Deadline,
        link: None,
    };
    // An answer that has come meanwhile stands.
    match keep_answer(connection, &answer).await? {
        Answered::Kept => Ok(Worked::Something),
        Answered::Before(_) => Ok(Worked::Nothing),
    }
}
