//! Letters become files: whole ones, once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Directory;
use crate::domain::settings::delivery;
use crate::edge::mail::{Error, Letter, Mailbox, Mailer, Refusal, compose};

fn letter(id: &str) -> Letter {
    let mailbox = |address: &str| Mailbox { name: None, address: address.to_owned() };
    Letter {
        message_id: id.to_owned(),
        sent_at: "2026-12-01T08:05:09Z".parse().unwrap(),
        from: mailbox("wartung@systemhaus.example"),
        reply_to: None,
        to: mailbox("it@nordwind.example"),
        subject: "Wartung".to_owned(),
        text: "Guten Tag".to_owned(),
        html: None,
        logo: None,
        calendar: None,
        attachments: Vec::new(),
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_letter_that_is_sent_twice_is_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("post/out");
    let settings = delivery::Mailer::File { directory: path.display().to_string() };
    let mailer = Mailer::open(&settings, None).unwrap();
    for id in ["1@turnus.example", "2@turnus.example", "1@turnus.example"] {
        mailer.send(&letter(id)).await.unwrap();
    }
    assert_eq!(names(&path), ["1@turnus.example.eml", "2@turnus.example.eml"]);
    let file = path.join("1@turnus.example.eml");
    assert_eq!(fs::read(&file).unwrap(), compose(&letter("1@turnus.example")).unwrap());
    assert_eq!((mode(&path), mode(&file)), (0o700, 0o600), "letters are for their recipients");
}

#[tokio::test]
async fn a_letter_with_a_page_can_be_looked_at_without_a_mail_program() {
    let directory = tempfile::tempdir().unwrap();
    let opened = Directory::open(directory.path()).unwrap();
    let page = "<p>Guten Tag, Größe</p>";
    opened.write(&Letter { html: Some(page.to_owned()), ..letter("1@turnus.example") }).await.unwrap();
    assert_eq!(names(directory.path()), ["1@turnus.example.eml", "1@turnus.example.html"]);
    assert_eq!(fs::read_to_string(directory.path().join("1@turnus.example.html")).unwrap(), page);
    assert_eq!(mode(&directory.path().join("1@turnus.example.html")), 0o600);
}

#[tokio::test]
async fn a_directory_that_went_away_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("post");
    let opened = Directory::open(&path).unwrap();
    fs::remove_dir(&path).unwrap();
    opened.write(&letter("1@turnus.example")).await.unwrap();
    assert_eq!(names(&path), ["1@turnus.example.eml"]);
}

#[tokio::test]
async fn a_place_that_can_be_no_directory_is_for_the_settings() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("post");
    let opened = Directory::open(&path).unwrap();
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "a file").unwrap();
    let error = Directory::open(&path).unwrap_err();
    assert!(matches!(error, Error::Directory { .. }), "{error:?}");
    assert!(matches!(Refusal::from(error), Refusal::Misconfigured { .. }));
    let refusal = opened.write(&letter("1@turnus.example")).await.unwrap_err();
    assert!(!refusal.is_permanent(), "{refusal:?}");
    assert!(refusal.to_string().starts_with(&format!("could not write `{}/1@turnus.example.eml`", path.display())));
}
