//! Every kind of line, with keys that ssh-keygen made.

use std::path::PathBuf;
use std::process::Command;

use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate, load_openssh_certificate, load_public_key};
use tempfile::TempDir;

use super::{KnownHosts, Verdict};

/// 2030: within the time of the certificates below.
const NOW: u64 = 1_893_456_000;

struct Keys(TempDir);

impl Keys {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn keygen(&self, arguments: &[&str]) {
        let done = Command::new("ssh-keygen").current_dir(self.0.path()).arg("-q").args(arguments).output();
        let done = done.expect("ssh-keygen");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// A new key of this kind.
    fn make(&self, name: &str, kind: &str) -> PublicKey {
        self.keygen(&["-t", kind, "-N", "", "-C", "", "-f", name]);
        load_public_key(self.path(&format!("{name}.pub"))).expect("a key")
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.pub"))).expect("a key").trim().to_owned()
    }

    fn known(&self, lines: &str, name: &str, port: u16) -> KnownHosts {
        let file = self.path("known_hosts");
        std::fs::write(&file, lines).expect("written");
        KnownHosts::read(&[PathBuf::from("/nowhere"), file], name, port)
    }
}

fn plain(key: &PublicKey) -> PublicKeyOrCertificate {
    PublicKeyOrCertificate::from(key.clone())
}

#[test]
fn names_patterns_ports_and_hashes_are_understood() {
    let keys = Keys::new();
    let key = keys.make("a", "ed25519");
    let text = keys.text("a");
    let judge =
        |names: &str, name: &str, port| keys.known(&format!("{names} {text}\n"), name, port).judge(&plain(&key), NOW);
    for (names, name, port) in [
        ("web1", "web1", 22),
        ("WEB1", "web1", 22),
        ("web1", "Web1", 22),
        ("db1,web1,10.0.0.1", "web1", 22),
        ("[web1]:2222", "web1", 2222),
        ("web1", "web1", 2222),
        ("*.example", "web1.example", 22),
        ("web?", "web1", 22),
        ("[*.example]:2222", "web1.example", 2222),
    ] {
        assert_eq!(judge(names, name, port), Verdict::Known, "{names} for {name}:{port}");
    }
    for (names, name, port) in [
        ("web2", "web1", 22),
        ("[web1]:2222", "web1", 22),
        ("[web1]:2222", "web1", 2223),
        ("*.example,!web1.example", "web1.example", 22),
        ("web1.*", "web1", 22),
        ("# web1", "web1", 22),
        ("|1|nonsense|x", "web1", 22),
    ] {
        assert_eq!(judge(names, name, port), Verdict::Unknown, "{names} for {name}:{port}");
    }
    // As ssh-keygen hashes them.
    std::fs::write(keys.path("hashed"), format!("web1 {text}\n[web2]:2222 {text}\n")).expect("written");
    keys.keygen(&["-H", "-f", "hashed"]);
    let hashed = std::fs::read_to_string(keys.path("hashed")).expect("there");
    assert!(!hashed.contains("web"), "{hashed}");
    assert_eq!(keys.known(&hashed, "web1", 22).judge(&plain(&key), NOW), Verdict::Known);
    assert_eq!(keys.known(&hashed, "web2", 2222).judge(&plain(&key), NOW), Verdict::Known);
    assert_eq!(keys.known(&hashed, "web3", 22).judge(&plain(&key), NOW), Verdict::Unknown);
}

#[test]
fn a_changed_key_is_told_with_both_fingerprints_and_its_line() {
    let keys = Keys::new();
    let (old, new) = (keys.make("old", "ed25519"), keys.make("new", "ed25519"));
    let lines = format!("# by hand\n\nweb1 {}\n", keys.text("old"));
    let known = keys.known(&lines, "web1", 22);
    let print = |key: &PublicKey| key.fingerprint(HashAlg::Sha256).to_string();
    let place = format!("{}:3", keys.path("known_hosts").display());
    assert_eq!(known.judge(&plain(&new), NOW), Verdict::Changed { known: print(&old), offered: print(&new), place });
    // A key of another kind is just not known; and the known kind is asked for first.
    let other = keys.make("other", "ecdsa");
    assert_eq!(known.judge(&plain(&other), NOW), Verdict::Unknown);
    assert!(known.knows(&Algorithm::Ed25519) && !known.knows(&other.algorithm()));
    // A key without the port does not make one with the port a changed one, nor hide it.
    let both = format!("web1 {}\n[web1]:2222 {}\n", keys.text("old"), keys.text("new"));
    assert_eq!(keys.known(&both, "web1", 2222).judge(&plain(&new), NOW), Verdict::Known);
    // Alone, it is as good as one with it; but another key there may be another machine's.
    let alone = keys.known(&lines, "web1", 2222);
    assert_eq!(alone.judge(&plain(&old), NOW), Verdict::Known);
    assert_eq!(alone.judge(&plain(&new), NOW), Verdict::Unknown);
    let of_other_kind = format!("web1 {}\n[web1]:2222 {}\n", keys.text("old"), keys.text("other"));
    let known = keys.known(&of_other_kind, "web1", 2222);
    assert_eq!(known.judge(&plain(&old), NOW), Verdict::Known);
    assert!(known.knows(&other.algorithm()) && !known.knows(&Algorithm::Ed25519), "the port's own first");
}

#[test]
fn a_revoked_key_is_refused_wherever_it_is_known() {
    let keys = Keys::new();
    let key = keys.make("a", "ed25519");
    let text = keys.text("a");
    let known = keys.known(&format!("web1 {text}\n@revoked * {text}\n"), "web1", 22);
    let place = format!("{}:2", keys.path("known_hosts").display());
    assert_eq!(known.judge(&plain(&key), NOW), Verdict::Revoked { place });
    let elsewhere = keys.known(&format!("web1 {text}\n@revoked db1 {text}\n"), "web1", 22);
    assert_eq!(elsewhere.judge(&plain(&key), NOW), Verdict::Known);
}

/// A certificate for `principals`, signed by the authority `ca`, from 2020 to 2040 unless `validity` says otherwise.
fn certify(keys: &Keys, name: &str, principals: &str, more: &[&str]) -> PublicKeyOrCertificate {
    let validity = if more.contains(&"-V") { &[][..] } else { &["-V", "20200101:20400101"] };
    let (public, kind) = (format!("{name}.pub"), if more.contains(&"user") { &[][..] } else { &["-h"] });
    let more: Vec<&str> = more.iter().copied().filter(|word| *word != "user").collect();
    let names = if principals.is_empty() { Vec::new() } else { vec!["-n", principals] };
    keys.keygen(&[&["-s", "ca", "-I", "it"], kind, validity, &names, &more, &[&public]].concat());
    let file = keys.path(&format!("{name}-cert.pub"));
    PublicKeyOrCertificate::from(load_openssh_certificate(file).expect("a certificate"))
}

#[test]
fn a_certificate_counts_by_its_authority_its_time_and_its_names() {
    let keys = Keys::new();
    for name in ["ca", "a"] {
        keys.make(name, "ed25519");
    }
    let by_ca = |names: &str| keys.known(&format!("@cert-authority {names} {}\n", keys.text("ca")), "web1.example", 22);
    let known = by_ca("*.example");
    assert!(known.has_authority());
    assert_eq!(known.judge(&certify(&keys, "a", "db1,web1.example", &[]), NOW), Verdict::Known);
    assert_eq!(known.judge(&certify(&keys, "a", "*.example", &[]), NOW), Verdict::Known);
    for (what, certificate) in [
        ("another name", certify(&keys, "a", "web2.example", &[])),
        ("no name", certify(&keys, "a", "", &[])),
        ("over", certify(&keys, "a", "web1.example", &["-V", "20200101:20210101"])),
        ("not yet", certify(&keys, "a", "web1.example", &["-V", "20350101:20400101"])),
        ("for users", certify(&keys, "a", "web1.example", &["user"])),
    ] {
        assert_eq!(known.judge(&certificate, NOW), Verdict::Unknown, "{what}");
    }
    let good = certify(&keys, "a", "web1.example", &[]);
    assert_eq!(by_ca("*.elsewhere").judge(&good, NOW), Verdict::Unknown, "an authority for others");
    // As ssh does: a certificate of nobody's may carry a key that is known by itself.
    let plainly = keys.known(&format!("web1.example {}\n", keys.text("a")), "web1.example", 22);
    assert_eq!(plainly.judge(&good, NOW), Verdict::Known);
    assert!(!plainly.has_authority());
    // SHA-1 vouches for nobody: an authority with an RSA key has to sign with SHA-2.
    keys.make("rsa", "rsa");
    let by_rsa = keys.known(&format!("@cert-authority * {}\n", keys.text("rsa")), "web1.example", 22);
    std::fs::rename(keys.path("rsa"), keys.path("ca")).expect("renamed");
    let signed = |kind: &str| certify(&keys, "a", "web1.example", &["-t", kind]);
    assert_eq!(by_rsa.judge(&signed("rsa-sha2-256"), NOW), Verdict::Known);
    assert_eq!(by_rsa.judge(&signed("ssh-rsa"), NOW), Verdict::Unknown);
    // A revoked authority vouches for nobody.
    let revoked = format!("@cert-authority * {0}\n@revoked * {0}\n", keys.text("ca"));
    let verdict = keys.known(&revoked, "web1.example", 22).judge(&good, NOW);
    assert!(matches!(verdict, Verdict::Revoked { .. }), "{verdict:?}");
}
