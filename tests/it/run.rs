//! Whole runs through the real binary, real sshd and real Postgres: what is promised when all goes well, and when it does not.

mod faults;
mod looks;
mod model;
mod probes;
mod reader;
mod review;
mod stories;
