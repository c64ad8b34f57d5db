//! The `turnus` command.

fn main() {}
