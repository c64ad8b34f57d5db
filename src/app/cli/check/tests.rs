//! How problems look to a person.

use super::{count, render_problems, texts};
use crate::domain::catalog::{Source, SourceKind};
use crate::domain::problem::{Problem, Problems};

fn problem(line: usize, column: usize) -> Problem {
    Problem {
        file: "jobs/j.toml".to_owned(),
        line,
        column,
        what: "wrong".to_owned(),
        expected: None,
        hint: None,
        conceal: false,
    }
}

fn rendered(text: &str, problems: Vec<Problem>) -> String {
    let source = Source { file: "jobs/j.toml".to_owned(), kind: SourceKind::Job, text: Ok(text.to_owned()) };
    render_problems(&Problems(problems), &texts(&[source], &[]))
}

#[test]
fn the_line_stands_between_what_is_wrong_and_the_remedy() {
    let told = Problem { expected: Some("right".to_owned()), hint: Some("do".to_owned()), ..problem(2, 5) };
    let expected =
        "jobs/j.toml:2:5: wrong\n  2 | b = x\n    |     ^\n  expected: right\n  hint: do\n\n1 problem in 1 file\n";
    assert_eq!(rendered("a = 1\nb = x\n", vec![told]), expected);
}

#[test]
fn characters_not_bytes_place_the_caret() {
    let told = rendered("größe = ?", vec![problem(1, 9)]);
    assert!(told.contains("  1 | größe = ?\n    |         ^\n"), "{told}");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let told = rendered("\u{feff}a\t= \"\u{1b}[31m\u{202e}\u{9b}\"\r\n", vec![problem(1, 5)]);
    assert!(told.contains("  1 | a = \" [31m  \"\n    |     ^\n"), "{told:?}");
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
    let told = rendered(&text, vec![problem(1, 501)]);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[1], format!("  1 | {}X{}", "a".repeat(60), "b".repeat(39)));
    assert_eq!(lines[2], format!("    | {}^", " ".repeat(60)));
}

#[test]
fn lines_with_secrets_and_lines_that_are_not_there_are_not_shown() {
    let secret = Problem { conceal: true, ..problem(1, 1) };
    // The second problem has no secret itself, but the same line.
    let told = rendered("password = \"hunter2\"", vec![secret, problem(1, 5), problem(7, 1)]);
    let expected =
        "jobs/j.toml:1:1: wrong\n\njobs/j.toml:1:5: wrong\n\njobs/j.toml:7:1: wrong\n\n3 problems in 1 file\n";
    assert_eq!(told, expected);
}

#[test]
fn numbers_agree_with_their_nouns() {
    assert_eq!([count(0, "host"), count(1, "host"), count(2, "host")], ["0 hosts", "1 host", "2 hosts"]);
}
