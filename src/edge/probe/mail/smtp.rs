//! A server that takes mail (RFC 5321).

use std::fmt::Display;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;

use super::Peer;
use super::line::Line;
use crate::domain::probe::mail::SMTP_PASSWORD;
use crate::domain::probe::{Security, SmtpCheck};
use crate::edge::probe::certificates::read_certificates;
use crate::edge::probe::{Scene, chain, host_of};

/// Greets, logs in if there is a login, names a recipient if there is one, and takes leave. Nothing is sent.
pub(in crate::edge::probe) async fn ask(check: &SmtpCheck, scene: &Scene<'_>) -> Result<String, String> {
    let peer = Peer::of(&check.server, SMTP_PASSWORD, scene)?;
    let told = |why: String| format!("smtp {}: {}", peer.address, peer.told(&why));
    let mut talk = Talk::open(&peer).await.map_err(told)?;
    if let Some(rcpt) = &check.rcpt {
        talk.name(check.from.as_deref(), rcpt).await.map_err(told)?;
        talk.command(Rset, "RSET").await.map_err(told)?;
    }
    let mut what = talk.what();
    if let Some(rcpt) = &check.rcpt {
        what = format!("{what}, takes mail for `{rcpt}`");
    }
    talk.close().await;
    Ok(told(what))
}

/// A conversation with a server that waits for commands.
pub(super) struct Talk {
    connection: AsyncSmtpConnection,
    /// The server's first line.
    banner: String,
    /// What was done since.
    done: String,
}

impl Talk {
    /// Connects, and logs in if there is a login.
    pub(super) async fn open(peer: &Peer<'_>) -> Result<Self, String> {
        let mut line = Line::connect(peer).await?;
        if peer.server.security == Security::Tls {
            line = line.protect(peer).await?;
        }
        let heard = line.heard();
        let hello = ClientId::default();
        let connected = AsyncSmtpConnection::connect_with_transport(Box::new(line), &hello).await;
        let connection = connected
            .map_err(|error| format!("expected an SMTP server, found `{}`: {}", heard.first_line(), chain(&error)))?;
        let mut talk = Self { connection, banner: heard.first_line(), done: String::new() };
        if peer.server.security == Security::StartTls {
            talk.connection.starttls(tls(peer)?, &hello).await.map_err(|error| at("STARTTLS", &error))?;
            talk.done.push_str(", STARTTLS");
        }
        if let Some((user, password)) = peer.login {
            let credentials = Credentials::from((user, password));
            let login = talk.connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            login.map_err(|error| at(&format!("login of `{user}`"), &error))?;
            talk.done.push_str(&format!(", logged in as `{user}`"));
        }
        Ok(talk)
    }

    /// `MAIL FROM` and `RCPT TO`.
    pub(super) async fn name(&mut self, from: Option<&str>, rcpt: &str) -> Result<(), String> {
        let address = |text: &str| text.parse::<Address>().map_err(|error| format!("`{text}`: {}", chain(&error)));
        let sender = from.map(address).transpose()?;
        let mail = Mail::new(sender, Vec::new());
        self.command(mail, &format!("sender `<{}>`", from.unwrap_or_default())).await?;
        self.command(Rcpt::new(address(rcpt)?, Vec::new()), &format!("recipient `{rcpt}`")).await
    }

    pub(super) async fn command(&mut self, command: impl Display, stage: &str) -> Result<(), String> {
        self.connection.command(command).await.map(|_| ()).map_err(|error| at(stage, &error))
    }

    /// What follows `DATA`, and the answer to it.
    pub(super) async fn content(&mut self, message: &[u8]) -> Result<(), String> {
        self.connection.message(message).await.map(|_| ()).map_err(|error| at("message", &error))
    }

    fn what(&self) -> String {
        format!("`{}`{}", self.banner.trim_end(), self.done)
    }

    /// Whatever is answered: there is nothing left to know.
    pub(super) async fn close(mut self) {
        self.connection.abort().await;
    }
}

fn at(stage: &str, error: &Error) -> String {
    format!("{stage}: {}", chain(error))
}

fn tls(peer: &Peer<'_>) -> Result<TlsParameters, String> {
    let refuse = |error: Error| format!("can't set up TLS: {}", chain(&error));
    let mut builder = TlsParameters::builder(host_of(&peer.address).to_owned());
    for certificate in peer.server.ca_file.as_deref().map(read_certificates).transpose()?.unwrap_or_default() {
        builder = builder.add_root_certificate(Certificate::from_der(certificate.to_vec()).map_err(refuse)?);
    }
    if !peer.server.tls_verify {
        builder = builder.dangerous_accept_invalid_certs(true).dangerous_accept_invalid_hostnames(true);
    }
    builder.build_rustls().map_err(refuse)
}
