//! Mail probes as they stand in files.

use super::{ImapCheck, MailServer, Security, SmtpCheck};
use crate::domain::job::SecretReference;
use crate::domain::probe::parse::tests::read;
use crate::domain::probe::{Check, Login};

const LOGIN: &str = "user = \"u\", password = { env = \"P\" }";

fn server(address: &str, security: Security, has_login: bool) -> MailServer {
    let login = Login { user: "u".to_owned(), password: SecretReference::Env("P".to_owned()) };
    MailServer {
        address: address.to_owned(),
        security,
        login: has_login.then_some(login),
        tls_verify: true,
        ca_file: None,
    }
}

fn probe(kind: &str, inside: &str) -> String {
    format!("probe = {{ {kind} = {{ {inside} }} }}")
}

#[test]
fn smtp_wants_starttls_unless_the_file_says_otherwise() {
    let read = |inside: &str| read(&probe("smtp", inside)).unwrap().check;
    let check = SmtpCheck { server: server("$ADDRESS:25", Security::StartTls, false), from: None, rcpt: None };
    assert_eq!(read("address = \"$ADDRESS:25\""), Check::Smtp(check));
    let check = SmtpCheck {
        server: server("h:465", Security::Tls, true),
        from: Some("a@b.example".to_owned()),
        rcpt: Some("c@d.example".to_owned()),
    };
    let text = "address = \"h:465\", security = \"tls\", from = \"a@b.example\", rcpt = \"c@d.example\"";
    let check = Check::Smtp(check);
    assert_eq!(read(&format!("{text}, {LOGIN}")), check);
    assert_eq!(check.secrets(), [("smtp_password", &SecretReference::Env("P".to_owned()))]);
}

#[test]
fn imap_wants_tls_and_opens_the_inbox() {
    let check = ImapCheck { server: server("h:993", Security::Tls, true), mailbox: "INBOX".to_owned() };
    assert_eq!(read(&probe("imap", &format!("address = \"h:993\", {LOGIN}"))).unwrap().check, Check::Imap(check));
}

#[test]
fn a_round_trip_has_time_for_the_way_and_two_passwords() {
    let text = |more: &str| {
        let servers = format!("smtp = {{ address = \"h:587\", {LOGIN} }}, imap = {{ address = \"h:993\", {LOGIN} }}");
        probe("mail_round_trip", &format!("{servers}, from = \"a@b.example\", to = \"c@d.example\"{more}"))
    };
    let usual = read(&text("")).unwrap();
    assert_eq!(usual.patience.timeout_s, 90);
    let names: Vec<_> = usual.check.secrets().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["smtp_password", "imap_password"]);
    assert_eq!(read(&text(", arrives_within = \"5m\"")).unwrap().patience.timeout_s, 330);
    assert_eq!(read(&text(", timeout = \"61s\"")).unwrap().patience.timeout_s, 61);
    let short = read(&text(", timeout = \"60s\"")).unwrap_err();
    assert!(short.contains("a try would end before the message may arrive"), "{short}");
}

#[test]
fn mistakes_are_told_all_at_once() {
    let check = |kind: &str, inside: &str, words: &[&str]| {
        let told = read(&probe(kind, inside)).unwrap_err();
        words.iter().for_each(|words| assert!(told.contains(words), "`{words}` in {told}"));
    };
    let clear = format!("address = \"h\", security = \"none\", from = \"a@b.example\", tls_verify = false, {LOGIN}");
    check("smtp", &clear, &["`host:port`", "in clear", "`tls_verify` is of no use", "`from` is of use with `rcpt`"]);
    check("smtp", "address = \"h:1\", user = \"u\"", &["`password` is missing"]);
    check("smtp", "address = \"h:1\", user = \"u\", password = \"x\"", &["holds a secret in clear"]);
    check("imap", "address = \"h:1\", mailbox = \"Entwürfe\"", &["modified UTF-7", "after a login only"]);
    check("mail_round_trip", "imap = { address = \"h:1\" }, to = \"x\"", &["`smtp`", "`from`", "nobody logs in"]);
}
