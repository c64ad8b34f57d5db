//! What stands around every mail: greeting, signature, footer; and the small views that mails share.

use serde::Serialize;

use super::words::clean;
use crate::domain::mail::{LOGO_CONTENT_ID, Link, Mail};
use crate::edge::text::Error;
use crate::edge::text::reader::Reader;

/// What every template can place.
#[derive(Debug, Serialize)]
pub(super) struct Frame {
    language: &'static str,
    subject: String,
    greeting: String,
    recipient: String,
    customer: Option<String>,
    provider: String,
    provider_email: String,
    signature: Vec<String>,
    /// Address of the logo within the mail.
    logo: Option<String>,
    footer: String,
}

impl Frame {
    pub(super) fn of(mail: &Mail, subject: String, reader: &Reader<'_>) -> Result<Self, Error> {
        let provider = &mail.provider;
        let recipient = clean(&mail.recipient_name);
        let email = clean(&provider.email);
        let signature = provider.signature.as_deref().unwrap_or_default();
        Ok(Self {
            language: reader.language(),
            subject,
            greeting: reader.text("mail.greeting", &[("name", &recipient)])?,
            recipient,
            customer: mail.customer.as_deref().map(clean),
            provider: clean(&provider.name),
            signature: signature.lines().map(clean).collect(),
            logo: provider.has_logo.then(|| format!("cid:{LOGO_CONTENT_ID}")),
            footer: reader.text("mail.footer", &[("email", &email)])?,
            provider_email: email,
        })
    }
}

/// A label and its value.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    label: String,
    value: String,
}

/// Rows for the values that there are, labelled by `mail.label`.
pub(super) fn labelled(
    reader: &Reader<'_>,
    values: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> Result<Vec<Row>, Error> {
    let present = values.into_iter().filter_map(|(label, value)| Some((label, value?)));
    let rows = present.map(|(label, value)| Ok(Row { label: reader.plain(&format!("mail.label.{label}"))?, value }));
    rows.collect()
}

/// Where the recipient answers.
#[derive(Debug, Serialize)]
pub(super) struct LinkView {
    url: String,
    label: String,
    code_label: String,
    code: String,
    how: String,
}

impl LinkView {
    /// `page` is `date` or `report`.
    pub(super) fn of(link: Option<&Link>, page: &str, reader: &Reader<'_>) -> Result<Option<Self>, Error> {
        let Some(link) = link else { return Ok(None) };
        let expires = reader.moment(link.expires_at)?;
        Ok(Some(Self {
            url: link.url.clone(),
            label: reader.plain(&format!("mail.link.{page}"))?,
            code_label: reader.plain("mail.link.code")?,
            code: clean(&link.code),
            how: reader.text("mail.link.how", &[("moment", &expires)])?,
        }))
    }
}
