//! What was pending on customers' hosts, each time that somebody looked.
//!
//! Knows how a collection lies in columns; what it says, [`crate::domain::review`] knows. Rows are never changed: the newest counts.

use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::error::Error;
use super::run::{read_hash, read_name, write_json};
use crate::domain::id::{ContentHash, Name, OccurrenceId};
use crate::domain::review::Collection;

pub mod decision;

/// Number of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct CollectionNumber(pub i64);

impl std::fmt::Display for CollectionNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

/// All columns of a collection, `from collection`, and what follows.
macro_rules! select_collections {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select number, customer, occurrence, collected_at as "collected_at: jiff_sqlx::Timestamp", collected_by, list_hash,
                      findings::text as "findings!"
               from collection "# + $rest
            $(, $argument)*
        )
    };
}

/// A collection as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCollection {
    /// Grows.
    pub number: CollectionNumber,
    /// Whose hosts.
    pub customer: Name,
    /// For which date; `None`: for none in particular, or for a run by hand.
    pub occurrence: Option<OccurrenceId>,
    /// When, by the database's clock.
    pub collected_at: Timestamp,
    /// A person, or a controller.
    pub collected_by: String,
    /// Hash of the list that a person decides on.
    pub list: ContentHash,
    /// What was found.
    pub findings: Collection,
}

/// A collection to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewCollection<'a> {
    /// Whose hosts.
    pub customer: &'a Name,
    /// For which date.
    pub occurrence: Option<OccurrenceId>,
    /// A person, or a controller.
    pub by: &'a str,
    /// What was found.
    pub findings: &'a Collection,
}

/// Stores what was found.
///
/// # Errors
/// If the database can't be used.
pub async fn store_collection(
    connection: &mut PgConnection,
    new: &NewCollection<'_>,
) -> Result<CollectionNumber, Error> {
    let findings = write_json("collection.findings", new.findings)?;
    let list = new.findings.hash();
    let number = sqlx::query_scalar!(
        "insert into collection (customer, occurrence, collected_by, list_hash, findings)
         values ($1, $2, $3, $4, $5::text::json)
         returning number",
        new.customer.as_str(),
        new.occurrence.map(|occurrence| occurrence.0),
        new.by,
        list.as_str(),
        findings,
    );
    Ok(CollectionNumber(number.fetch_one(connection).await?))
}

/// The newest collection for a date.
///
/// # Errors
/// If the database can't be used.
pub async fn find_newest_for(
    connection: &mut PgConnection,
    occurrence: OccurrenceId,
) -> Result<Option<StoredCollection>, Error> {
    let row = select_collections!("where occurrence = $1 order by number desc limit 1", occurrence.0);
    row.fetch_optional(connection).await?.map(StoredCollection::try_from).transpose()
}

/// The newest collection of a customer, for whatever it was made.
///
/// # Errors
/// If the database can't be used.
pub async fn find_newest_of(connection: &mut PgConnection, customer: &Name) -> Result<Option<StoredCollection>, Error> {
    let row = select_collections!("where customer = $1 order by number desc limit 1", customer.as_str());
    row.fetch_optional(connection).await?.map(StoredCollection::try_from).transpose()
}

/// The collection of this number.
///
/// # Errors
/// If the database can't be used.
pub async fn find_collection(
    connection: &mut PgConnection,
    number: CollectionNumber,
) -> Result<Option<StoredCollection>, Error> {
    let row = select_collections!("where number = $1", number.0);
    row.fetch_optional(connection).await?.map(StoredCollection::try_from).transpose()
}

/// What `later` is to be compared with: the collection before it for the same date; if there is none, the customer's newest before it.
///
/// # Errors
/// If the database can't be used.
pub async fn find_before(
    connection: &mut PgConnection,
    later: &StoredCollection,
) -> Result<Option<StoredCollection>, Error> {
    let row = select_collections!(
        "where customer = $1 and number < $2
         order by occurrence is not distinct from $3::uuid desc, number desc
         limit 1",
        later.customer.as_str(),
        later.number.0,
        later.occurrence.map(|occurrence| occurrence.0),
    );
    row.fetch_optional(connection).await?.map(StoredCollection::try_from).transpose()
}

/// A row of `collection`.
struct Row {
    number: i64,
    customer: String,
    occurrence: Option<Uuid>,
    collected_at: jiff_sqlx::Timestamp,
    collected_by: String,
    list_hash: String,
    findings: String,
}

impl TryFrom<Row> for StoredCollection {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let findings = serde_json::from_str(&row.findings);
        Ok(Self {
            number: CollectionNumber(row.number),
            customer: read_name("collection.customer", &row.customer)?,
            occurrence: row.occurrence.map(OccurrenceId),
            collected_at: row.collected_at.to_jiff(),
            collected_by: row.collected_by,
            list: read_hash("collection.list_hash", &row.list_hash)?,
            findings: findings.map_err(|source| Error::unreadable("collection.findings", source))?,
        })
    }
}
