//! Mails that say one thing: a sentence, a few rows, and where to answer.

use jiff::civil::Date;
use serde::Serialize;

use super::frame::{LinkView, Row, labelled};
use super::words::{self, DateWords, about, cause, clean, moment};
use crate::domain::mail::{
    About, CapacityTold, Dated, Decision, Invitation, Link, Mail, Matter, Pending, PeriodTold, ReviewTold, RunTold,
};
use crate::domain::notification::Kind;
use crate::edge::text::Error;
use crate::edge::text::capacity;
use crate::edge::text::reader::Reader;

/// What the templates of such a mail can place, beside the frame.
#[derive(Debug, Serialize)]
pub(super) struct NoticeView {
    lead: String,
    rows: Vec<Row>,
    notes: Vec<String>,
    link: Option<LinkView>,
    command: Option<String>,
}

impl NoticeView {
    fn saying(lead: String, rows: Vec<Row>) -> Self {
        Self { lead, rows, notes: Vec::new(), link: None, command: None }
    }
}

/// A subject and what the mail says.
type Said = Result<(String, NoticeView), Error>;

pub(super) fn view(mail: &Mail, reader: &Reader<'_>) -> Said {
    let teller = Teller { kind: mail.kind(), customer: words::customer(mail, reader)?, reader };
    match &mail.matter {
        Matter::Announcement(invitation) | Matter::Reminder(invitation) => teller.invitation(invitation),
        Matter::Moved { to, from, cause: why } => {
            let from = moment(*from, reader)?;
            let rows = [("before", Some(from)), ("reason", Some(cause(why, reader)?))];
            let (subject, mut view) = teller.invitation(to)?;
            view.rows.extend(labelled(reader, rows)?);
            Ok((subject, view))
        }
        Matter::Cancelled { date, cause: why } => {
            let (subject, mut view) = teller.of_date(date, [("reason", Some(cause(why, reader)?))])?;
            view.notes.push(reader.plain("mail.cancelled.calendar")?);
            Ok((subject, view))
        }
        Matter::Started { date } => teller.of_date(date, []),
        Matter::Missed { date, cause: why, detail, next } => {
            let next = next.as_ref().map(|next| words::when(next, reader)).transpose()?;
            let reason = Some(cause(why, reader)?);
            let rows = [("reason", reason), ("next", next), ("internal", detail.as_deref().map(clean))];
            let (subject, mut view) = teller.of_date(date, rows)?;
            view.notes.push(reader.plain("mail.missed.note")?);
            Ok((subject, view))
        }
        Matter::AcceptanceReminder { run, link, deemed_on } => {
            teller.acceptance_reminder(run, link.as_ref(), *deemed_on)
        }
        Matter::PeriodReport(period) => teller.period(period),
        Matter::ReviewNeeded(review) | Matter::ReviewReminder(review) => teller.review(review),
        Matter::Undeliverable { number, kind, recipient, error, about } => {
            teller.undeliverable(*number, *kind, (recipient, error), about.as_ref())
        }
        Matter::Answer { about, decision, by, remark } => teller.answer(about, decision, by, remark.as_deref()),
        Matter::CapacityShort(told) => teller.capacity_short(told),
        // Told by `outcome`.
        Matter::Finished(_) | Matter::Failed(_) | Matter::RunFailed { .. } => {
            Ok((String::new(), NoticeView::saying(String::new(), Vec::new())))
        }
    }
}

/// Tells one mail.
struct Teller<'a> {
    kind: Kind,
    customer: String,
    reader: &'a Reader<'a>,
}

impl Teller<'_> {
    /// A text of this kind of mail.
    fn text(&self, name: &str, values: &[(&str, &str)]) -> Result<String, Error> {
        let mut all = vec![("customer", self.customer.as_str())];
        all.extend(values);
        self.reader.text(&format!("mail.{}.{name}", self.kind), &all)
    }

    /// Subject and first sentence.
    fn head(&self, values: &[(&str, &str)]) -> Result<(String, String), Error> {
        Ok((self.text("subject", values)?, self.text("lead", values)?))
    }

    fn of_date(&self, date: &Dated, more: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Said {
        let words = DateWords::of(date, self.reader)?;
        let until = self.reader.moment(date.closes_at)?;
        let values =
            [("day", &*words.day), ("when", &*words.when), ("description", &*words.description), ("until", &*until)];
        let (subject, lead) = self.head(&values)?;
        let rows = [("what", Some(words.description)), ("when", Some(words.when)), ("hosts", Some(words.hosts))];
        Ok((subject, NoticeView::saying(lead, labelled(self.reader, rows.into_iter().chain(more))?)))
    }

    fn invitation(&self, invitation: &Invitation) -> Said {
        let (subject, mut view) = self.of_date(&invitation.date, [])?;
        view.link = LinkView::of(invitation.link.as_ref(), "date", self.reader)?;
        view.notes.push(self.reader.plain("mail.may_be_down")?);
        if self.kind != Kind::Reminder {
            view.notes.push(self.text("calendar", &[])?);
        }
        if view.link.is_none() {
            view.notes.push(self.reader.plain("mail.reply_to_move")?);
        }
        Ok((subject, view))
    }

    fn acceptance_reminder(&self, run: &RunTold, link: Option<&Link>, deemed_on: Option<Date>) -> Said {
        let description = clean(&run.description);
        let day = self.reader.day(run.finished_at)?;
        let (subject, lead) = self.head(&[("day", &day), ("description", &description)])?;
        let finished = self.reader.moment(run.finished_at)?;
        let rows = [("what", Some(description)), ("run", Some(run.number.to_string())), ("finished", Some(finished))];
        let mut view = NoticeView::saying(lead, labelled(self.reader, rows)?);
        if let Some(day) = deemed_on {
            view.notes.push(self.text("deemed", &[("day", &self.reader.civil_day(day)?)])?);
        }
        view.link = LinkView::of(link, "report", self.reader)?;
        if view.link.is_none() {
            view.notes.push(self.reader.plain("mail.reply_to_accept")?);
        }
        Ok((subject, view))
    }

    fn period(&self, period: &PeriodTold) -> Said {
        let (from, to) = (self.reader.civil_day(period.from)?, self.reader.civil_day(period.to)?);
        let (subject, lead) = self.head(&[("from", &from), ("to", &to)])?;
        let number = |count: usize| self.reader.number(count as u64);
        let updates = [("updates", &*number(period.updates)?), ("security", &*number(period.security)?)];
        let rows = [
            ("held", Some(number(period.windows_held)?)),
            ("moved", Some(number(period.windows_moved)?)),
            ("missed", Some(number(period.windows_missed)?)),
            ("updates", Some(self.text("updates", &updates)?)),
        ];
        let mut view = NoticeView::saying(lead, labelled(self.reader, rows)?);
        view.notes.extend(attached(period.attachment.as_deref(), self.reader)?);
        Ok((subject, view))
    }

    fn review(&self, review: &ReviewTold) -> Said {
        let pending = review.pending.as_ref().map(|pending| self.pending(pending)).transpose()?;
        let unseen = review.pending.as_ref().map(|pending| pending.hosts_not_looked_at).filter(|count| *count > 0);
        let unseen = unseen.map(|count| self.reader.number(count as u64)).transpose()?;
        let customer = Some(self.customer.clone());
        let rows = [("customer", customer), ("pending", pending), ("not_looked_at", unseen)];
        let (subject, mut view) = self.of_date(&review.date, rows)?;
        if review.pending.is_none() {
            view.lead = self.text("lead_by_hand", &[])?;
        }
        view.command = Some(clean(&review.command));
        Ok((subject, view))
    }

    fn pending(&self, pending: &Pending) -> Result<String, Error> {
        let count = |key: &str, count: usize| self.reader.count(key, count, &[]);
        let mut parts = vec![count("mail.pending.changes", pending.changes)?];
        parts.push(count("mail.pending.security", pending.security)?);
        if let Some(removals) = pending.removals {
            parts.push(count("mail.pending.removals", removals)?);
        }
        parts.push(count("mail.pending.hosts", pending.hosts)?);
        Ok(parts.join(", "))
    }

    fn undeliverable(&self, number: i64, kind: Kind, (recipient, error): (&str, &str), what: Option<&About>) -> Said {
        let (number, recipient) = (number.to_string(), clean(recipient));
        let (subject, lead) = self.head(&[("number", &number), ("recipient", &recipient)])?;
        let message = self.reader.plain(&format!("mail.kind.{kind}"))?;
        let rows = [
            ("customer", Some(self.customer.clone())),
            ("message", Some(self.text("message", &[("number", &number), ("kind", &message)])?)),
            ("about", what.map(|what| about(what, self.reader)).transpose()?),
            ("recipient", Some(recipient)),
            ("error", Some(clean(error))),
        ];
        let command = Some(format!("turnus outbox retry {number}"));
        Ok((subject, NoticeView { command, ..NoticeView::saying(lead, labelled(self.reader, rows)?) }))
    }

    fn capacity_short(&self, told: &CapacityTold) -> Said {
        let (host, path) = (told.host.to_string(), clean(&told.disk.path));
        let (subject, mut lead) = self.head(&[("host", &host), ("path", &path)])?;
        if told.days.is_none() {
            lead = self.text("lead_full", &[])?;
        }
        let until = match &told.days {
            Some(days) => capacity::days(days, self.reader)?,
            None => self.reader.plain("capacity.full")?,
        };
        let rows = [
            ("customer", Some(self.customer.clone())),
            ("host", Some(host)),
            ("path", Some(path)),
            ("free", Some(capacity::space(told.disk.space, self.reader)?)),
            ("inodes", told.disk.inodes.map(|fill| capacity::inodes(fill, self.reader)).transpose()?),
            ("scarce", Some(capacity::resource(told.resource, self.reader)?)),
            ("full", Some(until)),
            ("measured", Some(self.reader.moment(told.measured_at)?)),
        ];
        let mut view = NoticeView::saying(lead, labelled(self.reader, rows)?);
        view.command = Some(clean(&told.command));
        Ok((subject, view))
    }

    fn answer(&self, what: &About, decision: &Decision, by: &str, remark: Option<&str>) -> Said {
        let (word, wanted) = match decision {
            Decision::Confirmed => ("confirmed", None),
            Decision::MoveWanted { to } => ("move_wanted", *to),
            Decision::Accepted => ("accepted", None),
            Decision::AcceptedWithRemarks => ("accepted_with_remarks", None),
            Decision::Refused => ("refused", None),
            Decision::DeemedAccepted => ("deemed_accepted", None),
        };
        let decided = self.reader.plain(&format!("mail.decision.{word}"))?;
        let by = clean(by);
        let (subject, lead) = self.head(&[("decision", &decided)])?;
        let rows = [
            ("customer", Some(self.customer.clone())),
            ("about", Some(about(what, self.reader)?)),
            ("answer", Some(decided)),
            ("wanted", wanted.map(|to| moment(to, self.reader)).transpose()?),
            ("by", Some(by).filter(|by| !by.is_empty())),
            ("remark", remark.map(clean)),
        ];
        Ok((subject, NoticeView::saying(lead, labelled(self.reader, rows)?)))
    }
}

/// That the report comes with the mail, if it does.
pub(super) fn attached(file: Option<&str>, reader: &Reader<'_>) -> Result<Option<String>, Error> {
    file.map(|file| reader.text("mail.attached", &[("file", &clean(file))])).transpose()
}

/// The values that there are for subject and first sentence of a mail, whether the embedded texts place them or not.
pub(in crate::edge::text) fn offered_values(key: &str) -> &'static [&'static str] {
    let Some((kind, "subject" | "lead")) = key.strip_prefix("mail.").and_then(|rest| rest.split_once('.')) else {
        return &[];
    };
    match kind {
        "announcement" | "reminder" | "moved" | "cancelled" | "started" | "missed" | "review_needed"
        | "review_reminder" => &["customer", "day", "when", "description", "until"],
        "acceptance_reminder" | "finished" | "failed" => &["customer", "day", "description"],
        "period_report" => &["customer", "from", "to"],
        "run_failed" => &["customer", "number", "state"],
        "undeliverable" => &["customer", "number", "recipient"],
        "answer" => &["customer", "decision"],
        "capacity_short" => &["customer", "host", "path"],
        _ => &[],
    }
}
