//! The provider's own templates and texts, in the place of embedded ones; and all that is wrong with them.
//!
//! Knows which files there may be and what may stand in them. Invariants: nothing is taken over while anything is wrong; what is
//! taken over writes nothing without escaping, includes nothing that includes it, and can be filled for every kind in every language.

use std::sync::Arc;

use super::catalogue::{Catalogue, Message};
use super::mail::{HTML_TEMPLATES, TEXT_TEMPLATES, Templates};
use super::{Error, LOCALES};
use crate::domain::document::{Lines, did_you_mean, quoted};
use crate::domain::problem::{Problem, Problems};
use crate::domain::wording::WordingFile;

mod phrase;
mod template;
#[cfg(test)]
mod tests;
mod trial;

pub(super) use trial::try_out;

/// Most files that are looked at.
const MAX_FILES: usize = 200;

/// A template of the provider's own.
#[derive(Debug)]
pub(super) struct OwnTemplate<'a> {
    pub(super) name: &'static str,
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

/// A text of the provider's own.
#[derive(Debug)]
pub(super) struct OwnText<'a> {
    pub(super) key: String,
    pub(super) message: Message,
    pub(super) file: &'a str,
    pub(super) file_text: &'a str,
    pub(super) offset: usize,
}

/// What the files say, as far as it is right.
#[derive(Debug, Default)]
pub(super) struct Own<'a> {
    pub(super) templates: Vec<OwnTemplate<'a>>,
    /// By the position of the language in [`LOCALES`].
    pub(super) texts: [Vec<OwnText<'a>>; 4],
}

/// Reads the files. What they say one by one is right unless there are problems.
pub(super) fn read<'a>(files: &'a [WordingFile], catalogues: &[Catalogue; 4]) -> (Own<'a>, Vec<Problem>) {
    let (mut own, mut problems) = (Own::default(), Vec::new());
    for (index, file) in files.iter().enumerate() {
        if index == MAX_FILES {
            problems.push(whole(&file.file, format!("there are {} files with words", files.len()), None));
            break;
        }
        let text = match &file.text {
            Ok(text) => text,
            Err(problem) => {
                problems.push(problem.clone());
                continue;
            }
        };
        match Place::of(&file.file) {
            Place::Template(name) => {
                problems.extend(template::faults(name, &file.file, text, &catalogues[0]));
                own.templates.push(OwnTemplate { name, file: &file.file, text });
            }
            Place::Texts(position) => {
                let (texts, faults) = phrase::read(&file.file, text, &catalogues[position]);
                own.texts[position] = texts;
                problems.extend(faults.0);
            }
            Place::Unknown(problem) => problems.push(problem),
        }
    }
    (own, problems)
}

/// The embedded templates and texts with what is the provider's own.
pub(super) fn put_in_place(
    own: &Own<'_>,
    mut catalogues: [Catalogue; 4],
) -> Result<(Arc<[Catalogue; 4]>, Templates), Error> {
    for (catalogue, texts) in catalogues.iter_mut().zip(&own.texts) {
        for text in texts {
            catalogue.replace(&text.key, text.message.clone());
        }
    }
    let catalogues = Arc::new(catalogues);
    let mut templates = Templates::new(&catalogues)?;
    for template in &own.templates {
        let registry = if is_page(template.name) { &mut templates.html } else { &mut templates.plain };
        let added = registry.register_template_string(template.name, template.text);
        added.map_err(|source| Error::Template { name: template.name, source: Box::new(source) })?;
    }
    Ok((catalogues, templates))
}

/// What a file stands in the place of.
enum Place {
    Template(&'static str),
    Texts(usize),
    Unknown(Problem),
}

impl Place {
    fn of(file: &str) -> Self {
        let names = || HTML_TEMPLATES.into_iter().chain(TEXT_TEMPLATES).map(|(name, _)| name);
        let found = file.strip_prefix("templates/").and_then(|path| path.strip_suffix(".hbs"));
        if let Some(name) = found.and_then(|path| names().find(|name| *name == path)) {
            return Self::Template(name);
        }
        let position = LOCALES.iter().position(|(locale, _)| file == format!("locales/{}.toml", super::code(*locale)));
        if let Some(position) = position {
            return Self::Texts(position);
        }
        let templates = names().map(|name| format!("templates/{name}.hbs"));
        let locales = LOCALES.iter().map(|(locale, _)| format!("locales/{}.toml", super::code(*locale)));
        let known: Vec<_> = templates.chain(locales).collect();
        let hint = did_you_mean(file, known.iter().map(String::as_str));
        let hint = hint.or_else(|| Some("docs/messages.md has the files that there may be".to_owned()));
        Self::Unknown(whole(file, format!("there is no text that {} stands for", quoted(file)), hint))
    }
}

/// Whether a template is one that escapes.
fn is_page(name: &str) -> bool {
    HTML_TEMPLATES.iter().any(|(known, _)| *known == name)
}

fn whole(file: &str, what: String, hint: Option<String>) -> Problem {
    Problem { file: file.to_owned(), line: 1, column: 1, what, expected: None, hint, conceal: false }
}

fn at(file: &str, text: &str, offset: usize, what: String) -> Problem {
    let position = Lines::of(text).position(offset);
    Problem { line: position.line, column: position.column, ..whole(file, what, None) }
}

/// Sorted, each once; none: all right.
pub(super) fn sorted(mut problems: Vec<Problem>) -> Problems {
    problems.sort();
    problems.dedup();
    Problems(problems)
}

/// The embedded texts.
pub(super) fn embedded() -> Result<[Catalogue; 4], Error> {
    let [german, english, hungarian, russian] = LOCALES.map(|(locale, text)| Catalogue::parse(locale, text));
    Ok([german?, english?, hungarian?, russian?])
}
