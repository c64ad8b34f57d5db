//! A message as a letter: words, entry for the calendar, report.

use anyhow::Context as _;
use jiff::Timestamp;

use super::Post;
use super::calendar::write_part;
use super::facts::Facts;
use super::matter::build_mail;
use crate::domain::notification::Kind;
use crate::domain::report::Report;
use crate::edge::mail::{Attachment, Letter, Mailbox};
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
    let attachments = attachments(post, message, facts)?;
    let file_name = attachments.first().map(|attachment| attachment.file_name.as_str());
    let mail = build_mail(post, message, facts, file_name)?;
    let words = words(&mail);
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
fn attachments(post: &Post, message: &StoredNotification, facts: &Facts) -> anyhow::Result<Vec<Attachment>> {
    match (message.kind, facts.report()) {
        (Kind::Finished | Kind::Failed | Kind::AcceptanceReminder, Some(report)) => {
            let html = post
                .texts
                .render_report(report, message.locale, Format::Html)
                .context("its report can't be written")?;
            Ok(vec![Attachment {
                file_name: file_name(report),
                media_type: "text/html".to_owned(),
                content: html.into_bytes(),
            }])
        }
        _ => Ok(Vec::new()),
    }
}

fn file_name(report: &Report) -> String {
    format!("turnus-{}-{}.html", report.customer, report.run_number)
}

struct Words {
    subject: String,
    text: String,
    html: String,
}

fn words(mail: &crate::domain::mail::Mail) -> Words {
    let subject = format!("{}", mail.kind());
    Words { text: format!("{mail:?}"), html: subject.clone(), subject }
}
