//! The texts of one language: sentences with placeholders, some with plural forms.
//!
//! Knows the locale files and the languages' plural rules; does not know what the texts are for.
//! Invariant: a text that is missing, or a placeholder without a value, is an error and never an empty spot.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use crate::domain::inventory::Locale;

#[cfg(test)]
mod tests;

/// A value for a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Goes in as it is.
    Text(&'a str),
    /// Goes in as this text; the number chooses the plural form.
    Count(u64, &'a str),
}

/// Which form of a text fits a number (the categories of Unicode CLDR that whole numbers of our languages need).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Plural {
    One,
    Few,
    Many,
    Other,
}

impl Plural {
    const ALL: [Self; 4] = [Self::One, Self::Few, Self::Many, Self::Other];

    /// The word in locale files.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Few => "few",
            Self::Many => "many",
            Self::Other => "other",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == word)
    }
}

/// A text as the locale file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// One form for all.
    Plain(String),
    /// A form for each category; `other` is always there.
    Plural(BTreeMap<Plural, String>),
}

/// All texts of one language by their dotted keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Catalogue {
    locale: Locale,
    messages: BTreeMap<String, Message>,
}

impl Catalogue {
    pub(super) fn parse(locale: Locale, text: &str) -> Result<Self, Error> {
        let table = text.parse().map_err(|source| Error::Locale { locale: code(locale), source: Box::new(source) })?;
        let mut catalogue = Self { locale, messages: BTreeMap::new() };
        catalogue.add("", &table)?;
        Ok(catalogue)
    }

    fn add(&mut self, prefix: &str, table: &toml::Table) -> Result<(), Error> {
        for (key, value) in table {
            let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                toml::Value::String(text) => {
                    self.messages.insert(key, Message::Plain(text.clone()));
                }
                toml::Value::Table(forms) if forms.contains_key("other") => {
                    let forms = parse_forms(forms).ok_or_else(|| self.not_a_text(&key))?;
                    self.messages.insert(key, Message::Plural(forms));
                }
                toml::Value::Table(table) => self.add(&key, table)?,
                _ => return Err(self.not_a_text(&key)),
            }
        }
        Ok(())
    }

    fn not_a_text(&self, key: &str) -> Error {
        Error::NotAText { locale: code(self.locale), key: key.to_owned() }
    }

    pub(super) fn locale(&self) -> Locale {
        self.locale
    }

    /// The text of `key` with its placeholders filled in. A text with plural forms takes the form for the first count.
    pub(super) fn text(&self, key: &str, values: &[(&str, Value<'_>)]) -> Result<String, Error> {
        let missing = || Error::MissingText { locale: code(self.locale), key: key.to_owned() };
        let form = match self.messages.get(key).ok_or_else(missing)? {
            Message::Plain(text) => text,
            Message::Plural(forms) => {
                let count = values.iter().find_map(|(_, value)| match value {
                    Value::Count(count, _) => Some(*count),
                    Value::Text(_) => None,
                });
                let count = count.ok_or_else(|| missing_value(key, "count"))?;
                let chosen = forms.get(&plural(self.locale, count)).or_else(|| forms.get(&Plural::Other));
                chosen.ok_or_else(missing)?
            }
        };
        fill(key, form, values)
    }

    /// All texts by their dotted keys.
    pub(super) fn messages(&self) -> &BTreeMap<String, Message> {
        &self.messages
    }

    /// Puts another text in the place of that of `key`.
    pub(super) fn replace(&mut self, key: &str, message: Message) {
        self.messages.insert(key.to_owned(), message);
    }

    /// The same texts, each replaced by its key and its placeholders: what is rendered with it shows which texts it uses.
    #[cfg(test)]
    pub(super) fn echo(&self) -> Self {
        let echo = |(key, message): (&String, &Message)| {
            let names: String = tests::placeholders(message).iter().map(|name| format!("{{{name}}}")).collect();
            (key.clone(), Message::Plain(format!("⟦{key}⟧{names}")))
        };
        Self { locale: self.locale, messages: self.messages.iter().map(echo).collect() }
    }
}

/// The language's code as HTML and the locale files write it.
pub(super) fn code(locale: Locale) -> &'static str {
    match locale {
        Locale::De => "de",
        Locale::En => "en",
        Locale::Hu => "hu",
        Locale::Ru => "ru",
    }
}

fn parse_forms(table: &toml::Table) -> Option<BTreeMap<Plural, String>> {
    let form = |(name, text): (&String, &toml::Value)| Some((Plural::from_word(name)?, text.as_str()?.to_owned()));
    table.iter().map(form).collect()
}

/// The form that goes with `count`.
pub(super) fn plural(locale: Locale, count: u64) -> Plural {
    match (locale, count % 10, count % 100) {
        (Locale::De | Locale::En | Locale::Hu, ..) => {
            if count == 1 {
                Plural::One
            } else {
                Plural::Other
            }
        }
        (Locale::Ru, _, 11..=14) => Plural::Many,
        (Locale::Ru, 1, _) => Plural::One,
        (Locale::Ru, 2..=4, _) => Plural::Few,
        (Locale::Ru, ..) => Plural::Many,
    }
}

/// The names of the placeholders of a text.
pub(super) fn placeholders(text: &str) -> BTreeSet<String> {
    let names = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// Replaces each `{name}` by its value. What comes in with a value is not looked at again.
fn fill(key: &str, text: &str, values: &[(&str, Value<'_>)]) -> Result<String, Error> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| missing_value(key, after))?;
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        filled.push_str(before);
        match value.ok_or_else(|| missing_value(key, name))? {
            Value::Text(text) | Value::Count(_, text) => filled.push_str(text),
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn missing_value(key: &str, name: &str) -> Error {
    Error::MissingValue { key: key.to_owned(), name: name.to_owned() }
}
