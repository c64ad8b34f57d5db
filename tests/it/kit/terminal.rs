//! `turnus` at a terminal, which `script` provides; its questions are answered as soon as they are asked.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::world::wait_until;

/// What Ctrl-C sends.
pub(crate) const CTRL_C: &str = "\u{3}";
/// What Ctrl-D sends: at the beginning of a line, the end of the input.
pub(crate) const CTRL_D: &str = "\u{4}";

pub(crate) struct Terminal {
    child: Child,
    printed: PathBuf,
}

impl Terminal {
    /// Starts `command` there. What it prints is kept in the file `printed`.
    pub(crate) fn open(command: &Command, printed: PathBuf) -> Self {
        let words = [command.get_program()].into_iter().chain(command.get_args());
        let line: Vec<_> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--command", &line.join(" "), "/dev/null"]);
        script.stdin(Stdio::piped()).stdout(File::create(&printed).unwrap()).stderr(Stdio::null());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        Self { child: script.env("SHELL", "/bin/sh").spawn().unwrap(), printed }
    }

    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.printed).unwrap()).into_owned()
    }

    pub(crate) fn wait_for(&self, question: &str) {
        wait_until(&format!("`{question}` is asked"), || self.printed().contains(question));
    }

    pub(crate) fn answer(&mut self, question: &str, answer: &str) {
        self.wait_for(question);
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{answer}").and_then(|()| stdin.flush()).unwrap();
    }

    /// Exit status, and all that was printed.
    pub(crate) fn finish(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        (status.code(), self.printed())
    }
}
