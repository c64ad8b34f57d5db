//! Provisional.
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::rule::Rule;

/// The days on which a rule falls, from some day on.
pub(super) struct Expansion<'r> {
    rule: &'r Rule,
}

impl<'r> Expansion<'r> {
    pub(super) fn new(rule: &'r Rule, _starts: DateTime, _from: i32, _zone: Option<&TimeZone>) -> Self {
        Self { rule }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.rule.count().is_some()
    }
}

impl Iterator for Expansion<'_> {
    type Item = i32;

    fn next(&mut self) -> Option<i32> {
        None
    }
}
