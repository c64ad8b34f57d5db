//! The page of a report: accepted, accepted with remarks, or refused.

use jiff::Timestamp;

use super::Pages;
use super::form::Wanted;
use super::link::said;
use crate::app::acceptance::{find_next_date, hash_report, write_report};
use crate::app::capacity::survey_of_run;
use crate::domain::answer::Via;
use crate::domain::id::RunId;
use crate::domain::inventory::Locale;
use crate::domain::report::Report;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::answer::{Answered, NewAnswer, Question, StoredAnswer, find_answer_to_report, keep_answer};
use crate::edge::store::event::read_events;
use crate::edge::store::link::StoredLink;
use crate::edge::store::run::{StoredRun, find_number, find_run};
use crate::edge::text::Format;
use crate::edge::text::page::{Form, Page, ReportPage};

/// A report with what was said of it.
pub(super) struct ReportMatter {
    stored: StoredRun,
    report: Report,
    answer: Option<StoredAnswer>,
    now: Timestamp,
}

impl ReportMatter {
    pub(super) async fn read(
        connection: &mut DatabaseConnection,
        id: RunId,
        now: Timestamp,
    ) -> anyhow::Result<Option<Self>> {
        let Some(number) = find_number(connection, id).await? else { return Ok(None) };
        let Some(stored) = find_run(connection, number).await? else { return Ok(None) };
        let answer = find_answer_to_report(connection, id).await?;
        let report = write_report(&stored, &read_events(connection, id).await?, answer.as_ref())?;
        let next = find_next_date(connection, &stored, now).await?;
        let report = Report { next, capacity: survey_of_run(connection, &stored).await?, ..report };
        Ok(Some(Self { stored, report, answer, now }))
    }

    pub(super) fn time_zone(&self) -> &str {
        &self.report.time_zone
    }

    /// What has not ended can't be accepted.
    pub(super) fn is_open(&self) -> bool {
        self.answer.is_none() && self.stored.finished_at.is_some()
    }

    pub(super) fn page(&self, token: &str, form: Form) -> Page {
        Page::Report(Box::new(ReportPage {
            report: self.report.clone(),
            address: format!("{token}/report"),
            said: self.answer.as_ref().map(said),
            form,
        }))
    }

    /// The whole report, as it is attached to letters.
    pub(super) fn document(&self, pages: &Pages, locale: Locale) -> anyhow::Result<String> {
        Ok(pages.texts.render_report(&self.report, locale, Format::Html)?)
    }

    /// `false`: somebody else has answered; to be rolled back.
    pub(super) async fn keep(
        &self,
        connection: &mut DatabaseConnection,
        link: &StoredLink,
        wanted: &Wanted,
        by: &str,
    ) -> anyhow::Result<bool> {
        let (run, occurrence, report) = (self.stored.id, self.stored.occurrence, hash_report(&self.report)?);
        let answer = NewAnswer {
            question: Question::Report { run, occurrence, report },
            customer: &self.report.customer,
            decision: wanted.decision,
            wish: None,
            remark: wanted.remark.as_deref(),
            said_by: Some(by),
            entered_by: None,
            at: self.now,
            via: Via::Page,
            link: Some(link.id),
        };
        Ok(keep_answer(connection, &answer).await? == Answered::Kept)
    }
}
