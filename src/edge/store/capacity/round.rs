//! The daily round: each customer once a day, by whichever controller is first.
//!
//! Invariant: who has taken a customer has it until the lease lapses; a day that is done is not done again. What lies further ahead
//! than can be is of a clock that was wrong for a moment, and holds nobody up.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

use super::super::error::Error;
use super::super::run::read_name;
use crate::domain::id::Name;

/// A customer whose round of the day is open, and nobody is at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRound {
    /// Which.
    pub customer: Name,
    /// The day that was done last.
    pub done_on: Option<Date>,
}

/// All customers that are applied and whose round of `day` is open at `now`, where no lease is longer than `longest_lease`. They stay locked for this transaction; those that
/// another transaction looks at are left out.
///
/// # Errors
/// If the database can't be used.
pub async fn lock_open_rounds(
    connection: &mut PgConnection,
    day: Date,
    (now, longest_lease): (Timestamp, SignedDuration),
) -> Result<Vec<OpenRound>, Error> {
    let latest = now.saturating_add(longest_lease).unwrap_or(Timestamp::MAX);
    sqlx::query!(
        "insert into capacity_round (customer)
         select name from applied
         where kind = 'inventory' and not exists (select from capacity_round where customer = applied.name)
         on conflict do nothing"
    )
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query!(
        r#"select customer, done_on as "done_on: jiff_sqlx::Date" from capacity_round
           where (done_on is null or done_on < $1 or done_on > $1::date + 1)
             and (leased_until is null or leased_until <= $2 or leased_until > $3)
             and exists (select from applied where kind = 'inventory' and name = capacity_round.customer)
           order by done_on nulls first, customer
           for update skip locked"#,
        day.to_sqlx() as _,
        now.to_sqlx() as _,
        latest.to_sqlx() as _,
    )
    .fetch_all(connection)
    .await?;
    let rounds = rows.into_iter().map(|row| {
        let customer = read_name("capacity_round.customer", &row.customer)?;
        Ok(OpenRound { customer, done_on: row.done_on.map(jiff_sqlx::Date::to_jiff) })
    });
    rounds.collect()
}

/// Takes a customer until `until`, or gives it back with `None`.
///
/// # Errors
/// If the database can't be used.
pub async fn lease_round(
    connection: &mut PgConnection,
    customer: &Name,
    until: Option<Timestamp>,
) -> Result<(), Error> {
    sqlx::query!(
        "update capacity_round set leased_until = $2 where customer = $1",
        customer.as_str(),
        until.map(ToSqlx::to_sqlx) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The day is done. One that is done already stays so, if it is not more than a day later: two daemons may see midnight one after the
/// other.
///
/// # Errors
/// If the database can't be used.
pub async fn finish_round(connection: &mut PgConnection, customer: &Name, day: Date) -> Result<(), Error> {
    sqlx::query!(
        "update capacity_round set done_on = case when done_on = $2::date + 1 then done_on else $2::date end, leased_until = null
         where customer = $1",
        customer.as_str(),
        day.to_sqlx() as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Hosts that the daily round has looked at on `day`.
///
/// # Errors
/// If the database can't be used.
pub async fn list_looked_at(connection: &mut PgConnection, customer: &Name, day: Date) -> Result<Vec<Name>, Error> {
    let hosts = sqlx::query_scalar!(
        "select host from capacity_look where customer = $1 and day = $2",
        customer.as_str(),
        day.to_sqlx() as _,
    );
    hosts.fetch_all(connection).await?.iter().map(|host| read_name("capacity_look.host", host)).collect()
}
