//! Links in letters as rows: made, found by their tokens, counted down by wrong codes.
//!
//! Knows tokens and codes for as long as they are made or compared; keeps hashes only. Invariants: whoever reads the table can't open
//! a link; a wrong code is counted before the caller learns of it, and two at the same time are two.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use subtle::ConstantTimeEq;

use super::error::Error;
use super::run::{read_name, read_word};
use crate::domain::answer::{ATTEMPTS, Access, CODE_DIGITS, Purpose, access, expiry, read_code, write_code};
use crate::domain::id::{ContentHash, Name, OccurrenceId, RunId};
use crate::domain::inventory::Locale;
use crate::domain::notification::Kind;

/// Bytes of a token: nobody guesses 256 bits.
const TOKEN_BYTES: usize = 32;
/// Whoever removes links is not to be busy with it for long.
const FORGOTTEN_AT_ONCE: i64 = 1000;

/// A link to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewLink {
    /// Number of the notification in whose letter it will stand: says whose it is, and what it is about.
    pub notification: i64,
    /// By the database's clock.
    pub now: Timestamp,
}

/// What only the letter knows.
#[derive(Clone, PartialEq, Eq)]
pub struct MadeLink {
    /// 64 hexadecimal digits: the address ends with `/l/` and this.
    pub token: String,
    /// What is typed into the page, as it stands in the letter: two groups of digits.
    pub code: String,
    /// Afterwards it is as if it had never been.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for MadeLink {
    /// Neither token nor code gets into a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MadeLink").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Makes a link. A letter that is written once more gets another; the older stays good. `None`: there is no such notification, or
/// nothing to answer in it.
///
/// # Errors
/// If the database can't be used, or this machine has no random numbers.
pub async fn make_link(connection: &mut PgConnection, new: &NewLink) -> Result<Option<MadeLink>, Error> {
    let about = sqlx::query!(
        r#"select kind, notification.occurrence, run, occurrence.end_at as "closes_at?: jiff_sqlx::Timestamp"
           from notification left join occurrence on occurrence.id = notification.occurrence
           where notification.number = $1"#,
        new.notification,
    );
    let Some(about) = about.fetch_optional(&mut *connection).await? else { return Ok(None) };
    let kind: Kind = read_word("notification.kind", &about.kind)?;
    let (purpose, occurrence, run, expires_at) = match Purpose::of(kind) {
        Some(purpose @ Purpose::Confirm) => {
            let closes_at = about.closes_at.map(jiff_sqlx::Timestamp::to_jiff);
            (purpose, about.occurrence, None, expiry(closes_at, new.now))
        }
        Some(purpose @ Purpose::Report) => (purpose, None, about.run, expiry(None, new.now)),
        None => return Ok(None),
    };
    if occurrence.is_none() && run.is_none() {
        return Ok(None);
    }
    let (token, code) = (random_token()?, random_code()?);
    let (token_hash, code_hash) = (ContentHash::of(token.as_bytes()), hash_code(&token, &code));
    sqlx::query!(
        "insert into link (token_hash, code_hash, purpose, occurrence, run, notification, customer, recipient, recipient_name, locale,
                           attempts_left, expires_at, created_at)
         select $2, $3, $4, $5, $6, id, customer, recipient, recipient_name, locale, $7, $8, $9
         from notification where number = $1",
        new.notification,
        token_hash.as_str(),
        code_hash.as_str(),
        purpose.as_str(),
        occurrence,
        run,
        i16::from(ATTEMPTS),
        expires_at.to_sqlx() as _,
        new.now.to_sqlx() as _,
    )
    .execute(connection)
    .await?;
    Ok(Some(MadeLink { token, code: write_code(&code), expires_at }))
}

fn hash_code(token: &str, code: &str) -> ContentHash {
    ContentHash::of(format!("{token}:{code}").as_bytes())
}

fn random_token() -> Result<String, Error> {
    let mut bytes = [0; TOKEN_BYTES];
    fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// All codes alike: of 2^64 numbers the few that would favour some are less than one in 100 billion.
fn random_code() -> Result<String, Error> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    let codes = 10_u64.pow(u32::try_from(CODE_DIGITS).unwrap_or(8));
    Ok(format!("{:0width$}", u64::from_ne_bytes(bytes) % codes, width = CODE_DIGITS))
}

fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| Error::NoRandomNumbers { source: std::io::Error::from(error) })
}

/// Identity of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkId(pub(super) Uuid);

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A date.
    Occurrence(OccurrenceId),
    /// The report of a run.
    Run(RunId),
}

/// A link that has not expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// Its identity.
    pub id: LinkId,
    /// What it is about.
    pub subject: Subject,
    /// Whose date or report.
    pub customer: Name,
    /// To whom it was sent.
    pub recipient: String,
    /// Name as it stands in letters.
    pub recipient_name: String,
    /// Language of the recipient.
    pub locale: Locale,
    /// Open, or locked.
    pub access: Access,
}

/// The link with this token, whatever somebody wrote as one. `None`: there is none, or it has expired.
///
/// # Errors
/// If the database can't be used.
pub async fn find_link(
    connection: &mut PgConnection,
    token: &str,
    now: Timestamp,
) -> Result<Option<StoredLink>, Error> {
    if !is_token(token) {
        return Ok(None);
    }
    let token_hash = ContentHash::of(token.as_bytes());
    let row = sqlx::query_as!(
        Row,
        r#"select id, occurrence, run, customer, recipient, recipient_name, locale, attempts_left,
                  expires_at as "expires_at: jiff_sqlx::Timestamp"
           from link where token_hash = $1"#,
        token_hash.as_str(),
    );
    let Some(row) = row.fetch_optional(connection).await? else { return Ok(None) };
    let link = row.read(now)?;
    Ok((link.access != Access::Expired).then_some(link))
}

fn is_token(text: &str) -> bool {
    text.len() == TOKEN_BYTES * 2 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What came of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It is the code of the letter.
    Right,
    /// It is not, and so many more may be tried. To be committed: that it was wrong counts.
    Wrong {
        /// None: the link is locked.
        left: u8,
    },
    /// It was not looked at: there have been too many.
    Locked,
}

/// Tries a code on a link, whose row is locked until the end of the transaction: who comes at the same time waits, and then finds one
/// attempt less.
///
/// # Errors
/// If the database can't be used.
pub async fn try_code(
    connection: &mut PgConnection,
    link: &StoredLink,
    token: &str,
    typed: &str,
) -> Result<Tried, Error> {
    let row = sqlx::query!("select code_hash, attempts_left from link where id = $1 for update", link.id.0);
    let row = row.fetch_one(&mut *connection).await?;
    if row.attempts_left == 0 {
        return Ok(Tried::Locked);
    }
    // What can't be a code is hashed all the same: it takes as long.
    let hash = hash_code(token, &read_code(typed).unwrap_or_default());
    if bool::from(hash.as_str().as_bytes().ct_eq(row.code_hash.as_bytes())) {
        return Ok(Tried::Right);
    }
    let left = sqlx::query_scalar!(
        "update link set attempts_left = attempts_left - 1 where id = $1 returning attempts_left",
        link.id.0,
    );
    Ok(Tried::Wrong { left: to_count(left.fetch_one(connection).await?) })
}

fn to_count(attempts_left: i16) -> u8 {
    u8::try_from(attempts_left).unwrap_or(u8::MAX)
}

/// Forgets links that have expired by `now`, and by which nobody answered: nobody can tell them from such as never were. No more than
/// `FORGOTTEN_AT_ONCE`, and none that somebody is just using. Returns how many.
///
/// # Errors
/// If the database can't be used.
pub async fn forget_links(connection: &mut PgConnection, now: Timestamp) -> Result<u64, Error> {
    let forgotten = sqlx::query!(
        "delete from link where id in
         (select id from link where expires_at <= $1 and not exists (select 1 from answer where answer.link = link.id)
          order by expires_at limit $2 for update skip locked)",
        now.to_sqlx() as _,
        FORGOTTEN_AT_ONCE,
    );
    Ok(forgotten.execute(connection).await?.rows_affected())
}

/// A row of `link`.
struct Row {
    id: Uuid,
    occurrence: Option<Uuid>,
    run: Option<Uuid>,
    customer: String,
    recipient: String,
    recipient_name: String,
    locale: String,
    attempts_left: i16,
    expires_at: jiff_sqlx::Timestamp,
}

impl Row {
    fn read(self, now: Timestamp) -> Result<StoredLink, Error> {
        let subject = match (self.occurrence, self.run) {
            (Some(occurrence), _) => Subject::Occurrence(OccurrenceId(occurrence)),
            (None, Some(run)) => Subject::Run(RunId(run)),
            (None, None) => return Err(Error::unreadable("link.run", "a link about nothing")),
        };
        Ok(StoredLink {
            id: LinkId(self.id),
            subject,
            customer: read_name("link.customer", &self.customer)?,
            recipient: self.recipient,
            recipient_name: self.recipient_name,
            locale: read_word("link.locale", &self.locale)?,
            access: access(self.expires_at.to_jiff(), to_count(self.attempts_left), now),
        })
    }
}
