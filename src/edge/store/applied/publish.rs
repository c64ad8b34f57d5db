//! Files as `turnus apply` publishes them: many at once in a few statements, however many customers there are.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

use super::super::error::Error;
use super::super::revision::{Revision, RevisionKind};
use super::super::run::{read_hash, read_word};
use super::wake_if;
use crate::domain::id::{ContentHash, Name};

/// Names the lock among all advisory locks of the database: `apply` in ASCII.
const PUBLISHING: i64 = 0x61_7070_6c79;

/// Waits until nobody else publishes, and keeps others out until this transaction ends.
///
/// # Errors
/// If the database can't be used, or somebody else takes too long.
pub async fn lock_publishing(connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!("select pg_advisory_xact_lock($1)", PUBLISHING).execute(connection).await?;
    Ok(())
}

/// Waits until nobody publishes, and keeps who would out until this transaction ends: what is read from now on holds together. Others
/// may hold this lock at the same time.
///
/// # Errors
/// If the database can't be used, or somebody publishes for too long.
pub async fn lock_published(connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!("select pg_advisory_xact_lock_shared($1)", PUBLISHING).execute(connection).await?;
    Ok(())
}

/// Everything that is published, without its content: kind, name and hash.
///
/// # Errors
/// If the database can't be used.
pub async fn list_published(connection: &mut PgConnection) -> Result<Vec<(RevisionKind, String, ContentHash)>, Error> {
    let rows = sqlx::query_as!(Published, "select kind, name, revision from applied order by kind, name");
    let read = |row: Published| {
        Ok((read_word("applied.kind", &row.kind)?, row.name, read_hash("applied.revision", &row.revision)?))
    };
    rows.fetch_all(connection).await?.into_iter().map(read).collect()
}

/// A row of `applied`.
struct Published {
    kind: String,
    name: String,
    revision: String,
}

/// Keeps the contents, as [`super::super::revision::store_revision`] does, and publishes them. Returns how many were published with
/// another content than before: those start afresh, without fault and with dates to be looked at again.
///
/// # Errors
/// If the database can't be used, or if a content holds U+0000, which no text in Postgres can.
pub async fn publish_all(connection: &mut PgConnection, revisions: &[Revision<'_>], by: &str) -> Result<u64, Error> {
    if revisions.iter().any(|revision| revision.content.contains('\0')) {
        return Err(Error::unreadable("revision.content", "it holds the character U+0000"));
    }
    let kinds: Vec<&str> = revisions.iter().map(|revision| revision.kind.as_str()).collect();
    let names: Vec<&str> = revisions.iter().map(|revision| revision.name).collect();
    let hashes: Vec<&str> = revisions.iter().map(|revision| revision.hash.as_str()).collect();
    let contents: Vec<&str> = revisions.iter().map(|revision| revision.content).collect();
    sqlx::query!(
        "insert into revision (hash, kind, name, content)
         select hash, kind, name, content
         from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as new (hash, kind, name, content)
         on conflict (hash) do nothing",
        &hashes as &[&str],
        &kinds as &[&str],
        &names as &[&str],
        &contents as &[&str],
    )
    .execute(&mut *connection)
    .await?;
    let published = sqlx::query!(
        "insert into applied (kind, name, revision, applied_at, applied_by)
         select kind, name, revision, clock_timestamp(), $4
         from unnest($1::text[], $2::text[], $3::text[]) as new (kind, name, revision)
         on conflict (kind, name) do update
         set revision = excluded.revision, applied_at = excluded.applied_at, applied_by = excluded.applied_by,
             materialised_until = null, fault = null
         where applied.revision <> excluded.revision",
        &kinds as &[&str],
        &names as &[&str],
        &hashes as &[&str],
        by,
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    wake_if(connection, published).await?;
    Ok(published)
}

/// Withdraws files of one kind. Returns how many were published.
///
/// # Errors
/// If the database can't be used.
pub async fn remove_all(connection: &mut PgConnection, kind: RevisionKind, names: &[&str]) -> Result<u64, Error> {
    let removed =
        sqlx::query!("delete from applied where kind = $1 and name = any($2)", kind.as_str(), names as &[&str])
            .execute(&mut *connection)
            .await?
            .rows_affected();
    wake_if(connection, removed).await?;
    Ok(removed)
}

/// Notes that the occurrences of these customers are there up to `until`: whatever stood against it is gone.
///
/// # Errors
/// If the database can't be used.
pub async fn set_all_materialised(
    connection: &mut PgConnection,
    customers: &[&Name],
    until: Timestamp,
) -> Result<(), Error> {
    let names: Vec<&str> = customers.iter().map(|name| name.as_str()).collect();
    sqlx::query!(
        "update applied set materialised_until = $2, fault = null where kind = 'inventory' and name = any($1)",
        &names as &[&str],
        until.to_sqlx() as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}
