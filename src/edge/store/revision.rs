//! The exact content of the files that runs are made from.

use serde::Deserialize;
use sqlx::PgConnection;

use super::error::Error;
use crate::domain::id::ContentHash;

/// Which file a revision is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevisionKind {
    /// `inventories/<customer>.toml`.
    Inventory,
    /// `jobs/<job>.toml`.
    Job,
    /// `turnus.toml`.
    Settings,
    /// `calendars/<name>.ics`.
    Calendar,
}

impl RevisionKind {
    /// The word in the tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Job => "job",
            Self::Settings => "settings",
            Self::Calendar => "calendar",
        }
    }
}

/// A file as it was.
#[derive(Debug, Clone, Copy)]
pub struct Revision<'a> {
    /// Hash of `content`.
    pub hash: &'a ContentHash,
    /// Which file.
    pub kind: RevisionKind,
    /// The file's stem.
    pub name: &'a str,
    /// All of it.
    pub content: &'a str,
}

/// Keeps `revision`. One that is kept already stays as it is: the same hash is the same content.
///
/// # Errors
/// If the database can't be used, or if the content holds U+0000, which no text in Postgres can.
pub async fn store_revision(connection: &mut PgConnection, revision: &Revision<'_>) -> Result<(), Error> {
    if revision.content.contains('\0') {
        return Err(Error::unreadable("revision.content", "it holds the character U+0000"));
    }
    sqlx::query!(
        "insert into revision (hash, kind, name, content) values ($1, $2, $3, $4) on conflict (hash) do nothing",
        revision.hash.as_str(),
        revision.kind.as_str(),
        revision.name,
        revision.content,
    )
    .execute(connection)
    .await?;
    Ok(())
}
