//! Whose directory is whose.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{choose_state_dir, expand};
use crate::edge::config::Error;

/// An environment of these variables.
fn variables(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
    move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
}

#[test]
fn the_state_directory() {
    let check = |configured, is_root, pairs, expected: &str| {
        let found = choose_state_dir(configured, is_root, variables(pairs)).expect("a directory");
        assert_eq!(found, PathBuf::from(expected));
    };
    check(None, false, &[("HOME", "/home/eva")], "/home/eva/.local/state/turnus");
    check(None, false, &[("HOME", "/home/eva"), ("XDG_STATE_HOME", "/state")], "/state/turnus");
    check(None, false, &[("HOME", "/home/eva"), ("XDG_STATE_HOME", "state")], "/home/eva/.local/state/turnus");
    check(None, false, &[("HOME", "/home/eva"), ("XDG_STATE_HOME", "")], "/home/eva/.local/state/turnus");
    check(None, true, &[("HOME", "/root")], "/var/lib/turnus");
    check(None, true, &[("XDG_STATE_HOME", "/state")], "/state/turnus");
    check(Some("/srv/turnus"), true, &[("XDG_STATE_HOME", "/state")], "/srv/turnus");
    check(Some("~/turnus"), false, &[("HOME", "/home/eva")], "/home/eva/turnus");
}

#[test]
fn without_a_home_there_is_no_guess() {
    for pairs in [&[][..], &[("HOME", "")], &[("HOME", "eva")]] {
        assert!(matches!(choose_state_dir(None, false, variables(pairs)), Err(Error::NoHome)));
        assert!(matches!(expand("~/key", variables(pairs)), Err(Error::NoHome)));
        assert!(matches!(expand("/key", variables(pairs)), Ok(path) if path.as_os_str() == "/key"));
    }
}
