//! What `turnus apply` would do, and the daemon may do: the files compared with what is stored, nothing written.
//!
//! Invariant: the same files and rows give the same proposal, so that a second look tells whether anything has changed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::publish::NOT_IN_FILES;
use super::{Almanac, agreed};
use crate::domain::calendar::changes::{Agreed, Ahead, Change, Horizon, Slot, compare, withdraw};
use crate::domain::catalog::Catalog;
use crate::domain::id::{ContentHash, Name};
use crate::domain::inventory::{Customer, Receives};
use crate::domain::occurrence::OccurrenceState;
use crate::domain::problem::Problem;
use crate::edge::store::DatabaseConnection;
use crate::edge::store::applied::contact::list_receivers;
use crate::edge::store::applied::publish::list_published;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::occurrence::adjust::list_mentioned;
use crate::edge::store::occurrence::{StoredOccurrence, list_ahead};
use crate::edge::store::revision::RevisionKind;

/// How a file stands to what was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// It was not there.
    New,
    /// It has another content.
    Changed,
    /// It is not there any more.
    Removed,
    /// It is the same.
    Same,
}

impl Difference {
    /// Whether there is a content to be applied.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::New | Self::Changed)
    }

    /// The word for people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Same => "unchanged",
        }
    }
}

/// A file as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Which file.
    pub kind: RevisionKind,
    /// Its stem.
    pub name: String,
    /// Hash of its content.
    pub hash: ContentHash,
}

/// Everything that would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The span that was looked at.
    pub horizon: Horizon,
    /// Files that are not inventories: jobs, settings, calendars. Only those that differ.
    pub files: Vec<(RevisionKind, String, Difference)>,
    /// Customers with differences, by name.
    pub customers: Vec<CustomerProposal>,
}

/// What would change for one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerProposal {
    /// Whose.
    pub name: Name,
    /// How the file stands.
    pub file: Difference,
    /// Mail addresses of those who are told of dates.
    pub receivers: Vec<String>,
    /// Windows with changes, by name.
    pub windows: Vec<(Name, Vec<Change>)>,
}

impl Proposal {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.customers.is_empty()
    }

    /// Whether this file comes with another content than the one that is applied.
    #[must_use]
    pub fn is_settled(&self, kind: RevisionKind, name: &str) -> bool {
        match kind {
            RevisionKind::Inventory => {
                let place = self.customers.binary_search_by(|customer| customer.name.as_str().cmp(name));
                place
                    .ok()
                    .and_then(|place| self.customers.get(place))
                    .is_some_and(|customer| customer.file.is_settled())
            }
            _ => self
                .files
                .iter()
                .any(|(of_kind, of_name, file)| *of_kind == kind && of_name == name && file.is_settled()),
        }
    }

    /// All changes with customer and window.
    pub fn changes(&self) -> impl Iterator<Item = (&CustomerProposal, &Name, &Change)> {
        let of_customer = |customer| {
            let CustomerProposal { windows, .. }: &CustomerProposal = customer;
            windows
                .iter()
                .flat_map(move |(window, changes)| changes.iter().map(move |change| (customer, window, change)))
        };
        self.customers.iter().flat_map(of_customer)
    }

    /// Those that the customers were told otherwise, and that want an explicit yes.
    pub fn commitments(&self) -> impl Iterator<Item = (&CustomerProposal, &Name, &Change)> {
        self.changes().filter(|(_, _, change)| change.needs_consent())
    }
}

/// The stored dates of a window.
#[derive(Debug, Default)]
struct Rows {
    ahead: Vec<Ahead>,
    taken: BTreeSet<DateTime>,
}

/// The stored dates of all windows, by customer and window.
#[derive(Debug, Default)]
pub struct StoredDates(BTreeMap<Name, BTreeMap<Name, Rows>>);

/// Reads the stored dates of `customers`, or of all.
///
/// # Errors
/// If the database can't be used.
pub async fn read_dates(
    connection: &mut DatabaseConnection,
    customers: Option<&[Name]>,
    now: Timestamp,
) -> Result<StoredDates, StoreError> {
    let rows = list_ahead(connection, customers, now).await?;
    let mentioned = list_mentioned(connection, customers).await?;
    let mut dates = StoredDates::default();
    for row in rows {
        let windows = dates.0.entry(row.customer.clone()).or_default();
        let known = windows.entry(row.window.clone()).or_default();
        if row.start > now
            && (row.state.is_ahead() || row.state == OccurrenceState::Skipped || is_called_off_by_files(&row))
        {
            let is_mentioned = mentioned.contains(&row.id);
            known.ahead.push(ahead(row, is_mentioned));
        } else {
            known.taken.insert(row.recurrence_id);
        }
    }
    Ok(dates)
}

/// Whether the date comes back when the files give it again, as what a person called off does not.
fn is_called_off_by_files(row: &StoredOccurrence) -> bool {
    row.state == OccurrenceState::Cancelled && row.cause.as_deref() == Some(NOT_IN_FILES)
}

/// A stored date as the comparison sees it.
pub fn ahead(row: StoredOccurrence, is_mentioned: bool) -> Ahead {
    let was_told = row.announced_at.is_some() || row.confirmed_at.is_some();
    Ahead {
        id: row.id,
        state: row.state,
        sequence: row.sequence,
        is_referred_to: is_mentioned || was_told || row.moved_from.is_some(),
        chosen_by: row.chosen_by,
        slot: Slot {
            recurrence_id: row.recurrence_id,
            job: row.job,
            time_zone: row.time_zone,
            local_start: row.local_start,
            start: row.start,
            latest_start: row.latest_start,
            end: row.end,
            reasons: row.reasons,
            skip: row.cause.filter(|_| !row.state.is_ahead()),
            next_notice: row.next_notice,
            review: row.review,
        },
    }
}

/// Compares the windows of one customer with their stored dates. Stored windows that the file does not have are withdrawn.
///
/// # Errors
/// A calendar or time zone that can't be used.
pub fn compare_customer(
    almanac: &mut Almanac<'_>,
    customer: &Customer,
    stored: &mut StoredDates,
    horizon: Horizon,
) -> Result<Vec<(Name, Vec<Change>)>, Problem> {
    let dates = almanac.of(customer)?;
    let mut rows = stored.0.remove(&customer.name).unwrap_or_default();
    let mut changes: BTreeMap<Name, Vec<Change>> = BTreeMap::new();
    for window in &customer.windows {
        let Rows { ahead, taken } = rows.remove(&window.name).unwrap_or_default();
        let fresh = dates.date(window, horizon.now..horizon.dated_until());
        let agreed = Agreed { freezes: dates.freezes(), ..agreed(customer, window) };
        changes.insert(window.name.clone(), compare(&agreed, &fresh, ahead, &taken, horizon));
    }
    changes.extend(withdraw_all(rows));
    changes.retain(|_, changes| !changes.is_empty());
    Ok(changes.into_iter().collect())
}

fn withdraw_all(rows: BTreeMap<Name, Rows>) -> impl Iterator<Item = (Name, Vec<Change>)> {
    rows.into_iter().map(|(window, rows)| (window, withdraw(rows.ahead))).filter(|(_, changes)| !changes.is_empty())
}

/// Compares all files with what is stored. `published` are the files as they are now.
///
/// # Errors
/// Trouble with the database, or calendars and zones that can't be used.
pub async fn propose(
    connection: &mut DatabaseConnection,
    catalog: &Catalog,
    published: &[Published],
    horizon: Horizon,
) -> Result<Proposal, ProposalError> {
    let applied = list_published(connection).await?;
    let mut differences = compare_files(published, &applied);
    let mut stored = read_dates(connection, None, horizon.now).await?;
    let mut almanac = Almanac::read(catalog, &(horizon.now..horizon.dated_until()))
        .map_err(|problems| ProposalError::Files(problems.0))?;
    let (mut customers, mut problems) = (Vec::new(), Vec::new());
    for customer in catalog.customers.values() {
        let key = (RevisionKind::Inventory, customer.name.as_str().to_owned());
        let file = differences.remove(&key).unwrap_or(Difference::Same);
        match compare_customer(&mut almanac, customer, &mut stored, horizon) {
            Ok(windows) => {
                customers.push(CustomerProposal {
                    name: customer.name.clone(),
                    file,
                    receivers: receivers(customer),
                    windows,
                });
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(ProposalError::Files(problems));
    }
    customers.extend(remove_customers(connection, &mut differences, stored).await?);
    customers.retain(|customer| customer.file != Difference::Same || !customer.windows.is_empty());
    customers.sort_by(|left, right| left.name.cmp(&right.name));
    let files = differences.into_iter().filter(|(_, difference)| *difference != Difference::Same);
    let files = files.map(|((kind, name), difference)| (kind, name, difference)).collect();
    Ok(Proposal { horizon, files, customers })
}

/// Why there is no proposal.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Files that can't be used.
    #[error("the files can't be used")]
    Files(Vec<Problem>),
}

type Differences = BTreeMap<(RevisionKind, String), Difference>;

fn compare_files(published: &[Published], applied: &[(RevisionKind, String, ContentHash)]) -> Differences {
    let mut differences: Differences =
        applied.iter().map(|(kind, name, _)| ((*kind, name.clone()), Difference::Removed)).collect();
    let applied: BTreeMap<_, _> = applied.iter().map(|(kind, name, hash)| ((*kind, name.as_str()), hash)).collect();
    for file in published {
        let difference = match applied.get(&(file.kind, file.name.as_str())) {
            None => Difference::New,
            Some(hash) if **hash == file.hash => Difference::Same,
            Some(_) => Difference::Changed,
        };
        differences.insert((file.kind, file.name.clone()), difference);
    }
    differences
}

/// Customers that were applied, or have dates, and have no file any more.
async fn remove_customers(
    connection: &mut DatabaseConnection,
    differences: &mut Differences,
    stored: StoredDates,
) -> Result<Vec<CustomerProposal>, StoreError> {
    let withdraw = |(name, rows)| (name, withdraw_all(rows).collect::<Vec<_>>());
    let mut withdrawn: BTreeMap<Name, Vec<(Name, Vec<Change>)>> = stored.0.into_iter().map(withdraw).collect();
    // What is over is history, and nobody's difference.
    withdrawn.retain(|_, windows| !windows.is_empty());
    let applied: Vec<String> =
        differences.keys().filter(|(kind, _)| *kind == RevisionKind::Inventory).map(|(_, name)| name.clone()).collect();
    for name in applied {
        differences.remove(&(RevisionKind::Inventory, name.clone()));
        // What is applied was a file's name.
        if let Ok(name) = name.parse() {
            withdrawn.entry(name).or_default();
        }
    }
    let names: Vec<Name> = withdrawn.keys().cloned().collect();
    let mut receivers = list_receivers(connection, &names).await?;
    let remove = |(name, windows): (Name, Vec<(Name, Vec<Change>)>)| CustomerProposal {
        receivers: receivers.remove(&name).unwrap_or_default(),
        file: Difference::Removed,
        windows,
        name,
    };
    Ok(withdrawn.into_iter().map(remove).collect())
}

fn receivers(customer: &Customer) -> Vec<String> {
    let told = customer.contacts.iter().filter(|contact| contact.receives.contains(&Receives::Announcement));
    told.map(|contact| contact.email.clone()).collect()
}
