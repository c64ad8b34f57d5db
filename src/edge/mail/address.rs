//! Addresses: as they stand in a letter, and as they go over the line.

use lettre::address::Envelope;
use lettre::{Address, message};

use super::{Letter, Mailbox, Refusal};
use crate::domain::inventory::address::parse_email;
use crate::domain::line::clean_line;

/// Longest name in characters.
const MAX_NAME: usize = 100;
/// What to do about an address of ours that is none.
const SENDER_HINT: &str = "look at `email` and `reply_to` of `[provider]` in turnus.toml";

/// Whose address it is: who has to do something if it is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Sender,
    Recipient,
}

/// Between whom the letter goes, for the mail server.
pub(super) fn envelope(letter: &Letter) -> Result<Envelope, Refusal> {
    let from = address(&letter.from.address, Role::Sender)?;
    let to = address(&letter.to.address, Role::Recipient)?;
    Envelope::new(Some(from), vec![to]).map_err(|error| Refusal::permanent(&error.to_string()))
}

/// As a header shows it: the name is cleaned and encoded.
pub(super) fn mailbox(mailbox: &Mailbox, role: Role) -> Result<message::Mailbox, Refusal> {
    let name = mailbox.name.as_deref().map(|name| clean_line(name.as_bytes(), MAX_NAME));
    Ok(message::Mailbox::new(name.filter(|name| !name.is_empty()), address(&mailbox.address, role)?))
}

/// A domain beyond ASCII goes over the line in its ASCII form (RFC 5891), which every mail server takes.
fn address(text: &str, role: Role) -> Result<Address, Refusal> {
    let ascii = parse_email(text).and_then(|text| {
        let (user, domain) = text.split_once('@')?;
        let domain = if domain.is_ascii() { domain.to_owned() } else { idna::domain_to_ascii(domain).ok()? };
        Address::new(user, domain).ok()
    });
    ascii.ok_or_else(|| {
        let what = format!("`{text}` is not a mail address");
        match role {
            Role::Recipient => Refusal::permanent(&what),
            Role::Sender => Refusal::misconfigured(&what, SENDER_HINT),
        }
    })
}
