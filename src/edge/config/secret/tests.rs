//! Secrets from each of their sources, and what is no secret.

use std::time::{Duration, Instant};

use super::{Secret, resolve_secret, resolve_within};
use crate::domain::job::SecretReference;
use crate::edge::config::Error;

fn command(words: &[&str]) -> SecretReference {
    SecretReference::Command(words.iter().map(|word| (*word).to_owned()).collect())
}

fn file(content: &[u8]) -> (tempfile::NamedTempFile, SecretReference) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), content).expect("its content");
    let reference = SecretReference::File(file.path().display().to_string());
    (file, reference)
}

/// The error and all its causes, as a person would see them.
fn chain(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}

#[tokio::test]
async fn one_final_line_break_is_removed() {
    for (content, expected) in [
        (&b"hunter2"[..], "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"hunter2\n\n", "hunter2\n"),
        (b" a b \n", " a b "),
        ("gehe\u{ef}m".as_bytes(), "geheïm"),
    ] {
        let (_file, reference) = file(content);
        let secret = resolve_secret(&reference).await.expect("a secret");
        assert_eq!(secret.expose(), expected);
    }
}

#[tokio::test]
async fn what_can_be_no_secret_is_refused_without_showing_it() {
    let long = vec![b'x'; 64 * 1024 + 1];
    for (content, fault) in [
        (&b""[..], "is empty"),
        (b"\n", "is empty"),
        (b"hunter2\0", "has a NUL character"),
        (b"hunter2\xff", "is not UTF-8 text"),
        (&long, "is longer than 64 KiB"),
    ] {
        let (_file, reference) = file(content);
        let error = resolve_secret(&reference).await.expect_err("no secret");
        assert!(chain(&error).ends_with(fault), "{}", chain(&error));
        assert!(!chain(&error).contains("hunter2"));
    }
}

#[tokio::test]
async fn variables_of_the_environment() {
    let secret = resolve_secret(&SecretReference::Env("PATH".to_owned())).await.expect("PATH is set");
    assert_eq!(Some(secret.expose()), std::env::var("PATH").ok().as_deref());
    let error = resolve_secret(&SecretReference::Env("TURNUS_TEST_NOT_SET".to_owned())).await.expect_err("not set");
    assert_eq!(
        chain(&error),
        "could not read the environment variable `TURNUS_TEST_NOT_SET` of a secret: environment variable not found"
    );
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let error = resolve_secret(&SecretReference::File("/nowhere/secret".to_owned())).await.expect_err("no file");
    assert!(chain(&error).starts_with("could not read the file `/nowhere/secret` of a secret: No such file"));
}

#[tokio::test]
async fn commands_run_without_a_shell() {
    let secret = resolve_secret(&command(&["printf", "%s\\n", "$HOME; `id`"])).await.expect("a secret");
    assert_eq!(secret.expose(), "$HOME; `id`");
    let error = resolve_secret(&command(&["/nowhere/pass", "show"])).await.expect_err("no program");
    assert!(chain(&error).starts_with("could not run the command `/nowhere/pass` of a secret: No such file"));
    let error = resolve_secret(&command(&["sh", "-c", "echo hunter2; exit 3"])).await.expect_err("it failed");
    assert_eq!(chain(&error), "the command `sh` of a secret ended with exit status: 3");
    let error = resolve_secret(&command(&["cat", "/dev/zero"])).await.expect_err("endless");
    assert_eq!(chain(&error), "the secret from the command `cat` is longer than 64 KiB");
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_with_all_its_children() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("pid");
    let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
    let begun = Instant::now();
    let error = resolve_within(&command(&["sh", "-c", &script]), Duration::from_secs(1)).await.expect_err("it hangs");
    assert_eq!(chain(&error), "the command `sh` of a secret did not end within 1 s");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let child = std::fs::read_to_string(&file).expect("the child's number");
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    // Gone, or a zombie that nobody has collected yet.
    let deadline = Instant::now() + Duration::from_secs(10);
    while !state().is_empty() && !state().contains(") Z") {
        assert!(Instant::now() < deadline, "the child lives on: {}", state());
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_secret_is_not_shown_by_mistake() {
    assert_eq!(format!("{:?}", Secret("hunter2".to_owned())), "***");
    assert_eq!(format!("{:?}", Some(Secret("hunter2".to_owned()))), "Some(***)");
}
