//! Sends letters: to a mail server, or into a directory.
//!
//! Knows MIME and SMTP, and sorts what mail servers answer; does not know what a letter is about, whom it concerns, or what
//! becomes of it. Invariants: no text of a letter becomes a header, an address or a command; a password goes over a protected line
//! only, and is in no text that this module gives; every sending ends within the time that the settings give it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::settings::delivery;

mod address;
mod compose;
mod directory;
mod letter;
mod refusal;
mod smtp;
mod trouble;

pub use compose::compose;
pub use letter::{Attachment, CalendarPart, Image, Letter, Mailbox};
pub use refusal::Refusal;

use directory::Directory;
use smtp::Server;

/// Why nothing can be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of `ca_file` can't be read, or holds no certificate.
    #[error("could not read certificates from `{path}`")]
    CaFile {
        /// As in the settings, with the home directory filled in.
        path: PathBuf,
        /// Why.
        source: Box<rustls::pki_types::pem::Error>,
    },
    /// TLS can't be set up.
    #[error("could not set up TLS to `{host}`")]
    Tls {
        /// The mail server.
        host: String,
        /// Why.
        source: lettre::transport::smtp::Error,
    },
    /// The settings have a user, and no password was found for it.
    #[error("there is no password for the user `{user}` of the mail server")]
    NoPassword {
        /// As in the settings.
        user: String,
    },
    /// The settings have a user, and a line that is not protected.
    #[error("the password of the mail server would go over the line in clear")]
    PasswordInClear,
    /// The directory of `mailer = "file"` can't be made.
    #[error("could not make the directory `{path}`")]
    Directory {
        /// As in the settings, with the home directory filled in.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    /// What to do, if that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::CaFile { .. } => Some("`ca_file` in `[mail]` is a file of certificates in PEM format"),
            Self::Tls { .. } => None,
            Self::NoPassword { .. } => Some("`password` in `[mail]` says where it is kept"),
            Self::PasswordInClear => Some("`security` in `[mail]` must be `starttls` or `tls` where there is a `user`"),
            Self::Directory { .. } => Some("`directory` in `[mail]` is where the letters are written to"),
        }
    }
}

/// Takes letters. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub enum Mailer {
    /// A mail server.
    Smtp(Arc<Server>),
    /// A directory that gets a file for each letter: a dry run.
    File(Directory),
}

impl Mailer {
    /// Gets ready; nothing is connected yet. Paths in `settings` are absolute (`edge::config::expand_home`); `password` is the value
    /// that the settings refer to.
    ///
    /// # Errors
    /// What the settings name is not there: a certificate, a password, a place for a directory.
    pub fn open(settings: &delivery::Mailer, password: Option<&str>) -> Result<Self, Error> {
        match settings {
            delivery::Mailer::Smtp(smtp) => Ok(Self::Smtp(Arc::new(Server::open(smtp, password)?))),
            delivery::Mailer::File { directory } => Ok(Self::File(Directory::open(Path::new(directory))?)),
        }
    }

    /// Hands the letter over. `Ok` means that the mail server has taken it, or that its file is written. May be called by many at
    /// a time, and be cancelled: then it is not known whether the letter arrived, as with a line that breaks. A letter that
    /// is sent again has the same Message-ID.
    ///
    /// # Errors
    /// Why it was not taken, and whether trying again makes sense.
    pub async fn send(&self, letter: &Letter) -> Result<(), Refusal> {
        match self {
            Self::Smtp(server) => server.send(letter).await,
            Self::File(directory) => directory.write(letter).await,
        }
    }
}
