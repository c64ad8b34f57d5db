//! What becomes of a known_hosts file. Fetching keys is tested against a real sshd.

use std::os::unix::fs::PermissionsExt;

use super::{KnownKey, OfferedKey, store_key};

fn key(machine: &str, value: &str) -> OfferedKey {
    OfferedKey {
        machine: machine.to_owned(),
        algorithm: "ssh-ed25519".to_owned(),
        fingerprint: format!("SHA256:{value}"),
        line: format!("{machine} ssh-ed25519 {value}"),
    }
}

#[test]
fn a_key_is_stored_once_and_replaces_only_when_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("state/known_hosts");
    let store = |key: &OfferedKey, known| {
        store_key(&file, key, known).expect("stored");
        std::fs::read_to_string(&file).expect("read")
    };
    store(&key("web1", "AAAA"), KnownKey::Keep);
    assert_eq!(store(&key("web1", "AAAA"), KnownKey::Keep), "web1 ssh-ed25519 AAAA\n");
    store(&key("web10", "BBBB"), KnownKey::Keep);
    let beside = store(&key("web1", "CCCC"), KnownKey::Keep);
    assert_eq!(beside, "web1 ssh-ed25519 AAAA\nweb10 ssh-ed25519 BBBB\nweb1 ssh-ed25519 CCCC\n");
    let replaced = store(&key("web1", "DDDD"), KnownKey::Replace);
    assert_eq!(replaced, "web10 ssh-ed25519 BBBB\nweb1 ssh-ed25519 DDDD\n");
    let mode = std::fs::metadata(&file).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(directory.path().join("state")).expect("read").count(), 1, "no temporary file stays");
}
