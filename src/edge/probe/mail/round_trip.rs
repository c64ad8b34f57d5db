//! A message that arrives: submitted to one server, found on another, and cleared away.

#![expect(clippy::disallowed_methods, reason = "leftovers are told by their age")]

use std::fmt::Write;
use std::time::Duration;

use async_imap::Session;
use futures_util::{Stream, StreamExt, TryStreamExt};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::transport::smtp::commands::Data;
use tokio::time::{Instant, sleep};

use super::line::Line;
use super::smtp::Talk;
use super::{Peer, imap};
use crate::domain::probe::RoundTripCheck;
use crate::domain::probe::mail::{IMAP_PASSWORD, SMTP_PASSWORD};
use crate::edge::probe::{Scene, chain};

/// The header by which turnus knows its own messages.
const HEADER: &str = "X-Turnus-Probe";
/// Time between two looks into the mailbox.
const LOOK: Duration = Duration::from_millis(500);
/// `BEFORE` compares days in a zone of the server's choice, up to 12 hours from ours: so no message of the last 24 hours is meant.
const LEFTOVER_AGE: SignedDuration = SignedDuration::from_hours(36);
/// So many leftovers are removed at once.
const MAX_LEFTOVERS: usize = 50;

/// Opens the mailbox first, so that nothing is sent that nobody could find.
pub(in crate::edge::probe) async fn ask(check: &RoundTripCheck, scene: &Scene<'_>) -> Result<String, String> {
    let sender = Peer::of(&check.smtp, SMTP_PASSWORD, scene)?;
    let reader = Peer::of(&check.imap.server, IMAP_PASSWORD, scene)?;
    let at = |word: &'static str, peer: &Peer<'_>, why: &str| {
        format!("mail to {}: {word} {}: {}", check.to, peer.address, sender.told(&reader.told(why)))
    };
    let from_smtp = |why: String| at("smtp", &sender, &why);
    let from_imap = |why: String| at("imap", &reader, &why);
    let mut mailbox = Mailbox::open(&reader, &check.imap.mailbox).await.map_err(from_imap)?;
    let token = make_token()?;
    let message = compose(check, &token)?;
    let mut talk = Talk::open(&sender).await.map_err(from_smtp)?;
    submit(&mut talk, check, message).await.map_err(from_smtp)?;
    let since = Instant::now();
    talk.close().await;
    let limit = Duration::from_secs(check.arrives_within_s);
    let Some(uids) = mailbox.wait_for(&token, since + limit).await.map_err(from_imap)? else {
        let (seconds, name) = (check.arrives_within_s, &check.imap.mailbox);
        return Err(at("imap", &reader, &format!("the message did not appear in `{name}` within {seconds} s")));
    };
    let took_s = since.elapsed().as_secs_f64();
    let mut what = format!("mail to {}: arrived after {took_s:.1} s", check.to);
    if let Err(why) = mailbox.clear_away(&uids).await {
        let _ = write!(what, "; it could not be removed: {}", reader.told(&why));
    }
    Ok(what)
}

/// 128 random bits as hexadecimal digits: nothing else in a mailbox has it.
fn make_token() -> Result<String, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn is_token(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn compose(check: &RoundTripCheck, token: &str) -> Result<Vec<u8>, String> {
    let mailbox = |text: &str| text.parse().map_err(|error| format!("`{text}`: {}", chain(&error)));
    let domain = check.from.rsplit_once('@').map_or("turnus.invalid", |(_, domain)| domain);
    let text = "A test of the mail servers by turnus. It is removed by itself; it may be deleted.\r\n".to_owned();
    let built = Message::builder()
        .from(mailbox(&check.from)?)
        .to(mailbox(&check.to)?)
        .subject(format!("turnus probe {token}"))
        .message_id(Some(format!("<{token}@{domain}>")))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(HEADER), token.to_owned()))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .body(text);
    Ok(built.map_err(|error| format!("can't make the message: {}", chain(&error)))?.formatted())
}

async fn submit(talk: &mut Talk, check: &RoundTripCheck, message: Vec<u8>) -> Result<(), String> {
    talk.name(Some(&check.from), &check.to).await?;
    talk.command(Data, "DATA").await?;
    talk.content(&message).await
}

/// The mailbox in which messages arrive.
struct Mailbox {
    session: Session<Line>,
    /// Whether exactly the named messages can be removed for good: UIDPLUS (RFC 4315).
    expunges: bool,
}

impl Mailbox {
    /// Opens it, and clears away what earlier probes could not.
    async fn open(peer: &Peer<'_>, name: &str) -> Result<Self, String> {
        let mut session = imap::open(peer).await?;
        let capabilities = session.capabilities().await.map_err(|error| chain(&error))?;
        let expunges = capabilities.has_str("UIDPLUS");
        session.select(name).await.map_err(|error| format!("mailbox `{name}`: {}", chain(&error)))?;
        let mut mailbox = Self { session, expunges };
        let day = (Timestamp::now() - LEFTOVER_AGE).to_zoned(TimeZone::UTC).strftime("%d-%b-%Y").to_string();
        let mut old = mailbox.find(&format!("HEADER {HEADER} \"\" BEFORE {day}"), is_token).await?;
        old.truncate(MAX_LEFTOVERS);
        mailbox.remove(&old).await?;
        Ok(mailbox)
    }

    /// The message with the token; none if it has not come by the deadline.
    async fn wait_for(&mut self, token: &str, deadline: Instant) -> Result<Option<Vec<u32>>, String> {
        loop {
            // Some servers show what is new after a command only that may show it (RFC 3501, section 7).
            self.session.noop().await.map_err(|error| chain(&error))?;
            let found = self.find(&format!("HEADER {HEADER} \"{token}\""), |value| value == token).await?;
            if !found.is_empty() {
                return Ok(Some(found));
            }
            if Instant::now() + LOOK > deadline {
                return Ok(None);
            }
            sleep(LOOK).await;
        }
    }

    /// The messages of turnus that meet a query and whose token does: the server's word alone is not enough to delete by.
    async fn find(&mut self, query: &str, fits: impl Fn(&str) -> bool) -> Result<Vec<u32>, String> {
        let found = self.session.uid_search(format!("UNDELETED {query}")).await.map_err(|error| chain(&error))?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_unstable();
        found.truncate(MAX_LEFTOVERS);
        let query = format!("(UID BODY.PEEK[HEADER.FIELDS ({HEADER})])");
        let fetched = self.session.uid_fetch(set_of(&found), query).await.map_err(|error| chain(&error))?;
        let fetched: Vec<_> = fetched.try_collect().await.map_err(|error| chain(&error))?;
        let is_meant = |message: &async_imap::types::Fetch| {
            let header = String::from_utf8_lossy(message.header().unwrap_or_default()).into_owned();
            header.split_once(':').is_some_and(|(name, value)| name.eq_ignore_ascii_case(HEADER) && fits(value.trim()))
        };
        let asked_for = |uid: &u32| found.contains(uid);
        Ok(fetched
            .iter()
            .filter(|message| is_meant(message))
            .filter_map(|message| message.uid)
            .filter(asked_for)
            .collect())
    }

    async fn clear_away(mut self, uids: &[u32]) -> Result<(), String> {
        self.remove(uids).await?;
        self.session.logout().await.map_err(|error| chain(&error))
    }

    /// Removes these messages and no others: without UIDPLUS, which would remove what people have flagged as well, they stay flagged.
    async fn remove(&mut self, uids: &[u32]) -> Result<(), String> {
        if uids.is_empty() {
            return Ok(());
        }
        let set = set_of(uids);
        let flagged = self.session.uid_store(&set, "+FLAGS.SILENT (\\Deleted \\Seen)").await;
        drain(flagged.map_err(|error| chain(&error))?).await?;
        if self.expunges {
            drain(self.session.uid_expunge(&set).await.map_err(|error| chain(&error))?).await?;
        }
        Ok(())
    }
}

fn set_of(uids: &[u32]) -> String {
    uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// Reads an answer to its end; the next command may be sent only then.
async fn drain<T>(answer: impl Stream<Item = async_imap::error::Result<T>>) -> Result<(), String> {
    let mut answer = std::pin::pin!(answer);
    while let Some(part) = answer.next().await {
        part.map_err(|error| chain(&error))?;
    }
    Ok(())
}
