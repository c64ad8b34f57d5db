//! A host: a layer upon the root in namespaces of its own, with a real sshd as its first process on a loopback address of its own.
//! With that process everything ends that is on the host, and all its mounts are gone.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::Root;
use crate::kit::machine::{PATIENCE, kill, wait_for};
use crate::kit::port::free_port;
use crate::kit::sshd::next_address;
use crate::kit::world::{children, text};

const HOST_SCRIPT: &str = include_str!("host.sh");

/// Where the host keeps what the shop itself says.
const SHOP_LOG: &str = "/var/log/shopd";

/// A running host.
pub(crate) struct Host {
    pub(crate) address: String,
    pub(crate) ssh_port: u16,
    pub(crate) shop_port: u16,
    outer: Child,
    first: i32,
}

impl Host {
    /// `directory` has the keys, and gets the log and a place for mounts that are not seen there from outside.
    pub(crate) fn start(root: &Root, directory: &Path, repository: &str) -> Self {
        let address = next_address();
        let (ssh_port, shop_port) = (free_port(), free_port());
        let scratch = directory.join(format!("host-{address}"));
        fs::create_dir(&scratch).expect("made");
        let log = directory.join(format!("host-{address}.log"));
        let mut command = Command::new("setpriv");
        // The host goes when the test is killed, too.
        command.args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--mount",
            "--pid",
            "--ipc",
            "--uts",
            "--fork",
            "--kill-child",
        ]);
        command.args(["--propagation", "private", "sh", "-c", HOST_SCRIPT, "host.sh"]);
        command.arg(root.path()).arg(&scratch).arg(directory).arg(&address);
        command.args([&ssh_port.to_string(), &shop_port.to_string(), repository]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log).expect("a log"));
        let mut outer = command.spawn().expect("setpriv");
        let began = Instant::now();
        while TcpStream::connect((address.as_str(), ssh_port)).is_err() {
            let ended = outer.try_wait().is_ok_and(|ended| ended.is_some());
            let said = || fs::read_to_string(&log).unwrap_or_default();
            assert!(!ended && began.elapsed() < PATIENCE, "the host does not start: {}", said());
            std::thread::sleep(Duration::from_millis(10));
        }
        let first = children(outer.id()).first().copied().expect("the first process of the namespace");
        let first = i32::try_from(first).expect("a pid");
        let host = Self { address, ssh_port, shop_port, outer, first };
        host.wait_for_shop(&log);
        host
    }

    /// Waits until the shop answers; if it does not, tells what the host, the shop and their processes say.
    fn wait_for_shop(&self, log: &Path) {
        let began = Instant::now();
        while self.answer().is_none() {
            let said = || {
                let by_shop = fs::read_to_string(self.path(SHOP_LOG)).unwrap_or_else(|error| error.to_string());
                let processes = self.try_shell("cat /run/shop.pid; ps -ef");
                format!("{}\nshop: {by_shop}\n{}", fs::read_to_string(log).unwrap_or_default(), text(&processes))
            };
            assert!(began.elapsed() < PATIENCE, "waited in vain for the shop to answer\nhost: {}", said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs shell text on the host, without ssh; it has to succeed. What it printed.
    #[track_caller]
    pub(crate) fn shell(&self, script: &str) -> String {
        let output = self.try_shell(script);
        assert!(output.status.success(), "`{script}` on the host: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn try_shell(&self, script: &str) -> Output {
        self.command(script).output().expect("nsenter")
    }

    /// Starts shell text on the host in the background, in a session of its own; it ends with the host at the latest.
    pub(crate) fn start_shell(&self, script: &str) {
        self.shell(&format!("setsid sh -c '{script}' >/dev/null 2>&1 &"));
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--mount", "--pid", "--ipc", "--uts", "--root", "--wd=/"]);
        command.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"]);
        command.args(["DEBIAN_FRONTEND=noninteractive", "sh", "-c", script]).stdin(Stdio::null());
        command
    }

    /// What the shop says over HTTP, without the end of the line; none if it is down.
    pub(crate) fn answer(&self) -> Option<String> {
        let mut stream = TcpStream::connect((self.address.as_str(), self.shop_port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split_once("\r\n\r\n").map(|(_, body)| body.trim_end().to_owned())
    }

    /// The installed version; none if the package is not wholly installed.
    pub(crate) fn version(&self, package: &str) -> Option<String> {
        let format = "${db:Status-Status} ${db:Status-Eflag} ${Version}";
        let output = self.try_shell(&format!("dpkg-query -W -f '{format}' {package}"));
        String::from_utf8_lossy(&output.stdout).strip_prefix("installed ok ").map(str::to_owned)
    }

    /// dpkg is whole: nothing is half done, and no journal waits to be taken in.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        assert_eq!(self.shell("dpkg --audit; ls -A /var/lib/dpkg/updates"), "");
        let states = self.shell("dpkg-query -W -f '${Package} ${db:Status-Abbrev}\n'");
        let is_whole = |line: &&str| [" ii", " hi", " rc", " un"].iter().any(|state| line.trim_end().ends_with(state));
        let odd: Vec<_> = states.lines().filter(|line| !is_whole(line)).collect();
        assert!(odd.is_empty(), "{odd:?}");
    }

    /// How often the shop was configured in this version, by its own word.
    pub(crate) fn configured(&self, version: &str) -> usize {
        let wanted = format!("configure {version}");
        self.shell("cat /var/log/shop").lines().filter(|line| **line == *wanted).count()
    }

    /// From now on version 1.5 of the shop stops in the midst of its configuration.
    pub(crate) fn close_gate(&self) {
        self.shell(": >/run/shop-closed");
    }

    pub(crate) fn wait_at_gate(&self) {
        wait_for("the shop to be configured", || self.exists("/run/shop-at-gate"));
    }

    pub(crate) fn open_gate(&self) {
        self.shell("rm /run/shop-closed");
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Where a file of the host is seen from outside.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.first))
    }

    /// Whether a process on the host has this command line.
    pub(crate) fn runs(&self, command_line: &str) -> bool {
        let script = "for p in /proc/[0-9]*; do tr '\\000' ' ' <$p/cmdline 2>/dev/null; echo; done";
        self.shell(script).lines().any(|line| line.trim() == command_line)
    }

    /// Process id of the host's first process, as it is seen from outside.
    pub(crate) fn first_process(&self) -> i32 {
        self.first
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        kill(self.first);
        // It ends with its child; then the namespaces are gone.
        let _ = self.outer.wait();
    }
}
