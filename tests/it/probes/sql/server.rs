//! PostgreSQL and MariaDB for one test, on a loopback address of their own, with a table that the account `probe` may change.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tempfile::TempDir;
use turnus::domain::probe::Engine;
use turnus::edge::store::cluster::Cluster;

use crate::kit::account::Account;
use crate::kit::database::{execute, wait_until};
use crate::kit::port::free_port;
use crate::kit::smtp::{Authority, Certificate};
use crate::kit::sshd::next_address;

pub(in crate::probes) const PASSWORD: &str = "correct \"horse'";

const POSTGRES_TABLES: &str = "create table orders (id int, name text);\n\
    insert into orders values (1, 'ä'), (2, null);\n\
    create sequence numbers;\n";
/// One statement in each line.
const MARIADB_TABLES: &str = "create database shop character set utf8mb4;\n\
    create table shop.orders (id int, name text);\n\
    insert into shop.orders values (1, _utf8mb4 x'c3a4'), (2, null);\n\
    create sequence shop.numbers;\n\
    create user probe identified by 'correct \"horse\\'';\n\
    grant all on shop.* to probe;\n";
/// Small, and with nothing to wait for: it ends with the test.
const MARIADB_OPTIONS: [&str; 6] = [
    "--no-defaults",
    "--skip-name-resolve",
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=8M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
];

/// A database of a test. It ends with the test, whichever way that ends.
pub(in crate::probes) struct Database {
    pub(in crate::probes) engine: Engine,
    pub(in crate::probes) address: String,
    pub(in crate::probes) port: u16,
    /// Who issued its certificate: a PEM file.
    pub(in crate::probes) ca_file: PathBuf,
    process: Child,
    _directory: TempDir,
}

impl Database {
    /// With a certificate for its address.
    pub(in crate::probes) async fn start(engine: Engine) -> Self {
        let address = next_address();
        let names = format!("IP:{address}");
        Self::start_at(engine, address, Some(&names)).await
    }

    /// With a certificate for these names, or without TLS.
    pub(in crate::probes) async fn start_for(engine: Engine, names: Option<&str>) -> Self {
        Self::start_at(engine, next_address(), names).await
    }

    async fn start_at(engine: Engine, address: String, names: Option<&str>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let authority = Authority::make(path);
        let certificate = names.map(|names| authority.issue(names, 0));
        let port = free_port();
        let mut process = match engine {
            Engine::Postgres => start_postgres(path, &address, port, certificate.as_ref()).await,
            Engine::Mysql => start_mariadb(path, &address, port, certificate.as_ref()),
        };
        let log = || fs::read_to_string(path.join("log")).unwrap_or_default();
        wait_until("the database", || {
            assert!(process.try_wait().expect("its state").is_none(), "it ended: {}", log());
            std::net::TcpStream::connect((address.as_str(), port)).is_ok()
        })
        .await;
        let database = Self { engine, address, port, ca_file: authority.certificate, process, _directory: directory };
        if engine == Engine::Postgres {
            fill_postgres(&database.address, port).await;
        }
        database
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // At once, with all its processes and without writing anything down.
        let signal = if self.engine == Engine::Postgres { Signal::SIGQUIT } else { Signal::SIGKILL };
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), signal);
        let _ = self.process.wait();
    }
}

async fn start_postgres(path: &Path, address: &str, port: u16, certificate: Option<&Certificate>) -> Child {
    let account = Account::of("postgres");
    let programs = Cluster::inspect(path).await.expect("looked").binaries.expect("Postgres").directory;
    fs::write(path.join("password"), PASSWORD).expect("written");
    account.give(path);
    let program = |name: &str| {
        let mut command = Command::new(programs.join(name));
        account.runs(&mut command).current_dir(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log(path));
        command
    };
    let mut command = program("initdb");
    command.args(["-D", "data", "-A", "scram-sha-256", "-U", "probe", "--pwfile=password", "--no-sync"]);
    let status = command.args(["--no-instructions", "-E", "UTF8", "--locale=C"]).status().expect("initdb");
    assert!(status.success(), "{}", fs::read_to_string(path.join("log")).unwrap_or_default());
    fs::write(path.join("data/pg_hba.conf"), "host all all 127.0.0.0/8 scram-sha-256\n").expect("written");
    let mut command = program("postgres");
    command.args(["-D", "data", "-h", address, "-p", &port.to_string(), "-k", "", "-c", "fsync=off"]);
    if let Some(certificate) = certificate {
        let file = |name: &str, path: &Path| format!("{name}={}", path.display());
        command.args(["-c", "ssl=on", "-c", &file("ssl_cert_file", &certificate.chain)]);
        command.args(["-c", &file("ssl_key_file", &certificate.key)]);
    }
    command.spawn().expect("postgres")
}

async fn fill_postgres(address: &str, port: u16) {
    let options = PgConnectOptions::new_without_pgpass().host(address).port(port).username("probe").password(PASSWORD);
    let options = options.ssl_mode(PgSslMode::Disable).database("postgres");
    let connect = |options: PgConnectOptions| async move { options.connect().await.expect("it lets us in") };
    // It takes connections a little before it lets anybody in.
    let mut waited = 0;
    while let Err(error) = options.connect().await {
        waited += 1;
        assert!(waited < 600, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    execute(&mut connect(options.clone()).await, "create database shop".to_owned()).await;
    let mut shop = connect(options.database("shop")).await;
    execute(&mut shop, POSTGRES_TABLES.to_owned()).await;
}

fn start_mariadb(path: &Path, address: &str, port: u16, certificate: Option<&Certificate>) -> Child {
    let account = Account::of("nobody");
    let system = "mysql_system_tables.sql";
    let system = fs::read_to_string(Path::new("/usr/share/mysql").join(system)).expect("MariaDB's own tables");
    fs::write(path.join("system"), format!("create database mysql;\nuse mysql;\n{system}")).expect("written");
    fs::write(path.join("tables"), MARIADB_TABLES).expect("written");
    ["data", "temporary"].iter().for_each(|name| fs::create_dir(path.join(name)).expect("made"));
    account.give(path);
    let program = || {
        let mut command = Command::new("/usr/sbin/mariadbd");
        command.args(MARIADB_OPTIONS).arg(format!("--datadir={}", path.join("data").display()));
        command.arg(format!("--tmpdir={}", path.join("temporary").display()));
        account.runs(&mut command).current_dir(path).stdin(Stdio::null()).stdout(log(path)).stderr(log(path));
        command
    };
    let system = File::open(path.join("system")).expect("just written");
    let status = program().arg("--bootstrap").stdin(system).status().expect("mariadbd");
    assert!(status.success(), "{}", fs::read_to_string(path.join("log")).unwrap_or_default());
    let mut command = program();
    command.args([&format!("--bind-address={address}"), &format!("--port={port}"), "--init-file=../tables"]);
    command.args(["--socket=../socket", "--pid-file=../pid"]);
    if let Some(certificate) = certificate {
        command.arg(format!("--ssl-cert={}", certificate.chain.display()));
        command.arg(format!("--ssl-key={}", certificate.key.display()));
    }
    command.spawn().expect("mariadbd")
}

fn log(path: &Path) -> File {
    File::options().create(true).append(true).open(path.join("log")).expect("a log")
}
