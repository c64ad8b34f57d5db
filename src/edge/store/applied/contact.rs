//! Who is told, as applied: messages are made from this in the transaction of their cause.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::super::error::Error;
use crate::domain::id::Name;
use crate::domain::inventory::{Locale, Receives};

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
}

/// Puts `contacts` in the place of those of `customer`; of the provider's team, if it is `None`. An address that is there twice gets
/// what either is for, once.
///
/// # Errors
/// If the database can't be used.
pub async fn replace_contacts(
    connection: &mut PgConnection,
    customer: Option<&Name>,
    contacts: &[ContactRow],
) -> Result<(), Error> {
    let customer = customer.map(Name::as_str);
    sqlx::query!("delete from contact where coalesce(customer, '') = coalesce($1::text, '')", customer)
        .execute(&mut *connection)
        .await?;
    for (contact, receives) in merge(customer, contacts).into_values() {
        sqlx::query!(
            "insert into contact (customer, name, email, locale, receives) values ($1, $2, $3, $4, $5)",
            customer,
            contact.name,
            contact.email,
            locale_word(contact.locale),
            &receives as &[&str],
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
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
            Some(_) => receives.extend(contact.receives.iter().map(|receives| receives_word(*receives))),
            None => receives.push("team"),
        }
    }
    merged
}

fn receives_word(receives: Receives) -> &'static str {
    match receives {
        Receives::Announcement => "announcement",
        Receives::Report => "report",
    }
}

fn locale_word(locale: Locale) -> &'static str {
    match locale {
        Locale::De => "de",
        Locale::En => "en",
        Locale::Hu => "hu",
        Locale::Ru => "ru",
    }
}
