//! A first look at recurrence rules (RFC 5545 section 3.3.10): their form. What they mean is for the calendar to say.

use crate::domain::document::{Value, Wrong, did_you_mean, quoted};

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
const FREQUENCIES: [&str; 4] = ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"];

/// Reads a rule such as `FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR`.
pub(super) fn read_rule(value: &Value<'_>) -> Option<String> {
    let text = value.line()?;
    match check_rule(text) {
        Ok(()) => Some(text.to_owned()),
        Err(wrong) => {
            value.report(wrong);
            None
        }
    }
}

fn check_rule(text: &str) -> Result<(), Wrong> {
    if text.starts_with("RRULE:") {
        return Err(Wrong::new(format!("`rule` is {}", quoted(text))).hint("leave `RRULE:` out"));
    }
    let mut seen = Vec::new();
    for part in text.split(';') {
        let (name, setting) = part.split_once('=').ok_or_else(|| misshapen(part))?;
        if seen.contains(&name) {
            return Err(Wrong::new(format!("`rule` has {} twice", quoted(name))));
        }
        seen.push(name);
        check_part(name, setting)?;
    }
    if seen.contains(&"FREQ") { Ok(()) } else { Err(frequency(Wrong::new("`rule` has no `FREQ`"))) }
}

fn check_part(name: &str, setting: &str) -> Result<(), Wrong> {
    if !PARTS.contains(&name) {
        let wrong = Wrong::new(format!("`rule` has the unknown part {}", quoted(name)));
        return Err(match did_you_mean(name, PARTS) {
            Some(hint) => wrong.hint(hint),
            None => wrong.expected(PARTS.join(", ")),
        });
    }
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"+-,".contains(&byte);
    let fits = match name {
        "FREQ" if !FREQUENCIES.contains(&setting) => {
            return Err(frequency(Wrong::new(format!("`FREQ` in `rule` is {}", quoted(setting)))));
        }
        "COUNT" | "INTERVAL" => setting.parse::<u16>().is_ok_and(|number| number > 0),
        _ => !setting.is_empty() && setting.bytes().all(allowed),
    };
    if fits { Ok(()) } else { Err(Wrong::new(format!("`{name}` in `rule` is {}", quoted(setting)))) }
}

fn misshapen(part: &str) -> Wrong {
    Wrong::new(format!("`rule` has the part {}", quoted(part))).expected("parts as NAME=VALUE, with `;` between them")
}

fn frequency(wrong: Wrong) -> Wrong {
    wrong.expected(FREQUENCIES.map(|frequency| format!("`FREQ={frequency}`")).join(", "))
}
