//! turnus as a whole and its edges, against the real things: shells, sshd, processes, file systems.

#![expect(clippy::expect_used, reason = "a test says what it counts on, and fails where that does not hold")]

mod capsule;
mod kit;
mod ssh;
