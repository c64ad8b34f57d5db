//! A real Debian: its root is built once for this machine, with the machine's own sources, and kept in `target/tmp`; each host of a
//! test is a layer of its own upon it. What can't be had here is told aloud, and what needs it is left out.

#![expect(clippy::disallowed_methods, reason = "the kit asks for the runner's name of this run")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};
use turnus::domain::id::ContentHash;

pub(crate) mod host;
pub(crate) mod line;
pub(crate) mod repository;
pub(crate) mod shop;

const ROOT_SCRIPT: &str = include_str!("debian/root.sh");
const PACKAGES_SCRIPT: &str = include_str!("debian/packages.sh");
/// What building and running needs, with the Debian package that brings it.
const TOOLS: [(&str, &str); 5] = [
    ("mmdebstrap", "mmdebstrap"),
    ("dpkg-deb", "dpkg"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("nsenter", "util-linux"),
];

/// The root that all hosts share, and the packages that lie in it.
#[derive(Debug, Clone)]
pub(crate) struct Root(PathBuf);

impl Root {
    /// The root, built if there is none of this recipe yet. None where that is not possible, which is told.
    pub(crate) fn open() -> Option<Self> {
        match Self::find() {
            Ok(root) => Some(root),
            Err(why) => {
                tell_untested("updates of packages on a real Debian", &why);
                None
            }
        }
    }

    fn find() -> Result<Self, String> {
        look_at_machine()?;
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(kept).expect("cargo's own directory");
        let lock = fs::File::create(kept.join("debian-root.lock")).expect("a lock file");
        // Each test is a process of its own: one builds, the others wait.
        let _locked = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).expect("a lock");
        let root = Self(kept.join("debian-root"));
        let recipe = ContentHash::of([ROOT_SCRIPT, PACKAGES_SCRIPT].concat().as_bytes());
        let built = kept.join("debian-root.recipe");
        if fs::read_to_string(&built).is_ok_and(|of| of == recipe.as_str()) && root.0.is_dir() {
            return Ok(root);
        }
        root.build_once(kept)?;
        fs::write(built, recipe.as_str()).expect("written");
        Ok(root)
    }

    /// What failed is not tried again by every test of the same run.
    fn build_once(&self, kept: &Path) -> Result<(), String> {
        let failed = kept.join("debian-root.failed");
        let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| std::process::id().to_string());
        let last = fs::read_to_string(&failed).unwrap_or_default();
        if let Some((of, why)) = last.split_once('\n')
            && of == run
        {
            return Err(why.to_owned());
        }
        self.build(kept).inspect_err(|why| fs::write(&failed, format!("{run}\n{why}")).expect("written"))
    }

    fn build(&self, kept: &Path) -> Result<(), String> {
        eprintln!("building a Debian root in {} (once)", self.0.display());
        let fresh = kept.join("debian-root.new");
        remove(&fresh)?;
        let packages = kept.join("debian-packages.sh");
        fs::write(&packages, PACKAGES_SCRIPT).expect("written");
        let mut build = Command::new("sh");
        build.args(["-c", ROOT_SCRIPT, "root.sh"]).arg(&fresh).arg(&packages).stdin(Stdio::null());
        let output = build.output().expect("sh");
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
            return Err(format!(
                "no Debian root can be built here: {}",
                last[last.len().saturating_sub(5)..].join(" | ")
            ));
        }
        remove(&self.0)?;
        fs::rename(&fresh, &self.0).expect("moved");
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The file of a package, `shop_1.0`, and its control fields.
    fn package(&self, name: &str) -> (String, Vec<u8>, String) {
        let directory = self.0.join("packages");
        let files = fs::read_dir(&directory).expect("the packages").flatten();
        let mut names = files.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let prefix = format!("{name}_");
        let file =
            names.find(|file| file.starts_with(&prefix) && file.ends_with(".deb")).expect("a package of the kit");
        let content = fs::read(directory.join(&file)).expect("a package");
        let control = fs::read_to_string(directory.join(format!("{file}.control"))).expect("its fields");
        (file, content, control)
    }
}

fn remove(directory: &Path) -> Result<(), String> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{} can't be removed: {error}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// Whether this machine lets a test make hosts of its own.
fn look_at_machine() -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("only root can make a Debian root and namespaces; run the tests as root".to_owned());
    }
    for (tool, package) in TOOLS {
        let found = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].iter().any(|path| Path::new(path).join(tool).exists());
        if !found {
            return Err(format!("`{tool}` is missing (Debian package {package})"));
        }
    }
    let probe = "mount -t tmpfs probe /mnt && mount -t proc proc /proc";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--ipc", "--uts", "--fork", "--propagation", "private", "sh", "-c", probe]);
    let output = command.stdin(Stdio::null()).output().expect("unshare");
    if output.status.success() {
        return Ok(());
    }
    Err(format!("namespaces and mounts are refused here: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// Aloud, and in a file that `bin/test` shows at the end, as the runner swallows what a test says that does not fail.
pub(crate) fn tell_untested(what: &str, why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("\n===== NOT TESTED =====\n{test}: {what}\n{why}\n======================\n");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("not-tested");
    let file = fs::File::options().create(true).append(true).open(file);
    // The line on stderr is there in any case.
    let _ = file.and_then(|mut file| writeln!(file, "{test}: {why}"));
}
