//! Makes the messages that tell customers what was done in a month, quarter or year, once it is over.
//!
//! Which period is due is [`crate::domain::period::due`]'s to say; the report itself is written when the message is sent.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Daemon;
use super::tick::Worked;
use crate::domain::calendar::zone::named;
use crate::domain::period::{Period, due};
use crate::edge::store::period::{Told, list_wishes, tell_period};

/// Tells whoever is to be told.
///
/// # Errors
/// If the database can't be used.
pub async fn tick(daemon: &Daemon, now: Timestamp) -> anyhow::Result<Worked> {
    let wishes = list_wishes(&mut *daemon.store.begin().await?).await?;
    let mut worked = Worked::Nothing;
    for (wish, period) in wishes.iter().filter_map(|wish| Some((wish, to_tell(wish, now)?))) {
        let mut transaction = daemon.store.begin().await?;
        let Some(messages) = tell_period(&mut transaction, wish, period).await? else { continue };
        transaction.commit().await?;
        let (customer, period) = (wish.customer.as_str(), period.to_string());
        tracing::info!(customer, period, messages, "a period is over: its report is to be sent");
        worked = Worked::Something;
    }
    Ok(worked)
}

fn to_tell(wish: &Told, now: Timestamp) -> Option<Period> {
    let zone = named(&wish.time_zone).unwrap_or(TimeZone::UTC);
    due(wish.length, now, &zone, wish.since).filter(|period| wish.told.as_ref() != Some(&period.to_string()))
}
