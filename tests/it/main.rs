//! What turnus promises, tried against the real thing: one binary, one module per subject.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail by panic")]
#![expect(clippy::disallowed_methods, reason = "tests act upon the world")]

mod apply;
mod calendar_commands;
mod calendar_entries;
mod calendar_tools;
mod capacity;
mod capsule;
mod check;
mod daemon;
mod documents;
mod fuzz;
mod kit;
mod mail;
mod mail_preview;
mod outbox;
mod packages;
mod period;
mod probes;
mod reviews;
mod run;
mod ssh;
mod store;
mod tidy;
mod web;
