//! The output of steps, as chunks of bytes at offsets.
//!
//! Does not know what is left out or why: a gap between chunks is a gap.

use sqlx::PgConnection;

use super::error::Error;
use crate::domain::id::RunId;
use crate::domain::plan::{HostIndex, StepIndex};

/// A piece of a step's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// Which host.
    pub host: HostIndex,
    /// Which step.
    pub step: StepIndex,
    /// Position of the first byte in the step's whole output.
    pub at_offset: u64,
    /// At least one byte.
    pub content: Vec<u8>,
}

/// Stored output from `from_offset` on, in order, whole chunks until `limit_bytes` are reached: one chunk at least, if there is one.
///
/// # Errors
/// If the database can't be used.
pub async fn read_log(
    connection: &mut PgConnection,
    run: RunId,
    (host, step): (HostIndex, StepIndex),
    from_offset: u64,
    limit_bytes: u64,
) -> Result<Vec<LogChunk>, Error> {
    // The chunk in which `from_offset` lies is found through the key; so following a long log reads only what is new.
    let rows = sqlx::query!(
        r#"select at_offset, content from (
               select at_offset, content,
                      sum(octet_length(content)) over (order by at_offset) - octet_length(content) as bytes_before
               from step_log
               where run_id = $1 and host_index = $2 and step_index = $3 and at_offset + octet_length(content) > $4
                 and at_offset >= coalesce((select max(at_offset) from step_log where run_id = $1 and host_index = $2
                                                and step_index = $3 and at_offset <= $4), 0)
           ) as chunk
           where bytes_before < $5 order by at_offset"#,
        run.0,
        to_index(host.0)?,
        to_index(step.0)?,
        to_offset(from_offset)?,
        to_offset(limit_bytes.min(i64::MAX.unsigned_abs()))? as _,
    )
    .fetch_all(connection)
    .await?;
    let chunks = rows.into_iter().map(|row| {
        let at_offset = row.at_offset.unsigned_abs();
        cut(LogChunk { host, step, at_offset, content: row.content }, from_offset)
    });
    Ok(chunks.collect())
}

/// Where the stored output of a step ends: from here on a follower has to be asked for more.
///
/// # Errors
/// If the database can't be used.
pub async fn find_log_end(
    connection: &mut PgConnection,
    run: RunId,
    (host, step): (HostIndex, StepIndex),
) -> Result<u64, Error> {
    let end = sqlx::query_scalar!(
        r#"select at_offset + octet_length(content) as "end!" from step_log
           where run_id = $1 and host_index = $2 and step_index = $3 order by at_offset desc limit 1"#,
        run.0,
        to_index(host.0)?,
        to_index(step.0)?,
    )
    .fetch_optional(connection)
    .await?;
    Ok(end.unwrap_or_default().unsigned_abs())
}

/// Appends `chunks` in one statement. A chunk that is there already stays: the same offset is the same output.
pub(super) async fn insert_chunks(connection: &mut PgConnection, run: RunId, chunks: &[LogChunk]) -> Result<(), Error> {
    if chunks.is_empty() {
        return Ok(());
    }
    let hosts = chunks.iter().map(|chunk| to_index(chunk.host.0)).collect::<Result<Vec<_>, _>>()?;
    let steps = chunks.iter().map(|chunk| to_index(chunk.step.0)).collect::<Result<Vec<_>, _>>()?;
    let offsets = chunks.iter().map(|chunk| to_offset(chunk.at_offset)).collect::<Result<Vec<_>, _>>()?;
    let contents: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.content.as_slice()).collect();
    sqlx::query!(
        "insert into step_log (run_id, host_index, step_index, at_offset, content)
         select $1, host_index, step_index, at_offset, content
         from unnest($2::int[], $3::int[], $4::bigint[], $5::bytea[]) as chunk (host_index, step_index, at_offset, content)
         on conflict (run_id, host_index, step_index, at_offset) do nothing",
        run.0,
        &hosts,
        &steps,
        &offsets,
        &contents as &[&[u8]],
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn cut(mut chunk: LogChunk, from_offset: u64) -> LogChunk {
    if let Ok(before) = usize::try_from(from_offset.saturating_sub(chunk.at_offset)) {
        chunk.content.drain(..before.min(chunk.content.len()));
        chunk.at_offset = chunk.at_offset.max(from_offset);
    }
    chunk
}

pub(super) fn to_index(position: usize) -> Result<i32, Error> {
    i32::try_from(position).map_err(|source| Error::unreadable("step_log", source))
}

fn to_offset(offset: u64) -> Result<i64, Error> {
    i64::try_from(offset).map_err(|source| Error::unreadable("step_log.at_offset", source))
}
