//! A server that shows mailboxes (RFC 3501).

use async_imap::imap_proto::{Response, Status};
use async_imap::{Client, Session};

use super::Peer;
use super::line::Line;
use crate::domain::probe::mail::IMAP_PASSWORD;
use crate::domain::probe::{ImapCheck, Security};
use crate::edge::probe::{Scene, chain};

/// Logs in and opens the mailbox for reading only; without login the server must greet.
pub(in crate::edge::probe) async fn ask(check: &ImapCheck, scene: &Scene<'_>) -> Result<String, String> {
    let peer = Peer::of(&check.server, IMAP_PASSWORD, scene)?;
    let told = |why: String| format!("imap {}: {}", peer.address, peer.told(&why));
    let (client, greeting) = greet(&peer).await.map_err(told)?;
    let Some((user, _)) = peer.login else { return Ok(told(format!("`{greeting}`"))) };
    let mut session = log_in(client, &peer).await.map_err(told)?;
    let name = &check.mailbox;
    let mailbox = session.examine(name).await.map_err(|error| told(format!("mailbox `{name}`: {}", chain(&error))))?;
    // Whatever is answered: there is nothing left to know.
    let _ = session.logout().await;
    Ok(told(format!("`{greeting}`, logged in as `{user}`, `{name}` has {} messages", mailbox.exists)))
}

/// Connects, and logs in with the login that must be there.
pub(super) async fn open(peer: &Peer<'_>) -> Result<Session<Line>, String> {
    let (client, _) = greet(peer).await?;
    log_in(client, peer).await
}

/// A line that is protected as it should be, and the server's first line.
async fn greet(peer: &Peer<'_>) -> Result<(Client<Line>, String), String> {
    let mut line = Line::connect(peer).await?;
    if peer.server.security == Security::Tls {
        line = line.protect(peer).await?;
    }
    let heard = line.heard();
    let mut client = Client::new(line);
    let greeted = client.read_response().await.map_err(|error| chain(&error));
    let why = match &greeted {
        Ok(Some(answer)) => match answer.parsed() {
            Response::Data { status: Status::Ok, .. } => None,
            _ => Some("no greeting of IMAP".to_owned()),
        },
        Ok(None) => Some("the connection ended".to_owned()),
        Err(error) => Some(error.clone()),
    };
    let greeting = heard.first_line();
    if let Some(why) = why {
        return Err(format!("expected an IMAP server, found `{greeting}`: {why}"));
    }
    if peer.server.security == Security::StartTls {
        client
            .run_command_and_check_ok("STARTTLS", None)
            .await
            .map_err(|error| format!("STARTTLS: {}", chain(&error)))?;
        // What came in clear before TLS is dropped with the client.
        client = Client::new(client.into_inner().protect(peer).await?);
    }
    Ok((client, greeting))
}

async fn log_in(client: Client<Line>, peer: &Peer<'_>) -> Result<Session<Line>, String> {
    let (user, password) = peer.login.ok_or("nobody logs in")?;
    let login = client.login(user, password).await;
    login.map_err(|(error, _)| format!("login of `{user}`: {}", chain(&error)))
}
