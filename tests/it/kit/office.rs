//! A provider's desk: a directory of files, a database of its own, and `turnus` as the person at the keyboard calls it. No hosts answer.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use sqlx::PgConnection;
use tempfile::TempDir;
use turnus::edge::store::Store;

use super::database::{Database, make_state_dir};
use super::world::text;

/// A job that changes nothing.
const JOB: &str = "description = \"A look\"\n\n[[step]]\nphase = \"preflight\"\nname = \"look\"\nrun = \"true\"\n";

/// Files and database.
pub(crate) struct Office {
    directory: TempDir,
    database: Database,
}

impl Office {
    /// With a job `look` and no customer.
    pub(crate) async fn open() -> Self {
        let office = Self { directory: make_state_dir(), database: Database::open().await };
        office.write("url", &office.database.url());
        fs::create_dir(office.directory.path().join("inventories")).unwrap();
        office.write("jobs/look.toml", JOB);
        office.settle("");
        office
    }

    pub(crate) async fn close(self) {
        self.database.close().await;
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        self.database.connect().await
    }

    pub(crate) async fn store(&self) -> Store {
        self.database.store().await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.directory.path().join(name)).unwrap();
    }

    /// Writes turnus.toml with further lines.
    pub(crate) fn settle(&self, lines: &str) {
        let directory = self.directory.path().display();
        let settings =
            format!("state_dir = \"{directory}/state\"\n[database]\nurl = {{ file = \"{directory}/url\" }}\n{lines}");
        self.write("turnus.toml", &settings);
    }

    /// Writes the inventory of a customer in UTC with the host `h1` that refuses connections, a contact who is told of dates, and `lines`.
    pub(crate) fn customer(&self, name: &str, lines: &str) {
        let inventory = format!(
            "[customer]\nname = \"{name} GmbH\"\nlocale = \"en\"\ntime_zone = \"UTC\"\n\n\
             [[contact]]\nname = \"IT\"\nemail = \"it@{name}.example\"\nreceives = [\"announcement\"]\n\n\
             [[host]]\nname = \"h1\"\naddress = \"127.0.0.1\"\nport = 1\n\n{lines}"
        );
        self.write(&format!("inventories/{name}.toml"), &inventory);
    }

    /// `turnus` in this directory, without a terminal.
    pub(crate) fn turnus(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_turnus"));
        command.arg("--config").arg(self.directory.path()).args(arguments).stdin(Stdio::null());
        command.env("HOME", self.directory.path()).env_remove("SSH_AUTH_SOCK");
        command
    }

    /// The same, which has to end with 0; what it printed on stdout.
    #[track_caller]
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.turnus(arguments);
        assert!(output.status.success(), "turnus {arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `--format json`.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--format", "json"]].concat();
        serde_json::from_str(&self.succeed(&arguments)).unwrap()
    }

    /// The same, which has to end with this exit status; all that it told.
    #[track_caller]
    pub(crate) fn fail(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.turnus(arguments);
        assert_eq!(output.status.code(), Some(status), "turnus {arguments:?}: {}", text(&output));
        text(&output)
    }
}

/// A window of the job `look` on `h1`, two hours long.
pub(crate) fn window(name: &str, rule: &str, starts: DateTime) -> String {
    format!(
        "[[window]]\nname = \"{name}\"\nrule = \"{rule}\"\nstarts = {starts}\nduration = \"2h\"\njob = \"look\"\nhosts = [\"h1\"]\n\
         announce = [\"14d\", \"2d\"]\n\n"
    )
}

/// Ten o'clock UTC, `days` after today.
pub(crate) fn day(days: i64) -> DateTime {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    today.checked_add(days.days()).unwrap().at(10, 0, 0, 0)
}
