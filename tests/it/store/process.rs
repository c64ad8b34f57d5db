//! Other turnus processes: this test binary, started again, that uses the private cluster of a state directory until it is told to
//! leave or is killed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use turnus::edge::store::{Store, Target};

const STATE_DIR: &str = "TURNUS_TEST_STATE_DIR";

/// Another process that has the store of a state directory open.
pub(super) struct User {
    child: Child,
    /// Closed: leave.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl User {
    /// Returns when the other has opened the store.
    pub(super) fn start(state_dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("our own path"))
            .args(["store::process::use_the_store", "--exact", "--ignored", "--nocapture"])
            .env(STATE_DIR, state_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test binary starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut user = Self { child, stdin, stdout };
        user.wait_for("opened");
        user
    }

    /// Lets the other write one more row; returns its number when it is acknowledged.
    pub(super) fn write(&mut self) -> String {
        let stdin = self.stdin.as_mut().expect("not told to leave");
        stdin.write_all(b"write\n").expect("the other reads");
        self.wait_for("written")
    }

    /// Returns when the other has left and ended.
    pub(super) fn leave(mut self) {
        drop(self.stdin.take());
        self.wait_for("left");
        assert!(self.child.wait().expect("our child").success());
    }

    /// SIGKILL.
    pub(super) fn kill(mut self) {
        self.child.kill().expect("our child");
        self.child.wait().expect("our child");
    }

    /// The rest of the next line with `word`.
    fn wait_for(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).expect("the other writes text");
            assert!(read > 0, "the other ended before it said `{word}`");
            // The test harness writes the test's name in front.
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().to_owned();
            }
        }
    }
}

#[tokio::test]
#[ignore = "the other process of the tests here"]
async fn use_the_store() {
    let Some(state_dir) = std::env::var_os(STATE_DIR) else { return };
    let store = Store::open(Target::Private { state_dir: state_dir.into() }).await.expect("the store opens");
    println!("opened");
    for (count, line) in (0..).zip(std::io::stdin().lines()) {
        assert_eq!(line.expect("text"), "write");
        println!("written {}", write_row(&store, count).await);
    }
    store.close().await.expect("the store closes");
    println!("left");
}

/// One transaction of its own; the row's name when it is acknowledged.
async fn write_row(store: &Store, count: u32) -> String {
    let name = format!("row-{}-{count}", std::process::id());
    let insert = "insert into revision (hash, kind, name, content) values (md5($1) || md5($1), 'job', $1, 'x')";
    sqlx::query(insert).bind(&name).execute(&store.pool()).await.expect("the row is written");
    name
}
