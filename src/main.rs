//! The `crossfade` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    crossfade::cli::run()
}
