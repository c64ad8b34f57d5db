//! Open points as sentences. Hosts that were left out for the same reason, or were all unreachable, share one.

use serde::Serialize;

use super::super::Error;
use super::super::reader::Reader;
use super::words::{names_in_line, step_name, word};
use crate::domain::id::Name;
use crate::domain::report::open_point::OpenPoint;
use crate::domain::report::step::StepReference;

/// One sentence, and how to go on.
#[derive(Debug, Serialize)]
pub(in crate::edge::text) struct OpenPointView {
    text: String,
    commands: Vec<String>,
}

pub(in crate::edge::text) fn views(points: &[OpenPoint], reader: &Reader<'_>) -> Result<Vec<OpenPointView>, Error> {
    let groups = points.chunk_by(share_a_sentence);
    groups.filter_map(|group| Some((group.first()?, group))).map(|(first, group)| view(first, group, reader)).collect()
}

fn share_a_sentence(one: &OpenPoint, other: &OpenPoint) -> bool {
    match (one, other) {
        (OpenPoint::HostUnreachable { .. }, OpenPoint::HostUnreachable { .. })
        | (OpenPoint::ReviewAgain { .. }, OpenPoint::ReviewAgain { .. })
        | (OpenPoint::RebootNeeded { .. }, OpenPoint::RebootNeeded { .. }) => true,
        (OpenPoint::MessageUndelivered { recipient, .. }, OpenPoint::MessageUndelivered { recipient: other, .. }) => {
            recipient == other
        }
        (OpenPoint::HostSkipped { cause, .. }, OpenPoint::HostSkipped { cause: other, .. }) => cause == other,
        _ => false,
    }
}

fn view(first: &OpenPoint, group: &[OpenPoint], reader: &Reader<'_>) -> Result<OpenPointView, Error> {
    let commands = match first {
        OpenPoint::HostUnknown { commands, .. } => commands.clone(),
        _ => Vec::new(),
    };
    Ok(OpenPointView { text: text(first, group, reader)?, commands })
}

fn text(point: &OpenPoint, group: &[OpenPoint], reader: &Reader<'_>) -> Result<String, Error> {
    let key = format!("report.open.{}", word(point));
    match point {
        OpenPoint::HostUnknown { host, step, .. } => about_step(&key, host, step.as_ref(), reader),
        OpenPoint::NotReleased { host, step, state } | OpenPoint::NotRolledBack { host, step, state } => {
            about_step(&format!("{key}_{}", word(state)), host, Some(step), reader)
        }
        OpenPoint::CannotBeRolledBack { host, step }
        | OpenPoint::LostSight { host, step }
        | OpenPoint::StepOverdue { host, step }
        | OpenPoint::MaintenanceOutstanding { host, step }
        | OpenPoint::CutShort { host, step } => about_step(&key, host, Some(step), reader),
        OpenPoint::HostUnreachable { .. } | OpenPoint::HostSkipped { .. } => about_hosts(&key, group, reader),
        OpenPoint::ReviewAgain { .. } | OpenPoint::RebootNeeded { .. } => about_hosts(&key, group, reader),
        OpenPoint::ServiceNotBack { host, service } => {
            reader.text(&key, &[("host", host.as_str()), ("service", service)])
        }
        OpenPoint::PackagesNotKnown { host } => reader.text(&key, &[("host", host.as_str())]),
        OpenPoint::PackagesOutstanding { host, count } => reader.count(&key, *count, &[("host", host.as_str())]),
        OpenPoint::StaleServices { host, services } => {
            let services = names_in_line("report.packages.and_more_in_annex", services, services.len(), reader)?;
            reader.text(&key, &[("host", host.as_str()), ("services", &services)])
        }
        OpenPoint::MessageUndelivered { recipient, .. } => reader.count(&key, group.len(), &[("recipient", recipient)]),
        OpenPoint::NoBackup { reason } => reader.text(&key, &[("reason", reason)]),
    }
}

fn about_step(key: &str, host: &Name, step: Option<&StepReference>, reader: &Reader<'_>) -> Result<String, Error> {
    let step = step.map(|step| step_name(reader, step)).transpose()?.unwrap_or_default();
    reader.text(key, &[("host", host.as_str()), ("step", &step)])
}

fn about_hosts(key: &str, group: &[OpenPoint], reader: &Reader<'_>) -> Result<String, Error> {
    let names = group.iter().filter_map(|point| match point {
        OpenPoint::HostUnreachable { host }
        | OpenPoint::HostSkipped { host, .. }
        | OpenPoint::ReviewAgain { host }
        | OpenPoint::RebootNeeded { host } => Some(host.as_str()),
        _ => None,
    });
    reader.count(key, group.len(), &[("hosts", &names.collect::<Vec<_>>().join(", "))])
}
