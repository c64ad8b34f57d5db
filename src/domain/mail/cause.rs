//! Why a date is not held as agreed, as a customer is told.

/// Why a date was moved, called off or missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It is a public holiday.
    Holiday {
        /// The holiday's name.
        name: String,
    },
    /// It lies in a freeze.
    Freeze {
        /// The freeze's reason.
        reason: String,
    },
    /// What is agreed on the window has changed.
    AgreementChanged,
    /// What is agreed on the window's length has changed.
    LengthChanged,
    /// A person decided so.
    Person {
        /// What they gave as the reason.
        reason: String,
    },
    /// The updates had not been approved.
    NotApproved,
    /// The customer had not been told in time.
    NotAnnounced,
    /// Another maintenance had not ended.
    OtherMaintenance,
    /// Something technical on the provider's side.
    Technical,
}

impl Cause {
    /// The cause for which a text is kept with an occurrence or message. What is not known is [`Cause::Technical`]: its text is not
    /// for customers.
    #[must_use]
    pub fn of_stored(text: &str) -> Self {
        let after = |prefix: &str| text.strip_prefix(prefix).map(|rest| rest.trim().to_owned());
        if let Some(name) = after("holiday: ").or_else(|| after("holiday without an allowed day nearby: ")) {
            return Self::Holiday { name };
        }
        if let Some(reason) = after("frozen: ") {
            return Self::Freeze { reason };
        }
        if let Some(rest) = after("moved by ").or_else(|| after("cancelled by "))
            && let Some((_, reason)) = rest.split_once(": ")
        {
            return Self::Person { reason: reason.to_owned() };
        }
        match text {
            "not in the files any more" | "the files give another date" => Self::AgreementChanged,
            "the files give another length" => Self::LengthChanged,
            "not approved" => Self::NotApproved,
            "not announced" => Self::NotAnnounced,
            _ if text.starts_with("rejected by ") => Self::NotApproved,
            _ if is_of_other_runs(text) => Self::OtherMaintenance,
            _ => Self::Technical,
        }
    }
}

/// `host mail01 is in run 7`, `2 runs are under way (limit 2)`.
fn is_of_other_runs(text: &str) -> bool {
    (text.starts_with("host ") && text.contains(" is in run "))
        || (text.starts_with(|first: char| first.is_ascii_digit()) && text.contains(" under way (limit "))
}
