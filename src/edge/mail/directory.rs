//! Letters as files: a dry run.

use std::path::{Path, PathBuf};

use super::{Error, Letter, Refusal, compose};

/// Where letters are written to.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { path: path.to_owned() })
    }

    pub(super) async fn write(&self, letter: &Letter) -> Result<(), Refusal> {
        compose(letter)?;
        Err(Refusal::transient(&self.path.display().to_string()))
    }
}
