//! The page of a date: confirmed, or another one asked for.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Pages;
use super::form::Wanted;
use super::link::said;
use crate::app::daemon::applied::{read_customer, read_job};
use crate::domain::answer::{Decision, MoveRules, Via};
use crate::domain::calendar::zone::named;
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::inventory::Customer;
use crate::domain::line::clean_line;
use crate::domain::occurrence::{OccurrenceEvent, OccurrenceState};
use crate::edge::store::DatabaseConnection;
use crate::edge::store::answer::{
    Answered, NewAnswer, Question, StoredAnswer, find_answer_to_date, hold_date, keep_answer,
};
use crate::edge::store::link::StoredLink;
use crate::edge::store::occurrence::change::{Change, change_occurrence};
use crate::edge::store::occurrence::{StoredOccurrence, find_occurrence};
use crate::edge::text::page::{Complaint, DatePage, Form, Page};

/// Longest text of a file on a page, in characters.
const TEXT_CHARS: usize = 300;

/// A date with all that its page tells.
pub(super) struct DateMatter {
    occurrence: StoredOccurrence,
    answer: Option<StoredAnswer>,
    customer: String,
    description: String,
    hosts: Vec<Name>,
    rules: MoveRules,
    now: Timestamp,
}

impl DateMatter {
    pub(super) async fn read(
        connection: &mut DatabaseConnection,
        pages: &Pages,
        id: OccurrenceId,
        now: Timestamp,
    ) -> anyhow::Result<Option<Self>> {
        let Some(occurrence) = find_occurrence(connection, id).await? else { return Ok(None) };
        let answer = find_answer_to_date(connection, id, occurrence.sequence).await?;
        // Whatever has become of the files since: the date stands.
        let customer = read_customer(connection, &occurrence.customer).await?;
        let hosts = customer.as_ref().map(|customer| hosts(customer, &occurrence.window)).unwrap_or_default();
        let customer = customer.map(|customer| customer.display_name);
        let description = read_job(connection, &occurrence.job).await?.map(|job| job.description);
        let line = |text: String| clean_line(text.as_bytes(), TEXT_CHARS);
        let zone = named(&occurrence.time_zone).unwrap_or(TimeZone::UTC);
        Ok(Some(Self {
            answer,
            customer: line(customer.unwrap_or_else(|_| occurrence.customer.to_string())),
            description: line(description.unwrap_or_else(|_| occurrence.job.to_string())),
            hosts,
            rules: MoveRules::new(&pages.web, zone),
            now,
            occurrence,
        }))
    }

    pub(super) fn time_zone(&self) -> &str {
        &self.occurrence.time_zone
    }

    pub(super) fn is_open(&self) -> bool {
        let waits = matches!(self.occurrence.state, OccurrenceState::Planned | OccurrenceState::Announced);
        waits && self.answer.is_none()
    }

    pub(super) fn page(&self, form: Form) -> Page {
        let span = self.rules.span(self.occurrence.local_start, self.now);
        Page::Date(Box::new(DatePage {
            customer: self.customer.clone(),
            description: self.description.clone(),
            hosts: self.hosts.clone(),
            opens: self.occurrence.start,
            closes: self.occurrence.end,
            movable: span.map(|span| (*span.start(), *span.end())),
            state: self.occurrence.state,
            said: self.answer.as_ref().map(said),
            form,
        }))
    }

    pub(super) fn check(&self, wanted: &Wanted) -> Result<(), Complaint> {
        match wanted.wish {
            Some(wish) => self.rules.check(wish, self.occurrence.local_start, self.now).map_err(Complaint::Wish),
            None => Ok(()),
        }
    }

    /// `false`: somebody else has answered, or the date has gone on; to be rolled back.
    pub(super) async fn keep(
        &self,
        connection: &mut DatabaseConnection,
        link: &StoredLink,
        wanted: &Wanted,
        by: &str,
    ) -> anyhow::Result<bool> {
        let (id, sequence) = (self.occurrence.id, self.occurrence.sequence);
        if !hold_date(connection, id, sequence).await? {
            return Ok(false);
        }
        let answer = NewAnswer {
            question: Question::Date { occurrence: id, sequence },
            customer: &self.occurrence.customer,
            decision: wanted.decision,
            wish: wanted.wish,
            remark: wanted.remark.as_deref(),
            said_by: Some(by),
            entered_by: None,
            at: self.now,
            via: Via::Page,
            link: Some(link.id),
        };
        if keep_answer(connection, &answer).await? != Answered::Kept {
            return Ok(false);
        }
        if wanted.decision != Decision::Confirmed {
            return Ok(true);
        }
        let (from, event) = (self.occurrence.state, OccurrenceEvent::Confirm);
        let change = Change { id, from, event, cause: None, by: Some(by), now: self.now };
        Ok(change_occurrence(connection, &change).await?)
    }
}

/// Those of the window, as letters name them; none: the files do not know the window any more.
fn hosts(customer: &Customer, window: &Name) -> Vec<Name> {
    let window = customer.windows.iter().find(|known| known.name == *window);
    window.map(|window| window.hosts.clone()).unwrap_or_default()
}
