//! What came between the customer's report before and this one, and is told in this one: kept with the run when it ends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::Name;
use crate::domain::notification::Kind;

/// All of it. Runs of before there were messages know nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meanwhile {
    /// Messages to the customer that could not be delivered.
    #[serde(default)]
    pub undelivered: Vec<Undelivered>,
    /// Dates on which nothing was to be done, and of which nobody was told; the earliest first.
    #[serde(default)]
    pub quiet: Vec<QuietDate>,
}

/// A message to the customer that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    /// Number of the message.
    pub number: i64,
    /// What it was.
    pub message: Kind,
    /// The address that does not get any.
    pub recipient: String,
}

/// A date on which nothing was to be done on any host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietDate {
    /// The run that found so.
    pub run_number: i64,
    /// Of which window.
    pub window: Name,
    /// Its opening.
    pub opens_at: Timestamp,
}
