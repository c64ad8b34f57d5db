//! `turnus review approve CUSTOMER` and `turnus review reject CUSTOMER`: what a named person says of exactly the newest list.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;
use clap::Args;

use super::{Standing, Subject, find_subject, nothing_collected, option, title, words};
use crate::app::cli::context::{Context, person};
use crate::app::cli::exit::{Exit, Failure};
use crate::app::console::{say, show};
use crate::domain::document::nearest::nearest;
use crate::domain::id::Name;
use crate::domain::packages::Change;
use crate::domain::review::{Approval, Collection, Finding, NotInList, Selection, Verdict};
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::occurrence::StoredOccurrence;
use crate::edge::store::review::decision::{
    About, Decided, DecisionNumber, NewDecision, StoredDecision, decide, find_standing,
};
use crate::edge::store::review::{StoredCollection, find_newest_for};
use crate::edge::store::{DatabaseConnection, Store, database_now};

/// The shortest beginning of a hash that may name a list.
const SHORTEST: usize = 4;

#[derive(Debug, Args)]
pub(super) struct Approve {
    #[command(flatten)]
    subject: Subject,
    /// Only what is for security
    #[arg(long)]
    security: bool,
    /// Only this package; may be given several times
    #[arg(long, value_name = "PACKAGE")]
    only: Vec<String>,
    /// Not this package; may be given several times
    #[arg(long, value_name = "PACKAGE")]
    except: Vec<String>,
    /// Only on these hosts; a list, or given several times
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    hosts: Vec<Name>,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
pub(super) struct Reject {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    who: Who,
}

/// Who decides, and on which list.
#[derive(Debug, Args)]
struct Who {
    /// Who decides
    #[arg(long, value_name = "NAME", value_parser = decider)]
    by: String,
    /// What is to be kept with it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Take the place of the decision that stands, which is kept
    #[arg(long)]
    replace: bool,
    /// The beginning of the list's hash, as `show` prints it: refused if the newest list is another one
    #[arg(long, value_name = "HASH")]
    list: Option<String>,
}

/// The name of whoever decides.
pub(in crate::app::cli) fn decider(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("say who decides".to_owned()) } else { Ok(text.to_owned()) }
}

/// What is said of a list.
struct Word {
    subject: Subject,
    verdict: Verdict,
    selection: Selection,
    who: Who,
}

pub(super) async fn approve(context: &Context, arguments: Approve) -> Result<Exit, Failure> {
    let Approve { subject, security, only, except, hosts, who } = arguments;
    let selection = Selection { security, only, except, hosts };
    run(context, &Word { subject, verdict: Verdict::Approve, selection, who }).await
}

pub(super) async fn reject(context: &Context, arguments: Reject) -> Result<Exit, Failure> {
    let Reject { subject, who } = arguments;
    run(context, &Word { subject, verdict: Verdict::Reject, selection: Selection::default(), who }).await
}

async fn run(context: &Context, word: &Word) -> Result<Exit, Failure> {
    let store = context.open_store().await?;
    let outcome = settle(context, &store, word).await;
    store.close().await?;
    outcome
}

async fn settle(context: &Context, store: &Store, word: &Word) -> Result<Exit, Failure> {
    let customer = context.customer(&word.subject.customer)?;
    let mut transaction = store.begin().await?;
    let occurrence = find_subject(&mut transaction, context, &word.subject, Standing::Ahead).await?;
    let occurrence = occurrence.ok_or_else(|| nothing_to_decide(&customer.name))?;
    let newest = find_newest_for(&mut transaction, occurrence.id).await?;
    let newest = newest.ok_or_else(|| nothing_collected(&word.subject))?;
    check_list(word, &newest)?;
    let changes = choose(word, &newest)?;
    let replaces = replaced(word, find_standing(&mut transaction, occurrence.id).await?.as_ref())?;
    let decision = keep(&mut transaction, word, (&occurrence, &newest), (changes, replaces)).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    show(&format!("{}\n{}", title(customer, Some(&occurrence)), words::decided(&decision)));
    for (host, changes) in decision.changes.iter().filter(|(_, changes)| !changes.is_empty()) {
        let changes: Vec<_> = changes.iter().map(|change| format!("  {change}")).collect();
        show(&format!("{host}:\n{}", changes.join("\n")));
    }
    warn_of_unseen(word, &newest);
    Ok(Exit::Done)
}

fn nothing_to_decide(customer: &Name) -> Failure {
    Failure::usage(anyhow!("{customer} has no date ahead whose job installs approved packages"))
        .hint("dates come with `turnus apply`; a run by hand asks for its own approval: `turnus run`")
}

/// Whoever names a list wants to decide on what they have seen.
fn check_list(word: &Word, newest: &StoredCollection) -> Result<(), Failure> {
    let Some(wanted) = &word.who.list else { return Ok(()) };
    if wanted.len() < SHORTEST {
        return Err(Failure::usage(anyhow!("`{wanted}` is too short to name a list: {SHORTEST} digits or more")));
    }
    if newest.list.as_str().starts_with(&wanted.to_ascii_lowercase()) {
        return Ok(());
    }
    let command = format!("`turnus review show {}{}`", word.subject.customer, option(&word.subject));
    Err(Failure::usage(anyhow!("the newest list is {}, not {wanted}: nothing was decided", newest.list.short()))
        .hint(format!("{command} shows it, with what has changed")))
}

fn choose(word: &Word, newest: &StoredCollection) -> Result<BTreeMap<Name, Vec<Change>>, Failure> {
    let findings = &newest.findings;
    if findings.is_settled() {
        return Err(Failure::usage(anyhow!("nothing is pending on any host, so nothing is to be decided")));
    }
    if word.verdict == Verdict::Reject {
        return Ok(BTreeMap::new());
    }
    let command = format!("`turnus review show {}{}`", word.subject.customer, option(&word.subject));
    let hint = || format!("{command} shows what is in the list");
    let chosen = word.selection.choose(findings).map_err(|wrong| {
        let meant = meant(&wrong, findings);
        Failure::usage(wrong).hint([meant, Some(hint())].into_iter().flatten().collect::<Vec<_>>().join("; "))
    })?;
    // With nothing pending where somebody looked, all of it is nothing, and may be approved.
    if chosen.values().all(Vec::is_empty) && !findings.union().is_empty() {
        return Err(Failure::usage(anyhow!("nothing of the list is chosen by that")).hint(hint()));
    }
    Ok(chosen)
}

/// The packages and hosts that were probably meant.
fn meant(NotInList(wrong): &NotInList, findings: &Collection) -> Option<String> {
    let packages = findings.hosts.values().flat_map(Finding::pending).map(|change| change.package.name.as_str());
    let known: BTreeSet<_> = packages.chain(findings.hosts.keys().map(Name::as_str)).collect();
    let meant: Vec<_> =
        wrong.iter().filter_map(|name| nearest(name, known.iter().copied())).map(|name| format!("`{name}`")).collect();
    (!meant.is_empty()).then(|| format!("did you mean {}?", meant.join(", ")))
}

fn replaced(word: &Word, standing: Option<&StoredDecision>) -> Result<Option<DecisionNumber>, Failure> {
    match standing {
        Some(standing) if !word.who.replace => {
            Err(Failure::usage(anyhow!("it is decided already; {}", words::decided(standing)))
                .hint("--replace takes its place"))
        }
        standing => Ok(standing.map(|standing| standing.number)),
    }
}

async fn keep(
    connection: &mut DatabaseConnection,
    word: &Word,
    (occurrence, newest): (&StoredOccurrence, &StoredCollection),
    (changes, replaces): (BTreeMap<Name, Vec<Change>>, Option<DecisionNumber>),
) -> Result<StoredDecision, Failure> {
    let approval = Approval {
        list: newest.list.clone(),
        by: word.who.by.clone(),
        at: database_now(connection).await?,
        note: word.who.note.clone().filter(|note| !note.trim().is_empty()),
        selection: word.selection.clone(),
        changes,
    };
    let decision = NewDecision {
        collection: newest.number,
        customer: &occurrence.customer,
        about: About::Occurrence(occurrence.id),
        verdict: word.verdict,
        approval: &approval,
        entered_by: &person(),
        replaces,
    };
    match decide(connection, &decision).await? {
        Decided::Kept(_) => {}
        Decided::AlreadyDecided => {
            return Err(Failure::usage(anyhow!("somebody else has decided meanwhile; nothing was done"))
                .hint("`turnus review show` shows who, and what"));
        }
        Decided::NotAhead => {
            return Err(Failure::usage(anyhow!("it has begun, or was called off: it is too late to decide")));
        }
    }
    let standing = find_standing(connection, occurrence.id).await?;
    standing.ok_or_else(|| Failure::failed(anyhow!("the decision is not in the database")))
}

/// What nobody has looked at, nobody has approved.
fn warn_of_unseen(word: &Word, newest: &StoredCollection) {
    let unseen = newest.findings.hosts.iter().filter(|(_, finding)| !matches!(finding, Finding::Surveyed(_)));
    let unseen: Vec<_> = unseen.map(|(host, _)| host.to_string()).collect();
    if word.verdict == Verdict::Approve && !unseen.is_empty() {
        say(&format!("could not be looked at, so nothing is approved for: {}", unseen.join(", ")));
    }
}
