//! Quoting, read back by a real shell.

use super::shell_line;

#[test]
fn a_shell_reads_back_the_words_that_went_in() {
    let check = |words: &[&str]| {
        let mut argv = vec!["printf".to_owned(), "%s\\0".to_owned()];
        argv.extend(words.iter().map(|&word| word.to_owned()));
        for shell in ["dash", "bash", "busybox"] {
            let mut command = std::process::Command::new(shell);
            if shell == "busybox" {
                command.arg("sh");
            }
            let output = command.args(["-c", &shell_line(&argv)]).output().expect("a shell");
            let expected: String = words.iter().map(|word| format!("{word}\0")).collect();
            assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{shell}: {}", shell_line(&argv));
        }
    };
    check(&[
        "plain",
        "",
        "two words",
        "$HOME `id` $(id)",
        "it's",
        "\\",
        "'\\'",
        "\\'",
        "''",
        "a\nb\t",
        "\"",
        "*?[!~#;&|<>",
    ]);
    check(&["\\\\'\\n''\\"]);
}
