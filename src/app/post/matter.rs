//! From a message and what it is about to what its mail tells.

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::Post;
use super::facts::Facts;
use crate::domain::calendar::zone::{named, place};
use crate::domain::id::Name;
use crate::domain::mail::{
    About, CapacityTold, Cause, Dated, Decision, Ended, Invitation, Mail, Matter, Pending, PeriodTold, ReviewTold,
    RunTold,
};
use crate::domain::notification::Kind;
use crate::domain::report::Report;
use crate::edge::store::notification::StoredNotification;
use crate::edge::store::occurrence::StoredOccurrence;

/// What the mail tells. `attachment`: file name of the report that comes with it.
///
/// # Errors
/// If the message lacks what its kind needs.
pub(super) fn build_mail(
    post: &Post,
    message: &StoredNotification,
    facts: &Facts,
    attachment: Option<&str>,
) -> anyhow::Result<Mail> {
    Ok(Mail {
        recipient_name: message.recipient_name.clone(),
        provider: post.sender(),
        customer: facts.customer_name(message.customer.as_ref()),
        locale: message.locale,
        time_zone: facts.time_zone(),
        matter: matter(message, facts, attachment)?,
    })
}

fn matter(message: &StoredNotification, facts: &Facts, attachment: Option<&str>) -> anyhow::Result<Matter> {
    let detail = &message.detail;
    Ok(match message.kind {
        Kind::Announcement => Matter::Announcement(invitation(facts)?),
        Kind::Reminder => Matter::Reminder(invitation(facts)?),
        Kind::Moved => {
            let from = on_the_wall(read(detail, "from")?, occurrence(facts)?);
            Matter::Moved { to: invitation(facts)?, from, cause: cause(detail) }
        }
        Kind::Cancelled => Matter::Cancelled { date: called_off(detail, facts)?, cause: cause(detail) },
        Kind::Started => Matter::Started { date: date(facts)? },
        Kind::Finished => Matter::Finished(Box::new(ended(facts, attachment)?)),
        Kind::Failed => Matter::Failed(Box::new(ended(facts, attachment)?)),
        Kind::Missed => Matter::Missed {
            date: date(facts)?,
            cause: cause(detail),
            detail: read::<String>(detail, "cause").ok().filter(|_| facts.is_of_team),
            next: facts.next.as_ref().map(|next| dated(next, facts)),
        },
        Kind::AcceptanceReminder => Matter::AcceptanceReminder {
            run: run_told(report(facts)?)?,
            link: facts.link.clone(),
            deemed_on: read::<Option<Date>>(detail, "deemed_on").ok().flatten(),
        },
        Kind::PeriodReport => Matter::PeriodReport(period(facts, attachment)?),
        Kind::ReviewNeeded => Matter::ReviewNeeded(review(detail, facts)?),
        Kind::ReviewReminder => Matter::ReviewReminder(review(detail, facts)?),
        Kind::RunFailed => Matter::RunFailed { report: Box::new(report(facts)?.clone()) },
        Kind::Undeliverable => Matter::Undeliverable {
            number: read(detail, "number")?,
            kind: read(detail, "kind")?,
            recipient: read(detail, "recipient")?,
            error: read(detail, "error")?,
            about: about(facts),
        },
        Kind::Answer => Matter::Answer {
            about: about(facts).ok_or_else(|| anyhow!("what was answered to is not there"))?,
            decision: decision(detail, facts)?,
            by: read::<Option<String>>(detail, "by")?.unwrap_or_default(),
            remark: read::<Option<String>>(detail, "remark").ok().flatten(),
        },
        Kind::CapacityShort => Matter::CapacityShort(capacity(message)?),
    })
}

/// A value of the message's detail.
fn read<T: for<'de> Deserialize<'de>>(detail: &Value, key: &str) -> anyhow::Result<T> {
    T::deserialize(&detail[key]).with_context(|| format!("its `{key}` can't be used"))
}

fn cause(detail: &Value) -> Cause {
    Cause::of_stored(detail["cause"].as_str().unwrap_or_default())
}

fn occurrence(facts: &Facts) -> anyhow::Result<&StoredOccurrence> {
    facts.occurrence.as_ref().ok_or_else(|| anyhow!("its date is not there"))
}

fn report(facts: &Facts) -> anyhow::Result<&Report> {
    match &facts.report {
        Some(Ok(report)) => Ok(report),
        Some(Err(error)) => Err(anyhow!("the record of its run can't be read: {error:#}")),
        None => Err(anyhow!("its run is not there")),
    }
}

fn date(facts: &Facts) -> anyhow::Result<Dated> {
    Ok(dated(occurrence(facts)?, facts))
}

fn invitation(facts: &Facts) -> anyhow::Result<Invitation> {
    Ok(Invitation { date: date(facts)?, link: facts.link.clone() })
}

/// A date of the window that the message is about. What the files do not say any more is left out: the date itself is what counts.
fn dated(occurrence: &StoredOccurrence, facts: &Facts) -> Dated {
    let reported = facts.report().map(|report| report.description.clone());
    let applied = facts.job.as_ref().map(|job| job.description.clone());
    Dated {
        window: occurrence.window.clone(),
        description: applied.or(reported).unwrap_or_else(|| occurrence.job.to_string()),
        opens_at: occurrence.start,
        closes_at: occurrence.end,
        hosts: hosts(occurrence, facts),
    }
}

/// In the order of the inventory.
pub(super) fn hosts(occurrence: &StoredOccurrence, facts: &Facts) -> Vec<Name> {
    let applied = facts.customer.as_ref().and_then(|customer| {
        let window = customer.windows.iter().find(|window| window.name == occurrence.window)?;
        Some(window.hosts.clone())
    });
    let reported = || facts.report().map(|report| report.hosts.iter().map(|host| host.name.clone()).collect());
    applied.or_else(reported).unwrap_or_default()
}

/// The date as it was agreed on: the row may have another by now, on which it is left out.
fn called_off(detail: &Value, facts: &Facts) -> anyhow::Result<Dated> {
    let occurrence = occurrence(facts)?;
    let today = dated(occurrence, facts);
    let Ok(from) = read::<DateTime>(detail, "from") else { return Ok(today) };
    let opens_at = on_the_wall(from, occurrence);
    let length = occurrence.end.duration_since(occurrence.start);
    let closes_at = opens_at.saturating_add(length).unwrap_or(Timestamp::MAX);
    Ok(Dated { opens_at, closes_at, ..today })
}

/// An instant that is kept as the wall clock's time in the zone of its date.
fn on_the_wall(local: DateTime, occurrence: &StoredOccurrence) -> Timestamp {
    place(local, &named(&occurrence.time_zone).unwrap_or(TimeZone::UTC)).at
}

fn ended(facts: &Facts, attachment: Option<&str>) -> anyhow::Result<Ended> {
    let report = report(facts)?.clone();
    Ok(Ended {
        nothing_pending: report.quiet_dates.iter().map(|date| date.opens_at).collect(),
        next: facts.next.as_ref().map(|next| dated(next, facts)),
        link: facts.link.clone(),
        attachment: attachment.map(str::to_owned),
        report,
    })
}

fn run_told(report: &Report) -> anyhow::Result<RunTold> {
    Ok(RunTold {
        number: report.run_number,
        description: report.description.clone(),
        finished_at: report.finished_at.ok_or_else(|| anyhow!("its run has not ended"))?,
    })
}

fn review(detail: &Value, facts: &Facts) -> anyhow::Result<ReviewTold> {
    let occurrence = occurrence(facts)?;
    let count = |key: &str| read::<usize>(detail, key);
    let pending = match detail.get("changes") {
        None => None,
        Some(_) => Some(Pending {
            changes: count("changes")?,
            security: count("security")?,
            removals: count("removals").ok(),
            hosts: count("hosts")?,
            hosts_not_looked_at: count("hosts_not_looked_at")?,
        }),
    };
    let (customer, window, day) = (&occurrence.customer, &occurrence.window, occurrence.local_start.date());
    let command = format!("turnus review show {customer} --occurrence {window}@{day}");
    Ok(ReviewTold { date: dated(occurrence, facts), pending, command })
}

/// The run, if there is one; else the date; else the period.
fn about(facts: &Facts) -> Option<About> {
    let run = facts.report().and_then(|report| run_told(report).ok()).map(About::Run);
    run.or_else(|| facts.occurrence.as_ref().map(|occurrence| About::Date(dated(occurrence, facts))))
}

fn period(facts: &Facts, attachment: Option<&str>) -> anyhow::Result<PeriodTold> {
    let report = facts.period.as_ref().ok_or_else(|| anyhow!("its period is not there"))?;
    Ok(PeriodTold {
        from: report.from,
        to: report.to,
        windows_held: report.figures.kept,
        windows_moved: report.figures.moved,
        windows_missed: report.figures.missed,
        updates: report.figures.updates,
        security: report.figures.security,
        attachment: attachment.map(str::to_owned),
    })
}

fn capacity(message: &StoredNotification) -> anyhow::Result<CapacityTold> {
    let detail = &message.detail;
    let customer = message.customer.as_ref().ok_or_else(|| anyhow!("its customer is not there"))?;
    let host: Name = read(detail, "host")?;
    let command = format!("turnus capacity {customer} --host {host}");
    Ok(CapacityTold {
        host,
        disk: read(detail, "disk")?,
        resource: read(detail, "resource")?,
        days: read(detail, "days")?,
        measured_at: read(detail, "measured_at")?,
        command,
    })
}

fn decision(detail: &Value, facts: &Facts) -> anyhow::Result<Decision> {
    let word: String = read(detail, "decision")?;
    Ok(match word.as_str() {
        "confirmed" => Decision::Confirmed,
        "move_asked" => {
            let wish = read::<Option<DateTime>>(detail, "wish").ok().flatten();
            Decision::MoveWanted { to: wish.zip(facts.occurrence.as_ref()).map(|(wish, date)| on_the_wall(wish, date)) }
        }
        "accepted" => Decision::Accepted,
        "accepted_with_remarks" => Decision::AcceptedWithRemarks,
        "refused" => Decision::Refused,
        "deemed" => Decision::DeemedAccepted,
        odd => return Err(anyhow!("its decision `{odd}` is not known")),
    })
}
