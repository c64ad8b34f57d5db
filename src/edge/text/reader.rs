//! Whoever reads: a language, a time zone, and how numbers and instants are written in them.
//!
//! Invariant: an instant is always written with its offset from UTC or as part of a span that has it.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{Offset, TimeZone};

use super::Error;
use super::catalogue::{Catalogue, Value};

#[cfg(test)]
mod tests;

/// For whom a text is written.
pub(super) struct Reader<'a> {
    catalogue: &'a Catalogue,
    zone: TimeZone,
}

impl<'a> Reader<'a> {
    /// A zone that this machine does not know becomes UTC: the offset beside every time shows it, and a report is never refused for it.
    pub(super) fn new(catalogue: &'a Catalogue, zone: &str) -> Self {
        Self { catalogue, zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC) }
    }

    pub(super) fn language(&self) -> &'static str {
        super::catalogue::code(self.catalogue.locale())
    }

    /// A text without placeholders.
    pub(super) fn plain(&self, key: &str) -> Result<String, Error> {
        self.catalogue.text(key, &[])
    }

    /// A text whose placeholders are texts.
    pub(super) fn text(&self, key: &str, values: &[(&str, &str)]) -> Result<String, Error> {
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, Value::Text(value))).collect();
        self.catalogue.text(key, &values)
    }

    /// A text about so many things, with `{count}` and other placeholders.
    pub(super) fn count(&self, key: &str, count: usize, values: &[(&str, &str)]) -> Result<String, Error> {
        self.counted(key, count as u64, values)
    }

    fn counted(&self, key: &str, count: u64, values: &[(&str, &str)]) -> Result<String, Error> {
        let number = self.number(count)?;
        let mut all = vec![("count", Value::Count(count, &number))];
        all.extend(values.iter().map(|(name, value)| (*name, Value::Text(value))));
        self.catalogue.text(key, &all)
    }

    /// A whole number with its digits in groups of three.
    pub(super) fn number(&self, number: u64) -> Result<String, Error> {
        let separator = self.plain("format.group_separator")?;
        let digits = number.to_string();
        let mut grouped = String::with_capacity(digits.len() * 2);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push_str(&separator);
            }
            grouped.push(digit);
        }
        Ok(grouped)
    }

    fn tenths(&self, tenths: u64) -> Result<String, Error> {
        let separator = self.plain("format.decimal_separator")?;
        Ok(format!("{}{separator}{}", self.number(tenths / 10)?, tenths % 10))
    }

    /// An amount of bytes, exactly and, from 1 KiB on, rounded as well.
    pub(super) fn bytes(&self, bytes: u64) -> Result<String, Error> {
        let exact = self.counted("bytes.exact", bytes, &[])?;
        let Some(rounded) = self.rounded_bytes(bytes)? else { return Ok(exact) };
        self.text("bytes.both", &[("exact", &exact), ("rounded", &rounded)])
    }

    /// An amount of bytes, short.
    pub(super) fn bytes_short(&self, bytes: u64) -> Result<String, Error> {
        match self.rounded_bytes(bytes)? {
            Some(rounded) => Ok(rounded),
            None => self.counted("bytes.exact", bytes, &[]),
        }
    }

    fn rounded_bytes(&self, bytes: u64) -> Result<Option<String>, Error> {
        let units = [(40, "bytes.tib"), (30, "bytes.gib"), (20, "bytes.mib"), (10, "bytes.kib")];
        let Some((power, key)) = units.into_iter().find(|(power, _)| bytes >> power > 0) else { return Ok(None) };
        // Below 2^64 bytes there are less than 2^24 TiB and, of each smaller unit, less than 1024: no overflow.
        let rounded = ((u128::from(bytes) * 10 + (1 << (power - 1))) >> power) as u64;
        self.text(key, &[("value", &self.tenths(rounded)?)]).map(Some)
    }

    /// A length of time with as much precision as matters.
    pub(super) fn duration(&self, milliseconds: u64) -> Result<String, Error> {
        let seconds = milliseconds.saturating_add(500) / 1000;
        let minutes = seconds.saturating_add(30) / 60;
        if milliseconds < 9950 {
            self.text("duration.seconds", &[("seconds", &self.tenths((milliseconds + 50) / 100)?)])
        } else if seconds < 60 {
            self.text("duration.seconds", &[("seconds", &seconds.to_string())])
        } else if seconds < 3600 {
            let (minutes, seconds) = ((seconds / 60).to_string(), (seconds % 60).to_string());
            self.text("duration.minutes", &[("minutes", &minutes), ("seconds", &seconds)])
        } else {
            let (hours, minutes) = (self.number(minutes / 60)?, (minutes % 60).to_string());
            self.text("duration.hours", &[("hours", &hours), ("minutes", &minutes)])
        }
    }

    fn formatted(&self, pattern_key: &str, instant: Timestamp) -> Result<String, Error> {
        let pattern = self.plain(pattern_key)?;
        let zoned = instant.to_zoned(self.zone.clone());
        jiff::fmt::strtime::format(&pattern, &zoned).map_err(|source| Error::Pattern {
            key: pattern_key.to_owned(),
            pattern,
            source,
        })
    }

    /// Date, time and offset.
    pub(super) fn moment(&self, instant: Timestamp) -> Result<String, Error> {
        self.formatted("format.moment", instant)
    }

    /// The date alone.
    pub(super) fn day(&self, instant: Timestamp) -> Result<String, Error> {
        self.formatted("format.day", instant)
    }

    /// The day of the week.
    pub(super) fn weekday(&self, instant: Timestamp) -> Weekday {
        self.zone.to_datetime(instant).weekday()
    }

    /// Hours and minutes; for tables and pictures under a date.
    pub(super) fn clock(&self, instant: Timestamp) -> Result<String, Error> {
        self.formatted("format.clock", instant)
    }

    /// A day that is agreed as such, whatever instants it has.
    pub(super) fn civil_day(&self, day: Date) -> Result<String, Error> {
        self.civil("format.day", day.into())
    }

    /// Hours and minutes that are agreed as such.
    pub(super) fn civil_clock(&self, local: DateTime) -> Result<String, Error> {
        self.civil("format.clock", local)
    }

    fn civil(&self, pattern_key: &str, local: DateTime) -> Result<String, Error> {
        let pattern = self.plain(pattern_key)?;
        jiff::fmt::strtime::format(&pattern, local).map_err(|source| Error::Pattern {
            key: pattern_key.to_owned(),
            pattern,
            source,
        })
    }

    /// The reader's local time for one in UTC.
    pub(super) fn local(&self, utc: DateTime) -> DateTime {
        Offset::UTC.to_timestamp(utc).map_or(utc, |instant| self.zone.to_datetime(instant))
    }

    /// Hours, minutes and seconds; for tables and pictures under a date.
    pub(super) fn clock_seconds(&self, instant: Timestamp) -> Result<String, Error> {
        self.formatted("format.clock_seconds", instant)
    }

    /// Seconds that the reader's clocks are ahead of UTC.
    pub(super) fn offset_s(&self, instant: Timestamp) -> i64 {
        i64::from(self.zone.to_offset(instant).seconds())
    }

    /// From one instant to another, if that is known; the date and the offset only once if both have the same.
    pub(super) fn span(&self, from: Timestamp, to: Option<Timestamp>) -> Result<String, Error> {
        let Some(to) = to else { return self.text("format.span_open", &[("from", &self.moment(from)?)]) };
        let day = self.day(from)?;
        if day != self.day(to)? || self.offset_s(from) != self.offset_s(to) {
            return self.text("format.span_days", &[("from", &self.moment(from)?), ("to", &self.moment(to)?)]);
        }
        let offset = self.formatted("format.offset", from)?;
        let (from, to) = (self.clock(from)?, self.clock(to)?);
        self.text("format.span", &[("day", &day), ("from", &from), ("to", &to), ("offset", &offset)])
    }
}
