//! Leftovers of killed processes. Masters themselves are tested against a real sshd.

use std::fs::{File, create_dir, write};

use super::{LOCK, remove_leftovers};

#[test]
fn only_directories_that_nobody_holds_are_removed() {
    let parent = tempfile::tempdir().expect("a directory");
    let directory = |name: &str| {
        let path = parent.path().join(name);
        create_dir(&path).expect("made");
        path
    };
    let dead = directory("turnus-1-dead");
    write(dead.join(LOCK), "").expect("written");
    write(dead.join("1.conf"), "x").expect("written");
    let held = directory("turnus-1-held");
    let lock = File::create(held.join(LOCK)).expect("made");
    lock.lock().expect("locked");
    let being_made = directory("turnus-1-new");
    let foreign = directory("other-1");
    write(foreign.join(LOCK), "").expect("written");

    remove_leftovers(parent.path());

    assert!(!dead.exists());
    assert!(held.exists() && being_made.exists() && foreign.exists());
}
