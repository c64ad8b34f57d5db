//! Sends what is due: takes messages, makes letters of them, hands these to the mail server, and writes down what came of it.
//!
//! Knows the outbox, the words and the mailer; does not know who asks for a pass: a daemon or a person. Invariants: no transaction is
//! open while something is on its way to a mail server; of one process one letter at a time is between the mail server's yes and our
//! commit, so that a process that dies leaves at most one that is sent twice, under the same Message-ID; what can't be made into a
//! letter, or makes trouble, holds up no other message.

#![expect(clippy::disallowed_methods, reason = "spreads retries by chance")]

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use futures_util::FutureExt;
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::facts::{Facts, find_overtaken, read_facts};
use self::letter::write_letter;
pub use self::office::{Office, Post};
use super::controller::clock::Clock;
use super::period;
use crate::domain::line::clean_line;
use crate::domain::notification::Kind;
use crate::domain::notification::patience::{outage_wait_s, wait_s};
use crate::domain::period::Period;
use crate::edge::mail::{Letter, Refusal};
use crate::edge::store::Store;
use crate::edge::store::error::{Error as StoreError, Kind as StoreKind};
use crate::edge::store::notification::StoredNotification;
use crate::edge::store::notification::attempt::{
    Attempt, Blame, give_back, mark_overtaken, mark_put_off, mark_sent, mark_undeliverable, renew,
};
use crate::edge::store::notification::lease::{Claim, claim_due};

pub(super) mod calendar;
mod facts;
mod letter;
mod matter;
mod office;

/// So many messages are made into letters at the same time.
const PARALLEL: usize = 4;
/// A letter is made, and has its turn, within this time; after it another takes the message.
const PREPARING: Duration = Duration::from_secs(300);
/// After so many messages in a row that the mail server did not take for now, the others wait for the next pass.
const ENOUGH: u32 = 3;
/// A sent letter is noted within so many attempts, a second apart.
const NOTING: u32 = 10;
/// Longest text that is kept of why a message was not sent, in characters.
const WHY_CHARS: usize = 500;

/// What a pass has come to, in messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The mail server has taken them.
    pub sent: u32,
    /// They could not be sent for now.
    pub put_off: u32,
    /// They can't be delivered.
    pub undeliverable: u32,
    /// They would have come too late.
    pub overtaken: u32,
    /// Why the pass was broken off, if it was.
    pub outage: Option<String>,
}

/// One pass: sends what is due by `clock`, until nothing is, or `stop`, or an outage.
///
/// # Errors
/// If the database can't be used. Whose lease is left is sent by the next pass after it has lapsed.
pub async fn post_due(
    post: &Post,
    store: &Store,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<Tally, StoreError> {
    let pass = Pass { post, store, clock, stop, is_broken_off: AtomicBool::new(false), count: Mutex::default() };
    try_join_all((0..PARALLEL).map(|_| work(&pass))).await?;
    let count = pass.count.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(count.tally)
}

/// What the workers of a pass share.
struct Pass<'a> {
    post: &'a Post,
    store: &'a Store,
    clock: &'a Clock,
    stop: &'a CancellationToken,
    is_broken_off: AtomicBool,
    count: Mutex<Count>,
}

#[derive(Default)]
struct Count {
    tally: Tally,
    refused_in_row: u32,
}

impl Pass<'_> {
    fn is_over(&self) -> bool {
        self.stop.is_cancelled() || self.is_broken_off.load(Ordering::Relaxed)
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn break_off(&self, why: &str) {
        if !self.is_broken_off.swap(true, Ordering::Relaxed) {
            tracing::warn!(why, "mail server out of order: messages wait");
            self.count().tally.outage = Some(why.to_owned());
        }
    }
}

/// What comes of one message.
enum Fate {
    Sent,
    /// It would come too late.
    Overtaken(&'static str),
    Refused(Refusal),
    /// No letter can be made of it.
    NotWritten(anyhow::Error),
    /// The pass is over before its turn.
    Left,
    /// Another has taken it meanwhile.
    Lost,
}

async fn work(pass: &Pass<'_>) -> Result<(), StoreError> {
    while !pass.is_over() {
        let Some(message) = take_one(pass).await? else { break };
        let attempt = Attempt::of(&message, &pass.post.by);
        let fate = AssertUnwindSafe(deliver(pass, &message, &attempt)).catch_unwind().await;
        let fate = fate.unwrap_or_else(|_| Ok(Fate::NotWritten(anyhow!("turnus panicked over it"))))?;
        settle(pass, &message, &attempt, fate).await?;
    }
    Ok(())
}

async fn take_one(pass: &Pass<'_>) -> Result<Option<StoredNotification>, StoreError> {
    let Post { by, domain, .. } = pass.post;
    let claim = Claim { by, lease: PREPARING, domain, now: pass.clock.now(), limit: 1 };
    loop {
        let mut transaction = pass.store.begin().await?;
        let mut taken = claim_due(&mut transaction, &claim).await?;
        transaction.commit().await?;
        if let Some(message) = taken.messages.pop() {
            return Ok(Some(message));
        }
        if taken.left_out == 0 {
            return Ok(None);
        }
    }
}

/// Makes a letter, waits for its turn, and hands it over.
async fn deliver(pass: &Pass<'_>, message: &StoredNotification, attempt: &Attempt<'_>) -> Result<Fate, StoreError> {
    let facts = match look_up(pass, message).await {
        Ok(Ok(facts)) => facts,
        Ok(Err(why)) => return Ok(Fate::Overtaken(why)),
        Err(error) if is_of_message(&error) => return Ok(Fate::NotWritten(error.into())),
        Err(error) => return Err(error),
    };
    let facts = match add_period(pass, message, facts).await {
        Ok(facts) => facts,
        Err(error) => return error.downcast().map(Err).unwrap_or_else(|error| Ok(Fate::NotWritten(error))),
    };
    let letter = match write_letter(pass.post, message, &facts, pass.clock.now()).await {
        Ok(letter) => letter,
        Err(error) => return Ok(Fate::NotWritten(error)),
    };
    let _turn = pass.post.turn.lock().await;
    if pass.is_over() {
        return Ok(Fate::Left);
    }
    match begin_sending(pass, message, attempt).await? {
        None => hand_over(pass, attempt, &letter).await,
        Some(fate) => Ok(fate),
    }
}

/// What the message is about, in one transaction; or why it would come too late.
async fn look_up(pass: &Pass<'_>, message: &StoredNotification) -> Result<Result<Facts, &'static str>, StoreError> {
    let now = pass.clock.now();
    let mut transaction = pass.store.begin().await?;
    if let Some(why) = find_overtaken(&mut transaction, message, now).await? {
        return Ok(Err(why));
    }
    let facts = read_facts(&mut transaction, pass.post, message, now).await?;
    transaction.commit().await?;
    Ok(Ok(facts))
}

/// What was done in a period is added up from many records, in transactions of its own.
async fn add_period(pass: &Pass<'_>, message: &StoredNotification, facts: Facts) -> anyhow::Result<Facts> {
    if message.kind != Kind::PeriodReport {
        return Ok(facts);
    }
    let customer = facts.customer.as_ref().ok_or_else(|| anyhow!("its customer is not applied"))?;
    let period = message.detail["period"].as_str().unwrap_or_default().parse::<Period>()?;
    let report = period::report(pass.store, customer, period, pass.clock.now()).await?;
    Ok(Facts { period: Some(report), ..facts })
}

/// That the message is still ours, and still worth telling, is known for as long as the sending takes. `None`: go on.
async fn begin_sending(
    pass: &Pass<'_>,
    message: &StoredNotification,
    attempt: &Attempt<'_>,
) -> Result<Option<Fate>, StoreError> {
    let mut transaction = pass.store.begin().await?;
    if !renew(&mut transaction, attempt, pass.post.sending).await? {
        return Ok(Some(Fate::Lost));
    }
    let overtaken = find_overtaken(&mut transaction, message, pass.clock.now()).await?;
    transaction.commit().await?;
    Ok(overtaken.map(Fate::Overtaken))
}

/// Still in its turn: that the mail server has taken it is stored before anything else goes out.
async fn hand_over(pass: &Pass<'_>, attempt: &Attempt<'_>, letter: &Letter) -> Result<Fate, StoreError> {
    if let Err(refusal) = pass.post.mailer.send(letter).await {
        return Ok(Fate::Refused(refusal));
    }
    let mut tries = 1;
    while let Err(error) = note_sent(pass.store, attempt).await {
        if tries >= NOTING {
            return Err(error);
        }
        tries += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
        // Its failure shows in the next try.
        let _ = pass.store.reconnect().await;
    }
    Ok(Fate::Sent)
}

async fn note_sent(store: &Store, attempt: &Attempt<'_>) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    if !mark_sent(&mut transaction, attempt).await? {
        tracing::warn!(notification = %attempt.id, "sent, and another had taken it meanwhile: it goes out twice");
    }
    Ok(transaction.commit().await?)
}

/// Writes down what has come of a message, and counts it.
async fn settle(
    pass: &Pass<'_>,
    message: &StoredNotification,
    attempt: &Attempt<'_>,
    fate: Fate,
) -> Result<(), StoreError> {
    match fate {
        Fate::Sent => {
            let (number, kind, attempts) = (message.number, message.kind.as_str(), message.sending.attempts);
            tracing::info!(number, kind, customer = customer(message), attempts, "message sent");
            let mut count = pass.count();
            count.refused_in_row = 0;
            count.tally.sent += 1;
            Ok(())
        }
        Fate::Lost => Ok(()),
        Fate::Left => {
            let mut transaction = pass.store.begin().await?;
            give_back(&mut transaction, attempt).await?;
            Ok(transaction.commit().await?)
        }
        Fate::Overtaken(why) => {
            tracing::info!(number = message.number, kind = message.kind.as_str(), why, "message not sent");
            let mut transaction = pass.store.begin().await?;
            mark_overtaken(&mut transaction, attempt, why).await?;
            transaction.commit().await?;
            pass.count().tally.overtaken += 1;
            Ok(())
        }
        Fate::NotWritten(error) => {
            let why = one_line(&format!("no letter can be made of it: {error:#}"));
            put_off(pass, message, attempt, (&why, Blame::Message)).await
        }
        Fate::Refused(refusal) => refused(pass, message, attempt, &refusal).await,
    }
}

async fn refused(
    pass: &Pass<'_>,
    message: &StoredNotification,
    attempt: &Attempt<'_>,
    refusal: &Refusal,
) -> Result<(), StoreError> {
    let why = one_line(&refusal.to_string());
    match refusal {
        Refusal::Permanent { .. } => give_up(pass, message, attempt, &why).await,
        Refusal::Misconfigured { hint, .. } => {
            pass.break_off(&format!("{why} ({hint})"));
            put_off(pass, message, attempt, (&why, Blame::Outage)).await
        }
        Refusal::Unreachable { .. } => {
            pass.break_off(&why);
            put_off(pass, message, attempt, (&why, Blame::Outage)).await
        }
        Refusal::Transient { .. } => {
            let in_row = {
                let mut count = pass.count();
                count.refused_in_row += 1;
                count.refused_in_row
            };
            if in_row >= ENOUGH {
                pass.break_off(&why);
            }
            put_off(pass, message, attempt, (&why, Blame::Message)).await
        }
    }
}

async fn put_off(
    pass: &Pass<'_>,
    message: &StoredNotification,
    attempt: &Attempt<'_>,
    (why, blame): (&str, Blame),
) -> Result<(), StoreError> {
    let wait_s = match blame {
        Blame::Outage => Some(outage_wait_s(chance())),
        Blame::Message => wait_s(message.sending.refusals.saturating_add(1), chance()),
    };
    let Some(wait_s) = wait_s else {
        return give_up(pass, message, attempt, &format!("given up after days; at last: {why}")).await;
    };
    let (number, kind) = (message.number, message.kind.as_str());
    tracing::warn!(number, kind, customer = customer(message), why, wait_s, "message not sent for now");
    let mut transaction = pass.store.begin().await?;
    mark_put_off(&mut transaction, attempt, (why, blame), after(pass.clock.now(), wait_s)).await?;
    transaction.commit().await?;
    pass.count().tally.put_off += 1;
    Ok(())
}

async fn give_up(
    pass: &Pass<'_>,
    message: &StoredNotification,
    attempt: &Attempt<'_>,
    why: &str,
) -> Result<(), StoreError> {
    let (number, kind) = (message.number, message.kind.as_str());
    tracing::error!(number, kind, customer = customer(message), why, "message undeliverable");
    let mut transaction = pass.store.begin().await?;
    mark_undeliverable(&mut transaction, attempt, why).await?;
    transaction.commit().await?;
    let mut count = pass.count();
    count.refused_in_row = 0;
    count.tally.undeliverable += 1;
    Ok(())
}

/// What is wrong with one row is no fault of the database.
fn is_of_message(error: &StoreError) -> bool {
    matches!(error.kind(), StoreKind::Invalid | StoreKind::Conflict)
}

fn customer(message: &StoredNotification) -> &str {
    message.customer.as_ref().map_or("", |customer| customer.as_str())
}

fn one_line(text: &str) -> String {
    clean_line(text.as_bytes(), WHY_CHARS)
}

fn after(now: Timestamp, wait_s: u64) -> Timestamp {
    let wait = SignedDuration::from_secs(i64::try_from(wait_s).unwrap_or(i64::MAX));
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

/// A random number from 0 to 1, of the random bits of an identity (RFC 9562, section 5.7).
fn chance() -> f64 {
    let bytes = Uuid::now_v7().into_bytes();
    f64::from(u16::from_be_bytes([bytes[14], bytes[15]])) / f64::from(u16::MAX)
}
