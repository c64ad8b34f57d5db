//! Signatures of keys that files hold.

use std::process::Command;
use std::sync::Arc;

use russh::Signer;
use russh::keys::agent::AgentIdentity;
use russh::keys::{HashAlg, load_secret_key};

use super::KeySigner;

#[tokio::test]
async fn an_rsa_key_signs_with_the_hash_that_was_announced() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"]).arg(&file).status();
    assert!(made.expect("ssh-keygen").success());
    let key = load_secret_key(&file, None).expect("a key");
    let identity = AgentIdentity::PublicKey { key: key.public_key().clone(), comment: String::new() };
    for (hash, name) in [(HashAlg::Sha256, "rsa-sha2-256"), (HashAlg::Sha512, "rsa-sha2-512")] {
        let mut signer = KeySigner(Arc::new(key.clone()));
        let signed = signer.auth_sign(&identity, Some(hash), b"request".to_vec()).await.expect("signed");
        // RFC 8332, section 3: the name stands in the signature. Its length, and that of the whole, come before.
        let signature = signed.strip_prefix(b"request").expect("the request first");
        assert_eq!(&signature[8..8 + name.len()], name.as_bytes());
    }
}
