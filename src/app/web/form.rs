//! What somebody has typed, and what it says.

use jiff::civil::{Date, DateTime, Time};
use serde::Deserialize;

use crate::domain::answer::{Decision, MAX_REMARK, Purpose, clean_remark};
use crate::edge::text::page::{Complaint, Filled};

/// The fields of the form, as they come.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    decision: String,
    day: String,
    time: String,
    remark: String,
    pub(super) code: String,
}

/// An answer that could be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) decision: Decision,
    pub(super) wish: Option<DateTime>,
    pub(super) remark: Option<String>,
}

impl Typed {
    /// What it says, where something of this purpose is asked.
    pub(super) fn read(&self, purpose: Purpose) -> Result<Wanted, Complaint> {
        let decision = self.decision().filter(|decision| decision.purpose() == purpose);
        let decision = decision.ok_or(Complaint::NoDecision)?;
        let remark = clean_remark(&self.remark).map_err(|_| Complaint::LongRemark { most: MAX_REMARK })?;
        if decision.needs_remark() && remark.is_none() {
            return Err(Complaint::NoRemark);
        }
        let wish = match decision {
            Decision::MoveAsked => Some(self.wish().ok_or(Complaint::NoWish)?),
            _ => None,
        };
        Ok(Wanted { decision, wish, remark })
    }

    /// The form again as it was filled in, without the code.
    pub(super) fn filled(&self, complaint: Complaint) -> Filled {
        Filled {
            decision: self.decision(),
            day: self.day.clone(),
            time: self.time.clone(),
            remark: self.remark.clone(),
            complaint: Some(complaint),
        }
    }

    /// Nobody says [`Decision::Deemed`].
    fn decision(&self) -> Option<Decision> {
        let all = [
            Decision::Confirmed,
            Decision::MoveAsked,
            Decision::Accepted,
            Decision::AcceptedWithRemarks,
            Decision::Refused,
        ];
        all.into_iter().find(|decision| decision.as_str() == self.decision)
    }

    /// As browsers write it: `2027-03-26` and `14:00`.
    fn wish(&self) -> Option<DateTime> {
        let day: Date = self.day.trim().parse().ok()?;
        let time: Time = self.time.trim().parse().ok()?;
        // Whoever writes seconds means none.
        let time = Time::new(time.hour(), time.minute(), 0, 0).ok()?;
        Some(day.to_datetime(time))
    }
}
