//! Lines as nearly all are, read in one pass.

use memchr::memchr2;

use super::Line;
use crate::statsd::near::{find2, find3};

impl<'a> Line<'a> {
    /// The first line of an input if it is `name:value|type` or `name:value|type|#tags`, with one
    /// value, a type of one or two letters, and nothing else. Such a line has one reading, which is
    /// [`Sure`](super::Confidence::Sure), and is what [`parse`](Self::parse) returns. `None` says
    /// nothing about the line.
    ///
    /// ```
    /// use crossfade::statsd::Line;
    ///
    /// let line = Line::plain(b"api.time:320|ms\nload:0.3|g").expect("a plain line");
    /// assert_eq!(Ok(line), Line::parse(b"api.time:320|ms"));
    /// assert!(Line::plain(b"api.time:320|ms|#env:test").is_some());
    /// assert_eq!(Line::plain(b"api.time:320|ms|@0.1"), None);
    /// ```
    #[inline]
    #[must_use]
    pub fn plain(input: &'a [u8]) -> Option<Line<'a>> {
        Line::plain_after(input, 0)
    }

    /// [`plain`](Self::plain), if it is known that there is no colon and no newline in the first
    /// `known` bytes.
    #[inline]
    #[must_use]
    pub fn plain_after(input: &'a [u8], known: usize) -> Option<Line<'a>> {
        let colon = known + find2(b':', b'\n', input.get(known..)?)?;
        // Lines that begin like events and service checks are parsed.
        if input[colon] != b':' || input[0] == b'_' {
            return None;
        }
        Line::plain_at(input, colon)
    }

    /// [`plain`](Self::plain), if it is known that there is a name, and a colon at its end.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called in the loop that reads nearly every line")]
    #[must_use]
    pub fn plain_at(input: &'a [u8], colon: usize) -> Option<Line<'a>> {
        let (name, after_name) = input.split_at(colon);
        let value = 1 + find3(b'|', b':', b'\n', &after_name[1..])?;
        if after_name[value] != b'|' {
            return None;
        }
        let letters = match &after_name[value + 1..] {
            [a] | [a, b'\n', ..] if a.is_ascii_alphabetic() => 1,
            [a, b] | [a, b, b'\n', ..] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => 2,
            _ => return Line::plain_with_tags(name, after_name, value),
        };
        let end = value + 1 + letters;
        Some(Line {
            name,
            after_name: &after_name[..end],
            value,
            metric_type: end,
            fields: end,
            colons: false,
            typed: true,
            pieced: false,
            only_tags: false,
            shared: &[],
        })
    }

    /// [`plain_at`](Self::plain_at) for a line with tags.
    #[inline(never)] // so that the code for other lines is small
    fn plain_with_tags(name: &'a [u8], after_name: &'a [u8], value: usize) -> Option<Line<'a>> {
        let letters = match &after_name[value + 1..] {
            [a, b'|', b'#', ..] if a.is_ascii_alphabetic() => 1,
            [a, b, b'|', b'#', ..] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => 2,
            _ => return None,
        };
        let metric_type = value + 1 + letters;
        let tags = metric_type + b"|#".len();
        let find = |from: usize| memchr2(b'|', b'\n', &after_name[from..]).map(|at| from + at);
        let mut bar_or_end = find(tags).unwrap_or(after_name.len());
        let only_tags = after_name.get(bar_or_end) != Some(&b'|');
        while after_name.get(bar_or_end) == Some(&b'|') {
            bar_or_end = find(bar_or_end + 1).unwrap_or(after_name.len());
        }
        let fields = bar_or_end;
        // The line can be a set, or has blanks at its end.
        if matches!(&after_name[..fields], [.., b'|', b's'] | [.., b' ' | b'\t' | b'\r']) {
            return None;
        }
        Some(Line {
            name,
            after_name: &after_name[..fields],
            value,
            metric_type,
            fields,
            colons: false,
            typed: true,
            pieced: false,
            only_tags,
            shared: &[],
        })
    }

    /// The length of the whole line, if it has no other samples.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.name.len() + self.after_name.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statsd::Confidence;

    #[test]
    fn a_plain_line_is_what_parsing_it_gives() {
        for (line, plain) in [
            ("a.b:1|c", true),
            (":|ms", true),
            ("a_name_of_more_than_eight_bytes:a text, of a set.|s", true),
            ("_e:1|c", false),
            ("a:1:2|ms", false),
            ("a:1|c|#b:c,d", true),
            ("a:1|ms|#", true),
            ("a:1|c|#b:c|@0.5", true),
            ("a:1|s|#b:c|sum", true),
            ("a:1|s|#b:c|s", false),
            ("a:1|c|#b:c\t", false),
            ("a:1|c|#b:c\r", false),
            ("a:1:2|c|#b:c", false),
            ("a:1|c2|#b:c", false),
            ("a:1||#b:c", false),
            ("a:1|c|@0.5|#b:c", false),
            ("a:1|c|@0.5", false),
            ("a:1|c ", false),
            ("a:1|c\r", false),
            ("a:1|", false),
            ("a:1|c1", false),
            ("a:1|hist", false),
            ("a:1", false),
            ("a|c", false),
            ("a", false),
            ("", false),
        ] {
            let parsed = Line::parse(line.as_bytes());
            for after in ["", "\n", "\nb:2|c", "\n:2|ms\n"] {
                let input = [line, after].concat();
                let read = Line::plain(input.as_bytes());
                assert_eq!(read, parsed.ok().filter(|_| plain), "{input:?}");
                assert!(read.is_none_or(|read| read.confidence() == Confidence::Sure));
                assert!(read.is_none_or(|read| read.len() == line.len()));
            }
        }
    }
}
