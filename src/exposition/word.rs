//! Eight bytes of a line at once, as a number. The first byte is the lowest.

const ONES: u64 = u64::from_le_bytes([1; 8]);

/// The highest bit of each byte.
const HIGHEST: u64 = ONES << 7;

/// Integers of up to this many digits are exact in a double, and two words contain them.
const MAX_DIGITS: usize = 15;

/// The eight bytes at an offset, with zeros after the end of the line.
#[inline]
fn word(line: &[u8], at: usize) -> u64 {
    match line.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(eight) => u64::from_le_bytes(*eight),
        None => last_word(line, at),
    }
}

#[cold]
#[inline(never)]
fn last_word(line: &[u8], at: usize) -> u64 {
    let rest = line.get(at..).unwrap_or_default();
    rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// Whether two texts are equal. Names are short, and for short texts no function is called.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // The first and the last bytes may overlap.
    match (a.first_chunk::<8>(), b.first_chunk::<8>()) {
        (Some(a_first), Some(b_first)) if a.len() <= 16 => {
            a_first == b_first && a.last_chunk::<8>() == b.last_chunk::<8>()
        }
        (Some(_), Some(_)) => a == b,
        _ => match (a.first_chunk::<4>(), b.first_chunk::<4>()) {
            (Some(a_first), Some(b_first)) => {
                a_first == b_first && a.last_chunk::<4>() == b.last_chunk::<4>()
            }
            _ => a.iter().eq(b),
        },
    }
}

/// The number of bytes before the first one whose highest bit is set.
#[inline]
fn unmarked(marks: u64) -> usize {
    (marks & HIGHEST).trailing_zeros() as usize / 8
}

/// The offset of the first byte that is unusual between quotes: a quote, a backslash, a blank, a
/// control character, a byte that is not ASCII, or the end of the line.
#[inline]
pub(super) fn end_of_usual_text(line: &[u8], mut at: usize) -> usize {
    loop {
        let word = word(line, at);
        // A carry reaches only bytes after one that is marked already.
        let up_to_quote = word.wrapping_sub(ONES * u64::from(b'"' + 1));
        let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        let usual = unmarked(up_to_quote | backslash | word);
        at += usual;
        if usual < 8 {
            return at;
        }
    }
}

/// The offset of the first byte that is not plain text between quotes: a quote, a backslash, a
/// newline, a byte that is not ASCII, or the end of the line.
#[inline]
pub(crate) fn end_of_plain_text(line: &[u8], mut at: usize) -> usize {
    loop {
        at = end_of_usual_text(line, at);
        match line.get(at) {
            Some(b'"' | b'\\' | b'\n' | 0x80..) | None => return at,
            Some(_) => at += 1,
        }
    }
}

/// The integer at an offset, and the offset after it, if it has 1 to 15 digits and is followed by
/// another byte than a digit.
#[inline(always)]
#[expect(clippy::inline_always, reason = "called in the loops that read nearly every line")]
pub(super) fn short_integer(line: &[u8], at: usize) -> Option<(f64, usize)> {
    let first = word(line, at);
    match leading_digits(first) {
        0 => None,
        #[allow(clippy::cast_precision_loss, reason = "eight digits are exact")]
        digits @ 1..8 => Some((value_of(first, digits) as f64, at + digits)),
        _ => longer_integer(line, at, first),
    }
}

/// As [`short_integer`], with at least eight digits.
#[inline(never)]
fn longer_integer(line: &[u8], at: usize, first: u64) -> Option<(f64, usize)> {
    let second = word(line, at + 8);
    let digits = leading_digits(second);
    let low = if digits == 0 { 0 } else { value_of(second, digits) };
    let value = value_of(first, 8) * *POWERS.get(digits)? + low;
    #[allow(clippy::cast_precision_loss, reason = "15 digits are below 2^53")]
    Some((value as f64, at + 8 + digits))
}

/// Powers of ten, for up to seven digits after the first eight.
const POWERS: [u64; MAX_DIGITS - 7] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000];

#[inline]
fn leading_digits(word: u64) -> usize {
    let values = word ^ DIGITS;
    unmarked(values.wrapping_add(ONES * (0x80 - 10)) | values)
}

/// `00000000`
const DIGITS: u64 = ONES * b'0' as u64;

/// The value of the first 1 to 8 bytes of a word, which are digits.
#[inline]
fn value_of(word: u64, digits: usize) -> u64 {
    // Without the bytes after the digits, and with zeros before. Then they are added in pairs.
    let values = (word ^ DIGITS) << (64 - 8 * digits);
    let pairs = (values * 10 + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

/// The text of an integer below 100,000,000, with zeros after it, and its length.
#[inline]
pub(super) fn decimal(value: u32) -> ([u8; 8], usize) {
    let value = u64::from(value);
    // Two numbers of four digits, then four of two, then eight of one: the first is the lowest.
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    let values = tens | (pairs - tens * 10) << 8;
    let zeros = (values.trailing_zeros() as usize / 8).min(7);
    (((values ^ DIGITS) >> (8 * zeros)).to_le_bytes(), 8 - zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_ends_at_the_first_special_byte() {
        let plain = b"a b!\x01~+.0\0]^#";
        for special in [b'"', b'\\', b'\n', 0x80, 0xa2, 0xdc, 0xff] {
            for length in 0..20 {
                let text: Vec<u8> = plain.iter().copied().cycle().take(length).collect();
                assert_eq!(end_of_plain_text(&text, 0), length);
                let line = [&text, &[special][..], b"\"\\ a text after it"].concat();
                assert_eq!(end_of_plain_text(&line, 0), length, "{special} after {length}");
            }
        }
        assert_eq!(end_of_usual_text(b"abcdefghi\xe9", 0), 9);
        assert_eq!(end_of_usual_text(b"abcdefghi j", 1), 9);
    }

    #[test]
    fn texts_are_the_same_if_every_byte_is() {
        let text = b"0123456789abcdefghijklmnop";
        for length in 0..=text.len() {
            let its = &text[..length];
            assert!(same(its, its), "{length}");
            assert!(!same(its, &[its, b"x"].concat()), "{length}");
            for changed in 0..length {
                let mut other = its.to_vec();
                other[changed] ^= 0x40;
                assert!(!same(its, &other), "{changed} of {length}");
            }
        }
    }

    #[test]
    fn integers_have_up_to_15_digits() {
        let read = |line: &str| short_integer(line.as_bytes(), 1);
        for (line, expected) in [
            (" 7\n", Some((7.0, 2))),
            (" 7", Some((7.0, 2))),
            (" 12345678 1", Some((12_345_678.0, 9))),
            (" 123456789 1", Some((123_456_789.0, 10))),
            (" 123456789012345\n", Some((123_456_789_012_345.0, 16))),
            (" 1234567890123456\n", None),
            (" 12345678901234567890\n", None),
            (" \n", None),
            (" -1", None),
            (" ", None),
            (" 1.5", Some((1.0, 2))),
            (" 99:", Some((99.0, 3))),
            (" 99/", Some((99.0, 3))),
            (" 99é", Some((99.0, 3))),
        ] {
            assert_eq!(read(line), expected, "{line:?}");
        }
        for number in (0..15).flat_map(|power| [10_u64.pow(power), 10_u64.pow(power) * 9 + 7]) {
            for (before, after) in [("", ""), ("", "\n"), ("x ", " 1"), ("a{b=\"c\"} ", "\n")] {
                let line = format!("{before}{number}{after}");
                #[allow(clippy::cast_precision_loss, reason = "at most 15 digits")]
                let expected = Some((number as f64, line.len() - after.len()));
                let digits = number.to_string().len() <= MAX_DIGITS;
                let expected = expected.filter(|_| digits);
                assert_eq!(short_integer(line.as_bytes(), before.len()), expected, "{line:?}");
            }
        }
    }

    #[test]
    fn integers_are_written_without_leading_zeros() {
        let powers = (0..8).map(|power| 10_u32.pow(power));
        let around = |power: u32| [power - 1, power, power + 1, power * 7 + power / 3];
        for number in powers.flat_map(around).chain([12_345_678, 99_999_999, 10_203_040]) {
            let (text, length) = decimal(number);
            assert_eq!(&text[..length], number.to_string().as_bytes());
        }
        for number in 0..10_000 {
            let (text, length) = decimal(number * 10_000 + number);
            assert_eq!(&text[..length], (number * 10_000 + number).to_string().as_bytes());
        }
    }
}
