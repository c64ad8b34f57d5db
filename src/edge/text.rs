//! The written word: templates and languages: mails, the report of a run, as plain text and as one self-contained page, and what is
//! agreed on a window, in words.
//!
//! Knows handlebars, the locale files and how numbers and dates are written; does not know where a text goes.
//! Invariants: no sentence stands in a template; a missing text, value or placeholder is an error; what hosts and
//! inventories say is escaped in HTML. Templates and locale files are embedded; what the provider has of its own stands in their
//! place once all of it is right.

use std::sync::Arc;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson, TemplateError,
    no_escape,
};

use crate::domain::inventory::Locale;
use crate::domain::mail::Mail;
use crate::domain::period::summary::PeriodReport;
use crate::domain::problem::Problems;
use crate::domain::report::Report;
use crate::domain::wording::WordingFile;
pub use agreement::Agreement;
use catalogue::{Catalogue, code};
pub use mail::RenderedMail;
use page::{Letterhead, Page};
use reader::Reader;

mod agreement;
mod capacity;
mod catalogue;
mod layout;
mod mail;
pub mod page;
mod period;
mod reader;
mod report;
#[cfg(test)]
mod tests;
mod wording;

/// The texts of one language, from its files.
macro_rules! texts_of {
    ($code:literal) => {
        concat!(
            include_str!(concat!("text/locales/", $code, ".toml")),
            "\n",
            include_str!(concat!("text/locales/", $code, "/mail.toml")),
            "\n",
            include_str!(concat!("text/locales/", $code, "/page.toml")),
            "\n",
            include_str!(concat!("text/locales/", $code, "/period.toml")),
            "\n",
            include_str!(concat!("text/locales/", $code, "/capacity.toml")),
        )
    };
}

const LOCALES: [(Locale, &str); 4] = [
    (Locale::De, texts_of!("de")),
    (Locale::En, texts_of!("en")),
    (Locale::Hu, texts_of!("hu")),
    (Locale::Ru, texts_of!("ru")),
];

const HTML_TEMPLATES: [(&str, &str); 12] = [
    ("report/html", include_str!("text/templates/report/html.hbs")),
    ("report/style", include_str!("text/templates/report/style.hbs")),
    ("report/timeline", include_str!("text/templates/report/timeline.hbs")),
    ("report/host", include_str!("text/templates/report/host.hbs")),
    ("report/capacity", include_str!("text/templates/report/capacity.hbs")),
    ("report/annex", include_str!("text/templates/report/annex.hbs")),
    ("page/html", include_str!("text/templates/page/html.hbs")),
    ("page/style", include_str!("text/templates/page/style.hbs")),
    ("page/said", include_str!("text/templates/page/said.hbs")),
    ("page/form", include_str!("text/templates/page/form.hbs")),
    ("period/style", include_str!("text/templates/period/style.hbs")),
    ("period/html", include_str!("text/templates/period/html.hbs")),
];

const TEXT_TEMPLATES: [(&str, &str); 2] = [
    ("report/text", include_str!("text/templates/report/text.hbs")),
    ("period/text", include_str!("text/templates/period/text.hbs")),
];

/// Why a text could not be written. All of these are mistakes in templates or locale files, not in what is written about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A locale file is not TOML.
    #[error("reading the texts of `{locale}`")]
    Locale {
        /// Which language.
        locale: &'static str,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// A locale file has something other than texts.
    #[error("`{key}` of `{locale}` is neither a text nor the plural forms of one")]
    NotAText {
        /// Which language.
        locale: &'static str,
        /// Which entry.
        key: String,
    },
    /// A locale file lacks a text.
    #[error("there is no text `{key}` in `{locale}`")]
    MissingText {
        /// Which language.
        locale: &'static str,
        /// Which text.
        key: String,
    },
    /// A placeholder has no value.
    #[error("the text `{key}` wants a value `{name}`")]
    MissingValue {
        /// Which text.
        key: String,
        /// Which placeholder.
        name: String,
    },
    /// A pattern for dates or times is wrong.
    #[error("writing a time by `{key}` (`{pattern}`)")]
    Pattern {
        /// Which entry of the locale file.
        key: String,
        /// Its text.
        pattern: String,
        /// What is wrong with it.
        source: jiff::Error,
    },
    /// A template can't be read.
    #[error("reading template `{name}`")]
    Template {
        /// Which template.
        name: &'static str,
        /// What is wrong with it.
        source: Box<TemplateError>,
    },
    /// A template can't be filled.
    #[error("filling template `{name}`")]
    Render {
        /// Which template.
        name: &'static str,
        /// What is missing.
        source: Box<RenderError>,
    },
    /// The provider's own templates and texts have mistakes.
    #[error("reading the provider's own words")]
    Wording(
        /// All of them.
        #[source]
        Problems,
    ),
}

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain text for terminals and mails, at most 100 columns.
    Text,
    /// One self-contained page.
    Html,
}

/// All templates in all languages, ready to be filled.
#[derive(Debug)]
pub struct Texts {
    catalogues: Arc<[Catalogue; 4]>,
    html: Handlebars<'static>,
    plain: Handlebars<'static>,
    mail: mail::Templates,
}

impl Texts {
    /// Reads the embedded templates and locale files.
    ///
    /// # Errors
    /// A mistake in one of them.
    pub fn new() -> Result<Self, Error> {
        Self::with_wording(&[])
    }

    /// Reads the embedded templates and locale files, and takes what the provider has of its own in their place.
    ///
    /// # Errors
    /// [`Error::Wording`] with all mistakes of these files, each by itself; [`Texts::check_wording`] finds more. Others: a mistake in
    /// an embedded one.
    pub fn with_wording(files: &[WordingFile]) -> Result<Self, Error> {
        let embedded = wording::embedded()?;
        let (own, problems) = wording::read(files, &embedded);
        if !problems.is_empty() {
            return Err(Error::Wording(wording::sorted(problems)));
        }
        let (catalogues, mail) = wording::put_in_place(&own, embedded)?;
        Self::from_catalogues(catalogues, mail)
    }

    /// The same for what must be written whatever the provider's own files say: where they can't be used, the embedded ones stand for
    /// all of them, and `tell` hears of the mistakes.
    ///
    /// # Errors
    /// A mistake in an embedded file.
    pub fn with_usable_wording(files: &[WordingFile], tell: impl FnOnce(&Problems)) -> Result<Self, Error> {
        match Self::with_wording(files) {
            Err(Error::Wording(problems)) => {
                tell(&problems);
                Self::new()
            }
            read => read,
        }
    }

    /// All that is wrong with the provider's own templates and texts: every kind of mail is filled in every language, with samples.
    ///
    /// # Errors
    /// [`Error::Wording`] with all mistakes. Others: a mistake in an embedded file.
    pub fn check_wording(files: &[WordingFile]) -> Result<(), Error> {
        let embedded = wording::embedded()?;
        let (own, mut problems) = wording::read(files, &embedded);
        if problems.is_empty() && !files.is_empty() {
            problems = wording::try_out(&own, embedded)?;
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Wording(wording::sorted(problems))) }
    }

    fn from_catalogues(catalogues: Arc<[Catalogue; 4]>, mail: mail::Templates) -> Result<Self, Error> {
        let html = registry(&HTML_TEMPLATES, &catalogues)?;
        let mut plain = registry(&TEXT_TEMPLATES, &catalogues)?;
        plain.register_escape_fn(no_escape);
        layout::register(&mut plain, layout::REPORT);
        Ok(Self { catalogues, html, plain, mail })
    }

    /// Writes a mail in its recipient's language and time zone.
    ///
    /// # Errors
    /// A mistake in a template or locale file.
    pub fn render_mail(&self, mail: &Mail) -> Result<RenderedMail, Error> {
        let reader = Reader::new(find(&self.catalogues, mail.locale), &mail.time_zone);
        mail::render(&self.mail, mail, &reader)
    }

    /// Writes the report in the given language, in the customer's time zone.
    ///
    /// # Errors
    /// A mistake in a template or locale file.
    pub fn render_report(&self, report: &Report, locale: Locale, format: Format) -> Result<String, Error> {
        let reader = Reader::new(find(&self.catalogues, locale), &report.time_zone);
        let view = report::view(report, &reader)?;
        let (registry, name) = match format {
            Format::Text => (&self.plain, "report/text"),
            Format::Html => (&self.html, "report/html"),
        };
        registry.render(name, &view).map_err(|source| Error::Render { name, source: Box::new(source) })
    }

    /// Writes a page on which a customer answers, in the given language, with times of the IANA zone.
    ///
    /// # Errors
    /// A mistake in a template or locale file.
    pub fn render_page(
        &self,
        page: &Page,
        head: &Letterhead,
        locale: Locale,
        time_zone: &str,
    ) -> Result<String, Error> {
        let reader = Reader::new(find(&self.catalogues, locale), time_zone);
        let (name, view) = ("page/html", page::view(page, head, &reader)?);
        self.html.render(name, &view).map_err(|source| Error::Render { name, source: Box::new(source) })
    }

    /// Writes the report of a period in the given language, in the customer's time zone.
    ///
    /// # Errors
    /// A mistake in a template or locale file.
    pub fn render_period(&self, report: &PeriodReport, locale: Locale, format: Format) -> Result<String, Error> {
        let reader = Reader::new(find(&self.catalogues, locale), &report.time_zone);
        let view = period::view(report, &reader)?;
        let (registry, name) = match format {
            Format::Text => (&self.plain, "period/text"),
            Format::Html => (&self.html, "period/html"),
        };
        registry.render(name, &view).map_err(|source| Error::Render { name, source: Box::new(source) })
    }

    /// Tells in one line what is agreed on a window.
    ///
    /// # Errors
    /// A mistake in a locale file.
    pub fn explain(&self, agreement: &Agreement<'_>, locale: Locale) -> Result<String, Error> {
        let reader = Reader::new(find(&self.catalogues, locale), agreement.time_zone);
        agreement::explain(agreement, &reader)
    }
}

fn find(catalogues: &[Catalogue; 4], locale: Locale) -> &Catalogue {
    let [german, english, hungarian, russian] = catalogues;
    match locale {
        Locale::De => german,
        Locale::En => english,
        Locale::Hu => hungarian,
        Locale::Ru => russian,
    }
}

fn registry(
    templates: &[(&'static str, &str)],
    catalogues: &Arc<[Catalogue; 4]>,
) -> Result<Handlebars<'static>, Error> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_helper("t", Box::new(TextHelper(Arc::clone(catalogues))));
    for (name, text) in templates {
        let added = registry.register_template_string(name, text);
        added.map_err(|source| Error::Template { name, source: Box::new(source) })?;
    }
    Ok(registry)
}

/// `{{t "key"}}`: the text of that key in the language of the view that is being rendered.
struct TextHelper(Arc<[Catalogue; 4]>);

impl HelperDef for TextHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let key = helper.param(0).and_then(|param| param.value().as_str());
        let key = key.ok_or(RenderErrorReason::ParamNotFoundForIndex("t", 0))?;
        let language = context.data().get("language").and_then(|language| language.as_str());
        let catalogue = self.0.iter().find(|catalogue| Some(code(catalogue.locale())) == language);
        let catalogue = catalogue.ok_or_else(|| RenderErrorReason::MissingVariable(Some("language".to_owned())))?;
        let text = catalogue.text(key, &[]).map_err(|error| RenderErrorReason::NestedError(Box::new(error)))?;
        Ok(ScopedJson::Derived(text.into()))
    }
}
