//! A message as a letter: words, entry for the calendar, report.

use anyhow::Context as _;
use jiff::Timestamp;

use super::Post;
use super::calendar::write_part;
use super::facts::Facts;
use super::matter::build_mail;
use crate::domain::notification::Kind;
use crate::domain::settings::Pdf;
use crate::edge::mail::{Attachment, Letter, Mailbox};
use crate::edge::pdf;
use crate::edge::store::notification::StoredNotification;
use crate::edge::text::Format;

/// Writes the letter.
///
/// # Errors
/// If the message lacks what its kind needs, or there are no words for it.
pub(super) async fn write_letter(
    post: &Post,
    message: &StoredNotification,
    facts: &Facts,
    now: Timestamp,
) -> anyhow::Result<Letter> {
    let attachments = attachments(post, message, facts).await?;
    let file_name = attachments.first().map(|attachment| attachment.file_name.as_str());
    let mail = build_mail(post, message, facts, file_name)?;
    let words = post.texts.render_mail(&mail).context("there are no words for it")?;
    Ok(Letter {
        message_id: message.sending.message_id.clone().context("it has no Message-ID")?,
        sent_at: now,
        from: post.from(),
        reply_to: post.reply_to(),
        to: Mailbox { name: Some(message.recipient_name.clone()), address: message.recipient.clone() },
        subject: words.subject,
        text: words.text,
        html: Some(words.html),
        logo: post.logo.clone(),
        calendar: write_part(post, message, facts, now),
        attachments,
    })
}

/// The report, for those who get reports.
async fn attachments(post: &Post, message: &StoredNotification, facts: &Facts) -> anyhow::Result<Vec<Attachment>> {
    let (name, page) = match (message.kind, facts.report(), &facts.period) {
        (Kind::Finished | Kind::Failed | Kind::AcceptanceReminder, Some(report), _) => {
            let name = format!("turnus-{}-{}", report.customer, report.run_number);
            (name, post.texts.render_report(report, message.locale, Format::Html))
        }
        (Kind::PeriodReport, _, Some(report)) => {
            let name = format!("turnus-{}-{}", report.customer, report.period);
            (name, post.texts.render_period(report, message.locale, Format::Html))
        }
        _ => return Ok(Vec::new()),
    };
    let page = page.context("its report can't be written")?;
    if let Some(printed) = print(post, message, &page).await {
        let file_name = format!("{name}.pdf");
        return Ok(vec![Attachment { file_name, media_type: "application/pdf".to_owned(), content: printed }]);
    }
    let file_name = format!("{name}.html");
    Ok(vec![Attachment { file_name, media_type: "text/html".to_owned(), content: page.into_bytes() }])
}

/// As a PDF file, where that is wanted and works: the page tells the same.
async fn print(post: &Post, message: &StoredNotification, page: &str) -> Option<Vec<u8>> {
    match post.pdf {
        Pdf::None => None,
        Pdf::Chromium => pdf::print(page, pdf::LIMIT)
            .await
            .inspect_err(
                |error| tracing::warn!(number = message.number, %error, "report not printed: it goes as a page"),
            )
            .ok(),
    }
}
