//! What people said of collections: for a date, or for one run by hand.
//!
//! Invariants: a date has one standing decision at most, and the unique index decides when two people are at it; every decision has its
//! line in the audit trail; what was replaced stays.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::json;
use sqlx::PgConnection;

use super::super::audit::{Entry, note};
use super::super::error::Error;
use super::super::run::{read_hash, read_word, write_json};
use super::{CollectionNumber, StoredCollection};
use crate::domain::id::{ContentHash, Name, OccurrenceId, RunId};
use crate::domain::packages::Change;
use crate::domain::review::{Approval, Selection, Verdict};

/// Number of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct DecisionNumber(pub i64);

/// All columns of a decision, `from decision`, and what follows.
macro_rules! select_decisions {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select number, collection, verdict, decided_at as "decided_at: jiff_sqlx::Timestamp", decided_by, note,
                      selection::text as "selection!", changes::text as "changes!", list_hash, replaces,
                      replaced_at as "replaced_at: jiff_sqlx::Timestamp"
               from decision "# + $rest
            $(, $argument)*
        )
    };
}

/// A decision as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDecision {
    /// Grows.
    pub number: DecisionNumber,
    /// On which collection.
    pub collection: CollectionNumber,
    /// What was said.
    pub verdict: Verdict,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What was said with it.
    pub note: Option<String>,
    /// What was chosen of the list.
    pub selection: Selection,
    /// What may be done, by host.
    pub changes: BTreeMap<Name, Vec<Change>>,
    /// Hash of exactly the list that was decided on.
    pub list: ContentHash,
    /// The decision whose place it takes.
    pub replaces: Option<DecisionNumber>,
    /// Since when another has its place.
    pub replaced_at: Option<Timestamp>,
}

impl StoredDecision {
    /// What it allows, as a plan carries it; none if it allows nothing.
    #[must_use]
    pub fn approval(&self) -> Option<Approval> {
        (self.verdict == Verdict::Approve).then(|| Approval {
            list: self.list.clone(),
            by: self.by.clone(),
            at: self.at,
            note: self.note.clone(),
            selection: self.selection.clone(),
            changes: self.changes.clone(),
        })
    }
}

/// What a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A date that is ahead.
    Occurrence(OccurrenceId),
    /// A run by hand, created in the same transaction.
    Run(RunId),
}

/// A decision to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NewDecision<'a> {
    /// On which collection.
    pub collection: CollectionNumber,
    /// Whose.
    pub customer: &'a Name,
    /// What about.
    pub about: About,
    /// What was said.
    pub verdict: Verdict,
    /// Who, when and what of the list. A rejection has no changes.
    pub approval: &'a Approval,
    /// Who typed it.
    pub entered_by: &'a str,
    /// The standing decision whose place it takes.
    pub replaces: Option<DecisionNumber>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It stands.
    Kept(DecisionNumber),
    /// Another stands, or the one to be replaced stands no more. Nothing was written.
    AlreadyDecided,
    /// The date has begun or ended. Nothing was written.
    NotAhead,
}

/// Keeps a decision, if none stands but the one that it replaces and its date is still ahead.
///
/// # Errors
/// If the database can't be used.
pub async fn decide(connection: &mut PgConnection, new: &NewDecision<'_>) -> Result<Decided, Error> {
    let (occurrence, run) = match new.about {
        About::Occurrence(occurrence) => (Some(occurrence), None),
        About::Run(run) => (None, Some(run)),
    };
    // An opening and a decision wait for each other: either the run is made with it, or it is too late.
    if let Some(occurrence) = occurrence
        && !is_ahead(connection, occurrence).await?
    {
        return Ok(Decided::NotAhead);
    }
    if let Some(replaced) = new.replaces
        && !give_way(connection, replaced).await?
    {
        return Ok(Decided::AlreadyDecided);
    }
    let Some(number) = insert(connection, new, (occurrence, run)).await? else {
        return Ok(Decided::AlreadyDecided);
    };
    let approval = new.approval;
    let changes: usize = approval.changes.values().map(Vec::len).sum();
    let detail = json!({
        "collection": new.collection, "list": approval.list, "decision": number, "replaces": new.replaces, "changes": changes,
        "selection": approval.selection, "run": run.map(|run| run.0), "entered_by": new.entered_by,
    });
    let action = match new.verdict {
        Verdict::Approve => "approve updates",
        Verdict::Reject => "reject updates",
    };
    let (actor, customer, reason) = (approval.by.as_str(), Some(new.customer), approval.note.as_deref());
    note(connection, &Entry { actor, action, customer, occurrence, reason, detail: &detail }).await?;
    Ok(Decided::Kept(DecisionNumber(number)))
}

async fn is_ahead(connection: &mut PgConnection, occurrence: OccurrenceId) -> Result<bool, Error> {
    let row = sqlx::query_scalar!(
        "select id from occurrence where id = $1 and state in ('planned', 'announced', 'confirmed') for share",
        occurrence.0,
    );
    Ok(row.fetch_optional(connection).await?.is_some())
}

async fn give_way(connection: &mut PgConnection, replaced: DecisionNumber) -> Result<bool, Error> {
    let given = sqlx::query!(
        "update decision set replaced_at = clock_timestamp() where number = $1 and replaced_at is null",
        replaced.0,
    );
    Ok(given.execute(connection).await?.rows_affected() == 1)
}

/// `None`: the unique index says that another stands.
async fn insert(
    connection: &mut PgConnection,
    new: &NewDecision<'_>,
    (occurrence, run): (Option<OccurrenceId>, Option<RunId>),
) -> Result<Option<i64>, Error> {
    let approval = new.approval;
    let selection = write_json("decision.selection", &approval.selection)?;
    let changes = write_json("decision.changes", &approval.changes)?;
    let number = sqlx::query_scalar!(
        "insert into decision (collection, occurrence, run, verdict, decided_at, decided_by, note, selection, changes, list_hash,
                               replaces)
         values ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9::text::json, $10, $11)
         on conflict do nothing
         returning number",
        new.collection.0,
        occurrence.map(|occurrence| occurrence.0),
        run.map(|run| run.0),
        new.verdict.as_str(),
        approval.at.to_sqlx() as _,
        approval.by,
        approval.note,
        selection,
        changes,
        approval.list.as_str(),
        new.replaces.map(|replaced| replaced.0),
    );
    Ok(number.fetch_optional(connection).await?)
}

/// The standing decision on a date.
///
/// # Errors
/// If the database can't be used.
pub async fn find_standing(
    connection: &mut PgConnection,
    occurrence: OccurrenceId,
) -> Result<Option<StoredDecision>, Error> {
    let row = select_decisions!("where occurrence = $1 and replaced_at is null", occurrence.0);
    row.fetch_optional(connection).await?.map(StoredDecision::try_from).transpose()
}

/// All decisions on a date, the latest first.
///
/// # Errors
/// If the database can't be used.
pub async fn list_decisions(
    connection: &mut PgConnection,
    occurrence: OccurrenceId,
) -> Result<Vec<StoredDecision>, Error> {
    let rows = select_decisions!("where occurrence = $1 order by number desc", occurrence.0);
    rows.fetch_all(connection).await?.into_iter().map(StoredDecision::try_from).collect()
}

/// What stands for a date when it is to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Review {
    /// Somebody decided.
    Decided(StoredDecision),
    /// Nobody did; this was found last.
    Undecided(StoredCollection),
    /// Nobody did, and nobody has looked.
    NotCollected,
}

/// What stands for a date.
///
/// # Errors
/// If the database can't be used.
pub async fn find_review(connection: &mut PgConnection, occurrence: OccurrenceId) -> Result<Review, Error> {
    if let Some(decision) = find_standing(connection, occurrence).await? {
        return Ok(Review::Decided(decision));
    }
    let newest = super::find_newest_for(connection, occurrence).await?;
    Ok(newest.map_or(Review::NotCollected, Review::Undecided))
}

/// A row of `decision`.
struct Row {
    number: i64,
    collection: i64,
    verdict: String,
    decided_at: jiff_sqlx::Timestamp,
    decided_by: String,
    note: Option<String>,
    selection: String,
    changes: String,
    list_hash: String,
    replaces: Option<i64>,
    replaced_at: Option<jiff_sqlx::Timestamp>,
}

impl TryFrom<Row> for StoredDecision {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let selection = serde_json::from_str(&row.selection);
        let changes = serde_json::from_str(&row.changes);
        Ok(Self {
            number: DecisionNumber(row.number),
            collection: CollectionNumber(row.collection),
            verdict: read_word("decision.verdict", &row.verdict)?,
            at: row.decided_at.to_jiff(),
            by: row.decided_by,
            note: row.note,
            selection: selection.map_err(|source| Error::unreadable("decision.selection", source))?,
            changes: changes.map_err(|source| Error::unreadable("decision.changes", source))?,
            list: read_hash("decision.list_hash", &row.list_hash)?,
            replaces: row.replaces.map(DecisionNumber),
            replaced_at: row.replaced_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}
