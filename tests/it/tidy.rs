//! The house keeps its order: which module may import what, sizes, a first line for every file, texts in every language.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Lines of a file without its tests.
const FILE_LINES: usize = 500;
/// Lines of a function, from its signature to its closing brace.
const FUNCTION_LINES: usize = 60;

struct SourceFile {
    /// Relative to the package.
    path: String,
    text: String,
}

fn sources(folder: &str) -> Vec<SourceFile> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(SourceFile { path: relative(&path), text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(ROOT).unwrap().display().to_string()
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn report(offences: &[String], rule: &str) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

/// Every path that a file imports or names, as `crate::edge::store` or `sqlx`.
fn imports(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim_start);
    let uses = lines.filter_map(|line| line.strip_prefix("pub use ").or_else(|| line.strip_prefix("use ")));
    let mut found: Vec<String> = uses.map(|path| path.trim_end_matches(';').to_owned()).collect();
    // Paths that are written out in the code.
    for (position, _) in text.match_indices("crate::") {
        found.push(
            text[position..].chars().take_while(|char| char.is_alphanumeric() || matches!(char, ':' | '_')).collect(),
        );
    }
    found
}

#[test]
fn imports_run_one_way() {
    let mut offences = Vec::new();
    for file in sources("src").into_iter().filter(|file| !is_test(&file.path)) {
        let layer = file.path.split('/').nth(1).unwrap().trim_end_matches(".rs").to_owned();
        let edge = file.path.split('/').nth(2).unwrap_or_default().trim_end_matches(".rs").to_owned();
        for import in imports(&file.text) {
            let mut parts = import.split("::");
            let (root, target, module) =
                (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let refused = match (layer.as_str(), root, target) {
                ("domain", Some("crate"), "edge" | "app") | ("edge", Some("crate"), "app") => true,
                ("edge", Some("crate"), "edge") => module != edge && !module.is_empty(),
                _ => false,
            };
            if refused {
                offences.push(format!("{}: {import}", file.path));
            }
        }
    }
    report(&offences, "imports run app -> edge -> domain, and no edge imports another");
}

#[test]
fn the_domain_knows_no_world() {
    let allowed =
        ["std", "crate", "super", "self", "serde", "serde_json", "jiff", "thiserror", "uuid", "toml", "sha2", "strsim"];
    let foreign = [
        "std::fs",
        "std::env",
        "std::net::Tcp",
        "std::net::Udp",
        "std::process",
        "std::time::SystemTime",
        "std::time::Instant",
        "std::io",
    ];
    let mut offences = Vec::new();
    for file in sources("src/domain").into_iter().filter(|file| !is_test(&file.path)) {
        for line in file.text.lines().map(str::trim_start).filter(|line| line.starts_with("use ")) {
            let root = line["use ".len()..].split([':', ';', ' ']).next().unwrap_or_default();
            // A lower-case name may be a module declared in the same file.
            let is_own_module = file.text.contains(&format!("mod {root};"));
            if !allowed.contains(&root) && !is_own_module {
                offences.push(format!("{}: {line}", file.path));
            }
        }
        offences.extend(
            foreign.iter().filter(|path| file.text.contains(**path)).map(|path| format!("{}: {path}", file.path)),
        );
        offences.extend(
            ["async fn", "::now("]
                .iter()
                .filter(|word| file.text.contains(**word))
                .map(|word| format!("{}: {word}", file.path)),
        );
    }
    report(&offences, "domain has no I/O, no clock, no async, and few crates");
}

#[test]
fn foreign_crates_stay_in_their_edge() {
    let homes = [
        ("sqlx", vec!["src/edge/store", "src/edge/probe/sql"]),
        ("openssh", vec!["src/edge/remote"]),
        ("handlebars", vec!["src/edge/text"]),
        ("reqwest", vec!["src/edge/probe"]),
        ("calcard", vec!["src/edge/ics"]),
        ("icalendar", vec!["src/edge/ics"]),
        ("lettre", vec!["src/edge/mail", "src/edge/probe/mail"]),
        ("async_imap", vec!["src/edge/probe/mail"]),
        ("clap", vec!["src/app/cli", "src/app/demo"]),
        ("indicatif", vec!["src/app/progress"]),
    ];
    let mut offences = Vec::new();
    for file in sources("src").into_iter().filter(|file| !is_test(&file.path)) {
        for (name, folders) in &homes {
            let named = file.text.contains(&format!("{name}::"));
            if named && !folders.iter().any(|folder| file.path.starts_with(folder)) {
                offences.push(format!("{}: {name}", file.path));
            }
        }
    }
    report(&offences, "each foreign crate is known in one place");
}

#[test]
fn only_the_edge_of_configuration_reads_the_environment() {
    // The demo builds a world of its own, the cluster looks for programs; what they look for is theirs alone.
    // A browser gets its page and gives its PDF as files.
    let owners = [
        "src/edge/config",
        "src/edge/pdf",
        "src/app/demo",
        "src/edge/store/cluster",
        "src/edge/remote",
        "src/app/cli.rs",
    ];
    let mut offences = Vec::new();
    for file in sources("src").into_iter().filter(|file| !is_test(&file.path)) {
        let reads =
            ["env::var", "env::current_exe", "fs::read", "fs::write"].iter().any(|word| file.text.contains(word));
        if reads && !owners.iter().any(|owner| file.path.starts_with(owner)) {
            offences.push(file.path.clone());
        }
    }
    report(&offences, "environment and files have one reader");
}

#[test]
fn every_file_says_what_it_is() {
    let all = sources("src").into_iter().chain(sources("tests"));
    let offences: Vec<_> = all
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| format!("{} has no //! line", file.path))
        .collect();
    report(&offences, "every file starts with //!");
}

#[test]
fn names_are_full_words() {
    let refused =
        ["mod", "util", "utils", "common", "helper", "helpers", "manager", "service", "data", "info", "misc", "item"];
    let names = |path: &str| PathBuf::from(path).file_stem().unwrap().to_string_lossy().into_owned();
    let offences: Vec<_> = sources("src")
        .into_iter()
        .map(|file| file.path)
        .filter(|path| refused.contains(&names(path).as_str()))
        .collect();
    report(&offences, "a module's name says what is in it");
}

#[test]
fn files_and_functions_stay_small() {
    let mut offences = Vec::new();
    for file in sources("src").into_iter().filter(|file| !is_test(&file.path)) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES {
            offences.push(format!("{}: {lines} lines", file.path));
        }
        offences.extend(long_functions(&file));
    }
    report(&offences, "files have at most 500 lines, functions 60");
}

/// Relies on the formatting: a function ends at the first closing brace in the column of its beginning.
fn long_functions(file: &SourceFile) -> Vec<String> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut offences = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let is_function = code.starts_with("fn ")
            || (code.contains(" fn ") && (code.starts_with("pub") || code.starts_with("async")));
        if !is_function || code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        let length = lines[start..].iter().position(|line| **line == closing).map_or(0, |end| end + 1);
        if length > FUNCTION_LINES {
            offences.push(format!("{}:{}: {length} lines", file.path, start + 1));
        }
    }
    offences
}

#[test]
fn no_glob_imports_and_no_leftovers() {
    let mut offences = Vec::new();
    for file in sources("src").into_iter().chain(sources("tests")).filter(|file| !file.path.ends_with("tidy.rs")) {
        for (number, line) in file.text.lines().enumerate() {
            let is_glob = line.trim_start().starts_with("use ") && line.contains("::*");
            let leftover = ["TODO", "FIXME", "XXX", "dbg!("].iter().any(|word| line.contains(word));
            if is_glob || leftover {
                offences.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    report(&offences, "no glob imports, nothing left over");
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for entry in fs::read_dir(Path::new(ROOT).join("migrations")).unwrap() {
        names.insert(entry.unwrap().file_name().into_string().unwrap());
    }
    for (index, name) in names.iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", index + 1)) && name.ends_with(".sql"), "{name}");
        let text = fs::read_to_string(Path::new(ROOT).join("migrations").join(name)).unwrap();
        assert!(text.starts_with("-- "), "{name} does not say why");
    }
}
