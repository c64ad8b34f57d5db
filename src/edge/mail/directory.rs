//! Letters as files: a dry run.
//!
//! Invariant: a file is whole or not there, and belongs to one Message-ID: a letter that is sent twice is one file.

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::{Error, Letter, Refusal, compose};

#[cfg(test)]
mod tests;

/// Where letters are written to.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        make(path).map_err(|source| Error::Directory { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned() })
    }

    /// Writes `<message id>.eml`, and before it, for those who have no mail program at hand, its HTML part as `<message id>.html`.
    pub(super) async fn write(&self, letter: &Letter) -> Result<(), Refusal> {
        let message = compose(letter)?;
        let (directory, name) = (self.path.clone(), format!("{}.eml", letter.message_id));
        let path = directory.join(&name);
        let page = letter.html.clone().map(|page| (format!("{}.html", letter.message_id), page));
        let written = tokio::task::spawn_blocking(move || {
            if let Some((name, page)) = page {
                write_whole(&directory, &name, page.as_bytes())?;
            }
            write_whole(&directory, &name, &message)
        });
        let written = written.await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|error| refuse(&path, &error))
    }
}

fn refuse(path: &Path, error: &io::Error) -> Refusal {
    let what = format!("could not write `{}`: {error}", path.display());
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory | io::ErrorKind::ReadOnlyFilesystem => {
            Refusal::misconfigured(&what, "`directory` in `[mail]` must be a directory that turnus may write to")
        }
        _ => Refusal::unreachable(&what),
    }
}

/// Letters are for their recipients: the directory is its owner's alone, unless it is there already.
fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn write_whole(directory: &Path, name: &str, message: &[u8]) -> io::Result<()> {
    make(directory)?;
    let mut file = tempfile::Builder::new().prefix(".").suffix(".part").tempfile_in(directory)?;
    file.write_all(message)?;
    file.as_file().sync_all()?;
    file.persist(directory.join(name))?;
    Ok(())
}
