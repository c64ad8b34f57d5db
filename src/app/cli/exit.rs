//! How a command ends, and how its error is told.

use std::process::ExitCode;

use crate::app::console::say;
use crate::edge::config;
use crate::edge::store::error::{Error as StoreError, Kind};

/// Exit statuses are part of the contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// The maintenance failed.
    Failed = 1,
    /// Wrong usage or invalid files; nothing was changed.
    Usage = 2,
    /// Something needed is not reachable: database, host.
    Unreachable = 3,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error on its way to the user.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into(), hint: None }
    }

    pub(crate) fn unreachable(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unreachable, error: error.into(), hint: None }
    }

    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Failed, error: error.into(), hint: None }
    }

    /// The user said no.
    pub(crate) fn declined() -> Self {
        Self { exit: Exit::Interrupted, error: anyhow::anyhow!("nothing was done"), hint: None }
    }

    pub(crate) fn maybe_hint(self, hint: Option<String>) -> Self {
        Self { hint: hint.or(self.hint), ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Whether something that is needed can't be reached.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.exit == Exit::Unreachable
    }

    /// What to do.
    pub(crate) fn into_hint(self) -> Option<String> {
        self.hint
    }

    /// Tells the user and returns the exit status.
    pub(crate) fn print(&self) -> Exit {
        say(&format!("turnus: {self}"));
        if let Some(hint) = &self.hint {
            say(&format!("\nhint: {hint}"));
        }
        self.exit
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Some libraries tell their cause in their own text as well: nobody wants to read it twice.
        let mut told = String::new();
        for cause in self.error.chain().map(ToString::to_string) {
            if !told.contains(&cause) {
                told = if told.is_empty() { cause } else { format!("{told}: {cause}") };
            }
        }
        f.write_str(&told)
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        let hint = error.hint();
        Self { hint, ..Self::usage(error) }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let hint = error.hint();
        let failure = match error.kind() {
            Kind::Conflict => Self::usage(error),
            Kind::Fenced | Kind::Invalid => Self::failed(error),
            Kind::Unreachable | Kind::Busy | Kind::NotWritable | Kind::Setup => Self::unreachable(error),
        };
        Self { hint, ..failure }
    }
}
