//! Values of secrets: read when they are needed, kept nowhere.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use std::{fmt, io};

use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use super::{Error, expand_home};
use crate::child::Family;
use crate::domain::job::SecretReference;

/// Longest secret in bytes.
const MAX_BYTES: u64 = 64 * 1024;
/// How long a command may take: enough to unlock a key, too short to hang a run.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// The value of a secret. It has no `Display`, and its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Reads the value that `reference` leads to, without its final line break.
pub async fn resolve_secret(reference: &SecretReference) -> Result<Secret, Error> {
    resolve_within(reference, COMMAND_LIMIT).await
}

async fn resolve_within(reference: &SecretReference, limit: Duration) -> Result<Secret, Error> {
    match reference {
        SecretReference::Env(name) => {
            let value = std::env::var(name).map_err(|source| hide_value(name, source))?;
            accept(value.into_bytes(), || format!("the environment variable `{name}`"))
        }
        SecretReference::File(path) => accept(read_file(path, limit).await?, || format!("the file `{path}`")),
        SecretReference::Command(words) => {
            let (program, arguments) =
                words.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
            accept(read_command(program, arguments, limit).await?, || format!("the command `{program}`"))
        }
    }
}

/// `VarError` shows the value that is not Unicode; here that would be the secret.
fn hide_value(name: &str, source: std::env::VarError) -> Error {
    match source {
        std::env::VarError::NotPresent => Error::SecretVariable { name: name.to_owned(), source },
        std::env::VarError::NotUnicode(_) => {
            Error::UnfitSecret { origin: format!("the environment variable `{name}`"), fault: "is not UTF-8 text" }
        }
    }
}

fn accept(mut bytes: Vec<u8>, origin: impl Fn() -> String) -> Result<Secret, Error> {
    let unfit = |fault| Error::UnfitSecret { origin: origin(), fault };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unfit("is longer than 64 KiB"));
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        bytes.pop_if(|byte| *byte == b'\r');
    }
    let value = String::from_utf8(bytes).map_err(|_| unfit("is not UTF-8 text"))?;
    match value.as_str() {
        "" => Err(unfit("is empty")),
        text if text.contains('\0') => Err(unfit("has a NUL character")),
        _ => Ok(Secret(value)),
    }
}

async fn read_file(path: &str, limit: Duration) -> Result<Vec<u8>, Error> {
    let place = expand_home(path)?;
    let read = async {
        let mut bytes = Vec::new();
        File::open(place).await?.take(MAX_BYTES + 1).read_to_end(&mut bytes).await?;
        Ok(bytes)
    };
    let outcome = tokio::time::timeout(limit, read).await.unwrap_or_else(|elapsed| Err(elapsed.into()));
    outcome.map_err(|source| Error::SecretFile { path: path.to_owned(), source })
}

/// Standard output of a command that gets no input.
async fn read_command(program: &str, arguments: &[String], limit: Duration) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::SecretCommand { program: program.to_owned(), source };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut family = Family::start(&mut command).map_err(failed)?;
    let Ok(outcome) = tokio::time::timeout(limit, drain(&mut family.first)).await else {
        return Err(Error::SecretCommandTimedOut { program: program.to_owned(), limit_s: limit.as_secs() });
    };
    let (bytes, status) = outcome.map_err(failed)?;
    // A command that is cut off because it says too much fails, too; what it says is the better reason.
    if !status.success() && bytes.len() as u64 <= MAX_BYTES {
        return Err(Error::SecretCommandFailed { program: program.to_owned(), status });
    }
    Ok(bytes)
}

/// Reads one byte more than a secret may have, so that a longer one is noticed, and waits for the end.
async fn drain(child: &mut Child) -> io::Result<(Vec<u8>, ExitStatus)> {
    let mut bytes = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(MAX_BYTES + 1).read_to_end(&mut bytes).await?;
    }
    Ok((bytes, child.wait().await?))
}

#[cfg(test)]
mod tests;
