//! The roles that a process can play; joins edges and domain.

pub mod cli;
