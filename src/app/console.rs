//! Writing to people and programs. A reader that goes away (a closed pipe, a lost terminal) never disturbs a run.

use std::io::{IsTerminal, Write};

use crate::domain::line::clean_line;

/// Data, with a line break, to stdout.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Bytes as they are to stdout. Returns whether somebody still reads.
pub fn print_bytes(bytes: &[u8]) -> bool {
    let mut stdout = std::io::stdout();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).is_ok()
}

/// Text for people, with a line break, to stdout. Some of it may come from hosts, or from other people.
pub fn show(text: &str) {
    print(&clean(text));
}

/// Talk, with a line break, to stderr.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", clean(text));
}

/// Without control sequences and what else would make a terminal show something other than is written; lines and their indents stay.
fn clean(text: &str) -> String {
    let line = |line: &str| {
        let indent = line.len() - line.trim_start_matches(' ').len();
        format!("{:indent$}{}", "", clean_line(line.as_bytes(), line.len()))
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// Nobody can be asked.
    NoTerminal,
    /// Somebody was asked, and ended the input or hung up: that is no yes, and no empty answer.
    Ended,
}

/// Asks on stderr and reads a line from stdin.
///
/// # Errors
/// [`Unanswered`], with which the question is over.
pub fn ask(question: &str) -> Result<String, Unanswered> {
    if !std::io::stdin().is_terminal() {
        return Err(Unanswered::NoTerminal);
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{question} ").and_then(|()| stderr.flush());
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(0) | Err(_) => {
            // What is said next begins on a line of its own.
            let _ = writeln!(stderr);
            Err(Unanswered::Ended)
        }
        Ok(_) => Ok(line.trim().to_owned()),
    }
}

/// Asks for a yes; none without a terminal.
#[must_use]
pub fn confirms(question: &str) -> Option<bool> {
    match ask(&format!("{question} [y/N]")) {
        Ok(answer) => Some(matches!(answer.as_str(), "y" | "Y" | "yes" | "Yes")),
        Err(Unanswered::Ended) => Some(false),
        Err(Unanswered::NoTerminal) => None,
    }
}
