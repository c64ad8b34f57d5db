//! `mail_round_trip` from aiosmtpd by LMTP to Dovecot.

use turnus::domain::probe::mail::IMAP_PASSWORD;
use turnus::domain::probe::{Check, ImapCheck, MailServer, RoundTripCheck, Security};
use turnus::edge::probe::Finding;

use super::super::silent_server;
use super::{ask, assert_green, assert_red, mail_server};
use crate::kit::dovecot::{Dovecot, PASSWORD, USER};
use crate::kit::smtp::{SmtpOptions, SmtpServer};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// What it takes goes on to `dovecot`, if that is to be so.
fn start_smtp(dovecot: &Dovecot, hands_over: bool) -> SmtpServer {
    let hands_over_to = hands_over.then_some(dovecot.lmtp);
    SmtpServer::start_at(dovecot.address.clone(), SmtpOptions { hands_over_to, ..SmtpOptions::default() })
}

async fn go(smtp: MailServer, dovecot: &Dovecot, password: &str, to: &str) -> Finding {
    go_within(10, smtp, dovecot, password, to).await
}

async fn go_within(arrives_within_s: u64, smtp: MailServer, dovecot: &Dovecot, password: &str, to: &str) -> Finding {
    let server = mail_server(&dovecot.address, dovecot.imaps, Security::Tls, Some(&dovecot.ca_file), Some(USER));
    let check = RoundTripCheck {
        smtp,
        imap: ImapCheck { server, mailbox: "INBOX".to_owned() },
        from: "turnus@provider.example".to_owned(),
        to: to.to_owned(),
        arrives_within_s,
    };
    ask(Check::MailRoundTrip(Box::new(check)), &[(IMAP_PASSWORD, password)]).await
}

fn by(server: &SmtpServer) -> MailServer {
    mail_server(&server.address, server.port, Security::None, None, None)
}

/// Messages that are none of a probe's business, and one that is.
fn fill(dovecot: &Dovecot) {
    dovecot.put("letter", &format!("Subject: turnus probe {TOKEN}\n\nno header\n"), 9);
    dovecot.put("foreign", "Subject: x\nX-Turnus-Probe: see the manual\n\nno token\n", 9);
    dovecot.put("young", &format!("Subject: x\nX-Turnus-Probe: {TOKEN}\n\nof today\n"), 0);
    dovecot.put("old", &format!("Subject: x\nX-Turnus-Probe: {TOKEN}\n\nlost last week\n"), 9);
    dovecot.put("flagged", "Subject: x\n\nflagged by its reader\n", 9);
}

fn names(dovecot: &Dovecot) -> Vec<String> {
    let mut names: Vec<_> = dovecot.messages().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_message_arrives_and_is_removed_with_leftovers_and_nothing_else() {
    let dovecot = Dovecot::start(None);
    let smtp = start_smtp(&dovecot, true);
    fill(&dovecot);
    let finding = go(by(&smtp), &dovecot, PASSWORD, USER).await;
    assert_green(&finding, &["mail to probe@customer.example: arrived after ", " s"]);
    let took_s = finding.what.split(' ').rev().nth(1).and_then(|number| number.parse::<f64>().ok());
    assert!(took_s.is_some_and(|took_s| (0.6..10.0).contains(&took_s)), "it is looked for again: {}", finding.what);
    assert_eq!(names(&dovecot), ["flagged:2,", "foreign:2,", "letter:2,", "young:2,"]);
    let [letter] = <[_; 1]>::try_from(smtp.letters()).unwrap();
    let token = letter.header("X-Turnus-Probe").expect("the header");
    assert!(letter.header("Subject").unwrap().contains(token), "{}", letter.raw);
    assert!(letter.message_id().contains(token), "{}", letter.raw);
    go(by(&smtp), &dovecot, PASSWORD, USER).await;
    assert_ne!(smtp.letters()[1].header("X-Turnus-Probe"), Some(token), "each has a token of its own");
}

#[tokio::test]
async fn without_uidplus_the_message_is_only_flagged() {
    let dovecot = Dovecot::start(Some("IMAP4rev1"));
    let smtp = start_smtp(&dovecot, true);
    dovecot.put("letter", "Subject: x\n\nstays\n", 9);
    assert_green(&go(by(&smtp), &dovecot, PASSWORD, USER).await, &["arrived after "]);
    let messages = dovecot.messages();
    assert_eq!(messages.len(), 2, "{messages:?}");
    for (name, text) in messages {
        assert_eq!(name.ends_with('T'), text.contains("X-Turnus-Probe"), "trashed: {name}");
    }
}

#[tokio::test]
async fn a_message_that_never_arrives_is_red() {
    let dovecot = Dovecot::start(None);
    let smtp = start_smtp(&dovecot, false);
    let finding = go_within(2, by(&smtp), &dovecot, PASSWORD, USER).await;
    assert_red(&finding, &["imap", "the message did not appear in `INBOX` within 2 s"]);
    assert_eq!(smtp.letters().len(), 1, "it was sent");
}

#[tokio::test]
async fn nothing_is_sent_where_nobody_could_find_it() {
    let dovecot = Dovecot::start(None);
    let smtp = start_smtp(&dovecot, true);
    assert_red(&go(by(&smtp), &dovecot, "wrong-horse", USER).await, &["imap", "AUTHENTICATIONFAILED"]);
    assert!(smtp.letters().is_empty());
}

#[tokio::test]
async fn a_refusal_names_the_server_that_refused() {
    let dovecot = Dovecot::start(None);
    let smtp = start_smtp(&dovecot, true);
    assert_red(&go(by(&smtp), &dovecot, PASSWORD, "never@customer.example").await, &["smtp", "5.1.1"]);
    assert_red(&go(by(&smtp), &dovecot, PASSWORD, "spam@customer.example").await, &["smtp", "looks like spam"]);
    let (listener, port) = silent_server(&smtp.address);
    drop(listener);
    let nobody = mail_server(&smtp.address, port, Security::None, None, None);
    assert_red(&go(nobody, &dovecot, PASSWORD, USER).await, &["smtp", "refused"]);
}
