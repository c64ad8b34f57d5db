//! What `turnus apply` published last: the catalog of every daemon, and who is told.
//!
//! Does not know what the contents mean. Invariant: what is applied is a stored revision.

pub mod contact;
pub mod publish;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

use super::error::Error;
use super::revision::RevisionKind;
use super::run::{read_hash, read_name, read_word};
use crate::domain::id::{ContentHash, Name};

/// A file as it holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Which file.
    pub kind: RevisionKind,
    /// The file's stem.
    pub name: String,
    /// Hash of `content`.
    pub hash: ContentHash,
    /// All of it.
    pub content: String,
    /// Since when.
    pub applied_at: Timestamp,
    /// Who applied it.
    pub applied_by: String,
    /// For inventories: occurrences are there up to here.
    pub materialised_until: Option<Timestamp>,
    /// For inventories: why the daemon can't use it, if it can't.
    pub fault: Option<String>,
}

/// Wakes who listens on `turnus_calendar`: however often within a transaction, one hint arrives.
async fn wake_if(connection: &mut PgConnection, changed: u64) -> Result<(), Error> {
    if changed > 0 {
        sqlx::query!("select pg_notify('turnus_calendar', '')").execute(connection).await?;
    }
    Ok(())
}

/// One published file.
///
/// # Errors
/// If the database can't be used.
pub async fn find_applied(
    connection: &mut PgConnection,
    kind: RevisionKind,
    name: &str,
) -> Result<Option<Applied>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select applied.kind, applied.name, revision, content, applied_at as "applied_at: jiff_sqlx::Timestamp", applied_by,
                  materialised_until as "materialised_until: jiff_sqlx::Timestamp", fault
           from applied join revision on revision.hash = applied.revision
           where applied.kind = $1 and applied.name = $2"#,
        kind.as_str(),
        name,
    );
    row.fetch_optional(connection).await?.map(Applied::try_from).transpose()
}

/// Notes why the daemon can't use a customer's inventory, which it then leaves alone until something is applied; `None`: it can.
///
/// # Errors
/// If the database can't be used.
pub async fn set_fault(connection: &mut PgConnection, customer: &Name, fault: Option<&str>) -> Result<(), Error> {
    sqlx::query!(
        "update applied set fault = $2 where kind = 'inventory' and name = $1 and fault is distinct from $2",
        customer.as_str(),
        fault,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Customers whose inventory the daemon can't use, and why, by name.
///
/// # Errors
/// If the database can't be used.
pub async fn list_faults(connection: &mut PgConnection) -> Result<Vec<(Name, String)>, Error> {
    let rows = sqlx::query!(
        r#"select name, fault as "fault!" from applied where kind = 'inventory' and fault is not null order by name"#,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| Ok((read_name("applied.name", &row.name)?, row.fault))).collect()
}

/// Lets the daemons try those customers again that they could not use. Returns how many there were.
///
/// # Errors
/// If the database can't be used.
pub async fn clear_faults(connection: &mut PgConnection) -> Result<u64, Error> {
    let cleared = sqlx::query!("update applied set fault = null where kind = 'inventory' and fault is not null");
    Ok(cleared.execute(connection).await?.rows_affected())
}

/// Customers whose occurrences end before `before`, those without any first, then those that end soonest.
///
/// # Errors
/// If the database can't be used.
pub async fn list_to_extend(connection: &mut PgConnection, before: Timestamp, limit: u32) -> Result<Vec<Name>, Error> {
    // Two looks into the index rather than one condition that would make it useless.
    let names = sqlx::query_scalar!(
        r#"(select name as "name!" from applied where kind = 'inventory' and fault is null and materialised_until is null limit $2)
           union all
           (select name from applied where kind = 'inventory' and fault is null and materialised_until < $1
            order by materialised_until limit $2)
           limit $2"#,
        before.to_sqlx() as _,
        i64::from(limit),
    );
    names.fetch_all(connection).await?.iter().map(|name| read_name("applied.name", name)).collect()
}

/// A row of `applied` with its revision's content.
struct Row {
    kind: String,
    name: String,
    revision: String,
    content: String,
    applied_at: jiff_sqlx::Timestamp,
    applied_by: String,
    materialised_until: Option<jiff_sqlx::Timestamp>,
    fault: Option<String>,
}

impl TryFrom<Row> for Applied {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            kind: read_word("applied.kind", &row.kind)?,
            name: row.name,
            hash: read_hash("applied.revision", &row.revision)?,
            content: row.content,
            applied_at: row.applied_at.to_jiff(),
            applied_by: row.applied_by,
            materialised_until: row.materialised_until.map(jiff_sqlx::Timestamp::to_jiff),
            fault: row.fault,
        })
    }
}
