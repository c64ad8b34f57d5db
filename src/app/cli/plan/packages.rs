//! `turnus plan --packages`: what a run would install by what was decided or found last, and where there is no way back.

use std::collections::BTreeMap;

use anyhow::anyhow;
use serde::Serialize;

use crate::app::cli::context::Context;
use crate::app::cli::exit::Failure;
use crate::app::cli::review::{find_next, installs_approved};
use crate::app::cli::show::moment;
use crate::domain::id::{ContentHash, Name};
use crate::domain::line::clean_line;
use crate::domain::packages::{Change, Package};
use crate::domain::plan::Plan;
use crate::domain::review::{Approval, Collection, Finding};
use crate::edge::store::DatabaseConnection;
use crate::edge::store::review::decision::{StoredDecision, find_standing};
use crate::edge::store::review::{StoredCollection, find_collection, find_newest_for, find_newest_of};

/// Longest line of a host, in characters.
const LINE_CHARS: usize = 2000;

/// What is known.
#[derive(Debug, Serialize)]
pub(super) struct Known {
    /// Absent: nobody has decided; the changes are what is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    list: ContentHash,
    #[serde(skip)]
    told: String,
    hosts: BTreeMap<Name, OnHost>,
}

/// What would be done on a host.
#[derive(Debug, Serialize)]
struct OnHost {
    /// Whether somebody has looked at it.
    looked_at: bool,
    changes: Vec<Change>,
    /// What can't be taken back, whatever the job's `rollback` says.
    without_way_back: Vec<Package>,
}

/// What was decided for the next date of the job, or found last.
pub(super) async fn find(context: &Context, plan: &Plan) -> Result<Known, Failure> {
    if !installs_approved(context, &plan.job) {
        return Err(Failure::usage(anyhow!("the job {} installs no approved packages", plan.job)));
    }
    let store = context.open_store().await?;
    let read = async { read(&mut *store.begin().await?, plan).await }.await;
    store.close().await?;
    read?.ok_or_else(|| {
        Failure::usage(anyhow!("nothing has been collected for {}", plan.customer))
            .hint(format!("`turnus review collect {}`", plan.customer))
    })
}

async fn read(connection: &mut DatabaseConnection, plan: &Plan) -> Result<Option<Known>, Failure> {
    let next = find_next(connection, &plan.customer, |row| row.job == plan.job).await?;
    let (standing, of_date) = match &next {
        Some(next) => (find_standing(connection, next.id).await?, find_newest_for(connection, next.id).await?),
        None => (None, None),
    };
    let decided = standing.as_ref().and_then(StoredDecision::approval).zip(standing.as_ref());
    if let Some((approval, decision)) = decided {
        let collection = find_collection(connection, decision.collection).await?;
        return Ok(collection.map(|collection| known(plan, &collection, Some(&approval))));
    }
    let newest = match of_date {
        Some(newest) => Some(newest),
        None => find_newest_of(connection, &plan.customer).await?,
    };
    Ok(newest.map(|newest| known(plan, &newest, None)))
}

fn known(plan: &Plan, collection: &StoredCollection, approval: Option<&Approval>) -> Known {
    let hosts = plan.hosts.iter().map(|host| (host.name.clone(), on_host(&host.name, &collection.findings, approval)));
    let told = match approval {
        Some(approval) => format!("packages as approved by {} at {}", approval.by, moment(approval.at)),
        None => format!("packages pending at {}, not approved", moment(collection.collected_at)),
    };
    Known {
        approved_by: approval.map(|approval| approval.by.clone()),
        list: collection.list.clone(),
        told,
        hosts: hosts.collect(),
    }
}

fn on_host(host: &Name, findings: &Collection, approval: Option<&Approval>) -> OnHost {
    let survey = match findings.hosts.get(host) {
        Some(Finding::Surveyed(survey)) => Some(survey),
        _ => None,
    };
    let pending = survey.map(|survey| survey.pending.as_slice()).unwrap_or_default();
    let changes = approval.map_or(pending, |approval| approval.of(host)).to_vec();
    let is_changed = |package: &&Package| changes.iter().any(|change| change.package == **package);
    let gone = survey.map(|survey| survey.without_way_back.as_slice()).unwrap_or_default();
    let without_way_back = gone.iter().filter(is_changed).cloned().collect();
    OnHost { looked_at: survey.is_some(), changes, without_way_back }
}

/// In words.
pub(super) fn describe(known: &Known) -> String {
    let mut lines = vec![format!("{}, list {}:", known.told, known.list.short())];
    for (name, host) in &known.hosts {
        let changes = match (host.looked_at, host.changes.as_slice()) {
            (false, _) => "nobody has looked".to_owned(),
            (true, []) => "nothing".to_owned(),
            (true, changes) => changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        lines.push(clean_line(format!("{name}: {changes}").as_bytes(), LINE_CHARS));
        if !host.without_way_back.is_empty() {
            let packages: Vec<_> = host.without_way_back.iter().map(|package| package.name.as_str()).collect();
            lines.push(format!(
                "{name}: point of no return: the old version can't be had again of {}",
                packages.join(", ")
            ));
        }
    }
    lines.join("\n  ")
}
