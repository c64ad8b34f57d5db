//! What this machine and the person at it say of themselves, and the few files that commands write.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::{Error, expand_home};

/// A program that only says its version is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest logo.
const MAX_LOGO_BYTES: u64 = 256 * 1024;

/// Who is at the keyboard, for the record: behind sudo the person, not root.
#[must_use]
pub fn person() -> String {
    let behind_sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    let own = || nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
    behind_sudo.or_else(own).unwrap_or_else(|| format!("uid {}", nix::unistd::getuid()))
}

/// What this process was started with.
pub fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

/// The name of this process among controllers: `machine:pid`.
#[must_use]
pub fn controller_name() -> String {
    let machine = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    format!("{}:{}", machine.unwrap_or_else(|| "unknown".to_owned()), std::process::id())
}

/// Writes a file as a whole: a reader never sees half of it.
///
/// # Errors
/// If the directory or the file can't be written.
pub fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o644)).tempfile_in(directory)?;
    io::Write::write_all(&mut file, content)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes a directory, and those above it, unless they are there.
///
/// # Errors
/// If it can't be made.
pub fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// The PNG or JPEG file that stands over messages; a leading `~/` is the home directory.
///
/// # Errors
/// If it can't be read, is too large, or is no such picture.
pub fn read_logo(path: &str) -> Result<Vec<u8>, Error> {
    let fault = |fault: String| Error::UnfitLogo { path: path.to_owned(), fault };
    let file = fs::File::open(expand_home(path)?).map_err(|error| fault(format!("can't be read: {error}")))?;
    let mut content = Vec::new();
    let read = io::Read::read_to_end(&mut io::Read::take(file, MAX_LOGO_BYTES + 1), &mut content);
    read.map_err(|error| fault(format!("can't be read: {error}")))?;
    if content.len() as u64 > MAX_LOGO_BYTES {
        return Err(fault(format!("has more than {} KiB: it goes with every message", MAX_LOGO_BYTES / 1024)));
    }
    if !content.starts_with(b"\x89PNG\r\n\x1a\n") && !content.starts_with(b"\xff\xd8\xff") {
        return Err(fault("is neither a PNG nor a JPEG file".to_owned()));
    }
    Ok(content)
}

/// The first line that `program` prints about itself; none if it can't be started.
pub async fn describe_program(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    // ssh says its version on stderr.
    let texts = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let line = texts.iter().flat_map(|text| text.lines()).find(|line| !line.trim().is_empty());
    Some(line.unwrap_or("found").trim().to_owned())
}

/// Whether a private key file is there, readable, and closed to others, as ssh demands.
///
/// # Errors
/// What is wrong with it.
pub fn look_at_private_file(path: &str) -> Result<(), Error> {
    let expanded = expand_home(path)?;
    let unfit = |fault: &str| Error::UnfitKey { path: path.to_owned(), fault: fault.to_owned() };
    let metadata = fs::metadata(&expanded).map_err(|error| unfit(&format!("can't be read: {error}")))?;
    fs::File::open(&expanded).map_err(|error| unfit(&format!("can't be read: {error}")))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(unfit("is open to other accounts, so that ssh ignores it"));
    }
    Ok(())
}

/// Whether the state directory is there; false if it is not there yet but can be made.
///
/// # Errors
/// If it is somebody else's, or can't be written.
pub fn look_at_state_dir(path: &Path) -> Result<bool, Error> {
    let unfit = |fault: &str| Error::UnfitStateDir { path: path.to_owned(), fault: fault.to_owned() };
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => Err(unfit("is not a directory")),
        Ok(metadata) if metadata.uid() != nix::unistd::geteuid().as_raw() => Err(unfit("belongs to another account")),
        Ok(_) => writable(path).then_some(true).ok_or_else(|| unfit("can't be written")),
        Err(_) => {
            let parent = path.ancestors().skip(1).find(|parent| parent.exists()).unwrap_or(Path::new("/"));
            writable(parent).then_some(false).ok_or_else(|| unfit("can't be made"))
        }
    }
}

fn writable(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok()
}

/// Which time zone data is used: that of the system, or what came with turnus.
#[must_use]
pub fn describe_time_zone_database() -> String {
    let system = Path::new("/usr/share/zoneinfo");
    match fs::read_to_string(system.join("tzdata.zi")).ok().and_then(|text| version_of(&text)) {
        Some(version) => format!("of the system, {version}"),
        None if system.join("Europe").exists() => "of the system".to_owned(),
        None => "came with turnus; the system has none".to_owned(),
    }
}

/// `# version 2025b` is the first line of tzdata.zi.
fn version_of(text: &str) -> Option<String> {
    text.lines().next()?.strip_prefix("# version ").map(|version| version.trim().to_owned())
}
