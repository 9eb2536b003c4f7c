//! The status line of an error response. Prometheus shows it, and nothing else of the response, on
//! its target page.

use hyper::ext::ReasonPhrase;

/// Longest reason phrase, in bytes.
const MAX_BYTES: usize = 120;

/// A reason phrase: the first line of `text` in printable ASCII, without a full stop, and cut at
/// 120 bytes.
pub(crate) fn reason_phrase(text: &str) -> ReasonPhrase {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let printable = |char: char| if matches!(char, ' '..='~') { char } else { '?' };
    let line: String = line.trim().chars().map(printable).collect();
    let mut phrase = line.trim_end_matches('.').to_owned();
    if phrase.len() > MAX_BYTES {
        phrase.truncate(MAX_BYTES - "...".len());
        phrase.truncate(phrase.trim_end().len());
        phrase.push_str("...");
    }
    phrase.into_bytes().try_into().expect("printable ASCII is legal")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str) -> String {
        String::from_utf8(reason_phrase(text).as_bytes().to_vec()).expect("ASCII")
    }

    #[test]
    fn is_one_short_line_of_ascii() {
        for (text, expected) in [
            ("kong-1:8100 refused the connection\n", "kong-1:8100 refused the connection"),
            ("Too many scrapes.\nmore", "Too many scrapes"),
            ("\r\n evil\r\nSet-Cookie: x", "evil"),
            ("a\u{0}\tb\u{7f}é", "a??b??"),
            ("", ""),
        ] {
            assert_eq!(phrase(text), expected, "{text:?}");
        }
        let long = phrase(&"word ".repeat(100));
        assert!(long.len() <= MAX_BYTES && long.ends_with(" wo..."), "{long}");
    }
}
