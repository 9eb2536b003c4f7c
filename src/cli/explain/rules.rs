//! The rule of an explanation as text.

use std::fmt::{self, Write as _};

use crate::cli::diagnostic::BLUE;
use crate::tools::rule_title;

/// Where a rule is and what it does.
pub(super) fn write_rule(source: &str, title: &str, remark: &str, to: &mut String) -> fmt::Result {
    let start = format!("    {source}{remark} ");
    let title = rule_title(title, start.chars().count());
    writeln!(to, "    {BLUE}{source}{BLUE:#}{remark} {title}")
}
