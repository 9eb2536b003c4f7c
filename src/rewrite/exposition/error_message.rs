//! Recognizes the error message of an upstream that failed while it was sending the response.

use serde::de::IgnoredAny;

use crate::rewrite::printable::printable;

/// Maximum number of characters of a message that are quoted.
const MAX_QUOTED: usize = 120;

/// The message on a line that is not a sample, if it is one: the beginning of an HTML or XML page,
/// or of a JSON document, on a line of its own or after the sample that was cut off.
///
/// A server that fails while it sends a response cannot change the status 200 any more; it appends
/// its error page. A line of a metric is never of this kind, so this is not a malformed line.
pub(super) fn error_message(line: &[u8]) -> Option<String> {
    let text = line.trim_ascii();
    let message = match text {
        // Of JSON: the first line of a document that is written over several lines.
        [b'<', b'!' | b'?' | b'/' | b'a'..=b'z' | b'A'..=b'Z', ..] | b"{" | b"[" => text,
        _ => json_at_the_end(text)?,
    };
    Some(printable(message).chars().take(MAX_QUOTED).collect())
}

/// The JSON object or array that a line ends with, if it does.
fn json_at_the_end(text: &[u8]) -> Option<&[u8]> {
    let start = match text {
        [b'{' | b'[', ..] => 0,
        _ => memchr::memmem::find(text, b"{\"")?,
    };
    let json = &text[start..];
    serde_json::from_slice::<IgnoredAny>(json).is_ok().then_some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_messages_and_malformed_samples_are_not() {
        for (line, message) in [
            ("{\"message\":\"failed\"}\n", "{\"message\":\"failed\"}"),
            ("  {\n", "{"),
            ("[\n", "["),
            ("[]", "[]"),
            ("<!DOCTYPE html>\n", "<!DOCTYPE html>"),
            ("<html>", "<html>"),
            ("a{b=\"c{\"message\":\"failed\"}\n", "{\"message\":\"failed\"}"),
            ("a{b=\"c\"} 1{\"e\":{\"m\":1}}", "{\"e\":{\"m\":1}}"),
        ] {
            assert_eq!(error_message(line.as_bytes()).as_deref(), Some(message), "{line}");
        }
        for line in [
            "a{b=1} 1\n",
            "{\"a\",b=\"c\" 1\n",
            "{\"a\"} x\n",
            "<1\n",
            "Internal Server Error\n",
            "a{\"b\":\"c\"} 1\n",
            "\n",
        ] {
            assert_eq!(error_message(line.as_bytes()), None, "{line}");
        }
        assert_eq!(error_message(&[b"<p>", &[b'x'; 500][..]].concat()).unwrap().len(), MAX_QUOTED);
    }
}
