//! Why a letter was not taken, sorted by what to do about it.

use crate::domain::line::clean_line;

/// Longest text of a refusal, in characters.
const MAX_CHARS: usize = 400;

/// Why a letter was not taken. Its text is one clean line for the team, without secrets; it is not for customers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// This letter will never be taken: the address is wrong, or the mail server refuses the recipient or the content.
    #[error("{what}")]
    Permanent {
        /// What was answered to what.
        what: String,
    },
    /// No letter is taken at all for now: the mail server can't be reached, says nothing, or puts off whoever calls; the disk is full.
    /// That is no fault of this letter.
    #[error("{what}")]
    Unreachable {
        /// What was answered to what.
        what: String,
    },
    /// This letter may be taken later: the server puts it off or falls silent over it, or the line broke; then it may have arrived.
    #[error("{what}")]
    Transient {
        /// What was answered to what.
        what: String,
    },
    /// As [`Refusal::Unreachable`], but no letter will be taken before somebody changes the settings or the mail server.
    #[error("{what}")]
    Misconfigured {
        /// What was found.
        what: String,
        /// What to do.
        hint: String,
    },
}

impl Refusal {
    /// Trying again makes no sense.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Permanent { .. })
    }

    /// What to do, if that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Misconfigured { hint, .. } => Some(hint),
            Self::Permanent { .. } | Self::Unreachable { .. } | Self::Transient { .. } => None,
        }
    }

    pub(super) fn permanent(what: &str) -> Self {
        Self::Permanent { what: one_line(what) }
    }

    pub(super) fn unreachable(what: &str) -> Self {
        Self::Unreachable { what: one_line(what) }
    }

    pub(super) fn transient(what: &str) -> Self {
        Self::Transient { what: one_line(what) }
    }

    pub(super) fn misconfigured(what: &str, hint: &str) -> Self {
        Self::Misconfigured { what: one_line(what), hint: hint.to_owned() }
    }
}

impl From<super::Error> for Refusal {
    /// So that letters that can't even be tried tell why.
    fn from(error: super::Error) -> Self {
        let source = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
        Self::misconfigured(&format!("{error}{source}"), error.hint().unwrap_or("look at `[mail]` in turnus.toml"))
    }
}

fn one_line(text: &str) -> String {
    clean_line(text.as_bytes(), MAX_CHARS)
}
