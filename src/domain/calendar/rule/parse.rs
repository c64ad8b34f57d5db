//! From the text of a rule to a [`Rule`], or to the first mistake with its place.

use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime, Time, Weekday};

use super::{Frequency, MAX_COUNT, Rule, RuleError, Until};
use crate::domain::document::{did_you_mean, quoted};

/// Nobody writes a longer one; every list in it is as long at most.
const MAX_BYTES: usize = 2000;

const PARTS: [&str; 14] = [
    "FREQ",
    "UNTIL",
    "COUNT",
    "INTERVAL",
    "BYSECOND",
    "BYMINUTE",
    "BYHOUR",
    "BYDAY",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYMONTH",
    "BYSETPOS",
    "WKST",
];

/// Windows are days apart; a rule that fires by the hour is a mistake.
const FREQUENCIES: [(&str, Frequency); 4] = [
    ("DAILY", Frequency::Daily),
    ("WEEKLY", Frequency::Weekly),
    ("MONTHLY", Frequency::Monthly),
    ("YEARLY", Frequency::Yearly),
];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
    ("SU", Weekday::Sunday),
];

/// A piece of the rule's text.
#[derive(Clone, Copy)]
struct Piece<'t> {
    text: &'t str,
    /// Where it begins in the rule.
    offset: usize,
}

impl<'t> Piece<'t> {
    fn split(self, separator: char) -> impl Iterator<Item = Piece<'t>> {
        let Self { text, mut offset } = self;
        text.split(separator).map(move |text| {
            let piece = Piece { text, offset };
            offset += text.len() + separator.len_utf8();
            piece
        })
    }

    fn wrong(self, part: &str) -> RuleError {
        RuleError::at(self.offset, format!("`{part}` is {}", quoted(self.text)))
    }
}

/// A part that was read: its name as in [`PARTS`], and where its value is.
struct Part<'t> {
    name: &'static str,
    value: Piece<'t>,
    /// Where the part begins.
    offset: usize,
}

pub(super) fn parse(text: &str) -> Result<Rule, RuleError> {
    if text.len() > MAX_BYTES {
        let wrong = RuleError::at(0, format!("the rule has {} bytes", text.len()));
        return Err(wrong.expected(format!("at most {MAX_BYTES} bytes")));
    }
    if text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("RRULE:")) {
        return Err(RuleError::at(0, format!("the rule is {}", quoted(text))).hint("leave `RRULE:` out"));
    }
    let parts = split_parts(text)?;
    let rule = build(text, &parts)?;
    check_company(&rule, &parts)?;
    Ok(rule)
}

fn split_parts(text: &str) -> Result<Vec<Part<'_>>, RuleError> {
    let mut parts: Vec<Part<'_>> = Vec::with_capacity(4);
    for piece in (Piece { text, offset: 0 }).split(';') {
        let offset = piece.offset;
        let (name, value) = piece.text.split_once('=').ok_or_else(|| {
            RuleError::at(offset, format!("the rule has the part {}", quoted(piece.text)))
                .expected("parts as NAME=VALUE, with `;` between them")
        })?;
        let known = PARTS.into_iter().find(|known| name.eq_ignore_ascii_case(known));
        let known = known.ok_or_else(|| unknown_part(name, offset))?;
        if parts.iter().any(|part| part.name == known) {
            return Err(RuleError::at(offset, format!("the rule has `{known}` twice")));
        }
        let value = Piece { text: value, offset: offset + name.len() + 1 };
        parts.push(Part { name: known, value, offset });
    }
    Ok(parts)
}

fn unknown_part(name: &str, offset: usize) -> RuleError {
    let wrong = RuleError::at(offset, format!("the rule has the unknown part {}", quoted(name)));
    match did_you_mean(&name.to_ascii_uppercase(), PARTS) {
        Some(hint) => wrong.hint(hint),
        None => wrong.expected(PARTS.join(", ")),
    }
}

fn build(text: &str, parts: &[Part<'_>]) -> Result<Rule, RuleError> {
    let frequency = parts.iter().find(|part| part.name == "FREQ");
    let frequency = frequency.ok_or_else(|| list_frequencies(RuleError::at(0, "the rule has no `FREQ`")))?;
    let mut rule = Rule {
        text: text.to_owned(),
        frequency: read_frequency(frequency.value)?,
        interval: 1,
        count: None,
        until: None,
        by_month: Vec::new(),
        by_month_day: Vec::new(),
        by_year_day: Vec::new(),
        by_week_number: Vec::new(),
        by_day: Vec::new(),
        by_set_position: Vec::new(),
        week_start: Weekday::Monday,
    };
    for part in parts {
        take(&mut rule, part)?;
    }
    Ok(rule)
}

fn take(rule: &mut Rule, part: &Part<'_>) -> Result<(), RuleError> {
    let Part { name, value, offset } = *part;
    match name {
        "UNTIL" => rule.until = Some(read_until(value)?),
        "COUNT" => rule.count = Some(read_number(name, value, 1..=i64::from(MAX_COUNT))?),
        "INTERVAL" => rule.interval = read_number(name, value, 1..=i64::from(u16::MAX))?,
        "BYMONTH" => rule.by_month = read_list(value, |entry| read_number(name, entry, 1..=12))?,
        "BYMONTHDAY" => rule.by_month_day = read_list(value, |entry| read_place(name, entry, 31))?,
        "BYYEARDAY" => rule.by_year_day = read_list(value, |entry| read_place(name, entry, 366))?,
        "BYWEEKNO" => rule.by_week_number = read_list(value, |entry| read_place(name, entry, 53))?,
        "BYSETPOS" => rule.by_set_position = read_list(value, |entry| read_place(name, entry, 366))?,
        "BYDAY" => rule.by_day = read_list(value, read_day)?,
        "WKST" => rule.week_start = read_weekday(name, value)?,
        "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
            return Err(RuleError::at(offset, format!("the rule has `{name}`: windows have one time of day"))
                .hint("leave it out: the time of day is that of `starts`"));
        }
        _ => {}
    }
    Ok(())
}

/// The entries in their order, each once: what stands there twice says nothing more, and costs time.
fn read_list<T: PartialEq>(
    value: Piece<'_>,
    read: impl Fn(Piece<'_>) -> Result<T, RuleError>,
) -> Result<Vec<T>, RuleError> {
    let mut entries = Vec::new();
    for piece in value.split(',') {
        let entry = read(piece)?;
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn read_frequency(value: Piece<'_>) -> Result<Frequency, RuleError> {
    let found = FREQUENCIES.iter().find(|(word, _)| value.text.eq_ignore_ascii_case(word));
    found.map(|(_, frequency)| *frequency).ok_or_else(|| {
        let wrong = list_frequencies(value.wrong("FREQ"));
        let known = FREQUENCIES.map(|(word, _)| word);
        did_you_mean(&value.text.to_ascii_uppercase(), known).into_iter().fold(wrong, RuleError::hint)
    })
}

fn list_frequencies(wrong: RuleError) -> RuleError {
    wrong.expected(FREQUENCIES.map(|(word, _)| format!("`FREQ={word}`")).join(", "))
}

/// A number without sign.
fn read_number<T: TryFrom<i64>>(part: &str, value: Piece<'_>, range: RangeInclusive<i64>) -> Result<T, RuleError> {
    let digits = !value.text.is_empty() && value.text.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.text.parse().ok().filter(|number| digits && range.contains(number));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| value.wrong(part).expected(format!("a whole number from {} to {}", range.start(), range.end())))
}

/// A number from 1 to `most`, or from the end: -1 to -`most`.
fn read_place<T: TryFrom<i64>>(part: &str, value: Piece<'_>, most: i64) -> Result<T, RuleError> {
    signed(value.text)
        .filter(|number| (1..=most).contains(&number.abs()))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            value
                .wrong(part)
                .expected(format!("numbers from 1 to {most}, or from -1 (the last) to -{most}, with `,` between them"))
        })
}

fn signed(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// `FR`, `2TU`, `-1FR`.
fn read_day(entry: Piece<'_>) -> Result<(Option<i8>, Weekday), RuleError> {
    let refuse = || {
        entry.wrong("BYDAY").expected("days such as `FR`, `2TU` (the second), `-1FR` (the last), with `,` between them")
    };
    let start =
        entry.text.len().checked_sub(2).filter(|start| entry.text.is_char_boundary(*start)).ok_or_else(refuse)?;
    let (ordinal, word) = entry.text.split_at(start);
    let weekday = find_weekday(word).ok_or_else(refuse)?;
    if ordinal.is_empty() {
        return Ok((None, weekday));
    }
    let number =
        signed(ordinal).filter(|number| (1..=53).contains(&number.abs())).and_then(|number| i8::try_from(number).ok());
    Ok((Some(number.ok_or_else(refuse)?), weekday))
}

fn read_weekday(part: &str, value: Piece<'_>) -> Result<Weekday, RuleError> {
    let expected = || WEEKDAYS.map(|(word, _)| format!("`{word}`")).join(", ");
    find_weekday(value.text).ok_or_else(|| value.wrong(part).expected(expected()))
}

fn find_weekday(text: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, weekday)| *weekday)
}

/// `20301231`, `20301231T180000` or `20301231T170000Z`.
fn read_until(value: Piece<'_>) -> Result<Until, RuleError> {
    parse_until(value.text).ok_or_else(|| {
        value
            .wrong("UNTIL")
            .expected("a day as `20301231`, a local time as `20301231T180000`, or one in UTC as `20301231T170000Z`")
    })
}

fn parse_until(text: &str) -> Option<Until> {
    let Some((day, clock)) = text.split_once(['T', 't']) else { return parse_day(text).map(Until::Day) };
    let date = parse_day(day)?;
    let local = clock.strip_suffix(['Z', 'z']);
    let [hour, minute, second] =
        digits::<6>(local.unwrap_or(clock)).map(|[a, b, c, d, e, f]| [a * 10 + b, c * 10 + d, e * 10 + f])?;
    let time = Time::new(hour, minute, second, 0).ok()?;
    let until = DateTime::from_parts(date, time);
    Some(if local.is_some() { Until::Utc(until) } else { Until::Local(until) })
}

fn parse_day(text: &str) -> Option<Date> {
    let [a, b, c, d, e, f, g, h] = digits::<8>(text)?;
    let year = [a, b, c, d].into_iter().fold(0_i16, |year, digit| year * 10 + i16::from(digit));
    Date::new(year, e * 10 + f, g * 10 + h).ok().filter(|_| year > 0)
}

fn digits<const N: usize>(text: &str) -> Option<[i8; N]> {
    let bytes: [u8; N] = text.as_bytes().try_into().ok()?;
    let digit = |byte: u8| i8::try_from(byte.wrapping_sub(b'0')).unwrap_or(i8::MAX);
    bytes.iter().all(u8::is_ascii_digit).then(|| bytes.map(digit))
}

/// Which parts may stand together: the table of RFC 5545 section 3.3.10, and what it says of `BYDAY` and `BYSETPOS`.
fn check_company(rule: &Rule, parts: &[Part<'_>]) -> Result<(), RuleError> {
    let find = |name: &str| parts.iter().find(|part| part.name == name);
    let refuse =
        |part: &Part<'_>, why: &str| Err(RuleError::at(part.offset, format!("the rule has `{}` {why}", part.name)));
    if let (Some(part), Some(_)) = (find("COUNT"), find("UNTIL")) {
        return refuse(part, "and `UNTIL`: one of them says when it ends")
            .map_err(|wrong| wrong.hint("leave one of them out"));
    }
    let bound: [(&str, &[Frequency]); 3] = [
        ("BYMONTHDAY", &[Frequency::Daily, Frequency::Monthly, Frequency::Yearly]),
        ("BYYEARDAY", &[Frequency::Yearly]),
        ("BYWEEKNO", &[Frequency::Yearly]),
    ];
    for (name, frequencies) in bound {
        if let Some(part) = find(name).filter(|_| !frequencies.contains(&rule.frequency)) {
            let words = FREQUENCIES.iter().filter(|(_, frequency)| frequencies.contains(frequency));
            let expected = words.map(|(word, _)| format!("`FREQ={word}`")).collect::<Vec<_>>().join(", ");
            let own =
                FREQUENCIES.iter().find(|(_, frequency)| *frequency == rule.frequency).map_or("", |(word, _)| word);
            return refuse(part, &format!("beside `FREQ={own}`")).map_err(|wrong| wrong.expected(expected));
        }
    }
    let ordinal = rule.by_day.iter().any(|(ordinal, _)| ordinal.is_some());
    if let Some(part) = find("BYDAY").filter(|_| ordinal) {
        if matches!(rule.frequency, Frequency::Daily | Frequency::Weekly) {
            return refuse(part, "with numbers: a week has each day once")
                .map_err(|wrong| wrong.expected("days without numbers, or `FREQ=MONTHLY`, `FREQ=YEARLY`"));
        }
        if find("BYWEEKNO").is_some() {
            return refuse(part, "with numbers beside `BYWEEKNO`: a week has each day once")
                .map_err(|wrong| wrong.expected("days without numbers"));
        }
    }
    let choosing = ["BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY"];
    match find("BYSETPOS").filter(|_| !choosing.iter().any(|name| find(name).is_some())) {
        Some(part) => refuse(part, "without another part that gives it dates to choose from")
            .map_err(|wrong| wrong.expected("also `BYDAY`, `BYMONTHDAY`, `BYMONTH`, `BYYEARDAY` or `BYWEEKNO`")),
        None => Ok(()),
    }
}
