//! Real sshd processes on loopback with throw-away keys, accounts that exist only for a test, and a line that can be
//! frozen or cut.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::sync::watch;
use turnus::domain::inventory::{Connection, Transport};
use turnus::edge::remote::trust::{KnownKey, fetch_keys, store_key};
use turnus::edge::remote::{Environment, Passphrase, Remote, SshControl, SshHost, SshSettings, SshTarget};

use super::machine::{Machine, kill, processes, state_dir, wait_for};
use super::port::free_port;

/// For sshd_config: how keys are agreed on. What OpenSSH prefers costs client and server a tenth of a second of computing for each
/// connection, and tests make very many.
pub(crate) const QUICK_KEYS: &str = "KexAlgorithms curve25519-sha256";

/// An sshd of a test. Its sessions end with it.
pub(crate) struct Sshd {
    pub(crate) directory: TempDir,
    pub(crate) address: String,
    pub(crate) port: u16,
    process: Child,
}

impl Sshd {
    pub(crate) fn start() -> Self {
        Self::start_with("", &[])
    }

    /// With further lines of sshd_config, and a program to start it through.
    pub(crate) fn start_with(configuration: &str, wrapper: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["host_key", "user_key"] {
            make_key(&directory.path().join(name));
        }
        Self::start_at(&next_address(), directory, configuration, wrapper)
    }

    /// Another on the same address, with the same keys, and further lines of sshd_config.
    pub(crate) fn start_like(other: &Self, configuration: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["host_key", "host_key.pub", "user_key", "user_key.pub"] {
            fs::copy(other.file(name), directory.path().join(name)).expect("copied");
        }
        Self::start_at(&other.address, directory, configuration, &[])
    }

    fn start_at(address: &str, directory: TempDir, configuration: &str, wrapper: &[&str]) -> Self {
        let path = directory.path();
        let (address, port) = (address.to_owned(), free_port());
        let text = format!(
            "ListenAddress {address}:{port}\nHostKey {0}/host_key\nPidFile {0}/pid\nAuthorizedKeysFile {0}/user_key.pub\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             LogLevel VERBOSE\n{configuration}\n{QUICK_KEYS}\n",
            path.display()
        );
        fs::write(path.join("sshd_config"), text).expect("written");
        // A test account must be able to read its public key.
        make_readable(path);
        fs::create_dir_all("/run/sshd").expect("sshd's own directory");
        let log = fs::File::create(path.join("sshd.log")).expect("made");
        let mut words = wrapper.to_vec();
        words.extend(["/usr/sbin/sshd", "-D", "-e", "-f"]);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(path.join("sshd_config")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("sshd");
        let target: SocketAddrV4 = format!("{address}:{port}").parse().expect("an address");
        wait_for("sshd to listen", || TcpStream::connect(target).is_ok());
        Self { directory, address, port, process }
    }

    /// How an inventory would say it, with root's throw-away key.
    pub(crate) fn connection(&self) -> Connection {
        Connection {
            address: self.address.clone(),
            port: Some(self.port),
            user: Some("root".to_owned()),
            identity_file: Some(self.file("user_key")),
            proxy_jump: Vec::new(),
            known_hosts: None,
            elevate: false,
            state_dir: None,
            transport: None,
        }
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("sshd.log")).expect("a log")
    }

    /// What `ssh-keygen` says is the fingerprint of its key.
    pub(crate) fn fingerprint(&self) -> String {
        let output = Command::new("ssh-keygen").args(["-l", "-f"]).arg(self.file("host_key.pub")).output();
        let output = String::from_utf8(output.expect("ssh-keygen").stdout).expect("text");
        output.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    /// The processes that hold connections, oldest first.
    pub(crate) fn session_processes(&self) -> Vec<i32> {
        let own = i32::try_from(self.process.id()).expect("a pid");
        descendants(own).into_iter().filter(|pid| command_line(*pid).starts_with("sshd: ")).collect()
    }

    /// How many are logged in.
    pub(crate) fn connections(&self) -> usize {
        let own = i32::try_from(self.process.id()).expect("a pid");
        processes(|pid, _| parent(pid) == Some(own)).len()
    }

    /// As when the server's machine loses a session: its processes die, the steps do not.
    pub(crate) fn kill_sessions(&self) {
        self.session_processes().into_iter().for_each(kill);
    }

    /// Another key from now on, as after a reinstallation. New connections see it.
    pub(crate) fn change_key(&mut self) {
        for name in ["host_key", "host_key.pub"] {
            fs::remove_file(self.file(name)).expect("removed");
        }
        make_key(Path::new(&self.file("host_key")));
        // sshd reads its key once: a new one takes the place of the old, on the same port.
        self.stop();
        let log = fs::File::options().append(true).open(self.file("sshd.log")).expect("a log");
        let mut command = Command::new("/usr/sbin/sshd");
        command
            .args(["-D", "-e", "-f", &self.file("sshd_config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.process = command.spawn().expect("sshd");
        let target: SocketAddrV4 = format!("{}:{}", self.address, self.port).parse().expect("an address");
        wait_for("sshd to listen", || TcpStream::connect(target).is_ok());
    }

    fn stop(&mut self) {
        let own = i32::try_from(self.process.id()).expect("a pid");
        let sessions: Vec<i32> =
            descendants(own).into_iter().filter(|pid| command_line(*pid).contains("sshd")).collect();
        kill(own);
        sessions.into_iter().for_each(kill);
        let _ = self.process.wait();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn parent(of: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{of}/stat")).unwrap_or_default();
    stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1)?.parse().ok())
}

fn descendants(of: i32) -> Vec<i32> {
    let mut found = vec![of];
    let all = processes(|_, _| true);
    loop {
        let more: Vec<i32> = all
            .iter()
            .copied()
            .filter(|pid| !found.contains(pid) && parent(*pid).is_some_and(|parent| found.contains(&parent)))
            .collect();
        if more.is_empty() {
            found.remove(0);
            return found;
        }
        found.extend(more);
    }
}

fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// Loopback addresses of our own for each sshd of this test process, so that names in known_hosts differ.
pub(crate) fn next_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(16).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 0xfd_fffd;
    Ipv4Addr::from(0x7f01_0001 + number).to_string()
}

pub(crate) fn make_key(path: &Path) {
    let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
    assert!(status.expect("ssh-keygen").success());
}

fn make_readable(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for name in ["", "user_key.pub"] {
        let path = directory.join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set");
    }
}

/// turnus's side: a known_hosts file and a user's ssh_config that a test can write to.
pub(crate) struct Controller {
    pub(crate) directory: TempDir,
    pub(crate) control: Arc<SshControl>,
    pub(crate) settings: SshSettings,
}

impl Controller {
    pub(crate) fn new() -> Self {
        Self::by(Transport::Auto)
    }

    /// Hosts are reached by this transport.
    pub(crate) fn by(transport: Transport) -> Self {
        Self::open(transport, None)
    }

    /// Locked keys are opened with this, or not.
    pub(crate) fn with_passphrase(told: Result<&str, &str>) -> Self {
        let told = told.map(str::to_owned).map_err(str::to_owned);
        let passphrase = Passphrase::by(move || Box::pin(std::future::ready(told.clone())));
        Self::open(Transport::Builtin, Some(passphrase))
    }

    fn open(transport: Transport, passphrase: Option<Passphrase>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = SshSettings {
            user_config: directory.path().join("user config"),
            known_hosts: directory.path().join("known hosts"),
            connect_timeout_s: 10,
            keep_alive_s: 1,
            sessions_per_host: 8,
            connect_parallel: 16,
            transport,
            environment: Environment::default(),
            passphrase,
        };
        let control = SshControl::open(settings.clone()).expect("a control directory");
        Self { directory, control, settings }
    }

    pub(crate) fn remote(&self, connection: &Connection) -> Remote {
        Remote::Ssh(SshHost::new(Arc::clone(&self.control), "web1", connection))
    }

    pub(crate) fn target(&self, connection: &Connection) -> SshTarget {
        SshTarget { name: "web1".to_owned(), connection: connection.clone(), settings: self.settings.clone() }
    }

    /// As `turnus trust` does after a yes.
    pub(crate) async fn trust(&self, connection: &Connection) {
        for key in fetch_keys(&self.target(connection)).await.expect("keys") {
            store_key(&self.settings.known_hosts, &key, KnownKey::Replace).expect("stored");
        }
    }

    /// A trusted machine, with a state directory of its own.
    pub(crate) async fn machine(&self, connection: &Connection) -> Machine {
        let directory = tempfile::tempdir().expect("a directory");
        let state_dir = connection.state_dir.clone().unwrap_or_else(|| state_dir(directory.path()));
        let connection = Connection { state_dir: Some(state_dir), ..connection.clone() };
        self.trust(&connection).await;
        Machine::new(directory, self.remote(&connection))
    }

    /// The ssh processes that belong to this controller.
    pub(crate) fn masters(&self) -> Vec<i32> {
        let sockets = self.control.directory().display().to_string();
        processes(|_, command| command.contains(&sockets))
    }
}

/// An account that exists for one test.
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) home: PathBuf,
    _directory: TempDir,
}

impl Account {
    pub(crate) fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("turnus-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = tempfile::tempdir().expect("a directory");
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("set");
        let home = directory.path().join("home");
        // `*`: no password, but not locked either.
        let add =
            || Command::new("useradd").args(["-m", "-s", "/bin/bash", "-p", "*", "-d"]).arg(&home).arg(&name).status();
        // Other tests may hold the lock on the password file.
        wait_for("the account", || add().is_ok_and(|status| status.success()));
        Self { name, home, _directory: directory }
    }

    /// The account may use sudo without a password while the returned file lives.
    pub(crate) fn allow_sudo(&self) -> SudoRule {
        let path = PathBuf::from(format!("/etc/sudoers.d/{}", self.name));
        fs::write(&path, format!("{} ALL=(ALL) NOPASSWD: ALL\n", self.name)).expect("written");
        SudoRule(path)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let name = &self.name;
        wait_for("the account to go", || {
            // 6: no such account (any more).
            Command::new("userdel")
                .arg(name)
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| matches!(status.code(), Some(0 | 6)))
        });
    }
}

/// A rule for sudo, removed when dropped.
pub(crate) struct SudoRule(PathBuf);

impl Drop for SudoRule {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A line that can be frozen: packets are swallowed, nothing is closed.
pub(crate) struct Line {
    pub(crate) port: u16,
    frozen: watch::Sender<bool>,
    slow: Arc<AtomicBool>,
    dead: Arc<AtomicU32>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Line {
    /// From a port on `address` to `port` on the same address.
    pub(crate) async fn to(address: &str, port: u16) -> Self {
        let listener = tokio::net::TcpListener::bind((address, 0)).await.expect("a port");
        let own_port = listener.local_addr().expect("an address").port();
        let (frozen, freezing) = watch::channel(false);
        let target = (address.to_owned(), port);
        let dead = Arc::new(AtomicU32::new(0));
        let slow = Arc::new(AtomicBool::new(false));
        let (died, slowed) = (Arc::clone(&dead), Arc::clone(&slow));
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = tokio::net::TcpStream::connect(&target).await else { continue };
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::spawn(forward(near_in, far_out, freezing.clone(), Arc::clone(&died), Arc::clone(&slowed)));
                tokio::spawn(forward(far_in, near_out, freezing.clone(), Arc::clone(&died), Arc::clone(&slowed)));
            }
        });
        Self { port: own_port, frozen, slow, dead, accepting }
    }

    /// Connections that exist now stay silent for ever.
    pub(crate) fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    /// From now on every packet takes its time.
    pub(crate) fn slow_down(&self) {
        self.slow.store(true, Ordering::Relaxed);
    }

    /// Whether some connection has fallen silent, both ways.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed) >= 2
    }

    /// New connections work again.
    pub(crate) fn thaw(&self) {
        self.frozen.send_replace(false);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// True, after a while where that is wanted.
async fn wait_if(slowed: &AtomicBool) -> bool {
    if slowed.load(Ordering::Relaxed) {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    true
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut freezing: watch::Receiver<bool>,
    died: Arc<AtomicU32>,
    slowed: Arc<AtomicBool>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            biased;
            () = async { drop(freezing.wait_for(|frozen| *frozen).await) } => {
                died.fetch_add(1, Ordering::Relaxed);
                std::future::pending::<()>().await;
            }
            read = from.read(&mut buffer) => match read {
                Ok(length @ 1..) if wait_if(&slowed).await && to.write_all(&buffer[..length]).await.is_ok() => {}
                _ => return,
            },
        }
    }
}
