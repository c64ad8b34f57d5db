//! The foreign worlds, one module each. No edge imports another: the role in `app` passes values between them.

pub mod config;
pub mod ics;
pub mod mail;
pub mod pdf;
pub mod probe;
pub mod remote;
pub mod store;
pub mod text;
