//! Messages as rows, made in the transaction of their cause; how they are sent is in [`lease`] and [`attempt`].
//!
//! Knows who gets which kind; does not know how a message is worded or sent. Invariant: each recipient gets each message once, by the
//! unique key: kind, occurrence with its sequence (or run), lead, and the address in lower case.

pub mod of_run;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::error::Error;
use super::run::{RunNumber, read_name, read_word, write_json};
use crate::domain::id::{Name, NotificationId, OccurrenceId};
use crate::domain::inventory::{CalendarEntry, Locale, Receives};
use crate::domain::notification::{Delivery, Kind, Team};

/// All columns of a notification with the names of what it is about, and what follows.
macro_rules! select_notifications {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::edge::store::notification::Row,
            r#"select notification.id, notification.number, kind, notification.customer, notification.occurrence, notification.sequence,
                      occurrence.window_name as "window_name?", occurrence.local_start as "local_start?: jiff_sqlx::DateTime",
                      run.number as "run?", recipient, recipient_name, locale, calendar, detail as "detail: sqlx::types::Json<serde_json::Value>",
                      notification.state, notification.created_at as "created_at: jiff_sqlx::Timestamp", attempts, refusals,
                      not_before as "not_before: jiff_sqlx::Timestamp", leased_by,
                      leased_until as "leased_until: jiff_sqlx::Timestamp", message_id, last_error,
                      ended_at as "ended_at: jiff_sqlx::Timestamp"
               from notification
               left join occurrence on occurrence.id = notification.occurrence
               left join run on run.id = notification.run "# + $rest
            $(, $argument)*
        )
    };
}

pub mod attempt;
pub mod desk;
pub mod ending;
pub mod lease;

/// Something to tell about an occurrence.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// What about.
    pub kind: Kind,
    /// Which.
    pub occurrence: OccurrenceId,
    /// What tells messages of one kind about one occurrence apart: `2d` of a reminder.
    pub lead: Option<&'a str>,
    /// What the text needs beyond the occurrence: a JSON object.
    pub detail: &'a Value,
}

/// Makes one row for each contact that gets messages of this kind. Returns how many were made: who has this message already gets no
/// other.
///
/// # Errors
/// If the database can't be used.
pub async fn tell(connection: &mut PgConnection, message: &Message<'_>) -> Result<u64, Error> {
    let audience = message.kind.audience();
    let detail = write_json("notification.detail", message.detail)?;
    // The customer's own contact comes first, should the team have the same address.
    let told = sqlx::query!(
        "insert into notification (kind, customer, occurrence, sequence, run, recipient, recipient_name, locale, calendar, detail,
                                   dedupe_key)
         select $1::text, occurrence.customer, occurrence.id, occurrence.sequence, run.id, contact.email, contact.name,
                contact.locale, contact.calendar, $4::text::json,
                concat_ws(':', $1, occurrence.id, occurrence.sequence, $3::text, lower(contact.email))
         from occurrence
         left join run on run.occurrence = occurrence.id
         join contact on coalesce(contact.customer, '') in (occurrence.customer, '')
         where occurrence.id = $2
           and ((contact.customer is not null and $5::text = any(contact.receives))
             or (contact.customer is null and $6 and 'team' = any(contact.receives)))
         order by contact.customer nulls last
         on conflict (dedupe_key) do nothing",
        message.kind.as_str(),
        message.occurrence.0,
        message.lead,
        detail,
        audience.contacts.map(Receives::as_str),
        audience.team == Team::Told,
    )
    .execute(&mut *connection)
    .await?;
    hint(connection, told.rows_affected()).await
}

/// Wakes whoever sends, if there is something new. A hint only: who misses it looks every few seconds.
pub(super) async fn hint(connection: &mut PgConnection, told: u64) -> Result<u64, Error> {
    if told > 0 {
        sqlx::query!("select pg_notify('turnus_outbox', '')").execute(connection).await?;
    }
    Ok(told)
}

/// Takes back what was to be told ahead of an occurrence that does not come as it was announced, as far as it is not sent. Returns
/// how many messages.
///
/// # Errors
/// If the database can't be used.
pub async fn withdraw(connection: &mut PgConnection, occurrence: OccurrenceId) -> Result<u64, Error> {
    let withdrawn = sqlx::query!(
        "update notification set state = 'cancelled', ended_at = now()
         where occurrence = $1 and state = 'due' and kind in ('announcement', 'reminder', 'review_needed', 'review_reminder')",
        occurrence.0,
    )
    .execute(connection)
    .await?;
    Ok(withdrawn.rows_affected())
}

/// A message, with what is needed to tell which occurrence or run it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredNotification {
    /// Its identity.
    pub id: NotificationId,
    /// What people call it.
    pub number: i64,
    /// What about.
    pub kind: Kind,
    /// About whose; `None`: nobody in particular.
    pub customer: Option<Name>,
    /// About which occurrence.
    pub occurrence: Option<OccurrenceId>,
    /// Its sequence when the message was made.
    pub sequence: Option<u32>,
    /// Its window.
    pub window: Option<Name>,
    /// Its opening on the wall.
    pub local_start: Option<DateTime>,
    /// About which run.
    pub run: Option<RunNumber>,
    /// Mail address.
    pub recipient: String,
    /// Name as it stands in letters.
    pub recipient_name: String,
    /// Language of the recipient.
    pub locale: Locale,
    /// How dates come to the recipient's calendar.
    pub calendar: CalendarEntry,
    /// What the text needs beyond the occurrence.
    pub detail: Value,
    /// Where it stands.
    pub state: Delivery,
    /// When it was made.
    pub created_at: Timestamp,
    /// How its sending fares.
    pub sending: Sending,
}

/// What has come of the attempts to send a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// How often it was taken to be sent.
    pub attempts: u32,
    /// How often in a row a mail server did not take it.
    pub refusals: u32,
    /// It is not sent earlier.
    pub not_before: Timestamp,
    /// Who sends it now, and until when nobody else may.
    pub lease: Option<(String, Timestamp)>,
    /// The same in all attempts, without brackets (RFC 5322, section 3.6.4); `None` before the first.
    pub message_id: Option<String>,
    /// Why the last attempt failed, or why it is not sent.
    pub last_error: Option<String>,
    /// When it was sent, given up or cancelled.
    pub ended_at: Option<Timestamp>,
}

/// Which messages to list.
#[derive(Debug, Clone, Copy)]
pub struct NotificationFilter<'a> {
    /// About one customer only.
    pub customer: Option<&'a Name>,
    /// About one occurrence only.
    pub occurrence: Option<OccurrenceId>,
    /// In one state only.
    pub state: Option<Delivery>,
    /// At most so many.
    pub limit: u32,
}

/// Messages, the latest first.
///
/// # Errors
/// If the database can't be used.
pub async fn list_notifications(
    connection: &mut PgConnection,
    filter: NotificationFilter<'_>,
) -> Result<Vec<StoredNotification>, Error> {
    let rows = select_notifications!(
        "where ($1::text is null or notification.customer = $1) and ($2::uuid is null or notification.occurrence = $2)
             and ($3::text is null or notification.state = $3)
           order by notification.number desc
           limit $4",
        filter.customer.map(Name::as_str),
        filter.occurrence.map(|occurrence| occurrence.0),
        filter.state.map(Delivery::as_str),
        i64::from(filter.limit),
    );
    rows.fetch_all(connection).await?.into_iter().map(StoredNotification::try_from).collect()
}

/// The message that people call `number`.
///
/// # Errors
/// If the database can't be used.
pub async fn find_notification(
    connection: &mut PgConnection,
    number: i64,
) -> Result<Option<StoredNotification>, Error> {
    let row = select_notifications!("where notification.number = $1", number,);
    row.fetch_optional(connection).await?.map(StoredNotification::try_from).transpose()
}

/// A row of `notification`, with names.
struct Row {
    id: sqlx::types::Uuid,
    number: i64,
    kind: String,
    customer: Option<String>,
    occurrence: Option<sqlx::types::Uuid>,
    sequence: Option<i32>,
    window_name: Option<String>,
    local_start: Option<jiff_sqlx::DateTime>,
    run: Option<i64>,
    recipient: String,
    recipient_name: String,
    locale: String,
    calendar: String,
    detail: Json<Value>,
    state: String,
    created_at: jiff_sqlx::Timestamp,
    attempts: i32,
    refusals: i32,
    not_before: jiff_sqlx::Timestamp,
    leased_by: Option<String>,
    leased_until: Option<jiff_sqlx::Timestamp>,
    message_id: Option<String>,
    last_error: Option<String>,
    ended_at: Option<jiff_sqlx::Timestamp>,
}

impl TryFrom<Row> for StoredNotification {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let to_jiff = jiff_sqlx::Timestamp::to_jiff;
        Ok(Self {
            id: NotificationId(row.id),
            number: row.number,
            kind: read_word("notification.kind", &row.kind)?,
            customer: row.customer.map(|name| read_name("notification.customer", &name)).transpose()?,
            occurrence: row.occurrence.map(OccurrenceId),
            sequence: row.sequence.map(i32::unsigned_abs),
            window: row.window_name.map(|name| read_name("occurrence.window_name", &name)).transpose()?,
            local_start: row.local_start.map(jiff_sqlx::DateTime::to_jiff),
            run: row.run.map(RunNumber),
            recipient: row.recipient,
            recipient_name: row.recipient_name,
            locale: read_word("notification.locale", &row.locale)?,
            calendar: read_word("notification.calendar", &row.calendar)?,
            detail: row.detail.0,
            state: read_word("notification.state", &row.state)?,
            created_at: row.created_at.to_jiff(),
            sending: Sending {
                attempts: row.attempts.unsigned_abs(),
                refusals: row.refusals.unsigned_abs(),
                not_before: row.not_before.to_jiff(),
                lease: row.leased_by.zip(row.leased_until.map(to_jiff)),
                message_id: row.message_id,
                last_error: row.last_error,
                ended_at: row.ended_at.map(to_jiff),
            },
        })
    }
}
