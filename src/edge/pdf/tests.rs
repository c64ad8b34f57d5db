//! Browsers that do not do what they should. A real one is tried in `tests/it/period.rs`, where there is one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::{Error, print_with};

/// A browser that is a shell script; it stays for the rest of the process.
fn browser(script: &str) -> &'static str {
    let directory = tempfile::tempdir().unwrap().keep();
    let path = directory.join("browser");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string().leak()
}

async fn refused(script: &str) -> Error {
    print_with(browser(script), "<p>", Duration::from_secs(20)).await.unwrap_err()
}

#[tokio::test]
async fn what_is_printed_is_returned_and_the_browser_sees_the_page() {
    let script = r#"for last; do case $last in --print-to-pdf=*) pdf=${last#*=} ;; esac; done
{ printf '%%PDF-1.4 '; cat "${last#file://}"; } > "$pdf""#;
    let printed = print_with(browser(script), "<p>ä</p>", Duration::from_secs(20)).await.unwrap();
    assert_eq!(String::from_utf8(printed).unwrap(), "%PDF-1.4 <p>ä</p>");
}

#[tokio::test]
async fn a_browser_that_does_not_print_is_an_error_with_its_last_words() {
    let error = refused("echo one >&2; echo 'cannot open display' >&2; echo >&2; exit 1").await;
    assert!(matches!(&error, Error::NotPrinted { why, .. } if why == "cannot open display"), "{error:?}");
    assert!(matches!(refused("exit 3").await, Error::NotPrinted { why, .. } if why.contains("exit status: 3")));
    assert!(matches!(refused("exit 0").await, Error::NotPrinted { .. }));
    let other = r#"for it; do case $it in --print-to-pdf=*) echo '<html>' > "${it#*=}" ;; esac; done"#;
    assert!(matches!(refused(other).await, Error::NotPrinted { .. }), "what is no PDF file is none");
    let absent = print_with("/nowhere/chromium", "", Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(absent, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound));
}

#[tokio::test]
async fn a_browser_that_hangs_is_ended_with_its_helpers() {
    let directory = tempfile::tempdir().unwrap();
    let note = directory.path().join("helper");
    let script = format!("sleep 300 & echo $! > '{}'; wait", note.display());
    let begun = Instant::now();
    let error = print_with(browser(&script), "", Duration::from_secs(2)).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }) && begun.elapsed() < Duration::from_secs(60), "{error:?}");
    let helper = fs::read_to_string(&note).unwrap();
    // It has been told to end; that it does may take a moment, and whoever inherits it may not ask for its end.
    let is_gone = || {
        let state = fs::read_to_string(format!("/proc/{}/stat", helper.trim())).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    };
    while !is_gone() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the helper lives on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
