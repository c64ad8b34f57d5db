//! What a message is about, read from the database in one transaction, before anything is written or sent.

use jiff::Timestamp;

use super::Post;
use crate::app::acceptance::write_report;
use crate::app::capacity::survey_of_run;
use crate::app::daemon::applied::{read_customer, read_job};
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::inventory::Customer;
use crate::domain::job::Job;
use crate::domain::mail::Link;
use crate::domain::notification::overtaken::{About, overtaken_by};
use crate::domain::period::summary::PeriodReport;
use crate::domain::report::{NextDate, Report};
use crate::edge::store::DatabaseConnection;
use crate::edge::store::answer::find_answer_to_report;
use crate::edge::store::applied::contact::is_of_team;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::event::read_events;
use crate::edge::store::link::{NewLink, make_link};
use crate::edge::store::notification::StoredNotification;
use crate::edge::store::occurrence::{StoredOccurrence, find_next, find_occurrence, list_origins};
use crate::edge::store::run::{RunNumber, find_run};

/// All of it, as far as it is there.
pub(super) struct Facts {
    pub(super) occurrence: Option<StoredOccurrence>,
    /// What the occurrence was before it was moved, if it was: calendars know it by that.
    pub(super) origin: Option<OccurrenceId>,
    /// When the same job comes next.
    pub(super) next: Option<StoredOccurrence>,
    /// As applied.
    pub(super) customer: Option<Customer>,
    /// That of the occurrence or run, as applied.
    pub(super) job: Option<Job>,
    /// That of the run; an error where its record contradicts itself.
    pub(super) report: Option<anyhow::Result<Report>>,
    /// What was done in a period, if that is what the message is about.
    pub(super) period: Option<PeriodReport>,
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
    post: &Post,
    message: &StoredNotification,
    now: Timestamp,
) -> Result<Facts, StoreError> {
    let occurrence = match message.occurrence {
        Some(id) => find_occurrence(connection, id).await?,
        None => None,
    };
    let origin = match &occurrence {
        Some(occurrence) => list_origins(connection, &[occurrence.id]).await?.remove(&occurrence.id),
        None => None,
    };
    let customer = match &message.customer {
        Some(name) => read_customer(connection, name).await?.ok(),
        None => None,
    };
    let report = match message.run {
        Some(number) => read_report(connection, number).await?,
        None => None,
    };
    let of_run = report.as_ref().and_then(|report| report.as_ref().ok()).map(|report| report.job.clone());
    let name = occurrence.as_ref().map(|occurrence| occurrence.job.clone()).or(of_run);
    let (mut next, mut job) = (None, None);
    if let Some(name) = &name {
        job = read_job(connection, name).await?.ok();
        if let Some(customer) = &message.customer {
            let after = occurrence.as_ref().map_or(now, |occurrence| occurrence.start.max(now));
            next = find_next(connection, customer, name, after).await?;
        }
    }
    let report = report.map(|report| report.map(|report| Report { next: next.as_ref().map(next_date), ..report }));
    let is_of_team = is_of_team(connection, message.customer.as_ref(), &message.recipient).await?;
    let link = make_way_to_answer(connection, post, message, now).await?;
    Ok(Facts { occurrence, origin, next, customer, job, report, period: None, is_of_team, link })
}

/// The report of a run, as its record stands, with what the customer said of it.
async fn read_report(
    connection: &mut DatabaseConnection,
    number: RunNumber,
) -> Result<Option<anyhow::Result<Report>>, StoreError> {
    let Some(stored) = find_run(connection, number).await? else { return Ok(None) };
    let record = read_events(connection, stored.id).await?;
    let answer = find_answer_to_report(connection, stored.id).await?;
    let capacity = survey_of_run(connection, &stored).await?;
    Ok(Some(write_report(&stored, &record, answer.as_ref()).map(|report| Report { capacity, ..report })))
}

/// A link on which the recipient answers, where there are pages and something to answer.
async fn make_way_to_answer(
    connection: &mut DatabaseConnection,
    post: &Post,
    message: &StoredNotification,
    now: Timestamp,
) -> Result<Option<Link>, StoreError> {
    let Some(public_url) = &post.web.public_url else { return Ok(None) };
    let made = make_link(connection, &NewLink { notification: message.number, now }).await?;
    Ok(made.map(|made| Link {
        url: format!("{public_url}/l/{}", made.token),
        code: made.code,
        expires_at: made.expires_at,
    }))
}

fn next_date(next: &StoredOccurrence) -> NextDate {
    NextDate { window: next.window.clone(), opens_at: next.start, closes_at: next.end }
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
