//! A program that looks for us.

use serde::{Deserialize, Serialize};

use super::Check;
use super::parse::read_text;
use super::template::is_template;
use crate::domain::document::{Table, Value};

#[cfg(test)]
mod tests;

const ARGUMENT_RULE: &str = "text; `$ADDRESS` and `$VAR_NAME` stand for the host's values";
const PROGRAM_RULE: &str = "the program: an absolute path, or a name that is looked for in the usual places";

/// A program that must end as expected. No shell reads its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandCheck {
    /// The program, then its arguments, which are [`super::template`]s.
    pub argv: Vec<String>,
    /// Expected exit status.
    pub status: u8,
    /// Text that the first 64 KiB of its standard output must contain.
    pub contains: Option<String>,
}

/// Reads `command`.
pub(super) fn read_command(table: &mut Table<'_>) -> Option<Check> {
    let argv = table.required("argv").and_then(|value| read_argv(&value));
    let status = table.optional("status").map_or(Some(0), |value| value.integer(0..=255));
    let contains = table.optional("contains").and_then(|value| read_text(&value, "text that the program prints"));
    Some(Check::Command(CommandCheck { argv: argv?, status: status?, contains }))
}

fn read_argv(value: &Value<'_>) -> Option<Vec<String>> {
    let words = value.entries()?;
    let read = |(position, word): (usize, &Value<'_>)| match position {
        0 => word.parsed(PROGRAM_RULE, parse_program),
        _ => word.parsed(ARGUMENT_RULE, parse_argument),
    };
    // Every word is read before the first mistake ends it.
    let words: Vec<_> = words.iter().enumerate().map(read).collect();
    words.into_iter().collect()
}

fn parse_program(text: &str) -> Option<String> {
    let is_path = text.starts_with('/') || !text.contains('/');
    let fits = (1..=4096).contains(&text.len()) && is_path && !text.contains(char::is_control) && !text.contains('$');
    fits.then(|| text.to_owned())
}

fn parse_argument(text: &str) -> Option<String> {
    let fits = text.len() <= 4096 && !text.contains('\0') && is_template(text);
    fits.then(|| text.to_owned())
}
