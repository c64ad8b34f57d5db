//! Fills every template for every kind of mail in every language, with samples: what is missing shows before a mail is due.

use handlebars::{RenderError, RenderErrorReason};

use super::{Own, OwnTemplate, OwnText, at, is_page, put_in_place, whole};
use crate::domain::document::quoted;
use crate::domain::mail::samples::Scene;
use crate::domain::problem::Problem;
use crate::edge::text::catalogue::Catalogue;
use crate::edge::text::mail::{self, Part, Templates};
use crate::edge::text::reader::Reader;
use crate::edge::text::{Error, LOCALES};

/// Most mistakes that are told of one template.
const MAX_FAULTS: usize = 50;

/// What is wrong with the provider's own templates and texts when they are filled. They are right one by one.
pub(in crate::edge::text) fn try_out(own: &Own<'_>, embedded: [Catalogue; 4]) -> Result<Vec<Problem>, Error> {
    let (catalogues, mut templates) = put_in_place(own, embedded)?;
    let mut problems = Vec::new();
    for (position, (locale, _)) in LOCALES.iter().enumerate() {
        let texts = own.texts.get(position).map(Vec::as_slice).unwrap_or_default();
        for sample in Scene::example(*locale).mails() {
            let reader = Reader::new(super::super::find(&catalogues, *locale), &sample.time_zone);
            let view = match mail::view(&sample, &reader) {
                Ok(view) => view,
                Err(error) => {
                    problems.push(locate_text(error, texts)?);
                    continue;
                }
            };
            for part in Part::ALL {
                let name = format!("mail/{}/{}", sample.kind(), part.as_str());
                let fill = |templates: &Templates| mail::fill(templates, sample.kind(), part, &view);
                problems.extend(repeat(own, &mut templates, &name, fill)?);
            }
        }
    }
    Ok(problems)
}

/// Fills a template again and again, each time without the place that was wrong before, so that one mistake does not hide the next.
fn repeat(
    own: &Own<'_>,
    templates: &mut Templates,
    name: &str,
    fill: impl Fn(&Templates) -> Result<String, Box<RenderError>>,
) -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    let mut kept: Vec<(&OwnTemplate<'_>, String)> = Vec::new();
    while let Err(error) = fill(templates) {
        let wrong = error.template_name.as_deref().unwrap_or(name);
        let Some(template) = own.templates.iter().find(|template| template.name == wrong) else {
            return Err(Error::Render { name: "mail", source: error });
        };
        let place = (error.line_no.unwrap_or(1), error.column_no.unwrap_or(1));
        problems.push(Problem { line: place.0, column: place.1, ..whole(template.file, explain(&error), None) });
        let text = kept.iter().rev().find(|(known, _)| known.name == template.name).map(|(_, text)| text.as_str());
        let Some(without) = without(text.unwrap_or(template.text), place).filter(|_| problems.len() < MAX_FAULTS)
        else {
            break;
        };
        replace(templates, template.name, &without)?;
        kept.push((template, without));
    }
    for (template, _) in kept {
        replace(templates, template.name, template.text)?;
    }
    Ok(problems)
}

fn replace(templates: &mut Templates, name: &'static str, text: &str) -> Result<(), Error> {
    let registry = if is_page(name) { &mut templates.html } else { &mut templates.plain };
    let added = registry.register_template_string(name, text);
    added.map_err(|source| Error::Template { name, source: Box::new(source) })
}

/// The text with blanks in the place of the `{{…}}` that begins there; none if it is the beginning of a block.
fn without(text: &str, (line, column): (usize, usize)) -> Option<String> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = text.get(start..)?;
    let offset = start + rest.char_indices().nth(column.checked_sub(1)?)?.0;
    let inside = text.get(offset..)?.strip_prefix("{{")?;
    let length = 4 + inside.find("}}")?;
    if inside.starts_with(['#', '/', '>', '^', '~', '!', '&', '{']) {
        return None;
    }
    let (before, after) = (text.get(..offset)?, text.get(offset + length..)?);
    Some(format!("{before}{}{after}", " ".repeat(length)))
}

fn explain(error: &RenderError) -> String {
    match error.reason() {
        RenderErrorReason::MissingVariable(Some(name)) => format!("there is no value {} here", quoted(name)),
        RenderErrorReason::ParamNotFoundForIndex(helper, _) => format!("`{helper}` wants a text"),
        RenderErrorReason::NestedError(nested) => nested.to_string(),
        reason => reason.to_string(),
    }
}

/// The text of the provider's own that a mail can't be told for.
fn locate_text(error: Error, texts: &[OwnText<'_>]) -> Result<Problem, Error> {
    let key = match &error {
        Error::Pattern { key, .. } | Error::MissingValue { key, .. } => key,
        _ => return Err(error),
    };
    match texts.iter().find(|text| text.key == *key) {
        Some(text) => Ok(at(text.file, text.file_text, text.offset, error.to_string())),
        None => Err(error),
    }
}
