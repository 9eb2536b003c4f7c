//! The lines of a datagram.

use memchr::memchr;

/// The lines of a datagram, without their newlines. Blank lines are included; there is no line
/// after a final newline.
///
/// ```
/// let lines: Vec<&[u8]> = crossfade::statsd::lines(b"a:1|c\n\nb:2|g\n").collect();
/// assert_eq!(lines, [&b"a:1|c"[..], b"", b"b:2|g"]);
/// ```
pub fn lines(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = match memchr(b'\n', rest) {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newlines_end_lines() {
        for (datagram, expected) in [
            ("", &[][..]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\nb", &["a", "b"]),
            ("a\n\nb\n", &["a", "", "b"]),
            ("\n\n", &["", ""]),
            ("a\r\nb", &["a\r", "b"]),
        ] {
            let found: Vec<_> = lines(datagram.as_bytes()).collect();
            let expected: Vec<_> = expected.iter().map(|line| line.as_bytes()).collect();
            assert_eq!(found, expected, "{datagram:?}");
        }
    }
}
