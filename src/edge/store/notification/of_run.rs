//! What is told about a run, whether it was for an occurrence or by hand.

use serde_json::Value;
use sqlx::PgConnection;

use super::super::error::Error;
use super::super::run::write_json;
use super::hint;
use crate::domain::id::RunId;
use crate::domain::inventory::Receives;
use crate::domain::notification::{Kind, Team};

/// Something to tell about a run.
#[derive(Debug, Clone, Copy)]
pub struct RunMessage<'a> {
    /// What about.
    pub kind: Kind,
    /// Which.
    pub run: RunId,
    /// What the text needs beyond the run: a JSON object.
    pub detail: &'a Value,
}

/// Makes one row for each contact that gets messages of this kind. Returns how many were made: who has this message already gets no
/// other.
///
/// # Errors
/// If the database can't be used.
pub async fn tell_of_run(connection: &mut PgConnection, message: &RunMessage<'_>) -> Result<u64, Error> {
    let audience = message.kind.audience();
    let detail = write_json("notification.detail", message.detail)?;
    let told = sqlx::query!(
        "insert into notification (kind, customer, occurrence, run, recipient, recipient_name, locale, calendar, detail, dedupe_key)
         select $1::text, run.customer, run.occurrence, run.id, contact.email, contact.name, contact.locale, contact.calendar,
                $3::text::json, concat_ws(':', $1, run.id, lower(contact.email))
         from run join contact on coalesce(contact.customer, '') in (run.customer, '')
         where run.id = $2
           and ((contact.customer is not null and $4::text = any(contact.receives))
             or (contact.customer is null and $5 and 'team' = any(contact.receives)))
         order by contact.customer nulls last
         on conflict (dedupe_key) do nothing",
        message.kind.as_str(),
        message.run.0,
        detail,
        audience.contacts.map(Receives::as_str),
        audience.team == Team::Told,
    )
    .execute(&mut *connection)
    .await?;
    hint(connection, told.rows_affected()).await
}
