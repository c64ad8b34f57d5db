//! turnus as a whole and its edges, against the real things: shells, sshd, processes, file systems.

mod capsule;
mod kit;
mod ssh;
