//! The record of a run: events as rows.
//!
//! Knows how an event is laid out in columns: its kind, host and step for people who ask with SQL, the rest as JSON. Does not know
//! what events mean. Invariant: what is read equals what was written, but for the time, which the database keeps in microseconds.

use jiff_sqlx::ToSqlx;
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::error::Error;
use crate::domain::id::RunId;
use crate::domain::run::event::{Event, Recorded};

const WHAT: &str = "run_event";

/// All events of a run, in order.
///
/// # Errors
/// If the database can't be used, or holds an event that this version does not know.
pub async fn read_events(connection: &mut PgConnection, run: RunId) -> Result<Vec<Recorded>, Error> {
    read_events_after(connection, run, 0).await
}

/// The events of a run behind `seq`, in order.
///
/// # Errors
/// If the database can't be used, or holds an event that this version does not know.
pub async fn read_events_after(connection: &mut PgConnection, run: RunId, seq: i64) -> Result<Vec<Recorded>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select seq, at as "at: jiff_sqlx::Timestamp", host_index, step_index, kind, detail::text as "detail!"
           from run_event where run_id = $1 and seq > $2 order by seq"#,
        run.0,
        seq,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Recorded::try_from).collect()
}

/// Appends `events` in one statement. Those that are there already must be the same: then a COMMIT had happened whose answer was
/// lost.
pub(super) async fn insert_events(connection: &mut PgConnection, run: RunId, events: &[Recorded]) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let columns = Columns::try_from(events)?;
    let inserted = sqlx::query!(
        "insert into run_event (run_id, seq, at, host_index, step_index, kind, detail)
         select $1, seq, at, host_index, step_index, kind, detail::json
         from unnest($2::bigint[], $3::timestamptz[], $4::int[], $5::int[], $6::text[], $7::text[])
              as event (seq, at, host_index, step_index, kind, detail)
         on conflict (run_id, seq) do nothing",
        run.0,
        &columns.seq,
        &columns.at as &[jiff_sqlx::Timestamp],
        &columns.host_index as &[Option<i32>],
        &columns.step_index as &[Option<i32>],
        &columns.kind,
        &columns.detail,
    )
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == events.len() as u64 { Ok(()) } else { check_same(connection, run, events).await }
}

async fn check_same(connection: &mut PgConnection, run: RunId, events: &[Recorded]) -> Result<(), Error> {
    let first = events.iter().map(|recorded| recorded.seq).min().unwrap_or_default();
    let stored = read_events_after(connection, run, first - 1).await?;
    let same = events.iter().all(|wanted| {
        let found = stored.binary_search_by_key(&wanted.seq, |recorded| recorded.seq);
        found.is_ok_and(|index| {
            stored[index].event == wanted.event && stored[index].at.as_microsecond() == wanted.at.as_microsecond()
        })
    });
    if same { Ok(()) } else { Err(Error::Conflict { constraint: "run_event_pkey".to_owned() }) }
}

/// Events turned by 90 degrees.
#[derive(Default)]
struct Columns {
    seq: Vec<i64>,
    at: Vec<jiff_sqlx::Timestamp>,
    host_index: Vec<Option<i32>>,
    step_index: Vec<Option<i32>>,
    kind: Vec<String>,
    detail: Vec<String>,
}

impl TryFrom<&[Recorded]> for Columns {
    type Error = Error;

    fn try_from(events: &[Recorded]) -> Result<Self, Error> {
        let mut columns = Self::default();
        for recorded in events {
            let row = Row::try_from(recorded)?;
            columns.seq.push(row.seq);
            columns.at.push(row.at);
            columns.host_index.push(row.host_index);
            columns.step_index.push(row.step_index);
            columns.kind.push(row.kind);
            columns.detail.push(row.detail);
        }
        Ok(columns)
    }
}

/// A row of `run_event`.
struct Row {
    seq: i64,
    at: jiff_sqlx::Timestamp,
    host_index: Option<i32>,
    step_index: Option<i32>,
    kind: String,
    detail: String,
}

impl TryFrom<&Recorded> for Row {
    type Error = Error;

    fn try_from(recorded: &Recorded) -> Result<Self, Error> {
        let mut rest = match serde_json::to_value(&recorded.event) {
            Ok(Value::Object(rest)) => rest,
            Ok(_) => return Err(Error::unreadable(WHAT, "an event is not an object")),
            Err(source) => return Err(Error::unreadable(WHAT, source)),
        };
        let Some(Value::String(kind)) = rest.remove("kind") else {
            return Err(Error::unreadable(WHAT, "an event has no kind"));
        };
        let host_index = take_index(&mut rest, "host")?;
        let step_index = take_index(&mut rest, "step")?;
        let detail = Value::Object(rest).to_string();
        Ok(Self { seq: recorded.seq, at: recorded.at.to_sqlx(), host_index, step_index, kind, detail })
    }
}

impl TryFrom<Row> for Recorded {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let mut whole: Map<String, Value> =
            serde_json::from_str(&row.detail).map_err(|source| Error::unreadable(WHAT, source))?;
        whole.insert("kind".to_owned(), row.kind.into());
        whole.extend(row.host_index.map(|host| ("host".to_owned(), host.into())));
        whole.extend(row.step_index.map(|step| ("step".to_owned(), step.into())));
        let event: Event =
            serde_json::from_value(Value::Object(whole)).map_err(|source| Error::unreadable(WHAT, source))?;
        Ok(Self { seq: row.seq, at: row.at.to_jiff(), event })
    }
}

fn take_index(rest: &mut Map<String, Value>, key: &str) -> Result<Option<i32>, Error> {
    let Some(value) = rest.remove(key) else { return Ok(None) };
    let index = value.as_i64().and_then(|index| i32::try_from(index).ok());
    index.map(Some).ok_or_else(|| Error::unreadable(WHAT, format!("`{value}` is not the position of a {key}")))
}
