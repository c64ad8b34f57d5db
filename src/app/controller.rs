//! The role that executes runs: takes what the machine decides to the database first and to the hosts after.
//!
//! Knows store, remotes and probes; does not know terminals or how a run came to be.
//! Invariants: nothing is carried out that is not stored, but the way back of hosts (rollback, release) when the database can't be
//! written;
//! a controller that is fenced carries out nothing more.

pub mod clock;
pub mod drive;
pub mod driver;
pub mod fleet;
pub(super) mod hosts;
mod journal;
pub mod measurements;
mod packages;
mod probes;
pub(super) mod step;
mod watch;
mod way;
