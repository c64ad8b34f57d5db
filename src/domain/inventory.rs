//! Who is looked after: a customer with its contacts, windows, freezes and hosts. One file each.
//!
//! Knows what an inventory may say; does not know where files lie or how a host is reached.
//! Invariant: a [`Customer`] in hand is consistent in itself: names are unique, every group that a window names has a host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calendar::holiday::Region;
use super::calendar::recurrence::Recurrence;
use super::calendar::{CalendarFreeze, Freeze, HolidayRule};
use super::capacity::WatchedPath;
use super::id::{ContentHash, Name};
use super::probe::HostProbe;

pub mod address;
pub(in crate::domain) mod freeze;
pub mod parse;

/// The language in which a customer reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locale {
    /// German.
    De,
    /// English.
    #[default]
    En,
    /// Hungarian.
    Hu,
    /// Russian.
    Ru,
}

/// One client of the provider: the content of one inventory file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The file's stem; what people type.
    pub name: Name,
    /// The name as it stands in letters (`customer.name`).
    pub display_name: String,
    /// Language of everything that the customer reads.
    pub locale: Locale,
    /// IANA time zone in which the customer's windows are agreed.
    pub time_zone: String,
    /// Whose public holidays count.
    pub holidays: Option<Region>,
    /// For which spans the customer gets a report of what was done, by itself.
    pub period_report: Option<PeriodLength>,
    /// Who is told.
    pub contacts: Vec<Contact>,
    /// The agreed recurring slots.
    pub windows: Vec<Window>,
    /// Days on which nothing starts.
    pub freezes: Vec<Freeze>,
    /// Calendars in whose events nothing starts.
    pub calendars: Vec<CalendarFreeze>,
    /// The customer's machines, in the order of the file: the order in which batches take them.
    pub hosts: Vec<Host>,
    /// Hash of the file: the revision that runs are made from.
    pub revision: ContentHash,
}

/// A person or mailbox at the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Name as it stands in letters.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// What this contact gets.
    pub receives: Vec<Receives>,
    /// How dates come to this contact's calendar.
    pub calendar: CalendarEntry,
}

/// How a date comes to the calendar of whoever is told of it (RFC 5546, section 1.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarEntry {
    /// As something to know of (`METHOD:PUBLISH`): no answer is asked for.
    #[default]
    Publish,
    /// As an invitation (`METHOD:REQUEST`), which calendars put in by themselves.
    Request,
}

impl CalendarEntry {
    /// The word in files and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Request => "request",
        }
    }
}

/// How long the span of a period report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeriodLength {
    /// A calendar month.
    Month,
    /// Three months, the first of them January, April, July or October.
    Quarter,
    /// A calendar year.
    Year,
}

impl PeriodLength {
    /// The word in files and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

/// A kind of message that a contact can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Receives {
    /// Dates, reminders, moves, cancellations.
    Announcement,
    /// The written result.
    Report,
    /// That a maintenance begins.
    Start,
}

impl Receives {
    /// The word in files and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announcement => "announcement",
            Self::Report => "report",
            Self::Start => "start",
        }
    }
}

/// An agreed slot, recurring or a single one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Unique within the customer.
    pub name: Name,
    /// Its dates, in local time of the customer's time zone.
    pub recurrence: Recurrence,
    /// Length in seconds, elapsed time.
    pub duration_s: u64,
    /// Nothing starts in the last so many seconds.
    pub cutoff_s: u64,
    /// What happens when the date is a public holiday.
    pub holiday: HolidayRule,
    /// The recipe.
    pub job: Name,
    /// Which hosts, in order, without doubles: groups are already resolved.
    pub hosts: Vec<Name>,
    /// How long before the start the customer is told, in seconds.
    pub announce_s: Vec<u64>,
    /// How long before the start pending updates are collected, in seconds.
    pub review_s: Option<u64>,
}

/// A machine reached by SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Unique within the customer.
    pub name: Name,
    /// How it is reached.
    pub connection: Connection,
    /// Groups that it is in.
    pub groups: Vec<Name>,
    /// Values for steps; `data_dir` reaches them as `$VAR_DATA_DIR`. Keys are `[a-z][a-z0-9_]*`.
    pub vars: BTreeMap<String, String>,
    /// What it must do.
    pub probes: Vec<HostProbe>,
    /// The paths of which the team is told before they are full: the customer's, with the host's own in their place or behind them.
    pub capacity: Vec<WatchedPath>,
}

/// Which program speaks SSH with a machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// The built-in client if it understands all that the configuration asks for, else OpenSSH.
    #[default]
    Auto,
    /// The client that is part of turnus.
    Builtin,
    /// The `ssh` program of this machine.
    OpenSsh,
}

impl Transport {
    /// As files write it.
    pub const ALL: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("builtin", Self::Builtin), ("openssh", Self::OpenSsh)];

    /// The word that files write.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, transport)| *transport == self).map_or("auto", |(word, _)| word)
    }
}

/// How a machine is reached, as far as the inventory says; the user's ssh_config fills in the rest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Connection {
    /// Host name or IP address; never begins with `-`, has no white space or control characters.
    pub address: String,
    /// TCP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Login name; same rules as the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Private key file; `~/` is the home directory of the account that runs turnus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_file: Option<String>,
    /// Hops on the way, nearest first. A hop that names a host of the inventory is already resolved to its connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proxy_jump: Vec<Connection>,
    /// File with this host's key, in place of turnus's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<String>,
    /// Whether steps run as root through `sudo -n`.
    #[serde(rename = "become", default)]
    pub elevate: bool,
    /// Directory on the host for capsules; absent: `/var/lib/turnus` for root, else `~/.local/state/turnus`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<String>,
    /// Which program speaks SSH with the machine, and with the hops on the way. Absent: what turnus.toml says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
}

impl Connection {
    /// The plain connection to `address`: everything else is left to the user's ssh_config.
    #[must_use]
    pub fn to(address: String) -> Self {
        Self {
            address,
            port: None,
            user: None,
            identity_file: None,
            proxy_jump: Vec::new(),
            known_hosts: None,
            elevate: false,
            state_dir: None,
            transport: None,
        }
    }
}
