//! Plain text in lines of at most [`COLUMNS`] characters: wrapped paragraphs, rows of label and value, bullets, columns.
//!
//! Counts characters, not glyph widths: the languages that turnus writes have one column for each.

use handlebars::{Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson};

#[cfg(test)]
mod tests;

/// Longest line.
const COLUMNS: usize = 100;

/// Width of the labels in front of values.
const LABEL_COLUMNS: usize = 24;

/// Makes the layouts known to templates: `{{wrap text}}`, `{{row label value}}`, `{{bullet text}}`, `{{heading text}}`,
/// `{{pad text columns}}`; `indent=2` moves `wrap`, `row` and `bullet` to the right.
pub(super) fn register(registry: &mut Handlebars<'static>) {
    registry.register_helper("wrap", Box::new(Layout(|given| paragraph(&indent(given), "", given.text))));
    registry.register_helper("bullet", Box::new(Layout(|given| paragraph(&indent(given), "- ", given.text))));
    registry.register_helper("row", Box::new(Layout(|given| row(&indent(given), given.text, given.second))));
    registry.register_helper("heading", Box::new(Layout(|given| heading(given.text))));
    registry.register_helper("pad", Box::new(Layout(|given| pad(given.text, given.columns))));
}

/// What a template gives to a layout.
struct Given<'a> {
    text: &'a str,
    second: &'a str,
    columns: usize,
    indent: usize,
}

fn indent(given: &Given<'_>) -> String {
    " ".repeat(given.indent)
}

struct Layout(fn(&Given<'_>) -> String);

impl HelperDef for Layout {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let param = |index: usize| helper.param(index).map(|param| param.value());
        let text = param(0).and_then(|value| value.as_str());
        let text = text.ok_or(RenderErrorReason::ParamNotFoundForIndex("layout", 0))?;
        let number =
            |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_u64).unwrap_or(0) as usize;
        let given = Given {
            text,
            second: param(1).and_then(|value| value.as_str()).unwrap_or_default(),
            columns: number(param(1)),
            indent: number(helper.hash_get("indent").map(|value| value.value())),
        };
        Ok(ScopedJson::Derived((self.0)(&given).into()))
    }
}

/// `text` in lines, the first after `indent` and `mark`, the others under it.
fn paragraph(indent: &str, mark: &str, text: &str) -> String {
    let first = format!("{indent}{mark}");
    let width = first.chars().count();
    let lines = wrap(text, COLUMNS.saturating_sub(width));
    format!("{first}{}", lines.join(&format!("\n{}", " ".repeat(width)))).trim_end().to_owned()
}

/// A label and, beside it, a value.
fn row(indent: &str, label: &str, value: &str) -> String {
    let first = format!("{indent}{}", pad(label, LABEL_COLUMNS));
    paragraph(&first, "", value)
}

/// `text` with a rule under it.
fn heading(text: &str) -> String {
    format!("{}\n{}", paragraph("", "", text), "─".repeat(text.chars().count().min(COLUMNS)))
}

/// `text` filled up with spaces, or cut, to exactly so many columns.
fn pad(text: &str, columns: usize) -> String {
    let length = text.chars().count();
    if length <= columns {
        return format!("{text}{}", " ".repeat(columns - length));
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Cuts `text` at spaces into lines of at most `columns`; a word that is longer is cut itself.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split(' ').flat_map(|word| cut(word, columns.max(1))) {
        let wanted = word.chars().count();
        match lines.last_mut() {
            Some(line) if length == 0 => {
                line.push_str(&word);
                length = wanted;
            }
            Some(line) if length + 1 + wanted <= columns => {
                line.push(' ');
                line.push_str(&word);
                length += 1 + wanted;
            }
            _ => {
                lines.push(word);
                length = wanted;
            }
        }
    }
    lines
}

fn cut(word: &str, columns: usize) -> Vec<String> {
    let characters: Vec<_> = word.chars().collect();
    if characters.is_empty() {
        return vec![String::new()];
    }
    characters.chunks(columns).map(|chunk| chunk.iter().collect()).collect()
}
