//! Probes of mail servers: aiosmtpd takes mail, Dovecot shows it.

mod imap;
mod round_trip;
mod smtp;

use std::collections::BTreeMap;
use std::path::Path;

use turnus::domain::job::SecretReference;
use turnus::domain::probe::{Check, Login, MailServer, Security};
use turnus::edge::probe::Finding;

/// One try of at most 20 seconds with these values of the secrets.
async fn ask(check: Check, secrets: &[(&'static str, &str)]) -> Finding {
    let secrets: BTreeMap<_, _> = secrets.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    super::ask_for(check, "127.0.0.1", &secrets, 20).await
}

#[track_caller]
fn assert_green(finding: &Finding, words: &[&str]) {
    words.iter().for_each(|words| super::assert_green(finding, words));
}

#[track_caller]
fn assert_red(finding: &Finding, words: &[&str]) {
    words.iter().for_each(|words| super::assert_red(finding, words));
}

/// A mail server at `address:port`, with a login of `user` if there is one.
pub(super) fn mail_server(
    address: &str,
    port: u16,
    security: Security,
    ca_file: Option<&Path>,
    user: Option<&str>,
) -> MailServer {
    MailServer {
        address: format!("{address}:{port}"),
        security,
        login: user.map(|user| Login { user: user.to_owned(), password: SecretReference::Env("UNUSED".to_owned()) }),
        tls_verify: true,
        ca_file: ca_file.map(|path| path.display().to_string()),
    }
}
