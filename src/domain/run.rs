//! The life of one run: events, the state that they fold into, and what follows from it.
//!
//! Knows plans; does not know time of its own, storage, or how an effect is carried out.
//! Invariants: a step is started at most once; an update step is started only after every backup step of its host is verified;
//! what a started step undoes is undone before its host is finished; state is a pure fold over events.

pub mod event;
pub mod machine;
mod next;
mod packages;
pub mod state;
pub mod watch;

#[cfg(test)]
mod tests;
