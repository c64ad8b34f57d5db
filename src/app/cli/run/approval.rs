//! What a run by hand may install: what was decided for the window that it is in, or what a person says now of what is pending now.
//!
//! Invariant: the database is closed while hosts are looked at and a person thinks.

use std::collections::BTreeMap;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::by_hand::{MayAsk, look};
use crate::app::calendar::opening::ByHand;
use crate::app::cli::context::{Context, person};
use crate::app::cli::exit::{Exit, Failure};
use crate::app::cli::review::{collect, decide, words};
use crate::app::console::{Unanswered, ask, say};
use crate::app::review::Errand;
use crate::domain::id::{Name, OccurrenceId, RunId};
use crate::domain::job::Which;
use crate::domain::packages::Change;
use crate::domain::plan::Plan;
use crate::domain::review::{Approval, Collection, Finding, Selection, Verdict};
use crate::edge::store::DatabaseConnection;
use crate::edge::store::review::decision::{About, Decided, NewDecision, decide as keep_decision, find_standing};
use crate::edge::store::review::{NewCollection, store_collection};

#[derive(Debug, Clone, Default, Args)]
// The group of this name is that of the command that has these arguments as its own.
#[group(id = "approval")]
pub(super) struct Arguments {
    /// Approve these of the updates that are pending now, for this run; for jobs that install approved packages
    #[arg(long, value_enum, value_name = "WHICH", requires = "by")]
    approve: Option<Chosen>,
    /// Who approves
    #[arg(long, value_name = "NAME", value_parser = decide::decider)]
    by: Option<String>,
}

/// Which of the pending updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Chosen {
    /// All of them
    All,
    /// What is for security
    Security,
}

/// What may be installed.
pub(super) enum Granted {
    /// The job installs nothing that has to be approved.
    NotNeeded,
    /// Decided before, for the window that is open.
    Before(Approval),
    /// Decided now, on what was found now.
    Now(Fresh),
}

/// A decision that is yet to be stored, with its run.
pub(super) struct Fresh {
    findings: Collection,
    selection: Selection,
    changes: BTreeMap<Name, Vec<Change>>,
    by: String,
}

/// Finds out, by a look at the record, at the hosts, and by asking.
pub(super) async fn settle(
    context: &Context,
    plan: &Plan,
    arguments: &Arguments,
    may_ask: MayAsk,
) -> Result<Granted, Failure> {
    let job = context.job(plan.job.as_str())?;
    if job.installs() != Some(Which::Approved) {
        return match arguments.approve {
            None => Ok(Granted::NotNeeded),
            Some(_) => Err(Failure::usage(anyhow!("the job {} installs no approved packages", job.name))
                .hint("leave --approve out")),
        };
    }
    // Whoever says it anew for this run, and by whom, means that.
    if arguments.approve.is_none()
        && let Some(approval) = find_decided(context, plan).await?
    {
        say(&format!("what may be installed was approved by {} for this window", approval.by));
        return Ok(Granted::Before(approval));
    }
    say(&format!("looking at what is pending on {}", super::hosts_in_words(plan)));
    let findings = collect::look(context, &Errand::for_plan(plan, job)).await?;
    tell(&findings);
    if collect::exit_of(&findings) == Exit::Unreachable {
        return Err(Failure::unreachable(anyhow!("no host could be reached, so nothing can be approved")));
    }
    if findings.is_settled() {
        let by = arguments.by.clone().unwrap_or_else(person);
        return Ok(Granted::Now(fresh(findings, Chosen::All, by)?));
    }
    let (chosen, by) = match (arguments.approve, &arguments.by) {
        (Some(chosen), Some(by)) => (chosen, by.clone()),
        _ if may_ask == MayAsk::Yes => ask_for_both(arguments.by.as_deref())?,
        _ => return Err(unanswered()),
    };
    Ok(Granted::Now(fresh(findings, chosen, by)?))
}

fn fresh(findings: Collection, chosen: Chosen, by: String) -> Result<Fresh, Failure> {
    let selection = Selection { security: chosen == Chosen::Security, ..Selection::default() };
    let changes = selection.choose(&findings).map_err(Failure::usage)?;
    Ok(Fresh { findings, selection, changes, by })
}

/// The decision for the window that is open.
async fn find_decided(context: &Context, plan: &Plan) -> Result<Option<Approval>, Failure> {
    let ByHand::Inside { occurrence: Some(occurrence), window } = look(context, plan).await? else { return Ok(None) };
    let store = context.open_store_to_drive().await?;
    let standing = async { find_standing(&mut *store.begin().await?, occurrence).await }.await;
    store.close().await?;
    let Some(decision) = standing? else { return Ok(None) };
    match decision.approval() {
        Some(approval) => Ok(Some(approval)),
        None => Err(Failure::usage(anyhow!("the updates of the window {window} were rejected by {}", decision.by))
            .hint("--approve all|security --by NAME decides anew, for this run alone")),
    }
}

fn tell(findings: &Collection) {
    if !findings.union().is_empty() {
        say(&words::union(findings, &BTreeMap::new()));
    }
    say(&words::amount(findings));
    for (host, finding) in &findings.hosts {
        match finding {
            Finding::Surveyed(_) => {}
            Finding::Unreachable { what, .. } => say(&format!("{host}: not reached: {what}")),
            Finding::Obstructed(obstacle) => say(&format!("{host}: {obstacle}")),
        }
    }
}

fn ask_for_both(by: Option<&str>) -> Result<(Chosen, String), Failure> {
    let chosen = ask_which()?;
    let by = match by {
        Some(by) => by.to_owned(),
        None => ask(&format!("Who approves? [{}]", person())).map_err(no_answer)?,
    };
    Ok((chosen, Some(by).filter(|name| !name.is_empty()).unwrap_or_else(person)))
}

/// Until it is answered: a slip of the pen approves nothing, and need not cost another look at all hosts.
fn ask_which() -> Result<Chosen, Failure> {
    loop {
        let answer = ask("Approve all, security, or nothing?").map_err(no_answer)?;
        match answer.to_ascii_lowercase().as_str() {
            "all" | "a" => return Ok(Chosen::All),
            "security" | "s" => return Ok(Chosen::Security),
            "nothing" | "none" | "no" | "n" | "" => return Err(Failure::declined()),
            _ => say(&format!("`{answer}` is none of these")),
        }
    }
}

fn no_answer(why: Unanswered) -> Failure {
    match why {
        Unanswered::NoTerminal => unanswered(),
        Unanswered::Ended => Failure::declined(),
    }
}

fn unanswered() -> Failure {
    Failure::usage(anyhow!("what is pending has to be approved by somebody before it is installed"))
        .hint("--approve all|security --by NAME")
}

impl Granted {
    /// What the plan carries.
    pub(super) fn approval(&self, now: Timestamp) -> Option<Approval> {
        match self {
            Self::NotNeeded => None,
            Self::Before(approval) => Some(approval.clone()),
            Self::Now(fresh) => Some(fresh.approval(now)),
        }
    }

    /// Keeps what was found and decided now, with the run that was made of it.
    pub(super) async fn keep(
        &self,
        connection: &mut DatabaseConnection,
        customer: &Name,
        (run, now): (RunId, Timestamp),
    ) -> Result<(), Failure> {
        let Self::Now(fresh) = self else { return Ok(()) };
        let nowhere: Option<OccurrenceId> = None;
        let new = NewCollection { customer, occurrence: nowhere, by: &person(), findings: &fresh.findings };
        let collection = store_collection(connection, &new).await?;
        let decision = NewDecision {
            collection,
            customer,
            about: About::Run(run),
            verdict: Verdict::Approve,
            approval: &fresh.approval(now),
            entered_by: &person(),
            replaces: None,
        };
        match keep_decision(connection, &decision).await? {
            Decided::Kept(_) => Ok(()),
            Decided::AlreadyDecided | Decided::NotAhead => {
                Err(Failure::failed(anyhow!("the run has a decision already")))
            }
        }
    }
}

impl Fresh {
    fn approval(&self, now: Timestamp) -> Approval {
        Approval {
            list: self.findings.hash(),
            by: self.by.clone(),
            at: now,
            note: None,
            selection: self.selection.clone(),
            changes: self.changes.clone(),
        }
    }
}
