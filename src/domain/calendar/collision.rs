//! Windows that are in each other's way: the same host in two at once, or more at once than there may be.
//!
//! Knows spans of time and names; does not know rules or files. Spans that only touch do not collide.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::id::Name;

/// A window on the time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booked<'a> {
    /// Whose.
    pub customer: &'a Name,
    /// Which.
    pub window: &'a Name,
    /// Its hosts; their names are the customer's own.
    pub hosts: &'a [Name],
    /// The opening.
    pub start: Timestamp,
    /// The close.
    pub end: Timestamp,
}

/// Windows that can't both have what they need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collision {
    /// A host is in two windows at once.
    SameHost {
        /// Whose.
        customer: Name,
        /// The host.
        host: Name,
        /// The window that opens first, and the other one; the same if its own dates overlap.
        windows: [Name; 2],
        /// When both are open.
        from: Timestamp,
        /// The first instant when not both are open any more.
        until: Timestamp,
    },
    /// More windows are open at once than runs may be under way.
    TooManyParallel {
        /// Since when.
        from: Timestamp,
        /// The first instant when they are not too many any more.
        until: Timestamp,
        /// How many at the worst.
        windows: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// All collisions, by their beginning. Where many windows of a host overlap, each is told with the one that holds the host
/// longest.
#[must_use]
pub fn collisions(booked: &[Booked<'_>], parallel_runs: usize) -> Vec<Collision> {
    let mut ordered: Vec<&Booked<'_>> = booked.iter().collect();
    ordered.sort_by_key(|window| (window.start, window.end));
    let mut found = same_hosts(&ordered);
    found.extend(too_many(booked, parallel_runs));
    found.sort_by_key(|collision| match collision {
        Collision::SameHost { from, .. } | Collision::TooManyParallel { from, .. } => *from,
    });
    found
}

fn same_hosts(ordered: &[&Booked<'_>]) -> Vec<Collision> {
    let mut holders: BTreeMap<(&Name, &Name), &Booked<'_>> = BTreeMap::new();
    let mut found = Vec::new();
    for window in ordered {
        for host in window.hosts {
            let holder = holders.entry((window.customer, host)).or_insert(window);
            if std::ptr::eq(*holder, *window) {
                continue;
            }
            if window.start < holder.end {
                found.push(Collision::SameHost {
                    customer: window.customer.clone(),
                    host: host.clone(),
                    windows: [holder.window.clone(), window.window.clone()],
                    from: window.start,
                    until: window.end.min(holder.end),
                });
            }
            if window.end > holder.end {
                *holder = window;
            }
        }
    }
    found
}

/// Goes along the time line and counts; a window that closes makes room for one that opens at the same instant.
fn too_many(booked: &[Booked<'_>], limit: usize) -> Vec<Collision> {
    let mut changes: Vec<(Timestamp, Change)> =
        booked.iter().flat_map(|window| [(window.start, Change::Opens), (window.end, Change::Closes)]).collect();
    changes.sort_unstable();
    let (mut open, mut worst, mut since) = (0_usize, 0, None);
    let mut found = Vec::new();
    for together in changes.chunk_by(|(one, _), (other, _)| one == other) {
        let at = together[0].0;
        for (_, change) in together {
            match change {
                Change::Opens => open += 1,
                Change::Closes => open = open.saturating_sub(1),
            }
        }
        worst = worst.max(open);
        match since {
            None if open > limit => (since, worst) = (Some(at), open),
            Some(from) if open <= limit => {
                found.push(Collision::TooManyParallel { from, until: at, windows: worst, limit });
                since = None;
            }
            _ => {}
        }
    }
    found
}

/// In the order in which they are counted at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Closes,
    Opens,
}

#[cfg(test)]
mod tests;
