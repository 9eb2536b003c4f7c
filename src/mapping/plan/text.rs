//! Short texts that are compared by their first eight bytes, as a number, without a function call.

/// The first eight bytes as a number, padded with zeros.
#[inline]
pub(super) fn first_eight(bytes: &[u8]) -> u64 {
    if let Some(eight) = bytes.first_chunk() {
        return u64::from_le_bytes(*eight);
    }
    // The two halves overlap, and the bytes in both are equal.
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let shift = 8 * (bytes.len() - 4);
        return u64::from(u32::from_le_bytes(*first))
            | u64::from(u32::from_le_bytes(*last)) << shift;
    }
    match *bytes {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        _ => 0,
    }
}

/// A number with ones in the lowest bytes, at most eight.
#[inline]
fn mask(bytes: usize) -> u64 {
    if bytes >= 8 { u64::MAX } else { (1 << (8 * bytes)) - 1 }
}

/// A text of a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text {
    first: u64,
    bytes: Box<[u8]>,
}

impl Text {
    pub(super) fn new(text: &[u8]) -> Text {
        Text { first: first_eight(text), bytes: text.into() }
    }

    /// Whether the segment is this text.
    #[inline]
    pub(super) fn is(&self, segment: &NameSegment<'_>) -> bool {
        // A zero byte of a segment equals the padding; the lengths then differ.
        self.first == segment.first
            && self.bytes.len() == segment.bytes.len()
            && (self.bytes.len() <= 8 || self.bytes[8..] == segment.bytes[8..])
    }

    pub(super) fn into_bytes(self) -> Box<[u8]> {
        self.bytes
    }
}

/// A segment of a name that was read.
pub(super) struct NameSegment<'a> {
    first: u64,
    pub(super) bytes: &'a [u8],
}

impl<'a> NameSegment<'a> {
    /// A whole segment.
    #[inline]
    pub(super) fn whole(bytes: &'a [u8]) -> Self {
        NameSegment { first: first_eight(bytes), bytes }
    }

    /// The first segment of the rest of a name. Segments are short, so reading eight bytes at once
    /// costs less than calling memchr.
    #[inline]
    pub(super) fn first(rest: &'a [u8]) -> Self {
        let first = first_eight(rest);
        if let Some(dot) = first_dot(first) {
            return NameSegment { first: first & mask(dot), bytes: &rest[..dot] };
        }
        let mut at = 8;
        while at < rest.len() {
            if let Some(dot) = first_dot(first_eight(&rest[at..])) {
                return NameSegment { first, bytes: &rest[..at + dot] };
            }
            at += 8;
        }
        NameSegment { first, bytes: rest }
    }
}

/// The place of the first dot among eight bytes.
#[inline]
fn first_dot(eight: u64) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    const DOTS: u64 = u64::from_le_bytes([b'.'; 8]);
    // A byte is zero where a dot is. The lowest zero byte is found exactly.
    let bytes = eight ^ DOTS;
    let zeros = bytes.wrapping_sub(ONES) & !bytes & HIGHEST;
    (zeros != 0).then(|| zeros.trailing_zeros() as usize / 8)
}

/// The first bytes of lines.
#[derive(Debug)]
pub(in crate::mapping) struct Lead {
    first: u64,
    mask: u64,
    bytes: Box<[u8]>,
}

impl Lead {
    pub(in crate::mapping) fn new(bytes: Box<[u8]>) -> Lead {
        Lead { first: first_eight(&bytes), mask: mask(bytes.len()), bytes }
    }

    /// Whether the line begins with these bytes.
    #[inline]
    pub(in crate::mapping) fn begins(&self, line: &[u8]) -> bool {
        first_eight(line) & self.mask == self.first
            && line.len() >= self.bytes.len()
            && (self.bytes.len() <= 8 || line[8..].starts_with(&self.bytes[8..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_or_fewer() {
        let text = b"abcdefghij";
        for length in 0..=text.len() {
            let bytes = (0..length.min(8)).map(|at| u64::from(text[at]) << (8 * at));
            let expected: u64 = bytes.sum();
            assert_eq!(first_eight(&text[..length]), expected, "of {length}");
        }
    }

    #[test]
    fn segments_end_at_the_first_dot() {
        // The bytes adjacent to the dot, and those that differ from it only in the highest bit.
        let text: Vec<u8> = [b'-', b'/', 0xae, 0xaf, 0, 0xff].repeat(5);
        for length in 0..text.len() {
            let expected = first_eight(&text[..length]);
            for rest in [text[..length].to_vec(), [&text[..length], b".", &text, b"."].concat()] {
                let segment = NameSegment::first(&rest);
                assert_eq!((segment.bytes, segment.first), (&text[..length], expected));
            }
        }
        assert_eq!(NameSegment::first(b"...").bytes, b"");
    }

    #[test]
    fn texts_equal_segments_of_the_same_bytes_only() {
        let texts =
            [&b""[..], b"a", b"a\0", b"abcdefgh", b"abcdefgh\0", b"abcdefghi", b"abcdefghj"];
        for (at, text) in texts.iter().enumerate() {
            for (other, segment) in texts.iter().enumerate() {
                assert_eq!(Text::new(text).is(&NameSegment::whole(segment)), at == other);
                let begins = Lead::new((*text).into()).begins(segment);
                assert_eq!(begins, segment.starts_with(text), "{text:?} of {segment:?}");
            }
        }
    }
}
