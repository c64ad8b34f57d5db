//! What customers said of dates and reports, as rows.
//!
//! Invariants: a report has one answer, and so has a date as it was announced; the unique indexes decide when two people are at it.
//! With every answer go its line in the audit trail and the messages to the team.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use sqlx::PgConnection;

use super::audit::{Entry, note};
use super::error::Error;
use super::link::LinkId;
use super::notification::of_run::{RunMessage, tell_of_run};
use super::notification::{Message, tell};
use super::run::{RunNumber, read_hash, read_name, read_word};
use crate::domain::answer::{Decision, Via};
use crate::domain::id::{ContentHash, Name, OccurrenceId, RunId};
use crate::domain::notification::Kind;

/// All columns of an answer, `from answer`, and what follows.
macro_rules! select_answers {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select number, decision, wish as "wish: jiff_sqlx::DateTime", remark, said_by, entered_by,
                      said_at as "said_at: jiff_sqlx::Timestamp", via, report_hash
               from answer "# + $rest
            $(, $argument)*
        )
    };
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A date, as it was announced.
    Date {
        /// Which.
        occurrence: OccurrenceId,
        /// As which.
        sequence: u32,
    },
    /// The report of a run.
    Report {
        /// Which.
        run: RunId,
        /// The date that the run was for.
        occurrence: Option<OccurrenceId>,
        /// SHA-256 of the report's JSON.
        report: ContentHash,
    },
}

/// An answer to be kept. What belongs to which decision, the table knows.
#[derive(Debug, Clone)]
pub struct NewAnswer<'a> {
    /// To what.
    pub question: Question,
    /// Whose date or report.
    pub customer: &'a Name,
    /// What was said.
    pub decision: Decision,
    /// The date that is asked for, local in the occurrence's zone.
    pub wish: Option<DateTime>,
    /// What was said with it.
    pub remark: Option<&'a str>,
    /// Who said so.
    pub said_by: Option<&'a str>,
    /// Who typed it, if somebody else did.
    pub entered_by: Option<&'a str>,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// How it came.
    pub via: Via,
    /// The link by which it came.
    pub link: Option<LinkId>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// It stands.
    Kept,
    /// Another was there before. Nothing was written.
    Before(StoredAnswer),
}

/// Holds a date where it is until the end of the transaction. `false`: it can't be answered to any more.
///
/// # Errors
/// If the database can't be used.
pub async fn hold_date(connection: &mut PgConnection, occurrence: OccurrenceId, sequence: u32) -> Result<bool, Error> {
    let held = sqlx::query_scalar!(
        "select id from occurrence
         where id = $1 and sequence = $2 and state in ('planned', 'announced') for update",
        occurrence.0,
        i32::try_from(sequence).unwrap_or(i32::MAX),
    );
    Ok(held.fetch_optional(connection).await?.is_some())
}

/// Keeps an answer, unless there is one. Who answers at the same time waits for the end of the transaction.
///
/// # Errors
/// If the database can't be used, or the answer is not whole.
pub async fn keep_answer(connection: &mut PgConnection, new: &NewAnswer<'_>) -> Result<Answered, Error> {
    if !insert(connection, new).await? {
        let before = match &new.question {
            Question::Date { occurrence, sequence } => find_answer_to_date(connection, *occurrence, *sequence).await?,
            Question::Report { run, .. } => find_answer_to_report(connection, *run).await?,
        };
        let before =
            before.ok_or_else(|| Error::unreadable("answer.decision", "an answer that is there and is not"))?;
        return Ok(Answered::Before(before));
    }
    note_answer(connection, new).await?;
    let detail = json!({
        "decision": new.decision, "by": new.said_by, "remark": new.remark, "wish": new.wish, "via": new.via,
    });
    match &new.question {
        Question::Date { occurrence, .. } => {
            let lead = Some(new.decision.as_str());
            tell(connection, &Message { kind: Kind::Answer, occurrence: *occurrence, lead, detail: &detail }).await?;
        }
        Question::Report { run, .. } => {
            withdraw_reminders(connection, *run).await?;
            tell_of_run(connection, &RunMessage { kind: Kind::Answer, run: *run, detail: &detail }).await?;
        }
    }
    Ok(Answered::Kept)
}

/// `false`: the unique index says that there is one.
async fn insert(connection: &mut PgConnection, new: &NewAnswer<'_>) -> Result<bool, Error> {
    let (occurrence, sequence, run, report) = match &new.question {
        Question::Date { occurrence, sequence } => (Some(occurrence.0), Some(*sequence), None, None),
        Question::Report { run, report, .. } => (None, None, Some(run.0), Some(report.as_str())),
    };
    let kept = sqlx::query!(
        "insert into answer (occurrence, sequence, run, decision, wish, remark, said_by, entered_by, said_at, via, link, report_hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         on conflict do nothing",
        occurrence,
        sequence.map(|sequence| i32::try_from(sequence).unwrap_or(i32::MAX)),
        run,
        new.decision.as_str(),
        new.wish.map(ToSqlx::to_sqlx) as _,
        new.remark,
        new.said_by,
        new.entered_by,
        new.at.to_sqlx() as _,
        new.via.as_str(),
        new.link.map(|link| link.0),
        report,
    );
    Ok(kept.execute(connection).await?.rows_affected() == 1)
}

async fn note_answer(connection: &mut PgConnection, new: &NewAnswer<'_>) -> Result<(), Error> {
    let (occurrence, run, report) = match &new.question {
        Question::Date { occurrence, .. } => (Some(*occurrence), None, None),
        Question::Report { run, occurrence, report } => (*occurrence, Some(run.0), Some(report)),
    };
    let action = match new.decision {
        Decision::Confirmed => "confirm occurrence",
        Decision::MoveAsked => "ask to move occurrence",
        Decision::Accepted => "accept report",
        Decision::AcceptedWithRemarks => "accept report with remarks",
        Decision::Refused => "refuse report",
        Decision::Deemed => "deem report accepted",
    };
    // Who acted; what somebody else said stands beside it.
    let actor = new.entered_by.or(new.said_by).unwrap_or_default();
    let by = new.said_by.filter(|_| new.entered_by.is_some());
    let mut detail = json!({ "by": by, "run": run, "report": report, "wish": new.wish, "via": new.via });
    if let Some(detail) = detail.as_object_mut() {
        detail.retain(|_, value| !value.is_null());
    }
    let (customer, reason) = (Some(new.customer), new.remark);
    note(connection, &Entry { actor, action, customer, occurrence, reason, detail: &detail }).await?;
    Ok(())
}

/// Who has answered is not reminded.
async fn withdraw_reminders(connection: &mut PgConnection, run: RunId) -> Result<(), Error> {
    sqlx::query!(
        "update notification set state = 'cancelled', ended_at = now()
         where run = $1 and kind = 'acceptance_reminder' and state = 'due'",
        run.0,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// An answer as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// Grows.
    pub number: i64,
    /// What was said.
    pub decision: Decision,
    /// The date that is asked for, local in the occurrence's zone.
    pub wish: Option<DateTime>,
    /// What was said with it.
    pub remark: Option<String>,
    /// Who said so.
    pub said_by: Option<String>,
    /// Who typed it, if somebody else did.
    pub entered_by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// How it came.
    pub via: Via,
    /// SHA-256 of the report's JSON as it stood then.
    pub report: Option<ContentHash>,
}

/// What was said of a date as it was announced.
///
/// # Errors
/// If the database can't be used.
pub async fn find_answer_to_date(
    connection: &mut PgConnection,
    occurrence: OccurrenceId,
    sequence: u32,
) -> Result<Option<StoredAnswer>, Error> {
    let sequence = i32::try_from(sequence).unwrap_or(i32::MAX);
    let row = select_answers!("where occurrence = $1 and sequence = $2", occurrence.0, sequence);
    row.fetch_optional(connection).await?.map(StoredAnswer::try_from).transpose()
}

/// What was said of a run's report.
///
/// # Errors
/// If the database can't be used.
pub async fn find_answer_to_report(connection: &mut PgConnection, run: RunId) -> Result<Option<StoredAnswer>, Error> {
    let row = select_answers!("where run = $1", run.0);
    row.fetch_optional(connection).await?.map(StoredAnswer::try_from).transpose()
}

/// A report that a customer was asked about, and has not answered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Which run.
    pub run: RunId,
    /// What people call it.
    pub number: RunNumber,
    /// Whose.
    pub customer: Name,
    /// When the first letter with a link to the report was delivered.
    pub asked_at: Timestamp,
    /// When the first reminder was delivered.
    pub reminded_at: Option<Timestamp>,
    /// Whether there is a reminder, delivered or not.
    pub reminder: Reminder,
}

/// Whether a customer is reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reminder {
    /// Not yet.
    None,
    /// There is a message.
    Made,
}

/// Whose silence is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Of those who are to be reminded.
    ToRemindOf,
    /// Of those as well who were reminded: it may come to count as yes.
    ThatCounts,
}

/// Reports that a customer was asked about by a letter that was delivered, and has not answered to, as long as a link is good; the
/// oldest first.
///
/// # Errors
/// If the database can't be used.
pub async fn list_unanswered(
    connection: &mut PgConnection,
    silence: Silence,
    now: Timestamp,
) -> Result<Vec<Unanswered>, Error> {
    let rows = sqlx::query!(
        r#"select run.id, run.number, run.customer, asked.at as "asked_at!: jiff_sqlx::Timestamp",
                  reminded.at as "reminded_at: jiff_sqlx::Timestamp", coalesce(reminded.messages, 0) > 0 as "is_reminded!"
           from (select link.run, min(notification.ended_at) as at
                 from link join notification on notification.id = link.notification
                 where link.purpose = 'report' and link.expires_at > $2
                   and notification.kind in ('finished', 'failed') and notification.state = 'sent'
                   and not exists (select 1 from answer where answer.run = link.run)
                 group by link.run) asked
           join run on run.id = asked.run
           left join lateral (select min(ended_at) filter (where state = 'sent') as at, count(*) as messages
                              from notification
                              where notification.run = run.id and kind = 'acceptance_reminder') reminded on true
           where $1 or coalesce(reminded.messages, 0) = 0
           order by run.number"#,
        silence == Silence::ThatCounts,
        now.to_sqlx() as _,
    );
    let rows = rows.fetch_all(connection).await?.into_iter().map(|row| {
        Ok(Unanswered {
            run: RunId(row.id),
            number: RunNumber(row.number),
            customer: read_name("run.customer", &row.customer)?,
            asked_at: row.asked_at.to_jiff(),
            reminded_at: row.reminded_at.map(jiff_sqlx::Timestamp::to_jiff),
            reminder: if row.is_reminded { Reminder::Made } else { Reminder::None },
        })
    });
    rows.collect()
}

/// A row of `answer`.
struct Row {
    number: i64,
    decision: String,
    wish: Option<jiff_sqlx::DateTime>,
    remark: Option<String>,
    said_by: Option<String>,
    entered_by: Option<String>,
    said_at: jiff_sqlx::Timestamp,
    via: String,
    report_hash: Option<String>,
}

impl TryFrom<Row> for StoredAnswer {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            number: row.number,
            decision: read_word("answer.decision", &row.decision)?,
            wish: row.wish.map(jiff_sqlx::DateTime::to_jiff),
            remark: row.remark,
            said_by: row.said_by,
            entered_by: row.entered_by,
            at: row.said_at.to_jiff(),
            via: read_word("answer.via", &row.via)?,
            report: row.report_hash.map(|hash| read_hash("answer.report_hash", &hash)).transpose()?,
        })
    }
}
