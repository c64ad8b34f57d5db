//! Asks the team to review pending updates, so long before an occurrence as its window says.

use jiff::Timestamp;
use serde_json::json;

use super::Daemon;
use super::tick::Worked;
use crate::domain::notification::Kind;
use crate::edge::store::notification::{Message, tell};
use crate::edge::store::occurrence::claim::{claim_reviews, set_review};

/// So many in one transaction.
const AT_ONCE: u32 = 100;

/// Asks for all reviews that are due.
///
/// # Errors
/// If the database can't be used.
pub async fn tick(daemon: &Daemon, now: Timestamp) -> anyhow::Result<Worked> {
    let mut worked = Worked::Nothing;
    loop {
        let mut transaction = daemon.store.begin().await?;
        let due = claim_reviews(&mut transaction, now, AT_ONCE).await?;
        if due.is_empty() {
            transaction.commit().await?;
            return Ok(worked);
        }
        for occurrence in &due {
            let message =
                Message { kind: Kind::ReviewNeeded, occurrence: occurrence.id, lead: None, detail: &json!({}) };
            tell(&mut transaction, &message).await?;
            set_review(&mut transaction, occurrence.id, None).await?;
        }
        transaction.commit().await?;
        worked = Worked::Something;
    }
}
