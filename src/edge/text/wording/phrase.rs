//! `locales/de.toml` of the provider: only the texts that are to be other ones.

use std::collections::BTreeSet;

use super::OwnText;
use crate::domain::document::{self, Key, Table, Value, Wrong, did_you_mean, quoted};
use crate::domain::problem::Problems;
use crate::edge::text::catalogue::{Catalogue, Message, Plural, placeholders};
use crate::edge::text::mail::offered_values;

/// The texts of a file, and what is wrong with it.
pub(super) fn read<'a>(file: &'a str, file_text: &'a str, known: &Catalogue) -> (Vec<OwnText<'a>>, Problems) {
    let (found, problems) = document::read(file_text, file, |root| {
        let mut found = Vec::new();
        collect("", &root, known, &mut found);
        found
    });
    let own = found.into_iter().map(|(key, message, offset)| OwnText { key, message, file, file_text, offset });
    (own.collect(), problems)
}

type Found = Vec<(String, Message, usize)>;

fn collect(prefix: &str, table: &Table<'_>, known: &Catalogue, found: &mut Found) {
    for (name, value) in table.entries() {
        let key = if prefix.is_empty() { name.text.to_owned() } else { format!("{prefix}.{}", name.text) };
        let message = match known.messages().get(&key) {
            Some(Message::Plain(text)) => {
                let offered = offered_values(&key).iter().map(|name| (*name).to_owned());
                plain(&value, &placeholders(text).into_iter().chain(offered).collect()).map(Message::Plain)
            }
            Some(Message::Plural(forms)) => {
                let allowed = forms.values().flat_map(|form| placeholders(form)).collect();
                plural(&value, forms.keys().copied().collect(), &allowed)
            }
            None => {
                deeper(&key, name, &value, known, found);
                None
            }
        };
        found.extend(message.map(|message| (key, message, value.offset())));
    }
}

/// A group of texts, or nothing that anybody knows.
fn deeper(key: &str, name: Key<'_>, value: &Value<'_>, known: &Catalogue, found: &mut Found) {
    let group = format!("{key}.");
    if known.messages().keys().any(|known| known.starts_with(&group)) {
        if let Some(table) = value.table() {
            collect(key, &table, known, found);
        }
        return;
    }
    let names = known.messages().keys().map(String::as_str).chain(groups(known));
    let wrong = Wrong::new(format!("there is no text {}", quoted(key)));
    name.report(did_you_mean(key, names).into_iter().fold(wrong, Wrong::hint));
}

/// `mail`, `mail.label`, …
fn groups(known: &Catalogue) -> BTreeSet<&str> {
    let of = |key: &'_ str| key.match_indices('.').map(|(index, _)| index).collect::<Vec<_>>();
    known.messages().keys().flat_map(|key| of(key).into_iter().filter_map(|index| key.get(..index))).collect()
}

fn plural(value: &Value<'_>, needed: Vec<Plural>, allowed: &BTreeSet<String>) -> Option<Message> {
    let table = value.table()?;
    let mut forms = std::collections::BTreeMap::new();
    let mut lacking = needed.clone();
    for (name, form) in table.entries() {
        match Plural::from_word(name.text).filter(|category| needed.contains(category)) {
            Some(category) => {
                lacking.retain(|needed| *needed != category);
                forms.extend(plain(&form, allowed).map(|form| (category, form)));
            }
            None => name.report(Wrong::new(format!("there is no form {}", quoted(name.text))).expected(words(&needed))),
        }
    }
    if !lacking.is_empty() {
        table.report(Wrong::new("not every number has its form").expected(words(&needed)));
    }
    (forms.len() == needed.len()).then_some(Message::Plural(forms))
}

fn words(needed: &[Plural]) -> String {
    needed.iter().map(|category| format!("`{}`", category.as_str())).collect::<Vec<_>>().join(", ")
}

/// A text with no other placeholders than those that have a value.
fn plain(value: &Value<'_>, allowed: &BTreeSet<String>) -> Option<String> {
    let text = value.line()?;
    let names = if allowed.is_empty() {
        "no placeholder".to_owned()
    } else {
        allowed.iter().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", ")
    };
    let mut is_right = true;
    for (offset, _) in text.match_indices('{') {
        let name = text.get(offset + 1..).and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
        let wrong = match name {
            Some(name) if allowed.contains(name) => continue,
            Some(name) => {
                let wrong = Wrong::new(format!("there is no value {} for this text", quoted(name)));
                did_you_mean(name, allowed.iter().map(String::as_str)).into_iter().fold(wrong, Wrong::hint)
            }
            None => Wrong::new("a placeholder has no end"),
        };
        value.report_inside(offset, wrong.expected(&*names));
        is_right = false;
    }
    is_right.then(|| text.to_owned())
}
