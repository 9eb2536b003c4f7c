//! What is wrong with a file, or unusual in it: where, why, and what to do.
//!
//! Reading never stops at the first error, so that one run shows all of them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but may not do what its author expects.
    Warning,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The name of the file, as the operator gave it.
    pub file: Arc<str>,
    /// The line, from 1. 0 for the file as a whole.
    pub line: usize,
    /// The column in characters, from 1. 0 for the line as a whole.
    pub column: usize,
    /// The line itself. `None` for the file as a whole.
    pub(super) excerpt: Option<Box<Excerpt>>,
}

/// A line of a file, perhaps cut, and the bytes of it that are underlined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// How many characters of the line are cut off before the text.
    pub(super) skipped: usize,
    pub(super) text: String,
    pub(super) marked: Range<usize>,
}

impl Location {
    /// A file as a whole.
    #[must_use]
    pub fn file(name: &str) -> Location {
        Location { file: name.into(), line: 0, column: 0, excerpt: None }
    }
}

/// `file`, `file:line` or `file:line:column`.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.file))?;
        match (self.line, self.column) {
            (0, _) => Ok(()),
            (line, 0) => write!(f, ":{line}"),
            (line, column) => write!(f, ":{line}:{column}"),
        }
    }
}

/// One thing that is wrong or unusual.
///
/// [`Display`](fmt::Display) is one line, for logs: `file:line:column: message; help`.
/// [`to_text`](Self::to_text) shows the line of the file as well, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the file can be used.
    pub severity: Severity,
    /// Where. `None` for what comes from no file, such as a flag.
    pub location: Option<Location>,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error that has no place in a file.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Diagnostic {
        let (location, help) = (None, None);
        let message = shortened(message.into());
        Diagnostic { severity: Severity::Error, location, message, help }
    }

    /// The same with advice on what to do.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Diagnostic {
        Diagnostic { help: Some(shortened(help.into())), ..self }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(self, location: Location) -> Diagnostic {
        Diagnostic { location: Some(location), ..self }
    }

    /// The same without the line of the file, which may contain a secret.
    #[must_use]
    pub fn without_excerpt(mut self) -> Diagnostic {
        if let Some(location) = &mut self.location {
            location.excerpt = None;
        }
        self
    }

    /// True for an error, false for a warning.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Several lines, with the line of the file and a caret below what is meant. Ends with a
    /// newline.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.render(&Renderer::plain())
    }

    /// As [`to_text`](Self::to_text), with the escape sequences of a terminal's colours.
    #[must_use]
    pub fn to_styled_text(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let message = printable(&self.message);
        let help = self.help.as_deref().map(printable);
        let mut group = Group::with_title(level.primary_title(message));
        if let Some(Location { file, line, column, excerpt }) = &self.location {
            let file = printable(file);
            if let Some(Excerpt { skipped, text, marked }) = excerpt.as_deref() {
                // The column is counted in what is shown, so what was cut off has to be there.
                let text = [" ".repeat(*skipped), text.clone()].concat();
                let marked = marked.start + skipped..marked.end + skipped;
                let snippet = Snippet::source(text).line_start(*line).path(file);
                group = group.element(snippet.annotation(AnnotationKind::Primary.span(marked)));
            } else {
                let origin = Origin::path(file);
                group = group.element(match line {
                    0 => origin,
                    line => origin.line(*line).char_column((*column).max(1)),
                });
            }
        }
        if let Some(help) = help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group]) + "\n"
    }

    fn order(&self) -> (Severity, Option<(&str, usize, usize)>) {
        let place = self.location.as_ref().map(|it| (&*it.file, it.line, it.column));
        (self.severity, place)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        f.write_str(&printable(&self.message))?;
        if let Some(help) = &self.help {
            f.write_str("; ")?;
            f.write_str(&printable(help))?;
        }
        Ok(())
    }
}

/// `severity`, `file` (null without a place), `line` and `column` (0 for the file as a whole),
/// `message`, and `help` if there is any.
impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("severity", &self.severity)?;
        map.serialize_entry("file", &self.location.as_ref().map(|it| &*it.file))?;
        map.serialize_entry("line", &self.location.as_ref().map_or(0, |it| it.line))?;
        map.serialize_entry("column", &self.location.as_ref().map_or(0, |it| it.column))?;
        map.serialize_entry("message", &self.message)?;
        if let Some(help) = &self.help {
            map.serialize_entry("help", help)?;
        }
        map.end()
    }
}

/// Several diagnostics: as an error, everything that is wrong.
///
/// [`Display`](fmt::Display) is one line for each of the first [`MOST`](Self::MOST), for logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Most diagnostics of one file, or of one check, that are kept.
    pub const MOST: usize = 100;

    /// True if there are so many that no more should be looked for. The last of them then says so.
    #[must_use]
    pub fn stop_at_most(diagnostics: &mut Vec<Diagnostic>) -> bool {
        let stop = diagnostics.len() >= Diagnostics::MOST;
        if stop {
            diagnostics.truncate(Diagnostics::MOST);
            let last = Diagnostic::error("the rest has not been checked");
            diagnostics.push(last.with_help("correct these errors first"));
        }
        stop
    }

    /// Puts errors before warnings, and each in the order of files, lines and columns.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| a.order().cmp(&b.order()));
    }

    /// True if any is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    /// All of them with their lines and carets, an empty line after each but the last.
    #[must_use]
    pub fn to_text(&self) -> String {
        let texts: Vec<String> = self.0.iter().map(Diagnostic::to_text).collect();
        texts.join("\n")
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().take(Diagnostics::MOST).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        match self.0.len().saturating_sub(Diagnostics::MOST) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Diagnostics {}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Diagnostics {
        Diagnostics(vec![diagnostic])
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Diagnostics {
        Diagnostics(diagnostics.into_iter().collect())
    }
}

/// Most bytes of a message, or of advice. They quote files, in which a value can be very long.
const MAX_TEXT: usize = 1000;

/// A text without its middle if it is too long: what is quoted is before the reason.
pub(super) fn shortened(text: String) -> String {
    if text.len() <= MAX_TEXT {
        return text;
    }
    let boundary = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=MAX_TEXT * 2 / 3).rev().find(boundary).unwrap_or(0);
    let tail = (text.len() - MAX_TEXT / 3..text.len()).find(boundary).unwrap_or(text.len());
    let part = |range: Option<&str>| range.unwrap_or_default().to_owned();
    [part(text.get(..head)), part(text.get(tail..))].join("…")
}

/// A text with its control characters escaped: they would reach the terminal, and line breaks would
/// forge lines of a log.
fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::super::{Source, Span};
    use super::*;

    #[test]
    fn a_diagnostic_shows_its_line_and_what_to_do() {
        let source = Source::new("a.yaml", "name: ü\nold: üfam{y}\n");
        let error = source.error(Span::new(16..19), "no", "do that");
        assert_eq!(
            error.to_text(),
            "error: no\n --> a.yaml:2:7\n  |\n2 | old: üfam{y}\n  |       ^^^\n  |\n  = help: do that\n"
        );
        assert_eq!(error.to_string(), "a.yaml:2:7: no; do that");
        assert!(error.to_styled_text().contains("\u{1b}["));
        let warning = source.warning(Span::at(0), "odd", "look");
        assert!(warning.to_text().starts_with("warning: odd\n --> a.yaml:1:1\n"), "{warning}");
        let bare = Diagnostic::error("no such flag");
        assert_eq!(
            (bare.to_string(), bare.to_text()),
            ("no such flag".into(), "error: no such flag\n".into())
        );
        let whole = Diagnostic::error("not there").at(Location::file("x"));
        assert_eq!(whole.to_string(), "x: not there");
        assert_eq!(whole.to_text(), "error: not there\n--> x\n");
    }

    #[test]
    fn long_lines_are_cut_and_keep_their_column() {
        let source = Source::new("a.yaml", "é".repeat(100_000));
        let text = source.error(Span::new(50_000..50_018), "m", "h").to_text();
        assert!(text.chars().count() < 400, "{text}");
        assert!(text.contains(" a.yaml:1:25001\n"), "{text}");
        assert!(text.contains("^^^^^^^^^\n"), "{text}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let source = Source::new("a\u{1b}.yaml", "\u{1b}[31m: x\tz\u{7}\n");
        let error = source.error(Span::new(0..6), "the key `\u{1b}[31m`\n", "\u{7}");
        for text in [error.to_string(), error.to_text()] {
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        }
        assert!(!error.to_string().contains('\n'));
    }

    #[test]
    fn machines_read_a_flat_object() {
        let source = Source::new("a.yaml", "x\n");
        let json = serde_json::to_string(&source.error(Span::at(0), "m", "h")).unwrap();
        assert_eq!(
            json,
            r#"{"severity":"error","file":"a.yaml","line":1,"column":1,"message":"m","help":"h"}"#
        );
        let json = serde_json::to_string(&Diagnostic::error("m")).unwrap();
        assert_eq!(json, r#"{"severity":"error","file":null,"line":0,"column":0,"message":"m"}"#);
    }

    #[test]
    fn errors_are_sorted_before_warnings() {
        let source = Source::new("a", "12\n");
        let mut all = Diagnostics(vec![
            source.warning(Span::at(0), "w", ""),
            source.error(Span::at(1), "second", ""),
            source.error(Span::at(0), "first", ""),
            Diagnostic::error("nowhere"),
        ]);
        all.sort();
        let messages: Vec<&str> = all.0.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(messages, ["nowhere", "first", "second", "w"]);
        assert!(all.has_errors());
    }

    #[test]
    fn a_line_with_a_secret_is_left_out() {
        let source = Source::new("a", "password: hunter2\n");
        let text = source.error(Span::at(10), "m", "h").without_excerpt().to_text();
        assert_eq!(text, "error: m\n--> a:1:11\n = help: h\n");
    }
}
