//! What people do with messages: have them tried again, have them not sent, look how all of them fare.

use jiff::Timestamp;
use sqlx::PgConnection;

use super::super::error::Error;
use super::super::run::{read_name, read_word};
use super::hint;
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::notification::{Delivery, DeliveryEvent};

/// What came of a person's wish for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done; what the audit trail needs.
    Done {
        /// About whose.
        customer: Option<Name>,
        /// About which occurrence.
        occurrence: Option<OccurrenceId>,
        /// Where it stood before.
        from: Delivery,
        /// Where it goes now, if that is elsewhere.
        readdressed: Option<String>,
    },
    /// It can't be done where the message stands.
    Not(Delivery),
    /// There is no such message.
    NoSuchMessage,
}

/// Has a message that waits, or was given up, tried again at once, and sent to the address at which its recipient reads now.
///
/// # Errors
/// If the database can't be used.
pub async fn retry(connection: &mut PgConnection, number: i64) -> Result<Answer, Error> {
    let mut answer = step(connection, number, DeliveryEvent::Retry).await?;
    if let Answer::Done { readdressed, .. } = &mut answer {
        *readdressed = readdress(connection, number).await?;
        sqlx::query!("update notification set not_before = now(), refusals = 0 where number = $1", number)
            .execute(&mut *connection)
            .await?;
        hint(connection, 1).await?;
    }
    Ok(answer)
}

/// Where the address of a message is none of its customer's any more, but the recipient's name is: what was wrong was put right. `None`:
/// it stays as it is, as it does where the other address has the same message already.
async fn readdress(connection: &mut PgConnection, number: i64) -> Result<Option<String>, Error> {
    let readdressed = sqlx::query_scalar!(
        r#"with wrong as (
             select notification.id, recipient, recipient_name, dedupe_key, notification.customer from notification
             where number = $1
               and not exists (select 1 from contact where coalesce(contact.customer, notification.customer) is not distinct from notification.customer
                                 and lower(email) = lower(recipient))
           ),
           right_one as (
             select min(contact.email) as email from wrong
             join contact on coalesce(contact.customer, wrong.customer) is not distinct from wrong.customer
                         and contact.name = wrong.recipient_name
             having count(*) = 1
           )
           update notification
           set recipient = right_one.email,
               dedupe_key = left(wrong.dedupe_key, -length(wrong.recipient)) || lower(right_one.email)
           from wrong, right_one
           where notification.id = wrong.id and right(wrong.dedupe_key, length(wrong.recipient)) = lower(wrong.recipient)
             and not exists (select 1 from notification as other
                             where other.dedupe_key = left(wrong.dedupe_key, -length(wrong.recipient)) || lower(right_one.email))
           returning notification.recipient as "recipient!""#,
        number,
    );
    Ok(readdressed.fetch_optional(connection).await?)
}

/// Has a message that waits, or was given up, not sent, for this reason.
///
/// # Errors
/// If the database can't be used.
pub async fn cancel(connection: &mut PgConnection, number: i64, why: &str) -> Result<Answer, Error> {
    let answer = step(connection, number, DeliveryEvent::Cancel).await?;
    if matches!(answer, Answer::Done { .. }) {
        sqlx::query!("update notification set last_error = $2 where number = $1", number, why)
            .execute(connection)
            .await?;
    }
    Ok(answer)
}

/// One that is being sent is its sender's: a person can't take it away.
async fn step(connection: &mut PgConnection, number: i64, event: DeliveryEvent) -> Result<Answer, Error> {
    let row = sqlx::query!("select customer, occurrence, state from notification where number = $1 for update", number)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(Answer::NoSuchMessage) };
    let from: Delivery = read_word("notification.state", &row.state)?;
    let Some(to) = from.next(event).ok().filter(|_| from != Delivery::Leased) else { return Ok(Answer::Not(from)) };
    sqlx::query!(
        "update notification set state = $2, ended_at = case when $3 then clock_timestamp() end where number = $1",
        number,
        to.as_str(),
        to.is_end(),
    )
    .execute(connection)
    .await?;
    Ok(Answer::Done {
        customer: row.customer.map(|name| read_name("notification.customer", &name)).transpose()?,
        occurrence: row.occurrence.map(OccurrenceId),
        from,
        readdressed: None,
    })
}

/// How all messages fare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// To be sent, or being sent.
    pub waiting: u64,
    /// The oldest of them was made then.
    pub waiting_since: Option<Timestamp>,
    /// Those of them that could not be sent the last time.
    pub failing: u64,
    /// Why the one of them could not that was put off last.
    pub last_error: Option<String>,
    /// Given up, and left to a person.
    pub undeliverable: u64,
}

/// Looks at all messages that are not sent.
///
/// # Errors
/// If the database can't be used.
pub async fn read_overview(connection: &mut PgConnection) -> Result<Overview, Error> {
    let row = sqlx::query!(
        r#"select count(*) filter (where state in ('due', 'leased')) as "waiting!",
                  min(created_at) filter (where state in ('due', 'leased')) as "since: jiff_sqlx::Timestamp",
                  count(*) filter (where state in ('due', 'leased') and last_error is not null) as "failing!",
                  (select last_error from notification where state in ('due', 'leased') and last_error is not null
                   order by not_before desc limit 1) as last_error,
                  count(*) filter (where state = 'undeliverable') as "undeliverable!"
           from notification where state in ('due', 'leased', 'undeliverable')"#,
    )
    .fetch_one(connection)
    .await?;
    Ok(Overview {
        waiting: row.waiting.unsigned_abs(),
        waiting_since: row.since.map(jiff_sqlx::Timestamp::to_jiff),
        failing: row.failing.unsigned_abs(),
        last_error: row.last_error,
        undeliverable: row.undeliverable.unsigned_abs(),
    })
}
