//! What a mail tells: everything that its words are made from, for each kind of message.
//!
//! Knows matters; does not know languages, templates, or how a mail is sent. Invariants: the kind of a mail follows from its matter;
//! what a customer reads of a cause is one of the [`Cause`]s and never the text of an internal error.

use jiff::Timestamp;
use jiff::civil::Date;

use super::capacity::{DaysUntilFull, Disk, Resource};
use super::id::Name;
use super::inventory::Locale;
use super::notification::Kind;
use super::report::Report;
use super::settings::Provider;

pub use cause::Cause;

mod cause;
pub(crate) mod samples;
#[cfg(test)]
mod tests;

/// Content-ID, without brackets, of the provider's logo in the HTML of a mail (RFC 2392: the page names it `cid:logo@turnus`).
pub const LOGO_CONTENT_ID: &str = "logo@turnus";

/// One mail to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Name of the recipient as it stands in letters.
    pub recipient_name: String,
    /// Who writes.
    pub provider: Sender,
    /// The customer's name as it stands in letters; absent in what is about no customer.
    pub customer: Option<String>,
    /// The language of the recipient.
    pub locale: Locale,
    /// IANA zone in which the recipient reads times: the customer's.
    pub time_zone: String,
    /// What there is to tell.
    pub matter: Matter,
}

impl Mail {
    /// What the message is about.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.matter.kind()
    }
}

/// The provider, as it stands under a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its name; where none is set, its address.
    pub name: String,
    /// The address at which questions are answered (`reply_to`, or else `email`).
    pub email: String,
    /// Lines that stand under every message.
    pub signature: Option<String>,
    /// Whether the logo comes with the mail, as [`LOGO_CONTENT_ID`].
    pub has_logo: bool,
}

impl Sender {
    /// The provider, whose address `email` is.
    #[must_use]
    pub fn of(provider: &Provider, email: &str) -> Self {
        Self {
            name: provider.name.as_deref().unwrap_or(email).to_owned(),
            email: provider.reply_to.as_deref().unwrap_or(email).to_owned(),
            signature: provider.signature.clone(),
            has_logo: provider.logo.is_some(),
        }
    }
}

/// What there is to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    /// [`Kind::Announcement`]
    Announcement(Invitation),
    /// [`Kind::Reminder`]
    Reminder(Invitation),
    /// [`Kind::Moved`]
    Moved {
        /// The new date, and where it is answered.
        to: Invitation,
        /// The opening that was agreed before.
        from: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// [`Kind::Cancelled`]
    Cancelled {
        /// The date that is not held.
        date: Dated,
        /// Why.
        cause: Cause,
    },
    /// [`Kind::Started`]
    Started {
        /// The date that has come.
        date: Dated,
    },
    /// [`Kind::Finished`]
    Finished(Box<Ended>),
    /// [`Kind::Failed`]
    Failed(Box<Ended>),
    /// [`Kind::Missed`]
    Missed {
        /// The date on which nothing was done.
        date: Dated,
        /// Why.
        cause: Cause,
        /// The stored cause, for recipients of the team only: it may be the text of an error.
        detail: Option<String>,
        /// The date after it.
        next: Option<Dated>,
    },
    /// [`Kind::AcceptanceReminder`]
    AcceptanceReminder {
        /// Which report.
        run: RunTold,
        /// Where it is answered.
        link: Option<Link>,
        /// The day on which the report counts as accepted, if the provider has it so.
        deemed_on: Option<Date>,
    },
    /// [`Kind::PeriodReport`]
    PeriodReport(PeriodTold),
    /// [`Kind::ReviewNeeded`]
    ReviewNeeded(ReviewTold),
    /// [`Kind::ReviewReminder`]
    ReviewReminder(ReviewTold),
    /// [`Kind::RunFailed`]
    RunFailed {
        /// What the run has come to.
        report: Box<Report>,
    },
    /// [`Kind::Undeliverable`]
    Undeliverable {
        /// Number of the message in the outbox.
        number: i64,
        /// What it was.
        kind: Kind,
        /// The address that it can't be delivered to.
        recipient: String,
        /// What the mail server says.
        error: String,
        /// What it was about, if that still can be told.
        about: Option<About>,
    },
    /// [`Kind::Answer`]
    Answer {
        /// To what.
        about: About,
        /// What was decided.
        decision: Decision,
        /// Who decided; empty where nobody did ([`Decision::DeemedAccepted`]).
        by: String,
        /// What was said with it.
        remark: Option<String>,
    },
    /// [`Kind::CapacityShort`]
    CapacityShort(CapacityTold),
}

impl Matter {
    /// The kind of message that tells this.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Announcement(_) => Kind::Announcement,
            Self::Reminder(_) => Kind::Reminder,
            Self::Moved { .. } => Kind::Moved,
            Self::Cancelled { .. } => Kind::Cancelled,
            Self::Started { .. } => Kind::Started,
            Self::Finished(_) => Kind::Finished,
            Self::Failed(_) => Kind::Failed,
            Self::Missed { .. } => Kind::Missed,
            Self::AcceptanceReminder { .. } => Kind::AcceptanceReminder,
            Self::PeriodReport(_) => Kind::PeriodReport,
            Self::ReviewNeeded(_) => Kind::ReviewNeeded,
            Self::ReviewReminder(_) => Kind::ReviewReminder,
            Self::RunFailed { .. } => Kind::RunFailed,
            Self::Undeliverable { .. } => Kind::Undeliverable,
            Self::Answer { .. } => Kind::Answer,
            Self::CapacityShort(_) => Kind::CapacityShort,
        }
    }
}

/// A date that lies ahead, and where it is confirmed or moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The date.
    pub date: Dated,
    /// Absent without `web.public_url`.
    pub link: Option<Link>,
}

/// One date of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// The window's name in the inventory.
    pub window: Name,
    /// What is done: the job's description, in one line.
    pub description: String,
    /// The opening.
    pub opens_at: Timestamp,
    /// The close.
    pub closes_at: Timestamp,
    /// The hosts, in the order of the inventory.
    pub hosts: Vec<Name>,
}

/// The page on which the recipient answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it is.
    pub url: String,
    /// What has to be typed there: whoever only follows the link decides nothing.
    pub code: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What it has come to.
    pub report: Report,
    /// Openings of earlier dates of which nothing was told, because nothing was pending; oldest first.
    pub nothing_pending: Vec<Timestamp>,
    /// The date after it.
    pub next: Option<Dated>,
    /// Where the report is answered.
    pub link: Option<Link>,
    /// File name of the report that comes with the mail.
    pub attachment: Option<String>,
}

/// A run, in a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTold {
    /// The number that people use.
    pub number: i64,
    /// The recipe in one line.
    pub description: String,
    /// When it ended.
    pub finished_at: Timestamp,
}

/// A few numbers of a period; its report comes with the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodTold {
    /// Its first day.
    pub from: Date,
    /// Its last day.
    pub to: Date,
    /// Windows in which the maintenance took place.
    pub windows_held: usize,
    /// Windows that got another date.
    pub windows_moved: usize,
    /// Windows in which nothing could be done.
    pub windows_missed: usize,
    /// Updates that were installed.
    pub updates: usize,
    /// How many of them close security gaps.
    pub security: usize,
    /// File name of the report that comes with the mail.
    pub attachment: Option<String>,
}

/// Pending updates that want a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewTold {
    /// For which date.
    pub date: Dated,
    /// What was collected; absent if somebody has to look for themselves.
    pub pending: Option<Pending>,
    /// How to go on: a command for the terminal.
    pub command: String,
}

/// What a collection has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Different changes, over all hosts.
    pub changes: usize,
    /// How many of them close security gaps.
    pub security: usize,
    /// How many of them remove a package; absent if that is not known.
    pub removals: Option<usize>,
    /// Hosts.
    pub hosts: usize,
    /// How many of them could not be looked at.
    pub hosts_not_looked_at: usize,
}

/// A path of a host that gets full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapacityTold {
    /// Which host.
    pub host: Name,
    /// The path as it was measured last.
    pub disk: Disk,
    /// What runs out.
    pub resource: Resource,
    /// In how many days; absent: it has run out.
    pub days: Option<DaysUntilFull>,
    /// When it was measured.
    pub measured_at: Timestamp,
    /// How to go on: a command for the terminal.
    pub command: String,
}

/// What another message, or an answer, is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A date.
    Date(Dated),
    /// The report of a run.
    Run(RunTold),
    /// A report of the span from the first to the last day.
    Period {
        /// Its first day.
        from: Date,
        /// Its last day.
        to: Date,
    },
}

/// What a customer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The date suits.
    Confirmed,
    /// Another one would suit better.
    MoveWanted {
        /// When it would open. Absent: any other.
        to: Option<Timestamp>,
    },
    /// The report is accepted.
    Accepted,
    /// The report is accepted; there is something to say to it.
    AcceptedWithRemarks,
    /// The report is not accepted.
    Refused,
    /// Nobody answered in time.
    DeemedAccepted,
}
