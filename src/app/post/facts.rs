//! What a message is about, read from the database in one transaction, before anything is written or sent.

use jiff::{SignedDuration, Timestamp};

use super::Post;
use crate::app::daemon::applied::{read_customer, read_job};
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::inventory::Customer;
use crate::domain::job::Job;
use crate::domain::mail::Link;
use crate::domain::notification::overtaken::{About, overtaken_by};
use crate::domain::report::{Report, RunRecord, from_record};
use crate::domain::run::state::{IllegalTransition, Run};
use crate::edge::store::DatabaseConnection;
use crate::edge::store::applied::contact::is_of_team;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::event::read_events;
use crate::edge::store::notification::StoredNotification;
use crate::edge::store::occurrence::{
    History, OccurrenceFilter, StoredOccurrence, find_occurrence, list_occurrences, list_origins,
};
use crate::edge::store::run::{RunNumber, find_run};

/// The date after the next ones is looked for among so many.
const NEXT: u32 = 20;

/// All of it, as far as it is there.
pub(super) struct Facts {
    pub(super) occurrence: Option<StoredOccurrence>,
    /// What the occurrence was before it was moved, if it was: calendars know it by that.
    pub(super) origin: Option<OccurrenceId>,
    /// The date of the same window after it.
    pub(super) next: Option<StoredOccurrence>,
    /// As applied.
    pub(super) customer: Option<Customer>,
    /// That of the occurrence, as applied.
    pub(super) job: Option<Job>,
    /// That of the run; an error where its record contradicts itself.
    pub(super) report: Option<Result<Report, IllegalTransition>>,
    /// Whether the recipient is one of the provider's people, and none of the customer's.
    pub(super) is_of_team: bool,
    /// Where the recipient answers.
    pub(super) link: Option<Link>,
}

/// Why the message would come too late, if it would.
pub(super) async fn find_overtaken(
    connection: &mut DatabaseConnection,
    message: &StoredNotification,
    now: Timestamp,
) -> Result<Option<&'static str>, StoreError> {
    let Some(id) = message.occurrence else { return Ok(None) };
    let Some(occurrence) = find_occurrence(connection, id).await? else { return Ok(None) };
    let about = About {
        state: occurrence.state,
        opens: occurrence.start,
        sequence: occurrence.sequence,
        told_sequence: message.sequence.unwrap_or(occurrence.sequence),
    };
    Ok(overtaken_by(message.kind, &about, now))
}

pub(super) async fn read_facts(
    connection: &mut DatabaseConnection,
    _post: &Post,
    message: &StoredNotification,
    _now: Timestamp,
) -> Result<Facts, StoreError> {
    let occurrence = match message.occurrence {
        Some(id) => find_occurrence(connection, id).await?,
        None => None,
    };
    let (mut origin, mut next, mut job) = (None, None, None);
    if let Some(occurrence) = &occurrence {
        origin = list_origins(connection, &[occurrence.id]).await?.remove(&occurrence.id);
        next = find_next(connection, occurrence).await?;
        job = read_job(connection, &occurrence.job).await?.ok();
    }
    let customer = match &message.customer {
        Some(name) => read_customer(connection, name).await?.ok(),
        None => None,
    };
    let report = match message.run {
        Some(number) => read_report(connection, number).await?,
        None => None,
    };
    let is_of_team = is_of_team(connection, message.customer.as_ref(), &message.recipient).await?;
    Ok(Facts { occurrence, origin, next, customer, job, report, is_of_team, link: None })
}

/// The next date of the same window that is still to come.
async fn find_next(
    connection: &mut DatabaseConnection,
    occurrence: &StoredOccurrence,
) -> Result<Option<StoredOccurrence>, StoreError> {
    let filter = OccurrenceFilter {
        customer: Some(&occurrence.customer),
        window: Some(&occurrence.window),
        from: occurrence.start.checked_add(SignedDuration::from_secs(1)).ok(),
        until: None,
        history: History::Without,
        limit: Some(NEXT),
    };
    let dates = list_occurrences(connection, filter).await?;
    Ok(dates.into_iter().find(|date| date.state.is_ahead()))
}

/// The report of a run, as its record stands.
async fn read_report(
    connection: &mut DatabaseConnection,
    number: RunNumber,
) -> Result<Option<Result<Report, IllegalTransition>>, StoreError> {
    let Some(stored) = find_run(connection, number).await? else { return Ok(None) };
    let record = read_events(connection, stored.id).await?;
    let run = match Run::replay(stored.plan.clone(), &record) {
        Ok(run) => run,
        Err(error) => return Ok(Some(Err(error))),
    };
    Ok(Some(Ok(from_record(&RunRecord {
        number: number.0,
        id: stored.id,
        run: &run,
        started_by: stored.started_by,
        reason: stored.reason,
        meanwhile: stored.meanwhile,
    }))))
}

impl Facts {
    /// The report of the run, if there is one.
    pub(super) fn report(&self) -> Option<&Report> {
        self.report.as_ref().and_then(|report| report.as_ref().ok())
    }

    /// The customer's name as it stands in letters.
    pub(super) fn customer_name(&self, known_as: Option<&Name>) -> Option<String> {
        let applied = self.customer.as_ref().map(|customer| customer.display_name.clone());
        let reported = || self.report().map(|report| report.customer_name.clone());
        applied.or_else(reported).or_else(|| known_as.map(Name::to_string))
    }

    /// IANA name of the zone in which the recipient reads times.
    pub(super) fn time_zone(&self) -> String {
        let applied = self.customer.as_ref().map(|customer| customer.time_zone.clone());
        let reported = || self.report().map(|report| report.time_zone.clone());
        let of_date = || self.occurrence.as_ref().map(|occurrence| occurrence.time_zone.clone());
        applied.or_else(reported).or_else(of_date).unwrap_or_else(|| "UTC".to_owned())
    }
}
