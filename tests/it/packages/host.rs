//! The kit's hosts leave nothing behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::kit::debian::Root;
use crate::kit::debian::host::Host;
use crate::kit::machine::wait_for;
use crate::kit::sshd::make_key;

#[test]
fn a_host_is_gone_with_its_mounts_and_processes_even_when_its_test_panics() {
    let Some(root) = Root::open() else { return };
    let directory = tempfile::tempdir().unwrap();
    make_key(&directory.path().join("key"));
    make_key(&directory.path().join("host_key"));
    let mut first = 0;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let host = Host::start(&root, directory.path(), "http://127.0.0.1:1/");
        first = host.first_process();
        assert_eq!(host.answer().as_deref(), Some("shop 1.0 ok"));
        host.start_shell("exec sleep 987654");
        wait_for("the sleeper", || host.runs("sleep 987654"));
        host.assert_whole();
        panic!("as a failing test does");
    }));
    let said = panicked.unwrap_err();
    assert_eq!(said.downcast_ref::<&str>(), Some(&"as a failing test does"));
    assert!(!Path::new(&format!("/proc/{first}")).exists());
    wait_for("the sleeper to end", || {
        crate::kit::machine::processes(|_, command| command == "sleep 987654 ").is_empty()
    });
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&directory.path().display().to_string()), "{mounts}");
}
