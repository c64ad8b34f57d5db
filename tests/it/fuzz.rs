//! The parsers against files that nobody would write: mutations of the examples and of the hostile files.
//!
//! Runs for about three seconds; `TURNUS_FUZZ_SECONDS` says otherwise, `TURNUS_FUZZ_SEED` repeats a run.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use turnus::domain::document::MAX_BYTES;
use turnus::domain::problem::Problems;
use turnus::domain::{inventory, job, settings};

/// No text of a few KiB may take longer, whatever it says; a slow machine gets ten times what is needed.
const LONGEST: Duration = Duration::from_secs(5);

/// Pieces that mean something to TOML or to the parsers.
const WORDS: [&str; 48] = [
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "\\",
    "\\u0000",
    "\\U0010ffff",
    "#",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "0x",
    "-1",
    "1e999",
    "nan",
    "inf",
    "99999999999999999999",
    "true",
    "2026-02-30",
    "2026-03-27T14:00:00",
    "24:00:00",
    "1979-05-27T07:32:00Z",
    "\"0s\"",
    "\"366d 1s\"",
    "\"99999w\"",
    "\"101%\"",
    "\"@\"",
    "\"[::1]:22\"",
    "\"FREQ=DAILY\"",
    "[[host]]",
    "[[step]]",
    "[customer]",
    "name = ",
    "hosts = ",
    "proxy_jump = ",
    "secrets = { x = ",
];

/// xorshift64*: repeatable, and good enough to choose where to break things.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { usize::try_from(self.roll() % end as u64).expect("less than a usize") }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "inventories",
        "jobs",
        "tests/data/hostile/inventories",
        "tests/data/hostile/jobs",
        "tests/data/hostile/settings",
    ];
    let list = |folder: &str| {
        fs::read_dir(project.join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path())
    };
    let mut paths: Vec<PathBuf> = folders.into_iter().flat_map(list).collect();
    paths.push(project.join("turnus.toml"));
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// Breaks `bytes` in one of the ways in which files break.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    let end = (at + dice.below(40)).min(bytes.len());
    match dice.below(7) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => drop(bytes.splice(at..end, WORDS[dice.below(WORDS.len())].bytes())),
        3 => drop(bytes.splice(at..at, WORDS[dice.below(WORDS.len())].bytes())),
        4 => {
            let copy = bytes[at..end].repeat(1 + dice.below(20));
            bytes.splice(at..at, copy);
        }
        5 => {
            let from = dice.below(other.len() + 1);
            let to = (from + dice.below(400)).min(other.len());
            bytes.splice(at..at, other[from..to].iter().copied());
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = u8::try_from(dice.below(256)).expect("a byte");
            }
        }
    }
    bytes.truncate(64 * 1024);
}

fn parse_inventory(text: &str) {
    look(text, inventory::parse::parse(text, "inventories/x.toml").err());
}

fn parse_job(text: &str) {
    look(text, job::parse::parse(text, "jobs/x.toml").err());
}

fn parse_settings(text: &str) {
    look(text, settings::parse(text, "turnus.toml").err());
}

/// What every answer must hold to.
fn look(text: &str, refused: Option<Problems>) {
    let Some(Problems(problems)) = refused else { return };
    assert!(!problems.is_empty(), "refused without a word");
    let lines: Vec<&str> = text.split('\n').collect();
    for problem in problems {
        let line = lines.get(problem.line - 1).unwrap_or_else(|| panic!("no such line: {problem}"));
        assert!((1..=line.chars().count() + 1).contains(&problem.column), "no such column: {problem}");
        assert!(!problem.what.contains(char::is_control), "control characters: {problem:?}");
        assert!(problem.to_string().len() < 2000, "endless: {problem}");
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn broken_files_are_refused_in_bounded_time() {
    let limit = Duration::from_secs(variable("TURNUS_FUZZ_SECONDS").unwrap_or(3));
    let seed = variable("TURNUS_FUZZ_SEED").unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    eprintln!("TURNUS_FUZZ_SEED={seed}");
    let (seeds, mut dice) = (seeds(), Dice(seed.max(1)));
    let begun = Instant::now();
    while begun.elapsed() < limit {
        let mut bytes = seeds[dice.below(seeds.len())].clone();
        for _ in 0..=dice.below(8) {
            let other = dice.below(seeds.len());
            mutate(&mut bytes, &seeds[other], &mut dice);
        }
        let text = String::from_utf8_lossy(&bytes);
        let parsing = Instant::now();
        let parse_all = || [parse_inventory, parse_job, parse_settings].map(|parse| parse(&text));
        let survived = std::panic::catch_unwind(parse_all).is_ok();
        assert!(
            survived && parsing.elapsed() < LONGEST,
            "seed {seed}, {:?}, with the text:\n{text}",
            parsing.elapsed()
        );
    }
}

#[test]
fn the_largest_files_are_refused_in_bounded_time() {
    let full = |piece: &str| piece.repeat(MAX_BYTES / piece.len());
    let list = |key: &str, piece: &str| format!("{key} = [{}]", piece.repeat((MAX_BYTES - 20) / piece.len()));
    let chain = |number| format!("[[host]]\nname='h{number}'\naddress='a'\nproxy_jump='h{}'\n", number + 1);
    let any = ["= ", "\"", "[", "{a=", "a.", "é", "# é\n", "[a]\n"].map(full);
    let inventories = [
        full("[[host]]\n"),
        full("[[window]]\nhosts=['@a','b']\n"),
        list("host", "{a=1},"),
        list("contact", "1,"),
        (0..15_000).map(chain).collect(),
    ];
    let jobs =
        [full("[[step]]\nrun='x'\n"), list("batch", "'x',"), (0..50_000).map(|n| format!("k{n} = 1\n")).collect()];
    let parsers = [parse_settings, parse_inventory, parse_job];
    for (parse, texts) in parsers.into_iter().zip([any.to_vec(), inventories.to_vec(), jobs.to_vec()]) {
        for text in texts {
            let parsing = Instant::now();
            parse(&text);
            let taken = parsing.elapsed();
            assert!(taken < 2 * LONGEST, "{taken:?} for {:?}…", text.chars().take(30).collect::<String>());
        }
    }
}
