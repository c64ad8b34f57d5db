//! `WINDOW@DATE`: a stored date as people name it, by the day on which it opens or by the day that its rule gives.

use std::str::FromStr;

use anyhow::anyhow;
use jiff::Timestamp;

use super::moment::Moment;
use crate::app::calendar::publish::{Act, PublishError};
use crate::app::cli::context::person;
use crate::app::cli::dates::moment;
use crate::app::cli::exit::Failure;
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::occurrence::OccurrenceState;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::audit::{Entry, note};
use crate::edge::store::occurrence::{History, OccurrenceFilter, StoredOccurrence, list_occurrences};

/// What people type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::app::cli) struct Named {
    window: Name,
    date: Moment,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (window, date) = text.split_once('@').ok_or("write WINDOW@DATE, as `quarterly@2027-03-26`")?;
        Ok(Self {
            window: window.parse().map_err(|error: crate::domain::id::NotAName| error.to_string())?,
            date: date.parse()?,
        })
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.date {
            Moment::Day(day) => write!(f, "{}@{day}", self.window),
            Moment::Time(time) => write!(f, "{}@{time}", self.window),
        }
    }
}

impl Named {
    fn is(&self, row: &StoredOccurrence) -> bool {
        let is_meant = |local: jiff::civil::DateTime| match self.date {
            Moment::Day(day) => local.date() == day,
            Moment::Time(time) => local == time,
        };
        is_meant(row.local_start) || is_meant(row.recurrence_id)
    }
}

/// A customer's name; its file may be gone.
pub(in crate::app::cli) fn customer_name(text: &str) -> Result<Name, Failure> {
    text.parse().map_err(|error: crate::domain::id::NotAName| Failure::usage(error))
}

/// All rows of the window, moved ones as well, by their start.
pub(in crate::app::cli) async fn list_window(
    connection: &mut DatabaseConnection,
    customer: &Name,
    named: &Named,
) -> Result<Vec<StoredOccurrence>, Failure> {
    let filter = OccurrenceFilter {
        customer: Some(customer),
        window: Some(&named.window),
        from: None,
        until: None,
        history: History::With,
        limit: None,
    };
    Ok(list_occurrences(connection, filter).await?)
}

/// The one date that is meant among those that may still begin.
pub(in crate::app::cli) fn find_ahead<'r>(
    rows: &'r [StoredOccurrence],
    customer: &Name,
    named: &Named,
) -> Result<&'r StoredOccurrence, Failure> {
    let meant = || rows.iter().filter(|row| named.is(row));
    let ahead: Vec<_> = meant().filter(|row| row.state.is_ahead()).collect();
    match (ahead.as_slice(), meant().next_back()) {
        ([only], _) => Ok(only),
        ([], None) => Err(Failure::usage(anyhow!("{customer} has no date `{named}`")).hint(format!(
            "`turnus calendar {customer}` shows them; dates that are not applied can't be changed: `turnus apply`"
        ))),
        ([], Some(row)) => Err(Failure::usage(anyhow!("`{named}` can't be changed any more: {}", stands(row, rows)))),
        (several, _) => Err(Failure::usage(anyhow!("`{named}` may mean {}", list(several)))
            .hint("name it with its time, or by the date that its rule gives, whichever is its own")),
    }
}

/// Every row that is the meant date, or was it before it was moved, or became it.
pub(in crate::app::cli) fn find_all(rows: &[StoredOccurrence], named: &Named) -> Vec<OccurrenceId> {
    let mut found: Vec<OccurrenceId> = rows.iter().filter(|row| named.is(row)).map(|row| row.id).collect();
    loop {
        let count = found.len();
        for row in rows {
            let Some(before) = row.moved_from else { continue };
            match (found.contains(&row.id), found.contains(&before)) {
                (true, false) => found.push(before),
                (false, true) => found.push(row.id),
                _ => {}
            }
        }
        if found.len() == count {
            return found;
        }
    }
}

fn stands(row: &StoredOccurrence, rows: &[StoredOccurrence]) -> String {
    let cause = row.cause.as_deref().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let successor = rows.iter().find(|other| other.moved_from == Some(row.id));
    match (row.state, successor) {
        (OccurrenceState::Moved, Some(successor)) => {
            format!("it was moved to {}{cause}", moment(successor.start, &successor.time_zone))
        }
        (state, _) => format!("it is {state}{cause}"),
    }
}

fn list(rows: &[&StoredOccurrence]) -> String {
    let name = |row: &&StoredOccurrence| {
        format!("{} (rule: {})", moment(row.start, &row.time_zone), row.recurrence_id.strftime("%Y-%m-%dT%H:%M"))
    };
    rows.iter().map(name).collect::<Vec<_>>().join(" or ")
}

/// A reason that says something.
pub(in crate::app::cli) fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("say why, in a few words".to_owned()) } else { Ok(text.to_owned()) }
}

/// Keeps what was done to `row`.
pub(super) async fn keep(
    connection: &mut DatabaseConnection,
    row: &StoredOccurrence,
    action: &str,
    reason: Option<&str>,
    detail: &serde_json::Value,
) -> Result<(), Failure> {
    let (actor, customer, occurrence) = (&person(), Some(&row.customer), Some(row.id));
    note(connection, &Entry { actor, action, customer, occurrence, reason, detail }).await?;
    Ok(())
}

/// The person at the keyboard, at the database's time.
pub(super) fn act(by: &str, now: Timestamp) -> Act<'_> {
    Act { by, now }
}

pub(super) fn explain(error: PublishError) -> Failure {
    match error {
        PublishError::Store(error) => error.into(),
        PublishError::Changed => changed(),
    }
}

/// Somebody else was at the same date.
pub(super) fn changed() -> Failure {
    Failure::usage(anyhow!("the date has changed meanwhile; nothing was done"))
        .hint("`turnus calendar` shows how it stands")
}
