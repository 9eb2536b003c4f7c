//! The results of a file of test cases.

use std::fmt::Write as _;

use crate::document::Diagnostics;
use crate::tools::pack_tests::{Failure, Outcome};

/// The results of one file of test cases.
#[derive(Debug)]
pub(super) struct FileResult {
    /// The name of the file.
    pub(super) file: String,
    /// The result of each test case, or why the file cannot be used.
    pub(super) outcomes: Result<Vec<Outcome>, Diagnostics>,
}

/// The failures of a test case, as text.
pub(super) fn failures(outcome: &Outcome) -> String {
    let mut text = String::new();
    for failure in &outcome.failures {
        match failure {
            Failure::Different(scrape, difference) => {
                let scrape = scrape.map_or_else(String::new, |number| format!("scrape {number}: "));
                write!(text, "{scrape}- expected, + actual\n{difference}")
            }
            Failure::NotRun(reason) => writeln!(text, "{}", reason.trim_end()),
        }
        .expect("writing to a String cannot fail");
    }
    text
}
