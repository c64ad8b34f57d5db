//! How full something is and when it will be full, in words that mails and reports share.

use super::Error;
use super::reader::Reader;
use crate::domain::capacity::{DaysUntilFull, Fill, Prospect, Resource};

/// What runs out.
pub(super) fn resource(resource: Resource, reader: &Reader<'_>) -> Result<String, Error> {
    reader.plain(&format!("capacity.resource.{}", resource.as_str()))
}

/// So much is free of so much.
pub(super) fn space(fill: Fill, reader: &Reader<'_>) -> Result<String, Error> {
    let (free, total) = (reader.bytes_short(fill.free)?, reader.bytes_short(fill.total)?);
    reader.text("capacity.free_of", &[("free", &free), ("total", &total)])
}

/// So many are free of so many.
pub(super) fn inodes(fill: Fill, reader: &Reader<'_>) -> Result<String, Error> {
    let (free, total) = (reader.number(fill.free)?, reader.number(fill.total)?);
    reader.text("capacity.free_of", &[("free", &free), ("total", &total)])
}

/// In how many days, with the range.
pub(super) fn days(days: &DaysUntilFull, reader: &Reader<'_>) -> Result<String, Error> {
    let count = usize::try_from(days.estimate).unwrap_or(usize::MAX);
    let earliest = reader.number(days.earliest)?;
    match days.latest {
        Some(latest) => {
            let latest = reader.number(latest)?;
            reader.count("capacity.days", count, &[("earliest", &earliest), ("latest", &latest)])
        }
        None => reader.count("capacity.days_open", count, &[("earliest", &earliest)]),
    }
}

/// When it will be full, as far as that can be told.
pub(super) fn prospect(prospect: &Prospect, reader: &Reader<'_>) -> Result<String, Error> {
    match prospect {
        Prospect::Full => reader.plain("capacity.full"),
        Prospect::NotGrowing => reader.plain("capacity.not_growing"),
        Prospect::TooFew { measurements, needed } => {
            let needed = reader.number(*needed as u64)?;
            reader.count("capacity.too_few", *measurements, &[("needed", &needed)])
        }
        Prospect::Growing { days: until, .. } => days(until, reader),
    }
}
