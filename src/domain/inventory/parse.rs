//! From the text of `inventories/<customer>.toml` to a [`Customer`], or to all that is wrong with it.
//!
//! Does not know other files: whether the jobs of the windows exist is for the catalog to say.

use std::collections::BTreeSet;

use super::address::{EMAIL_RULE, parse_email};
use super::freeze::read_freezes;
use super::{CalendarEntry, Contact, Customer, Locale, PeriodLength, Receives};
use crate::domain::calendar::holiday::Region;
use crate::domain::calendar::zone;
use crate::domain::document::{self, Distinct, Located, Table, Value, Wrong, did_you_mean};
use crate::domain::id::{ContentHash, Name};
use crate::domain::problem::Problems;

mod capacity;
mod host;
mod recurrence;
mod route;
mod window;

use capacity::read_watched;
use host::{Defaults, read_hosts, read_vars};
use window::read_windows;

// Every window lists its hosts, every host its variables: without limits a file of 1 MiB could mean gigabytes.
const MAX_HOSTS: usize = 2000;
const MAX_WINDOWS: usize = 100;
const MAX_CONTACTS: usize = 100;

/// The languages by their codes.
pub(in crate::domain) const LOCALES: [(&str, Locale); 4] =
    [("de", Locale::De), ("en", Locale::En), ("hu", Locale::Hu), ("ru", Locale::Ru)];
const RECEIVES: [(&str, Receives); 3] =
    [("announcement", Receives::Announcement), ("report", Receives::Report), ("start", Receives::Start)];
const ENTRIES: [(&str, CalendarEntry); 2] = [("publish", CalendarEntry::Publish), ("request", CalendarEntry::Request)];
const PERIODS: [(&str, PeriodLength); 3] =
    [("month", PeriodLength::Month), ("quarter", PeriodLength::Quarter), ("year", PeriodLength::Year)];

/// What an inventory says to the rest of the files, even if it is not yet right in itself.
#[derive(Debug, Default)]
pub struct Draft {
    /// The customer; absent if anything is wrong.
    pub customer: Option<Customer>,
    /// The hosts that have a valid name.
    pub hosts: BTreeSet<Name>,
    /// The jobs that windows name, each where it is named.
    pub jobs: Vec<Located<Name>>,
    /// The calendars that freezes name, each where it is named.
    pub calendars: Vec<Located<Name>>,
}

/// Reads an inventory. `file` gives the customer's name and stands in the problems.
pub fn parse(text: &str, file: &str) -> Result<Customer, Problems> {
    let (draft, problems) = draft(text, file);
    draft.customer.ok_or(problems)
}

/// Reads an inventory as far as it goes.
#[must_use]
pub fn draft(text: &str, file: &str) -> (Draft, Problems) {
    let (mut draft, problems) = document::read(text, file, |root| read_draft(root, text, file));
    if !problems.0.is_empty() {
        draft.customer = None;
    }
    (draft, problems)
}

fn read_draft(mut root: Table<'_>, text: &str, file: &str) -> Draft {
    let name = document::read_stem(file, &root);
    let (head, zone) = root.required("customer").and_then(|value| value.table()).map(read_head).unwrap_or_default();
    let zone = zone.and_then(|name| zone::named(&name));
    let contacts = read_contacts(root.tables("contact", MAX_CONTACTS));
    let frozen = read_freezes(&mut root);
    let vars = root.table("vars").map(read_vars).unwrap_or_default();
    let defaults = Defaults { vars, capacity: read_watched(&mut root) };
    let (hosts, roster) = read_hosts(root.required_tables("host", MAX_HOSTS), &defaults);
    let (windows, jobs) = read_windows(root.tables("window", MAX_WINDOWS), &roster, zone.as_ref());
    root.finish();
    let customer = name.zip(head).map(|(name, head)| Customer {
        name,
        display_name: head.display_name,
        locale: head.locale,
        time_zone: head.time_zone,
        holidays: head.holidays,
        period_report: head.period_report,
        contacts,
        windows,
        freezes: frozen.days,
        calendars: frozen.calendars,
        hosts,
        revision: ContentHash::of(text.as_bytes()),
    });
    Draft { customer, hosts: roster.into_names(), jobs, calendars: frozen.named }
}

/// `[customer]`.
struct Head {
    display_name: String,
    locale: Locale,
    time_zone: String,
    holidays: Option<Region>,
    period_report: Option<PeriodLength>,
}

/// The table as far as it is right, and the zone even if the rest is not.
fn read_head(mut table: Table<'_>) -> (Option<Head>, Option<String>) {
    let display_name = table.required("name").and_then(|value| value.line()).map(str::to_owned);
    let locale = table.optional("locale").and_then(|value| value.word(&LOCALES)).unwrap_or_default();
    let time_zone = table.required("time_zone").and_then(|value| read_time_zone(&value));
    let holidays = table.optional("holidays").and_then(|value| read_region(&value));
    let period_report = table.optional("period_report").and_then(|value| value.word(&PERIODS));
    table.finish();
    let zone = time_zone.clone();
    let head = display_name.zip(time_zone);
    (head.map(|(display_name, time_zone)| Head { display_name, locale, time_zone, holidays, period_report }), zone)
}

/// The zone's name in its usual spelling. The zone data is that of this machine, the same that later gives the windows their time.
fn read_time_zone(value: &Value<'_>) -> Option<String> {
    let text = value.line()?;
    if let Some(zone) = zone::named(text) {
        return Some(zone.iana_name().unwrap_or(text).to_owned());
    }
    let known = zone::names();
    let wrong = value.wrong().expected("an IANA time zone such as `Europe/Berlin`");
    value.report(did_you_mean(text, known.iter().map(String::as_str)).into_iter().fold(wrong, Wrong::hint));
    None
}

/// A region whose holidays are known.
fn read_region(value: &Value<'_>) -> Option<Region> {
    let text = value.line()?;
    match text.parse::<Region>() {
        Ok(region) => Some(region),
        Err(unknown) => {
            value.report(Wrong::new(unknown.to_string()).expected("a region such as `DE-BY`").hint(unknown.hint));
            None
        }
    }
}

fn read_contacts(tables: Vec<Table<'_>>) -> Vec<Contact> {
    let mut emails = Distinct::default();
    tables.into_iter().filter_map(|table| read_contact(table, &mut emails)).collect()
}

fn read_contact(mut table: Table<'_>, emails: &mut Distinct) -> Option<Contact> {
    let name = table.required("name").and_then(|value| value.line()).map(str::to_owned);
    let email = table.required("email").and_then(|value| {
        let email = value.parsed(EMAIL_RULE, parse_email)?;
        emails.admit(&email.to_lowercase(), &value);
        Some(email)
    });
    let receives = table.required("receives").and_then(|value| read_receives(&value));
    let calendar = table.optional("calendar").and_then(|value| value.word(&ENTRIES)).unwrap_or_default();
    table.finish();
    Some(Contact { name: name?, email: email?, receives: receives?, calendar })
}

fn read_receives(value: &Value<'_>) -> Option<Vec<Receives>> {
    let mut seen = Distinct::default();
    let read = |entry: Value<'_>| {
        let receives = entry.word(&RECEIVES)?;
        seen.admit(entry.string()?, &entry);
        Some(receives)
    };
    Some(value.entries()?.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests;
