//! Mail servers.
//!
//! Invariants: nothing that a server says brings a password into a finding; more than a MiB is read from no server.

pub(super) mod imap;
mod line;
pub(super) mod round_trip;
pub(super) mod smtp;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Scene;
use crate::domain::probe::MailServer;
use crate::domain::probe::template::fill_in;

/// A target of the log that must be silent: it traces what goes over the line, with the password of the login.
pub const SHOWS_PASSWORDS: &str = "async_imap::imap_stream";

/// So many characters of what went wrong fit into a finding.
const WHAT_LIMIT: usize = 300;

/// A mail server as one try needs it.
struct Peer<'a> {
    /// From where it is asked.
    scene: &'a Scene<'a>,
    server: &'a MailServer,
    /// `host:port`, filled in.
    address: String,
    /// Name and password.
    login: Option<(&'a str, &'a str)>,
}

impl<'a> Peer<'a> {
    /// `secret` is the name of the password among the secrets of the scene.
    fn of(server: &'a MailServer, secret: &str, scene: &'a Scene<'a>) -> Result<Self, String> {
        let address = fill_in(&server.address, scene.target)?;
        let login = match &server.login {
            None => None,
            Some(login) => {
                let password = scene.secrets.get(secret).ok_or_else(|| format!("there is no `{secret}`"))?;
                Some((login.user.as_str(), password.as_str()))
            }
        };
        Ok(Self { scene, server, address, login })
    }

    /// Fit for a finding: without the password in any form that goes over the line, without control characters, and short.
    fn told(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some((user, password)) = self.login.filter(|(_, password)| !password.is_empty()) {
            // IMAP quotes it (RFC 3501, section 4.3), and errors quote what was quoted.
            let quoted = password.replace('\\', "\\\\").replace('"', "\\\"");
            let debugged = |text: &str| text.escape_debug().to_string();
            let mut forms = vec![STANDARD.encode(format!("\0{user}\0{password}")), STANDARD.encode(password)];
            forms.extend([debugged(&quoted), debugged(password), quoted, password.to_owned()]);
            forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
            for form in forms {
                text = text.replace(&form, "***");
            }
        }
        text.trim().chars().filter(|character| !character.is_control()).take(WHAT_LIMIT).collect()
    }
}
