//! All that a message is, before it becomes MIME.

use jiff::Timestamp;

/// A letter to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Without angle brackets, as `019…@turnus.example`: letters, digits and `.`, `-`, `_`, `+` on both sides. The same letter
    /// always has the same.
    pub message_id: String,
    /// What its `Date` says.
    pub sent_at: Timestamp,
    /// Whom it is from; undeliverable copies come back there as well.
    pub from: Mailbox,
    /// Where answers go, if somewhere else.
    pub reply_to: Option<Mailbox>,
    /// Whom it goes to.
    pub to: Mailbox,
    /// One line; what is not fit for one is cleaned away.
    pub subject: String,
    /// The whole text, for those who read no HTML.
    pub text: String,
    /// The same as HTML. Absent: text only.
    pub html: Option<String>,
    /// A picture that the HTML shows as `cid:…`. Left out if there is no HTML.
    pub logo: Option<Image>,
    /// For the recipient's calendar.
    pub calendar: Option<CalendarPart>,
    /// Files, in their order.
    pub attachments: Vec<Attachment>,
}

/// A person's or team's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// As it shall be shown; what is not fit for a line is cleaned away.
    pub name: Option<String>,
    /// `it@nordwind.example`. A domain may have letters beyond ASCII; a mailbox may as far as the mail server takes such (RFC 6531).
    pub address: String,
}

/// A picture within the HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What the HTML calls it, as `logo` in `<img src="cid:logo">`: letters, digits and `.`, `-`, `_`, `@`.
    pub content_id: String,
    /// `image/png`, `image/jpeg`.
    pub media_type: String,
    /// The file.
    pub content: Vec<u8>,
}

/// An entry for a calendar (RFC 6047).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarPart {
    /// As in its `METHOD`: `REQUEST`, `PUBLISH`, `CANCEL`.
    pub method: String,
    /// The iCalendar object.
    pub content: String,
}

/// A file that comes with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Without directory; what does not fit into a file's name is replaced.
    pub file_name: String,
    /// `text/html`, `application/pdf`.
    pub media_type: String,
    /// The file.
    pub content: Vec<u8>,
}
