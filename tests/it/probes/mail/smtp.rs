//! `smtp` against aiosmtpd.

use turnus::domain::probe::mail::SMTP_PASSWORD;
use turnus::domain::probe::{Check, MailServer, Security, SmtpCheck};

use super::super::{ask as ask_soon, babbling_server, silent_server};
use super::{ask, assert_green, assert_red, mail_server};
use crate::kit::smtp::{Noted, SmtpOptions, SmtpServer};
use crate::kit::sshd::next_address;

const PASSWORD: &str = "correct horse";
const SECRETS: &[(&str, &str)] = &[(SMTP_PASSWORD, PASSWORD)];

fn start(security: Security) -> SmtpServer {
    use turnus::domain::settings::delivery;
    let (security, login) = match security {
        Security::StartTls => (delivery::Security::StartTls, Some(("turnus", PASSWORD))),
        Security::Tls => (delivery::Security::Tls, Some(("turnus", PASSWORD))),
        Security::None => (delivery::Security::None, None),
    };
    SmtpServer::start_with(SmtpOptions { security, login, ..SmtpOptions::default() })
}

fn reach(server: &SmtpServer, security: Security) -> MailServer {
    let protected = security != Security::None;
    let ca_file = protected.then_some(server.ca_file.as_path());
    mail_server(&server.address, server.port, security, ca_file, protected.then_some("turnus"))
}

fn smtp(server: MailServer, rcpt: Option<&str>) -> Check {
    Check::Smtp(SmtpCheck { server, from: None, rcpt: rcpt.map(str::to_owned) })
}

#[tokio::test]
async fn a_mail_server_is_green_in_clear_with_starttls_and_with_tls() {
    for security in [Security::None, Security::StartTls, Security::Tls] {
        let server = start(security);
        let finding = ask(smtp(reach(&server, security), Some("it@customer.example")), SECRETS).await;
        assert_green(&finding, &["`220 mail.provider.test", "takes mail for `it@customer.example`"]);
        assert_eq!(finding.what.contains("STARTTLS"), security == Security::StartTls, "{}", finding.what);
        assert_eq!(finding.what.contains("logged in as `turnus`"), security != Security::None, "{}", finding.what);
        assert!(server.letters().is_empty(), "nothing is sent");
        let named = server.record().into_iter().any(|noted| matches!(noted, Noted::Recipient { .. }));
        assert!(named, "the recipient was asked for");
    }
}

#[tokio::test]
async fn a_refused_recipient_or_sender_is_red() {
    let server = start(Security::None);
    let finding = ask(smtp(reach(&server, Security::None), Some("never@customer.example")), &[]).await;
    assert_red(&finding, &["recipient `never@customer.example`", "5.1.1"]);
    let check = SmtpCheck {
        server: reach(&server, Security::None),
        from: Some("forbidden@customer.example".to_owned()),
        rcpt: Some("it@customer.example".to_owned()),
    };
    assert_red(&ask(Check::Smtp(check), &[]).await, &["sender `<forbidden@customer.example>`", "5.7.1"]);
}

#[tokio::test]
async fn a_wrong_password_is_red_and_not_shown() {
    let server = start(Security::StartTls);
    // This server tells the password that it got.
    let finding = ask(smtp(reach(&server, Security::StartTls), None), &[(SMTP_PASSWORD, "wrong-horse")]).await;
    assert_red(&finding, &["login of `turnus`", "wrong password '***'"]);
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_red_unless_nobody_asks() {
    for security in [Security::StartTls, Security::Tls] {
        let (server, other) = (start(security), start(security));
        let stranger = MailServer { ca_file: Some(other.ca_file.display().to_string()), ..reach(&server, security) };
        assert_red(&ask(smtp(stranger.clone(), None), SECRETS).await, &["certificate"]);
        assert!(server.record().is_empty(), "no login over a line that is not trusted");
        let unverified = MailServer { tls_verify: false, ..stranger };
        assert_green(&ask(smtp(unverified, None), SECRETS).await, &["logged in as `turnus`"]);
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_password() {
    let server = start(Security::None);
    let plain = mail_server(&server.address, server.port, Security::StartTls, None, Some("turnus"));
    assert_red(&ask(smtp(plain, None), SECRETS).await, &["STARTTLS"]);
    assert!(server.record().is_empty(), "no login in clear");
}

#[tokio::test]
async fn nobody_silence_and_nonsense_are_red() {
    let address = next_address();
    let at = |port| smtp(mail_server(&address, port, Security::None, None, None), None);
    let (listener, port) = silent_server(&address);
    assert_red(&ask_soon(at(port), &address).await, &["no answer within 3 s"]);
    drop(listener);
    assert_red(&ask(at(port), &[]).await, &["refused"]);
    let ssh = babbling_server(&address, b"SSH-2.0-OpenSSH_9.2\r\n");
    assert_red(&ask(at(ssh), &[]).await, &["found `SSH-2.0-OpenSSH_9.2`"]);
    assert_red(&ask(at(babbling_server(&address, b"554 5.3.2 closed today\r\n")), &[]).await, &["closed today"]);
}
