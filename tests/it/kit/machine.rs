//! A place where capsules run, with its own state directory, that must be left without processes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::mpsc;
use turnus::domain::id::{Epoch, Name, RunId};
use turnus::edge::remote::capsule::{Capsules, Ended, Order, Piece, Record, StepKey};
use turnus::edge::remote::{Error, LocalHost, Remote};
use uuid::Uuid;

/// How long a test waits for a state before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A machine, and the one run that a test does on it.
pub(crate) struct Machine {
    pub(crate) directory: TempDir,
    pub(crate) remote: Arc<Remote>,
    pub(crate) run: RunId,
}

impl Machine {
    pub(crate) fn new(directory: TempDir, remote: Remote) -> Self {
        Self { directory, remote: Arc::new(remote), run: RunId(Uuid::now_v7()) }
    }

    /// The controller's own machine, with `dash`, `bash` or `busybox` (and its applets) in the place of `sh`.
    pub(crate) fn local(shell: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let programs = directory.path().join("bin");
        fs::create_dir(&programs).expect("made");
        let link = |name: &str, target: &str| std::os::unix::fs::symlink(target, programs.join(name)).expect("linked");
        let mut path = programs.clone().into_os_string();
        if shell == "busybox" {
            let applets = Command::new("busybox").arg("--list").output().expect("busybox").stdout;
            String::from_utf8_lossy(&applets).lines().for_each(|applet| link(applet, "/bin/busybox"));
        } else {
            link("sh", &format!("/bin/{shell}"));
            path.push(":/usr/bin:/bin");
        }
        Self::local_with(directory, path)
    }

    pub(crate) fn local_with(directory: TempDir, path: OsString) -> Self {
        let environment = [("PATH".into(), path), ("HOME".into(), directory.path().as_os_str().to_owned())];
        let state = state_dir(directory.path());
        Self::new(directory, Remote::Local(LocalHost::new(environment, Some(state))))
    }

    pub(crate) async fn prepare(&self) -> Capsules {
        self.take(1, Record::MayBegin).await.expect("prepared")
    }

    pub(crate) async fn take(&self, epoch: i64, record: Record) -> Result<Capsules, Error> {
        Capsules::prepare(Arc::clone(&self.remote), self.run, Epoch(epoch), record).await.map(|(capsules, _)| capsules)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn run_directory(&self) -> PathBuf {
        self.path("state").join("runs").join(self.run.to_string())
    }

    /// A shell word for a file in the machine's directory.
    pub(crate) fn word(&self, name: &str) -> String {
        format!("'{}'", self.path(name).display())
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.path(name)).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let directory = self.directory.path().to_owned();
            wait_for("all processes of the machine to end", || processes_of(&directory).is_empty());
        }
    }
}

pub(crate) fn state_dir(directory: &Path) -> String {
    directory.join("state").display().to_string()
}

pub(crate) fn host() -> Name {
    "web1".parse().expect("a name")
}

pub(crate) fn order(step: usize, script: &str) -> Order {
    Order {
        key: StepKey::new(&host(), step),
        timeout_s: 60,
        head_bytes: 512 * 1024,
        tail_bytes: 512 * 1024,
        environment: Vec::new(),
        script: script.to_owned(),
        secrets: Vec::new(),
    }
}

/// How a step ended, and what was heard of it.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) ended: Result<Ended, Error>,
    pub(crate) output: Vec<u8>,
    pub(crate) attached: usize,
    pub(crate) overdue: usize,
}

impl Heard {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    pub(crate) fn end(&self) -> turnus::edge::remote::capsule::End {
        self.ended.as_ref().expect("an end").end
    }
}

pub(crate) async fn run(capsules: &Capsules, order: &Order) -> Heard {
    run_from(capsules, order, 0).await
}

pub(crate) async fn run_from(capsules: &Capsules, order: &Order, offset: u64) -> Heard {
    let (sender, mut receiver) = mpsc::channel(16);
    let listen = async {
        let mut heard = (Vec::new(), 0, 0);
        while let Some(piece) = receiver.recv().await {
            match piece {
                Piece::Attached => heard.1 += 1,
                Piece::Overdue => heard.2 += 1,
                Piece::Output { at_offset, bytes } => {
                    let from = usize::try_from(at_offset).expect("small");
                    // What is left out is not kept in the test's memory either.
                    let from = if at_offset > 1 << 30 { heard.0.len() } else { from };
                    heard.0.resize(heard.0.len().max(from + bytes.len()), 0);
                    heard.0[from..from + bytes.len()].copy_from_slice(&bytes);
                }
            }
        }
        heard
    };
    let work = async move {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        capsules.run_step(order, offset, &sender, deadline).await
    };
    let (ended, (output, attached, overdue)) = tokio::join!(work, listen);
    Heard { ended, output, attached, overdue }
}

/// Starts following in the background.
pub(crate) fn spawn_run(capsules: &Capsules, order: &Order) -> tokio::task::JoinHandle<Heard> {
    let (capsules, order) = (capsules.clone(), order.clone());
    tokio::spawn(async move { run(&capsules, &order).await })
}

/// Blocks until `condition` holds. For threads that may block.
pub(crate) fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Processes that work in the directory or name it, without this one.
pub(crate) fn processes_of(directory: &Path) -> Vec<i32> {
    let text = directory.display().to_string();
    processes(|pid, command| {
        let works_there = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
        works_there || command.contains(&text)
    })
}

/// Processes whose number and command line (words separated by blanks) are wanted.
pub(crate) fn processes(wanted: impl Fn(i32, &str) -> bool) -> Vec<i32> {
    let own = i32::try_from(std::process::id()).expect("a pid");
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let with_command = pids.filter_map(|pid| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        (pid != own && is_alive(pid) && wanted(pid, &command)).then_some(pid)
    });
    with_command.collect()
}

/// Whether the process is there and no zombie.
pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

pub(crate) fn kill(pid: i32) {
    // It may be gone already.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
}
