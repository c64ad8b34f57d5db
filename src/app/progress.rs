//! What a person, or a program, sees of a run while it goes on. Talk goes to stderr, data (NDJSON) to stdout.
//!
//! Invariant: output of hosts is cleaned of control sequences before it reaches a terminal (G9).

mod json;
mod plain;
mod terminal;

pub use json::event_object;
pub use plain::describe_outcome;

use crate::domain::id::RunId;
use crate::domain::plan::{HostIndex, StepIndex};
use crate::domain::run::event::Recorded;
use crate::domain::run::state::Run;

/// Where progress goes.
pub enum Progress {
    /// Nowhere.
    Quiet,
    /// A line for each event, for logs and pipes.
    Plain(plain::Plain),
    /// A live line for each host in work.
    Terminal(terminal::Terminal),
    /// One JSON object a line, for programs.
    Json(json::Json),
}

impl Progress {
    /// What suits a person: live lines on a terminal, plain lines elsewhere.
    #[must_use]
    pub fn for_people() -> Self {
        use std::io::IsTerminal;
        if std::io::stderr().is_terminal() { Self::Terminal(terminal::Terminal::new()) } else { Self::plain() }
    }

    /// A line for each event, wherever it goes.
    #[must_use]
    pub fn plain() -> Self {
        Self::Plain(plain::Plain::default())
    }

    /// What suits a program.
    #[must_use]
    pub fn for_programs() -> Self {
        Self::Json(json::Json)
    }

    /// Says which run it is; people have been told already.
    pub fn begin(&mut self, number: i64, id: RunId) {
        if let Self::Json(json) = self {
            json.begin(number, id);
        }
    }

    /// Shows events that have just been stored. `run` is the state after them.
    pub fn events(&mut self, run: &Run, events: &[Recorded]) {
        for recorded in events {
            match self {
                Self::Quiet => {}
                Self::Plain(plain) => plain.event(run, recorded),
                Self::Terminal(terminal) => terminal.event(run, recorded),
                Self::Json(json) => json.event(run, recorded),
            }
        }
    }

    /// Shows output of a step as it comes.
    pub fn output(&mut self, run: &Run, host: HostIndex, step: StepIndex, bytes: &[u8]) {
        match self {
            Self::Quiet | Self::Plain(_) => {}
            Self::Terminal(terminal) => terminal.output(run, host, step, bytes),
            Self::Json(json) => json.output(run, host, step, bytes),
        }
    }

    /// Says something about the run as a whole.
    pub fn notice(&mut self, text: &str) {
        match self {
            Self::Quiet => {}
            Self::Plain(plain) => plain.notice(text),
            Self::Terminal(terminal) => terminal.notice(text),
            Self::Json(json) => json.notice(text),
        }
    }

    /// Takes the live lines away.
    pub fn close(&mut self) {
        if let Self::Terminal(terminal) = self {
            terminal.close();
        }
    }
}
