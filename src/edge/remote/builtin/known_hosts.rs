//! Which keys are known for a machine, by the files of OpenSSH (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
//!
//! Knows names, patterns, hashes and markers; connects to nothing. As ssh does: a revoked key is refused wherever it stands, a
//! certificate is judged by the authorities for its machine, and a key that is known without the port is known.

use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::PublicKeyOrCertificate;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey};
use sha1::Sha1;
use wildmatch::WildMatch;

/// What is to be thought of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It belongs to the machine.
    Known,
    /// Nothing tells.
    Unknown,
    /// The machine is known by another key of the same kind.
    Changed {
        /// Fingerprint of the known key.
        known: String,
        /// Fingerprint of this one.
        offered: String,
        /// `file:line` of the known key.
        place: String,
    },
    /// It is not to be trusted any more, by this `file:line`.
    Revoked {
        /// `file:line`
        place: String,
    },
}

/// One line that is about the machine.
#[derive(Debug)]
struct Known {
    marker: Option<Marker>,
    key: PublicKey,
    place: String,
}

/// All that is known of one machine.
#[derive(Debug)]
pub(super) struct KnownHosts {
    name: String,
    lines: Vec<Known>,
    /// What is said of its name without the port.
    without_port: Vec<Known>,
}

impl KnownHosts {
    /// Reads what the files say of `name`, reached at `port`. A file that is not there says nothing, and so does a line that
    /// can't be read.
    pub(super) fn read(files: &[PathBuf], name: &str, port: u16) -> Self {
        let name = name.to_ascii_lowercase();
        let with_port = if port == 22 { name.clone() } else { format!("[{name}]:{port}") };
        let of = |wanted: &str| files.iter().flat_map(|file| read_file(file, wanted)).collect::<Vec<_>>();
        let lines = of(&with_port);
        let without_port = if port == 22 { Vec::new() } else { of(&name) };
        Self { name, lines, without_port }
    }

    fn all(&self) -> impl Iterator<Item = &Known> {
        self.lines.iter().chain(&self.without_port)
    }

    /// Of which kinds keys are known: the machine is asked for these first.
    pub(super) fn knows(&self, algorithm: &Algorithm) -> bool {
        let has_keys = self.lines.iter().any(|line| line.marker.is_none());
        let lines = if has_keys { &self.lines } else { &self.without_port };
        lines.iter().any(|line| line.marker.is_none() && alike(&line.key.algorithm(), algorithm))
    }

    /// Whether an authority may speak for the machine.
    pub(super) fn has_authority(&self) -> bool {
        self.all().any(|line| line.marker == Some(Marker::CertAuthority))
    }

    /// Judges what the machine offers at `now`, in seconds since 1970.
    pub(super) fn judge(&self, offered: &PublicKeyOrCertificate, now: u64) -> Verdict {
        let key = offered.public_key();
        let authority = offered.certificate().map(Certificate::signature_key);
        let is_revoked = |line: &&Known| {
            let same = line.key.key_data() == key.key_data() || Some(line.key.key_data()) == authority;
            line.marker == Some(Marker::Revoked) && same
        };
        if let Some(line) = self.all().find(is_revoked) {
            return Verdict::Revoked { place: line.place.clone() };
        }
        match self.judge_by(&self.lines, offered, now) {
            // "checking without port identifier": only a key that is known there counts. Another may be another machine's, behind
            // another port.
            Verdict::Unknown if self.judge_by(&self.without_port, offered, now) == Verdict::Known => Verdict::Known,
            verdict => verdict,
        }
    }

    fn judge_by(&self, lines: &[Known], offered: &PublicKeyOrCertificate, now: u64) -> Verdict {
        let key = offered.public_key();
        if offered.certificate().is_some_and(|certificate| self.is_vouched_for(lines, certificate, now)) {
            return Verdict::Known;
        }
        let mut plain = lines.iter().filter(|line| line.marker.is_none());
        if plain.clone().any(|line| line.key.key_data() == key.key_data()) {
            return Verdict::Known;
        }
        match plain.find(|line| alike(&line.key.algorithm(), &key.algorithm())) {
            Some(line) => Verdict::Changed {
                known: line.key.fingerprint(HashAlg::Sha256).to_string(),
                offered: key.fingerprint(HashAlg::Sha256).to_string(),
                place: line.place.clone(),
            },
            None => Verdict::Unknown,
        }
    }

    /// PROTOCOL.certkeys of OpenSSH: for a host, by an authority that is known for it, in its time, for this name, and without
    /// options that nobody here knows.
    fn is_vouched_for(&self, lines: &[Known], certificate: &Certificate, now: u64) -> bool {
        let authorities = lines.iter().filter(|line| line.marker == Some(Marker::CertAuthority));
        let fingerprints: Vec<_> = authorities.map(|line| line.key.fingerprint(HashAlg::Sha256)).collect();
        let is_for_it = |name: &String| WildMatch::new(&name.to_ascii_lowercase()).matches(&self.name);
        // ssh_config(5), `CASignatureAlgorithms`: nothing with SHA-1.
        let is_signed_well = certificate.signature().algorithm() != Algorithm::Rsa { hash: None };
        is_signed_well
            && certificate.cert_type() == CertType::Host
            && certificate.critical_options().is_empty()
            && certificate.valid_principals().iter().any(is_for_it)
            && certificate.validate_at(now, &fingerprints).is_ok()
    }
}

/// RSA keys are the same keys whatever hash they sign with.
fn alike(one: &Algorithm, other: &Algorithm) -> bool {
    matches!((one, other), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. })) || one == other
}

fn read_file(file: &Path, wanted: &str) -> Vec<Known> {
    // What can't be read tells of nobody, as for ssh.
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let read = |(index, line): (usize, &str)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        // The names first: keys are costly to read, and most lines are about others.
        let mut words = line.split_ascii_whitespace();
        let names = words.find(|word| !word.starts_with('@'))?;
        if !is_about(names, wanted) {
            return None;
        }
        let entry: Entry = line.split_ascii_whitespace().collect::<Vec<_>>().join(" ").parse().ok()?;
        let place = format!("{}:{}", file.display(), index + 1);
        Some(Known { marker: entry.marker().copied(), key: entry.public_key().clone(), place })
    };
    text.lines().enumerate().filter_map(read).collect()
}

fn is_about(names: &str, wanted: &str) -> bool {
    match names.parse() {
        Ok(HostPatterns::HashedName { salt, hash }) => {
            let code = Hmac::<Sha1>::new_from_slice(&salt).map(|code| code.chain_update(wanted));
            code.is_ok_and(|code| code.verify_slice(&hash).is_ok())
        }
        Ok(HostPatterns::Patterns(patterns)) => {
            let fits = |pattern: &str| WildMatch::new(&pattern.to_ascii_lowercase()).matches(wanted);
            let denied = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(fits);
            !denied && patterns.iter().any(|pattern| fits(pattern))
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
