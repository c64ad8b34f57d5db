//! Which files are found, and which are not read.

use std::fs;
use std::path::Path;

use super::read_wording;

fn directory(files: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for file in files {
        let path = directory.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, file).expect("a file");
    }
    directory
}

fn names(directory: &Path) -> Vec<String> {
    read_wording(directory).expect("directories").into_iter().map(|file| file.file).collect()
}

#[test]
fn files_are_read_in_order() {
    let given = ["templates/mail/moved/text.hbs", "locales/ru.toml", "locales/de.toml", "templates/.git/x", "jobs/x"];
    let expected = ["templates/mail/moved/text.hbs", "locales/de.toml", "locales/ru.toml"];
    let directory = directory(&given);
    assert_eq!(names(directory.path()), expected);
    let files = read_wording(directory.path()).expect("directories");
    assert!(files.iter().all(|file| file.text.as_ref() == Ok(&file.file)));
    assert_eq!(names(Path::new("/nowhere")), [""; 0]);
}

#[test]
fn what_is_endless_or_too_large_is_not_read() {
    let looping = directory(&["templates/mail/x.hbs"]);
    std::os::unix::fs::symlink("..", looping.path().join("templates/mail/up")).expect("a link");
    assert!(names(looping.path()).len() < 10);
    let large = directory(&["locales/de.toml"]);
    let file = fs::File::create(large.path().join("locales/de.toml")).expect("a file");
    file.set_len(1 << 40).expect("a sparse file");
    let problem = read_wording(large.path()).expect("directories")[0].text.clone().expect_err("too large");
    assert_eq!(problem.what, "the file has more than 262144 bytes");
}
