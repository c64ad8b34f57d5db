//! One exchange with the capsule: a verb goes out, frames come back, or the reason why not.

use tokio::io::AsyncReadExt;
use uuid::Uuid;

use super::Remote;
use super::error::{Error, excerpt};
use super::frame::{Frame, Parser};
use super::running::{Command, Exit, Running};

/// How much is read at once.
const PART: usize = 16 * 1024;

/// A verb for the capsule.
pub(super) struct Question {
    /// What comes before the verb: how the capsule is found on the machine.
    pub(super) program: Vec<String>,
    /// The verb.
    pub(super) verb: &'static str,
    /// Marks the answer; no start-up file of the account can have printed it.
    pub(super) nonce: String,
    /// What comes after the nonce.
    pub(super) arguments: Vec<String>,
    /// Standard input.
    pub(super) stdin: Vec<u8>,
}

impl Question {
    pub(super) fn new(program: Vec<String>, verb: &'static str, arguments: Vec<String>) -> Self {
        Self { program, verb, nonce: Uuid::now_v7().simple().to_string(), arguments, stdin: Vec::new() }
    }

    /// Hands it over.
    pub(super) async fn ask(self, remote: &Remote) -> Result<Answer, Error> {
        let mut argv = self.program;
        argv.extend([self.verb.to_owned(), self.nonce.clone()]);
        argv.extend(self.arguments);
        let running = remote.exec(Command { argv, stdin: self.stdin }).await?;
        Ok(Answer { host: remote.name().to_owned(), running: Some(running), parser: Parser::new(&self.nonce) })
    }
}

/// The frames of an answer, in order.
pub(super) struct Answer {
    host: String,
    /// None when it has ended.
    running: Option<Running>,
    parser: Parser,
}

impl Answer {
    /// The next frame. An answer that ends before [`Frame::End`] is an error, which says why.
    pub(super) async fn next(&mut self) -> Result<Frame, Error> {
        let mut part = Vec::new();
        loop {
            match self.parser.next() {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(malformed) => return Err(self.lost(malformed.to_string())),
            }
            let Some(running) = self.running.as_mut() else { return Err(self.lost("the answer has ended".to_owned())) };
            part.clear();
            part.reserve(PART);
            match running.stdout.read_buf(&mut part).await {
                Ok(1..) => self.parser.feed(&part),
                Ok(0) | Err(_) => return Err(self.reason().await),
            }
        }
    }

    /// Why the answer ended too early.
    async fn reason(&mut self) -> Error {
        let Some(running) = self.running.take() else { return self.lost("the answer has ended".to_owned()) };
        let (exit, messages) = match running.wait().await {
            Ok(ended) => ended,
            Err(error) => return error,
        };
        let Some(preamble) = self.parser.preamble() else { return self.lost("the answer ended early".to_owned()) };
        let said = format!("{} {messages}", excerpt(&String::from_utf8_lossy(preamble))).trim().to_owned();
        no_answer(self.host.clone(), exit, said)
    }

    fn lost(&self, detail: String) -> Error {
        Error::LineLost { host: self.host.clone(), detail }
    }
}

/// What it means that something other than the capsule answered.
fn no_answer(host: String, exit: Exit, said: String) -> Error {
    let says = |sign: &str| said.contains(sign);
    // First: sudo may warn of something and work nevertheless.
    if says("/capsule") && (says("No such file") || says("an't open") || says("annot open")) {
        return Error::Vanished { host };
    }
    if says("sudo:") || says("sudo: ") || says("a password is required") || says("not in the sudoers") {
        return Error::SudoRefused { host, detail: said };
    }
    if exit != Exit::Signal && says("sudo") && says("not found") {
        return Error::SudoRefused { host, detail: said };
    }
    match exit {
        Exit::Signal => Error::LineLost { host, detail: format!("the command was killed {said}").trim().to_owned() },
        Exit::Status(status) => {
            Error::NoShell { host, detail: format!("exit status {status} {said}").trim().to_owned() }
        }
    }
}

#[cfg(test)]
mod tests;
