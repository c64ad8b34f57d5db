//! README and docs say what is so: files shown in them pass `turnus check`, commands and options exist, links lead somewhere.
//!
//! A TOML block says what it is after the word `toml`: `inventory=NAME`, `job=NAME`, `settings`, or `fragment`, which is not checked.
//! The files of one document belong together.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin_cmd;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A page, with its path relative to the package.
struct Document {
    path: PathBuf,
    text: String,
}

fn documents() -> Vec<Document> {
    let entries = fs::read_dir(Path::new(ROOT).join("docs")).expect("docs");
    let mut paths: Vec<_> = entries.map(|entry| Path::new("docs").join(entry.expect("an entry").file_name())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.push(PathBuf::from("README.md"));
    paths.sort();
    let read =
        |path: PathBuf| Document { text: fs::read_to_string(Path::new(ROOT).join(&path)).expect("a page"), path };
    paths.into_iter().map(read).collect()
}

/// A fenced block: what stands after the fence, and the lines between.
struct Block {
    kind: String,
    text: String,
}

/// The text of a page without its blocks, and the blocks.
fn split(document: &Document) -> (String, Vec<Block>) {
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut open: Option<Block> = None;
    for line in document.text.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(kind), None) => open = Some(Block { kind: kind.to_owned(), text: String::new() }),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(block)) => open = Some(Block { text: block.text + line + "\n", ..block }),
            (None, None) => prose = prose + line + "\n",
        }
    }
    assert!(open.is_none(), "{}: a block does not end", document.path.display());
    (prose, blocks)
}

/// Where in a configuration directory a block belongs; none for one that is not to be checked.
fn file_of(block: &Block) -> Option<String> {
    if let Some(mail) = block.kind.strip_prefix("handlebars mail=") {
        return Some(format!("templates/mail/{mail}.hbs"));
    }
    let marks = block.kind.strip_prefix("toml")?.trim();
    match (marks, marks.split_once('=')) {
        ("fragment", _) => None,
        ("settings", _) => Some("turnus.toml".to_owned()),
        (_, Some(("inventory", name))) => Some(format!("inventories/{name}.toml")),
        (_, Some(("locale", code))) => Some(format!("locales/{code}.toml")),
        (_, Some(("job", name))) => Some(format!("jobs/{name}.toml")),
        _ => panic!("a block `{}` does not say what it is", block.kind),
    }
}

fn assert_passes(directory: &Path, what: &str) {
    let output =
        cargo_bin_cmd!("turnus").arg("check").arg("--config").arg(directory).output().expect("turnus can be run");
    assert!(output.status.success(), "{what}:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn help(arguments: &[&str]) -> String {
    let output = cargo_bin_cmd!("turnus").args(arguments).arg("--help").output().expect("turnus can be run");
    assert!(output.status.success(), "turnus {arguments:?} --help");
    String::from_utf8(output.stdout).expect("help is text")
}

/// The commands that `turnus --help`, or that of a command, lists, but for `help` itself.
fn commands(of: &[&str]) -> BTreeSet<String> {
    let help = help(of);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The options of a command and of the commands below it, but for those that all have.
fn options(of: &[&str]) -> BTreeSet<String> {
    let mut options: BTreeSet<String> = words_behind(&help(of), "--").into_iter().map(str::to_owned).collect();
    options.retain(|option| !["config", "help"].contains(&option.as_str()));
    for command in commands(of) {
        options.extend(self::options(&[of, &[command.as_str()]].concat()));
    }
    options
}

/// The words of small letters and dashes that stand right behind `sign`; what begins with a dash (a table's rule) is none.
fn words_behind<'t>(text: &'t str, sign: &str) -> BTreeSet<&'t str> {
    let is_part = |character: char| character.is_ascii_lowercase() || character == '-';
    let word = |rest: &'t str| &rest[..rest.find(|character| !is_part(character)).unwrap_or(rest.len())];
    text.split(sign).skip(1).map(word).filter(|word| word.starts_with(|first: char| first != '-')).collect()
}

/// The anchor that a heading gets where the pages are read.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'));
    kept.map(|character| if character == ' ' { '-' } else { character }).collect()
}

fn anchors(document: &Document) -> BTreeSet<String> {
    let (prose, _) = split(document);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

#[test]
fn files_in_the_pages_pass_the_check() {
    let mut checked = 0;
    for document in documents() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for folder in ["inventories", "jobs"] {
            fs::create_dir(directory.path().join(folder)).expect("a folder");
        }
        let (_, blocks) = split(&document);
        for (file, block) in blocks.iter().filter_map(|block| Some((file_of(block)?, block))) {
            let path = directory.path().join(&file);
            assert!(!path.exists(), "{}: `{file}` is there twice", document.path.display());
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, &block.text).expect("a file");
            checked += 1;
        }
        assert_passes(directory.path(), &document.path.display().to_string());
    }
    assert!(checked >= 5, "README and docs/files.md show whole files");
}

#[test]
fn commands_in_the_pages_exist() {
    let known = commands(&[]);
    for document in documents() {
        let signs = ["`turnus ", "$ turnus ", "\"turnus ", "&& turnus "];
        for word in signs.iter().flat_map(|sign| words_behind(&document.text, sign)) {
            assert!(known.contains(word), "{}: `turnus {word}` does not exist", document.path.display());
        }
    }
}

#[test]
fn every_command_is_described_with_all_its_options() {
    let document =
        documents().into_iter().find(|document| document.path.ends_with("commands.md")).expect("commands.md");
    let sections: Vec<_> =
        document.text.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    let described: BTreeSet<_> =
        sections.iter().filter_map(|(heading, _)| heading.strip_prefix("turnus ")).map(str::to_owned).collect();
    assert_eq!(described, commands(&[]));
    for (heading, section) in sections {
        let Some(command) = heading.strip_prefix("turnus ") else { continue };
        let told: BTreeSet<String> = words_behind(section, "--").into_iter().map(str::to_owned).collect();
        assert_eq!(told, options(&[command]), "options of `turnus {command}`");
    }
}

#[test]
fn links_lead_somewhere() {
    let documents = documents();
    let mut followed = 0;
    for document in &documents {
        let (prose, _) = split(document);
        // A link may be broken across lines.
        let prose = prose.replace('\n', " ");
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            if link.contains("://") {
                continue;
            }
            let (file, fragment) = link.split_once('#').map_or((link, None), |(file, fragment)| (file, Some(fragment)));
            let target = if file.is_empty() { document.path.clone() } else { document.path.with_file_name(file) };
            let place = format!("{}: `{link}`", document.path.display());
            assert!(Path::new(ROOT).join(&target).exists(), "{place} leads nowhere");
            if let Some(fragment) = fragment {
                let page = documents.iter().find(|page| page.path == target).expect("fragments are of pages");
                assert!(anchors(page).contains(fragment), "{place}: there is no such heading");
            }
            followed += 1;
        }
    }
    assert!(followed > 10, "the pages point to each other");
}
