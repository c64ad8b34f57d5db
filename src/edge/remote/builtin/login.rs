//! Showing the server who we are: keys of the agent, keys of files, and their certificates, in the order in which ssh offers them.
//!
//! Knows keys and the authentication protocol (RFC 4252, section 7); does not connect. What can't be used, and why, is told when the
//! server has refused all that could.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::Signer;
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{
    Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, load_openssh_certificate,
    load_public_key,
};
use tokio::net::UnixStream;

use super::checker::{Checker, Goodbye};
use crate::edge::remote::resolve::Resolved;
use crate::edge::remote::ssh_config::Passphrase;

/// Why the server did not let us in.
#[derive(Debug)]
pub(super) enum Refused {
    /// It took none of what was offered.
    Login(String),
    /// The connection ended.
    Line(russh::Error),
}

impl From<russh::Error> for Refused {
    fn from(error: russh::Error) -> Self {
        Self::Line(error)
    }
}

/// How long a connection that is closed may take to say why.
const GOODBYE_LIMIT: Duration = Duration::from_secs(1);

type Agent = AgentClient<UnixStream>;

/// Offers what there is until the server takes something.
pub(super) async fn log_in(
    line: &mut Handle<Checker>,
    machine: &Resolved,
    passphrase: Option<&Passphrase>,
    ended: &OnceLock<Goodbye>,
) -> Result<(), Refused> {
    let (notes, wanted) = (Vec::new(), String::new());
    let mut attempt = Attempt { line, ended, user: &machine.user, offered: 0, notes, wanted };
    let listed: Vec<Certificate> =
        machine.certificates.iter().filter_map(|file| load_openssh_certificate(file).ok()).collect();
    let files = read_files(machine, &listed, passphrase, &mut attempt.notes).await;
    let mut held = Vec::new();
    if let Some(socket) = &machine.agent {
        match open_agent(socket).await {
            Ok((agent, identities)) => {
                let named = Named { files: &files, certificates: &listed };
                if attempt.offer_held(agent, identities, &named, machine.identities_only, &mut held).await? {
                    return Ok(());
                }
            }
            // As for ssh, an agent that is not there is none.
            Err(error) => attempt.notes.push(format!("the agent {}: {error}", socket.display())),
        }
    }
    for file in files.into_iter().filter(|file| !held.contains(file.public.key_data())) {
        if attempt.offer_file(file).await? {
            return Ok(());
        }
    }
    attempt.show_nothing().await
}

/// A key that a file names.
struct KeyFile {
    public: PublicKey,
    certificates: Vec<Certificate>,
    /// None if only the agent can sign with it.
    private: Option<Arc<PrivateKey>>,
}

/// What the configuration names.
struct Named<'a> {
    files: &'a [KeyFile],
    certificates: &'a [Certificate],
}

impl Named<'_> {
    /// By a file: a certificate alone names no key, as for ssh.
    fn has(&self, key: &KeyData) -> bool {
        self.files.iter().any(|file| file.public.key_data() == key)
    }

    /// Those beside its file, and those of `CertificateFile`, which needs no file beside it.
    fn certificates_of(&self, key: &KeyData) -> Vec<Certificate> {
        match self.files.iter().find(|file| file.public.key_data() == key) {
            Some(file) => file.certificates.clone(),
            None => self.certificates.iter().filter(|certificate| certificate.public_key() == key).cloned().collect(),
        }
    }
}

/// What has been tried on a connection.
struct Attempt<'a> {
    line: &'a mut Handle<Checker>,
    ended: &'a OnceLock<Goodbye>,
    user: &'a str,
    offered: usize,
    /// What could not be used.
    notes: Vec<String>,
    /// The ways that the server would take.
    wanted: String,
}

impl Attempt<'_> {
    /// The agent's keys that are named come first. `held` takes the keys that need not be offered from files any more.
    async fn offer_held(
        &mut self,
        mut agent: Agent,
        identities: Vec<AgentIdentity>,
        named: &Named<'_>,
        named_only: bool,
        held: &mut Vec<KeyData>,
    ) -> Result<bool, Refused> {
        let is_named = |identity: &AgentIdentity| named.has(identity.public_key().key_data());
        let (first, others): (Vec<_>, Vec<_>) = identities.into_iter().partition(is_named);
        let others = if named_only { Vec::new() } else { others };
        for identity in first.into_iter().chain(others) {
            let key = identity.public_key().into_owned();
            for certificate in named.certificates_of(key.key_data()) {
                let mut signer = HeldSigner { agent: &mut agent, key: key.clone() };
                if self.offer_certificate(certificate, &mut signer).await? {
                    return Ok(true);
                }
            }
            let accepted = match &identity {
                AgentIdentity::Certificate { certificate, .. } => {
                    self.offer_certificate(certificate.clone(), &mut agent).await?
                }
                AgentIdentity::PublicKey { key, .. } => self.offer_held_key(key.clone(), &mut agent).await?,
            };
            if accepted {
                return Ok(true);
            }
            held.push(key.key_data().clone());
        }
        Ok(false)
    }

    async fn offer_held_key(&mut self, key: PublicKey, agent: &mut Agent) -> Result<bool, Refused> {
        let hash = self.hash_for(&key).await?;
        let result = self.line.authenticate_publickey_with(self.user, key, hash, agent).await;
        self.judge(result).await
    }

    async fn offer_certificate<S: Signer>(&mut self, certificate: Certificate, signer: &mut S) -> Result<bool, Refused>
    where
        S::Error: std::fmt::Display,
    {
        let key = PublicKey::new(certificate.public_key().clone(), "");
        let hash = self.hash_for(&key).await?;
        let result = self.line.authenticate_certificate_with(self.user, certificate, hash, signer).await;
        self.judge(result).await
    }

    async fn offer_file(&mut self, file: KeyFile) -> Result<bool, Refused> {
        let Some(private) = file.private else { return Ok(false) };
        for certificate in file.certificates {
            if self.offer_certificate(certificate, &mut KeySigner(Arc::clone(&private))).await? {
                return Ok(true);
            }
        }
        let hash = self.hash_for(&file.public).await?;
        let key = PrivateKeyWithHashAlg::new(private, hash);
        let result = self.line.authenticate_publickey(self.user, key).await;
        self.judge(result).await
    }

    /// RFC 8332: RSA keys sign with SHA-2 if the server says so, and where it says nothing.
    async fn hash_for(&self, key: &PublicKey) -> Result<Option<HashAlg>, Refused> {
        if !key.algorithm().is_rsa() {
            return Ok(None);
        }
        Ok(self.line.best_supported_rsa_hash().await?.flatten().or(Some(HashAlg::Sha512)))
    }

    /// Whether the server took it. A signer that fails is told, and the next key tried.
    async fn judge<E: std::fmt::Display>(&mut self, result: Result<AuthResult, E>) -> Result<bool, Refused> {
        self.offered += 1;
        match result {
            Ok(AuthResult::Success) => return Ok(true),
            Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                let names: Vec<&str> = remaining_methods.iter().map(Into::into).collect();
                self.wanted = names.join(",");
                if partial_success {
                    self.notes.push("a key was accepted, and something more is wanted".to_owned());
                }
            }
            Err(error) => self.notes.push(error.to_string()),
        }
        if self.line.is_closed() { Err(self.explain_end().await) } else { Ok(false) }
    }

    /// A server that says goodbye has had enough of our keys; one that is just gone may be there again.
    async fn explain_end(&mut self) -> Refused {
        // What it said is known when the connection's own task is over.
        let _ = tokio::time::timeout(GOODBYE_LIMIT, &mut *self.line).await;
        match self.ended.get() {
            Some(Goodbye { why, by_server: true }) => {
                Refused::Login(format!("{}: {why} (after {} keys)", self.user, self.offered))
            }
            _ => Refused::Line(russh::Error::HUP),
        }
    }

    /// When all that there is was refused. With nothing to show, it may let us in all the same, and else says what it takes.
    async fn show_nothing(mut self) -> Result<(), Refused> {
        if self.offered == 0 {
            let result = self.line.authenticate_none(self.user).await;
            if self.judge(result).await? {
                return Ok(());
            }
            self.notes.push("there is no key to offer".to_owned());
        }
        let notes = if self.notes.is_empty() { String::new() } else { format!("; {}", self.notes.join("; ")) };
        Err(Refused::Login(format!("{}: Permission denied ({}){notes}", self.user, self.wanted)))
    }
}

/// Signs for certificates that the agent does not know, with the key that it holds.
struct HeldSigner<'a> {
    agent: &'a mut Agent,
    key: PublicKey,
}

impl Signer for HeldSigner<'_> {
    type Error = russh::AgentAuthError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        self.agent.auth_sign(&AgentIdentity::from(self.key.clone()), hash, to_sign).await
    }
}

/// Signs for certificates: for plain keys the library does it.
struct KeySigner(Arc<PrivateKey>);

impl Signer for KeySigner {
    type Error = russh::AgentAuthError;

    /// The request with its signature behind it, as an agent would be asked for.
    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        let signature: Result<Signature, _> = match self.0.key_data().rsa() {
            // RFC 8332, section 3.2: what was announced is what has to sign.
            Some(pair) => (pair, hash).try_sign(&to_sign),
            None => self.0.try_sign(&to_sign),
        };
        let signature = signature.map_err(|_| russh::keys::Error::CouldNotReadKey)?;
        signature.encode_prefixed(&mut to_sign).map_err(russh::keys::Error::from)?;
        Ok(to_sign)
    }
}

async fn open_agent(socket: &Path) -> Result<(Agent, Vec<AgentIdentity>), russh::keys::Error> {
    let mut agent = Agent::connect_uds(socket).await?;
    let identities = agent.request_identities().await?;
    Ok((agent, identities))
}

async fn read_files(
    machine: &Resolved,
    listed: &[Certificate],
    passphrase: Option<&Passphrase>,
    notes: &mut Vec<String>,
) -> Vec<KeyFile> {
    let mut files = Vec::new();
    for file in &machine.identities {
        files.extend(read_key_file(file, listed, passphrase, notes).await);
    }
    files
}

/// A file that is not there is passed over, as ssh does with the usual ones; its public half alone tells a key of the agent.
async fn read_key_file(
    file: &Path,
    listed: &[Certificate],
    passphrase: Option<&Passphrase>,
    notes: &mut Vec<String>,
) -> Option<KeyFile> {
    let text = std::fs::read_to_string(file);
    let private = match &text {
        Ok(text) => open_key(text, passphrase).await,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    let private = private.unwrap_or_else(|trouble| {
        notes.push(format!("{}: {trouble}", file.display()));
        None
    });
    let public = match &private {
        Some(private) => private.public_key().clone(),
        None => load_public_key(beside(file, ".pub"))
            .or_else(|_| load_public_key(file))
            .ok()
            .or_else(|| Some(PrivateKey::from_openssh(text.ok()?).ok()?.public_key().clone()))?,
    };
    let near = load_openssh_certificate(beside(file, "-cert.pub")).ok();
    let belongs = |certificate: &&Certificate| certificate.public_key() == public.key_data();
    let certificates = listed.iter().chain(near.as_ref()).filter(belongs).cloned().collect();
    Some(KeyFile { public, certificates, private })
}

/// None where the file names a public key only.
async fn open_key(text: &str, passphrase: Option<&Passphrase>) -> Result<Option<Arc<PrivateKey>>, String> {
    if PublicKey::from_openssh(text).is_ok() {
        return Ok(None);
    }
    // That a key is locked, not every format says.
    let opened = match (russh::keys::decode_secret_key(text, None), passphrase) {
        (Err(_), Some(passphrase)) => {
            let (text, passphrase) = (text.to_owned(), passphrase.tell().await?);
            // It is made to take its time (bcrypt), and others shall not wait for that.
            let opening = tokio::task::spawn_blocking(move || russh::keys::decode_secret_key(&text, Some(&passphrase)));
            opening.await.map_err(|error| error.to_string())?
        }
        (opened, _) => opened,
    };
    opened.map(|private| Some(Arc::new(private))).map_err(|error| error.to_string())
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether signing with the key takes a device that only ssh can talk to (FIDO).
pub(super) fn needs_device(file: &Path) -> bool {
    let key = std::fs::read_to_string(file).ok().and_then(|text| PrivateKey::from_openssh(text).ok());
    key.is_some_and(|key| matches!(key.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256))
}

#[cfg(test)]
mod tests;
