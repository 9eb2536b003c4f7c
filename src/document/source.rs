//! A text, the name of its file, and the way from bytes to lines and columns.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Excerpt, Location, Severity, shortened};
use super::span::Span;

/// Longest excerpt of a line that a diagnostic keeps, in characters.
const EXCERPT_CHARS: usize = 100;

/// How many bytes apart the character counts are that [`Source`] keeps.
const STEP: usize = 1024;

/// The text of one file.
///
/// Finding the line and column of a byte costs the same wherever the byte is, even in a file that
/// is one line of many megabytes.
pub struct Source {
    file: Arc<str>,
    text: String,
    /// The byte at which each line begins.
    lines: Vec<usize>,
    /// The number of characters before every [`STEP`]th byte.
    chars: Vec<usize>,
}

/// Without the text, which may contain secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Source {
    /// A text, and the name under which diagnostics report it.
    #[must_use]
    pub fn new(file: &str, text: impl Into<String>) -> Source {
        let text = text.into();
        let ends = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        let mut chars = vec![0];
        let mut before = 0;
        for step in text.as_bytes().chunks(STEP) {
            before += starts(step);
            chars.push(before);
        }
        Source { file: file.into(), text, lines, chars }
    }

    /// The name of the file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span; empty if the text has no such span.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// The line, from 1, that contains a byte.
    #[must_use]
    pub fn line(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte)
    }

    /// The line, and the column in characters, of a byte, both from 1. A byte order mark is not
    /// counted.
    #[must_use]
    pub fn line_and_column(&self, byte: usize) -> (usize, usize) {
        let byte = byte.min(self.text.len());
        let line = self.line(byte);
        let start = self.content(line).start.min(byte);
        (line, self.chars_before(byte) - self.chars_before(start) + 1)
    }

    /// The byte at a line and a column, both from 1; the end of the text if there is none.
    #[must_use]
    pub fn byte_at(&self, line: usize, column: usize) -> usize {
        if line == 0 || line > self.lines.len() {
            return self.text.len();
        }
        let content = self.content(line);
        let text = self.text.get(content.clone()).unwrap_or_default();
        let offset = text.char_indices().nth(column.saturating_sub(1)).map(|(at, _)| at);
        content.start + offset.unwrap_or(text.len())
    }

    /// A span as the place of a diagnostic, with an excerpt of its first line.
    #[must_use]
    pub fn location(&self, span: Span) -> Location {
        let (line, column) = self.line_and_column(span.start);
        let excerpt = Box::new(self.excerpt(line, span));
        Location { file: Arc::clone(&self.file), line, column, excerpt: Some(excerpt) }
    }

    /// The file as a whole as the place of a diagnostic.
    #[must_use]
    pub fn whole(&self) -> Location {
        Location::file(&self.file)
    }

    /// An error at a span: what is wrong, and what to do.
    #[must_use]
    pub fn error(
        &self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            location: Some(self.location(span)),
            message: shortened(message.into()),
            help: Some(shortened(help.into())),
        }
    }

    /// A warning at a span: what is unusual, and what to do if it is not intended.
    #[must_use]
    pub fn warning(
        &self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..self.error(span, message, help) }
    }

    /// The bytes of a line, without a byte order mark before it and the line break after it.
    fn content(&self, line: usize) -> Range<usize> {
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        let mark = if line == 1 && self.text.starts_with('\u{feff}') { 3 } else { 0 };
        let returns = end > start && self.text.as_bytes().get(end - 1) == Some(&b'\r');
        start + mark..end - usize::from(returns)
    }

    fn excerpt(&self, line: usize, span: Span) -> Excerpt {
        let content = self.content(line);
        let start = span.start.clamp(content.start, content.end);
        let end = span.end.clamp(start, content.end);
        let column = self.chars_before(start) - self.chars_before(content.start);
        let before = self.text.get(content.start..start).unwrap_or_default();
        let after = self.text.get(start..content.end).unwrap_or_default();
        let shown = if column < EXCERPT_CHARS { column } else { EXCERPT_CHARS / 2 };
        let cut = before.char_indices().rev().take(shown).last().map_or(before.len(), |(at, _)| at);
        let stop =
            after.char_indices().nth(EXCERPT_CHARS - shown).map_or(after.len(), |(at, _)| at);
        let suffix = if stop < after.len() { "…" } else { "" };
        let before = before.get(cut..).unwrap_or_default();
        let after = after.get(..stop).unwrap_or_default();
        let marked = before.len()..before.len() + (end - start).min(after.len());
        Excerpt { skipped: column - shown, text: [before, after, suffix].concat(), marked }
    }

    fn chars_before(&self, byte: usize) -> usize {
        let step = byte / STEP;
        let rest = self.text.as_bytes().get(step * STEP..byte).unwrap_or_default();
        self.chars.get(step).copied().unwrap_or_default() + starts(rest)
    }
}

/// How many characters begin in these bytes of UTF-8.
fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xc0) != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters() {
        let text = format!("ab\nüé x\r\n{}ü!\n", "é".repeat(3000));
        let source = Source::new("f", text.clone());
        for (byte, c) in text.char_indices() {
            let before = text.get(..byte).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            assert_eq!(source.line_and_column(byte), (line, column), "{byte}");
            if !"\r\n".contains(c) {
                assert_eq!(source.byte_at(line, column), byte);
            }
        }
        assert_eq!(source.line_and_column(text.len() + 9), (4, 1));
    }

    #[test]
    fn a_byte_order_mark_is_not_a_column() {
        let source = Source::new("f", "\u{feff}a: b\n");
        assert_eq!(source.line_and_column(3), (1, 1));
        assert_eq!(source.byte_at(1, 1), 3);
        assert_eq!(source.line_and_column(0), (1, 1));
    }

    #[test]
    fn places_outside_the_text_do_no_harm() {
        let source = Source::new("f", "ü");
        for span in [Span::at(1), Span::at(9), Span { start: 5, end: 2 }, Span::new(0..900)] {
            let text = source.error(span, "m", "h").to_text();
            assert!(text.starts_with("error: m\n"), "{text}");
        }
        assert_eq!(source.byte_at(0, 0), 2);
        assert_eq!(source.byte_at(9, 1), 2);
    }
}
