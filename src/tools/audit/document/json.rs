//! JSON, with places. `serde_json` does not say where a text stands, and would not keep what is not touched.

use super::scalar::Style;
use super::{MAX_DEPTH, Node, Text, line};

/// Reads one value.
///
/// # Errors
///
/// Line and reason.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut reader = Reader { text, at: 0 };
    // What some editors put in front.
    if text.starts_with('\u{feff}') {
        reader.at = '\u{feff}'.len_utf8();
    }
    let read = reader.value(0).and_then(|node| {
        reader.blanks();
        if reader.at == text.len() { Ok(node) } else { Err("something behind the end") }
    });
    read.map_err(|reason| format!("line {}: not readable as JSON: {reason}", line(text, reader.at)))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

type Read<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn sign(&mut self, sign: u8) -> bool {
        self.blanks();
        let there = self.peek() == Some(sign);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self, depth: usize) -> Read<Node> {
        if depth > MAX_DEPTH {
            return Err("it nests too deeply");
        }
        self.blanks();
        match self.peek().ok_or("it ends too early")? {
            b'"' => self.string().map(Node::Text),
            b'{' => self.map(depth),
            b'[' => self.list(depth),
            byte if byte.is_ascii_alphanumeric() || byte == b'-' => Ok(self.other()),
            _ => Err("expected a value"),
        }
    }

    fn other(&mut self) -> Node {
        let start = self.at;
        let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        while self.peek().is_some_and(part) {
            self.at += 1;
        }
        Node::Other(self.text.get(start..self.at).unwrap_or_default().to_owned())
    }

    fn map(&mut self, depth: usize) -> Read<Node> {
        self.at += 1;
        let mut entries = Vec::new();
        if self.sign(b'}') {
            return Ok(Node::Map(entries));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err("expected a key in quotes");
            }
            let key = self.string()?.value;
            if !self.sign(b':') {
                return Err("expected `:`");
            }
            entries.push((key, self.value(depth + 1)?));
            if self.sign(b'}') {
                return Ok(Node::Map(entries));
            }
            if !self.sign(b',') {
                return Err("expected `,` or `}`");
            }
        }
    }

    fn list(&mut self, depth: usize) -> Read<Node> {
        self.at += 1;
        let mut items = Vec::new();
        if self.sign(b']') {
            return Ok(Node::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.sign(b']') {
                return Ok(Node::List(items));
            }
            if !self.sign(b',') {
                return Err("expected `,` or `]`");
            }
        }
    }

    fn string(&mut self) -> Read<Text> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek().ok_or("a text does not end")? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let raw = self.text.get(start..self.at).ok_or("a text does not end")?;
        let text: String = serde_json::from_str(raw).map_err(|_| "a text with a wrong escape")?;
        Ok(Text { value: text, at: start..self.at, style: Style::Double })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_places() {
        let text =
            "{\"a\": [1, true, null, -1.5e3], \"b\": {\"c\": \"x\\\"\\u00fc\\ud83d\\ude80\"}}";
        let node = parse(text).expect("JSON");
        let c = node.get("b").and_then(|b| b.get("c")).and_then(Node::text).expect("a text");
        assert_eq!(c.value, "x\"ü🚀");
        assert_eq!(text.get(c.at.clone()), Some("\"x\\\"\\u00fc\\ud83d\\ude80\""));
        assert_eq!(node.list("a").len(), 4);
        // Held against a reader that is known to be right.
        serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    }

    #[test]
    fn what_is_not_json() {
        for text in
            ["", "{", "{\"a\"}", "{\"a\":}", "[1,]", "{a: 1}", "\"\\x\"", "\"a", "{} x", "\"\\"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}
