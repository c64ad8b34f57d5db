//! Who is told, as applied: messages are made from this in the transaction of their cause.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::super::error::Error;
use super::super::run::read_name;
use crate::domain::id::Name;
use crate::domain::inventory::{CalendarEntry, Locale, Receives};

/// A contact of a customer, or of the provider's team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRow {
    /// Name as it stands in letters.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Language.
    pub locale: Locale,
    /// What a customer's contact gets. The team's get what is for the team, whatever stands here.
    pub receives: Vec<Receives>,
    /// How dates come to this contact's calendar.
    pub calendar: CalendarEntry,
}

/// Puts new contacts in the place of those that each customer had; of those of the provider's team, where it is `None`. An address that
/// is there twice gets what either is for, once.
///
/// # Errors
/// If the database can't be used.
pub async fn replace_all_contacts(
    connection: &mut PgConnection,
    replaced: &[(Option<&Name>, Vec<ContactRow>)],
) -> Result<(), Error> {
    let customers: Vec<&str> = replaced.iter().map(|(customer, _)| customer.map_or("", Name::as_str)).collect();
    sqlx::query!("delete from contact where coalesce(customer, '') = any($1)", &customers as &[&str])
        .execute(&mut *connection)
        .await?;
    let mut columns = Columns::default();
    for (customer, contacts) in replaced {
        let customer = customer.map(Name::as_str);
        for (contact, receives) in merge(customer, contacts).into_values() {
            columns.customer.push(customer);
            columns.name.push(&contact.name);
            columns.email.push(&contact.email);
            columns.locale.push(locale_word(contact.locale));
            columns.receives.push(receives.join(","));
            columns.calendar.push(contact.calendar.as_str());
        }
    }
    sqlx::query!(
        "insert into contact (customer, name, email, locale, receives, calendar)
         select customer, name, email, locale, string_to_array(receives, ','), calendar
         from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
              as new (customer, name, email, locale, receives, calendar)",
        &columns.customer as &[Option<&str>],
        &columns.name as &[&str],
        &columns.email as &[&str],
        &columns.locale as &[&str],
        &columns.receives,
        &columns.calendar as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The addresses of those contacts of `customers` who are told of dates.
///
/// # Errors
/// If the database can't be used.
pub async fn list_receivers(
    connection: &mut PgConnection,
    customers: &[Name],
) -> Result<BTreeMap<Name, Vec<String>>, Error> {
    let names: Vec<&str> = customers.iter().map(Name::as_str).collect();
    let rows = sqlx::query!(
        r#"select customer as "customer!", email from contact
           where customer = any($1) and 'announcement' = any(receives)
           order by customer, email"#,
        &names as &[&str],
    );
    let mut receivers: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    for row in rows.fetch_all(connection).await? {
        receivers.entry(read_name("contact.customer", &row.customer)?).or_default().push(row.email);
    }
    Ok(receivers)
}

/// Whether the provider's people have this address, and no contact of the customer has.
///
/// # Errors
/// If the database can't be used.
pub async fn is_of_team(connection: &mut PgConnection, customer: Option<&Name>, email: &str) -> Result<bool, Error> {
    let found = sqlx::query_scalar!(
        r#"select coalesce(bool_and(customer is null), false) as "of_team!"
           from contact where coalesce(customer, '') in (coalesce($1, ''), '') and lower(email) = lower($2)"#,
        customer.map(Name::as_str),
        email,
    );
    Ok(found.fetch_one(connection).await?)
}

/// Contacts, turned by 90 degrees.
#[derive(Default)]
struct Columns<'a> {
    customer: Vec<Option<&'a str>>,
    name: Vec<&'a str>,
    email: Vec<&'a str>,
    locale: Vec<&'static str>,
    receives: Vec<String>,
    calendar: Vec<&'a str>,
}

/// By the address in lower case.
fn merge<'a>(
    customer: Option<&str>,
    contacts: &'a [ContactRow],
) -> BTreeMap<String, (&'a ContactRow, Vec<&'static str>)> {
    let mut merged: BTreeMap<String, (&ContactRow, Vec<&'static str>)> = BTreeMap::new();
    for contact in contacts {
        let (_, receives) = merged.entry(contact.email.to_lowercase()).or_insert((contact, Vec::new()));
        match customer {
            Some(_) => receives.extend(contact.receives.iter().map(|receives| receives.as_str())),
            None => receives.push("team"),
        }
    }
    merged
}

fn locale_word(locale: Locale) -> &'static str {
    match locale {
        Locale::De => "de",
        Locale::En => "en",
        Locale::Hu => "hu",
        Locale::Ru => "ru",
    }
}
