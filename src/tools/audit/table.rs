//! The audited files as a table.

use std::fmt::{self, Write as _};

use super::finding::{FileAudit, Finding};
use super::promql::words;
use crate::tools::wrap::{Indent, wrap, wrap_words};

/// Minimum width of the table. In a narrower one, wrapped queries are unreadable.
const MIN_WIDTH: usize = 50;

/// Width of all columns but the title, including the spaces between them.
const OTHER_COLUMNS: usize = 48;

/// Formats audited files: the findings of each file, with explanations. Lines are at most `width`
/// characters long, except for longer words. `show_migrated` adds the migrated queries.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "writing to a String does not fail")]
pub fn table(files: &[FileAudit], width: usize, show_migrated: bool) -> String {
    let mut text = String::new();
    let width = width.max(MIN_WIDTH);
    for file in files {
        write_file(file, width, show_migrated, &mut text)
            .expect("writing to a String does not fail");
    }
    text
}

fn write_file(file: &FileAudit, width: usize, show_migrated: bool, to: &mut String) -> fmt::Result {
    if let Some(reason) = &file.unreadable {
        return writeln!(to, "{}\n  {reason}\n", file.path.display());
    }
    if file.findings.is_empty() {
        return Ok(());
    }
    writeln!(to, "{}", file.path.display())?;
    let title = width.saturating_sub(OTHER_COLUMNS);
    writeln!(
        to,
        "{:>6}  {:<title$} {:<10} {:<9} {:<9} migrate",
        "line", "query of", "generation", "upgrade", "gateway"
    )?;
    for finding in &file.findings {
        write_finding(finding, width, title, show_migrated, to)?;
    }
    to.write_char('\n')
}

fn write_finding(
    finding: &Finding,
    width: usize,
    title: usize,
    show_migrated: bool,
    to: &mut String,
) -> fmt::Result {
    let query_of = if finding.title.is_empty() {
        finding.kind.to_owned()
    } else {
        format!("{} {}", finding.kind, finding.title)
    };
    let generations = match finding.generations[..] {
        [] => "either",
        [one] => one,
        _ => "both",
    };
    let migrate = match (&finding.migrated, finding.obstacles.is_empty()) {
        (Some(_), _) => "yes",
        (None, false) => "no",
        (None, true) => "-",
    };
    let query_of = shortened(&query_of, title);
    let (direct, gateway) = (finding.direct.as_str(), finding.gateway.as_str());
    let line = finding.line;
    writeln!(
        to,
        "{line:>6}  {query_of:<title$} {generations:<10} {direct:<9} {gateway:<9} {migrate}"
    )?;
    let query = Indent { first: "        ", next: "          " };
    wrap_words(words(&finding.query).into_iter(), width, query, to)?;
    if let Some(migrated) = finding.migrated.as_ref().filter(|_| show_migrated) {
        let indent = Indent { first: "        -> ", next: "           " };
        wrap_words(words(migrated).into_iter(), width, indent, to)?;
    }
    let item = Indent { first: "        - ", next: "          " };
    for detail in &finding.details {
        wrap(detail, width, item, to)?;
    }
    for obstacle in &finding.obstacles {
        wrap(&format!("not migrated: {obstacle}"), width, item, to)?;
    }
    Ok(())
}

/// A text of at most `width` characters; an ellipsis marks that some are missing.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}
