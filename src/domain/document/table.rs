//! A table whose keys are asked for one by one.

use toml::Spanned;
use toml::de::DeTable;

use super::findings::{Findings, Wrong};
use super::nearest::did_you_mean;
use super::quote::quoted;
use super::value::Value;

/// A key with one of these in it, in a place where it is unknown, probably holds a secret in clear.
const SECRET_WORDS: [&str; 5] = ["password", "passwd", "passphrase", "secret", "token"];

/// A table of the file. Ask for every key that it may have, then call [`Table::finish`].
pub struct Table<'d> {
    entries: &'d DeTable<'d>,
    /// What messages call it: a key, or nothing for the whole file.
    title: Option<&'d str>,
    offset: usize,
    known: Vec<&'static str>,
    forbidden: Vec<&'static str>,
    findings: &'d Findings,
}

/// A key that the file's author chose.
#[derive(Clone, Copy)]
pub struct Key<'d> {
    /// The key.
    pub text: &'d str,
    offset: usize,
    findings: &'d Findings,
}

impl Key<'_> {
    /// The key as a part of the name of an environment variable.
    pub fn variable(&self) -> Option<String> {
        let fits = (1..=63).contains(&self.text.len())
            && self.text.starts_with(|first: char| first.is_ascii_lowercase())
            && self.text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if !fits {
            let wrong = Wrong::new(format!("the key {} can't become an environment variable", quoted(self.text)));
            self.report(wrong.expected("1 to 63 of a-z, 0-9 and `_`, beginning with a letter"));
        }
        fits.then(|| self.text.to_owned())
    }

    /// Reports a mistake of the key itself.
    pub fn report(&self, wrong: Wrong) {
        self.findings.add(self.offset, wrong);
    }
}

impl<'d> Table<'d> {
    /// The whole file.
    pub(super) fn root(entries: &'d DeTable<'d>, findings: &'d Findings) -> Self {
        Self { entries, title: None, offset: 0, known: Vec::new(), forbidden: Vec::new(), findings }
    }

    /// The table that stands under the key `title`.
    pub(super) fn under(title: &'d str, offset: usize, entries: &'d DeTable<'d>, findings: &'d Findings) -> Self {
        Self { title: Some(title), offset, ..Self::root(entries, findings) }
    }

    /// The value of a key that may be absent.
    pub fn optional(&mut self, key: &'static str) -> Option<Value<'d>> {
        self.known.push(key);
        Some(Value::of(key, self.entries.get(key)?, self.findings))
    }

    /// The value of a key that must be there.
    pub fn required(&mut self, key: &'static str) -> Option<Value<'d>> {
        let value = self.optional(key);
        if value.is_none() {
            self.report(Wrong::new(format!("`{key}` is missing in {}", self.name())));
        }
        value
    }

    /// The sub-table of a key that may be absent.
    pub fn table(&mut self, key: &'static str) -> Option<Table<'d>> {
        self.optional(key)?.table()
    }

    /// [`Table::tables`] of a key that must have one at least.
    pub fn required_tables(&mut self, key: &'static str, limit: usize) -> Vec<Table<'d>> {
        let found = self.entries.get(key).map(Spanned::get_ref);
        if found.is_none_or(|node| node.as_array().is_some_and(|array| array.is_empty())) {
            let wrong = Wrong::new(format!("there is no `{key}` in {}", self.name()));
            self.report(wrong.expected(format!("at least one `[[{key}]]`")));
        }
        self.tables(key, limit)
    }

    /// The tables of a key that may be absent; those behind the first `limit` are a problem and left out.
    pub fn tables(&mut self, key: &'static str, limit: usize) -> Vec<Table<'d>> {
        self.optional(key).map(|value| value.tables(limit)).unwrap_or_default()
    }

    /// All entries, in the order of their keys; for tables whose keys are the author's own.
    pub fn entries(&self) -> impl Iterator<Item = (Key<'d>, Value<'d>)> + use<'d> {
        let Self { entries, findings, .. } = *self;
        entries.iter().map(move |(key, node)| {
            let text: &str = key.get_ref();
            (Key { text, offset: key.span().start, findings }, Value::of(text, node, findings))
        })
    }

    /// Refuses a key that may not stand here, with a better answer than "unknown key". Does nothing if it is absent.
    pub fn forbid(&mut self, key: &'static str, wrong: impl FnOnce() -> Wrong) {
        self.forbidden.push(key);
        if let Some((found, _)) = self.entries.get_key_value(key) {
            self.findings.add(found.span().start, wrong());
        }
    }

    /// Whether the key is there, without asking for its value.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Reports a mistake of the table as a whole.
    pub fn report(&self, wrong: Wrong) {
        self.findings.add(self.offset, wrong);
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(&self) {
        for key in self.entries.keys() {
            let text: &str = key.get_ref();
            if !self.known.contains(&text) && !self.forbidden.contains(&text) {
                self.findings.add(key.span().start, self.unknown(text));
            }
        }
    }

    fn unknown(&self, key: &str) -> Wrong {
        let wrong = Wrong::new(format!("unknown key {} in {}", quoted(key), self.name()));
        let lower = key.to_lowercase();
        let wrong = if SECRET_WORDS.iter().any(|word| lower.contains(word)) { wrong.concealed() } else { wrong };
        match did_you_mean(key, self.known.iter().copied()) {
            Some(hint) => wrong.hint(hint),
            None => wrong.expected(self.known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ")),
        }
    }

    fn name(&self) -> String {
        self.title.map_or_else(|| "the file".to_owned(), quoted)
    }
}
