//! Words that several mails have: dates, causes, matters.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};

use crate::domain::line::clean_line;
use crate::domain::mail::{About, Cause, Dated, Mail};
use crate::edge::text::Error;
use crate::edge::text::reader::Reader;

/// Longest text that a mail takes over, in characters.
const TEXT_CHARS: usize = 300;

/// Most hosts that are named; the others are counted.
const SHOWN_HOSTS: usize = 20;

pub(super) fn clean(text: &str) -> String {
    clean_line(text.as_bytes(), TEXT_CHARS)
}

/// The customer's name, or the word for nobody in particular.
pub(super) fn customer(mail: &Mail, reader: &Reader<'_>) -> Result<String, Error> {
    match &mail.customer {
        Some(name) => Ok(clean(name)),
        None => reader.plain("mail.no_customer"),
    }
}

/// A date as texts place it.
pub(super) struct DateWords {
    pub(super) day: String,
    /// Weekday, day, from and to with the offset.
    pub(super) when: String,
    pub(super) description: String,
    pub(super) hosts: String,
}

impl DateWords {
    pub(super) fn of(date: &Dated, reader: &Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            day: reader.day(date.opens_at)?,
            when: when(date, reader)?,
            description: clean(&date.description),
            hosts: hosts(date, reader)?,
        })
    }
}

/// `Friday, 2026-03-27 14:00 to 18:00 +01:00`.
pub(super) fn when(date: &Dated, reader: &Reader<'_>) -> Result<String, Error> {
    let span = reader.span(date.opens_at, Some(date.closes_at))?;
    with_weekday(reader.weekday(date.opens_at), &span, reader)
}

/// `Friday, 2026-03-27 14:00 +01:00`.
pub(super) fn moment(at: Timestamp, reader: &Reader<'_>) -> Result<String, Error> {
    with_weekday(reader.weekday(at), &reader.moment(at)?, reader)
}

fn with_weekday(weekday: Weekday, time: &str, reader: &Reader<'_>) -> Result<String, Error> {
    let weekday = reader.plain(match weekday {
        Weekday::Monday => "mail.weekday.monday",
        Weekday::Tuesday => "mail.weekday.tuesday",
        Weekday::Wednesday => "mail.weekday.wednesday",
        Weekday::Thursday => "mail.weekday.thursday",
        Weekday::Friday => "mail.weekday.friday",
        Weekday::Saturday => "mail.weekday.saturday",
        Weekday::Sunday => "mail.weekday.sunday",
    })?;
    reader.text("mail.when", &[("weekday", &weekday), ("time", time)])
}

fn hosts(date: &Dated, reader: &Reader<'_>) -> Result<String, Error> {
    let names: Vec<_> = date.hosts.iter().take(SHOWN_HOSTS).map(|name| name.as_str()).collect();
    let list = names.join(", ");
    match date.hosts.len().saturating_sub(SHOWN_HOSTS) {
        0 => Ok(list),
        more => reader.count("mail.more", more, &[("list", &list)]),
    }
}

/// Why a date is not held as agreed.
pub(super) fn cause(cause: &Cause, reader: &Reader<'_>) -> Result<String, Error> {
    let (key, value) = match cause {
        Cause::Holiday { name } => ("mail.cause.holiday", name.as_str()),
        Cause::Freeze { reason } => ("mail.cause.freeze", reason.as_str()),
        Cause::AgreementChanged => ("mail.cause.agreement_changed", ""),
        Cause::LengthChanged => ("mail.cause.length_changed", ""),
        Cause::Person { reason } => return Ok(clean(reason)),
        Cause::NotApproved => ("mail.cause.not_approved", ""),
        Cause::NotAnnounced => ("mail.cause.not_announced", ""),
        Cause::OtherMaintenance => ("mail.cause.other_maintenance", ""),
        Cause::Technical => ("mail.cause.technical", ""),
    };
    reader.text(key, &[("what", &clean(value))])
}

/// What another message, or an answer, is about.
pub(super) fn about(about: &About, reader: &Reader<'_>) -> Result<String, Error> {
    match about {
        About::Date(date) => {
            let words = DateWords::of(date, reader)?;
            reader.text("mail.about.date", &[("description", &words.description), ("when", &words.when)])
        }
        About::Run(run) => {
            let (number, description) = (run.number.to_string(), clean(&run.description));
            reader.text("mail.about.run", &[("number", &number), ("description", &description)])
        }
        About::Period { from, to } => span_of_days(*from, *to, reader),
    }
}

pub(super) fn span_of_days(from: Date, to: Date, reader: &Reader<'_>) -> Result<String, Error> {
    reader.text("mail.about.period", &[("from", &reader.civil_day(from)?), ("to", &reader.civil_day(to)?)])
}

/// Days in a row.
pub(super) fn days(instants: &[Timestamp], reader: &Reader<'_>) -> Result<String, Error> {
    let days: Result<Vec<_>, _> = instants.iter().map(|at| reader.day(*at)).collect();
    Ok(days?.join(", "))
}
