//! Reading of real directories with everything that may lie in them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{Error, read_sources};
use crate::domain::catalog::{Source, SourceKind};

/// A directory with `inventories` and `jobs`, and some files in it.
fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for folder in ["inventories", "jobs"] {
        fs::create_dir(directory.path().join(folder)).expect("a folder");
    }
    for (file, content) in files {
        fs::write(directory.path().join(file), content).expect("a file");
    }
    directory
}

fn sources(directory: &Path) -> Vec<Source> {
    read_sources(directory).expect("the directory can be listed")
}

/// What is told of the only file.
fn problem(directory: &Path) -> String {
    let [source] = <[Source; 1]>::try_from(sources(directory)).expect("one file");
    source.text.expect_err("a problem").to_string()
}

#[test]
fn files_come_sorted_with_their_exact_content() {
    let directory = directory(&[
        ("turnus.toml", b"# settings\r\n"),
        ("inventories/b.toml", b"b"),
        ("inventories/a.toml", "\u{feff}ä".as_bytes()),
        ("jobs/j.toml", b""),
        ("jobs/notes.txt", b"not read"),
        ("jobs/j.toml.bak", b"not read"),
        ("jobs/.#j.toml", b"not read"),
        ("other.toml", b"not read"),
    ]);
    fs::create_dir(directory.path().join("calendars")).expect("a folder");
    for (file, content) in [("season.ics", "BEGIN:VCALENDAR"), ("notes.toml", "not read")] {
        fs::write(directory.path().join("calendars").join(file), content).expect("a file");
    }
    let source = |kind, file: &str, text: &str| Source { kind, file: file.to_owned(), text: Ok(text.to_owned()) };
    let expected = [
        source(SourceKind::Settings, "turnus.toml", "# settings\r\n"),
        source(SourceKind::Inventory, "inventories/a.toml", "\u{feff}ä"),
        source(SourceKind::Inventory, "inventories/b.toml", "b"),
        source(SourceKind::Job, "jobs/j.toml", ""),
        source(SourceKind::Calendar, "calendars/season.ics", "BEGIN:VCALENDAR"),
    ];
    assert_eq!(sources(directory.path()), expected);
}

#[test]
fn settings_and_jobs_may_be_missing_inventories_not() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let error = read_sources(directory.path()).expect_err("no inventories");
    assert!(matches!(&error, Error::NoInventories { .. }), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("--config")), "{error}");
    fs::create_dir(directory.path().join("inventories")).expect("a folder");
    assert_eq!(sources(directory.path()), []);
}

#[test]
fn what_should_be_a_folder_and_is_a_file_is_an_error() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("inventories"), "").expect("a file");
    let error = read_sources(directory.path()).expect_err("no folder");
    assert!(matches!(&error, Error::ListDirectory { .. }), "{error}");
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    let directory = directory(&[("jobs/j.toml", b"a = 1\nb = \"\xc3\xa4\xff\"")]);
    assert_eq!(problem(directory.path()), "jobs/j.toml:2:7: the file is not UTF-8 text\n  hint: save it as UTF-8");
}

#[test]
fn files_over_a_mebibyte_are_not_read() {
    let full = vec![b'#'; 1024 * 1024];
    let fits = directory(&[("jobs/j.toml", &full)]);
    assert!(sources(fits.path())[0].text.is_ok());
    let surplus = directory(&[]);
    // A sparse file: reading all of it would be noticed.
    fs::File::create(surplus.path().join("jobs/j.toml")).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
    assert_eq!(
        problem(surplus.path()),
        "jobs/j.toml:1:1: the file has more than 1048576 bytes\n  hint: split it, or is it another file?"
    );
}

#[test]
fn what_is_no_file_is_a_problem_and_hangs_nobody() {
    let folder = directory(&[]);
    fs::create_dir(folder.path().join("jobs/j.toml")).expect("a folder");
    assert_eq!(
        problem(folder.path()),
        "jobs/j.toml:1:1: this is a directory\n  hint: a name that ends in `.toml` or `.ics` is for files"
    );

    let fifo = directory(&[]);
    nix::unistd::mkfifo(&fifo.path().join("jobs/j.toml"), nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    assert_eq!(
        problem(fifo.path()),
        "jobs/j.toml:1:1: this is no regular file\n  hint: a name that ends in `.toml` or `.ics` is for files"
    );
}

#[test]
fn links_are_followed_as_far_as_they_lead() {
    let good = directory(&[("other", b"x = 1")]);
    symlink("../other", good.path().join("jobs/j.toml")).expect("a link");
    assert_eq!(sources(good.path())[0].text.as_deref(), Ok("x = 1"));

    let endless = directory(&[]);
    symlink("j.toml", endless.path().join("jobs/j.toml")).expect("a link");
    let told = problem(endless.path());
    assert!(told.starts_with("jobs/j.toml:1:1: could not read the file: Too many levels of symbolic links"), "{told}");

    let nowhere = directory(&[]);
    symlink("/nowhere", nowhere.path().join("turnus.toml")).expect("a link");
    let told = problem(nowhere.path());
    assert!(told.starts_with("turnus.toml:1:1: could not read the file: No such file"), "{told}");
}

#[test]
fn names_of_files_are_shown_on_one_line() {
    let directory = directory(&[("jobs/a\n\u{1b}[31m.toml", b"")]);
    assert_eq!(sources(directory.path())[0].file, "jobs/a\\n\\u{1b}[31m.toml");
}
