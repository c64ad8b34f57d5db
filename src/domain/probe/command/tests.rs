//! The probe `command` as it stands in files.

use super::CommandCheck;
use crate::domain::probe::Check;
use crate::domain::probe::parse::tests::read;

#[test]
fn keys_and_their_defaults() {
    let command = |inside: &str| read(&format!("[probe.command]\n{inside}")).unwrap().check;
    let argv = ["check_ups", "-H", "$ADDRESS", ""].map(str::to_owned).to_vec();
    let usual = CommandCheck { argv, status: 0, contains: None };
    assert_eq!(command("argv = [\"check_ups\", \"-H\", \"$ADDRESS\", \"\"]"), Check::Command(usual));
    let other = CommandCheck { argv: vec!["/bin/x".to_owned()], status: 2, contains: Some("ok".to_owned()) };
    assert_eq!(command("argv = [\"/bin/x\"]\nstatus = 2\ncontains = \"ok\""), Check::Command(other));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = read("[probe.command]\nargv = [\"./x\", \"$x\", 5]\nstatus = 256\ncontains = \"\"").unwrap_err();
    for expected in
        ["an absolute path", "text; `$ADDRESS`", "the number `5`", "from 0 to 255", "text that the program prints"]
    {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    for argv in ["[]", "\"check\"", "[\"\"]", "[\"$VAR_PROGRAM\"]"] {
        assert!(read(&format!("[probe.command]\nargv = {argv}")).is_err(), "{argv}");
    }
}
