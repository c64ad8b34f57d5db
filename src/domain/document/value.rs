//! A value that is asked to be of some type; if it is not, that is a problem at its place.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime, Time};
use toml::Spanned;
use toml::de::DeValue;

use super::findings::{Findings, Wrong};
use super::nearest::did_you_mean;
use super::quantity::{parse_duration_s, parse_size_bytes};
use super::quote::quoted;
use super::table::Table;
use super::{Located, Name};

/// What a [`Name`] may look like, for messages.
pub const NAME_RULE: &str = "1 to 63 of a-z, 0-9 and `-`, beginning with a letter or digit";

/// Longest line of text, in characters.
const MAX_LINE: usize = 500;
/// Longest list. Nobody writes one that long; each entry may be a problem of its own.
const MAX_ENTRIES: usize = 2000;
/// Longest duration: a leap year.
const MAX_DURATION_S: u64 = 366 * 24 * 60 * 60;

/// A value of the file.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    label: Label<'d>,
    node: &'d Spanned<DeValue<'d>>,
    findings: &'d Findings,
}

/// What messages call a value.
#[derive(Clone, Copy)]
enum Label<'d> {
    Key(&'d str),
    EntryOf(&'d str),
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(&quoted(key)),
            Self::EntryOf(key) => write!(f, "an entry of {}", quoted(key)),
        }
    }
}

impl<'d> Value<'d> {
    pub(super) fn of(key: &'d str, node: &'d Spanned<DeValue<'d>>, findings: &'d Findings) -> Self {
        Self { label: Label::Key(key), node, findings }
    }

    /// Any string without NUL; it may have several lines.
    pub fn string(&self) -> Option<&'d str> {
        let text = self.typed("a string", DeValue::as_str)?;
        if text.contains('\0') {
            self.report(Wrong::new(format!("{} has a NUL character", self.label)));
            return None;
        }
        Some(text)
    }

    /// One line of text for people: not blank, no control characters, at most 500 characters.
    pub fn line(&self) -> Option<&'d str> {
        let fits = |text: &&str| {
            !text.trim().is_empty() && !text.contains(char::is_control) && text.chars().nth(MAX_LINE).is_none()
        };
        let text = self.typed("a string", DeValue::as_str)?;
        Some(text).filter(fits).or_else(|| self.refuse("one line of 1 to 500 characters, not blank"))
    }

    /// What `parse` makes of a string; `expected` says what it accepts.
    pub fn parsed<T>(&self, expected: &str, parse: impl FnOnce(&'d str) -> Option<T>) -> Option<T> {
        let text = self.typed(expected, DeValue::as_str)?;
        parse(text).or_else(|| self.refuse(expected))
    }

    /// A name of a customer, host, group, job or window.
    pub fn name(&self) -> Option<Name> {
        self.parsed(NAME_RULE, |text| text.parse().ok())
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let known = || words.iter().map(|(word, _)| *word);
        let expected = known().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let text = self.typed(&expected, DeValue::as_str)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let wrong = self.wrong().expected(expected);
            self.report(did_you_mean(text, known()).into_iter().fold(wrong, Wrong::hint));
        }
        found
    }

    /// A duration from one second to 366 days, in seconds.
    pub fn duration_s(&self) -> Option<u64> {
        let expected = "a duration from 1s to 366d, such as \"45m\" or \"1h 30m\"";
        self.parsed(expected, |text| {
            let seconds = u64::try_from(parse_duration_s(text)?).ok()?;
            (1..=MAX_DURATION_S).contains(&seconds).then_some(seconds)
        })
    }

    /// A size, in bytes.
    pub fn size_bytes(&self) -> Option<u64> {
        let expected = "a size above zero, such as \"500MB\" or \"2GiB\"";
        if self.node.get_ref().is_integer() {
            return self.integer(1..=i64::MAX);
        }
        self.parsed(expected, |text| parse_size_bytes(text).filter(|bytes| *bytes > 0))
    }

    /// A whole number in `range`.
    pub fn integer<T: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> Option<T> {
        let expected = match (*range.start(), *range.end()) {
            (start, i64::MAX) => format!("a whole number, at least {start}"),
            (start, end) => format!("a whole number from {start} to {end}"),
        };
        let digits = self.typed(&expected, DeValue::as_integer)?;
        let number = i64::from_str_radix(digits.as_str(), digits.radix()).ok().filter(|number| range.contains(number));
        number.and_then(|number| T::try_from(number).ok()).or_else(|| self.refuse(&expected))
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        self.typed("`true` or `false`", DeValue::as_bool)
    }

    /// A local date.
    pub fn date(&self) -> Option<Date> {
        let expected = "a date without quotes, such as 2026-03-27";
        let found = self.typed(expected, DeValue::as_datetime)?;
        let date = found.date.filter(|_| found.time.is_none() && found.offset.is_none());
        date.and_then(civil_date).or_else(|| self.refuse(expected))
    }

    /// A local date and time of whole seconds.
    pub fn date_time(&self) -> Option<DateTime> {
        let expected = "a local date and time without quotes, such as 2026-03-27T14:00:00";
        let found = self.typed(expected, DeValue::as_datetime)?;
        let civil = found.date.zip(found.time).filter(|_| found.offset.is_none()).and_then(civil_date_time);
        civil.or_else(|| self.refuse(expected))
    }

    /// A string, a whole number, `true` or `false`: as text.
    pub fn scalar(&self) -> Option<String> {
        match self.node.get_ref() {
            DeValue::String(_) => self.string().map(str::to_owned),
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Boolean(truth) => Some(truth.to_string()),
            _ => self.refuse("a string, a whole number, `true` or `false`"),
        }
    }

    /// A string, a number, `true` or `false`: as JSON.
    pub fn plain(&self) -> Option<serde_json::Value> {
        let found = match self.node.get_ref() {
            DeValue::String(_) => return self.string().map(serde_json::Value::from),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(Into::into),
            // Neither infinite nor no number: JSON has none of them.
            DeValue::Float(number) => {
                number.as_str().parse().ok().and_then(serde_json::Number::from_f64).map(Into::into)
            }
            DeValue::Boolean(truth) => Some((*truth).into()),
            _ => None,
        };
        found.or_else(|| self.refuse("a string, a number, `true` or `false`"))
    }

    /// A local date, with or without a time of whole seconds.
    pub fn date_or_time(&self, expected: &str) -> Option<(Date, Option<Time>)> {
        let found = self.typed(expected, DeValue::as_datetime)?;
        let date = found.date.filter(|_| found.offset.is_none()).and_then(civil_date);
        let read = match (date, found.time) {
            (Some(date), None) => Some((date, None)),
            (Some(date), Some(time)) => civil_time(time).map(|time| (date, Some(time))),
            (None, _) => None,
        };
        read.or_else(|| self.refuse(expected))
    }

    /// The entries of an array: one or more, at most 2000.
    pub fn entries(&self) -> Option<Vec<Value<'d>>> {
        let array = self.typed("an array", DeValue::as_array)?;
        if array.is_empty() {
            self.report(Wrong::new(format!("{} is empty", self.label)).expected("at least one entry"));
            return None;
        }
        Some(self.first_entries(array, MAX_ENTRIES))
    }

    /// A table.
    pub fn table(&self) -> Option<Table<'d>> {
        let expected = match self.label {
            Label::Key(key) => format!("one table, as `[{key}]`"),
            Label::EntryOf(_) => "a table".to_owned(),
        };
        let entries = self.typed(&expected, DeValue::as_table)?;
        Some(Table::under(self.key(), self.offset(), entries, self.findings))
    }

    /// The tables of an array; those that are none are reported and left out, like those behind the first `limit`.
    pub fn tables(&self, limit: usize) -> Vec<Table<'d>> {
        let expected = format!("an array of tables, each as `[[{}]]`", self.key());
        let Some(array) = self.typed(&expected, DeValue::as_array) else { return Vec::new() };
        self.first_entries(array, limit).iter().filter_map(Value::table).collect()
    }

    /// The entries as far as `limit` goes; that there are more is a problem.
    fn first_entries(&self, array: &'d [Spanned<DeValue<'d>>], limit: usize) -> Vec<Value<'d>> {
        let entry = |node| Self { label: Label::EntryOf(self.key()), node, findings: self.findings };
        if let Some(surplus) = array.get(limit) {
            let wrong = Wrong::new(format!("{} has {} entries", self.label, array.len()));
            entry(surplus).report(wrong.expected(format!("at most {limit}")));
        }
        array.iter().take(limit).map(entry).collect()
    }

    /// The text, if it is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&'d str> {
        self.node.get_ref().as_str()
    }

    /// The texts, if it is an array of nothing but strings.
    #[must_use]
    pub fn as_strings(&self) -> Option<Vec<String>> {
        let array = self.node.get_ref().as_array()?;
        array.iter().map(|node| node.get_ref().as_str().map(str::to_owned)).collect()
    }

    /// Whether it is a table.
    #[must_use]
    pub fn is_table(&self) -> bool {
        self.node.get_ref().is_table()
    }

    /// Whether it is an integer.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.node.get_ref().is_integer()
    }

    /// Reports a mistake at this value.
    pub fn report(&self, wrong: Wrong) {
        self.findings.add(self.offset(), wrong);
    }

    /// Reports a mistake at a byte of this string; at its beginning if an escape before that byte hides where it is written.
    pub fn report_inside(&self, offset: usize, wrong: Wrong) {
        self.findings.add_inside(self.offset(), offset, wrong);
    }

    /// The beginning of a message about this value: what it is called and what it is.
    #[must_use]
    pub fn wrong(&self) -> Wrong {
        Wrong::new(format!("{} is {}", self.label, describe(self.node.get_ref())))
    }

    /// Where the value begins, in bytes.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.node.span().start
    }

    /// `value` with the place of this value.
    #[must_use]
    pub fn locate<T>(&self, value: T) -> Located<T> {
        Located { value, offset: self.offset() }
    }

    /// Reports that this value is not what was `expected`.
    pub fn refuse<T>(&self, expected: &str) -> Option<T> {
        self.report(self.wrong().expected(expected));
        None
    }

    fn typed<T>(&self, expected: &str, pick: impl FnOnce(&'d DeValue<'d>) -> Option<T>) -> Option<T> {
        let node = self.node.get_ref();
        let picked = pick(node);
        if picked.is_none() {
            let kind = if node.is_str() { "the string " } else { "" };
            self.report(Wrong::new(format!("{} is {kind}{}", self.label, describe(node))).expected(expected));
        }
        picked
    }

    fn key(&self) -> &'d str {
        match self.label {
            Label::Key(key) | Label::EntryOf(key) => key,
        }
    }
}

fn describe(node: &DeValue<'_>) -> String {
    match node {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => format!("the number {}", quoted(&number.to_string())),
        DeValue::Float(number) => format!("the number {}", quoted(number.as_str())),
        DeValue::Boolean(truth) => format!("the truth value `{truth}`"),
        DeValue::Datetime(time) => format!("the time `{time}`"),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn civil_date(date: toml::value::Date) -> Option<Date> {
    Date::new(i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?).ok()
}

fn civil_date_time((date, time): (toml::value::Date, toml::value::Time)) -> Option<DateTime> {
    Some(civil_date(date)?.to_datetime(civil_time(time)?))
}

fn civil_time(time: toml::value::Time) -> Option<Time> {
    let (hour, minute) = (i8::try_from(time.hour).ok()?, i8::try_from(time.minute).ok()?);
    let second = i8::try_from(time.second.unwrap_or(0)).ok()?;
    let whole = time.nanosecond.unwrap_or(0) == 0;
    Time::new(hour, minute, second, 0).ok().filter(|_| whole)
}
