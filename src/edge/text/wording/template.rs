//! What a template of the provider may do: place values with escaping, ask, repeat, and include the shared parts.

use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};
use handlebars::{Template, TemplateErrorReason};

use super::{at, is_page, whole};
use crate::domain::document::{did_you_mean, quoted};
use crate::domain::problem::Problem;
use crate::edge::text::catalogue::Catalogue;
use crate::edge::text::mail::{HTML_TEMPLATES, TEXT_TEMPLATES};

/// Words that take values, in pages and in plain texts.
const HELPERS: [&str; 12] = ["t", "if", "unless", "each", "with", "eq", "ne", "and", "or", "not", "len", "lookup"];
/// Those of plain texts only.
const LAYOUTS: [&str; 5] = ["wrap", "bullet", "row", "heading", "pad"];

/// What is wrong with a template by itself.
pub(super) fn faults(name: &'static str, file: &str, text: &str, texts: &Catalogue) -> Vec<Problem> {
    let template = match Template::compile(text) {
        Ok(template) => template,
        Err(error) => {
            let (line, column) = error.pos().unwrap_or((1, 1));
            return vec![Problem { line, column, ..whole(file, explain(error.reason()), None) }];
        }
    };
    let mut inspection = Inspection { name, file, texts, faults: Vec::new() };
    if text.contains('\0') {
        inspection.faults.push(at(file, text, text.find('\0').unwrap_or(0), "the file has a NUL byte".to_owned()));
    }
    inspection.look_at(&template);
    inspection.faults
}

fn explain(reason: &TemplateErrorReason) -> String {
    match reason {
        TemplateErrorReason::MismatchingClosedHelper(opened, closed)
        | TemplateErrorReason::MismatchingClosedDecorator(opened, closed) => {
            format!("{} is opened, and {} closed", quoted(opened), quoted(closed))
        }
        TemplateErrorReason::InvalidParam(parameter) => format!("{} is no value", quoted(parameter)),
        // The reason's own text draws the place over several lines.
        _ => "this is no template from here on".to_owned(),
    }
}

struct Inspection<'a> {
    name: &'static str,
    file: &'a str,
    texts: &'a Catalogue,
    faults: Vec<Problem>,
}

impl Inspection<'_> {
    fn look_at(&mut self, template: &Template) {
        for (index, element) in template.elements.iter().enumerate() {
            let place = template.mapping.get(index).map_or((1, 1), |mapping| (mapping.0, mapping.1));
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::HtmlExpression(_) => self.add(
                    place,
                    "what stands in `{{{…}}}` or `{{&…}}` is not escaped".to_owned(),
                    Some("write `{{…}}`".to_owned()),
                ),
                TemplateElement::Expression(helper) => self.look_at_helper(helper, place),
                TemplateElement::HelperBlock(helper) => self.look_at_helper(helper, place),
                TemplateElement::PartialExpression(partial) | TemplateElement::PartialBlock(partial) => {
                    self.look_at_partial(partial, place);
                }
                // Decorators could define parts that include themselves.
                _ => self.add(place, "templates of mails have no decorators (`{{*…}}`)".to_owned(), None),
            }
        }
    }

    fn look_at_helper(&mut self, helper: &HelperTemplate, place: (usize, usize)) {
        let takes_values = helper.block || !helper.params.is_empty() || !helper.hash.is_empty();
        if takes_values {
            self.look_at_call(helper.name.as_name().unwrap_or_default(), &helper.params, place);
        }
        for inner in [&helper.template, &helper.inverse].into_iter().flatten() {
            self.look_at(inner);
        }
    }

    fn look_at_call(&mut self, name: &str, parameters: &[Parameter], place: (usize, usize)) {
        let layouts: &[&str] = if is_page(self.name) { &[] } else { &LAYOUTS };
        let known = || HELPERS.iter().chain(layouts).copied();
        if !known().any(|known| known == name) {
            self.add(place, format!("there is no {} that takes values", quoted(name)), did_you_mean(name, known()));
        }
        if let ("t", Some(Parameter::Literal(key))) = (name, parameters.first()) {
            let key = key.as_str().unwrap_or_default();
            let keys = self.texts.messages();
            if !keys.contains_key(key) {
                let hint = did_you_mean(key, keys.keys().map(String::as_str));
                self.add(place, format!("there is no text {}", quoted(key)), hint);
            }
        }
        for parameter in parameters {
            if let Parameter::Subexpression(inner) = parameter {
                let given = inner.params().map(Vec::as_slice).unwrap_or_default();
                self.look_at_call(inner.name(), given, place);
            }
        }
    }

    /// What is included stands further down in the list of templates than what includes it: nothing includes itself, however far round.
    fn look_at_partial(&mut self, partial: &DecoratorTemplate, place: (usize, usize)) {
        let wanted = partial.name.as_name().unwrap_or_default();
        let list: &[_] = if is_page(self.name) { &HTML_TEMPLATES } else { &TEXT_TEMPLATES };
        let is_shared = |name: &str| name.starts_with("mail/html/") || name.starts_with("mail/text/");
        let shared: Vec<_> = list.iter().map(|(name, _)| *name).filter(|name| is_shared(name)).collect();
        let first = shared.iter().position(|name| *name == self.name).map_or(0, |position| position + 1);
        let allowed = shared.get(first..).unwrap_or_default();
        if wanted != "@partial-block" && !allowed.contains(&wanted) {
            let hint = did_you_mean(wanted, allowed.iter().copied());
            self.add(place, format!("{} can't be included here", quoted(wanted)), hint);
        }
        if let Some(inner) = &partial.template {
            self.look_at(inner);
        }
    }

    fn add(&mut self, (line, column): (usize, usize), what: String, hint: Option<String>) {
        self.faults.push(Problem { line, column, ..whole(self.file, what, hint) });
    }
}
