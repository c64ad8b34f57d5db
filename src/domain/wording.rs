//! The provider's own words: files that stand in the place of embedded templates and texts.
//!
//! Knows that there are such files; does not know what may stand in them.

use super::problem::Problem;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordingFile {
    /// The file, as the user names it: `templates/mail/announcement/text.hbs`, `locales/de.toml`.
    pub file: String,
    /// Its text, or what is wrong with the file as a whole.
    pub text: Result<String, Problem>,
}
