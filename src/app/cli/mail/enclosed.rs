//! What comes with a mail beside its words: the entry for the calendar, and the report.
//!
//! Knows the made-up scene of a preview; does not know how the real ones are read from the database.

use anyhow::Context as _;
use jiff::Timestamp;
use uuid::Uuid;

use crate::app::cli::context::Context;
use crate::app::cli::exit::Failure;
use crate::app::post::calendar::{ALARM_S, method};
use crate::domain::id::OccurrenceId;
use crate::domain::inventory::{Contact, Customer};
use crate::domain::mail::samples::Scene;
use crate::domain::mail::{Mail, Matter};
use crate::domain::notification::Kind;
use crate::edge::ics::invitation::{Invitation, Party, write_invitation};
use crate::edge::ics::{Impact, Maintenance, OwnEvent, Status, provider_domain, uid};
use crate::edge::mail::{Attachment, CalendarPart};
use crate::edge::text::{Format, Texts};

/// Who gets the mail, and from whom.
pub(super) struct Between<'a> {
    pub(super) customer: &'a Customer,
    pub(super) contact: Option<&'a Contact>,
    /// The provider's address.
    pub(super) email: &'a str,
}

/// The entry of the date, if mails of this kind have one; a customer without contacts gets it as one that is only told.
pub(super) fn calendar(
    context: &Context,
    scene: &Scene,
    kind: Kind,
    between: &Between<'_>,
    now: Timestamp,
) -> Option<CalendarPart> {
    let Between { customer, contact, email } = between;
    let to = contact.map_or(*email, |contact| &contact.email);
    let attendee = Party { name: scene.recipient_name.clone(), email: to.to_owned() };
    let method = method(kind, contact.map(|contact| contact.calendar).unwrap_or_default(), attendee)?;
    let window = customer.windows.iter().find(|window| window.name == scene.date.window);
    let job = window.and_then(|window| context.catalog.jobs.get(&window.job));
    let invitation = Invitation {
        event: OwnEvent {
            uid: uid(OccurrenceId(Uuid::nil())),
            sequence: u32::from(matches!(kind, Kind::Moved | Kind::Cancelled)),
            stamp: now,
            summary: format!("{}: {}", scene.customer_name, scene.date.window),
            description: scene.date.description.clone(),
            start: scene.date.opens_at,
            end: scene.date.closes_at,
            status: if kind == Kind::Cancelled { Status::Cancelled } else { Status::Confirmed },
            maintenance: Maintenance {
                provider: provider_domain(Some(email), None).to_owned(),
                account: customer.name.clone(),
                impact: job.map_or(Impact::Degraded, Impact::of),
                objects: scene.date.hosts.clone(),
            },
        },
        time_zone: scene.time_zone.clone(),
        organizer: Party { name: scene.provider.name.clone(), email: (*email).to_owned() },
        alarm_before_s: Some(ALARM_S),
        method,
    };
    Some(CalendarPart { method: invitation.method.as_str().to_owned(), content: write_invitation(&invitation) })
}

/// Names the report that comes with the mail as a real one is named. That of a period is not made up: nothing comes with its mail.
pub(super) fn name_report(mail: Mail) -> Mail {
    let matter = match mail.matter {
        Matter::Finished(mut ended) => {
            ended.attachment = Some(format!("turnus-{}-{}.html", ended.report.customer, ended.report.run_number));
            Matter::Finished(ended)
        }
        Matter::Failed(mut ended) => {
            ended.attachment = Some(format!("turnus-{}-{}.html", ended.report.customer, ended.report.run_number));
            Matter::Failed(ended)
        }
        Matter::PeriodReport(mut period) => {
            period.attachment = None;
            Matter::PeriodReport(period)
        }
        other => other,
    };
    Mail { matter, ..mail }
}

/// The report, if it comes with the mail.
pub(super) fn report(texts: &Texts, mail: &Mail) -> Result<Vec<Attachment>, Failure> {
    let (Matter::Finished(ended) | Matter::Failed(ended)) = &mail.matter else { return Ok(Vec::new()) };
    let Some(file_name) = ended.attachment.clone() else { return Ok(Vec::new()) };
    let page = texts.render_report(&ended.report, mail.locale, Format::Html).context("the report can't be written");
    let content = page.map_err(Failure::usage)?.into_bytes();
    Ok(vec![Attachment { file_name, media_type: "text/html".to_owned(), content }])
}
