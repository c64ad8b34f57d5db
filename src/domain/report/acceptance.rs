//! The customer's answer to a report. It is no part of what was answered: the hash is that of the report without it.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::answer::{Decision, Via};
use crate::domain::id::ContentHash;

/// What the customer said, or did not say in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptanceReport {
    /// What was said.
    pub decision: Decision,
    /// Who said so; absent if nobody did in time.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// What was said with it: lines.
    pub remark: Option<String>,
    /// How it came.
    pub via: Via,
    /// Who typed it, or found the time to be over; absent if whoever said so did.
    pub entered_by: Option<String>,
    /// SHA-256 of this JSON as it stood then, without the answer.
    pub report: Option<ContentHash>,
}
