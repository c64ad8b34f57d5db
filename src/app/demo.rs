//! A stage for trying turnus: three real sshd hosts on loopback in a temporary directory, each with a small shop that answers HTTP.
//!
//! Everything is thrown away at the end: keys, processes (by process id), directory.

#![expect(clippy::disallowed_methods, reason = "builds a world of its own")]

pub mod shop;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use jiff::Timestamp;
use tempfile::TempDir;

const HOSTS: [&str; 3] = ["web1", "web2", "web3"];
/// Where the customer is: wall clocks are never put forward or back there, so that each time of the day is there once.
const TIME_ZONE: &str = "Africa/Johannesburg";
const JOB: &str = include_str!("demo/job.toml");
const SERVICE: &str = include_str!("demo/service.sh");

/// What goes wrong in the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Break {
    /// The new version of the shop does not answer as it should.
    Smoke,
}

/// The stage, torn down when it is dropped.
pub struct Stage {
    // In this order: hosts are stopped by what lies in the directory.
    hosts: Vec<StageHost>,
    directory: TempDir,
}

struct StageHost {
    name: &'static str,
    directory: PathBuf,
    shop_port: u16,
    ssh_port: u16,
    sshd: Option<Child>,
}

impl Stage {
    /// Builds the hosts and starts them.
    ///
    /// # Errors
    /// If the OpenSSH server is missing, or something can't be made or started.
    pub fn build(breaks: Option<Break>) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("turnus-demo-").tempdir().context("no temporary directory")?;
        // As root, Postgres runs under another account, which has to pass through here; nothing secret is readable for it.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711))?;
        make_key(&directory.path().join("key"))?;
        let mut stage = Self { hosts: Vec::new(), directory };
        for (name, ports) in HOSTS.into_iter().zip(free_ports()?) {
            let host = stage.build_host(name, ports, breaks).with_context(|| format!("can't build the host {name}"))?;
            stage.hosts.push(host);
        }
        stage.write_configuration()?;
        Ok(stage)
    }

    /// The configuration directory: inventory, job, settings.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.directory.path().join("configuration")
    }

    /// Where letters go to, once a date is agreed.
    #[must_use]
    pub fn letters(&self) -> PathBuf {
        self.directory.path().join("letters")
    }

    /// Agrees with the customer on a date for all hosts, of which they want to be told by mail; their mails become files.
    ///
    /// # Errors
    /// If the files can't be written.
    pub fn agree_on(&self, opens_at: Timestamp) -> anyhow::Result<()> {
        let local_start = opens_at.in_tz(TIME_ZONE)?.datetime().strftime("%Y-%m-%dT%H:%M:%S");
        let inventory = self.inventory()?
            + &format!(
                "\n[[contact]]\nname = \"Clara Winter\"\nemail = \"clara.winter@shops.example\"\n\
                 receives = [\"announcement\", \"start\", \"report\"]\n\
                 \n[[window]]\nname = \"agreed\"\nstarts = {local_start}\nduration = \"1h\"\njob = \"shop-update\"\n\
                 hosts = [\"@shops\"]\nannounce = [\"7d\"]\n"
            );
        write(&self.configuration().join("inventories/demo.toml"), &inventory)?;
        let settings = format!(
            "{}\n[provider]\nname = \"Example IT Services\"\nemail = \"maintenance@provider.example\"\n\
             \n[mail]\nmailer = \"file\"\ndirectory = {}\n",
            self.settings(),
            quoted(&self.letters())
        );
        write(&self.configuration().join("turnus.toml"), &settings)
    }

    /// What each shop answers now.
    pub async fn answers(&self) -> Vec<(&'static str, String)> {
        let mut answers = Vec::new();
        for host in &self.hosts {
            let answer = shop::ask(host.shop_port).await.unwrap_or_else(|error| format!("no answer: {error:#}"));
            answers.push((host.name, answer));
        }
        answers
    }

    fn build_host(&self, name: &'static str, ports: [u16; 2], breaks: Option<Break>) -> anyhow::Result<StageHost> {
        let directory = self.directory.path().join(name);
        let shop = directory.join("shop");
        write(&shop.join("data/orders.txt"), &orders())?;
        for version in ["1.0", "2.0"] {
            write(&shop.join("releases").join(version).join("version"), version)?;
        }
        if breaks == Some(Break::Smoke) {
            write(&shop.join("releases/2.0/broken"), "")?;
        }
        std::os::unix::fs::symlink("releases/1.0", shop.join("current"))?;
        let [shop_port, ssh_port] = ports;
        let mut host = StageHost { name, directory, shop_port, ssh_port, sshd: None };
        write(&shop.join("port"), &host.shop_port.to_string())?;
        let program = std::env::current_exe().context("where is turnus?")?;
        let service = SERVICE.replace("@TURNUS@", &program.display().to_string());
        write(&shop.join("service"), &service)?;
        fs::set_permissions(shop.join("service"), fs::Permissions::from_mode(0o755))?;
        let started = Command::new(shop.join("service")).arg("start").status()?;
        if !started.success() {
            bail!("the shop does not start");
        }
        host.sshd = Some(self.start_sshd(&host)?);
        Ok(host)
    }

    fn start_sshd(&self, host: &StageHost) -> anyhow::Result<Child> {
        let host_key = host.directory.join("host_key");
        make_key(&host_key)?;
        let authorized = host.directory.join("authorized_keys");
        fs::copy(self.directory.path().join("key.pub"), &authorized)?;
        let configuration = host.directory.join("sshd_config");
        let text = format!(
            "ListenAddress 127.0.0.1:{}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n",
            host.ssh_port,
            host_key.display(),
            authorized.display()
        );
        write(&configuration, &text)?;
        let program = find_sshd()?;
        if is_root() {
            fs::create_dir_all("/run/sshd").context("sshd wants /run/sshd")?;
        }
        let log = fs::File::create(host.directory.join("sshd.log"))?;
        Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("can't start sshd")
    }

    fn write_configuration(&self) -> anyhow::Result<()> {
        let directory = self.configuration();
        write(&directory.join("jobs/shop-update.toml"), JOB)?;
        write(&directory.join("inventories/demo.toml"), &self.inventory()?)?;
        write(&directory.join("turnus.toml"), &self.settings())
    }

    fn settings(&self) -> String {
        format!("state_dir = {}\n", quoted(&self.directory.path().join("state")))
    }

    fn inventory(&self) -> anyhow::Result<String> {
        let known_hosts = self.directory.path().join("known_hosts");
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid())?.context("this account has no name")?.name;
        let mut known = String::new();
        let mut text = format!("[customer]\nname = \"Demo Shops Ltd\"\nlocale = \"en\"\ntime_zone = \"{TIME_ZONE}\"\n");
        for host in &self.hosts {
            let key = fs::read_to_string(host.directory.join("host_key.pub"))?;
            known += &format!("[127.0.0.1]:{} {key}", host.ssh_port);
            text += &format!(
                "\n[[host]]\nname = \"{}\"\naddress = \"127.0.0.1\"\nport = {}\nuser = \"{user}\"\nidentity_file = {}\nknown_hosts = {}\n\
                 state_dir = {}\ngroups = [\"shops\"]\nvars = {{ shop = {}, shop_port = {} }}\n",
                host.name,
                host.ssh_port,
                quoted(&self.directory.path().join("key")),
                quoted(&known_hosts),
                quoted(&host.directory.join("turnus")),
                quoted(&host.directory.join("shop")),
                host.shop_port,
            );
        }
        write(&known_hosts, &known)?;
        Ok(text)
    }
}

impl Drop for StageHost {
    fn drop(&mut self) {
        let _ = Command::new(self.directory.join("shop/service")).arg("stop").status();
        if let Some(sshd) = &mut self.sshd {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
    }
}

/// 240 lines, so that there is something to back up.
fn orders() -> String {
    (1..=240).map(|number| format!("{number};{}\n", ["tea", "coffee", "cocoa"][number % 3])).collect()
}

fn make_key(path: &Path) -> anyhow::Result<()> {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "turnus demo", "-f"])
        .arg(path)
        .status();
    if made.context("can't run ssh-keygen (apt install openssh-client)")?.success() {
        Ok(())
    } else {
        bail!("ssh-keygen made no key")
    }
}

fn find_sshd() -> anyhow::Result<&'static str> {
    let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"];
    places.into_iter().find(|place| Path::new(place).exists()).context("there is no sshd (apt install openssh-server)")
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Different ports that were free a moment ago: each is held until all are found.
fn free_ports() -> anyhow::Result<[[u16; 2]; HOSTS.len()]> {
    let mut held = Vec::new();
    let mut ports = [[0; 2]; HOSTS.len()];
    for port in ports.as_flattened_mut() {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("can't make {}", parent.display()))?;
    }
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}

/// A TOML string.
fn quoted(path: &Path) -> String {
    toml::Value::from(path.display().to_string()).to_string()
}
