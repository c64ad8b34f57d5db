//! Makes MIME of a letter: mixed( alternative( plain, related( html, logo ), calendar ), attachments ), without the levels that
//! would hold one part only (RFC 2046, RFC 2387, RFC 6047).
//!
//! Invariants: what it makes is lines of at most 998 bytes that end with CRLF (RFC 5322), ASCII unless an address is not; the
//! same letter gives the same bytes.

use std::fmt::Write;
use std::time::SystemTime;

use lettre::Message;
use lettre::message::header::{
    ContentDisposition, ContentId, ContentTransferEncoding, ContentType, Date, HeaderName, HeaderValue, MessageId,
};
use lettre::message::{Body, MultiPart, SinglePart};
use sha2::{Digest, Sha256};

use super::address::{self, Role};
use super::{Attachment, CalendarPart, Image, Letter, Refusal};
use crate::domain::line::clean_line;

#[cfg(test)]
mod tests;

/// Longest subject in characters. Clients show about 70.
const MAX_SUBJECT: usize = 200;
/// Longest name of an attached file in characters.
const MAX_FILE_NAME: usize = 100;
/// Years that a `Date` can tell: four digits, and not before computers counted.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=9998;

/// The message as it goes over the line or into a file, with CRLF at the end of every line (RFC 5322).
///
/// # Errors
/// [`Refusal::Permanent`] if the letter can't be a message: an address, Message-ID, media type or date that is none.
pub fn compose(letter: &Letter) -> Result<Vec<u8>, Refusal> {
    check_message_id(&letter.message_id)?;
    let envelope = address::envelope(letter)?;
    let mut headers = Message::builder()
        .envelope(envelope)
        .from(address::mailbox(&letter.from, Role::Sender)?)
        .to(address::mailbox(&letter.to, Role::Recipient)?)
        .subject(clean_subject(&letter.subject))
        .header(date(letter)?)
        .header(MessageId::from(format!("<{}>", letter.message_id)))
        // RFC 3834: holiday notices and other robots do not answer.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    if let Some(reply_to) = &letter.reply_to {
        headers = headers.reply_to(address::mailbox(reply_to, Role::Sender)?);
    }
    let message = match body(letter)? {
        Part::Single(part) => headers.singlepart(part),
        Part::Multi(part) => headers.multipart(part),
    };
    message.map(|message| message.formatted()).map_err(|error| Refusal::permanent(&format!("no message: {error}")))
}

/// It is a header, the name of a file, and what recipients recognise a repeated message by.
pub(super) fn check_message_id(id: &str) -> Result<(), Refusal> {
    let fits = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphanumeric())
            && part.chars().all(|character| character.is_ascii_alphanumeric() || "._+-".contains(character))
    };
    let valid = id.len() <= 200 && id.split_once('@').is_some_and(|(left, right)| fits(left) && fits(right));
    if valid { Ok(()) } else { Err(Refusal::permanent(&format!("`{id}` can't be a Message-ID"))) }
}

/// A text that looks like an encoded word (RFC 2047) would be decoded by the recipient's program, to whatever it says.
fn clean_subject(subject: &str) -> String {
    clean_line(subject.as_bytes(), MAX_SUBJECT).replace("=?", "= ?")
}

fn date(letter: &Letter) -> Result<Date, Refusal> {
    let year = jiff::tz::Offset::UTC.to_datetime(letter.sent_at).year();
    if !YEARS.contains(&year) {
        return Err(Refusal::permanent(&format!("`{}` can't be the date of a message", letter.sent_at)));
    }
    Ok(Date::new(SystemTime::from(letter.sent_at)))
}

enum Part {
    Single(SinglePart),
    Multi(MultiPart),
}

impl Part {
    fn within(self, parent: MultiPart) -> MultiPart {
        match self {
            Self::Single(part) => parent.singlepart(part),
            Self::Multi(part) => parent.multipart(part),
        }
    }
}

fn body(letter: &Letter) -> Result<Part, Refusal> {
    let content = alternatives(letter)?;
    if letter.attachments.is_empty() {
        return Ok(content);
    }
    let mut mixed = content.within(multipart("mixed", "", letter)?);
    for attachment in &letter.attachments {
        mixed = mixed.singlepart(attached(attachment)?);
    }
    Ok(Part::Multi(mixed))
}

/// From the plainest to the richest (RFC 2046, section 5.1.4). Mail programs look for the calendar's part here.
fn alternatives(letter: &Letter) -> Result<Part, Refusal> {
    let plain = text_part(ContentType::TEXT_PLAIN, &letter.text);
    if letter.html.is_none() && letter.calendar.is_none() {
        return Ok(Part::Single(plain));
    }
    let mut parts = multipart("alternative", "", letter)?.singlepart(plain);
    if let Some(html) = &letter.html {
        parts = rich(letter, html)?.within(parts);
    }
    if let Some(calendar) = &letter.calendar {
        parts = parts.singlepart(calendar_part(calendar)?);
    }
    Ok(Part::Multi(parts))
}

fn rich(letter: &Letter, html: &str) -> Result<Part, Refusal> {
    let html = text_part(ContentType::TEXT_HTML, html);
    match &letter.logo {
        None => Ok(Part::Single(html)),
        Some(logo) => {
            let related = multipart("related", "; type=\"text/html\"", letter)?;
            Ok(Part::Multi(related.singlepart(html).singlepart(inline(logo)?)))
        }
    }
}

/// The boundary comes from the Message-ID, so that the same letter gives the same bytes. No encoded body can hold it (RFC 2045,
/// section 6.7: `=_`), and no author of a text knows the Message-ID beforehand.
fn multipart(kind: &str, parameters: &str, letter: &Letter) -> Result<MultiPart, Refusal> {
    let mut boundary = String::from("=_");
    for byte in &Sha256::digest(letter.message_id.as_bytes())[..12] {
        let _ = write!(boundary, "{byte:02x}");
    }
    let content_type = media_type(&format!("multipart/{kind}; boundary=\"{boundary}_{kind}\"{parameters}"))?;
    Ok(MultiPart::builder().header(content_type).build())
}

fn text_part(content_type: ContentType, text: &str) -> SinglePart {
    SinglePart::builder().header(content_type).body(clean_text(text))
}

fn calendar_part(calendar: &CalendarPart) -> Result<SinglePart, Refusal> {
    let method = &calendar.method;
    let valid = !method.is_empty() && method.chars().all(|character| character.is_ascii_uppercase());
    if !valid {
        return Err(Refusal::permanent(&format!("`{method}` can't be the method of a calendar entry")));
    }
    Ok(text_part(media_type(&format!("text/calendar; charset=utf-8; method={method}"))?, &calendar.content))
}

fn inline(image: &Image) -> Result<SinglePart, Refusal> {
    let id = &image.content_id;
    let fits = |character: char| character.is_ascii_alphanumeric() || "._-@".contains(character);
    if !(1..=100).contains(&id.len()) || !id.chars().all(fits) {
        return Err(Refusal::permanent(&format!("`{id}` can't be the id of a picture")));
    }
    Ok(SinglePart::builder()
        .header(media_type(&image.media_type)?)
        .header(ContentId::from(format!("<{id}>")))
        .header(ContentDisposition::inline())
        .body(binary(&image.content)?))
}

fn attached(attachment: &Attachment) -> Result<SinglePart, Refusal> {
    // What no file's name may hold on one system or another; without `?` it is no encoded word either.
    let odd = ['/', '\\', '"', ':', '?', '*', '<', '>', '|'];
    let name = clean_line(attachment.file_name.as_bytes(), MAX_FILE_NAME).replace(odd, "_");
    let name = name.trim_start_matches('.');
    Ok(SinglePart::builder()
        .header(media_type(&attachment.media_type)?)
        .header(ContentDisposition::attachment(if name.is_empty() { "attachment" } else { name }))
        .body(binary(&attachment.content)?))
}

fn media_type(text: &str) -> Result<ContentType, Refusal> {
    let refused = || Refusal::permanent(&format!("`{text}` is not a media type"));
    if text.contains(char::is_control) {
        return Err(refused());
    }
    ContentType::parse(text).map_err(|_| refused())
}

/// Base64 whatever it is: a file arrives byte by byte, with its own line ends.
fn binary(content: &[u8]) -> Result<Body, Refusal> {
    Body::new_with_encoding(content.to_vec(), ContentTransferEncoding::Base64)
        .map_err(|_| Refusal::permanent("an attached file can't be encoded"))
}

/// Lines, and nothing between them that a mail server may take for a line's end or refuse.
fn clean_text(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines.chars().filter(|character| matches!(character, '\n' | '\t') || !character.is_control()).collect()
}
