//! Diagnostics for terminals.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::document::Diagnostic;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
pub(super) const GREEN: Style = AnsiColor::Green.on_default().bold();
pub(super) const BLUE: Style = AnsiColor::Blue.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Errors with their lines and an empty line after each, then warnings. There may be many warnings,
/// so each is one line, and advice that several share is given once. The text has escape sequences,
/// which the writer removes if the output is not a terminal.
pub(super) fn text(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    let mut given: Vec<&str> = Vec::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &diagnostics[before]);
        if before.is_some_and(|before| before.is_error() || diagnostic.is_error()) {
            text.push('\n');
        }
        if diagnostic.is_error() {
            text.push_str(&diagnostic.to_styled_text());
            continue;
        }
        let help = diagnostic.help.as_deref().filter(|help| !given.contains(help));
        write_warning(diagnostic, help, &mut text).expect("writing to a String cannot fail");
        given.extend(help);
    }
    text
}

fn write_warning(warning: &Diagnostic, help: Option<&str>, to: &mut String) -> std::fmt::Result {
    if let Some(location) = &warning.location {
        write!(to, "{BOLD}{location}:{BOLD:#} ")?;
    }
    let bare = Diagnostic { location: None, help: None, ..warning.clone() };
    writeln!(to, "{YELLOW}warning:{YELLOW:#} {bare}")?;
    match help {
        Some(help) => writeln!(to, "  help: {help}"),
        None => Ok(()),
    }
}

/// `no errors`, `1 error`, `2 errors`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match count {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
