//! Changes of scalars in the text they were read from, which leave every other byte alone.
//!
//! A scalar may hold a document of its own, such as a dashboard in a `ConfigMap`. An edit of the
//! inner document is then an edit of the scalar that holds it, and can be translated once more.

use std::ops::Range;

use super::node::{Scalar, Style};

/// A change of a text: the bytes `at` are replaced by `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced. An empty range inserts.
    pub at: Range<usize>,
    /// The replacement.
    pub text: String,
    /// An insertion belongs to the character before it, not to the one after it.
    pub is_after: bool,
}

impl Edit {
    /// Replaces some bytes.
    #[must_use]
    pub fn replace(at: Range<usize>, text: impl Into<String>) -> Edit {
        Edit { at, text: text.into(), is_after: false }
    }

    /// Inserts before the character at `at`.
    #[must_use]
    pub fn before(at: usize, text: impl Into<String>) -> Edit {
        Edit { at: at..at, text: text.into(), is_after: false }
    }

    /// Inserts after the character that ends at `at`.
    #[must_use]
    pub fn after(at: usize, text: impl Into<String>) -> Edit {
        Edit { at: at..at, text: text.into(), is_after: true }
    }
}

/// Applies edits to a text. `None` if two of them overlap or one is outside the text.
///
/// At one place, insertions after the character before it come first, then insertions before the
/// character after it, then the replacement; otherwise edits keep the order given.
///
/// ```
/// use crossfade::document::{Edit, apply};
///
/// let edits = [Edit::replace(4..7, "app"), Edit::after(8, "!")];
/// assert_eq!(apply("the old x", &edits), Some("the app !x".to_owned()));
/// assert_eq!(apply("short", &[Edit::before(9, "x")]), None);
/// ```
#[must_use]
pub fn apply(text: &str, edits: &[Edit]) -> Option<String> {
    let mut order: Vec<&Edit> = edits.iter().collect();
    order.sort_by_key(|edit| (edit.at.start, edit.at.end, !edit.is_after));
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for edit in order {
        out.push_str(text.get(from..edit.at.start)?);
        out.push_str(&edit.text);
        from = edit.at.end;
    }
    out.push_str(text.get(from..)?);
    Some(out)
}

impl Scalar {
    /// Translates edits of the scalar's text to edits of the document it was read from. `None` if
    /// the way back is not clear: then nothing should be changed.
    #[must_use]
    pub fn edits_in_document(&self, document: &str, edits: &[Edit]) -> Option<Vec<Edit>> {
        let written = document.get(self.span.range())?;
        let chars = chars(written, &self.text, self.style)?;
        edits
            .iter()
            .map(|edit| {
                // Both are ascending: a document in a string may have thousands of edits.
                let starts = |offset: usize| {
                    let first = chars.partition_point(|c| c.in_text.start < offset);
                    chars.get(first).filter(|c| c.in_text.start == offset)
                };
                let ends = |offset: usize| {
                    let first = chars.partition_point(|c| c.in_text.end < offset);
                    chars.get(first).filter(|c| c.in_text.end == offset)
                };
                let (start, end) = if !edit.at.is_empty() {
                    (starts(edit.at.start)?.written.start, ends(edit.at.end)?.written.end)
                } else if edit.is_after {
                    let end = ends(edit.at.start)?.written.end;
                    (end, end)
                } else {
                    let start = starts(edit.at.start)?.written.start;
                    (start, start)
                };
                let text = match self.style {
                    Style::DoubleQuoted => edit.text.replace('\\', "\\\\").replace('"', "\\\""),
                    Style::SingleQuoted => edit.text.replace('\'', "''"),
                    Style::Block | Style::Plain | Style::Bare => edit.text.clone(),
                };
                let at = self.span.start + start..self.span.start + end;
                Some(Edit { at, text, is_after: edit.is_after })
            })
            .collect()
    }

    /// The bytes of the document that some bytes of the scalar's text were read from. `None` if
    /// the way back is not clear.
    #[must_use]
    pub fn range_in_document(&self, document: &str, range: Range<usize>) -> Option<Range<usize>> {
        let edits = self.edits_in_document(document, &[Edit::replace(range, "")])?;
        edits.into_iter().next().map(|edit| edit.at)
    }
}

/// One character: its bytes in the scalar's text, and those it was read from.
#[derive(Debug)]
struct Char {
    in_text: Range<usize>,
    written: Range<usize>,
}

/// Finds every character of a scalar's text in what it was read from.
fn chars(written: &str, text: &str, style: Style) -> Option<Vec<Char>> {
    let quote = match style {
        Style::DoubleQuoted => Some('"'),
        Style::SingleQuoted => Some('\''),
        Style::Block | Style::Plain | Style::Bare => None,
    };
    let mut at = usize::from(quote.is_some());
    let end = written.len().checked_sub(at)?;
    let mut found = Vec::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some(&(offset, c)) = chars.peek() {
        let rest = written.get(at..end)?;
        if let Some(len) = continuation(rest).filter(|_| style == Style::DoubleQuoted) {
            at += len;
            continue;
        }
        if let Some(len) = written_len(rest, c, style) {
            found.push(Char { in_text: offset..offset + c.len_utf8(), written: at..at + len });
            at += len;
            chars.next();
            continue;
        }
        // Lines are folded and indented: a run of blanks was read from a run of blanks, whichever
        // and however many.
        let is_blank = |c: &char| c.is_ascii_whitespace();
        let run = rest.chars().take_while(is_blank).count();
        if run == 0 || !is_blank(&c) {
            return None;
        }
        let mut run = at..at + run;
        while let Some((offset, c)) = chars.next_if(|(_, c)| is_blank(c)) {
            found.push(Char { in_text: offset..offset + c.len_utf8(), written: run.clone() });
            run.start = run.end;
        }
        at = run.end;
    }
    Some(found)
}

/// The length of an escaped line break and the indentation after it, which are read as nothing.
fn continuation(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("\\\n").or_else(|| rest.strip_prefix("\\\r\n"))?;
    Some(rest.len() - after.trim_start_matches([' ', '\t']).len())
}

/// How many bytes at the start of `rest` are read as the character `c`, if that is clear.
fn written_len(rest: &str, c: char, style: Style) -> Option<usize> {
    let first = rest.chars().next()?;
    match (style, first) {
        (Style::DoubleQuoted, '\\') => {
            let number = |digits: usize| {
                let hex = rest.get(2..2 + digits)?;
                u32::from_str_radix(hex, 16).ok()
            };
            match rest.chars().nth(1)? {
                'u' if number(4).and_then(char::from_u32) == Some(c) => Some(6),
                // A surrogate pair.
                'u' => (c > '\u{ffff}').then_some(12),
                'x' => Some(4),
                'U' => Some(10),
                _ => Some(2),
            }
        }
        (Style::SingleQuoted, '\'') => (c == '\'').then_some(2),
        // Blanks are taken in runs, except within a line.
        (_, ' ') => {
            let mut run = rest.chars().take_while(char::is_ascii_whitespace);
            (c == ' ' && !run.any(|c| c == '\n')).then_some(1)
        }
        _ => (first == c && c != '\n').then(|| c.len_utf8()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::{Limits, Node};
    use super::super::{Source, parse_all};
    use super::*;

    fn documents(text: &str) -> Vec<Node> {
        parse_all(&Source::new("f", text), Limits::EXPORTED)
            .unwrap_or_else(|error| panic!("{}", error.to_text()))
    }

    /// Replaces the word `here`, and inserts before and after it.
    fn edited(document: &str) -> String {
        let nodes = documents(document);
        let scalar = nodes[0].get("k").and_then(Node::text).unwrap();
        let at = scalar.text.find("here").unwrap();
        let edits = [
            Edit::before(at, "\"a\\'"),
            Edit::replace(at..at + 4, "HERE"),
            Edit::after(at + 4, ")"),
        ];
        let changes = scalar.edits_in_document(document, &edits).unwrap();
        let changed = apply(document, &changes).unwrap();
        let expected = apply(&scalar.text, &edits).unwrap();
        assert_eq!(documents(&changed)[0].str("k"), Some(expected.as_str()), "{changed}");
        changed
    }

    #[test]
    fn scalars_are_changed_in_place() {
        for (document, expected) in [
            (
                r#"{"j": 1.0, "k" : "x \"y\" here\n"}"#,
                r#"{"j": 1.0, "k" : "x \"y\" \"a\\'HERE)\n"}"#,
            ),
            (r#"{"k":"\u00fc\ud83d\ude80\/ here"}"#, r#"{"k":"\u00fc\ud83d\ude80\/ \"a\\'HERE)"}"#),
            ("k: x 'y' here # c\n", "k: x 'y' \"a\\'HERE) # c\n"),
            ("k: 'it''s here'\n", "k: 'it''s \"a\\''HERE)'\n"),
            ("k: |\n  one (\n    here\n  )\nl: 1\n", "k: |\n  one (\n    \"a\\'HERE)\n  )\nl: 1\n"),
            (
                "k: >-\n    one\n    two here\n\n    x\n",
                "k: >-\n    one\n    two \"a\\'HERE)\n\n    x\n",
            ),
            ("k: one\n  two\n  here\n", "k: one\n  two\n  \"a\\'HERE)\n"),
            ("k: \"a\n  b\\\n  here\"\n", "k: \"a\n  b\\\n  \\\"a\\\\'HERE)\"\n"),
            ("k: |\r\n  one\r\n  here\r\n", "k: |\r\n  one\r\n  \"a\\'HERE)\r\n"),
        ] {
            assert_eq!(edited(document), expected);
        }
    }

    #[test]
    fn documents_within_documents_are_changed_in_place() {
        let outer = "dashboards:\n  k: |\n    {\"expr\": \"rate(\\\"here\\\")\"}\n";
        let nodes = documents(outer);
        let holder = nodes[0].get("dashboards").and_then(|it| it.get("k")).unwrap();
        let holder = holder.text().unwrap();
        let inner = documents(&holder.text);
        let expr = inner[0].get("expr").and_then(Node::text).unwrap();
        let at = expr.text.find("here").unwrap();
        let edits = expr.edits_in_document(&holder.text, &[Edit::replace(at..at + 4, "\"there")]);
        let edits = holder.edits_in_document(outer, &edits.unwrap()).unwrap();
        assert_eq!(
            apply(outer, &edits).as_deref(),
            Some("dashboards:\n  k: |\n    {\"expr\": \"rate(\\\"\\\"there\\\")\"}\n")
        );
    }

    #[test]
    fn if_the_way_back_is_not_clear_nothing_is_changed() {
        let nodes = documents("k: a here\n");
        let scalar = nodes[0].get("k").and_then(Node::text).unwrap();
        let other = "k: b here\n";
        assert_eq!(scalar.edits_in_document(other, &[Edit::replace(2..6, "x")]), None);
    }

    #[test]
    fn overlapping_edits_are_refused() {
        assert_eq!(apply("abc", &[Edit::replace(0..2, "x"), Edit::replace(1..3, "y")]), None);
        assert_eq!(apply("abc", &[Edit::replace(2..4, "x")]), None);
    }
}
