//! Whether a run by hand, now, is inside of a window that is open for it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::overview::{Entry, Standing, join};
use super::{Almanac, agreed};
use crate::domain::calendar::FreezeSpan;
use crate::domain::catalog::Catalog;
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::inventory::{Customer, Window};
use crate::domain::occurrence::OccurrenceState;
use crate::domain::problem::Problems;
use crate::edge::store::occurrence::StoredOccurrence;

/// Where a run by hand stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByHand {
    /// A window of the customer for this job and all these hosts is open, and something may still start in it.
    Inside {
        /// Which.
        window: Name,
        /// Its date, if it is stored.
        occurrence: Option<OccurrenceId>,
    },
    /// Nothing may start now.
    Frozen(FreezeSpan),
    /// No such window is open.
    Outside,
}

/// Tells where a run of `job` on `hosts` stands at `now`. `stored` are all dates of the customer: one that a person moved or called off
/// is not where the files have it.
///
/// # Errors
/// A calendar or time zone that can't be used.
pub fn stand(
    catalog: &Catalog,
    customer: &Customer,
    (job, hosts): (&Name, &[&Name]),
    stored: Vec<StoredOccurrence>,
    now: Timestamp,
) -> Result<ByHand, Problems> {
    let range = now..now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
    let mut almanac = Almanac::read(catalog, &range)?;
    let dates = almanac.of(customer).map_err(|problem| Problems(vec![problem]))?;
    if let Some(freeze) = dates.freezes().iter().find(|freeze| (freeze.from..freeze.until).contains(&now)) {
        return Ok(ByHand::Frozen(freeze.clone()));
    }
    let mut rows: BTreeMap<Name, Vec<StoredOccurrence>> = BTreeMap::new();
    for row in stored {
        rows.entry(row.window.clone()).or_default().push(row);
    }
    let fits = |window: &&Window| window.job == *job && hosts.iter().all(|host| window.hosts.contains(host));
    for window in customer.windows.iter().filter(fits) {
        let longest = SignedDuration::from_secs(i64::try_from(window.duration_s).unwrap_or(i64::MAX));
        let from = now.saturating_sub(longest).unwrap_or(Timestamp::MIN);
        let fresh = dates.date(window, from..range.end);
        let rows = rows.remove(&window.name).unwrap_or_default();
        let entries = join(customer, window, fresh, rows, (Standing::NotApplied, now));
        if let Some(open) = entries.iter().find(|entry| is_open(entry, customer, window, now)) {
            return Ok(ByHand::Inside { window: window.name.clone(), occurrence: open.id });
        }
    }
    Ok(ByHand::Outside)
}

/// A run of the daemon does not close its window.
fn is_open(entry: &Entry<'_>, customer: &Customer, window: &Window, now: Timestamp) -> bool {
    // A window that was only typed into a file was agreed with nobody.
    let stands = match entry.standing {
        Standing::Stored(OccurrenceState::Done) => true,
        Standing::Stored(_) => entry.is_held(),
        Standing::NotApplied | Standing::NotRecorded | Standing::Unknown => false,
    };
    stands && entry.start <= now && now <= agreed(customer, window).latest_start(entry.start, entry.end)
}
