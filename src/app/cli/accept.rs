//! `turnus accept RUN --by NAME`: keeps a customer's answer to a report that was told by phone.

use anyhow::anyhow;
use clap::Args;

use super::calendar::named::reason;
use super::context::{Context, person, read_record, read_run};
use super::exit::{Exit, Failure};
use super::show::moment;
use crate::app::acceptance::{hash_report, write_report};
use crate::app::console::show;
use crate::domain::answer::{Decision, MAX_NAME, Via, clean_remark};
use crate::domain::line::clean_line;
use crate::edge::store::answer::{Answered, NewAnswer, Question, StoredAnswer, keep_answer};
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::run::StoredRun;
use crate::edge::store::{Store, database_now};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Number of the run
    run: i64,
    /// Who said so
    #[arg(long, value_name = "NAME", value_parser = reason)]
    by: String,
    /// It is accepted, and something was said to it: needs --note
    #[arg(long, requires = "note", conflicts_with = "refuse")]
    with_remarks: bool,
    /// It is not accepted: needs --note
    #[arg(long, requires = "note")]
    refuse: bool,
    /// What was said
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    note: Option<String>,
}

impl Arguments {
    fn decision(&self) -> Decision {
        match (self.with_remarks, self.refuse) {
            (true, _) => Decision::AcceptedWithRemarks,
            (_, true) => Decision::Refused,
            _ => Decision::Accepted,
        }
    }
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let outcome = accept(&store, arguments).await;
    store.close().await?;
    outcome
}

async fn accept(store: &Store, arguments: &Arguments) -> Result<Exit, Failure> {
    let stored = read_run(store, arguments.run).await?;
    if stored.finished_at.is_none() {
        return Err(Failure::usage(anyhow!("run {} has not ended: there is no report to accept yet", stored.number)));
    }
    let remark = arguments.note.as_deref().map(clean_remark).transpose().map_err(Failure::usage)?.flatten();
    let record = read_record(store, &stored).await?;
    let report = write_report(&stored, &record, None).map_err(Failure::failed)?;
    let (by, entered_by) = (clean_line(arguments.by.as_bytes(), MAX_NAME), person());
    let mut transaction = store.begin().await?;
    let answer = NewAnswer {
        question: Question::Report {
            run: stored.id,
            occurrence: stored.occurrence,
            report: hash_report(&report).map_err(Failure::failed)?,
        },
        customer: &stored.plan.customer,
        decision: arguments.decision(),
        wish: None,
        remark: remark.as_deref(),
        said_by: Some(&by),
        entered_by: Some(&entered_by),
        at: database_now(&mut transaction).await?,
        via: Via::Phone,
        link: None,
    };
    match keep_answer(&mut transaction, &answer).await? {
        Answered::Kept => {
            transaction.commit().await.map_err(StoreError::from)?;
            show(&format!("the report of run {} is {} by {by}", stored.number, in_words(answer.decision)));
            Ok(Exit::Done)
        }
        Answered::Before(before) => tell_of(&stored, &before, arguments.decision()),
    }
}

/// The same once more is no mistake.
fn tell_of(stored: &StoredRun, before: &StoredAnswer, decision: Decision) -> Result<Exit, Failure> {
    let told = format!("the report of run {} has its answer: {}", stored.number, describe(before));
    if before.decision == decision {
        show(&told);
        return Ok(Exit::Done);
    }
    Err(Failure::usage(anyhow!("{told}; an answer is not changed")))
}

/// `accepted by Anna, 2027-03-26 18:00:00 +01:00`
pub(super) fn describe(answer: &StoredAnswer) -> String {
    let by = answer.said_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    format!("{}{by}, {}", in_words(answer.decision), moment(answer.at))
}

fn in_words(decision: Decision) -> String {
    if decision == Decision::Refused { "not accepted".to_owned() } else { decision.to_string() }
}
