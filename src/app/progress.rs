//! What a person, or a program, sees of a run while it goes on. Talk goes to stderr, data (NDJSON) to stdout.
//!
//! Invariants: output of hosts is cleaned of control sequences before it reaches a terminal (G9); nobody who reads slowly, or
//! not at all, holds up a run.

mod json;
mod logged;
mod plain;
mod terminal;
mod writer;

pub use json::event_object;
pub use plain::describe_outcome;

use self::json::Json;
use self::logged::Logged;
use self::plain::Plain;
use self::terminal::Live;
use self::writer::{Piece, Writer};
use crate::domain::id::RunId;
use crate::domain::plan::{HostIndex, StepIndex};
use crate::domain::run::event::Recorded;
use crate::domain::run::state::Run;

/// Where progress goes.
#[derive(Debug)]
pub struct Progress(Form);

#[derive(Debug)]
enum Form {
    /// Nowhere.
    Quiet,
    /// A line for each event, for logs and pipes.
    Plain(Plain, Writer),
    /// A live line for each host in work.
    Terminal(Writer),
    /// One JSON object a line, for programs.
    Json(Json, Writer),
    /// The daemon's log.
    Log(Logged),
}

impl Progress {
    /// Nowhere.
    #[must_use]
    pub fn quiet() -> Self {
        Self(Form::Quiet)
    }

    /// What suits a person: live lines on a terminal, plain lines elsewhere.
    #[must_use]
    pub fn for_people() -> Self {
        use std::io::IsTerminal;
        if std::io::stderr().is_terminal() { Self(Form::Terminal(Writer::start())) } else { Self::plain() }
    }

    /// A line for each event, wherever it goes.
    #[must_use]
    pub fn plain() -> Self {
        Self(Form::Plain(Plain::default(), Writer::start()))
    }

    /// What suits a program.
    #[must_use]
    pub fn for_programs() -> Self {
        Self(Form::Json(Json::default(), Writer::start()))
    }

    /// What suits a daemon: its log.
    #[must_use]
    pub fn for_log(number: i64) -> Self {
        Self(Form::Log(Logged { number }))
    }

    /// Says which run it is; people have been told already.
    pub fn begin(&mut self, number: i64, id: RunId) {
        if let Form::Json(json, writer) = &self.0 {
            json.begin(writer, number, id);
        }
    }

    /// Shows events that have just been stored. `run` is the state after them.
    pub fn events(&mut self, run: &Run, events: &[Recorded]) {
        for recorded in events {
            match &mut self.0 {
                Form::Quiet => {}
                Form::Plain(plain, writer) => {
                    if let Some(line) = plain.event(run, recorded) {
                        writer.write(Piece::Say(line));
                    }
                }
                Form::Terminal(writer) => terminal::event(writer, run, recorded),
                Form::Json(json, writer) => json.event(writer, run, recorded),
                Form::Log(logged) => logged.event(run, recorded),
            }
        }
    }

    /// Shows output of a step as it comes.
    pub fn output(&mut self, run: &Run, host: HostIndex, step: StepIndex, bytes: &[u8]) {
        match &mut self.0 {
            Form::Quiet | Form::Plain(..) | Form::Log(_) => {}
            Form::Terminal(writer) => terminal::output(writer, run, host, step, bytes),
            Form::Json(json, writer) => json.output(writer, run, (host, step), bytes),
        }
    }

    /// Says something about the run as a whole.
    pub fn notice(&mut self, text: &str) {
        match &mut self.0 {
            Form::Quiet => {}
            Form::Plain(_, writer) => writer.write(Piece::Say(format!("turnus: {text}"))),
            Form::Terminal(writer) => writer.write(Piece::Above(text.to_owned())),
            Form::Json(json, writer) => json.notice(writer, text),
            Form::Log(logged) => logged.notice(text),
        }
    }

    /// Takes the live lines away.
    pub fn close(&mut self) {
        if let Form::Terminal(writer) = &self.0 {
            writer.write(Piece::Live(Live::Clear));
        }
    }

    /// Waits until all that was shown is written, however slowly it is read.
    pub async fn finish(self) {
        match self.0 {
            Form::Plain(_, writer) | Form::Terminal(writer) | Form::Json(_, writer) => writer.finish().await,
            Form::Quiet | Form::Log(_) => {}
        }
    }
}
