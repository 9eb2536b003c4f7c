//! The words and signs of a query, with their places.

use std::ops::Range;

/// What a piece of a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// A number or a duration.
    Number,
    /// A text in quotes.
    Text,
    /// Anything else, one or two characters.
    Sign,
}

/// A piece of a query. Blanks and comments are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: Range<usize>,
}

/// Splits a query; `None` where a text does not end.
pub(super) fn tokens(query: &str) -> Option<Vec<Token>> {
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
            b'"' | b'\'' | b'`' => (Kind::Text, quoted(rest)?),
            b'0'..=b'9' => (Kind::Number, number(rest)),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => (Kind::Number, number(rest)),
            b':' if brackets > 0 => (Kind::Sign, 1),
            _ if is_word(byte) => {
                let word = rest.iter().take_while(|b| is_word(**b) || b.is_ascii_digit());
                (Kind::Word, word.filter(|byte| **byte != b':' || brackets == 0).count())
            }
            _ => {
                let two = rest.get(..2).unwrap_or_default();
                let pairs: [&[u8]; 6] = [b"==", b"!=", b"<=", b">=", b"=~", b"!~"];
                (Kind::Sign, if pairs.contains(&two) { 2 } else { 1 })
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

/// `1`, `.5`, `1e-3`, `0x1f`, `5m`, `1h30m`.
fn number(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = rest.get(at) {
        let exponent = matches!(byte, b'+' | b'-')
            && at > 0
            && matches!(rest.get(at - 1), Some(b'e' | b'E'))
            && rest.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !(byte.is_ascii_alphanumeric() || byte == b'.' || exponent) {
            break;
        }
        at += 1;
    }
    at
}

/// What a text in quotes means.
pub(super) fn meaning(text: &str) -> Option<String> {
    let mut chars = text.chars();
    let quote = chars.next()?;
    let inner = chars.as_str().strip_suffix(quote)?;
    if quote == '`' {
        return Some(inner.to_owned());
    }
    let mut meant = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            meant.push(c);
            continue;
        }
        meant.push(match chars.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            c @ ('\\' | '"' | '\'') => c,
            // The rest of Go's escapes: nobody writes them in a matcher, and a wrong guess would be worse than none.
            _ => return None,
        });
    }
    Some(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(query: &str) -> Vec<&str> {
        tokens(query)
            .expect("it ends")
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
        assert_eq!(tokens("a{b=\"c"), None);
    }

    #[test]
    fn texts_mean_what_they_say() {
        assert_eq!(meaning(r#""a\\.b\"""#).as_deref(), Some(r#"a\.b""#));
        assert_eq!(meaning(r"`a\.b`").as_deref(), Some(r"a\.b"));
        assert_eq!(meaning(r#""\x41""#), None);
    }
}
