//! Diagnostics for terminals.

use anstyle::{AnsiColor, Style};

use crate::document::Diagnostic;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
pub(super) const GREEN: Style = AnsiColor::Green.on_default().bold();
pub(super) const BLUE: Style = AnsiColor::Blue.on_default().bold();

/// Errors and warnings with their lines of the file, and an empty line between them. Warnings may be
/// many, so advice that several share is given once. The text has escape sequences, which the writer
/// removes if the output is not a terminal.
pub(super) fn text(diagnostics: &[Diagnostic]) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut given: Vec<&str> = Vec::new();
    for diagnostic in diagnostics {
        let help = diagnostic.help.as_deref();
        let is_known = !diagnostic.is_error() && help.is_some_and(|help| given.contains(&help));
        let help = diagnostic.help.clone().filter(|_| !is_known);
        texts.push(Diagnostic { help, ..diagnostic.clone() }.to_styled_text());
        given.extend(diagnostic.help.as_deref());
    }
    texts.join("\n")
}

/// `no errors`, `1 error`, `2 errors`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match count {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
