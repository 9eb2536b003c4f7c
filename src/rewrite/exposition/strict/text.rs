//! Writes names, help texts and the beginnings of lines.

use super::suffix::Suffix;
use crate::exposition::{Format, write_value};

/// Appends a name, escaped like a label value if it has anything to escape.
pub(super) fn write_quoted(raw: &[u8], out: &mut Vec<u8>) {
    write_value(raw, out);
}

/// Appends a help text with only the escapes that all parsers know: `\\` and `\n`, and in
/// `OpenMetrics` also `\"`. Any other backslash is doubled.
pub(super) fn write_help(raw: &[u8], format: Format, out: &mut Vec<u8>) {
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        out.push(byte);
        if byte != b'\\' {
            continue;
        }
        match bytes.peek() {
            Some(&next @ (b'\\' | b'n')) => {
                out.push(next);
                bytes.next();
            }
            Some(b'"') if format == Format::OpenMetrics => {
                out.push(b'"');
                bytes.next();
            }
            _ => out.push(b'\\'),
        }
    }
}

/// Whether a name can be written without quotes.
fn is_plain(name: &[u8]) -> bool {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':';
    name.first().is_some_and(|&first| is_start(first))
        && name.iter().all(|&byte| is_start(byte) || byte.is_ascii_digit())
}

/// Appends the name of a header.
pub(super) fn write_header_name(name: &[u8], out: &mut Vec<u8>) {
    if is_plain(name) {
        out.extend_from_slice(name);
    } else {
        out.push(b'"');
        out.extend_from_slice(name);
        out.push(b'"');
    }
}

/// Appends the beginning of a sample: its name and its labels, up to where another label or the
/// value follows. Returns the state that [`end`] needs.
pub(super) fn begin(name: &[u8], suffix: Suffix, labels: &[u8], out: &mut Vec<u8>) -> Begun {
    let is_plain = is_plain(name);
    if is_plain {
        out.extend_from_slice(name);
        out.extend_from_slice(suffix.text());
        if labels.is_empty() {
            return Begun::Name;
        }
        out.push(b'{');
        out.extend_from_slice(labels);
        return Begun::Labels;
    }
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(name);
    out.extend_from_slice(suffix.text());
    out.push(b'"');
    if !labels.is_empty() {
        out.push(b',');
        out.extend_from_slice(labels);
    }
    Begun::Labels
}

/// The part of a sample that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// The name, without a brace.
    Name,
    /// The name and the opening brace, and something after it.
    Labels,
}

impl Begun {
    /// What comes before another label.
    pub(super) fn before_label(self) -> &'static [u8] {
        match self {
            Begun::Name => b"{",
            Begun::Labels => b",",
        }
    }

    /// What comes before the value.
    pub(super) fn before_value(self) -> &'static [u8] {
        match self {
            Begun::Name => b" ",
            Begun::Labels => b"} ",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_has_the_escapes_that_all_parsers_know() {
        let written = |raw: &str, format| {
            let mut out = Vec::new();
            write_help(raw.as_bytes(), format, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(r"a\\b\nc", Format::Text), r"a\\b\nc");
        assert_eq!(written(r#"\q \" end\"#, Format::Text), r#"\\q \\" end\\"#);
        assert_eq!(written(r#"\q \" end\"#, Format::OpenMetrics), r#"\\q \" end\\"#);
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        let written = |name: &str, labels: &str| {
            let mut out = Vec::new();
            let begun = begin(name.as_bytes(), Suffix::Sum, labels.as_bytes(), &mut out);
            out.extend_from_slice(begun.before_value());
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written("a", ""), "a_sum ");
        assert_eq!(written("a", "b=\"c\""), "a_sum{b=\"c\"} ");
        assert_eq!(written("a.b", ""), "{\"a.b_sum\"} ");
        assert_eq!(written("a.b", "c=\"d\""), "{\"a.b_sum\",c=\"d\"} ");
    }
}
