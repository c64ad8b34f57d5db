//! PDF files of pages, printed by the headless Chromium of this machine.
//!
//! Knows Chromium's command line; does not know what a page says. Invariants: the browser sees one file and no network, has a profile
//! of its own that is gone afterwards, and no process of it is left when time is up. Whoever gets an error has the page to show.

#![expect(clippy::disallowed_methods, reason = "prints by a browser")]

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The names under which Chromium is installed; the first that is there prints.
pub const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A report takes a few seconds on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What a browser may do, and what it may not. Scripts are left on, as without them nothing is printed: the page's own policy refuses
/// them (`default-src 'none'`).
const OPTIONS: [&str; 13] = [
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pdf-header-footer",
    // No name has an address, and what needs none finds nobody.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
];

/// Why there is no PDF file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// None of the programs is there.
    #[error("no Chromium found (looked for `chromium`, `chromium-browser`, `google-chrome`)")]
    NotFound,
    /// It can't be started, or its files can't be written or read.
    #[error("printing with `{program}`")]
    Io {
        /// Which program.
        program: &'static str,
        /// What is wrong.
        source: io::Error,
    },
    /// It took too long.
    #[error("`{program}` took longer than {} s", limit.as_secs())]
    TimedOut {
        /// Which program.
        program: &'static str,
        /// How long it may take.
        limit: Duration,
    },
    /// It has printed nothing.
    #[error("`{program}` printed no PDF file: {why}")]
    NotPrinted {
        /// Which program.
        program: &'static str,
        /// The last line that it said, or how it ended.
        why: String,
    },
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        matches!(self, Self::NotFound).then(|| "apt install chromium, or take `--format html`".to_owned())
    }
}

/// Prints a page that needs nothing but itself. Takes no longer than `limit`.
///
/// # Errors
/// There is no browser, or it does not print.
pub async fn print(html: &str, limit: Duration) -> Result<Vec<u8>, Error> {
    for program in PROGRAMS {
        match print_with(program, html, limit).await {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            printed => return printed,
        }
    }
    Err(Error::NotFound)
}

/// [`print()`] with one program: a name that is looked for, or a path.
///
/// # Errors
/// As there; a program that is not there is an [`Error::Io`].
pub async fn print_with(program: &'static str, html: &str, limit: Duration) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Io { program, source };
    let room = tempfile::Builder::new().prefix("turnus-pdf-").tempdir().map_err(failed)?;
    let (page, printed, told) = (room.path().join("page.html"), room.path().join("page.pdf"), room.path().join("told"));
    tokio::fs::write(&page, html).await.map_err(failed)?;
    let stderr = tokio::fs::File::create(&told).await.map_err(failed)?.into_std().await;
    let mut browser = command(program, room.path(), &page, &printed);
    let mut browser = browser.stderr(stderr).spawn().map_err(failed)?;
    let group = browser.id();
    let ended = timeout(limit, browser.wait()).await;
    end(&mut browser, group).await;
    let status = ended.map_err(|_| Error::TimedOut { program, limit })?.map_err(failed)?;
    match tokio::fs::read(&printed).await {
        Ok(bytes) if status.success() && bytes.starts_with(b"%PDF-") => Ok(bytes),
        _ => {
            let said = tokio::fs::read(&told).await.unwrap_or_default();
            let last =
                String::from_utf8_lossy(&said).lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
            Err(Error::NotPrinted { program, why: last.unwrap_or_else(|| status.to_string()) })
        }
    }
}

fn command(program: &str, room: &Path, page: &Path, printed: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(OPTIONS);
    if geteuid().is_root() {
        // Chromium refuses to put a sandbox around itself as root. The page is turnus's own, and runs no script.
        command.arg("--no-sandbox");
    }
    command.arg(format!("--user-data-dir={}", room.join("profile").display()));
    command.arg(format!("--print-to-pdf={}", printed.display()));
    command.arg(format!("file://{}", page.display()));
    command.env("HOME", room).env("XDG_CONFIG_HOME", room).env("XDG_CACHE_HOME", room);
    command.current_dir(room).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).kill_on_drop(true);
    command
}

/// Ends the browser and its helpers, which may outlive it by a moment and would write into what is being removed. The group was made
/// for this browser, and its number is not given to another process as long as one of the group lives.
async fn end(browser: &mut Child, group: Option<u32>) {
    if let Some(group) = group.and_then(|id| i32::try_from(id).ok()) {
        // Nobody of it is left, most of the time.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _ = browser.wait().await;
}

#[cfg(test)]
mod tests;
