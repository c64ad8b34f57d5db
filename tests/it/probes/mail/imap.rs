//! `imap` against Dovecot.

use turnus::domain::probe::mail::IMAP_PASSWORD;
use turnus::domain::probe::{Check, ImapCheck, MailServer, Security};

use super::super::{ask as ask_soon, babbling_server, silent_server};
use super::{ask, assert_green, assert_red, mail_server};
use crate::kit::dovecot::{Dovecot, PASSWORD, USER};
use crate::kit::sshd::next_address;

const SECRETS: &[(&str, &str)] = &[(IMAP_PASSWORD, PASSWORD)];

fn reach(server: &Dovecot, security: Security) -> MailServer {
    let port = if security == Security::Tls { server.imaps } else { server.imap };
    mail_server(&server.address, port, security, Some(&server.ca_file), Some(USER))
}

fn imap(server: MailServer, mailbox: &str) -> Check {
    Check::Imap(ImapCheck { server, mailbox: mailbox.to_owned() })
}

#[tokio::test]
async fn a_mailbox_is_opened_and_left_as_it_was() {
    let server = Dovecot::start(None);
    server.put("one", "Subject: one\n\nunread\n", 0);
    let before = server.messages();
    for security in [Security::Tls, Security::StartTls] {
        let finding = ask(imap(reach(&server, security), "INBOX"), SECRETS).await;
        assert_green(&finding, &["Dovecot", "logged in as `probe@customer.example`", "`INBOX` has 1 messages"]);
    }
    let plain = mail_server(&server.address, server.imap, Security::None, None, None);
    assert_green(&ask(imap(plain, "INBOX"), &[]).await, &["Dovecot"]);
    assert_eq!(server.messages(), before, "nothing is read, flagged or moved");
}

#[tokio::test]
async fn a_wrong_password_and_a_mailbox_that_is_not_there_are_red() {
    let server = Dovecot::start(None);
    let check = || imap(reach(&server, Security::Tls), "INBOX");
    let finding = ask(check(), &[(IMAP_PASSWORD, "wrong-horse")]).await;
    assert_red(&finding, &["login of `probe@customer.example`", "AUTHENTICATIONFAILED"]);
    let finding = ask(imap(reach(&server, Security::Tls), "Nowhere"), SECRETS).await;
    assert_red(&finding, &["mailbox `Nowhere`", "doesn't exist"]);
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_red_unless_nobody_asks() {
    let (server, other) = (Dovecot::start(None), Dovecot::start(None));
    for security in [Security::Tls, Security::StartTls] {
        let ca_file = Some(other.ca_file.display().to_string());
        let stranger = MailServer { ca_file, ..reach(&server, security) };
        assert_red(&ask(imap(stranger.clone(), "INBOX"), SECRETS).await, &["certificate"]);
        let unverified = MailServer { tls_verify: false, ..stranger };
        assert_green(&ask(imap(unverified, "INBOX"), SECRETS).await, &["logged in"]);
    }
}

#[tokio::test]
async fn nobody_silence_and_nonsense_are_red() {
    let address = next_address();
    let at = |port| imap(mail_server(&address, port, Security::None, None, None), "INBOX");
    let (listener, port) = silent_server(&address);
    assert_red(&ask_soon(at(port), &address).await, &["no answer within 3 s"]);
    drop(listener);
    assert_red(&ask(at(port), &[]).await, &["refused"]);
    assert_red(&ask(at(babbling_server(&address, b"220 mail ready\r\n")), &[]).await, &["found `220 mail ready`"]);
    assert_red(&ask(at(babbling_server(&address, b"* BYE too busy\r\n")), &[]).await, &["found `* BYE too busy`"]);
}
