//! From a text to the bytes it was read from, and back with a change.

use std::ops::Range;

use super::Text;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) enum Style {
    /// JSON, or YAML in double quotes.
    Double,
    /// YAML in single quotes.
    Single,
    /// YAML behind `|` or `>`.
    Block,
    /// YAML without anything.
    Plain,
}

/// A change: the bytes `at` become `text`. An insertion belongs to the character before it if `is_after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Edit {
    pub(in crate::tools::audit) at: Range<usize>,
    pub(in crate::tools::audit) text: String,
    pub(in crate::tools::audit) is_after: bool,
}

impl Edit {
    pub(in crate::tools::audit) fn replace(at: Range<usize>, text: impl Into<String>) -> Edit {
        Edit { at, text: text.into(), is_after: false }
    }

    pub(in crate::tools::audit) fn before(at: usize, text: impl Into<String>) -> Edit {
        Edit { at: at..at, text: text.into(), is_after: false }
    }

    pub(in crate::tools::audit) fn after(at: usize, text: impl Into<String>) -> Edit {
        Edit { at: at..at, text: text.into(), is_after: true }
    }
}

/// Applies edits, which must not overlap, to a text.
///
/// At one place, what stands behind the text before comes first, then what stands before the text behind, then what replaces it;
/// otherwise in the order given.
pub(in crate::tools::audit) fn apply(text: &str, edits: &[Edit]) -> Option<String> {
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

impl Text {
    /// Edits of the text, as edits of the document that it stands in. `None` where the way back cannot be found.
    pub(in crate::tools::audit) fn in_document(
        &self,
        document: &str,
        edits: &[Edit],
    ) -> Option<Vec<Edit>> {
        let raw = document.get(self.at.clone())?;
        let places = places(raw, &self.value, self.style)?;
        edits
            .iter()
            .map(|edit| {
                let at = |offset: usize| places.iter().find(|place| place.meant.start == offset);
                let ends = |offset: usize| places.iter().find(|place| place.meant.end == offset);
                let (start, end) = if !edit.at.is_empty() {
                    (at(edit.at.start)?.raw.start, ends(edit.at.end)?.raw.end)
                } else if edit.is_after {
                    let end = ends(edit.at.start)?.raw.end;
                    (end, end)
                } else {
                    let start = at(edit.at.start)?.raw.start;
                    (start, start)
                };
                let text = match self.style {
                    Style::Double => edit.text.replace('\\', "\\\\").replace('"', "\\\""),
                    Style::Single => edit.text.replace('\'', "''"),
                    Style::Block | Style::Plain => edit.text.clone(),
                };
                let at = self.at.start + start..self.at.start + end;
                Some(Edit { at, text, is_after: edit.is_after })
            })
            .collect()
    }
}

/// One character: its bytes in the text, and those it was read from.
#[derive(Debug)]
struct Place {
    meant: Range<usize>,
    raw: Range<usize>,
}

/// Finds every character of a text in what it was read from.
fn places(raw: &str, meant: &str, style: Style) -> Option<Vec<Place>> {
    let quote = match style {
        Style::Double => Some('"'),
        Style::Single => Some('\''),
        Style::Block | Style::Plain => None,
    };
    let mut at = usize::from(quote.is_some());
    let end = raw.len() - at;
    let mut places = Vec::with_capacity(meant.len());
    let mut chars = meant.char_indices().peekable();
    while let Some(&(offset, c)) = chars.peek() {
        let rest = raw.get(at..end)?;
        if let Some(len) = escape(rest, c, style) {
            places.push(Place { meant: offset..offset + c.len_utf8(), raw: at..at + len });
            at += len;
            chars.next();
            continue;
        }
        // Lines are folded, and indented: blanks stand for blanks, whichever and however many.
        let blank = |c: &char| c.is_ascii_whitespace();
        let run = rest.chars().take_while(blank).count();
        if run == 0 || !blank(&c) {
            return None;
        }
        let mut run = at..at + run;
        while let Some((offset, c)) = chars.next_if(|(_, c)| blank(c)) {
            places.push(Place { meant: offset..offset + c.len_utf8(), raw: run.clone() });
            run.start = run.end;
        }
        at = run.end;
    }
    Some(places)
}

/// How many bytes at the start of `rest` stand for one character, where that can be told.
fn escape(rest: &str, c: char, style: Style) -> Option<usize> {
    let first = rest.chars().next()?;
    match (style, first) {
        (Style::Double, '\\') => {
            let number = |digits: usize| {
                let hex = rest.get(2..2 + digits)?;
                u32::from_str_radix(hex, 16).ok()
            };
            match rest.chars().nth(1)? {
                'u' if number(4).and_then(char::from_u32) == Some(c) => Some(6),
                // A pair of halves.
                'u' => (c > '\u{ffff}').then_some(12),
                'x' => Some(4),
                'U' => Some(10),
                // A line that goes on in the next, which JSON does not have.
                '\n' | '\r' => None,
                _ => Some(2),
            }
        }
        (Style::Single, '\'') => (c == '\'').then_some(2),
        // Blanks are taken in runs, but for those within a line.
        (_, ' ') => {
            let more = rest.chars().take_while(char::is_ascii_whitespace);
            (c == ' ' && !more.into_iter().any(|c| c == '\n')).then_some(1)
        }
        _ => (first == c && c != '\n').then(|| c.len_utf8()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Node, parse};
    use super::*;

    /// Doubles the word `here` wherever it occurs, and puts quotes around.
    fn edited(document: &str) -> String {
        let nodes = parse(document).unwrap_or_else(|error| panic!("{document}: {error}"));
        let text = nodes[0].get("k").and_then(Node::text).expect("a text");
        let at = text.value.find("here").expect("the word");
        let edits = [
            Edit::before(at, "\"a\\'"),
            Edit::replace(at..at + 4, "HERE"),
            Edit::after(at + 4, ")"),
        ];
        let raw = text.in_document(document, &edits).expect("the way back");
        let changed = apply(document, &raw).expect("in order");
        let again = parse(&changed).unwrap_or_else(|error| panic!("{changed}: {error}"));
        let expected = apply(&text.value, &edits).expect("in order");
        assert_eq!(again[0].str("k"), Some(expected.as_str()), "{changed}");
        changed
    }

    #[test]
    fn texts_are_changed_where_they_stand() {
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
        ] {
            assert_eq!(edited(document), expected);
        }
    }

    #[test]
    fn where_the_way_back_is_not_found_nothing_is_changed() {
        let document = "k: \"a\n  b\\\n  here\"\n";
        let nodes = parse(document).expect("YAML");
        let text = nodes[0].get("k").and_then(Node::text).expect("a text");
        let at = text.value.find("here").expect("the word");
        assert_eq!(text.in_document(document, &[Edit::replace(at..at + 4, "x")]), None);
    }
}
