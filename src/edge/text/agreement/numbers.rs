//! Ordinal numbers, weekdays and months as keys of texts.

use jiff::civil::Weekday;

/// Weekdays with their keys, from Monday on.
pub(super) const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Monday, "monday"),
    (Weekday::Tuesday, "tuesday"),
    (Weekday::Wednesday, "wednesday"),
    (Weekday::Thursday, "thursday"),
    (Weekday::Friday, "friday"),
    (Weekday::Saturday, "saturday"),
    (Weekday::Sunday, "sunday"),
];

/// Keys of the months, from January on.
pub(super) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The key of a weekday.
pub(super) fn place(weekdays: &[(Weekday, &'static str); 7], day: Weekday) -> &'static str {
    weekdays.iter().find(|(known, _)| *known == day).map_or("monday", |(_, key)| key)
}

/// The grammatical gender of a weekday. It is that of Russian, the only one of our languages where weekdays differ in it;
/// the others have the same text three times.
pub(super) fn gender(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday | Weekday::Tuesday | Weekday::Thursday => "masculine",
        Weekday::Wednesday | Weekday::Friday | Weekday::Saturday => "feminine",
        Weekday::Sunday => "neuter",
    }
}

/// An ordinal number: the key of its text, and the digits for texts that have them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Nth {
    pub(super) key: &'static str,
    pub(super) digits: String,
}

impl Nth {
    /// Small numbers have words of their own; a negative number counts from the end.
    pub(super) fn in_words(number: i16) -> Self {
        let key = match number {
            1 => "first",
            2 => "second",
            3 => "third",
            4 => "fourth",
            5 => "fifth",
            _ => return Self::in_digits(number),
        };
        Self { key, digits: number.to_string() }
    }

    /// As a number, but for the last and the one before.
    pub(super) fn in_digits(number: i16) -> Self {
        let key = match number {
            0.. => "number",
            -1 => "last",
            -2 => "second_last",
            _ => "from_end",
        };
        Self { key, digits: number.unsigned_abs().to_string() }
    }
}
