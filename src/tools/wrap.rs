//! Lines that fit a terminal.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// Longest line of prose and of rules in the output of commands, in characters. Lines of the input
/// and series are not wrapped, so that they can be copied and searched for.
pub(crate) const WIDTH: usize = 80;

/// Indentation of the lines of one wrapped text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indent<'a> {
    /// Written before the first line.
    pub(crate) first: &'a str,
    /// Written before every other line.
    pub(crate) next: &'a str,
}

impl<'a> Indent<'a> {
    /// The same indentation for every line.
    pub(crate) fn all(indent: &'a str) -> Indent<'a> {
        Indent { first: indent, next: indent }
    }
}

/// Writes a text in lines of at most `width` characters. A longer word gets a line of its own. Runs
/// of white space become one space, and an empty text writes nothing.
pub(crate) fn wrap(text: &str, width: usize, indent: Indent<'_>, to: &mut String) -> fmt::Result {
    wrap_words(text.split_whitespace(), width, indent, to)
}

/// As [`wrap`], for words that may contain white space.
pub(crate) fn wrap_words<'a>(
    mut words: impl Iterator<Item = &'a str>,
    width: usize,
    indent: Indent<'_>,
    to: &mut String,
) -> fmt::Result {
    let Some(first) = words.next() else { return Ok(()) };
    let mut line = format!("{}{first}", indent.first);
    for word in words {
        if line.chars().count() + 1 + word.chars().count() > width {
            writeln!(to, "{line}")?;
            line = format!("{}{word}", indent.next);
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    writeln!(to, "{line}")
}

/// The title of a rule that is written from a column on, in one line if it fits. Otherwise what the
/// rule writes is on a second line.
pub(crate) fn rule_title(title: &str, column: usize) -> Cow<'_, str> {
    match title.split_once(" -> ") {
        Some((reads, writes)) if column + title.chars().count() > WIDTH => {
            format!("{reads}\n{:column$}  -> {writes}", "").into()
        }
        _ => title.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_titles_are_broken_at_the_arrow() {
        assert_eq!(rule_title("a{x} -> b", 70), "a{x} -> b");
        assert_eq!(rule_title("a{x} -> b", 72), format!("a{{x}}\n{}  -> b", " ".repeat(72)));
    }

    fn wrapped(text: &str) -> String {
        let mut written = String::new();
        let indent = Indent { first: "- ", next: "  " };
        wrap(text, 10, indent, &mut written).expect("writing to a String does not fail");
        written
    }

    #[test]
    fn lines_end_between_words() {
        assert_eq!(wrapped("one two  three\nfour"), "- one two\n  three\n  four\n");
        assert_eq!(wrapped("a ninecharacters b"), "- a\n  ninecharacters\n  b\n");
        assert_eq!(wrapped(" "), "");
    }
}
