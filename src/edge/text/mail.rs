//! Mails in the recipient's words: a subject, a plain text and a page for each kind of message.
//!
//! Knows matters and templates; does not know addresses, attachments or how a mail is sent. Invariants: what comes from files, hosts
//! and mail servers is one harmless line before it is placed; a subject is one line.

use std::sync::Arc;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonTruthy, Output, RenderContext, RenderError,
    RenderErrorReason, Renderable, no_escape,
};

use super::catalogue::Catalogue;
use super::reader::Reader;
use super::{Error, layout, registry};
use crate::domain::line::clean_line;
use crate::domain::mail::{Mail, Matter};
use crate::domain::notification::Kind;

mod frame;
mod notice;
mod outcome;
mod templates;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

pub(super) use notice::offered_values;
pub(super) use templates::{HTML_TEMPLATES, TEXT_TEMPLATES};

use frame::Frame;

/// Longest subject, in characters: clients show less, and nobody reads more.
const SUBJECT_CHARS: usize = 200;

/// A mail, ready to be composed. Lines end with `\n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedMail {
    /// One line.
    pub subject: String,
    /// For those who read text.
    pub text: String,
    /// The same as a page that needs nothing from elsewhere but, if the provider has one, the logo: `cid:logo@turnus`.
    pub html: String,
}

/// The templates of mails.
#[derive(Debug, Clone)]
pub(super) struct Templates {
    pub(super) html: Handlebars<'static>,
    pub(super) plain: Handlebars<'static>,
}

impl Templates {
    pub(super) fn new(catalogues: &Arc<[Catalogue; 4]>) -> Result<Self, Error> {
        let mut html = registry(&HTML_TEMPLATES, catalogues)?;
        let mut plain = registry(&TEXT_TEMPLATES, catalogues)?;
        for registry in [&mut html, &mut plain] {
            registry.register_helper("if", Box::new(Condition { wanted: true }));
            registry.register_helper("unless", Box::new(Condition { wanted: false }));
        }
        plain.register_escape_fn(no_escape);
        layout::register(&mut plain, layout::MAIL);
        Ok(Self { html, plain })
    }
}

/// `{{#if value}}` and `{{#unless value}}` that ask for nothing that is not there: a slip in a name would never show otherwise.
struct Condition {
    wanted: bool,
}

impl HelperDef for Condition {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render_context: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let param = helper.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("if", 0))?;
        if param.is_value_missing() {
            return Err(RenderErrorReason::MissingVariable(param.relative_path().cloned()).into());
        }
        let chosen = if param.value().is_truthy(false) == self.wanted { helper.template() } else { helper.inverse() };
        chosen.map_or(Ok(()), |template| template.render(registry, context, render_context, out))
    }
}

/// The parts of a mail, each with the name of its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Subject,
    Text,
    Html,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Subject, Self::Text, Self::Html];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

/// What the templates of a mail are filled with.
pub(super) fn view(mail: &Mail, reader: &Reader<'_>) -> Result<serde_json::Value, Error> {
    let said = match &mail.matter {
        Matter::Finished(ended) | Matter::Failed(ended) => {
            let (subject, view) = outcome::of_customer(mail, ended, reader)?;
            (subject, to_json(&view))
        }
        Matter::RunFailed { report } => {
            let (subject, view) = outcome::of_team(mail, report, reader)?;
            (subject, to_json(&view))
        }
        _ => {
            let (subject, view) = notice::view(mail, reader)?;
            (subject, to_json(&view))
        }
    };
    let (subject, mut view) = said;
    let frame = to_json(&Frame::of(mail, subject, reader)?);
    if let (Some(view), serde_json::Value::Object(frame)) = (view.as_object_mut(), frame) {
        view.extend(frame);
    }
    Ok(view)
}

/// Texts, numbers and lists: turning them into JSON has no way to fail.
fn to_json(view: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(view).unwrap_or_default()
}

/// Fills one part.
pub(super) fn fill(
    templates: &Templates,
    kind: Kind,
    part: Part,
    view: &serde_json::Value,
) -> Result<String, Box<RenderError>> {
    let name = format!("mail/{kind}/{}", part.as_str());
    let registry = if part == Part::Html { &templates.html } else { &templates.plain };
    let filled = registry.render(&name, view)?;
    Ok(match part {
        Part::Subject => clean_line(filled.as_bytes(), SUBJECT_CHARS),
        Part::Text => format!("{}\n", filled.trim()),
        Part::Html => filled,
    })
}

/// Fills all parts.
pub(super) fn render(templates: &Templates, mail: &Mail, reader: &Reader<'_>) -> Result<RenderedMail, Error> {
    let view = view(mail, reader)?;
    let part = |part: Part| {
        let name = mail.kind().as_str();
        fill(templates, mail.kind(), part, &view).map_err(|source| Error::Render { name, source })
    };
    Ok(RenderedMail { subject: part(Part::Subject)?, text: part(Part::Text)?, html: part(Part::Html)? })
}
