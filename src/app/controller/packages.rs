//! The looks at a host's packages that a run makes: before anything is touched, and after all.
//!
//! Knows remotes and what was approved; installs nothing itself. Invariant: what a look chooses would, by the package manager's own
//! word, be done without anything that was not approved (G4).

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::job::Which;
use crate::domain::line::clean_line;
use crate::domain::packages::account::{Account, account};
use crate::domain::packages::choose::{
    Approved, DriftPolicy, Left, LeftCause, Look, choose, find_as_approved, find_outrun, find_refused, find_unapproved,
    hold,
};
use crate::domain::packages::{Change, Obstacle, PackageManager, PackagesRecord, Survey, Transaction};
use crate::domain::run::event::{StepEnd, StepResult};
use crate::edge::remote::packages::{simulate, survey};
use crate::edge::remote::{Error, Remote};

/// How long a host that can't be reached is asked again.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two tries.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// At the end of a run nobody else should be at work on the packages; who is, is waited for this long.
const LOCK_WAIT_S: u64 = 10 * 60;
/// Longest text of a difference that is kept, in characters.
const WHY_CHARS: usize = 2000;
/// The kernel takes 128 KiB for one variable.
const PINS_BYTES: usize = 120 * 1024;
/// Packages that are tried one by one, when together they would bring what was not approved.
const ONE_BY_ONE: usize = 200;

/// What a look is to choose.
pub(super) struct Wanted<'a> {
    pub(super) which: Which,
    pub(super) approved: &'a [Change],
    pub(super) drift: DriftPolicy,
    pub(super) lock_wait_s: u64,
}

impl Wanted<'_> {
    fn approved(&self) -> Approved<'_> {
        match self.which {
            Which::All => Approved::All,
            Which::Approved => Approved::These(self.approved),
        }
    }
}

/// Takes the list anew, and chooses. A host that can't be asked has not been touched: the step has failed, and may be repeated.
pub(super) async fn look_at(remote: &Remote, wanted: &Wanted<'_>) -> StepResult {
    let looked = patiently(|| async {
        let found = match survey(remote, wanted.lock_wait_s).await? {
            Ok(found) => found,
            Err(obstacle) => return Ok(obstructed(&obstacle)),
        };
        let mut choice = choose(&found, wanted.approved());
        if wanted.drift == DriftPolicy::InstallApprovedOnly {
            choice = take_outrun(remote, &found, choice).await?;
        }
        Ok(match settle(remote, &found, wanted, choice).await? {
            Ok(settled) => conclude(found, wanted.drift, settled),
            Err(obstacle) => obstructed(&obstacle),
        })
    });
    looked.await.unwrap_or_else(|error| not_met(&error.to_string()))
}

/// A host that can't be reached may be restarting, or its sshd.
async fn patiently<F>(look: impl Fn() -> F) -> Result<StepResult, Error>
where
    F: Future<Output = Result<StepResult, Error>>,
{
    let began = Instant::now();
    loop {
        match look().await {
            Err(error) if error.is_transient() && began.elapsed() < PATIENCE => {
                tracing::debug!(%error, "looking again");
                tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            }
            looked => return looked,
        }
    }
}

/// Where another version has become the pending one, the approved one may still be offered: then that is chosen.
async fn take_outrun(
    remote: &Remote,
    found: &Survey,
    (mut chosen, mut left): (Vec<Change>, Vec<Left>),
) -> Result<(Vec<Change>, Vec<Left>), Error> {
    for wanted in find_outrun(&left).into_iter().take(ONE_BY_ONE) {
        let Ok(Some(alone)) = simulate_one(remote, found, std::slice::from_ref(&wanted)).await? else { continue };
        if let Some(offered) = find_as_approved(&alone.changes, &wanted) {
            left.retain(|left| left.change != wanted);
            chosen.push(offered);
        }
    }
    chosen.sort();
    Ok((chosen, left))
}

/// What will be done by the package manager's own word, and what will not.
struct Settled {
    chosen: Vec<Change>,
    left: Vec<Left>,
    checksum: String,
}

/// Asks what installing the chosen would really do. What would bring something unapproved is left out.
async fn settle(
    remote: &Remote,
    found: &Survey,
    wanted: &Wanted<'_>,
    (chosen, mut left): (Vec<Change>, Vec<Left>),
) -> Result<Result<Settled, Obstacle>, Error> {
    let Some(together) = simulate_one(remote, found, &chosen).await?.transpose() else {
        return Ok(Ok(Settled { chosen, left, checksum: String::new() }));
    };
    // A list that can't be installed as a whole is tried one by one, like one that brings too much.
    let others = together.as_ref().map(|together| find_unapproved(&together.changes, &chosen, wanted.approved()));
    if let (Ok(together), Ok([])) = (&together, others.as_deref()) {
        let refused = find_refused(&together.changes, &chosen);
        left.extend(refused.iter().map(|change| Left { change: change.clone(), cause: LeftCause::Refused }));
        let chosen = chosen.into_iter().filter(|change| !refused.contains(change)).collect();
        return Ok(Ok(Settled { chosen, left, checksum: together.checksum.clone() }));
    }
    if chosen.len() > ONE_BY_ONE {
        let others = others.unwrap_or_default();
        left.extend(
            chosen.into_iter().map(|change| Left { change, cause: LeftCause::Needs { others: others.clone() } }),
        );
        return Ok(Ok(Settled { chosen: Vec::new(), left, checksum: String::new() }));
    }
    settle_one_by_one(remote, found, wanted, (chosen, left)).await
}

/// Keeps what can be had by itself; if that together still brings something unapproved, nothing.
async fn settle_one_by_one(
    remote: &Remote,
    found: &Survey,
    wanted: &Wanted<'_>,
    (chosen, mut left): (Vec<Change>, Vec<Left>),
) -> Result<Result<Settled, Obstacle>, Error> {
    let mut kept = Vec::new();
    for change in chosen {
        match simulate_one(remote, found, std::slice::from_ref(&change)).await? {
            Ok(Some(alone)) => {
                let others = find_unapproved(&alone.changes, std::slice::from_ref(&change), wanted.approved());
                match others.is_empty() {
                    true => kept.push(change),
                    false => left.push(Left { change, cause: LeftCause::Needs { others } }),
                }
            }
            Ok(None) | Err(_) => left.push(Left { change, cause: LeftCause::Refused }),
        }
    }
    let together = match simulate_one(remote, found, &kept).await? {
        Ok(Some(together)) => together,
        Ok(None) => return Ok(Ok(Settled { chosen: kept, left, checksum: String::new() })),
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    let others = find_unapproved(&together.changes, &kept, wanted.approved());
    if others.is_empty() && find_refused(&together.changes, &kept).is_empty() {
        return Ok(Ok(Settled { chosen: kept, left, checksum: together.checksum }));
    }
    left.extend(kept.into_iter().map(|change| Left { change, cause: LeftCause::Needs { others: others.clone() } }));
    Ok(Ok(Settled { chosen: Vec::new(), left, checksum: String::new() }))
}

/// None for an empty list, which would do nothing.
async fn simulate_one(
    remote: &Remote,
    found: &Survey,
    list: &[Change],
) -> Result<Result<Option<Transaction>, Obstacle>, Error> {
    if list.is_empty() {
        return Ok(Ok(None));
    }
    let transactions = simulate(remote, found.manager, &[list.to_vec()]).await?;
    Ok(transactions.map(|transactions| transactions.into_iter().next()))
}

fn conclude(found: Survey, policy: DriftPolicy, Settled { chosen, left, checksum }: Settled) -> StepResult {
    let without_way_back = found.without_way_back;
    let is_chosen = |package: &_| chosen.iter().any(|change| change.package == *package);
    let without_way_back = without_way_back.into_iter().filter(is_chosen).collect();
    let held = hold(policy, &chosen, &left).or_else(|| too_many(&chosen, found.manager));
    let last_line = format!("{} to be changed, {} left", chosen.len(), left.len());
    let look = Look {
        manager: found.manager,
        chosen,
        left,
        held: found.held,
        transaction: checksum,
        without_way_back,
        warnings: found.warnings,
    };
    let end = held.map_or(StepEnd::Succeeded, |why| StepEnd::Held { why: clean_line(why.as_bytes(), WHY_CHARS) });
    StepResult { packages: Some(Box::new(PackagesRecord::Looked(look))), last_line, ..StepResult::of(end) }
}

/// They reach the host in one variable.
fn too_many(chosen: &[Change], manager: PackageManager) -> Option<String> {
    let bytes: usize = chosen.iter().map(|change| change.pin(manager).len() + 1).sum();
    (bytes > PINS_BYTES).then(|| format!("{} packages are too many for one run; approve them in parts", chosen.len()))
}

/// Looks again, and compares with what was chosen.
pub(super) async fn look_back(remote: &Remote, choice: Option<&Look>) -> Result<StepResult, Error> {
    let Some(look) = choice else {
        return Ok(StepResult::of(StepEnd::NotStarted { why: "nothing was chosen".to_owned() }));
    };
    let looked = patiently(|| async {
        Ok(match survey(remote, LOCK_WAIT_S).await? {
            Ok(after) => accounted(account(look, &after)),
            Err(obstacle) => obstructed(&obstacle),
        })
    });
    looked.await
}

fn accounted(account: Account) -> StepResult {
    let (installed, not_installed) = (account.installed.len(), account.not_installed.len());
    let last_line = format!("{installed} changed as chosen, {not_installed} not");
    let packages = Some(Box::new(PackagesRecord::Accounted(account)));
    StepResult { packages, last_line, ..StepResult::of(StepEnd::Succeeded) }
}

fn obstructed(obstacle: &Obstacle) -> StepResult {
    let told = match obstacle.hint() {
        Some(hint) => format!("{obstacle}; {hint}"),
        None => obstacle.to_string(),
    };
    not_met(&told)
}

fn not_met(told: &str) -> StepResult {
    let why = clean_line(told.as_bytes(), WHY_CHARS);
    StepResult { last_line: why.clone(), ..StepResult::of(StepEnd::NotMet { why }) }
}

/// What a step gets that installs, keeps or takes back what was chosen.
pub(super) fn environment_of(look: &Look) -> [(String, String); 3] {
    let pins: Vec<String> = look.chosen.iter().map(|change| change.pin(look.manager)).collect();
    [
        ("TURNUS_PACKAGE_MANAGER".to_owned(), look.manager.to_string()),
        ("TURNUS_PACKAGES".to_owned(), pins.join("\n")),
        ("TURNUS_TRANSACTION".to_owned(), look.transaction.clone()),
    ]
}
