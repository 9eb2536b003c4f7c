//! Short texts that are compared eight bytes at once, as numbers, without a function call.

/// The first eight bytes as a number, padded with zeros.
#[inline]
pub(super) fn first_eight(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => fewer_than_eight(bytes),
    }
}

#[inline(never)] // so that the usual case is small enough to be inlined
fn fewer_than_eight(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A number with ones in the lowest bytes, at most eight.
#[inline]
fn mask(bytes: usize) -> u64 {
    if bytes >= 8 { u64::MAX } else { (1 << (8 * bytes)) - 1 }
}

/// A text of a pattern, or the first bytes of lines. It contains no zero byte.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::mapping) struct Text {
    /// The first eight bytes, and ones where they are.
    first: u64,
    mask: u64,
    /// The last eight bytes, if there are as many.
    last: u64,
    bytes: Box<[u8]>,
}

impl Text {
    pub(in crate::mapping) fn new(text: &[u8]) -> Text {
        let last = text.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
        Text { first: first_eight(text), mask: mask(text.len()), last, bytes: text.into() }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether `text` begins with it. `first` are the first eight bytes of `text`.
    #[inline]
    pub(super) fn begins(&self, text: &[u8], first: u64) -> bool {
        if first & self.mask != self.first {
            return false;
        }
        // The padding of a shorter text is not in this one.
        self.bytes.len() <= 8 || self.ends_alike(text)
    }

    /// Whether all bytes are equal, if the first eight are.
    #[inline]
    fn ends_alike(&self, text: &[u8]) -> bool {
        match text.get(..self.bytes.len()).and_then(|text| text.last_chunk()) {
            Some(last) if u64::from_le_bytes(*last) == self.last => {
                self.bytes.len() <= 16 || self.is_same(text)
            }
            _ => false,
        }
    }

    #[inline(never)] // so that the usual case is small enough to be inlined
    fn is_same(&self, text: &[u8]) -> bool {
        text.starts_with(&self.bytes)
    }

    /// Whether it is the first bytes of the line.
    #[inline]
    pub(in crate::mapping) fn begins_line(&self, line: &[u8]) -> bool {
        self.begins(line, first_eight(line))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A name, in a text that may go on after it: then its last bytes too can be read eight at once.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    text: &'a [u8],
    len: usize,
}

impl<'a> Name<'a> {
    /// The first `len` bytes of a text.
    ///
    /// # Panics
    ///
    /// The text is shorter.
    #[inline]
    #[must_use]
    pub fn at_start_of(text: &'a [u8], len: usize) -> Name<'a> {
        assert!(len <= text.len());
        Name { text, len }
    }

    /// The name.
    #[inline]
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        &self.text[..self.len]
    }

    /// Its first `len` bytes.
    #[inline]
    pub(super) fn until(self, len: usize) -> Name<'a> {
        Name { len: len.min(self.len), ..self }
    }

    /// Its length in bytes.
    #[inline]
    pub(super) fn len(self) -> usize {
        self.len
    }

    /// From this place on, and the first eight bytes there. These may be bytes after the name.
    #[inline]
    pub(super) fn rest(self, at: usize) -> (&'a [u8], u64) {
        let rest = &self.text[at..];
        (rest, first_eight(rest))
    }

    /// Whether a segment can end here.
    #[inline]
    pub(super) fn is_end(self, at: usize) -> bool {
        at == self.len || at < self.len && self.text[at] == b'.'
    }

    /// The end of the segment that begins here. Segments are short, so reading eight bytes at once
    /// costs less than calling memchr.
    #[inline]
    pub(super) fn segment_end(self, start: usize) -> usize {
        let mut at = start;
        while at < self.len {
            if let Some(dot) = first_dot(first_eight(&self.text[at..])) {
                return self.len.min(at + dot);
            }
            at += 8;
        }
        self.len
    }

    /// The place of the last dot between these places.
    #[inline]
    pub(super) fn last_dot(self, start: usize, end: usize) -> Option<usize> {
        let mut text = &self.text[start..end];
        while let Some((rest, last)) = text.split_last_chunk() {
            if let Some(dot) = last_dot(u64::from_le_bytes(*last)) {
                return Some(start + rest.len() + dot);
            }
            text = rest;
        }
        text.iter().rposition(|byte| *byte == b'.').map(|dot| start + dot)
    }
}

impl<'a> From<&'a [u8]> for Name<'a> {
    #[inline]
    fn from(name: &'a [u8]) -> Name<'a> {
        Name { text: name, len: name.len() }
    }
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHEST: u64 = ONES << 7;
const DOTS: u64 = ONES * b'.' as u64;

/// The place of the first dot among eight bytes.
#[inline]
fn first_dot(eight: u64) -> Option<usize> {
    // A byte is zero where a dot is. The lowest zero byte is found exactly.
    let bytes = eight ^ DOTS;
    let zeros = bytes.wrapping_sub(ONES) & !bytes & HIGHEST;
    (zeros != 0).then(|| zeros.trailing_zeros() as usize / 8)
}

/// The place of the last dot among eight bytes.
#[inline]
fn last_dot(eight: u64) -> Option<usize> {
    // The highest bit of each byte is set unless the byte is zero: nothing is carried.
    let bytes = eight ^ DOTS;
    let zeros = !(((bytes & !HIGHEST) + !HIGHEST) | bytes) & HIGHEST;
    (zeros != 0).then(|| 7 - zeros.leading_zeros() as usize / 8)
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
    fn segments_end_at_dots() {
        // The bytes adjacent to the dot, and those that differ from it only in the highest bit.
        let text: Vec<u8> = [b'-', b'/', 0xae, 0xaf, 0, 0xff].repeat(5);
        for length in 0..text.len() {
            let dotted = [&text[..length], b".", &text].concat();
            let name = Name::from(&dotted[..]);
            assert_eq!(name.segment_end(0), length);
            assert_eq!(name.segment_end(length + 1), dotted.len());
            assert_eq!(name.last_dot(0, dotted.len()), Some(length));
            assert_eq!(name.last_dot(0, length), None);
            assert_eq!(name.last_dot(length + 1, dotted.len()), None);
            // What follows the name has no part in it.
            let short = Name::at_start_of(&dotted, length);
            assert_eq!((short.segment_end(0), short.bytes()), (length, &text[..length]));
            assert!(name.is_end(length) && name.is_end(dotted.len()));
            assert!(!name.is_end(dotted.len() + 1) && !short.is_end(length + 1));
        }
        assert_eq!(Name::from(&b"..."[..]).last_dot(0, 3), Some(2));
        assert_eq!(Name::from(&b"..."[..]).segment_end(0), 0);
    }

    #[test]
    fn texts_begin_texts_of_the_same_bytes_only() {
        let texts = [
            &b"a"[..],
            b"ab",
            b"abcdefgh",
            b"abcdefghi",
            b"abcdefghj",
            b"abcdefghijklmnop",
            b"abcdefghijklmnoq",
            b"abcdefghijklmnopq",
            b"abcdefghijklmnopr",
        ];
        for text in texts {
            for line in texts.into_iter().chain([&b""[..], b"a\0", b"abcdefgh\0"]) {
                for line in [line.to_vec(), [line, b".and more of it"].concat()] {
                    let begins = Text::new(text).begins_line(&line);
                    assert_eq!(begins, line.starts_with(text), "{text:?} of {line:?}");
                }
            }
        }
    }
}
