//! The `turnus` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    turnus::app::cli::main()
}
