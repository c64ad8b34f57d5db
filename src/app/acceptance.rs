//! A report as it is shown, accepted or refused: joins the record of a run with the customer's answer.
//!
//! Invariant: what an answer names by its hash is the JSON of the report without any answer, as `turnus report --format json` gives it.

use jiff::Timestamp;

use crate::domain::id::ContentHash;
use crate::domain::report::acceptance::AcceptanceReport;
use crate::domain::report::{NextDate, Report, RunRecord, from_record};
use crate::domain::run::event::Recorded;
use crate::domain::run::state::Run;
use crate::edge::store::answer::{StoredAnswer, find_answer_to_report};
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::occurrence::find_next;
use crate::edge::store::run::StoredRun;
use crate::edge::store::{DatabaseConnection, Store};

/// The report of a run as its record stands, with what the customer said of it.
///
/// # Errors
/// If the record can't be what a run of this plan has done.
pub fn write_report(stored: &StoredRun, record: &[Recorded], answer: Option<&StoredAnswer>) -> anyhow::Result<Report> {
    let run = Run::replay(stored.plan.clone(), record)?;
    let report = from_record(&RunRecord {
        number: stored.number.0,
        id: stored.id,
        run: &run,
        started_by: stored.started_by.clone(),
        reason: stored.reason.clone(),
        meanwhile: stored.meanwhile.clone(),
    });
    Ok(Report { acceptance: answer.map(acceptance), ..report })
}

/// An answer as reports and programs tell it.
#[must_use]
pub fn acceptance(answer: &StoredAnswer) -> AcceptanceReport {
    AcceptanceReport {
        decision: answer.decision,
        by: answer.said_by.clone(),
        at: answer.at,
        remark: answer.remark.clone(),
        via: answer.via,
        entered_by: answer.entered_by.clone(),
        report: answer.report.clone(),
    }
}

/// What an answer to this report names it by.
///
/// # Errors
/// If the report can't be written as JSON.
pub fn hash_report(report: &Report) -> anyhow::Result<ContentHash> {
    // When the next date is, and what is still known of disks, depends on when somebody looks.
    let bare = Report { acceptance: None, next: None, capacity: Vec::new(), ..report.clone() };
    Ok(ContentHash::of(serde_json::to_string(&bare)?.as_bytes()))
}

/// When the job of a run comes next after `now`.
///
/// # Errors
/// If the database can't be used.
pub async fn find_next_date(
    connection: &mut DatabaseConnection,
    run: &StoredRun,
    now: Timestamp,
) -> Result<Option<NextDate>, StoreError> {
    let found = find_next(connection, &run.plan.customer, &run.plan.job, now).await?;
    Ok(found.map(|next| NextDate { window: next.window, opens_at: next.start, closes_at: next.end }))
}

/// What the customer said of the report of `run`.
///
/// # Errors
/// If the database can't be used.
pub async fn read_answer(store: &Store, run: &StoredRun) -> Result<Option<StoredAnswer>, StoreError> {
    let mut transaction = store.begin().await?;
    find_answer_to_report(&mut transaction, run.id).await
}
