//! What stands in place of an answer: texts of sudo, of shells and of accounts without one.

use super::{Exit, no_answer};
use crate::edge::remote::Error;

#[test]
fn what_comes_in_place_of_an_answer_is_sorted() {
    let kind = |exit, said: &str| match no_answer("web1".to_owned(), exit, said.to_owned()) {
        Error::SudoRefused { .. } => "sudo",
        Error::Vanished { .. } => "vanished",
        Error::NoShell { .. } => "no shell",
        Error::LineLost { .. } => "line lost",
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(Exit::Status(1), "sudo: a password is required"), "sudo");
    assert_eq!(kind(Exit::Status(1), "bob is not in the sudoers file."), "sudo");
    assert_eq!(kind(Exit::Status(127), "bash: line 1: sudo: command not found"), "sudo");
    assert_eq!(kind(Exit::Status(127), "sh: 1: sudo: not found"), "sudo");
    assert_eq!(kind(Exit::Status(2), "sh: 0: cannot open /s/runs/1/capsule: No such file"), "vanished");
    assert_eq!(kind(Exit::Status(127), "sh: /s/runs/1/capsule: No such file or directory"), "vanished");
    assert_eq!(kind(Exit::Status(2), "sh: can't open '/s/runs/1/capsule': No such file or directory"), "vanished");
    assert_eq!(kind(Exit::Status(1), "This account is currently not available."), "no shell");
    assert_eq!(kind(Exit::Signal, ""), "line lost");
}
