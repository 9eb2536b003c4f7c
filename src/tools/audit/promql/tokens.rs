//! Splits a query into tokens.

use std::ops::Range;

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name or a keyword.
    Word,
    /// A number or a duration.
    Number,
    /// A quoted string.
    String,
    /// An operator or other sign, of one or two characters.
    Sign,
}

/// A token and its bytes. White space and comments are skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: Range<usize>,
}

/// Splits a query; `None` if a string is not terminated.
pub(super) fn tokenize(query: &str) -> Option<Vec<Token>> {
    let bytes = query.as_bytes();
    let (mut tokens, mut at, mut brackets) = (Vec::new(), 0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let (kind, len) = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += rest.iter().take_while(|byte| **byte != b'\n').count();
                continue;
            }
            b'"' | b'\'' | b'`' => (TokenKind::String, quoted(rest)?),
            b'0'..=b'9' => (TokenKind::Number, number(rest)),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => {
                (TokenKind::Number, number(rest))
            }
            b':' if brackets > 0 => (TokenKind::Sign, 1),
            _ if is_word(byte) => {
                let word = rest.iter().take_while(|b| is_word(**b) || b.is_ascii_digit());
                (TokenKind::Word, word.filter(|byte| **byte != b':' || brackets == 0).count())
            }
            _ => {
                let two = rest.get(..2).unwrap_or_default();
                let pairs: [&[u8]; 6] = [b"==", b"!=", b"<=", b">=", b"=~", b"!~"];
                (TokenKind::Sign, if pairs.contains(&two) { 2 } else { 1 })
            }
        };
        match byte {
            b'[' => brackets += 1,
            b']' => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        tokens.push(Token { kind, at: at..at + len });
        at += len;
    }
    Some(tokens)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b':'
}

fn quoted(rest: &[u8]) -> Option<usize> {
    let quote = *rest.first()?;
    let mut at = 1;
    loop {
        match *rest.get(at)? {
            b'\\' if quote != b'`' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// `1`, `.5`, `1e-3`, `1_000`, `0x1f`, `5m`, `1h30m`.
fn number(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = rest.get(at) {
        let exponent = matches!(byte, b'+' | b'-')
            && at > 0
            && matches!(rest.get(at - 1), Some(b'e' | b'E'))
            && rest.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || exponent) {
            break;
        }
        at += 1;
    }
    at
}

/// The value of a quoted string; `None` if it has an escape that is not supported.
pub(super) fn string_value(text: &str) -> Option<String> {
    let mut chars = text.chars();
    let quote = chars.next()?;
    let inner = chars.as_str().strip_suffix(quote)?;
    if quote == '`' {
        return Some(inner.to_owned());
    }
    let mut value = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        value.push(match chars.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            c @ ('\\' | '"' | '\'') => c,
            // Numeric escapes of Go are rare in matchers. The query is then left as it is.
            _ => return None,
        });
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(query: &str) -> Vec<&str> {
        tokenize(query)
            .expect("all strings are terminated")
            .into_iter()
            .filter_map(|token| query.get(token.at))
            .collect()
    }

    #[test]
    fn queries_are_split() {
        assert_eq!(
            words("sum(a:b{x!~\"y\\\"}\",}[5m:1m]) # c\n>= .5e-3"),
            [
                "sum",
                "(",
                "a:b",
                "{",
                "x",
                "!~",
                "\"y\\\"}\"",
                ",",
                "}",
                "[",
                "5m",
                ":",
                "1m",
                "]",
                ")",
                ">=",
                ".5e-3"
            ]
        );
        assert_eq!(words("a-1 b[1h:]"), ["a", "-", "1", "b", "[", "1h", ":", "]"]);
        assert_eq!(tokenize("a{b=\"c"), None);
    }

    #[test]
    fn strings_are_unquoted() {
        assert_eq!(string_value(r#""a\\.b\"""#).as_deref(), Some(r#"a\.b""#));
        assert_eq!(string_value(r"`a\.b`").as_deref(), Some(r"a\.b"));
        assert_eq!(string_value(r#""\x41""#), None);
    }
}
