//! The next eight dates of a quarterly window for many customers: turnus and python-dateutil, by turns.
//!
//! `cargo bench --bench calendar` prints nanoseconds per date and the ratio. The peer runs in a virtual environment that this makes
//! under `target/`; it needs `python3` with `venv`, and PyPI once. Only ratios within one call mean anything.

#![expect(clippy::disallowed_methods, reason = "a benchmark starts its peer")]
#![expect(clippy::expect_used, reason = "a benchmark that can not run has nothing better to say")]

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::datetime;
use jiff::tz::TimeZone;
use turnus::domain::calendar::HolidayRule;
use turnus::domain::calendar::dating::{Terms, next};
use turnus::domain::calendar::recurrence::Recurrence;
use turnus::domain::calendar::rule::Rule;

const RULE: &str = "FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR";
const CUSTOMERS: u32 = 10_000;
/// The peer is slow; what counts is the time for each date.
const PEER_CUSTOMERS: u32 = 500;
const DATES: u32 = 8;
const ROUNDS: usize = 9;

fn main() {
    let mut peer = Peer::start();
    let zone = TimeZone::get("Europe/Berlin").expect("the zone data has Berlin");
    let from: Timestamp = "2026-11-24T12:00:00Z".parse().expect("an instant");
    // The first round warms up.
    let mut rounds: Vec<[f64; 4]> = (0..=ROUNDS)
        .map(|_| {
            [ours(&zone, from, "expand"), peer.measure("expand"), ours(&zone, from, "parse"), peer.measure("parse")]
        })
        .collect();
    rounds.remove(0);
    println!("next {DATES} dates of {RULE}, Europe/Berlin, medians of {ROUNDS} rounds by turns");
    println!("{:<34}{:>10}{:>14}{:>8}", "ns per date", "turnus", "dateutil", "ratio");
    for (title, column) in [("with the rule in hand", 0), ("from the rule's text", 2)] {
        let (own, other) = (median(&rounds, column), median(&rounds, column + 1));
        println!("{title:<34}{own:>10.1}{other:>14.1}{:>8.0}", other / own);
    }
}

/// Nanoseconds for each date.
fn ours(zone: &TimeZone, from: Timestamp, mode: &str) -> f64 {
    let recurrence = || Recurrence {
        rule: Some(Rule::parse(black_box(RULE)).expect("a right rule")),
        ..Recurrence::once(datetime(2026, 3, 27, 14, 0, 0, 0))
    };
    let known = recurrence();
    let begin = Instant::now();
    let mut found = 0;
    for _ in 0..CUSTOMERS {
        let fresh = (mode == "parse").then(recurrence);
        let recurrence = fresh.as_ref().unwrap_or(&known);
        let terms =
            Terms { recurrence, duration_s: 4 * 3600, holiday: HolidayRule::Keep, zone, region: None, freezes: &[] };
        found += black_box(next(black_box(&terms), from, DATES as usize)).len();
    }
    let elapsed = begin.elapsed();
    assert_eq!(found, (CUSTOMERS * DATES) as usize);
    elapsed.as_secs_f64() * 1e9 / f64::from(CUSTOMERS * DATES)
}

fn median(rounds: &[[f64; 4]], column: usize) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(|round| round[column]).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// python-dateutil, waiting for its turns.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(python(&root.join("target/peer-dateutil")))
            .arg(root.join("benches/calendar_peer.py"))
            .args([RULE, &PEER_CUSTOMERS.to_string(), &DATES.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer starts");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, input, output }
    }

    /// Nanoseconds for each date.
    fn measure(&mut self, mode: &str) -> f64 {
        writeln!(self.input, "{mode}").expect("the peer listens");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("the peer answers");
        let seconds: f64 = answer.trim().parse().expect("the peer answers with seconds");
        seconds * 1e9 / f64::from(PEER_CUSTOMERS * DATES)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter of the peer's environment, which is made if it is not there.
fn python(environment: &Path) -> PathBuf {
    let interpreter = environment.join("bin/python");
    let run = |command: &mut Command| assert!(command.status().expect("it can be run").success(), "{command:?}");
    if !environment.join("ready").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(environment));
        run(Command::new(&interpreter).args(["-m", "pip", "install", "--quiet", "python-dateutil"]));
        std::fs::write(environment.join("ready"), "").expect("a mark");
    }
    interpreter
}
