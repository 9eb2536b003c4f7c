//! Word wrapping for the tables that tools print.

use std::fmt::{self, Write as _};

/// Indentation of the lines of one wrapped text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Indent<'a> {
    /// Written before the first line.
    pub(super) first: &'a str,
    /// Written before every other line.
    pub(super) next: &'a str,
}

impl<'a> Indent<'a> {
    /// The same indentation for every line.
    pub(super) fn all(indent: &'a str) -> Indent<'a> {
        Indent { first: indent, next: indent }
    }
}

/// Writes a text in lines of at most `width` characters. A longer word gets a line of its own. Runs
/// of white space become one space, and an empty text writes nothing.
pub(super) fn wrap(text: &str, width: usize, indent: Indent<'_>, to: &mut String) -> fmt::Result {
    let mut words = text.split_whitespace();
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

#[cfg(test)]
mod tests {
    use super::*;

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
