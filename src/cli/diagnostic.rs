//! What is wrong with a file, or worth knowing of it, as people and machines read it.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::document;
use crate::mapping::{Excerpt, Fault, Note, Place};

/// One thing to say about a file.
#[derive(Debug, Serialize)]
pub(super) struct Diagnostic {
    severity: Severity,
    /// `None` for what no file is to blame for.
    file: Option<String>,
    /// From 1; 0 where the file as a whole is meant.
    line: usize,
    /// In characters, from 1; 0 where the line as a whole is meant.
    column: usize,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    help: String,
    #[serde(skip)]
    excerpt: Option<Excerpt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Fault,
    Note,
}

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
pub(super) const GREEN: Style = AnsiColor::Green.on_default().bold();
pub(super) const BLUE: Style = AnsiColor::Blue.on_default().bold();

impl Diagnostic {
    fn at(severity: Severity, place: Option<Place>, message: String, help: String) -> Diagnostic {
        let (file, line, column, excerpt) = match place {
            None => (None, 0, 0, None),
            Some(place) => (Some(place.file.to_string()), place.line, place.column, place.excerpt),
        };
        Diagnostic { severity, file, line, column, message, help, excerpt }
    }

    /// A diagnostic of the settings; `text` is that of their file.
    pub(super) fn of_settings(diagnostic: document::Diagnostic, text: &str) -> Diagnostic {
        let shown = diagnostic.to_text().contains(" | ");
        let document::Diagnostic { location, message, help, .. } = diagnostic;
        let (file, line, column, excerpt) = match location {
            None => (None, 0, 0, None),
            Some(location) => {
                let excerpt = Excerpt::of_word(text, location.line, location.column);
                let excerpt = excerpt.filter(|_| shown);
                (Some(location.file.to_string()), location.line, location.column, excerpt)
            }
        };
        let help = help.unwrap_or_default();
        Diagnostic { severity: Severity::Fault, file, line, column, message, help, excerpt }
    }

    pub(super) fn is_fault(&self) -> bool {
        self.severity == Severity::Fault
    }

    /// Appends it as text with styles, which whoever prints it to something else than a terminal takes out.
    ///
    /// A fault shows its line; of notes there may be many, and each is short.
    fn write(&self, with_help: bool, to: &mut String) {
        let (word, style) = match self.severity {
            Severity::Fault => ("fault", RED),
            Severity::Note => ("note", BLUE),
        };
        let mut line = || -> std::fmt::Result {
            if let Some(file) = &self.file {
                write!(to, "{BOLD}{file}")?;
                if self.line > 0 {
                    write!(to, ":{}:{}", self.line, self.column)?;
                }
                write!(to, ":{BOLD:#} ")?;
            }
            writeln!(to, "{style}{word}:{style:#} {}", self.message)?;
            if let Some(excerpt) = self.excerpt.as_ref().filter(|_| self.is_fault()) {
                let excerpt = excerpt.to_string();
                let (line, marks) = excerpt.split_once('\n').unwrap_or((&excerpt, ""));
                writeln!(to, "{line}\n{style}{marks}{style:#}")?;
            }
            if with_help && !self.help.is_empty() {
                writeln!(to, "  help: {}", self.help)?;
            }
            Ok(())
        };
        line().expect("a String takes everything");
    }
}

impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Diagnostic {
        Diagnostic::at(Severity::Fault, fault.place, fault.message, fault.remedy)
    }
}

impl From<Note> for Diagnostic {
    fn from(note: Note) -> Diagnostic {
        Diagnostic::at(Severity::Note, Some(note.place), note.message, note.remedy)
    }
}

/// Everything that there is to say, in the order of the files: faults first, then notes.
pub(super) fn sort(diagnostics: &mut [Diagnostic]) {
    let key = |it: &Diagnostic| (it.severity, it.file.clone(), it.line, it.column);
    diagnostics.sort_by_key(key);
}

/// All of it as text with styles: faults with an empty line in between, notes one after the other, and what can be
/// done about them said once.
pub(super) fn text(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    let mut said: Vec<&str> = Vec::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &diagnostics[before]);
        if before.is_some_and(|before| before.is_fault() || diagnostic.is_fault()) {
            text.push('\n');
        }
        let news = diagnostic.is_fault() || !said.contains(&diagnostic.help.as_str());
        diagnostic.write(news, &mut text);
        said.push(&diagnostic.help);
    }
    text
}

/// `no faults`, `1 fault`, `2 faults`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match count {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
