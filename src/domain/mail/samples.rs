//! Mails about things that never happened: for a preview, and to try templates on. Between them they need everything that a template
//! can place.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::{
    About, CapacityTold, Cause, Dated, Decision, Ended, Invitation, Link, Mail, Matter, Pending, PeriodTold,
    ReviewTold, RunTold, Sender,
};
use crate::domain::capacity::{DaysUntilFull, Disk, Fill, Resource};
use crate::domain::id::Name;
use crate::domain::inventory::Locale;
use crate::domain::notification::Kind;
use crate::domain::report::Report;
use report::{failed, nothing_to_do, succeeded};

mod report;

/// What all of the mails share: who writes to whom, and which date they are about.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) provider: Sender,
    pub(crate) recipient_name: String,
    /// What people type.
    pub(crate) customer: Name,
    /// As it stands in letters.
    pub(crate) customer_name: String,
    pub(crate) locale: Locale,
    pub(crate) time_zone: String,
    pub(crate) date: Dated,
    /// The opening of the date after it.
    pub(crate) next_opens_at: Timestamp,
    /// What links begin with; absent: mails have none.
    pub(crate) public_url: Option<String>,
}

impl Scene {
    /// A customer in Berlin with three servers.
    pub(crate) fn example(locale: Locale) -> Self {
        let opens_at = later(Timestamp::UNIX_EPOCH, 1_774_616_400);
        Self {
            provider: Sender {
                name: "Systemhaus Beispiel".to_owned(),
                email: "wartung@systemhaus.example".to_owned(),
                signature: Some("Systemhaus Beispiel GmbH\n+49 30 0000000".to_owned()),
                has_logo: true,
            },
            recipient_name: "Jana Weber".to_owned(),
            customer: name("nordwind"),
            customer_name: "Nordwind Logistik GmbH".to_owned(),
            locale,
            time_zone: "Europe/Berlin".to_owned(),
            date: Dated {
                window: name("quarterly"),
                description: "Quartalswartung der Anwendungsserver".to_owned(),
                opens_at,
                closes_at: later(opens_at, 4 * 3600),
                hosts: ["mail01", "web01", "db01"].map(name).to_vec(),
            },
            next_opens_at: later(opens_at, 91 * 86_400 - 3600),
            public_url: Some("https://wartung.systemhaus.example".to_owned()),
        }
    }

    /// The usual mail of this kind.
    pub(crate) fn mail(&self, kind: Kind) -> Mail {
        self.told(self.matter(kind))
    }

    /// Mails of all kinds, each in all its variants.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let mut mails: Vec<_> = Kind::ALL.into_iter().map(|kind| self.mail(kind)).collect();
        mails.extend(self.variants().into_iter().map(|matter| self.told(matter)));
        let provider = Sender { signature: None, has_logo: false, ..self.provider.clone() };
        let bare = Self { provider, public_url: None, ..self.clone() };
        mails.extend(Kind::ALL.into_iter().map(|kind| bare.mail(kind)));
        mails.push(Mail { customer: None, ..bare.mail(Kind::Undeliverable) });
        let crowd = Self { date: Dated { hosts: many_hosts(), ..self.date.clone() }, ..self.clone() };
        mails.extend([Kind::Announcement, Kind::Finished].map(|kind| crowd.mail(kind)));
        mails.extend((0..7).map(|day| {
            let opens_at = later(self.date.opens_at, day * 86_400);
            self.told(Matter::Started { date: Dated { opens_at, ..self.date.clone() } })
        }));
        mails
    }

    fn told(&self, matter: Matter) -> Mail {
        Mail {
            recipient_name: self.recipient_name.clone(),
            provider: self.provider.clone(),
            customer: Some(self.customer_name.clone()),
            locale: self.locale,
            time_zone: self.time_zone.clone(),
            matter,
        }
    }

    fn matter(&self, kind: Kind) -> Matter {
        match kind {
            Kind::Announcement => Matter::Announcement(self.invitation()),
            Kind::Reminder => Matter::Reminder(self.invitation()),
            Kind::Moved => self.moved(Cause::Person { reason: "Messe am Freitag".to_owned() }),
            Kind::Cancelled => self.cancelled(Cause::Freeze { reason: "Jahresabschluss".to_owned() }),
            Kind::Started => Matter::Started { date: self.date.clone() },
            Kind::Finished => Matter::Finished(self.ended(succeeded(self))),
            Kind::Failed => Matter::Failed(self.ended(failed(self))),
            Kind::Missed => self.missed(Cause::NotApproved, None),
            Kind::AcceptanceReminder => Matter::AcceptanceReminder {
                run: self.run(),
                link: self.link("answer"),
                deemed_on: Some(Date::constant(2026, 4, 20)),
            },
            Kind::PeriodReport => Matter::PeriodReport(period()),
            Kind::ReviewNeeded => Matter::ReviewNeeded(self.review(Some(pending()))),
            Kind::ReviewReminder => Matter::ReviewReminder(self.review(Some(pending()))),
            Kind::RunFailed => Matter::RunFailed { report: Box::new(failed(self)) },
            Kind::Undeliverable => self.undeliverable(Some(About::Date(self.date.clone()))),
            Kind::Answer => {
                self.answer(Decision::AcceptedWithRemarks, Some("Bitte beim nächsten Mal später beginnen."))
            }
            Kind::CapacityShort => {
                let days = DaysUntilFull { estimate: 16, earliest: 12, latest: Some(21) };
                self.capacity_short(Resource::Space, Some(days))
            }
        }
    }

    /// What the usual mails leave out.
    fn variants(&self) -> Vec<Matter> {
        let text = || "…".to_owned();
        let causes = [
            Cause::Holiday { name: text() },
            Cause::Freeze { reason: text() },
            Cause::AgreementChanged,
            Cause::LengthChanged,
            Cause::Person { reason: text() },
            Cause::NotApproved,
            Cause::NotAnnounced,
            Cause::OtherMaintenance,
            Cause::Technical,
        ];
        let decisions = [
            Decision::Confirmed,
            Decision::MoveWanted { to: Some(later(self.date.opens_at, 6 * 86_400 - 3600)) },
            Decision::MoveWanted { to: None },
            Decision::Accepted,
            Decision::Refused,
            Decision::DeemedAccepted,
        ];
        let abouts = [
            About::Run(self.run()),
            About::Period { from: Date::constant(2026, 1, 1), to: Date::constant(2026, 3, 31) },
        ];
        let mut matters: Vec<_> = causes.iter().map(|cause| self.moved(cause.clone())).collect();
        matters.extend(causes.iter().map(|cause| self.cancelled(cause.clone())));
        matters.extend(causes.into_iter().map(|cause| self.missed(cause, Some(text()))));
        matters.extend(decisions.into_iter().map(|decision| self.answer(decision, None)));
        matters.extend(abouts.into_iter().map(|about| self.undeliverable(Some(about))));
        matters.extend(report::endings(self).into_iter().map(|report| Matter::Failed(self.ended(report))));
        matters.push(self.undeliverable(None));
        matters.extend(Kind::ALL.into_iter().map(|kind| match self.undeliverable(None) {
            Matter::Undeliverable { number, recipient, error, about, .. } => {
                Matter::Undeliverable { number, kind, recipient, error, about }
            }
            other => other,
        }));
        matters.push(Matter::ReviewNeeded(self.review(None)));
        matters.push(Matter::ReviewReminder(self.review(None)));
        let days = DaysUntilFull { estimate: 1, earliest: 0, latest: None };
        matters.push(self.capacity_short(Resource::Inodes, Some(days)));
        matters.extend([Resource::Space, Resource::Inodes].map(|resource| self.capacity_short(resource, None)));
        let unseen = Pending { removals: None, hosts_not_looked_at: 1, ..pending() };
        matters.push(Matter::ReviewNeeded(self.review(Some(unseen))));
        let quiet = Ended { nothing_pending: vec![self.date.opens_at], next: None, ..*self.ended(nothing_to_do(self)) };
        matters.push(Matter::Finished(Box::new(quiet)));
        matters
    }

    fn invitation(&self) -> Invitation {
        Invitation { date: self.date.clone(), link: self.link("date") }
    }

    fn moved(&self, cause: Cause) -> Matter {
        Matter::Moved { to: self.invitation(), from: later(self.date.opens_at, -7 * 86_400), cause }
    }

    fn cancelled(&self, cause: Cause) -> Matter {
        Matter::Cancelled { date: self.date.clone(), cause }
    }

    fn missed(&self, cause: Cause, detail: Option<String>) -> Matter {
        Matter::Missed { date: self.date.clone(), cause, detail, next: Some(self.next()) }
    }

    fn next(&self) -> Dated {
        let length = self.date.closes_at.duration_since(self.date.opens_at);
        let closes_at = self.next_opens_at.checked_add(length).unwrap_or(self.next_opens_at);
        Dated { opens_at: self.next_opens_at, closes_at, ..self.date.clone() }
    }

    fn ended(&self, report: Report) -> Box<Ended> {
        Box::new(Ended {
            attachment: self.public_url.as_ref().map(|_| format!("report-{}.html", report.run_number)),
            report,
            nothing_pending: Vec::new(),
            next: Some(self.next()),
            link: self.link("answer"),
        })
    }

    fn run(&self) -> RunTold {
        let finished_at = later(self.date.opens_at, 27 * 60);
        RunTold { number: 7, description: self.date.description.clone(), finished_at }
    }

    fn review(&self, pending: Option<Pending>) -> ReviewTold {
        let command = format!("turnus review show {}", self.customer);
        ReviewTold { date: self.date.clone(), pending, command }
    }

    fn undeliverable(&self, about: Option<About>) -> Matter {
        Matter::Undeliverable {
            number: 12,
            kind: Kind::Announcement,
            recipient: "it@nordwind.example".to_owned(),
            error: "550 5.1.1 no such mailbox".to_owned(),
            about,
        }
    }

    fn answer(&self, decision: Decision, remark: Option<&str>) -> Matter {
        let about = match decision {
            Decision::Confirmed | Decision::MoveWanted { .. } => About::Date(self.date.clone()),
            _ => About::Run(self.run()),
        };
        let by = if decision == Decision::DeemedAccepted { String::new() } else { self.recipient_name.clone() };
        Matter::Answer { about, decision, by, remark: remark.map(str::to_owned) }
    }

    fn capacity_short(&self, resource: Resource, days: Option<DaysUntilFull>) -> Matter {
        let disk = Disk {
            path: "/backup".to_owned(),
            mount: "/backup".to_owned(),
            space: Fill { total: 2_000_000_000_000, free: 160_000_000_000 },
            inodes: Some(Fill { total: 122_000_000, free: 121_000_000 }),
        };
        Matter::CapacityShort(CapacityTold {
            host: name("db01"),
            disk,
            resource,
            days,
            measured_at: later(self.date.opens_at, -86_400),
            command: format!("turnus capacity {} --host db01", self.customer),
        })
    }

    fn link(&self, page: &str) -> Option<Link> {
        let url = self.public_url.as_ref()?;
        let url = format!("{url}/{page}/3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        let expires_at = match page {
            "date" => self.date.opens_at,
            _ => later(self.date.opens_at, 14 * 86_400),
        };
        Some(Link { url, code: "4821 7730".to_owned(), expires_at })
    }
}

fn period() -> PeriodTold {
    PeriodTold {
        from: Date::constant(2026, 1, 1),
        to: Date::constant(2026, 3, 31),
        windows_held: 3,
        windows_moved: 1,
        windows_missed: 0,
        updates: 128,
        security: 31,
        attachment: Some("report-2026-Q1.html".to_owned()),
    }
}

fn pending() -> Pending {
    Pending { changes: 42, security: 7, removals: Some(1), hosts: 3, hosts_not_looked_at: 0 }
}

/// So many seconds later; the end of time is no place for samples.
fn later(instant: Timestamp, seconds: i64) -> Timestamp {
    instant.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(instant)
}

/// More than a mail lists.
fn many_hosts() -> Vec<Name> {
    (1..=60).map(|number| name(&format!("server{number:02}"))).collect()
}

#[expect(clippy::expect_used, reason = "the texts stand in these files")]
fn name(text: &str) -> Name {
    text.parse().expect("names in this file are names")
}
