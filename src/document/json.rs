//! JSON as a tree of nodes.
//!
//! `serde_json` does not say where a text is written. It is used for what has no places: escapes
//! and numbers.

use serde::de::IgnoredAny;

use super::diagnostic::Diagnostic;
use super::node::{Limits, List, Map, Node, Scalar, Style};
use super::source::Source;
use super::span::Span;
use super::yaml::too_long;

const SYNTAX_HELP: &str = "correct the JSON; the rest of this file has not been checked";

/// Reads one value, after a byte order mark if there is one.
///
/// # Errors
///
/// The first place that is not JSON, or that exceeds a limit. What follows it cannot be known.
pub fn parse(source: &Source, limits: Limits) -> Result<Node, Diagnostic> {
    let text = source.text();
    if text.len() > limits.max_bytes {
        return Err(too_long(source, limits));
    }
    let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader { text, at, max_depth: limits.max_depth };
    let read = reader.value(0).and_then(|node| {
        reader.skip_blanks();
        if reader.at == text.len() { Ok(node) } else { Err("text after the end") }
    });
    read.map_err(|reason| {
        source.error(Span::at(reader.at), format!("not readable as JSON: {reason}"), SYNTAX_HELP)
    })
}

struct Reader<'a> {
    text: &'a str,
    /// The next byte. After an error, the place of it.
    at: usize,
    max_depth: usize,
}

type Read<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips blanks and this byte, if it is next.
    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: usize) -> Read<Node> {
        self.skip_blanks();
        match self.peek().ok_or("it ends too early")? {
            b'"' => self.string().map(Node::Scalar),
            b'{' | b'[' if depth >= self.max_depth => Err("it is nested too deep"),
            b'{' => self.map(depth),
            b'[' => self.list(depth),
            byte if byte.is_ascii_alphanumeric() || byte == b'-' => self.bare(),
            _ => Err("expected a value"),
        }
    }

    /// A number, `true`, `false` or `null`.
    fn bare(&mut self) -> Read<Node> {
        let start = self.at;
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-+.".contains(byte);
        let len = self.text.bytes().skip(start).take_while(is_part).count();
        let text = self.text.get(start..start + len).unwrap_or_default().to_owned();
        if serde_json::from_str::<IgnoredAny>(&text).is_err() {
            return Err("expected a value");
        }
        self.at += len;
        Ok(Node::Scalar(Scalar { text, span: Span::new(start..self.at), style: Style::Bare }))
    }

    fn map(&mut self, depth: usize) -> Read<Node> {
        let start = self.at;
        self.at += 1;
        let mut entries = Vec::new();
        let mut is_complete = self.next_is(b'}');
        while !is_complete {
            self.skip_blanks();
            if self.peek() != Some(b'"') {
                return Err("expected a key in quotes");
            }
            let key = self.string()?;
            if !self.next_is(b':') {
                return Err("expected `:`");
            }
            entries.push((key, self.value(depth + 1)?));
            is_complete = self.next_is(b'}');
            if !is_complete && !self.next_is(b',') {
                return Err("expected `,` or `}`");
            }
        }
        Ok(Node::Map(Map { span: Span::new(start..self.at), entries }))
    }

    fn list(&mut self, depth: usize) -> Read<Node> {
        let start = self.at;
        self.at += 1;
        let mut items = Vec::new();
        let mut is_complete = self.next_is(b']');
        while !is_complete {
            items.push(self.value(depth + 1)?);
            is_complete = self.next_is(b']');
            if !is_complete && !self.next_is(b',') {
                return Err("expected `,` or `]`");
            }
        }
        Ok(Node::List(List { span: Span::new(start..self.at), items }))
    }

    fn string(&mut self) -> Read<Scalar> {
        let start = self.at;
        let mut end = start + 1;
        loop {
            match self.text.as_bytes().get(end).ok_or("a text does not end")? {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        end += 1;
        let written = self.text.get(start..end).ok_or("a text does not end")?;
        let text = serde_json::from_str(written).map_err(|_| "a text with a wrong escape")?;
        self.at = end;
        Ok(Scalar { text, span: Span::new(start..end), style: Style::DoubleQuoted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, Diagnostic> {
        parse(&Source::new("f", text), Limits::EXPORTED)
    }

    #[test]
    fn values_and_places() {
        let text =
            "{\"a\": [1, true, null, -1.5e3], \"b\": {\"c\": \"x\\\"\\u00fc\\ud83d\\ude80\"}}";
        let node = read(text).unwrap();
        let c = node.get("b").and_then(|b| b.get("c")).and_then(Node::text).unwrap();
        assert_eq!(c.text, "x\"ü🚀");
        assert_eq!(text.get(c.span.range()), Some("\"x\\\"\\u00fc\\ud83d\\ude80\""));
        let b = text.get(node.get("b").unwrap().span().range()).unwrap();
        assert!(b.starts_with("{\"c\"") && b.ends_with("\"}"), "{b}");
        let a = node.list("a");
        assert!(a[2].is_null() && a.iter().all(|it| it.text().is_none()));
        assert_eq!(a[3].scalar().unwrap().text, "-1.5e3");
        // An independent reader accepts it too.
        serde_json::from_str::<serde_json::Value>(text).unwrap();
    }

    #[test]
    fn what_is_not_json() {
        for text in [
            "",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "[1,]",
            "{\"a\":1,}",
            "{a: 1}",
            "\"\\x\"",
            "\"a",
            "{} x",
            "\"\\",
            "01",
            "tru",
            "\u{feff}",
            "[\"\n\"]",
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.starts_with("f:1:"), "{error}");
        }
        assert!(read("\u{feff}[1]").is_ok());
    }

    #[test]
    fn depth_and_length_are_bounded() {
        assert!(read(&"[".repeat(100_000)).unwrap_err().message.contains("nested"));
        assert!(read(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_ok());
        let limits = Limits { max_bytes: 3, max_depth: 9 };
        assert!(parse(&Source::new("f", "[1,2]"), limits).unwrap_err().message.contains("longer"));
    }
}
