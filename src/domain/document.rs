//! Reading of TOML files that people write: every mistake is collected with its line and column, none ends the reading.
//!
//! Knows TOML, positions and the plain types (names, durations, sizes, dates); does not know what the keys mean.
//! Invariants: each key is asked for by name, so that [`Table::finish`] can tell the keys that nobody knows;
//! whatever yields `None` has left a problem behind; a file with syntax errors yields those and nothing else, because
//! what follows from a tree with holes would mislead.

use std::path::Path;

use toml::de::DeTable;

use super::id::Name;
use super::problem::Problems;

mod distinct;
mod findings;
pub mod nearest;
mod quantity;
mod quote;
mod table;
mod value;

pub use distinct::Distinct;
pub use findings::{Lines, Position, Wrong};
pub use nearest::{did_you_mean, nearest};
pub use quote::quoted;
pub use table::{Key, Table};
pub use value::{NAME_RULE, Value};

use findings::Findings;

/// Largest file that is read, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Largest calendar of another program, in bytes.
pub const MAX_CALENDAR_BYTES: usize = 16 * 1024 * 1024;

/// A value with the byte offset in its file, for mistakes that only show when several files are seen together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it begins, in bytes; see [`Lines::position`].
    pub offset: usize,
}

/// Reads the TOML in `text` and hands its root table to `build`, together with the name that the file's stem stands for.
/// The problems are sorted by position; they name the file as `file`.
pub fn read<T: Default>(text: &str, file: &str, build: impl FnOnce(Table<'_>) -> T) -> (T, Problems) {
    let findings = Findings::default();
    let built = build_from(text, &findings, build);
    (built, findings.into_problems(text, file))
}

/// What a file is called without its ending: the name of the customer or job that it describes.
#[must_use]
pub fn stem(file: &str) -> Option<Name> {
    Path::new(file).file_stem()?.to_str()?.parse().ok()
}

/// [`stem`], or a problem at the beginning of the file.
pub fn read_stem(file: &str, root: &Table<'_>) -> Option<Name> {
    let name = stem(file);
    if name.is_none() {
        let wrong =
            Wrong::new(format!("{} is no name for a file", quoted(file))).expected(format!("{NAME_RULE}, and `.toml`"));
        root.report(wrong.hint("rename the file: its name is what people type"));
    }
    name
}

fn build_from<T: Default>(text: &str, findings: &Findings, build: impl FnOnce(Table<'_>) -> T) -> T {
    if let Some(wrong) = refuse_whole(text) {
        findings.add(text.find('\0').unwrap_or(0), wrong);
        return T::default();
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return build(Table::root(root.get_ref(), findings));
    }
    for error in errors {
        let (offset, wrong) = explain_syntax(text, &error);
        findings.add(offset, wrong);
    }
    T::default()
}

/// What makes a text no document at all.
fn refuse_whole(text: &str) -> Option<Wrong> {
    if text.len() > MAX_BYTES {
        let wrong = Wrong::new(format!("the file has {} bytes", text.len()));
        return Some(wrong.expected(format!("at most {MAX_BYTES} bytes")));
    }
    text.contains('\0').then(|| Wrong::new("the file has a NUL byte").expected("text"))
}

fn explain_syntax(text: &str, error: &toml::de::Error) -> (usize, Wrong) {
    let span = error.span().unwrap_or_default();
    let (what, expected) = match error.message().split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (error.message(), None),
    };
    let wrong = match what {
        "duplicate key" => Wrong::new(format!("{} is there twice", quoted(text.get(span.clone()).unwrap_or_default()))),
        _ => Wrong::new(format!("not TOML: {what}")),
    };
    (span.start, expected.into_iter().fold(wrong, Wrong::expected))
}

#[cfg(test)]
pub(in crate::domain) mod tests;
