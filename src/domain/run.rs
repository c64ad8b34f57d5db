//! The life of one run: events, the state that they fold into, and what follows from it.
//!
//! Knows plans; does not know time of its own, storage, or how an effect is carried out.

pub mod event;
