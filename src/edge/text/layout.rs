//! Plain text in lines of at most so many characters: wrapped paragraphs, rows of label and value, bullets, columns.
//!
//! Counts characters, not glyph widths: the languages that turnus writes have one column for each.

use handlebars::{Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson};

#[cfg(test)]
mod tests;

/// How wide a text is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// Longest line.
    columns: usize,
    /// Width of the labels in front of values.
    label_columns: usize,
}

/// Reports: for terminals and attachments.
pub(super) const REPORT: Page = Page { columns: 100, label_columns: 24 };

/// Mails: what every mail client shows without breaking lines, and a quotation of it (RFC 3676, section 4.2).
pub(super) const MAIL: Page = Page { columns: 72, label_columns: 22 };

/// Makes the layouts known to templates: `{{wrap text}}`, `{{row label value}}`, `{{bullet text}}`, `{{heading text}}`,
/// `{{pad text columns}}`; `indent=2` moves `wrap`, `row` and `bullet` to the right.
pub(super) fn register(registry: &mut Handlebars<'static>, page: Page) {
    let layouts: [(&str, Write); 5] = [
        ("wrap", |page, given| paragraph(page, &indent(given), "", given.text)),
        ("bullet", |page, given| paragraph(page, &indent(given), "- ", given.text)),
        ("row", |page, given| row(page, &indent(given), given.text, given.second)),
        ("heading", |page, given| heading(page, given.text)),
        ("pad", |_, given| pad(given.text, given.columns)),
    ];
    for (name, write) in layouts {
        registry.register_helper(name, Box::new(Layout { page, write }));
    }
}

type Write = fn(Page, &Given<'_>) -> String;

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

struct Layout {
    page: Page,
    write: Write,
}

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
        Ok(ScopedJson::Derived((self.write)(self.page, &given).into()))
    }
}

/// `text` in lines, the first after `indent` and `mark`, the others under it.
fn paragraph(page: Page, indent: &str, mark: &str, text: &str) -> String {
    let first = format!("{indent}{mark}");
    let width = first.chars().count();
    let lines = wrap(text, page.columns.saturating_sub(width));
    format!("{first}{}", lines.join(&format!("\n{}", " ".repeat(width)))).trim_end().to_owned()
}

/// A label and, beside it, a value.
fn row(page: Page, indent: &str, label: &str, value: &str) -> String {
    let first = format!("{indent}{}", pad(label, page.label_columns));
    paragraph(page, &first, "", value)
}

/// `text` with a rule under it.
fn heading(page: Page, text: &str) -> String {
    format!("{}\n{}", paragraph(page, "", "", text), "─".repeat(text.chars().count().min(page.columns)))
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
