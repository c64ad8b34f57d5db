//! The provider's own templates and texts: `templates/` and `locales/` of a configuration directory.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Error, read_text};
use crate::domain::wording::WordingFile;

#[cfg(test)]
mod tests;

/// Largest file, in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// Most files; what comes after these is not looked at.
const MAX_FILES: usize = 500;
/// How many directories deep: `templates/mail/announcement`. It also ends a link that leads back to where it is.
const MAX_DEPTH: usize = 4;

/// Reads all files of `templates` and `locales` in `directory`, sorted by name; none if there are no such directories. Hidden files
/// are left alone.
///
/// # Errors
/// [`Error::ListDirectory`]; a file that can't be read is a problem of that file.
pub fn read_wording(directory: &Path) -> Result<Vec<WordingFile>, Error> {
    let mut files = Vec::new();
    for folder in ["templates", "locales"] {
        walk(&directory.join(folder), folder, 1, &mut files)?;
    }
    Ok(files)
}

fn walk(path: &Path, shown: &str, depth: usize, files: &mut Vec<WordingFile>) -> Result<(), Error> {
    let failed = |source: io::Error| Error::ListDirectory { directory: path.to_owned(), source };
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let names: Result<Vec<_>, io::Error> = entries.map(|entry| Ok(entry?.file_name())).collect();
    let mut names = names.map_err(failed)?;
    names.retain(|name| !name.as_bytes().starts_with(b"."));
    names.sort();
    for name in names {
        if files.len() >= MAX_FILES {
            break;
        }
        let below: PathBuf = path.join(&name);
        // A name may be any bytes; what is shown of it stays one line.
        let shown = format!("{shown}/{}", name.to_string_lossy().escape_debug());
        if below.is_dir() && depth < MAX_DEPTH {
            walk(&below, &shown, depth + 1, files)?;
        } else {
            files.push(WordingFile { text: read_text(&below, &shown, MAX_BYTES), file: shown });
        }
    }
    Ok(())
}
