//! The report of a rewriting, as a table for people.

use crate::rewrite::Report;

pub(super) fn table(report: &Report) -> String {
    format!("{report:?}\n")
}
