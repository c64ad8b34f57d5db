//! The integration tests, all in one binary.

#![expect(clippy::expect_used, reason = "in a test, what can't be is what it looks for")]

mod check;
mod fuzz;
