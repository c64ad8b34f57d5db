//! Mistakes while they are being collected: by byte offset first, by line and column at the end.

use std::cell::RefCell;

use crate::domain::problem::{Problem, Problems};

/// A file tells at most so many problems; the rest is counted.
const MAX_PROBLEMS: usize = 100;

/// One mistake, not yet placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    what: String,
    expected: Option<String>,
    hint: Option<String>,
    /// Byte offset of what this one repeats; becomes the hint.
    first: Option<usize>,
    conceal: bool,
}

impl Wrong {
    /// States what is wrong, with the value: lower case, no final period.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), expected: None, hint: None, first: None, conceal: false }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn expected(self, expected: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Points to the place that this one repeats.
    #[must_use]
    pub fn repeats(self, offset: usize) -> Self {
        Self { first: Some(offset), ..self }
    }

    /// Marks that the line holds a secret, so that nobody quotes it.
    #[must_use]
    pub fn concealed(self) -> Self {
        Self { conceal: true, ..self }
    }

    /// Makes a problem of it that lies at a byte offset of a file.
    #[must_use]
    pub fn at(self, offset: usize, lines: &Lines<'_>, file: &str) -> Problem {
        let Self { what, expected, hint, first, conceal } = self;
        let Position { line, column } = lines.position(offset);
        let hint = hint.or_else(|| first.map(|first| format!("the first is in line {}", lines.position(first).line)));
        Problem { file: file.to_owned(), line, column, what, expected, hint, conceal }
    }
}

/// A place in a text that a person can go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A text and where its lines begin.
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    /// Finds the lines of `text`.
    #[must_use]
    pub fn of(text: &'t str) -> Self {
        // A byte order mark belongs to no line: editors do not show it.
        let first = text.strip_prefix('\u{feff}').map_or(0, |rest| text.len() - rest.len());
        let starts = std::iter::once(first).chain(text.match_indices('\n').map(|(offset, _)| offset + 1)).collect();
        Self { text, starts }
    }

    /// The position of a byte offset. An offset inside a character means the character; one behind the end, the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let before = self.text.get(start..self.text.floor_char_boundary(offset)).unwrap_or_default();
        Position { line, column: before.chars().count() + 1 }
    }
}

/// The mistakes of one file. Shared by all readers of its tables, hence the cell.
#[derive(Debug, Default)]
pub(super) struct Findings(RefCell<Collected>);

/// Where a mistake is, as far as it is known before the text is at hand again.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// At a byte of the file.
    At(usize),
    /// At the byte `inside` of the string that is written from `start` on.
    Inside { start: usize, inside: usize },
}

impl Place {
    fn offset(self, text: &str) -> usize {
        match self {
            Self::At(offset) => offset,
            Self::Inside { start, inside } => offset_inside(text, start, inside).unwrap_or(start),
        }
    }
}

/// Where a byte of a string's value is written; nothing if an escape or a line break before it hides that.
fn offset_inside(text: &str, start: usize, inside: usize) -> Option<usize> {
    let written = text.get(start..)?;
    let quote = written.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let quotes = [quote; 3].iter().collect::<String>();
    let content = match written.strip_prefix(&quotes) {
        // A line break right behind the quotes is no part of the value.
        Some(rest) => rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest),
        None => &written[1..],
    };
    let before = content.get(..inside)?;
    let is_literal = !before.contains('\r') && (quote == '\'' || !before.contains('\\'));
    is_literal.then(|| text.len() - content.len() + inside)
}

#[derive(Debug, Default)]
struct Collected {
    wrongs: Vec<(Place, Wrong)>,
    omitted: usize,
}

impl Findings {
    /// Adds a mistake at a byte offset.
    pub(super) fn add(&self, offset: usize, wrong: Wrong) {
        self.push(Place::At(offset), wrong);
    }

    /// Adds a mistake at a byte of the value of the string that is written from `start` on.
    pub(super) fn add_inside(&self, start: usize, inside: usize, wrong: Wrong) {
        self.push(Place::Inside { start, inside }, wrong);
    }

    fn push(&self, place: Place, wrong: Wrong) {
        let mut collected = self.0.borrow_mut();
        if collected.wrongs.len() < MAX_PROBLEMS {
            collected.wrongs.push((place, wrong));
        } else {
            collected.omitted += 1;
        }
    }

    /// Places everything that was found.
    pub(super) fn into_problems(self, text: &str, file: &str) -> Problems {
        let Collected { wrongs, omitted } = self.0.into_inner();
        let mut wrongs: Vec<(usize, Wrong)> =
            wrongs.into_iter().map(|(place, wrong)| (place.offset(text), wrong)).collect();
        wrongs.sort_by_key(|(offset, _)| *offset);
        wrongs.dedup();
        if omitted > 0 {
            wrongs.push((text.len(), Wrong::new(format!("{omitted} more problems in this file are not listed"))));
        }
        let lines = Lines::of(text);
        Problems(wrongs.into_iter().map(|(offset, wrong)| wrong.at(offset, &lines, file)).collect())
    }
}
