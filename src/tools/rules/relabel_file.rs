//! A fragment of a scrape configuration with `metric_relabel_configs`.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use super::comment::{write_comment, write_header};
use super::expression::quoted;
use super::relabel::{Entry, MARK, Separator};
use super::relabel_family::RelabelledFamily;
use super::source::Source;

/// What is true of the list.
const HEADER: &str = "\
Relabeling that renames metrics of the {from} generation to the {to} one. Written by `crossfade rules \
--format=relabel`; docs/rules.md describes how to use it.

Put the list into the scrape configuration of the targets, before your own entries. Samples are \
stored under the new names only. Types and help texts keep the old ones. The order matters: first all \
samples are marked with the number of the rule that reads them, then labels and names change.";

/// The fragment.
pub(super) fn file(source: &Source<'_>, families: &[RelabelledFamily]) -> String {
    let mut text = String::new();
    write_file(source, families, &mut text).expect("writing to a String does not fail");
    text
}

fn write_file(source: &Source<'_>, families: &[RelabelledFamily], to: &mut String) -> fmt::Result {
    write_header(HEADER, source.written, to)?;
    to.push_str("#\n");
    for family in families {
        write_comment(&family.outline, !family.rules.is_empty(), "", to)?;
    }
    to.push('\n');
    write_list(source, families, to)
}

/// The list of entries.
pub(super) fn write_list(
    source: &Source<'_>,
    families: &[RelabelledFamily],
    to: &mut String,
) -> fmt::Result {
    let is_empty = families.iter().all(|family| family.rules.is_empty());
    to.push_str(if is_empty {
        "metric_relabel_configs: []\n"
    } else {
        "metric_relabel_configs:\n"
    });
    let rules = || families.iter().flat_map(|family| &family.rules);
    let mut read = BTreeSet::new();
    for (id, rule) in rules().filter(|(_, rule)| rule.rename.is_none()) {
        let from = &source.plan.rule(*id).from;
        if read.insert(from) {
            for entry in &rule.kept {
                write_entry(entry, "  ", to)?;
            }
        }
        for entry in &rule.marks {
            write_entry(entry, "  ", to)?;
        }
    }
    for entry in rules().flat_map(|(_, rule)| rule.changes.iter().chain(&rule.rename)) {
        write_entry(entry, "  ", to)?;
    }
    if !read.is_empty() {
        writeln!(to, "  # The marks.\n  - {{ action: labeldrop, regex: {MARK} }}")?;
    }
    Ok(())
}

/// Writes one entry. An entry without source labels is for all samples.
pub(super) fn write_entry(entry: &Entry, indent: &str, to: &mut String) -> fmt::Result {
    if let Some(comment) = &entry.comment {
        writeln!(to, "{indent}# {comment}")?;
    }
    if entry.source_labels.is_empty() {
        writeln!(to, "{indent}- target_label: {}", entry.target_label)?;
        return writeln!(to, "{indent}  replacement: {}", shown(&entry.replacement));
    }
    writeln!(to, "{indent}- source_labels: [{}]", entry.source_labels.join(", "))?;
    if entry.separator != Separator::Default {
        writeln!(to, "{indent}  separator: {}", quoted(entry.separator.text()))?;
    }
    writeln!(to, "{indent}  regex: {}", shown(&entry.regex))?;
    writeln!(to, "{indent}  target_label: {}", entry.target_label)?;
    writeln!(to, "{indent}  replacement: {}", shown(&entry.replacement))
}

/// A text in single quotes, where that is possible.
fn shown(text: &str) -> String {
    if text.chars().any(char::is_control) {
        return quoted(text);
    }
    format!("'{}'", text.replace('\'', "''"))
}
