//! The integration tests, all in one binary.

mod check;
mod fuzz;
