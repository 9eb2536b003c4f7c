//! How commands end.

use std::process::ExitCode;

/// The answer of a command that checks something: 0 for yes, 1 for no.
pub(super) fn answer(yes: bool) -> ExitCode {
    if yes { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// There is no answer, or the work is not done.
pub(super) fn error() -> ExitCode {
    ExitCode::from(2)
}
