//! What comes after the rule: so many days, or so many working days, later or earlier.

use std::fmt;

/// Longest shift, in days or working days: a shift is no rule of its own.
const MOST: i16 = 60;

/// How far a window lies from the date that its rule gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shift {
    /// So many days; negative: before.
    Days(i16),
    /// So many working days: Monday to Friday, no public holiday of the region.
    Workdays(i16),
}

/// A text that is no [`Shift`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a shift is `+3d`, `-1d`, `+2 workdays` or `-1 workday`, of 1 to {MOST}")]
pub struct NotAShift;

impl std::str::FromStr for Shift {
    type Err = NotAShift;

    fn from_str(text: &str) -> Result<Self, NotAShift> {
        let later = match text.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(NotAShift),
        };
        let rest = &text[1..];
        let digits = rest.len() - rest.trim_start_matches(|character: char| character.is_ascii_digit()).len();
        let (number, unit) = rest.split_at(digits);
        let number = number.parse::<i16>().ok().filter(|number| (1..=MOST).contains(number)).ok_or(NotAShift)?;
        match unit.trim_start_matches(' ') {
            "d" | "day" | "days" => Ok(Self::Days(later * number)),
            "workday" | "workdays" => Ok(Self::Workdays(later * number)),
            _ => Err(NotAShift),
        }
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(number) => write!(f, "{number:+}d"),
            Self::Workdays(number) if number.abs() == 1 => write!(f, "{number:+} workday"),
            Self::Workdays(number) => write!(f, "{number:+} workdays"),
        }
    }
}

#[cfg(test)]
mod tests;
