//! A whole small world for `turnus run`: a real sshd on loopback with as many addresses as there are hosts, a configuration, a private
//! database, and a ledger in which every step that runs on a host leaves a line. Gates hold steps wherever a test wants to act.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::port::free_port;
use super::sshd::QUICK_KEYS;
use super::template::lay_private_database;

/// What a test waits for has to come within this time.
const PATIENCE: Duration = Duration::from_secs(120);

/// The job of most tests: every phase, a line in the ledger from every step, a gate in those that a test may hold.
pub(crate) const JOB: &str = r#"
description  = "Test of all phases"
batch        = ["1", "100%"]
max_failures = 0

[[step]]
phase = "preflight"
name  = "look"
run   = '. "$VAR_KIT"; note'

[[step]]
phase = "quiesce"
name  = "stop"
run   = '. "$VAR_KIT"; note'
undo  = '. "$VAR_KIT"; note start'

[[step]]
phase  = "backup"
name   = "save"
run    = '''
. "$VAR_KIT"
note
gate save
file=$VAR_DIRECTORY/$TURNUS_HOST.tar
echo content >"$file"
echo "path=$file" >>"$TURNUS_OUTPUT"
'''
verify = 'test -s "$FACT_PATH"'

[[step]]
phase    = "update"
name     = "install"
run      = '. "$VAR_KIT"; note; gate install; broken install'
rollback = '. "$VAR_KIT"; note downgrade'

[[step]]
phase = "smoke"
name  = "ask"
run   = '. "$VAR_KIT"; note; gate ask; broken ask'
"#;

/// Sourced by the steps of [`JOB`].
const KIT: &str = r#"
note() { echo "$TURNUS_HOST ${1:-$TURNUS_STEP}" >>"$VAR_DIRECTORY/ledger"; }
gate() {
    : >"$VAR_DIRECTORY/at-$1.$TURNUS_HOST"
    while [ -e "$VAR_DIRECTORY/closed-$1" ]; do sleep 0.05; done
}
broken() { [ ! -e "$VAR_DIRECTORY/broken-$1" ]; }
"#;

/// Everything that a run needs, thrown away at the end.
pub(crate) struct World {
    directory: TempDir,
    sshd: Option<Child>,
    pub(crate) ssh_port: u16,
    hosts: usize,
    /// Further lines for turnus.toml.
    settings: String,
}

impl World {
    /// `hosts` hosts named `h1`, `h2`, …, at 127.0.0.1, 127.0.0.2, …
    pub(crate) fn new(hosts: usize) -> Self {
        Self::with_settings(hosts, "")
    }

    /// The same with further lines for `turnus.toml`.
    pub(crate) fn with_settings(hosts: usize, settings: &str) -> Self {
        let world = Self::without_database(hosts, settings);
        lay_private_database(&world.path("state"));
        world
    }

    /// The same, but the settings name a database, or turnus has to make one.
    pub(crate) fn without_database(hosts: usize, settings: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("turnus-world-").tempdir().unwrap();
        // Postgres runs under another account when the test runs as root.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let ssh_port = free_port();
        let mut world = Self { directory, sshd: None, ssh_port, hosts, settings: settings.to_owned() };
        for key in ["key", "host_key"] {
            let made =
                Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(world.path(key)).status();
            assert!(made.unwrap().success());
        }
        world.write("kit", KIT);
        world.write("configuration/jobs/quarterly.toml", JOB);
        world.write_inventory(ssh_port, "");
        world.sshd = Some(world.start_sshd());
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn job(&self, name: &str, text: &str) {
        self.write(&format!("configuration/jobs/{name}.toml"), text);
    }

    /// Writes inventory, settings and known hosts for an sshd (or a proxy before it) at `port`.
    pub(crate) fn write_inventory(&self, port: u16, host_lines: &str) {
        let key = fs::read_to_string(self.path("host_key.pub")).unwrap();
        let mut known = String::new();
        let mut text =
            "[customer]\nname = \"Nordwind GmbH\"\nlocale = \"en\"\ntime_zone = \"Europe/Berlin\"\n".to_owned();
        for host in 1..=self.hosts {
            let address = self.address(host);
            known += &format!("[{address}]:{port} {key}");
            text += &format!(
                "\n[[host]]\nname = \"h{host}\"\naddress = \"{address}\"\nport = {port}\nuser = \"{}\"\nidentity_file = \"{}\"\n\
                 known_hosts = \"{}\"\nstate_dir = \"{}\"\ngroups = [\"all\"]\nvars = {{ directory = \"{}\", kit = \"{}\" }}\n{host_lines}\n",
                user(),
                self.path("key").display(),
                self.path("known_hosts").display(),
                self.path("remote").display(),
                self.directory.path().display(),
                self.path("kit").display(),
            );
        }
        self.write("known_hosts", &known);
        self.write("configuration/inventories/nordwind.toml", &text);
        let state = self.path("state");
        // `$DIR` in the further lines is where all of this is.
        let settings = self.settings.replace("$DIR", &self.directory.path().display().to_string());
        self.write("configuration/turnus.toml", &format!("state_dir = \"{}\"\n{settings}", state.display()));
    }

    /// Where host `h1`, `h2`, … is.
    pub(crate) fn address(&self, host: usize) -> String {
        format!("127.0.{}.{}", host / 250, host % 250 + 1)
    }

    fn start_sshd(&self) -> Child {
        let authorized = self.path("authorized_keys");
        fs::copy(self.path("key.pub"), &authorized).unwrap();
        let text = format!(
            "Port {}\nListenAddress 0.0.0.0\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 1000\n{QUICK_KEYS}\n\
             SetEnv HOME={} PATH={}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
            self.ssh_port,
            self.path("host_key").display(),
            authorized.display(),
            // Start-up files of the account that runs the tests are its own affair.
            self.directory.path().display(),
            self.path("programs").display(),
        );
        self.write("sshd_config", &text);
        // The hosts are this machine: its packages are none of a test's business.
        for program in ["apt-get", "dnf", "zypper"] {
            let path = self.path("programs").join(program);
            self.write(
                &format!("programs/{program}"),
                "#!/bin/sh\necho 'E: a test changes no packages' >&2\nexit 100\n",
            );
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        if nix::unistd::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let log = fs::File::create(self.path("sshd.log")).unwrap();
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f"])
            .arg(self.path("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let mut sshd = sshd.spawn().unwrap();
        let log = || fs::read_to_string(self.path("sshd.log")).unwrap_or_default();
        wait_until("sshd listens", || {
            assert!(sshd.try_wait().unwrap().is_none(), "sshd ended: {}", log());
            std::net::TcpStream::connect(("127.0.0.1", self.ssh_port)).is_ok()
        });
        sshd
    }

    /// The processes of the sshd that hold connections.
    pub(crate) fn sessions(&self) -> Vec<u32> {
        children(self.sshd.as_ref().unwrap().id())
    }

    /// Kills every session of the sshd, as if the connections had been cut; the listener stays.
    pub(crate) fn cut_connections(&self) {
        for pid in self.sessions() {
            kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }

    /// `turnus` with this world's configuration.
    pub(crate) fn turnus(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_turnus"));
        command.arg("--config").arg(self.path("configuration")).args(arguments);
        command.stdin(Stdio::null()).env("HOME", self.path("home")).env_remove("SSH_AUTH_SOCK");
        command
    }

    /// Runs `turnus` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.turnus(arguments).output().unwrap()
    }

    /// Starts `turnus run nordwind JOB` on all hosts in the background, with its output in files.
    pub(crate) fn start_run(&self, job: &str) -> Running<'_> {
        self.start(&["run", "nordwind", job, "--host", "@all", "--yes", "--reason", "test"])
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running<'_> {
        self.start_command(self.turnus(arguments))
    }

    pub(crate) fn start_command(&self, mut command: Command) -> Running<'_> {
        let output = tempfile::NamedTempFile::new_in(self.directory.path()).unwrap();
        // One open file for both, so that neither writes over the other.
        let file = output.reopen().unwrap();
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Running { child, output, world: self }
    }

    /// Holds steps at this gate from now on.
    pub(crate) fn close(&self, gate: &str) {
        self.write(&format!("closed-{gate}"), "");
    }

    pub(crate) fn open(&self, gate: &str) {
        fs::remove_file(self.path(&format!("closed-{gate}"))).unwrap();
    }

    /// Lets this step fail from now on.
    pub(crate) fn break_step(&self, step: &str) {
        self.write(&format!("broken-{step}"), "");
    }

    pub(crate) fn wait_for_gate(&self, gate: &str, host: &str) {
        let path = self.path(&format!("at-{gate}.{host}"));
        wait_until(&format!("{host} stands at the gate {gate}"), || path.exists());
    }

    /// The lines that steps left, in order.
    pub(crate) fn ledger(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("ledger")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often each line stands in the ledger.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for line in self.ledger() {
            *counts.entry(line).or_default() += 1;
        }
        counts
    }

    /// The report of a run as JSON.
    pub(crate) fn report(&self, run: i64) -> serde_json::Value {
        let output = self.run(&["report", &run.to_string(), "--format", "json"]);
        assert!(output.status.success(), "{}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// One host's outcome of a run, as `turnus show --format json` has it.
    pub(crate) fn outcome(&self, run: i64, host: &str) -> String {
        let output = self.run(&["show", &run.to_string(), "--format", "json"]);
        assert!(output.status.success(), "{}", text(&output));
        let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let events = shown["events"].as_array().unwrap();
        let finished = events.iter().find(|event| event["kind"] == "host_finished" && event["host"] == host);
        finished.map_or("none", |event| event["outcome"]["outcome"].as_str().unwrap()).to_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut sshd) = self.sshd.take() {
            for pid in children(sshd.id()) {
                kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
        self.stop_database();
        self.end_steps();
    }
}

impl World {
    /// Steps outlive everything, as they should; those of this world have its directory in their command line.
    fn end_steps(&self) {
        let mark = self.directory.path().display().to_string();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&command).contains(&mark) {
                kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }

    /// The private cluster outlives a turnus that was killed; its postmaster is ours, known by its pid file.
    fn stop_database(&self) {
        let pid_file = self.path("state/postgres/data/postmaster.pid");
        let pid = fs::read_to_string(&pid_file).ok().and_then(|text| text.lines().next()?.trim().parse::<i32>().ok());
        if let Some(pid) = pid {
            kill(u32::try_from(pid).unwrap(), nix::sys::signal::Signal::SIGQUIT);
            wait_until("the database is gone", || !Path::new(&format!("/proc/{pid}")).exists() || is_zombie(pid));
        }
    }

    /// Process id of the private cluster's server.
    pub(crate) fn database_pid(&self) -> u32 {
        let text = fs::read_to_string(self.path("state/postgres/data/postmaster.pid")).unwrap();
        text.lines().next().unwrap().trim().parse().unwrap()
    }
}

fn is_zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().unwrap().trim().starts_with('Z'))
}

/// A `turnus` in the background.
pub(crate) struct Running<'w> {
    child: Child,
    output: tempfile::NamedTempFile,
    world: &'w World,
}

impl Running<'_> {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        kill(self.pid(), signal);
    }

    /// As a power failure would.
    pub(crate) fn kill_hard(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(self.output.path()).unwrap()
    }

    pub(crate) fn wait_for_text(&self, wanted: &str) {
        wait_until(&format!("`{wanted}` is printed"), || self.printed().contains(wanted));
    }

    /// Waits for its end; returns exit status and all that it printed.
    pub(crate) fn finish(mut self) -> (i32, String) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code().unwrap_or(-1), self.printed());
            }
            if began.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let ledger = self.world.ledger();
                panic!("turnus does not end; it printed:\n{}\nledger: {ledger:?}", self.printed());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn text(output: &Output) -> String {
    format!(
        "status {:?}\n{}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub(crate) fn kill(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    // It may have ended by itself.
    let _ = nix::sys::signal::kill(pid, signal);
}

/// The direct children of a process.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent_of = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
        if parent_of == Some(parent) {
            found.push(pid);
        }
    }
    found
}

pub(crate) fn user() -> String {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name
}
